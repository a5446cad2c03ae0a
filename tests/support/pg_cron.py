# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL with Debian's pg_cron, which is not installed on the machine."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, postgres_programs, server
from lab.tools.debian import NoProgram, fetched


@contextlib.contextmanager
def server_with_pg_cron(*settings: str) -> Iterator[Server]:
    """A running server whose database shop has pg_cron; tests are left out where it cannot be had."""
    ours = postgres_programs()
    version = ours.parent.name
    cache = REPOSITORY / ".cache" / "pg_cron"
    try:
        library = Path(
            fetched(f"lib/postgresql/{version}/lib/pg_cron.so", "pg_cron", cache, f"postgresql-{version}-cron")
        )
    except NoProgram as error:
        left_out(str(error))
    root = Path(tempfile.mkdtemp(prefix="cron", dir="/tmp"))
    root.chmod(0o755)
    try:
        programs = _merged(root, ours, library.parents[4] / "share" / "postgresql" / version, library)
        more = (
            "shared_preload_libraries = 'pg_cron'",
            "cron.database_name = 'shop'",
            "cron.use_background_workers = on",
        )
        with server(*more, *settings, programs=programs) as running:
            running.execute("CREATE EXTENSION pg_cron")
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _merged(root: Path, ours: Path, share: Path, library: Path) -> Path:
    """A tree of links to this machine's PostgreSQL and to pg_cron, in which programs find both: they look beside themselves.

    Args:
        root: where to make it.
        ours: the folder of this machine's programs.
        share: pg_cron's own ``share`` folder.
        library: pg_cron's own library.

    Returns:
        The folder of its programs.
    """
    version = ours.parent.name
    programs, libraries = root / "usr/lib/postgresql" / version / "bin", root / "usr/lib/postgresql" / version / "lib"
    shared = root / "usr/share/postgresql" / version
    for folder in (programs, libraries, shared / "extension"):
        folder.mkdir(parents=True)
    for name in ("initdb", "pg_ctl", "postgres"):
        # No link, which a program would follow to find where it is.
        shutil.copy2(ours / name, programs / name)
    _link(ours.parent / "lib", libraries)
    _link(Path("/usr/share/postgresql") / version, shared)
    _link(Path("/usr/share/postgresql") / version / "extension", shared / "extension")
    _link(share / "extension", shared / "extension")
    (libraries / library.name).symlink_to(library)
    return programs


def _link(folder: Path, into: Path) -> None:
    for path in folder.iterdir():
        if not (into / path.name).exists():
            (into / path.name).symlink_to(path)

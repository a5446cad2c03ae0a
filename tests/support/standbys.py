# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real standby of a PostgreSQL server, for tests; it can be kept from replaying."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, postgres_programs
from lab.layout import unprivileged_user
from lab.ports import free_port


class Standby(Server):
    """A copy of a server that follows it.

    Args:
        primary: the server.
        folder: that the unprivileged user can pass.
    """

    def __init__(self, primary: Server, folder: Path) -> None:
        self.port, self._data, self._programs = free_port(), folder / "data", postgres_programs()
        self._run(
            "pg_basebackup", "-D", str(self._data), "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-R", "-c", "fast", "--no-sync"
        )  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"\nport = {self.port}\nunix_socket_directories = '{folder}'\n")
        self._log = folder / "log"
        self.start()

    def stand_still(self) -> None:
        """Replay nothing any more."""
        self.execute("SELECT pg_wal_replay_pause()", dbname="postgres")


@contextlib.contextmanager
def standby(primary: Server) -> Iterator[Standby]:
    """A standby that runs."""
    folder = Path(tempfile.mkdtemp(prefix="pgs", dir="/tmp"))
    folder.chmod(0o755)
    if user := unprivileged_user():
        shutil.chown(folder, user)
    running = None
    try:
        running = Standby(primary, folder)
        yield running
    finally:
        if running:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)

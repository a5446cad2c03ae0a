# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives back the room of what was dropped: SQLite keeps the pages for itself, and its file as large as it ever was.

In steps of a few pages, each a transaction of its own, so that an acknowledgement waits for no more than one of them. That takes
a file that was made for it; an older one is written anew, once, at a start, when nothing is acknowledged yet.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .engine import FILE, WAL_BYTES, WORKFLOWS_FILE

LOG = logging.getLogger("oncall.store")
MEBIBYTE = 1024 * 1024
# So much stays free, for what comes next.
SPARE_BYTES = 16 * MEBIBYTE
PAGES_AT_ONCE = 256
REST_SECONDS = 0.02
INCREMENTAL = 2


def prepare(state_directory: str) -> None:
    """Make the files of SQLite such that they can shrink; a file that cannot be written anew stays as it is."""
    for file in _files(state_directory):
        try:
            with _open(file, 30) as connection:
                if _number(connection, "auto_vacuum") != INCREMENTAL:
                    _write_anew(connection, file)
        except sqlite3.Error as error:
            LOG.warning("%s does not shrink: %s", file, error)


def _write_anew(connection: sqlite3.Connection, file: Path) -> None:
    size = file.stat().st_size
    # The copy, and a log of all of it.
    if shutil.disk_usage(file.parent).free < 2 * size + SPARE_BYTES:
        LOG.warning("%s does not shrink: its disk has no room to write its %d MiB anew", file, size // MEBIBYTE)
        return
    if size > SPARE_BYTES:
        LOG.info("%s is written anew, once, so that it can shrink (%d MiB)", file, size // MEBIBYTE)
    connection.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
    # An empty file has no header yet that could say so.
    connection.execute("VACUUM" if size else "PRAGMA user_version=0")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def shrink(state_directory: str, seconds: float) -> None:
    """Give back what is free, for so long; the rest another time. A file with a log is shorter only after the next checkpoint."""
    deadline = time.monotonic() + seconds
    for file in _files(state_directory):
        try:
            with _open(file, 1) as connection:
                _give_back(connection, deadline)
        except sqlite3.OperationalError as error:
            # Somebody has more to write than this; or what is wrong shows where more depends on it.
            LOG.debug("%s does not shrink now: %s", file, error)


def _give_back(connection: sqlite3.Connection, deadline: float) -> None:
    if _number(connection, "auto_vacuum") != INCREMENTAL:
        return
    spare = SPARE_BYTES // _number(connection, "page_size")
    while (free := _number(connection, "freelist_count") - spare) > 0 and time.monotonic() < deadline:
        # As a script, which has all of it done: a statement would give back one page, and wait to be asked again.
        connection.executescript(f"PRAGMA incremental_vacuum({min(free, PAGES_AT_ONCE)})")
        time.sleep(REST_SECONDS)


def _files(state_directory: str) -> list[Path]:
    return [file for file in (Path(state_directory, name) for name in (FILE, WORKFLOWS_FILE)) if file.is_file()]


@contextmanager
def _open(file: Path, seconds: float) -> Iterator[sqlite3.Connection]:
    # mode=rw makes no file in the place of one that somebody removed.
    uri = f"{file.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=seconds, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        yield connection


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])

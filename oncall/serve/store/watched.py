# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database of SQLite as its files are on the disk: what is wrong with them, and what can be saved where a name is gone.

Only `checkpoint` writes to the main file, so that each other change of it is somebody else's. Where a change is not explained, all of
it is read by a connection of its own: a `touch` is no damage.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import OncallError, first_line, of_database
from . import wal
from .engine import WAL_BYTES, closed_if_it_fails
from .written import lost

LOG = logging.getLogger("oncall.store")
MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
# For readers that hold up saving what is in a log without a name.
SAVE_SECONDS = 2.0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file.

    Attributes:
        text: of it; without paths, which strangers need not see.
        can_be_saved: whether this process can still read all of it.
        detail: for the log.
    """

    text: str
    can_be_saved: bool = False
    detail: str = ""


class Database:
    """A database that this process has open from now on.

    Args:
        file: of SQLite; it is there.

    Raises:
        OncallError: it cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with ExitStack() as opened:
                self._checkpoints = opened.enter_context(closing(self._open("rw", 1)))
                # The log is there only when it has read.
                self._checkpoints.execute("SELECT count(*) FROM sqlite_master").fetchone()
                self._connection = opened.enter_context(closing(self._open("ro", 10)))
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                (mode,) = self._connection.execute("PRAGMA journal_mode").fetchone()
                beside = ("-wal", "-shm") if mode == "wal" else ()
                paths = [file, *(file.with_name(f"{file.name}{end}") for end in beside)]
                # Open as long as this lives: closing one would open the locks that SQLite holds on it.
                self._descriptors = []
                for path in paths:
                    self._descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                    opened.callback(os.close, self._descriptors[-1])
                opened.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise OncallError(f"cannot use the database {file}: {of_database(error)}") from None
        self._has_log = bool(beside)
        self.names = {path: identity(os.fstat(each)) for path, each in zip(paths, self._descriptors, strict=True)}
        self._checkpoint_lock = threading.Lock()
        # Odd while a checkpoint is on its way.
        self._checkpoint = 0
        self._main = self._main_now()
        self._saved = _written(os.pread(self._descriptors[0], HEADER_BYTES, 0))
        self._log_seen: tuple[wal.Index, int] | None = None

    def _open(self, mode: str, seconds: float) -> sqlite3.Connection:
        # Neither makes a file in the place of one that somebody removed.
        uri = f"{self._file.as_uri()}?mode={mode}"
        made = sqlite3.connect(uri, uri=True, timeout=seconds, isolation_level=None, check_same_thread=False)
        with closed_if_it_fails(made):
            for pragma in ("synchronous=FULL", "wal_autocheckpoint=0", f"journal_size_limit={WAL_BYTES}"):
                made.execute(f"PRAGMA {pragma}").fetchall()
        return made

    def close(self, is_sound: bool) -> None:
        """After every other connection of this process. The last one takes the log into the file, where it may write: not one that
        is damaged.
        """
        for one in (self._connection, self._checkpoints)[:: 1 if is_sound else -1]:
            one.close()
        for each in self._descriptors:
            os.close(each)

    def written(self) -> int:
        """How often it was written to, as readers see it now."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def unsaved_bytes(self) -> int:
        """What is in the log alone."""
        found = wal.index(self._descriptors[2]) if self._has_log else None
        return found.unsaved_bytes if found else 0

    # ------------------------------------------------------------------ what is wrong
    def problem(self, writing: bool) -> Problem | None:
        """What is wrong with its files; None where nothing is. One thread at a time.

        Args:
            writing: whether the caller holds the lock of the one writer.
        """
        for path, known in self.names.items():
            if found := name_problem(path, known):
                return found
        try:
            return self._main_problem() or (self._log_problem(writing) if self._has_log else None)
        except OSError as error:
            return Problem(f"{self._file.name} cannot be read: {error.strerror}")

    def _main_problem(self) -> Problem | None:
        name = self._file.name
        header = os.pread(self._descriptors[0], HEADER_BYTES, 0)
        # That of the workflows is empty until they make their tables.
        if self._main[0] and (not header.startswith(MAGIC) or len(header) < HEADER_BYTES):
            return Problem(f"{name} was {'overwritten' if header else 'emptied'}")
        if not self._has_log:
            return None
        if lost(_written(header), self._saved):
            return Problem(f"{name} was overwritten with an older one")
        checkpoint, known, now = self._checkpoint, self._main, self._main_now()
        if now == known or checkpoint % 2 or checkpoint != self._checkpoint:
            return None
        return self._unexplained(now)

    def shrank(self) -> Problem | None:
        """What is wrong where the file of a database without a log became smaller, and it was not told (`checkpoint`)."""
        now = self._main_now()
        if self._has_log:
            return None
        if now[0] < self._main[0]:
            return self._unexplained(now)
        self._main = now
        return None

    def _unexplained(self, now: tuple[int, int]) -> Problem | None:
        """Read all of it, without what this process remembers of it."""
        try:
            with closing(self._open("ro", 5)) as connection:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            # Such as a lock that somebody holds: another look sees it.
            raise
        except sqlite3.DatabaseError as error:
            found = first_line(error)
        if found != "ok":
            return Problem(f"{self._file.name} was changed by another program and is damaged", detail=found)
        self._main = now
        return None

    def _main_now(self) -> tuple[int, int]:
        status = os.fstat(self._descriptors[0])
        return status.st_size, status.st_mtime_ns

    def _log_problem(self, writing: bool) -> Problem | None:
        _main, log, shm = self._descriptors
        name, seen = f"{self._file.name}-wal", self._log_seen
        while True:
            found = wal.index(shm)
            if found is None:
                return Problem(f"{self._file.name}-shm was overwritten")
            changed_at = os.fstat(log).st_mtime_ns
            what = wal.problem(log, found)
            if not what and seen and seen[0].salts == found.salts:
                # What was cut and written on has a hole.
                what = wal.problem(log, seen[0])
            if wal.index(shm) == found:
                break
            # Somebody has committed meanwhile.
        if what:
            return Problem(f"{name} {what}")
        if seen and (seen[0].salts, seen[0].changes) == (found.salts, found.changes):
            # Whoever writes at this moment changes it as well, unless that is the caller.
            if not writing or seen[1] == changed_at:
                return None
            if not wal.is_whole(log, found):
                return Problem(f"{name} was overwritten")
        self._log_seen = found, changed_at
        return None

    # ------------------------------------------------------------------ what keeps it
    def checkpoint(self) -> bool:
        """Take the log into the file as far as nobody reads it; whether that was all of it. A full disk is no damage."""
        with self._checkpoint_lock:
            self._checkpoint += 1
            done = False
            try:
                if self._has_log:
                    busy, frames, saved = self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    done = not busy and frames == saved
            except sqlite3.OperationalError as error:
                LOG.warning("%s stays in its log: %s", self._file, error)
            finally:
                self._main = self._main_now()
                with suppress(OSError):
                    self._saved = _written(os.pread(self._descriptors[0], HEADER_BYTES, 0))
                self._checkpoint += 1
            return done

    def save(self) -> str:
        """Bring what only this process can still read to where the next start finds it; a sentence of where that is."""
        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        name = self._file.name
        if self._has_log and name_problem(self._file, self.names[self._file]) is None and self._all_in_the_file():
            log = self._file.with_name(f"{name}-wal")
            if name_problem(log, self.names[log]) is not None and os.path.lexists(log):
                # A start would write it over what was just saved.
                aside = log.with_name(f"{log.name}.foreign.{at}")
                try:
                    log.rename(aside)
                except OSError as error:
                    return f"all is saved in {name}, but remove {log.name}, which is another one ({error.strerror})"
                return f"all is saved in {name}, and the other {log.name} is {aside.name} now"
            return f"all is saved in {name}"
        copy = self._file.with_name(f"{name}.rescued.{at}")
        try:
            os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(copy)) as target:
                self._connection.backup(target)
        except (OSError, sqlite3.Error) as error:
            with suppress(OSError):
                copy.unlink()
            return f"it could not be saved ({first_line(error)})"
        return (
            f"all is saved in {copy.name}: stop the service, remove {name}-wal and {name}-shm, and rename it to {name}"
        )

    def _all_in_the_file(self) -> bool:
        deadline = time.monotonic() + SAVE_SECONDS
        while not (done := self.checkpoint()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return done


def name_problem(path: Path, known: tuple[int, int]) -> Problem | None:
    """What became of the file of a name."""
    try:
        if identity(path.lstat()) == known:
            return None
    except FileNotFoundError:
        return Problem(f"{path.name} was removed", can_be_saved=True)
    except OSError as error:
        return Problem(f"{path.name} cannot be looked at: {error.strerror}")
    return Problem(f"{path.name} was replaced", can_be_saved=True)


def identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _written(header: bytes) -> int:
    """The number of writes in the first page of a file."""
    return int.from_bytes(header[60:64], signed=True)

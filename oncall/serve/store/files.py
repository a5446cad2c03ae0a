# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the files of the state directory as the next start will find them, before anything of it is acknowledged.

A process that has a file open does not notice that its name is gone, or that somebody cut it. So each name is looked at, and what
the file has to have. What is wrong stays wrong until a restart: a log that was cut would look whole again after the next write.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from ... import trust
from ...errors import OncallError
from .engine import FILE, LOCK_FILE, WORKFLOWS_FILE
from .watched import Database, Problem, identity, name_problem
from .written import WRITTEN_FILE, Written, lost

LOG = logging.getLogger("oncall.store")
# Above it, the log is taken into the file between two tidyings: reading gets slower with it.
LARGE_LOG_BYTES = 4 * 1024 * 1024

_Rights = tuple[int, int, int]


class Files:
    """What this process wrote, and the files as they are now. Any number of threads may look.

    Args:
        state_directory: absolute; its files are there, and nobody else uses them.

    Raises:
        OncallError: they cannot be opened.
    """

    def __init__(self, state_directory: str) -> None:
        self._folder = Path(state_directory)
        self._lock = threading.Lock()
        # Why nothing is acknowledged until a restart; "" where all is well. Strangers may see it: it has no paths.
        self.alarm = ""
        self._store = Database(self._folder / FILE)
        self._databases = [self._store, Database(self._folder / WORKFLOWS_FILE)]
        self._written = Written(state_directory)
        self._known = self._store.written()
        self._note_failure = ""
        self._note(self._known)
        lock = self._folder / LOCK_FILE
        self._lock_name = lock, identity(lock.stat())
        names = [lock, *(name for database in self._databases for name in database.names)]
        folders = [self._folder, *self._folder.parents]
        self._rights = {path: _rights(path.stat()) for path in [*names, *folders]}

    def look(self, writing: bool = False) -> None:
        """Look at all of them.

        Args:
            writing: whether the caller is in a transaction that writes, so that nobody else can be.

        Raises:
            OncallError: what was acknowledged may not be there after a restart, now or since an earlier look.
            sqlite3.OperationalError: the database does not answer.
        """
        with self._lock:
            if not self.alarm and (found := self._problem(writing)):
                self._raise_alarm(*found)
            if self.alarm:
                raise OncallError(self.alarm)

    def turn(self) -> None:
        """Look, and keep the log short. As `look`; from one thread."""
        self.look()
        for database in self._databases:
            if database.unsaved_bytes() > LARGE_LOG_BYTES:
                database.checkpoint()
            with self._lock:
                if not self.alarm and (problem := database.shrank()):
                    self._raise_alarm(database, problem)
                    raise OncallError(self.alarm)

    def tidy(self) -> None:
        """Take all that is in a log into its file; after what shrinks a file, from the same thread as `turn`."""
        self.look()
        for database in self._databases:
            database.checkpoint()

    def close(self) -> None:
        """When no connection of this process is open any more: closing a file here would open the locks of them all."""
        for database in self._databases:
            database.close(is_sound=not self.alarm)
        self._written.close()

    def _problem(self, writing: bool) -> tuple[Database | None, Problem] | None:
        if problem := name_problem(*self._lock_name):
            return None, problem
        for database in self._databases:
            if problem := database.problem(writing and database is self._store):
                return database, problem
        if problem := self._rights_problem():
            return None, problem
        found = self._store.written()
        if missing := lost(found, self._known):
            return None, Problem(f"{FILE} was put back to an older state by another program: it lacks {missing} writes")
        if found != self._known or self._note_failure:
            self._known = found
            self._note(found)
        return None

    def _note(self, number: int) -> None:
        """Where it cannot be written, the file says less than it could, until a later look."""
        try:
            self._written.note(number)
        except OSError as error:
            if self._note_failure != (failure := str(error.strerror)):
                LOG.warning("cannot write %s: %s", WRITTEN_FILE, failure)
            self._note_failure = failure
        else:
            self._note_failure = ""

    def _rights_problem(self) -> Problem | None:
        for path, known in self._rights.items():
            try:
                now = _rights(path.stat())
            except OSError:
                # The names say so.
                continue
            if now == known:
                continue
            try:
                trust.check("state_directory", path, beside=path == self._folder)
            except OncallError as error:
                what = path.name if path.parent == self._folder else "the state_directory or a folder above it"
                return Problem(f"{what} may be changed by others now (mode {now[2] & 0o7777:04o})", detail=str(error))
            self._rights[path] = now
        return None

    def _raise_alarm(self, database: Database | None, problem: Problem) -> None:
        """Save what was acknowledged, then say what is wrong."""
        saved = ""
        if problem.can_be_saved and database is not None:
            saved = f"; {database.save()}"
        self.alarm = (
            f"{problem.text}{saved}; nothing is acknowledged until a restart: see who did it, then restart the service"
        )
        LOG.critical("%s (in %s%s)", self.alarm, self._folder, problem.detail and f": {problem.detail}")


def _rights(status: os.stat_result) -> _Rights:
    return status.st_uid, status.st_gid, status.st_mode

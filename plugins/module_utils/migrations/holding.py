# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps every other controller away while one migrates: an advisory lock that lasts as long as the program that was started under it."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

from ..deadline import within
from ..postgres.client import APPLICATION_NAME, Client, DatabaseError, where
from .sessions import LOCK

_TRY = f"SELECT json_build_object('held', pg_try_advisory_lock({LOCK[0]}, {LOCK[1]}), 'pid', pg_backend_pid())::text"
_ENDS_SECONDS = 10
# A session that only holds a lock is idle for as long as the migration takes.
_STAYS = "SET idle_session_timeout = 0"


class Taken(Exception):
    """Somebody else has the lock; one line."""


class Held:
    """The lock, while the block goes on, and in a program that has ``descriptors`` open for as long as that lives.

    Args:
        reach: the database, as in :data:`postgres.spec.DATABASE`.
        timeout_seconds: to get it. Nobody waits for another one who has it.

    Raises:
        Taken: another one has it.
        DatabaseError: it cannot be had.
    """

    def __init__(self, reach, timeout_seconds):
        self._reach, self._timeout_seconds = reach, timeout_seconds
        self._client = self._psql = None
        self.descriptors = ()

    def __enter__(self):
        try:
            told = self._by_docker() if self._reach["transport"] == "docker" else self._by_driver()
        except Exception:
            self.__exit__()
            raise
        if not told["held"]:
            self.__exit__()
            raise Taken(
                f"{where(self._reach)}: another one migrates under the lock of oncall.runbooks; see who in pg_locks"
            )
        return self

    def __exit__(self, *_exception):
        if self._client is not None:
            self._client.__exit__()
        if self._psql is not None:
            self._psql.stdin.close()
            self._psql.stdout.close()
            if not self.descriptors:
                self._psql.kill()
            # It ends when nobody can write to it any more. Where a program that was started under it still can, it keeps the lock.
            with suppress(subprocess.TimeoutExpired):
                self._psql.wait(_ENDS_SECONDS)

    def _by_driver(self):
        self._client = Client(self._reach, self._timeout_seconds, read_only=False)
        told = self._client.query(_TRY)
        if self._client.pooler or self._client.session_pid() not in (0, told["pid"]):
            raise DatabaseError(
                "other", f"{where(self._reach)} is reached through a pooler, which gives sessions away between transactions, and the lock "
                "with them; name the server itself in database",
            )  # fmt: skip
        # Before PostgreSQL 14 no session is ended for being idle.
        with suppress(DatabaseError):
            self._client.execute(_STAYS)
        self.descriptors = (self._client.descriptor(),)
        return told

    def _by_docker(self):
        import json

        database = self._reach
        environment = dict(os.environ)
        argv = ["docker", "exec", "-i", "-e", f"PGAPPNAME={APPLICATION_NAME}"]
        if database.get("password"):
            # Named only: docker takes the value from its environment, so that it is in no argument list.
            environment["PGPASSWORD"] = database["password"]
            argv += ["-e", "PGPASSWORD"]
        argv += [database["container"], "psql", "-X", "-q", "-A", "-t", "-w", "-d", database["name"]]
        for flag, key in (("-U", "user"), ("-h", "host"), ("-p", "port")):
            if database.get(key):
                argv += [flag, str(database[key])]
        self._psql = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
        )  # fmt: skip
        self._psql.stdin.write(f"{_TRY};\n".encode())
        self._psql.stdin.flush()
        line = within(self._timeout_seconds, self._psql.stdout.readline)
        try:
            told = json.loads(line)
        except ValueError:
            raise DatabaseError(
                "other", f"{where(database)}: psql in the container gives no lock; see docker logs of it"
            ) from None
        self.descriptors = (self._psql.stdin.fileno(),)
        return told

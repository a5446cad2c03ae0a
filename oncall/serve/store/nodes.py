# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes live. Each holds a lock that ends with it: a file's on one machine, a session's in PostgreSQL."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg

from ...errors import OncallError, first_line
from .engine import LOCK_FILE

# A session that was only cut is back by then.
GONE_SECONDS = 20.0
HELD = """
SELECT 1 FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND classid = %s AND objid = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Nodes:
    """Holds the lock of this node.

    Raises:
        OncallError: another process has it.
    """

    def __init__(self, url: str, state_directory: str, node: str) -> None:
        self._url = "" if url.startswith("sqlite") else url
        self._node = node
        self._file: IO[str] | None = None
        self._connection: psycopg.Connection | None = None
        self._missing: dict[str, float] = {}
        if self._url:
            self._connection = self._locked()
            return
        try:
            self._file = Path(state_directory, LOCK_FILE).open("w")  # noqa: SIM115 - open as long as this lives
        except OSError as error:
            raise OncallError(f"cannot open {state_directory}/lock: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OncallError(f"another oncall serve uses {state_directory}; stop it first") from None

    def _locked(self) -> psycopg.Connection:
        """A session that holds the lock."""
        try:
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, keepalives_idle=10, keepalives_interval=5,
                keepalives_count=3, application_name=f"oncall {self._node}"[:63],
            )  # fmt: skip
        except psycopg.ProgrammingError:
            # Its message has parts of the URL, and the password may be one.
            raise OncallError("the URL in database is none; in a password, % is written as %25") from None
        except psycopg.Error as error:
            raise OncallError(f"cannot use the database: {first_line(error)}") from None
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(self._node)]).fetchone()
        if not row or not row[0]:
            connection.close()
            raise OncallError(f"another oncall serve is node {self._node}; give this one another name (node)")
        return connection

    def renew(self) -> None:
        """See that the lock is held, and take it again where the session was lost; OncallError where that fails."""
        if not self._url:
            return
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
                return
            except psycopg.Error:
                with suppress(psycopg.Error):
                    self._connection.close()
                self._connection = None
        self._connection = self._locked()

    def gone(self, nodes: Iterable[str]) -> list[str]:
        """Those of the nodes that have not held their lock for a while."""
        if self._connection is None:
            return []
        now = time.monotonic()
        missing = {node for node in nodes if node != self._node and not self._is_held(node)}
        self._missing = {node: self._missing.get(node, now) for node in missing}
        return [node for node, since in self._missing.items() if now - since >= GONE_SECONDS]

    def _is_held(self, node: str) -> bool:
        assert self._connection is not None
        key = _key(node) & 0xFFFFFFFFFFFFFFFF
        return self._connection.execute(HELD, [key >> 32, key & 0xFFFFFFFF]).fetchone() is not None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._file is not None:
            self._file.close()


def _key(node: str) -> int:
    """A number of 64 bits with a sign, as PostgreSQL's advisory locks have."""
    return int.from_bytes(hashlib.sha256(f"oncall node {node}".encode()).digest()[:8], signed=True)

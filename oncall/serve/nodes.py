# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes live. Each holds a lock that ends with it: a file's on one machine, a session's in PostgreSQL."""

from __future__ import annotations

import fcntl
import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg

from ..errors import OncallError

LOG = logging.getLogger("oncall.nodes")


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
        if self._url:
            self._connect()
        else:
            self._file = Path(state_directory, "lock").open("w")  # noqa: SIM115 - open as long as this lives
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OncallError(f"another oncall serve uses {state_directory}; stop it first") from None

    def _connect(self) -> None:
        try:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, keepalives_idle=10, keepalives_interval=5,
                keepalives_count=3, application_name=f"oncall {self._node}"[:63],
            )  # fmt: skip
            mine = self._try(self._node)
        except psycopg.Error as error:
            raise OncallError(f"cannot use the database: {str(error).strip().splitlines()[0]}") from None
        if not mine:
            raise OncallError(f"another oncall serve is node {self._node}; give this one another name (node)")

    def renew(self) -> None:
        """Take the lock again where the connection was lost."""
        if self._connection is None:
            return
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connect()

    def gone(self, nodes: Iterable[str]) -> list[str]:
        """Those of the nodes that hold their lock no more."""
        if self._connection is None:
            return []
        found = []
        for node in nodes:
            if node != self._node and self._try(node):
                self._connection.execute("SELECT pg_advisory_unlock(%s)", [_key(node)])
                found.append(node)
        return found

    def _try(self, node: str) -> bool:
        assert self._connection is not None
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(node)]).fetchone()
        return bool(row and row[0])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._file is not None:
            self._file.close()


def _key(node: str) -> int:
    """A number of 64 bits with a sign, as PostgreSQL's advisory locks have."""
    return int.from_bytes(hashlib.sha256(f"oncall node {node}".encode()).digest()[:8], signed=True)

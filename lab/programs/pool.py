# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psycopg's connection pool, with the numbers that tell whether it is exhausted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg_pool import ConnectionPool


class Pool(Collector):
    """A pool of connections in autocommit, and the collector of its ``app_db_pool_*`` gauges.

    Args:
        max_size: the most connections it opens.
        parameters: what psycopg connects with.
    """

    def __init__(self, max_size: int, **parameters: Any) -> None:
        self.max_size = max_size
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            kwargs={**parameters, "autocommit": True, "prepare_threshold": None},
            min_size=min(2, max_size), max_size=max_size, timeout=5, open=False, name="api",
            # A connection that was ended meanwhile is replaced before anybody works with it.
            check=ConnectionPool.check_connection,
            # Short, so that the pool grows again soon after the server refused it.
            reconnect_timeout=2,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._asking = 0
        self._in_use = 0

    def open(self) -> None:
        self._pool.open()

    def take(self, timeout: float | None = None) -> psycopg.Connection[Any]:
        """Check a connection out; psycopg_pool.PoolTimeout when there is none in time."""
        self._count(asking=1)
        try:
            connection = self._pool.getconn(timeout)
        except BaseException:
            self._count(asking=-1)
            raise
        self._count(asking=-1, in_use=1)
        return connection

    def give_back(self, connection: psycopg.Connection[Any]) -> None:
        self._count(in_use=-1)
        self._pool.putconn(connection)

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[psycopg.Connection[Any]]:
        connection = self.take(timeout)
        try:
            with connection:
                yield connection
        finally:
            self.give_back(connection)

    def _count(self, asking: int = 0, in_use: int = 0) -> None:
        with self._lock:
            self._asking += asking
            self._in_use += in_use

    def numbers(self) -> dict[str, int]:
        """``max``, ``size``, ``in_use``, ``idle`` and ``waiting``, of now."""
        measured = self._pool.get_stats()
        idle = measured.get("pool_available", 0)
        with self._lock:
            asking, in_use = self._asking, self._in_use
        return {
            "max": self.max_size,
            # The pool's own size counts connections it is still trying to open.
            "size": idle + in_use,
            "in_use": in_use,
            "idle": idle,
            # The pool's own queue keeps those who gave up until a connection comes back.
            "waiting": min(asking, measured.get("requests_waiting", 0)),
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        texts = {
            "max": "Most connections the pool opens",
            "size": "Open connections",
            "in_use": "Connections checked out",
            "idle": "Open connections nobody uses",
            "waiting": "Requests waiting for a connection",
        }
        for name, value in self.numbers().items():
            yield GaugeMetricFamily(f"app_db_pool_{name}", texts[name], value=value)

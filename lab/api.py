# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API: a threaded HTTP server over a real connection pool, measured with prometheus_client.

Run as ``python -m lab.api --home <state folder>``. Ports and passwords come from the state folder, the pool's
size from PG_POOL_MAX. The routes that make faults exist only with LAB_FAULT_ROUTES=1.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

import psycopg
import redis
from psycopg_pool import PoolTimeout

from .layout import Layout
from .programs import home_from_argv
from .web import Api, Handler, Refused, Route, Server, health, log, metrics


def ready(api: Api, request: Handler) -> Any:
    problems = {}
    try:
        with api.pool.connection(timeout=1) as connection:
            connection.execute("SELECT 1")
    except (PoolTimeout, psycopg.Error) as error:
        problems["database"] = str(error)
    try:
        api.cache.ping()
    except redis.RedisError as error:
        problems["redis"] = str(error)
    if problems:
        raise Refused(503, problems)
    return {"status": "ready"}


def orders(api: Api, request: Handler) -> Any:
    return api.rows("SELECT id, customer_id, status, total_cents FROM orders ORDER BY id DESC LIMIT 20")


def slow_orders(api: Api, request: Handler) -> Any:
    seconds = request.number("seconds", 0.3, 30)
    return api.rows("SELECT count(*) AS orders, pg_sleep(%s)::text AS slept FROM orders", seconds)


def customers(api: Api, request: Handler) -> Any:
    statement = "SELECT country, count(*) AS customers FROM customers GROUP BY country ORDER BY country"
    return api.cached("customers", 10, lambda: api.rows(statement))


def stats(api: Api, request: Handler) -> Any:
    return api.rows("SELECT day, orders, total_cents FROM daily_sales ORDER BY day DESC LIMIT 30")


def routes() -> dict[tuple[str, str], Route]:
    found: dict[tuple[str, str], Route] = {
        ("GET", "/health"): health,
        ("GET", "/healthz"): health,
        ("GET", "/readyz"): ready,
        ("GET", "/metrics"): metrics,
        ("GET", "/orders"): orders,
        ("GET", "/orders/slow"): slow_orders,
        ("GET", "/customers"): customers,
        ("GET", "/stats"): stats,
    }
    if os.environ.get("LAB_FAULT_ROUTES") == "1":
        from .fault_routes import ROUTES

        found.update(ROUTES)
    return found


def wait_for_database(port: int, seconds: float) -> None:
    # Supervised programs start together; a pool whose first connections fail takes seconds to try again.
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)


def main() -> None:
    layout = Layout(home_from_argv())
    # A restart must not wait for handlers that hold connections: releasing those is what it is for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    api = Api(layout)
    server = Server(api, routes())
    wait_for_database(api.ports["database"], 5)
    api.pool.open()
    log.info("serving on port %s with at most %s connections", api.ports["api"], api.pool.max_size)
    server.serve_forever(poll_interval=5)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API: a threaded HTTP server over a real connection pool, measured with prometheus_client.

Everything it needs to know is in its environment, as for any program in a container: DATABASE_URL,
DATABASE_PASSWORD_FILE, REDIS_URL, PROVIDER_URL and PORT are required. PG_POOL_MAX (or connection_limit in DATABASE_URL), CACHE_ENABLED, BREAKER_FAILURES,
BREAKER_RESET_SECONDS, BIND_ADDRESS, APP_REVISION and PAYMENT_SECRETS (of its payment provider, with commas) have defaults, as have ISSUER,
CANARY_PASSWORD and ADMIN_KEY (see entry.py). The routes that
make faults exist only with LAB_FAULT_ROUTES=1. What RELEASE_FILE has goes into the environment, and SHAPE_FILE says what its system calls things.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

import psycopg
import redis
from psycopg_pool import PoolTimeout

from . import connectors, entry, migrations
from .application import PAYMENT_EVENT, Api
from .payment_events import BadSignature, take, verified
from .settings import enabled, load_release, number, shape, start_log
from .web import Handler, Refused, Route, Server, as_shaped, metrics

log = logging.getLogger("lab.api")


def health(api: Api, request: Handler) -> Any:
    return {"status": "ok", "revision": api.revision}


def ready(api: Api, request: Handler) -> Any:
    problems = {}
    try:
        with api.pool.connection(timeout=1) as connection:
            api.migrations_current = not migrations.missing(connection)
    except (PoolTimeout, psycopg.Error) as error:
        problems["database"] = str(error)
    try:
        api.cache.ping()
    except redis.RedisError as error:
        problems["redis"] = str(error)
    if not api.migrations_current:
        problems["migrations"] = "not applied yet"
    state = {
        "status": "not ready" if problems else "ready",
        "revision": api.revision,
        "db_connected": "database" not in problems,
        "redis_connected": "redis" not in problems,
        "migrations_current": api.migrations_current,
    }
    if problems:
        raise Refused(503, {**state, "error": problems})
    return state


def orders(api: Api, request: Handler) -> Any:
    return api.rows("SELECT id, customer_id, status, total_cents FROM orders ORDER BY id DESC LIMIT 20")


def slow_orders(api: Api, request: Handler) -> Any:
    seconds = request.number("seconds", 0.3, 30)
    return api.rows("SELECT count(*) AS orders, pg_sleep(%s)::text AS slept FROM orders", seconds)


def orders_with_customers(api: Api, request: Handler) -> Any:
    """The same answer in one statement, or in one and another for each order."""
    if not api.one_query_each:
        return api.rows(
            "SELECT o.id, o.total_cents, c.name FROM orders o JOIN customers c ON c.id = o.customer_id "
            "ORDER BY o.id DESC LIMIT 50"
        )
    with api.pool.connection() as connection:
        found = api.rows_of(connection, "SELECT id, total_cents, customer_id FROM orders ORDER BY id DESC LIMIT 50")
        for order in found:
            customer = order.pop("customer_id")
            order.update(api.rows_of(connection, "SELECT name FROM customers WHERE id = %s", customer)[0])
        return found


def customers(api: Api, request: Handler) -> Any:
    statement = "SELECT country, count(*) AS customers FROM customers GROUP BY country ORDER BY country"
    return api.cached("customers", 10, lambda: api.rows(statement))


def rates(api: Api, request: Handler) -> Any:
    """The exchange rates of an outside provider, where that is switched on."""
    if not enabled(shape().get("integration", "PROVIDER_ENABLED"), default=True):
        return {}
    try:
        return api.ask_provider("/rates")
    except OSError as error:
        raise Refused(502, str(error)) from error


def stats(api: Api, request: Handler) -> Any:
    return api.rows("SELECT day, orders, total_cents FROM daily_sales ORDER BY day DESC LIMIT 30")


def payment_event(api: Api, request: Handler) -> Any:
    """What the payment provider tells."""
    try:
        event = verified(request.headers.get("Stripe-Signature", ""), request.body(), api.payment_secrets)
    except BadSignature as error:
        raise Refused(400, str(error)) from None
    with api.pool.connection() as connection:
        if take(connection, event):
            PAYMENT_EVENT.set_to_current_time()
    return {"received": True}


def reads(statement: str) -> Route:
    """A path of the system that shows what a statement reads."""
    return lambda api, request: api.rows(statement)


def routes(api: Api) -> dict[tuple[str, str], Route]:
    found: dict[tuple[str, str], Route] = {
        ("GET", "/health"): health,
        ("GET", "/healthz"): health,
        ("GET", "/readyz"): ready,
        ("GET", "/metrics"): metrics,
        ("GET", "/orders"): orders,
        ("GET", "/orders/slow"): slow_orders,
        ("GET", "/orders/customers"): orders_with_customers,
        ("GET", "/customers"): customers,
        ("GET", "/rates"): rates,
        ("GET", "/stats"): stats,
        ("POST", "/webhooks/payments"): payment_event,
        **entry.ROUTES,
    }
    for path, statement in shape().get("reads", {}).items():
        found[("GET", path)] = reads(statement)
    if "connectors" in shape():
        found |= connectors.ROUTES
    if enabled("LAB_FAULT_ROUTES"):
        from .fault_routes import Faults, with_faults

        found = with_faults(found, Faults(api))
    return as_shaped("api", found)


def wait_for_database(host: str, port: int, seconds: float) -> None:
    # Supervised programs start together; a pool whose first connections fail takes seconds to try again.
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.05)


def main() -> None:
    start_log()
    load_release()
    # A restart must not wait for handlers that hold connections: releasing those is what it is for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    api = Api()
    server = Server(api, routes(api), number("PORT"))
    wait_for_database(str(api.database["host"]), int(api.database["port"]), 5)
    api.migrate()
    api.migrate_later()
    api.pool.open()
    log.info("revision %s serves on port %s with at most %s connections", api.revision, server.server_port,
             api.pool.max_size)  # fmt: skip
    server.serve_forever(poll_interval=5)


if __name__ == "__main__":
    main()

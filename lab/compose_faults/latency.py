# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that take too long, each for another reason."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.compose_target import Fault, Target
from lab.layout import DATABASE

SLOW_SECONDS = 0.5


def _slow(route: str) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        began = time.monotonic()
        status, _ = target.api(route, seconds=10)
        seconds = time.monotonic() - began
        return seconds >= SLOW_SECONDS, f"{route} answers {status} after {seconds:.2f} s"

    return there


def _slow_provider(target: Target) -> None:
    target.provider(seconds=0.8)
    target.load(10, "/rates")


def _n_plus_one(target: Target) -> None:
    target.begin("n_plus_one")
    # Fifty statements for each request are too many for a fifth of a processor core.
    target.docker("update", "--cpus=0.2", target.container("api")["Id"])
    target.load(20, "/orders/customers")


def _slow_statement(target: Target) -> None:
    # Each statement that reads orders waits once, as one does whose table became too large to be read in full.
    target.sql("ALTER TABLE orders RENAME TO all_orders")
    target.sql("CREATE VIEW orders AS SELECT * FROM all_orders WHERE (SELECT pg_sleep(0.7)) IS NOT NULL")
    target.sql("GRANT ALL ON orders TO app")
    target.load(10, "/orders")


def _fast_statement(target: Target) -> None:
    if target.sql("SELECT 1 FROM pg_class WHERE relname = 'all_orders'"):
        target.sql("DROP VIEW IF EXISTS orders")
        target.sql("ALTER TABLE all_orders RENAME TO orders")


def _busy(target: Target) -> None:
    target.docker("update", "--cpus=0.1", target.container("api")["Id"])
    target.begin("cpu?processes=4")
    target.load(20, "/orders/customers")


def _locked(target: Target) -> None:
    lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    password = f"PGPASSWORD={target.layout.secrets()['app']}"
    client = ["psql", "-h", "127.0.0.1", "-U", "app", "-d", DATABASE, "-c", lock]
    target.docker("exec", "--detach", "--env", password, target.container("db")["Id"], *client)


FAULTS = {
    "latency_slow_provider": Fault("the outside provider takes 0.8 s for each answer", _slow_provider, _slow("/rates")),
    "latency_n_plus_one": Fault(
        "a page of fifty orders takes fifty-one statements", _n_plus_one, _slow("/orders/customers")
    ),
    "latency_slow_statement": Fault(
        "reading orders takes 0.7 s in the database", _slow_statement, _slow("/orders"), _fast_statement
    ),
    "latency_busy": Fault("the API uses up the share of a processor that it has", _busy, _slow("/orders/customers")),
    "latency_locked": Fault("a session keeps the table orders locked", _locked, _slow("/orders")),
}

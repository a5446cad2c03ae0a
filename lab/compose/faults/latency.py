# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that take too long, each for another reason."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.compose.target import Fault, Target
from lab.layout import DATABASE
from lab.rights import right

SLOW_SECONDS = 0.5


def _slow(route: str) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        # Of a few, the slowest: one may fall into a moment in which there is processor time.
        slowest, status = max(_timed(target, route) for _ in range(3))
        return slowest >= SLOW_SECONDS, f"{route} answers {status} after {slowest:.2f} s"

    return there


def _timed(target: Target, route: str) -> tuple[float, int]:
    began = time.monotonic()
    status, _ = target.api(route, seconds=10)
    return time.monotonic() - began, status


def _slow_provider(target: Target) -> None:
    target.provider(seconds=0.8)
    target.load(10, "/rates")


def _slow_table(target: Target, table: str, seconds: float) -> None:
    """Each statement that reads the table waits once, however fast the machine is."""
    target.sql(f"ALTER TABLE {table} RENAME TO all_{table}")
    target.sql(f"CREATE VIEW {table} AS SELECT * FROM all_{table} WHERE (SELECT pg_sleep({seconds})) IS NOT NULL")
    target.sql(f"GRANT ALL ON {table} TO app")


def _fast_table(target: Target, table: str) -> None:
    if target.sql("SELECT 1 FROM pg_class WHERE relname = %s", f"all_{table}"):
        target.sql(f"DROP VIEW IF EXISTS {table}")
        target.sql(f"ALTER TABLE all_{table} RENAME TO {table}")


def _n_plus_one(target: Target) -> None:
    # As with a database at the other end of a long line: no statement is slow, fifty of them are.
    _slow_table(target, "customers", 0.015)
    target.begin("n_plus_one")
    target.load(6, "/orders/customers")


def _slow_statement(target: Target) -> None:
    # As with a table that became too large to be read in full.
    _slow_table(target, "orders", 0.7)
    target.load(10, "/orders")


def _busy(target: Target) -> None:
    # It has a quarter of a core, which every machine gives it, used up in the first part of each second. A request that waits for something meanwhile, which
    # takes 0.3 s, goes on in the next.
    target.docker("update", "--cpu-period=1000000", "--cpu-quota=250000", target.container("api")["Id"])
    target.begin("latency?route=/orders/customers&seconds=0.3")
    target.begin("cpu?processes=2")
    target.load(8, "/orders/customers")


def _locked(target: Target) -> None:
    lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    password = f"PGPASSWORD={target.layout.secrets()['app']}"
    client = ["psql", "-h", "127.0.0.1", "-U", "app", "-d", DATABASE, "-c", lock]
    target.docker("exec", "--detach", "--env", password, target.container("db")["Id"], *client)


FAULTS = {
    "latency_slow_provider": Fault(
        "the outside provider takes 0.8 s for each answer",
        _slow_provider,
        _slow("/rates"),
        rights={"latency": right("slow_provider")},
    ),
    "latency_n_plus_one": Fault(
        "a page of fifty orders takes fifty-one statements",
        _n_plus_one,
        _slow("/orders/customers"),
        lambda target: _fast_table(target, "customers"),
        rights={"latency": right("n_plus_one")},
    ),
    "latency_slow_statement": Fault(
        "reading orders takes 0.7 s in the database",
        _slow_statement,
        _slow("/orders"),
        lambda target: _fast_table(target, "orders"),
        rights={"latency": right("slow_statement", also="pool_exhausted")},
    ),
    "latency_busy": Fault(
        "the API uses up the share of a processor that it has",
        _busy,
        _slow("/orders/customers"),
        rights={
            "latency": right("saturation", "scale_out"),
            "resource_usage": right("cpu_saturated", "restart_service"),
        },
    ),
    "latency_locked": Fault(
        "a session keeps the table orders locked",
        _locked,
        _slow("/orders"),
        rights={
            "latency": right("blocker"),
            "db_pool": right("blocker", "end_blocker"),
            "payment_webhook": right("handler_slow"),
        },
    ),
}

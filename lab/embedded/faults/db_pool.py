# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's pool of database connections: used up, too small, or only busy. Most are made by ``lab.programs.trouble``."""

from __future__ import annotations

from collections.abc import Callable

from lab import measure
from lab.database import end_sessions
from lab.embedded.target import Fault, Target
from lab.layout import MAX_CONNECTIONS, RESERVED, SUPERUSER_RESERVED
from lab.measure import Measured
from lab.rights import right

# The thresholds of inventories/lab: a fault is there when a runbook with these would see it.
IDLE_IN_TRANSACTION_SECONDS = 4
IDLE_SECONDS = 6
LONG_QUERY_SECONDS = 4
BLOCKED_SECONDS = 2
USABLE_CONNECTIONS = MAX_CONNECTIONS - SUPERUSER_RESERVED - RESERVED


def _measured(condition: Callable[[Measured], bool], sessions: bool = True) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        measured = measure.measure(target.layout, sessions)
        return condition(measured), str(measured)

    return there


def _idle_in_transaction(measured: Measured) -> bool:
    held = measured.of(measured.api, "idle in transaction")
    old = [session for session in held if session.state_seconds >= IDLE_IN_TRANSACTION_SECONDS]
    return measured.pool["waiting"] > 0 and len(old) >= measured.pool["max"]


def _leaked_sessions(measured: Measured) -> bool:
    old = [session for session in measured.of("reports", "idle") if session.state_seconds >= IDLE_SECONDS]
    return measured.pool["waiting"] > 0 and measured.pool["size"] < measured.pool["max"] and len(old) >= 60


def _long_queries(measured: Measured) -> bool:
    heavy = measured.of(measured.api, "active", "heavy report")
    old = [session for session in heavy if session.query_seconds >= LONG_QUERY_SECONDS]
    return measured.pool["waiting"] > 0 and len(old) >= 0.8 * measured.pool["max"]


def _blocked_behind(application: str) -> Callable[[Measured], bool]:
    def condition(measured: Measured) -> bool:
        head = measured.of(application, "active")
        return bool(head) and measured.pool["waiting"] > 0 and measured.blocked(BLOCKED_SECONDS) >= 20

    return condition


def _too_small(measured: Measured) -> bool:
    return measured.pool["waiting"] > 0 and measured.pool["size"] == measured.pool["max"]


def _overloaded(measured: Measured) -> bool:
    return _too_small(measured) and measured.pool["waiting"] >= 20


def _high_usage(measured: Measured) -> bool:
    return measured.pool["waiting"] == 0 and measured.pool["in_use"] >= 0.8 * measured.pool["max"]


def _connections_used_up(measured: Measured) -> bool:
    used_up = len(measured.sessions) >= USABLE_CONNECTIONS
    return used_up and measured.pool["waiting"] > 0 and measured.pool["size"] < measured.pool["max"]


def _pool_leak(measured: Measured) -> bool:
    old = [session for session in measured.of(measured.api, "idle") if session.state_seconds >= IDLE_SECONDS]
    exhausted = measured.pool["waiting"] > 0 and measured.pool["in_use"] == measured.pool["max"]
    return exhausted and len(old) >= measured.pool["max"]


def _end(where: str) -> Callable[[Target], object]:
    # A backend that works on a statement does not notice that its client is gone.
    return lambda target: end_sessions(target.layout, where)


def _release_leak(target: Target) -> None:
    measure.request(target.layout, "/debug/leaks", "DELETE")


FAULTS: dict[str, Fault] = {
    "idle_in_transaction": Fault(
        "the API's handlers hold the whole pool idle in transaction while they wait for a payment provider",
        _measured(_idle_in_transaction), program=True,
        rights={"db_pool": right("idle_in_transaction", "end_idle_in_transaction")},
    ),
    "leaked_sessions": Fault(
        "the application `reports` leaves idle sessions open until the API's pool cannot grow",
        _measured(_leaked_sessions), program=True, small_pool=True, undo=_end("application_name = 'reports'"),
        rights={
            "db_pool": right("leaked_sessions", "end_leaked_sessions", says="reports"),
            "db_down": right("too_many_connections"),
        },
    ),
    "long_queries": Fault(
        "heavy reports, each a very long query, hold most of the API's pool",
        _measured(_long_queries), program=True, undo=_end("query LIKE '%/* heavy report */%'"),
        rights={"db_pool": right("long_queries", "cancel_long_queries")},
    ),
    "blocker": Fault(
        "a migration holds an exclusive lock on orders, and the API's requests queue behind it",
        _measured(_blocked_behind("migrate")), program=True, undo=_end("application_name = 'migrate'"),
        rights={"db_pool": right("blocker", "end_blocker", says="migrate")},
    ),
    "matview_refresh": Fault(
        "a slow REFRESH MATERIALIZED VIEW locks out the API's readers of that view",
        _measured(_blocked_behind("refresher")), program=True, undo=_end("application_name = 'refresher'"),
        rights={"db_pool": right("matview_refresh", "cancel_refresh")},
    ),
    "pool_too_small": Fault(
        "a steady load of 32 busy requests on a pool of 25; 35 would do",
        _measured(_too_small, sessions=False), samples=5, program=True,
        rights={"db_pool": right("pool_too_small", "raise_pool_size")},
    ),
    "max_connections": Fault(
        "many small applications use the server's connections up, and the API's pool cannot grow",
        _measured(_connections_used_up), samples=3, program=True, small_pool=True,
        undo=_end("application_name LIKE 'app-%'"),
        rights={
            "db_pool": right("max_connections_reached", "raise_max_connections"),
            "db_down": right("too_many_connections"),
        },
    ),
    "high_usage": Fault(
        "23 of the pool's 25 connections are busy and nobody waits: healthy",
        _measured(_high_usage, sessions=False), samples=8, program=True,
        rights={"db_pool": right(also="high_usage", healthy=True)},
    ),
    "pool_leak": Fault(
        "the API checks connections out and never returns them; only its restart helps",
        _measured(_pool_leak), program=True, undo=_release_leak,
        rights={"db_pool": right("pool_leak", "restart_application")},
    ),
    "overload": Fault(
        "a steady load of 64 busy requests, for which a pool of 35 is too small as well",
        _measured(_overloaded, sessions=False), samples=5, program=True,
        rights={"db_pool": right("pool_too_small", "raise_pool_size")},
    ),
}  # fmt: skip

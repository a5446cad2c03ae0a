# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of db_pool reads in the sessions of the database, as M(oncall.runbooks.postgres_activity_info) tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...filter.sessions import named, not_denied, sessions_of
from ...module_utils.postgres.sessions import fits
from ...module_utils.text.one_line import one_line

Row = Mapping[str, Any]


def idle_in_transaction(postgres_activity: Row, db_pool_deny_applications: list[str]) -> list[Row]:
    return not_denied(postgres_activity["idle_in_transaction"], db_pool_deny_applications)


def refreshes(postgres_activity: Row, db_pool_blocked_seconds: float) -> list[Row]:
    """Refreshes of materialized views that others wait for."""
    return [
        row
        for row in postgres_activity["matview_refreshes"]
        if row["blocks"] >= 1 and row["blocked_seconds"] >= db_pool_blocked_seconds
    ]


def blockers(postgres_activity: Row, idle_in_transaction: list[Row], db_pool_blocked_sessions: int) -> list[Row]:
    """Sessions that many wait for, without those that a cause of their own names."""
    rows = [*postgres_activity["matview_refreshes"], *idle_in_transaction, *postgres_activity["synchronous_waits"]]
    have_a_cause = {row["pid"] for row in rows}
    return [
        row
        for row in postgres_activity["blockers"]
        if row["blocks"] >= db_pool_blocked_sessions and row["pid"] not in have_a_cause
    ]


def not_protected(postgres_activity: Row, db_pool_deny_applications: list[str]) -> list[Row]:
    """The applications whose sessions may be ended."""
    return not_denied(postgres_activity["applications"], db_pool_deny_applications)


def leaks_of_others(
    not_protected: list[Row],
    connections: Row,
    db_pool_applications: list[str],
    db_pool_leaked_sessions: int,
    db_pool_share_ratio: float,
) -> list[dict[str, Any]]:
    others = not_denied(not_protected, db_pool_applications)
    return _leaking(others, 0, connections["used"], db_pool_leaked_sessions, db_pool_share_ratio)


def own_leaks(
    not_protected: list[Row],
    capacity: float,
    connections: Row,
    db_pool_applications: list[str],
    db_pool_leaked_sessions: int,
    db_pool_share_ratio: float,
) -> list[dict[str, Any]]:
    # Up to the pool's size, its sessions are its pool.
    mine = named(not_protected, db_pool_applications)
    return _leaking(mine, int(capacity), connections["used"], db_pool_leaked_sessions, db_pool_share_ratio)


def _leaking(applications: list[Row], normal: int, used: int, least: int, share: float) -> list[dict[str, Any]]:
    """The applications whose idle sessions are why the server is full, each with how many of its sessions are ``leaked``.

    A pool keeps sessions that are idle for long, and is none the worse for it. So there have to be ``least``, beyond the
    ``normal`` size of a pool, and they have to be a good ``share`` of all ``used``: else it is the others who fill the server.
    """
    rows = [dict(row, leaked=min(row["idle_long"], max(0, row["sessions"] - normal))) for row in applications]
    return [row for row in rows if row["leaked"] >= max(1, least, share * used)]


def leaks(leaks_of_others: list[Row], own_leaks: list[Row] | tuple[()] = ()) -> list[Row]:
    # A leak of others is a leak, however large the pool is.
    return [*leaks_of_others, *own_leaks]


def leaked_sessions(postgres_activity: Row, leaks: list[Row]) -> list[Row]:
    """As many idle sessions as leaked, those idle for longest. A session without a name can be anyone's."""
    return sessions_of(postgres_activity["idle"], leaks)


def own(postgres_activity: Row, db_pool_applications: list[str]) -> list[Row]:
    """The rows of the pool's own application."""
    return named(postgres_activity["applications"], db_pool_applications)


def own_sessions(own: list[Row]) -> int:
    return sum(row["sessions"] for row in own)


def beyond(own_sessions: int, in_use: float) -> int:
    """Sessions of the application that need not be the pool's: each connection in use is one session."""
    return max(0, own_sessions - int(in_use))


def unused(own: list[Row], own_sessions: int, beyond: int, in_use: float) -> int:
    """Connections of the pool that nobody uses, as far as its sessions can be told."""
    return max(0, sum(row["unused"] for row in own) - beyond) if own_sessions >= int(in_use) else 0


def all_unused(postgres_activity: Row) -> int:
    return sum(row["unused"] for row in postgres_activity["applications"])


def long(postgres_activity: Row, db_pool_applications: list[str]) -> list[Row]:
    """Statements of the pool's own application that run for long."""
    return named(postgres_activity["long_running"], db_pool_applications)


def largest_consumers(postgres_activity: Row) -> list[str]:
    """The three who have the most sessions of the server, with their number."""
    rows = sorted(postgres_activity["clients"], key=lambda row: -row["sessions"])[:3]
    return [
        one_line(f"{row['application_name'] or 'without a name'} of {row['user']} {row['sessions']}", 100)
        for row in rows
    ]


def cut_by_restart(postgres_activity: Row, db_pool_deny_applications: list[str]) -> list[str]:
    """Who would lose more than a connection by a restart of the server, one line each."""
    lines = [
        f"{row['application_name']} of {row['user']} in {row['database']}"
        for row in postgres_activity["clients"]
        if fits(row["application_name"], db_pool_deny_applications)
    ]
    lines += [
        f"{row['application_name'] or 'replication'} of {row['user'] or 'an unknown role'} (replication: {row['state']})"
        for row in postgres_activity["replication"]
    ]
    return [one_line(line, 160) for line in lines]

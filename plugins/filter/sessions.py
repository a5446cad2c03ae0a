# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over the sessions that M(oncall.runbooks.postgres_activity_info) tells of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..module_utils.postgres.activity import AWAITS_STANDBY
from ..module_utils.postgres.sessions import fits
from ..module_utils.text.one_line import one_line


def identities(sessions: Iterable[Mapping[str, Any]], statement: bool = False) -> list[dict[str, Any]]:
    """What makes each session the same one later, as M(oncall.runbooks.postgres_session) takes it.

    Args:
        sessions: sessions as observed.
        statement: also the start of the statement, so that only that very one is meant.
    """
    keys = ("pid", "backend_start", "query_start") if statement else ("pid", "backend_start")
    rows = [{key: session[key] for key in keys} for session in sessions]
    return sorted(rows, key=lambda row: (row["pid"], row["backend_start"]))


def not_denied(rows: Iterable[Mapping[str, Any]], patterns: list[str]) -> list[Mapping[str, Any]]:
    """The rows whose ``application_name`` fits none of the patterns, whatever the case of its letters."""
    return [row for row in rows if not fits(row["application_name"], patterns)]


def named(rows: Iterable[Mapping[str, Any]], patterns: list[str]) -> list[Mapping[str, Any]]:
    """The rows whose ``application_name`` fits one of the patterns. No name is no application: it can be anyone's."""
    return [row for row in rows if row["application_name"] and fits(row["application_name"], patterns)]


def endable(sessions: Iterable[Mapping[str, Any]], denied: list[str]) -> list[Mapping[str, Any]]:
    """The sessions that M(oncall.runbooks.postgres_session) would end.

    That is: allowed to, not on the deny list, and not waiting for a standby to have what they committed.
    """
    return [
        session for session in not_denied(sessions, denied) if session["may_end"] and session["wait"] != AWAITS_STANDBY
    ]


def sessions_of(
    sessions: Iterable[Mapping[str, Any]], applications: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The sessions of these applications, told by name and role. No name is no application: it can be anyone's.

    Args:
        sessions: those that may be left out first come last.
        applications: with ``leaked``, no more than so many of each.
    """
    left = {
        (one["application_name"], one["user"]): one.get("leaked", math.inf)
        for one in applications
        if one["application_name"]
    }
    found = []
    for session in sessions:
        whose = (session["application_name"], session["user"])
        if left.get(whose, 0) > 0:
            left[whose] -= 1
            found.append(session)
    return found


def leaking(
    applications: Iterable[Mapping[str, Any]], used: int, least: int, share: float, normal: float = 0
) -> list[dict[str, Any]]:
    """The applications whose idle sessions are why the server is full.

    A pool keeps sessions that are idle for long, and is none the worse for it. So there have to be many, beyond what is known
    to be its pool, and they have to be a good part of all there are: else it is the others who fill the server.

    Args:
        applications: as observed, with ``sessions`` and ``idle_long``.
        used: sessions of the whole server.
        least: so many are a leak.
        share: the share of ``used`` that they have to be.
        normal: so many sessions of each are its pool, as far as is known.

    Returns:
        Their rows, with ``leaked``, how many of their sessions that are.
    """
    rows = [dict(row, leaked=min(row["idle_long"], max(0, row["sessions"] - int(normal)))) for row in applications]
    return [row for row in rows if row["leaked"] >= max(1, least, share * used)]


def largest_consumers(clients: Iterable[Mapping[str, Any]]) -> list[str]:
    """The three who have the most sessions of the server, with their number."""
    rows = sorted(clients, key=lambda row: -row["sessions"])[:3]
    return [
        one_line(f"{row['application_name'] or 'without a name'} of {row['user']} {row['sessions']}", 100)
        for row in rows
    ]


def cut_by_restart(activity: Mapping[str, Any], protected: list[str]) -> list[str]:
    """Who would lose more than a connection by a restart of the server, one line each.

    Args:
        activity: as observed.
        protected: patterns of ``application_name`` whose sessions are never ended.
    """
    lines = [
        f"{row['application_name']} of {row['user']} in {row['database']}"
        for row in activity["clients"]
        if fits(row["application_name"], protected)
    ]
    lines += [
        f"{row['application_name'] or 'replication'} of {row['user'] or 'an unknown role'} (replication: {row['state']})"
        for row in activity["replication"]
    ]
    return [one_line(line, 160) for line in lines]


def slow_statement_advice(activity: Mapping[str, Any]) -> list[str]:
    """What the database's own statistics say about slow statements and missing indexes, one line each."""
    lines = [
        f"table {table['schema']}.{table['table']} ({table['live_rows']} rows) was read in full "
        f"{table['sequential_scans']} times and {table['index_scans']} times by an index: an index may be missing"
        for table in activity["tables_without_index_use"]
    ]
    statements = activity["statements"]
    lines += [
        f"mean {row['mean_milliseconds']:.0f} ms over {row['calls']} calls: {row['query']}"
        for row in (statements.get("slowest") or [])[:3]
    ]
    if not statements["available"]:
        lines.append(f"the slowest statements are not known: {statements['reason']}")
    return lines


class FilterModule:
    """Filters over database sessions."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "identities": identities,
            "not_denied": not_denied,
            "named": named,
            "endable": endable,
            "cut_by_restart": cut_by_restart,
            "sessions_of": sessions_of,
            "leaking": leaking,
            "largest_consumers": largest_consumers,
            "slow_statement_advice": slow_statement_advice,
        }

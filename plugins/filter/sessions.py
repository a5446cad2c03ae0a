# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over the sessions that M(oncall.runbooks.postgres_activity_info) tells of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..module_utils.postgres.queues import AWAITS_STANDBY
from ..module_utils.postgres.sessions import fits


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
            "sessions_of": sessions_of,
            "slow_statement_advice": slow_statement_advice,
        }

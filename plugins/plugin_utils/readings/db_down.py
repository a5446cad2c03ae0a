# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of db_down reads in the answers of those that need the database: their URLs, and the application's gauge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...filter.sessions import named

Told = Mapping[str, list[str]]

_INTERNAL_ERROR, _BAD_GATEWAY = 500, 502


def ready(
    db_down_dependants: Mapping[str, str],
    http_probe: Mapping[str, Any] | None = None,
    postgres_activity: Mapping[str, Any] | None = None,
    postgres_access: Mapping[str, Any] | None = None,
    system_name: str = "",
) -> Told:
    """Which dependants have their database, as they say themselves.

    One that answers with an error of its own (500) may have no database, or a fault in its code: while it has sessions there, and no role
    is kept out, that says nothing.

    Returns:
        Names under ``connected``, ``lost`` (it says that it has none, or that it is not ready), ``silent`` (it took the
        request and gave no answer) and ``unknown`` (what came back says nothing about its database).
    """
    told: dict[str, list[str]] = {"connected": [], "lost": [], "silent": [], "unknown": []}
    applications = (postgres_activity or {}).get("applications") or []
    barred = (postgres_access or {}).get("barred")
    # Without dependants nothing was asked.
    for name, endpoint in (http_probe["endpoints"] if db_down_dependants else {}).items():  # type: ignore[index]
        says = _told(endpoint)
        if says == "failing":
            may_have_it = named(applications, _own_names(name, system_name)) and not barred
            says = "unknown" if may_have_it else "lost"
        told[says].append(name)
    return told


def _own_names(name: str, system_name: str) -> list[str]:
    """The names under which the sessions of a service are known, whatever the inventory says besides."""
    return [name, f"{system_name}-{name}"]


def _told(endpoint: Mapping[str, Any]) -> str:
    says = endpoint.get("fields", {}).get("db_connected")
    # It names its database: whatever else it may want counts for nothing.
    if isinstance(says, bool):
        return "connected" if says else "lost"
    status = endpoint.get("status")
    if status is None:
        return "silent" if endpoint["available"] and endpoint["error"] == "timeout" else "unknown"
    if 200 <= status < 300:
        return "connected"
    if status == _INTERNAL_ERROR:
        return "failing"
    # A wrong URL, a login, a proxy that does not reach the service.
    return "lost" if status >= 500 and status != _BAD_GATEWAY else "unknown"


def all_told(ready: Told, db_down_service: str, connected: float = 0) -> bool:
    """Whether each dependant said something. The gauge speaks for its service."""
    said_by_gauge = {db_down_service} if connected > 0 else set()
    return not {*ready["silent"], *ready["unknown"]} - said_by_gauge


def application_has_it(ready: Told, connected: float | None = None) -> bool:
    """Whether something has the database. One is enough: a database that serves does not hang."""
    if ready["connected"]:
        return connected != 0
    return bool(connected) and not ready["lost"] and not ready["silent"]


def application_is_without_it(ready: Told, connected: float | None = None) -> bool:
    """Whether something says that it has no database, and nothing says otherwise."""
    if ready["connected"] or connected:
        return False
    return connected == 0 or bool(ready["lost"] or ready["silent"])


def lost_in_words(ready: Told, db_down_service: str, http_probe: Mapping[str, Any] | None = None) -> str:
    if not ready["lost"]:
        return f"{db_down_service} says in its metrics that it has no database"
    reason = http_probe["endpoints"][ready["lost"][0]]["reason"]  # type: ignore[index]
    says = "says that it has" if len(ready["lost"]) == 1 else "say that they have"
    return f"{', '.join(ready['lost'])} {says} no database ({reason})"


def has_it_in_words(ready: Told, db_down_service: str) -> str:
    several = len(ready["connected"]) > 1
    return f"{', '.join(ready['connected']) or db_down_service} {'have their' if several else 'has its'} database"


def its_sessions(
    ready: Told,
    postgres_activity: Mapping[str, Any],
    db_down_service: str,
    db_down_applications: list[str],
    system_name: str,
) -> list[Mapping[str, Any]]:
    """The sessions, by application, that have a name of those that say that they have no database.

    Replicas share a name: while one of several has its database, sessions of a shared name may all be that one's.
    """
    names = [pattern for one in ready["lost"] for pattern in _own_names(one, system_name)]
    if not ready["connected"]:
        names += db_down_applications
    return named(postgres_activity["applications"], names)


def still_in(its_sessions: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of them that are at work or in a transaction. A pooler keeps idle ones also for a client that it lets in no more."""
    return [row for row in its_sessions if row["active"] + row["idle_in_transaction"] > 0]


def pool_is_full(pool_waiting: float = 0, pool_in_use: float = 0, pool_max: float = 0) -> bool:
    """Whether the application counts all connections of its pool as taken. Where its pool is not told of, nobody says so."""
    return pool_waiting > 0 and pool_in_use >= pool_max > 0


def pool_is_taken(pool_is_full: bool, its_sessions: list[Mapping[str, Any]], pool_in_use: float = 0) -> bool:
    """Whether they are there in the database too: behind a pooler that reaches no server, it counts what it never got."""
    return pool_is_full and sum(row["sessions"] for row in its_sessions) >= pool_in_use


def still_in_words(still_in: list[Mapping[str, Any]], postgres_activity: Mapping[str, Any]) -> str:
    """How many sessions they have, what these do, and how many sessions wait for locks."""
    counted = {key: sum(row[key] for row in still_in) for key in ("sessions", "active", "idle_in_transaction", "idle")}
    names = ", ".join(dict.fromkeys(str(row["application_name"]) for row in still_in))
    waiting = sum(one["blocks"] for one in postgres_activity["blockers"])
    behind = f", and {waiting} sessions wait for locks" if waiting else ""
    return (
        f"it has {counted['sessions']} sessions there as {names} ({counted['active']} at work, "
        f"{counted['idle_in_transaction']} idle in transaction, {counted['idle']} idle){behind}"
    )

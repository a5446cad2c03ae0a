# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PostgreSQL server is busy with: the answer to one statement, sorted into lists."""

from __future__ import annotations

import re

from ..text.one_line import one_line
from .activity_query import ACTIVITY, ROW_LIMIT
from .client import APPLICATION_NAME, Client, DatabaseError
from .queues import AWAITS_STANDBY, PREPARED_PID, length, waiting_behind
from .redaction import redacted
from .statements import statements

LIST_LIMIT = 100

_REFRESH = re.compile(r"\s*refresh\s+materialized\s+view\b", re.IGNORECASE)


def observe(params):
    """Look at the sessions, locks and connections of one database.

    Args:
        params: as in :data:`observers.postgres_activity.SPEC`.

    Returns:
        ``available: true`` with the lists described in the module's documentation, or ``available: false``
        with ``reason`` and ``error``, the :attr:`DatabaseError.kind`.
    """
    try:
        with Client(params["database"], params["timeout_seconds"]) as client:
            document = client.query(
                ACTIVITY,
                {"idle_seconds": params["idle_seconds"], "unused_seconds": params["unused_seconds"]},
            )
            between = client.pooler or (
                "a pooler" if client.session_pid() not in (0, document["server"]["pid"]) else ""
            )
            pooler = _pooler(client, between)
            found = statements(client, document["server"], params["window_seconds"], params["explain"])
    except DatabaseError as error:
        answer = {"available": False, "reason": str(error), "error": error.kind}
        if error.kind.startswith("pooler_"):
            from .troubles import pooler_of

            answer["pooler"] = _pooler(client, pooler_of(str(error)))
        return answer
    return dict(summarize(document, params), available=True, statements=found, pooler=pooler)


def _pooler(client, name):
    """The pooler between here and the server, with its pools; without a name where there is none."""
    if not name:
        return {"name": "", "pools": [], "reason": ""}
    from .pooler import look

    return look(client, name)


def summarize(document, params):
    """The document of :data:`ACTIVITY` as the lists that causes are judged by. Pure.

    Args:
        document: what the server answered.
        params: the thresholds of :data:`observers.postgres_activity.SPEC`, in seconds.
    """
    ignored = {*params["ignore_applications"], APPLICATION_NAME}
    rows = document["sessions"]
    tells_waits = document["server"]["version_num"] >= 140000
    sessions = [_session(row, params["query_length"], tells_waits) for row in rows[:ROW_LIMIT]]
    others = [_session(row, params["query_length"], tells_waits) for row in document.get("others") or ()]
    behind = waiting_behind(sessions + others)
    for one in sessions + others:
        one["blocks"], one["blocked_seconds"] = length(behind, one["pid"])
    prepared = _prepared(document, behind)
    waiting = any(one["asks_lock"] for one in sessions)
    chains, unseen = _chains(sessions + others, document, prepared["transactions"]) if waiting else ([], [])
    acted_on = [one for one in sessions if one["application_name"] not in ignored]
    server = document["server"]
    used = document["connections"]["used"]
    usable = server["max_connections"] - server["superuser_reserved_connections"] - server["reserved_connections"]
    idle_in_transaction = [one for one in acted_on if one["state"].startswith("idle in transaction")]
    active = [one for one in sessions if one["state"] == "active" and one["query_seconds"] is not None]
    long_running = [one for one in active if one["query_seconds"] >= params["long_query_seconds"]]
    hidden, stateless = document["connections"]["hidden"], document["connections"]["stateless"]
    return {
        "server": {
            key: server[key]
            for key in (
                "version_num",
                "in_recovery",
                "user",
                "database",
                "started_seconds",
                "is_superuser",
                "sees_all",
                "signals_all",
                "max_connections_by_alter_system",
                "max_connections_source",
                "standbys",
                "synchronous_standby_names",
                "synchronous_standbys",
            )
        },
        "connections": {
            "used": used,
            "max": server["max_connections"],
            "usable": usable,
            "free": max(0, usable - used),
            "used_ratio": round(used / max(1, usable), 4),
            "in_other_databases": document["connections"]["in_other_databases"],
            "limits": _capacity(usable, used, document["connections"]),
            "hidden": hidden,
            "stateless": stateless,
        },
        "applications": document["applications"],
        "clients": document["clients"],
        "replication": document["replication"],
        "idle_in_transaction": _cut(
            one for one in idle_in_transaction if (one["state_seconds"] or 0) >= params["idle_in_transaction_seconds"]
        ),
        "idle": _cut(
            one for one in acted_on if one["state"] == "idle" and (one["state_seconds"] or 0) >= params["idle_seconds"]
        ),
        "long_running": _cut(
            one
            for one in long_running
            if one["application_name"] not in ignored
            and not one["blocked_by"]
            and not is_refresh(one)
            and one["wait"] != AWAITS_STANDBY
        ),
        "blockers": _cut(
            one
            for one in sessions + others
            if one["blocks"] and not one["blocked_by"] and one["blocked_seconds"] >= params["blocked_seconds"]
        ),
        "lock_chains": [one for one in chains if one["blocked_seconds"] >= params["blocked_seconds"]][:LIST_LIMIT],
        "prepared_transactions": prepared,
        "synchronous_waits": _cut(one for one in sessions if one["wait"] == AWAITS_STANDBY),
        "matview_refreshes": _cut(one for one in active if is_refresh(one)),
        "longest": sorted(
            (one for one in sessions if one["state"] != "idle"),
            key=lambda one: -(one["query_seconds"] or 0),
        )[:10],
        "tables_without_index_use": document["tables"],
        "complete": hidden == 0 and stateless == 0 and len(rows) <= ROW_LIMIT and not unseen,
        "limits": _limits(server, document["connections"], len(rows)) + unseen,
    }


def _capacity(usable, used, connections):
    """The limits that count for a session of this database, and of each role that has one."""
    rows = [{"what": "server", "role": "", "limit": usable, "used": used, "idle": 0, "here": 0}]
    if connections.get("database_limit", -1) >= 0:
        inside = connections["in_database"]
        rows.append(
            {**rows[0], "what": "database", "limit": connections["database_limit"], "used": inside, "here": inside}
        )
    rows += [dict(row, what="role") for row in connections.get("roles") or ()]
    return [dict(row, free=max(0, row["limit"] - row["used"])) for row in rows]


def _chains(everyone, document, prepared):
    # Loaded only where a session waits.
    from .locks import chains_of

    return chains_of(everyone, document, prepared)


def is_refresh(session):
    """Whether a session is running REFRESH MATERIALIZED VIEW."""
    return bool(_REFRESH.match(session["query"]))


def _session(row, query_length, tells_waits):
    session = {key: value for key, value in row.items() if key not in ("wait_event_type", "wait_event")}
    session["backend_type"] = row.get("backend_type") or "client backend"
    session["wrote"] = bool(row.get("wrote"))
    session["asks_lock"] = bool(row.get("asks_lock", row["blocked_by"]))
    waited = row["wait_seconds"] if tells_waits else row["query_seconds"]
    session["wait_seconds"] = round(max(0.0, float(waited or 0)), 1)
    for key in ("state_seconds", "transaction_seconds", "query_seconds"):
        session[key] = None if row[key] is None else round(max(0.0, float(row[key])), 1)
    session["state"] = row["state"] or "unknown"
    session["wait"] = ":".join(filter(None, (row["wait_event_type"], row["wait_event"])))
    session["query"] = redacted(row["query"], query_length)
    session["application_name"] = row["application_name"] or ""
    session["blocked_by"] = sorted(set(row["blocked_by"] or ()))
    return session


def _prepared(document, behind):
    """The prepared transactions, those that others wait for first, and the queue behind all of them together."""
    rows = [
        dict(row, gid=one_line(row["gid"]), age_seconds=round(max(0.0, float(row["age_seconds"])), 1))
        for row in document["prepared"]
    ]
    waiting, blocked_seconds = length(behind, PREPARED_PID)
    return {
        "count": document["prepared_count"],
        "oldest_seconds": max((row["age_seconds"] for row in rows), default=0.0),
        "waiting": waiting,
        "blocked_seconds": blocked_seconds,
        # An old transaction holds its locks although each waiter may give up early.
        "held_seconds": max((row["age_seconds"] for row in rows if row["blocks"]), default=0.0),
        "transactions": rows,
    }


def _cut(sessions):
    return sorted(sessions, key=lambda one: (-one["blocks"], -(one["state_seconds"] or 0)))[:LIST_LIMIT]


def _limits(server, connections, row_count):
    limits, hidden = [], connections["hidden"]
    if hidden:
        limits.append(
            f"state and query of {hidden} sessions of other roles are hidden from {server['user']}: grant it pg_monitor"
        )
    if server.get("statements") and server.get("statements_loaded") and not server["sees_all"]:
        limits.append(
            f"what other roles run is hidden from {server['user']} in pg_stat_statements too: grant it pg_monitor"
        )
    if connections["stateless"]:
        roles = one_line(", ".join(connections["stateless_roles"]))
        limits.append(
            f"{connections['stateless']} sessions of {roles} tell no state, because track_activities is off for them: "
            "ALTER ROLE ... RESET track_activities (or of the database), and let them connect again"
        )
    if not server["signals_all"]:
        limits.append(f"{server['user']} cannot end sessions of other roles: grant it pg_signal_backend")
    if row_count > ROW_LIMIT:
        limits.append(f"only the first {ROW_LIMIT} sessions were looked at")
    return limits

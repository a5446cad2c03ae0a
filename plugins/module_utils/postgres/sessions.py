# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending sessions: list -> cancel -> wait -> terminate, and never the wrong one."""

from __future__ import annotations

import fnmatch
import time

from .client import APPLICATION_NAME, PARAMETERS
from .redaction import redacted

# pg_dump's leader sits idle in transaction for the whole dump; ending it ends the backup.
DENIED_APPLICATIONS = (
    "pg_dump*",
    "pg_restore*",
    "pg_basebackup*",
    "pg_receivewal*",
    "pgbackrest*",
    "barman*",
)

CANCEL, TERMINATE, CANCEL_THEN_TERMINATE = "cancel", "terminate", "cancel_then_terminate"

# The criteria are part of every statement that signals: what no longer fits at that moment is left alone.
_CANDIDATES = (
    """
WITH asked AS (SELECT """
    + PARAMETERS
    + """::jsonb AS p),
wanted AS (
  SELECT (t->>'pid')::int AS pid, t->>'backend_start' AS backend_start, t->>'query_start' AS query_start
  FROM asked, jsonb_array_elements(p->'sessions') t
),
candidate AS (
  SELECT a.pid, extract(epoch FROM a.backend_start)::text AS backend_start,
         extract(epoch FROM a.query_start)::text AS query_start,
         a.usename AS "user", a.application_name, coalesce(host(a.client_addr), 'local') AS client, a.state,
         round(extract(epoch FROM now() - a.state_change)::numeric, 1)::float8 AS state_seconds,
         a.query, coalesce(r.rolsuper, true) AS is_superuser,
         a.wait_event IS NOT DISTINCT FROM 'SyncRep' AS awaits_standby,
         (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')) AS may_signal
  FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, asked
  WHERE a.backend_type = 'client backend' AND a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND (p->'sessions' = 'null'::jsonb OR EXISTS (
      SELECT FROM wanted w WHERE w.pid = a.pid
        AND w.backend_start = extract(epoch FROM a.backend_start)::text
        AND (w.query_start IS NULL OR w.query_start = extract(epoch FROM a.query_start)::text)))
    AND (p->'states' = 'null'::jsonb OR p->'states' ? a.state)
    AND now() - a.state_change >= make_interval(secs => (p->>'min_state_seconds')::float8)
    AND (SELECT count(*) FROM pg_stat_activity b
         WHERE b.wait_event_type = 'Lock' AND a.pid = ANY(pg_blocking_pids(b.pid)))
        >= (p->>'min_blocked')::int
)
"""
)

LIST = (
    _CANDIDATES
    + """SELECT coalesce(json_agg(row_to_json(candidate) ORDER BY state_seconds DESC), '[]')::text FROM candidate
"""
)

# psql and the drivers leave a lone question mark alone, so jsonb's ? operator needs no escape.
SIGNAL = (
    _CANDIDATES
    + """SELECT coalesce(json_agg(json_build_object('pid', pid, 'backend_start', backend_start, 'sent',
  CASE WHEN (SELECT p->>'signal' FROM asked) = 'terminate' THEN pg_terminate_backend(pid)
       ELSE pg_cancel_backend(pid) END)), '[]')::text
FROM candidate WHERE may_signal AND NOT is_superuser AND NOT awaits_standby
"""
)


def fits(name, patterns):
    """Whether an ``application_name`` fits one of the patterns, whatever the case of its letters. Pure.

    Args:
        name: the name, which may hold what is special in a pattern: pgBackRest's is ``pgBackRest [backup]``.
        patterns: patterns with ``*``, ``?`` and ``[]``, or names as they are.
    """
    lower = (name or "").lower()
    return any(lower == pattern.lower() or fnmatch.fnmatchcase(lower, pattern.lower()) for pattern in patterns)


def sort_out(candidates, allow, deny, limit):
    """Which of the candidates may be ended. Pure.

    Args:
        candidates: rows of :data:`LIST`, the longest in its state first.
        allow: patterns of ``application_name``; empty allows all.
        deny: patterns of ``application_name`` that are never ended, as :func:`fits` reads them.
        limit: how many at most.

    Returns:
        ``(chosen, left_alone)``; a left_alone one carries ``why``.
    """
    chosen, left_alone = [], []
    for row in candidates:
        why = _why_not(row, allow, deny)
        if not why and len(chosen) >= limit:
            why = f"above the limit of {limit} sessions for one run"
        if why:
            left_alone.append(dict(described(row), why=why))
        else:
            chosen.append(row)
    return chosen, left_alone


def _why_not(row, allow, deny):
    name = row["application_name"] or ""
    if row["is_superuser"]:
        return "session of a superuser"
    if name == APPLICATION_NAME:
        return "session of these runbooks"
    if row["awaits_standby"]:
        # It would tell its client that the commit is done, though no standby has it.
        return "committed, and waits for a synchronous standby"
    if fits(name, deny):
        return f"application {name} is on the deny list"
    if allow and not any(fnmatch.fnmatchcase(name, pattern) for pattern in allow):
        return f"application {name} is not on the allow list"
    if not row["may_signal"]:
        return "not allowed: grant the role pg_signal_backend"
    return ""


def described(row):
    """A session as it is shown: identity, who, state, and the statement without literals."""
    keys = ("pid", "backend_start", "user", "application_name", "client", "state", "state_seconds")
    return dict({key: row[key] for key in keys}, query=redacted(row["query"], 80))


def key(row):
    """What makes a session the same one: a process id alone is used again."""
    return (row["pid"], row["backend_start"])


def criteria(params, sessions=None):
    """The JSON parameter of :data:`LIST` and :data:`SIGNAL`."""
    return {
        "sessions": params["sessions"] if sessions is None else sessions,
        "states": params["states"] or None,
        "min_state_seconds": params["min_state_seconds"],
        "min_blocked": params["min_blocked"],
    }


def end_sessions(client, params, check_mode=False):
    """Walk the ladder.

    Args:
        client: a :class:`~.postgres.Client` that is not read-only.
        params: the module's parameters.
        check_mode: only list.

    Returns:
        Plain data: ``sessions`` (ended, or that would be), ``cancelled``, ``terminated``, ``remaining``,
        ``left_alone`` and ``gone``.
    """
    candidates = client.query(LIST, criteria(params))
    chosen, left_alone = sort_out(
        candidates, params["allow_applications"], params["deny_applications"], params["max_sessions"]
    )
    found = {key(row) for row in candidates}
    asked_for = params["sessions"] or []
    result = {
        "sessions": [described(row) for row in chosen],
        "cancelled": [],
        "terminated": [],
        "remaining": [],
        "left_alone": left_alone,
        "gone": [
            {"pid": one["pid"], "backend_start": one["backend_start"]} for one in asked_for if key(one) not in found
        ],
    }
    if check_mode or not chosen:
        return result
    targets = [{name: row[name] for name in ("pid", "backend_start", "query_start")} for row in chosen]
    remaining = targets
    if params["method"] != TERMINATE:
        result["cancelled"] = _send(client, params, CANCEL, targets)
        remaining = _still_there(client, params, targets, params["grace_seconds"])
    if params["method"] != CANCEL and remaining:
        # A cancelled transaction may have moved on to its next statement and still be what it was.
        identities = [dict(one, query_start=None) for one in remaining]
        result["terminated"] = _send(client, params, TERMINATE, identities)
        remaining = _still_there(client, params, identities, params["grace_seconds"])
    result["remaining"] = [one["pid"] for one in remaining]
    return result


def _send(client, params, signal, targets):
    answer = client.query(SIGNAL, dict(criteria(params, targets), signal=signal))
    return [one["pid"] for one in answer if one["sent"]]


def _still_there(client, params, targets, grace_seconds):
    """The targets that still fit after at most ``grace_seconds``."""
    end = time.monotonic() + grace_seconds
    while True:
        rows = {key(row) for row in client.query(LIST, criteria(params, targets))}
        left = [one for one in targets if key(one) in rows]
        if not left or time.monotonic() >= end:
            return left
        time.sleep(0.1)

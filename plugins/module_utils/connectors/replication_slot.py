# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logical and physical replication slots of PostgreSQL: how far behind is who reads them, and whether anybody does."""

from __future__ import annotations

from ..postgres.client import PARAMETERS, Client
from ..postgres.spec import DATABASE

OPTIONS = {"database": dict(DATABASE, required=False)}
LOOKS = 2

# As JSON, the columns that older versions do not have are simply not there. A slot that nobody reads confirms nothing; a physical
# one has only what is kept for it.
_SLOTS = (
    "WITH asked AS (SELECT "
    + PARAMETERS
    + """::jsonb AS p), at AS (
  SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
) SELECT json_build_object(
  'now_seconds', extract(epoch FROM clock_timestamp()),
  'rows', (SELECT coalesce(json_agg(t ORDER BY name), '[]') FROM (
    SELECT s.slot_name AS name, s.slot_type AS kind, s.active, j->>'wal_status' AS wal_status,
      coalesce(j->>'invalidation_reason', '') AS invalidation_reason, (j->>'safe_wal_size')::bigint AS safe_bytes,
      extract(epoch FROM clock_timestamp() - (j->>'inactive_since')::timestamptz) AS inactive_seconds,
      pg_wal_lsn_diff(at.lsn, coalesce(s.confirmed_flush_lsn, s.restart_lsn))::bigint AS lag_bytes,
      pg_wal_lsn_diff(coalesce(s.confirmed_flush_lsn, s.restart_lsn), '0/0')::bigint AS position,
      extract(epoch FROM r.flush_lag) AS flush_lag_seconds
    FROM pg_replication_slots s CROSS JOIN at CROSS JOIN LATERAL (SELECT to_jsonb(s) AS j) doc
    LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid, asked
    WHERE NOT s.temporary AND (p->'only' = '[]' OR s.slot_name IN (SELECT jsonb_array_elements_text(p->'only')))
    LIMIT 501) t))::text"""
)


def check(place, entry):
    """Nothing: the database is all it needs."""


def look(entry, seconds, deadline):
    """One look, as :func:`table.look`."""
    with Client(entry["database"], min(seconds, deadline.remaining_seconds())) as client:
        found = client.query(_SLOTS, {"only": entry["only"]})
    return {"now_seconds": float(found["now_seconds"]), "rows": [row_of(one) for one in found["rows"]], "limits": []}


def row_of(slot):
    """A slot as a connector. Pure."""
    is_lost = slot["wal_status"] == "lost" or bool(slot["invalidation_reason"])
    keys = ("kind", "active", "wal_status", "invalidation_reason", "safe_bytes", "inactive_seconds")
    row = {
        "name": slot["name"],
        "status": "failed" if is_lost else "running" if slot["active"] else "stopped",
        "lag_bytes": slot["lag_bytes"],
        "position": slot["position"],
        "slot": {**{key: slot[key] for key in keys if slot[key] not in (None, "")}, "lost": is_lost},
    }
    if slot["lag_bytes"] == 0:
        row["lag_seconds"] = 0.0
    elif slot["flush_lag_seconds"] is not None:
        row["lag_seconds"] = round(float(slot["flush_lag_seconds"]), 3)
    return row

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a PostgreSQL server keeps its write-ahead log: replication slots, the archiver, settings."""

from __future__ import annotations

from ..text.one_line import one_line
from .client import PARAMETERS, Client, DatabaseError

# As JSON, the columns that older versions do not have are simply not there.
WAL = """
SELECT json_build_object(
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'in_recovery', pg_is_in_recovery(),
  'user', current_user,
  'settings', (SELECT json_object_agg(name, current_setting(name)) FROM pg_settings WHERE name IN (
    'archive_mode', 'max_wal_size', 'wal_keep_size', 'wal_keep_segments', 'max_slot_wal_keep_size', 'wal_level')),
  'slots', (SELECT coalesce(json_agg(t ORDER BY t.retained_bytes DESC NULLS LAST), '[]') FROM (
    SELECT slot_name AS name, slot_type AS kind, coalesce(database, '') AS database, active, temporary,
           restart_lsn::text AS restart_lsn, to_jsonb(s)->>'wal_status' AS wal_status,
           pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                           restart_lsn)::bigint AS retained_bytes
    FROM pg_replication_slots s) t),
  'archiver', (SELECT json_build_object(
    'failed_count', failed_count, 'last_failed_wal', last_failed_wal, 'last_archived_wal', last_archived_wal,
    'last_failed_at_seconds', extract(epoch FROM last_failed_time),
    'last_archived_at_seconds', extract(epoch FROM last_archived_time),
    'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)) FROM pg_stat_archiver)
)::text
"""

SIZE = "SELECT json_build_object('bytes', sum(size), 'segments', count(*))::text FROM pg_ls_waldir()"

# One statement: whatever used the slot meanwhile has moved its restart_lsn, and an active one is refused by the server itself.
DROP = (
    """
WITH asked AS (SELECT """
    + PARAMETERS
    + """::jsonb AS p),
before AS MATERIALIZED (
  SELECT slot_name, active, restart_lsn::text AS restart_lsn FROM pg_replication_slots, asked WHERE slot_name = p->>'name'
),
dropped AS MATERIALIZED (
  SELECT slot_name, pg_drop_replication_slot(slot_name) FROM before, asked
  WHERE restart_lsn = p->>'restart_lsn' AND NOT active AND NOT (p->>'check')::boolean
)
SELECT json_build_object(
  'before', (SELECT row_to_json(before) FROM before),
  'dropped', (SELECT count(*) FROM dropped))::text
"""
)


def observe(params):
    """Ask a server what keeps its write-ahead log.

    Args:
        params: as in :data:`observers.postgres_wal.SPEC`.

    Returns:
        What the documentation of M(oncall.runbooks.postgres_wal_info) says.
    """
    limits = []
    try:
        with Client(params["database"], params["timeout_seconds"]) as client:
            answer = client.query(WAL)
            try:
                size = client.query(SIZE)
            except DatabaseError as error:
                size = {"bytes": None, "segments": None}
                limits.append(f"the size of pg_wal is not known: {one_line(error)}")
    except DatabaseError as error:
        return {"available": False, "reason": str(error), "error": error.kind}
    return dict(answer, available=True, wal_bytes=size["bytes"], wal_segments=size["segments"], limits=limits)


def drop_slot(client, slot, check):
    """Drop a replication slot that nobody uses and that has not moved since it was looked at.

    Args:
        client: a :class:`postgres.Client` that may write.
        slot: ``name`` and ``restart_lsn``.
        check: only say whether it would be dropped.

    Returns:
        ``changed``, ``why_not`` where it is left alone, and ``checkpoint``: why none could be made, which would have given the
        space back at once.

    Raises:
        DatabaseError: the server refuses or cannot be asked.
    """
    answer = client.query(DROP, dict(slot, check=check))
    before = answer["before"]
    if not before:
        return _left("there is no such slot (any more)")
    if before["active"]:
        return _left("it is in use")
    if before["restart_lsn"] != slot["restart_lsn"]:
        return _left(f"it was used meanwhile and stands at {before['restart_lsn']} now")
    return {"changed": True, "why_not": "", "checkpoint": "" if check else _checkpoint(client)}


def _left(why_not):
    return {"changed": False, "why_not": why_not, "checkpoint": ""}


def _checkpoint(client):
    try:
        client.execute("CHECKPOINT")
    except DatabaseError as error:
        return f"{one_line(error)}; the space comes back with the server's own next checkpoint"
    return ""

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database says that is backed up: its size, its tables, its archiver, and what restores have left beside it."""

from __future__ import annotations

import hashlib
import json
import time

from ..postgres.client import PARAMETERS, Client, DatabaseError
from ..text.one_line import one_line

# What tells a database that a restore made, in its comment.
MARK = "oncall.runbooks.restore"
MAINTENANCE = "postgres"
MOST_TABLES = 5000
_BESIDE = """
  'may_create_databases', (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),
  'databases', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT d.datname AS name, shobj_description(d.oid, 'pg_database') AS comment,
           (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.pid <> pg_backend_pid()) AS sessions
    FROM pg_database d, asked
    WHERE shobj_description(d.oid, 'pg_database') LIKE '%' || (p->>'mark') || '%'
      -- Killed between making it and marking it.
      OR (shobj_description(d.oid, 'pg_database') IS NULL AND p->'unmarked' ? d.datname) ORDER BY 1 LIMIT 100) t),
  'server_version', current_setting('server_version'),
  'in_recovery', pg_is_in_recovery(),
  'now_seconds', extract(epoch FROM clock_timestamp())
"""
_ASKED = "WITH asked AS (SELECT " + PARAMETERS + "::jsonb AS p) SELECT json_build_object("
BESIDE = _ASKED + _BESIDE + ")::text FROM asked"
FACTS = (
    _ASKED
    + _BESIDE
    + """,
  'replay_age_seconds', CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END,
  'size_bytes', pg_database_size(current_database()),
  'archive_mode', current_setting('archive_mode'),
  'archiver', (SELECT json_build_object(
    'failed_count', failed_count, 'last_failed_wal', last_failed_wal, 'last_archived_wal', last_archived_wal,
    'last_archived_age_seconds', extract(epoch FROM now() - last_archived_time),
    'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)) FROM pg_stat_archiver),
  'logical_slots', (SELECT coalesce(json_agg(slot_name ORDER BY 1), '[]') FROM pg_replication_slots WHERE database = current_database()),
  'subscriptions', (SELECT count(*) FROM pg_stat_subscription),
  'prepared', (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
  'tables', (SELECT coalesce(json_object_agg(t.name, t.columns), '{}') FROM (
    SELECT n.nspname || '.' || c.relname AS name,
           (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1 LIMIT (SELECT (p->>'most')::int FROM asked)) t)
)::text FROM asked"""
)


def facts(reach, timeout_seconds):
    """What a database says.

    Args:
        reach: as in :data:`postgres.spec.DATABASE`.
        timeout_seconds: for connecting and the answer.

    Returns:
        A dict ``available``; where not, ``reason`` and ``error``, and ``is_there`` False where the server says that there is no such database;
        then what stands beside it is told all the same, from the database ``postgres``.
    """
    unmarked = [name_for(kind, reach["name"]) for kind in ("new", "drill")]
    asked = {"mark": MARK, "most": MOST_TABLES, "unmarked": unmarked}
    try:
        with Client(reach, timeout_seconds) as client:
            told = client.query(FACTS, asked)
    except DatabaseError as error:
        found = {"available": False, "reason": str(error), "error": error.kind, "is_there": None}
        if error.kind != "no_database":
            return found
        try:
            with Client(dict(reach, name=MAINTENANCE), timeout_seconds) as client:
                told = client.query(BESIDE, asked)
        except DatabaseError:
            return found
        return dict(found, **_settled(told, reach["name"]), is_there=False, name=reach["name"])
    return dict(_settled(told, reach["name"]), available=True, error="", is_there=True, name=reach["name"])


def name_for(kind, live, at_seconds=None):
    """The name of a database of ours. Names of all kinds of databases make plain ones, and each one the same, so that two restores meet.

    Args:
        kind: one of :data:`postgres.restores.KINDS`.
        live: the name of the database in use.
        at_seconds: when it was exchanged, for ``old`` and ``failed``.
    """
    mark = hashlib.sha256(live.encode()).hexdigest()[:12]
    stamp = "" if at_seconds is None else time.strftime("_%Y%m%d_%H%M%S", time.gmtime(at_seconds))
    return f"oncall_{kind}_{mark}{stamp}"


def _settled(told, live):
    found = {key: value for key, value in told.items() if key != "databases"}
    unmarked = {name_for(kind, live): {"of": live, "is": kind, "state": "made"} for kind in ("new", "drill")}
    found["restores"] = [one for one in (_restore(database, unmarked) for database in told["databases"]) if one]
    return found


def marked(comment):
    """What the comment of a database says that a restore made, or None. Pure."""
    try:
        found = json.loads(comment)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("by") == MARK else None


def _restore(database, unmarked):
    mark = unmarked.get(database["name"]) if database["comment"] is None else marked(database["comment"])
    if mark is None:
        return None
    keys = ("of", "is", "state", "began_seconds", "identity", "backup", "file")
    told = {key: one_line(mark[key]) if isinstance(mark.get(key), str) else mark.get(key) for key in keys}
    # The name of a database is compared, and so told as it is.
    return dict(told, of=mark.get("of"), name=database["name"], sessions=database["sessions"])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes the room of a database, and which settings of its server are not the defaults."""

from __future__ import annotations

from ..text.masking import MASK, is_secret_name, mask_secrets
from ..text.one_line import one_line
from .client import PARAMETERS, Client, DatabaseError

# None of these waits for a lock on a table.
DATABASE = """
SELECT json_build_object(
  'name', current_database(),
  'bytes', pg_database_size(current_database()),
  'version', current_setting('server_version'),
  'in_recovery', pg_is_in_recovery(),
  'started_at_seconds', extract(epoch FROM pg_postmaster_start_time()),
  'settings', (SELECT coalesce(json_agg(t ORDER BY t.name), '[]') FROM (
    SELECT name, setting AS value, coalesce(unit, '') AS unit, source, pending_restart FROM pg_settings
    WHERE source NOT IN ('default', 'override', 'client', 'session') OR pending_restart) t)
)::text
"""

# The size of a table is asked under a lock that an ALTER TABLE keeps away, also while it waits for its turn itself. Of such a table
# the pages count that the last VACUUM or ANALYZE found.
_TABLES = """
WITH asked AS (SELECT {0}::jsonb AS p),
kept AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
),
estimated AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, (EXISTS (SELECT FROM kept WHERE relation = c.oid) OR {1}) AS is_estimate,
         (c.relpages + coalesce((SELECT sum(i.relpages) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                                 WHERE x.indrelid = c.oid), 0)
          + coalesce((SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid), 0))::bigint
         * current_setting('block_size')::bigint AS estimate_bytes,
         c.reltuples
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm')
),
sized AS (
  SELECT e.*, CASE WHEN is_estimate THEN estimate_bytes ELSE pg_total_relation_size(oid) END AS bytes,
         CASE WHEN is_estimate THEN NULL ELSE pg_indexes_size(oid) END AS index_bytes
  FROM estimated e
),
largest AS (SELECT * FROM sized ORDER BY bytes DESC NULLS LAST, nspname, relname LIMIT (SELECT (p->>'tables')::int FROM asked))
SELECT json_build_object(
  'count', (SELECT count(*) FROM estimated),
  'tables', (SELECT coalesce(json_agg(t ORDER BY t.bytes DESC NULLS LAST), '[]') FROM (
    SELECT l.nspname AS schema, l.relname AS name, CASE l.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END AS kind,
           l.bytes, l.index_bytes, l.is_estimate, CASE WHEN l.reltuples < 0 THEN NULL ELSE l.reltuples::bigint END AS rows_estimate,
           s.n_dead_tup AS dead_rows, extract(epoch FROM greatest(s.last_vacuum, s.last_autovacuum)) AS vacuumed_at_seconds,
           extract(epoch FROM greatest(s.last_analyze, s.last_autoanalyze)) AS analyzed_at_seconds
    FROM largest l LEFT JOIN pg_stat_all_tables s ON s.relid = l.oid) t)
)::text
"""
TABLES = _TABLES.format(PARAMETERS, "false")
ESTIMATES = _TABLES.format(PARAMETERS, "true")


def observe(params):
    """Ask a server for sizes and settings.

    Args:
        params: as in :data:`observers.postgres_size.SPEC`.

    Returns:
        What the documentation of M(oncall.runbooks.postgres_size_info) says.

    Raises:
        ValueError: fewer than one table is asked for.
    """
    if params["tables"] < 1:
        raise ValueError("tables must be 1 or more")
    limits = []
    try:
        with Client(params["database"], params["timeout_seconds"]) as client:
            answer = client.query(DATABASE)
            answer["settings"] = [shown_setting(one) for one in answer["settings"]]
            tables = _tables(client, params, limits)
    except DatabaseError as error:
        return {"available": False, "reason": str(error), "error": error.kind}
    return {**answer, **tables, "available": True, "complete": not limits, "limits": limits}


def _tables(client, params, limits):
    """The largest tables: their sizes, or at least what the last VACUUM found."""
    asked = {"tables": params["tables"]}
    try:
        found = client.query(TABLES, asked)
    except DatabaseError as error:
        limits.append(f"the sizes of the tables are estimates, as of their last VACUUM or ANALYZE: {one_line(error)}")
        try:
            found = client.query(ESTIMATES, asked)
        except DatabaseError as again:
            limits.append(f"the tables are not known: {one_line(again)}")
            return {"tables": [], "tables_count": None}
    kept = [f"{one['schema']}.{one['name']}" for one in found["tables"] if one["is_estimate"]]
    if kept and not limits:
        limits.append(f"of {', '.join(kept)} the size is an estimate: a session keeps others away from it")
    return {"tables": found["tables"], "tables_count": found["count"]}


def shown_setting(setting):
    """A setting without a secret in its value: a connection string can be one, and so can a setting of an extension."""
    is_secret = is_secret_name(setting["name"]) and setting["value"]
    return {**setting, "value": MASK if is_secret else one_line(mask_secrets(setting["value"] or ""))}

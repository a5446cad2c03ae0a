# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database is asked about its migrations, each statement with one JSON document for an answer.

Source: pg_class, pg_attribute, pg_index, pg_locks, pg_stat_activity, pg_stat_progress_create_index, pg_prepared_xacts.
"""

from __future__ import annotations

from ..queues.in_database import ASKED

ROW_LIMIT = 20000
LIST_LIMIT = 50

# Tables of a name in every schema, with their columns, and whether that of Rails is beside them.
TABLES = (
    ASKED
    + """SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT n.nspname AS schema, c.relname AS name,
    (SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    EXISTS (SELECT FROM pg_class m WHERE m.relnamespace = c.relnamespace AND m.relname = 'ar_internal_metadata') AS has_metadata
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, asked
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN (SELECT jsonb_array_elements_text(p->'names'))
    AND (p->>'schema' IS NULL OR n.nspname = p->>'schema')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname, 'pg_t')
  ORDER BY 1, 2 LIMIT 20) t"""
)

ROWS = (
    "SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT * FROM ({rows}) AS all_rows LIMIT "
    + str(ROW_LIMIT + 1)
    + ") t"
)
# Of a query of one's own: a row may have further columns, which are not read.
OWN_ROWS = (
    "SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT name, to_jsonb(rows)->'failed' AS failed, to_jsonb(rows)->>'checksum' AS checksum, "
    "extract(epoch FROM now() - (to_jsonb(rows)->>'applied_at')::timestamptz) AS age_seconds FROM rows LIMIT "
    + str(ROW_LIMIT + 1)
    + ") AS t"
)

# What else goes on in the database. A lock on a table that another transaction has just made is on one that nobody else sees.
STATE = (
    ASKED
    + """, everyone AS (
  SELECT a.*, a.query = '<insufficient privilege>' AS hidden, coalesce(a.backend_type, 'client backend') AS kind
  FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
),
held AS MATERIALIZED (
  SELECT l.pid, l.mode, l.granted, l.relation FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE l.locktype = 'relation' AND l.pid IS NOT NULL
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (n.nspname IS NULL OR (n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname, 'pg_toast')))
),
working AS (
  SELECT e.pid, e.usename AS "user", e.application_name, coalesce(host(e.client_addr), 'local') AS client, e.hidden,
    extract(epoch FROM now() - coalesce(e.xact_start, e.query_start)) AS seconds, left(ltrim(e.query), 60) AS query,
    EXISTS (SELECT FROM held h, asked WHERE h.pid = e.pid AND h.mode NOT IN ('AccessShareLock', 'RowShareLock')
      AND h.relation IN (SELECT to_regclass(t) FROM jsonb_array_elements_text(p->'tables') t)) AS writes_table,
    EXISTS (SELECT FROM held h WHERE h.pid = e.pid
      AND h.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')) AS locks_table,
    EXISTS (SELECT FROM held h WHERE h.pid = e.pid AND NOT h.granted) AS waits,
    EXISTS (SELECT FROM pg_stat_progress_create_index i WHERE i.pid = e.pid) AS builds_index
  FROM everyone e WHERE e.kind = 'client backend'
)
SELECT json_build_object(
  'database', current_database(), 'in_recovery', pg_is_in_recovery(), 'pid', pg_backend_pid(),
  'replay_lag_seconds', CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END,
  'hidden', (SELECT count(*) FROM everyone WHERE hidden),
  'working', (SELECT coalesce(json_agg(w), '[]') FROM (
    SELECT * FROM working WHERE writes_table OR locks_table OR builds_index ORDER BY seconds DESC NULLS LAST LIMIT """
    + str(LIST_LIMIT)
    + """) w),
  'advisory', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT l.pid, l.classid::bigint AS class, l.objid::bigint AS object, l.objsubid AS sub, l.granted, a.usename AS "user", a.application_name,
      coalesce(host(a.client_addr), 'local') AS client, extract(epoch FROM now() - a.state_change) AS seconds
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1000) t),
  -- Whoever has done something for so long may be the one who set a lock row.
  'busy', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT e.pid, e.usename AS "user", e.application_name, coalesce(host(e.client_addr), 'local') AS client,
      extract(epoch FROM now() - coalesce(e.xact_start, e.query_start)) AS seconds
    FROM everyone e, asked WHERE e.kind = 'client backend' AND e.state IS DISTINCT FROM 'idle'
      AND coalesce(e.xact_start, e.query_start) < now() - make_interval(secs => (p->>'busy_seconds')::float8)
    ORDER BY coalesce(e.xact_start, e.query_start) LIMIT """
    + str(LIST_LIMIT)
    + """) t),
  -- One against wraparound is not cancelled for a statement that waits for it.
  'long', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT e.pid, e.usename AS "user", e.application_name, coalesce(host(e.client_addr), 'local') AS client, coalesce(e.state, e.kind) AS state,
      extract(epoch FROM now() - e.xact_start) AS seconds
    FROM everyone e, asked WHERE e.xact_start < now() - make_interval(secs => (p->>'long_seconds')::float8)
      AND (e.kind = 'client backend' OR position('to prevent wraparound' IN e.query) > 0)
    ORDER BY e.xact_start LIMIT """
    + str(LIST_LIMIT)
    + """) t),
  'prepared', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT x.gid, x.owner AS "user", extract(epoch FROM now() - x.prepared) AS seconds FROM pg_prepared_xacts x, asked
    WHERE x.database = current_database() AND x.prepared < now() - make_interval(secs => (p->>'long_seconds')::float8)
    ORDER BY x.prepared LIMIT """
    + str(LIST_LIMIT)
    + """) t),
  'invalid', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, i.indrelid::regclass::text AS "table"
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    -- One of a partitioned table is not valid until each partition has its own, and holds nothing up.
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT starts_with(n.nspname, 'pg_t')
      AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index b WHERE b.index_relid = i.indexrelid)
    ORDER BY 1 LIMIT """
    + str(LIST_LIMIT)
    + """) t)
)::text"""
)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one statement that asks what a PostgreSQL server is busy with. It answers with one JSON document.

Source: pg_stat_activity, pg_locks through pg_blocking_pids(), pg_prepared_xacts, pg_settings and pg_stat_user_tables.
"""

from __future__ import annotations

from .client import PARAMETERS

# Rows of one application can be thousands; the counts stay exact, the lists are cut here.
ROW_LIMIT = 500
PREPARED_LIMIT = 20
LOCK_LIMIT = 2000

# No percent sign and no colon before a name: both would be placeholders to a driver or to psql.
ACTIVITY = (
    """
WITH asked AS (SELECT """
    + PARAMETERS
    + """::jsonb AS p),
everyone AS (
  SELECT a.*, coalesce(r.rolsuper, false) AS is_superuser,
         a.query = '<insufficient privilege>' AS hidden,
         -- A session has no state for a moment while it starts, and for good where its track_activities is off.
         a.state = 'disabled' OR (a.state IS NULL OR a.state_change IS NULL) AND now() - a.backend_start > interval '10 s'
           AS stateless,
         extract(epoch FROM now() - a.state_change) AS state_seconds,
         extract(epoch FROM now() - a.xact_start) AS transaction_seconds,
         extract(epoch FROM now() - a.query_start) AS query_seconds
  FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.usesysid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
),
ours AS (
  SELECT * FROM everyone WHERE datname = current_database() AND pid <> pg_backend_pid()
),
anybody AS (
  -- Every process can hold a lock: autovacuum, a walsender, a worker, a session of another database.
  SELECT a.*, a.query = '<insufficient privilege>' AS hidden FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid()
),
waiting AS MATERIALIZED (
  SELECT pid, pg_blocking_pids(pid) AS blocked_by FROM anybody
  WHERE wait_event_type = 'Lock' AND (datname = current_database() OR datname IS NULL)
),
locks AS MATERIALIZED (
  -- pg_locks tells since when from PostgreSQL 14 on; as JSON the question is right for older ones too.
  SELECT l.pid, l.granted, l.mode, l.locktype, l.relation, l.database, (to_jsonb(l)->>'waitstart')::timestamptz AS waitstart,
         ROW(l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
             l.objsubid)::text AS object
  FROM pg_locks l WHERE EXISTS (SELECT FROM waiting)
),
asking AS MATERIALIZED (
  SELECT l.pid, l.object, l.mode, l.locktype, extract(epoch FROM now() - l.waitstart) AS wait_seconds,
         CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              THEN l.relation::regclass::text END AS relation
  FROM locks l WHERE NOT l.granted AND l.pid IS NOT NULL
),
writers AS MATERIALIZED (
  SELECT DISTINCT pid FROM locks
  WHERE granted AND locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'RowShareLock')
),
waits AS MATERIALIZED (
  SELECT pid, max(wait_seconds) AS wait_seconds FROM asking GROUP BY 1
),
listed AS (
  SELECT o.pid, extract(epoch FROM o.backend_start)::text AS backend_start,
         extract(epoch FROM o.query_start)::text AS query_start,
         o.usename AS "user", o.application_name, coalesce(host(o.client_addr), 'local') AS client,
         o.state, o.state_seconds, o.transaction_seconds, o.query_seconds,
         o.wait_event_type, o.wait_event, o.is_superuser,
         NOT o.is_superuser AND (pg_has_role(o.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
           AS may_end,
         left(o.query, 2000) AS query, w.blocked_by, k.wait_seconds, k.pid IS NOT NULL AS asks_lock,
         o.xact_start < o.query_start AND EXISTS (SELECT FROM writers r WHERE r.pid = o.pid) AS wrote
  FROM ours o LEFT JOIN waiting w USING (pid) LEFT JOIN waits k USING (pid), asked
  WHERE NOT o.hidden AND (o.state IS DISTINCT FROM 'idle' OR o.state_seconds >= (p->>'idle_seconds')::float8
        OR o.pid IN (SELECT unnest(blocked_by) FROM waiting))
  ORDER BY (w.blocked_by IS NULL), o.state = 'idle', o.query_start LIMIT """
    + str(ROW_LIMIT + 1)
    + """
)
SELECT json_build_object(
  'server', json_build_object(
    'version_num', current_setting('server_version_num')::int,
    'in_recovery', pg_is_in_recovery(),
    'pid', pg_backend_pid(),
    'user', current_user,
    'database', current_database(),
    'started_seconds', extract(epoch FROM now() - pg_postmaster_start_time()),
    'max_connections', current_setting('max_connections')::int,
    'superuser_reserved_connections', current_setting('superuser_reserved_connections')::int,
    'reserved_connections', coalesce(current_setting('reserved_connections', true)::int, 0),
    'is_superuser', current_setting('is_superuser') = 'on',
    'sees_all', pg_has_role('pg_read_all_stats', 'USAGE') OR current_setting('is_superuser') = 'on',
    'signals_all', pg_has_role('pg_signal_backend', 'USAGE') OR current_setting('is_superuser') = 'on',
    'max_connections_by_alter_system', (
      SELECT right(sourcefile, 20) = 'postgresql.auto.conf' FROM pg_settings WHERE name = 'max_connections'),
    'max_connections_source', (SELECT source FROM pg_settings WHERE name = 'max_connections'),
    'standbys', (SELECT count(*) FROM pg_stat_replication),
    'synchronous_standby_names', left(current_setting('synchronous_standby_names'), 200),
    -- Others than pg_monitor see no state there.
    'synchronous_standbys', CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN (
      SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming') END,
    'statements', (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'pg_stat_statements' AND c.relkind = 'v' LIMIT 1),
    'statements_loaded', current_setting('pg_stat_statements.max', true) IS NOT NULL),
  'connections', json_build_object(
    'used', (SELECT count(*) FROM everyone WHERE pid <> pg_backend_pid()),
    'in_other_databases', (SELECT count(*) FROM everyone WHERE datname IS DISTINCT FROM current_database()),
    'database_limit', (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
    'in_database', (SELECT count(*) FROM ours),
    -- Of all databases: a role's limit counts wherever its sessions are. A superuser has none.
    'roles', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
      SELECT r.rolname AS role, r.rolconnlimit AS "limit", count(e.pid) AS used,
             count(e.pid) FILTER (WHERE e.state = 'idle') AS idle,
             count(e.pid) FILTER (WHERE e.datname = current_database()) AS here
      FROM pg_roles r LEFT JOIN everyone e ON e.usesysid = r.oid AND e.pid <> pg_backend_pid()
      WHERE r.rolconnlimit >= 0 AND r.rolcanlogin AND NOT r.rolsuper GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50) t),
    'hidden', (SELECT count(*) FROM ours WHERE hidden),
    'stateless', (SELECT count(*) FROM ours WHERE stateless AND NOT hidden),
    'stateless_roles', (SELECT coalesce(json_agg(r), '[]') FROM (
      SELECT DISTINCT usename AS r FROM ours WHERE stateless AND NOT hidden ORDER BY 1 LIMIT 5) t)),
  'applications', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT application_name, usename AS "user", count(*) AS sessions,
           count(*) FILTER (WHERE state = 'active') AS active,
           count(*) FILTER (WHERE state = 'idle') AS idle,
           count(*) FILTER (WHERE left(state, 19) = 'idle in transaction') AS idle_in_transaction,
           count(*) FILTER (WHERE left(state, 19) = 'idle in transaction'
             AND state_seconds >= (p->>'unused_seconds')::float8) AS unused_in_transaction,
           count(*) FILTER (WHERE state = 'idle' AND state_seconds >= (p->>'unused_seconds')::float8) AS unused,
           count(*) FILTER (WHERE state = 'idle' AND state_seconds >= (p->>'idle_seconds')::float8) AS idle_long
    FROM ours, asked GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50) t),
  -- Of all databases: the sessions that a restart cuts off.
  'clients', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT datname AS database, application_name, usename AS "user", count(*) AS sessions
    FROM everyone WHERE pid <> pg_backend_pid() GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 500) t),
  'replication', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT application_name, usename AS "user", coalesce(state, 'unknown') AS state
    FROM pg_stat_replication ORDER BY pid LIMIT 20) t),
  'sessions', (SELECT coalesce(json_agg(row_to_json(listed)), '[]') FROM listed),
  -- Who holds up a session of this database, or waits among them, and is none of its clients, or hidden.
  'others', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT a.pid, extract(epoch FROM a.backend_start)::text AS backend_start,
           extract(epoch FROM a.query_start)::text AS query_start, a.usename AS "user", a.application_name,
           coalesce(host(a.client_addr), 'local') AS client, a.state, a.backend_type, a.datname AS database, a.hidden,
           extract(epoch FROM now() - a.state_change) AS state_seconds,
           extract(epoch FROM now() - a.xact_start) AS transaction_seconds,
           extract(epoch FROM now() - a.query_start) AS query_seconds,
           a.wait_event_type, a.wait_event, false AS is_superuser, false AS may_end, left(a.query, 2000) AS query,
           w.blocked_by, k.wait_seconds, k.pid IS NOT NULL AS asks_lock,
         a.xact_start < a.query_start AND EXISTS (SELECT FROM writers r WHERE r.pid = a.pid) AS wrote
    FROM anybody a LEFT JOIN waiting w USING (pid) LEFT JOIN waits k USING (pid)
    WHERE (w.pid IS NOT NULL OR a.pid IN (SELECT unnest(blocked_by) FROM waiting))
      AND NOT EXISTS (SELECT FROM listed WHERE listed.pid = a.pid) LIMIT 200) t),
  'waits', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT pid, object, mode, locktype, relation FROM asking LIMIT """
    + str(LOCK_LIMIT)
    + """) t),
  'holds', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT pid, object, json_agg(DISTINCT mode) AS modes FROM locks
    WHERE granted AND pid IS NOT NULL AND object IN (SELECT object FROM asking) GROUP BY 1, 2 LIMIT """
    + str(LOCK_LIMIT)
    + """) t),
  'prepared_count', (SELECT count(*) FROM pg_prepared_xacts),
  -- Its locks carry no pid. One of them is on its own number. Who waits for it asks for the same thing as it has.
  'prepared', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT x.gid, x.owner, x.database, extract(epoch FROM now() - x.prepared) AS age_seconds, (
      SELECT count(DISTINCT w.pid) FROM pg_locks h JOIN pg_locks w ON NOT w.granted AND w.pid IS NOT NULL
        AND (h.locktype, h.database, h.relation, h.page, h.tuple, h.transactionid, h.classid, h.objid, h.objsubid)
        IS NOT DISTINCT FROM
        (w.locktype, w.database, w.relation, w.page, w.tuple, w.transactionid, w.classid, w.objid, w.objsubid)
      WHERE h.pid IS NULL AND h.granted AND h.virtualtransaction IN (
        SELECT o.virtualtransaction FROM pg_locks o
        WHERE o.pid IS NULL AND o.granted AND o.locktype = 'transactionid' AND o.transactionid = x.transaction)) AS blocks
    FROM pg_prepared_xacts x ORDER BY blocks DESC, x.prepared LIMIT """
    + str(PREPARED_LIMIT)
    + """) t),
  'tables', (SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (
    SELECT schemaname AS schema, relname AS "table", seq_scan AS sequential_scans,
           seq_tup_read / seq_scan AS rows_per_scan, coalesce(idx_scan, 0) AS index_scans,
           n_live_tup AS live_rows
    FROM pg_stat_user_tables
    WHERE seq_scan > 50 AND n_live_tup > 10000 AND seq_tup_read / seq_scan > 5000
      AND seq_scan > coalesce(idx_scan, 0)
      AND (SELECT reltuples FROM pg_class WHERE oid = 'pg_class'::regclass) < 100000
    ORDER BY seq_tup_read DESC LIMIT 5) t)
)::text
"""
)

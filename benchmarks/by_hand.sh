#!/bin/bash
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What a person types for the diagnosis of db_pool: by_hand.sh three|one (calls of psql).
# Takes METRICS_URL and libpq's PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD from the environment.
set -euo pipefail

clients="backend_type = 'client backend' AND pid <> pg_backend_pid()"

connections="SELECT count(*) AS used, current_setting('max_connections') AS max,
  current_setting('superuser_reserved_connections') AS reserved FROM pg_stat_activity WHERE $clients;
SELECT application_name, count(*), count(*) FILTER (WHERE state = 'active') AS active,
  count(*) FILTER (WHERE state = 'idle' AND now() - state_change > interval '10 min') AS idle_long
  FROM pg_stat_activity WHERE $clients AND datname = current_database() GROUP BY 1 ORDER BY 2 DESC;"

sessions="SELECT pid, usename, application_name, state, now() - state_change AS in_state, now() - query_start AS running,
  CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) END AS blocked_by, left(query, 80) AS query
  FROM pg_stat_activity WHERE $clients AND datname = current_database()
  AND (state <> 'idle' OR now() - state_change > interval '10 min') ORDER BY query_start LIMIT 100;"

tables="SELECT schemaname, relname, seq_scan, seq_tup_read / seq_scan AS rows_per_scan FROM pg_stat_user_tables
  WHERE seq_scan > 50 AND n_live_tup > 10000 AND seq_tup_read / seq_scan > 5000 ORDER BY seq_tup_read DESC LIMIT 5;"

curl --silent --show-error --fail --max-time 5 "$METRICS_URL" | grep '^app_db_pool'
case "${1:-three}" in
  three) for question in "$connections" "$sessions" "$tables"; do psql -X -w -c "$question"; done ;;
  one) psql -X -w -c "$connections $sessions $tables" ;;
  *) echo "by_hand.sh: three or one" >&2; exit 2 ;;
esac

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""labpics: each section of its runbook happens, and what that tells a person to do is what the plan says, by its own inventory."""

from __future__ import annotations

import contextlib
import os

import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import session
from ansible_collections.oncall.runbooks.tests.support.system_stack import HOUR, MIB, done, named, planned, planned_of
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SYSTEM = "labpics"
LATE = "UPDATE connector_sync_state SET last_success_at = now() - interval '2 hours'"


# ---------------------------------------------------------------------- Quick Reference
@pytest.mark.covers("LP-0-1")
def test_triage_asks_its_health_its_connectors_and_its_audit_trail(stack, synced):
    """GET /health; GET /metrics; GET /v1/connectors/sync-state; GET /v1/audit/events."""
    stack.sql("INSERT INTO audit_events (actor, action) VALUES ('ada', 'connector.disabled')")
    try:
        told = stack.play("triage")
    finally:
        stack.sql("DELETE FROM audit_events WHERE actor = 'ada'")
    assert told.code == 0, told.output
    lines, evidence = "\n".join(told.run["lines"]), told.run["evidence"]
    assert "answers: server 200 in " in lines
    assert "sync_state: 3 entries" in lines and "audit_events: " in lines
    assert {one["connector"] for one in evidence["apis"]["sync_state"]["things"]} == {"attio", "chatwoot", "linear"}
    newest = evidence["apis"]["audit_events"]["things"][0]
    assert (newest["actor"], newest["action"]) == ("ada", "connector.disabled")
    # Its metrics are read: what needs them is judged.
    assert "db_pool" in {one["cause"] for one in told.run["findings"] if one["status"] == "ok"}, lines


# ---------------------------------------------------------------------- 1. High Error Rate
@pytest.mark.covers("LP-1-1", "LP-1-2", "LP-1-3")
def test_a_route_that_fails_is_named_with_what_its_log_says(stack):
    """grep app_response_status_total; docker compose logs server; 5xx from specific routes: stack traces."""
    with stack.users("/stats", "/orders"), stack.begun("errors?route=/stats"):
        told = stack.plan("error_rate")
        assert told.causes() == ["route_failing"], told.output
        assert "/stats" in told.run["summary"]
        assert "discount_percent" in told.output


@pytest.mark.covers("LP-1-8")
def test_errors_while_redis_hangs_hand_over_to_its_runbook(stack):
    """If Redis errors: redis-cli PING."""
    with stack.users("/orders"), stack.begun("errors?route=/orders"), stack.stopped("redis"):
        told = stack.plan("error_rate")
        assert told.runs[0]["hand_over"] == ["cache"], told.output
        assert planned_of(told.runs[1])["restart_redis"] == [{"service": "redis"}]


@pytest.mark.covers("LP-1-5", "LP-1-6", "LP-3-3")
def test_long_queries_that_hold_the_pool_are_cancelled(stack):
    """SELECT pid, duration, query ... ORDER BY duration DESC LIMIT 10; SELECT pg_cancel_backend(<pid>)."""
    with stack.fault("long_queries"), stack.users("/stats"), stack.begun("errors?route=/stats"):
        told = stack.plan("error_rate")
        assert "sum(o.total_cents)" in told.runs[0]["evidence"]["longest_queries"][0]["query"], told.output
        fixed = stack.play("db_pool", db_pool_long_query_seconds=3)
        assert list(done(fixed)) == ["cancel_long_queries"]


@pytest.mark.covers("LP-1-7", "LP-3-1", "LP-3-2", "LP-3-5")
def test_a_pool_that_is_too_small_is_raised_to_35(stack):
    """PG_POOL_MAX=35, restart server."""
    with stack.fault("pool_too_small"):
        target = {"service": "server", "variable": "PG_POOL_MAX", "url_parameter": "", "from": 25, "to": 35}
        assert done(stack.play("db_pool")) == {"raise_pool_size": [target]}


@pytest.mark.covers("LP-3-3", "LP-3-4")
def test_sessions_idle_in_transaction_are_ended(stack):
    """pg_terminate_backend where idle in transaction for more than 5 minutes."""
    with contextlib.closing(session(stack.lab, "labpics-server")) as held:
        held.execute("SELECT 1")
        pid = held.info.backend_pid
        until(
            lambda: stack.sql(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND now() - state_change > interval '4 seconds'", pid
            )
        )
        assert [target["pid"] for target in done(stack.play("db_pool"))["end_idle_in_transaction"]] == [pid]


@pytest.mark.covers("LP-1-6", "LP-3-6")
def test_a_refresh_that_locks_readers_out_is_cancelled(stack):
    """SELECT * FROM pg_stat_activity WHERE query LIKE '%REFRESH%'."""
    with stack.fault("matview_refresh"):
        assert list(done(stack.play("db_pool"))) == ["cancel_refresh"]


# ---------------------------------------------------------------------- 2. Circuit Breaker Open
@pytest.mark.covers("LP-2-1", "LP-2-2", "LP-2-3", "LP-2-5")
def test_a_breaker_of_a_provider_that_is_down_is_left_alone(stack):
    """grep app_circuit_breaker; sync-state with the session's cookie; check status pages."""
    with stack.provider("status=503"), stack.users("/rates"):
        until(lambda: 'app_circuit_breaker{name="linear"} 1' in stack.lab.request("/metrics")[1])
        told = stack.plan("circuit_breaker")
        assert (told.causes(), planned(told)) == (["they_are_down"], {}), told.output
        assert "linear" in told.run["summary"]
        assert "major_outage" in told.output


@pytest.mark.covers("LP-2-4", "LP-2-6")
def test_a_breaker_that_nobody_tests_is_tested(stack):
    """Auto-recovers after its probe; manual retry: POST /v1/connectors/:name/sync."""
    with stack.provider("status=503"):
        for _ in range(4):
            stack.lab.request("/rates")
    assert 'app_circuit_breaker{name="linear"} 0' not in stack.lab.request("/metrics")[1]
    assert list(done(stack.play("circuit_breaker"))) == ["retry"]
    assert 'app_circuit_breaker{name="linear"} 0' in stack.lab.request("/metrics")[1]


# ---------------------------------------------------------------------- 4. Cache Disabled / Low Hit Rate
@pytest.mark.covers("LP-4-1", "LP-4-2", "LP-4-3", "LP-4-4")
def test_redis_is_restarted_and_the_server_is_not(stack):
    """docker compose restart redis; server auto-reconnects, no restart needed."""
    server = stack.pid("api")
    with stack.users("/customers"), stack.stopped("redis"):
        assert done(stack.play("cache", cache_timeout_seconds=3)) == {"restart_redis": [{"service": "redis"}]}
    assert stack.pid("api") == server


@pytest.mark.covers("LP-4-6")
def test_a_storm_of_invalidations_is_named(stack):
    """High app_cache_invalidations_total rate; consider increasing TTL."""
    with stack.users("/customers"), stack.begun("invalidations?per_second=30"):
        told = stack.plan("cache", cache_window_seconds=3)
        assert "invalidation_storm" in told.causes(), told.output
        assert planned(told) == {}
        assert "TTL" in told.output


# ---------------------------------------------------------------------- 5. Connector Sync Lag
@pytest.mark.covers("LP-5-1", "LP-5-2", "LP-5-4")
def test_a_connector_whose_key_is_refused_is_not_tried_again(stack, synced):
    """status = 'failed': check last_error; GET /v1/connectors/errors."""
    with stack.provider("status=401"):
        until(lambda: stack.sql("SELECT 1 FROM connector_sync_state HAVING min(retry_count) > 5"))
        stack.sql(LATE)
        told = stack.plan("sync_lag")
        assert (told.causes()[0], planned(told)) == ("credential", {}), told.output
        assert "401 Unauthorized" in told.output


@pytest.mark.covers("LP-5-5", "LP-0-1")
def test_a_worker_that_starts_nothing_is_restarted(stack, synced):
    """GET /health, sync-state, audit/events; lag > 1 hour: check scheduler is running (docker compose logs worker)."""
    with stack.stopped("worker"):
        stack.sql(LATE)
        told = stack.play("triage")
        assert named(told)[0] == "sync_lag", told.output
        apis = told.run["evidence"]["apis"]
        assert {row["connector"] for row in apis["sync_state"]["things"]} == {"attio", "chatwoot", "linear"}
        assert apis["audit_events"]["things"][0]["actor"] == "system"
        assert "server 200" in told.output
        assert done(stack.play("sync_lag"))["restart_sync"] == [{"service": "worker"}]


@pytest.mark.covers("LP-5-3")
def test_a_connector_that_was_missed_is_synchronised(stack, synced):
    """POST /v1/connectors/:name/sync."""
    # The worker knows those that there were when it started.
    stack.sql("INSERT INTO connector_sync_state VALUES ('hubspot', 'success', now() - interval '2 hours')")
    try:
        assert done(stack.play("sync_lag")) == {"sync_one": [{"source": "app", "connector": "hubspot"}]}
    finally:
        stack.sql("DELETE FROM connector_sync_state WHERE connector = 'hubspot'")


# ---------------------------------------------------------------------- 6. High Memory Usage
@pytest.mark.covers("LP-6-1", "LP-6-2", "LP-6-3", "LP-6-4")
def test_a_server_whose_heap_grows_is_restarted(stack):
    """grep app_process; docker stats; limit 512MB, is heap growing linearly?; docker compose restart server."""
    before = stack.pid("api")
    with stack.leaking():
        fixed = stack.play("resource_usage")
        assert done(fixed) == {"restart_service": [{"service": "server"}]}
        assert stack.pid("api") != before
    seen = fixed.run["evidence"]
    assert seen["services"]["server"]["memory_limit_bytes"] == 512 * MIB
    assert seen["redis"]["available"] and "resident_memory_bytes" in seen["process_metrics"]


# ---------------------------------------------------------------------- 7. Server Restart / Crash Loop
@pytest.mark.covers("LP-7-1", "LP-7-3")
def test_a_crash_on_startup_is_told_with_its_migration(stack):
    """docker compose ps, logs server --tail 200; crash on startup: migration errors."""
    with stack.migration_that_fails():
        told = stack.plan("crash_loop")
        assert told.causes() == ["migration_failed"], told.output
        assert "server" in told.run["summary"]
        assert "payment_attempts" in told.output


# ---------------------------------------------------------------------- 8. Backup Failure
@pytest.mark.covers("LP-8-1", "LP-8-2", "LP-8-5")
def test_a_backup_that_nothing_made_is_made_and_scheduled(stack):
    """ls -la /backups/labpics_*.sql.gz; ./scripts/backup.sh; 0 3 * * * /app/scripts/backup.sh >> /var/log/backup.log."""
    stack.back_up(age_seconds=30 * HOUR)
    fixed = stack.play("backup")
    assert fixed.causes() == ["stale", "not_scheduled"], fixed.output
    assert list(done(fixed)) == ["make_backup", "put_schedule_in_place"]
    assert len(stack.backups()) == 2
    log = stack.lab.layout.backups / "backup.log"
    assert (stack.lab.home / "cron").read_text() == f"0 3 * * * root /app/scripts/backup.sh >> {log} 2>&1\n"


@pytest.mark.covers("LP-8-1", "LP-8-3", "LP-8-4")
def test_a_backup_that_is_cut_off_or_lacks_a_table_is_named(stack):
    """verify-backup.sh: empty or corrupt, specific table errors."""
    stack.back_up()
    lacking = stack.plan("backup", labpics_backup_tables=["connector_sync_state", "invoices"])
    assert "tables_missing" in lacking.causes() and "public.invoices" in lacking.output, lacking.output
    newest = stack.backups()[-1]
    os.truncate(newest, newest.stat().st_size // 2)
    told = stack.plan("backup")
    assert told.causes()[0] == "broken_backup", told.output
    assert "make_backup" in planned(told)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""panidobro: what each runbook of its index is for happens, and what that tells a person to do is what the plan says."""

from __future__ import annotations

import json

import pytest

from ansible_collections.oncall.runbooks.tests.support.system_stack import HOUR, MIGRATION, done, planned
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SYSTEM = "panidobro"
PAYMENTS = 12


@pytest.mark.covers("PD-1-1")
def test_an_api_that_hangs_is_restarted(stack):
    """API Down: health checks failing."""
    with stack.stopped("api") as before:
        assert done(stack.play("api_down")) == {"restart_service": [{"service": "api"}]}
        assert stack.pid("api") != before


@pytest.mark.covers("PD-1-2")
def test_a_database_that_is_down_is_restarted(stack):
    """Database Down: db_connected: false, Postgres health failing."""
    with stack.hanging_database():
        assert done(stack.play("db_down"))["restart_database"][0] == {"service": "db"}


@pytest.mark.covers("PD-1-3")
def test_redis_is_restarted(stack):
    """Redis Down: cache errors, Redis health failing."""
    with stack.users("/customers"), stack.stopped("redis"):
        assert done(stack.play("cache", cache_timeout_seconds=3)) == {"restart_redis": [{"service": "redis"}]}


@pytest.mark.covers("PD-1-4", "PD-1-5", "PD-1-6")
def test_a_full_disk_is_freed_of_rotated_logs_alone(stack):
    """Disk Full: disk usage > 85%."""
    with stack.full_disk() as disk:
        freed = done(stack.play("disk_full"))
        assert list(freed) == ["delete_rotated_logs"]
        assert (disk / "data" / "orders").exists() and (disk / "log" / "api.log").exists()


@pytest.mark.covers("PD-2-1", "PD-2-2")
def test_migrations_are_applied_after_a_backup(stack):
    """Migrations Not Current: migrations_current: false."""
    with stack.migration_missing():
        without = stack.plan("migrations")
        assert (without.causes(), planned(without)) == (["pending"], {}), without.output
        stack.back_up()
        fixed = stack.play("migrations", run_max_risk="high")
        assert list(done(fixed)) == ["migrate"]
        assert MIGRATION in fixed.output
        assert json.loads(stack.lab.request("/readyz")[1])["migrations_current"] is True


@pytest.mark.covers("PD-2-3", "PD-2-4")
def test_a_scheduler_that_hangs_is_restarted(stack):
    """Job Scheduler Stale: stale job heartbeat."""
    stack.sql("INSERT INTO events (kind) VALUES ('endless')")
    try:
        until(lambda: stack.sql("SELECT 1 FROM jobs HAVING max(ran_at) < now() - interval '12 seconds'"))
        assert done(stack.play("job_scheduler"))["restart_scheduler"] == [{"service": "worker"}]
    finally:
        stack.sql("DELETE FROM events")


@pytest.mark.covers("PD-2-5")
def test_an_api_that_leaks_memory_is_restarted(stack):
    """High Resource Usage: Memory > 85%."""
    with stack.leaking():
        assert done(stack.play("resource_usage")) == {"restart_service": [{"service": "api"}]}


@pytest.mark.covers("PD-3-1", "PD-3-2")
def test_mail_goes_by_the_other_provider(stack):
    """Email/SMS Provider Failing: delivery failures."""
    stack.tell("provider", "/debug/behave?mail_key_revoked=1")
    try:
        stack.sql("INSERT INTO events (kind) SELECT 'mail' FROM generate_series(1, 12)")
        until(lambda: stack.sql("SELECT 1 FROM events WHERE kind = 'mail' AND status = 'failed' HAVING count(*) = 12"))
        assert list(done(stack.play("notification_provider"))) == ["fall_back"]
    finally:
        stack.tell("provider", "/debug/behave?status=200")
        stack.sql("DELETE FROM events")
        stack.sql("UPDATE event_queue SET paused = false")


@pytest.mark.covers("PD-3-3", "PD-3-4")
def test_payments_that_were_not_delivered_are_replayed_once_each(stack):
    """Payment Webhook Failing: missing payment updates."""
    stack.tell("provider", f"/debug/payments?count={PAYMENTS}&ago_seconds=7200")
    before = stack.sql("SELECT count(*) FROM payments")[0][0]
    try:
        assert list(done(stack.play("payment_webhook"))) == ["replay_events"]
        assert stack.sql("SELECT count(*) FROM payments") == [(before + PAYMENTS,)]
        again = stack.play("payment_webhook")
        assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    finally:
        stack.tell("provider", "/debug/payments", "DELETE")


@pytest.mark.covers("PD-4-1")
def test_a_backup_whose_heartbeat_is_too_old_is_made(stack):
    """Backup Stale: backup heartbeat > 26 hours old."""
    stack.back_up(age_seconds=27 * HOUR)
    told = stack.play("backup")
    assert list(done(told)) == ["make_backup"]
    assert "heartbeat" in told.output


@pytest.mark.covers("PD-7-1")
def test_a_write_goes_through_while_the_system_is_read_only(stack):
    """Break-Glass Access: ADMIN_READ_ONLY=true; POST /v1/admin/break-glass/start; X-Break-Glass-Token."""
    with stack.read_only():
        wanted = {"break_glass_write": "notice", "break_glass_reason": "INC-42 orders are late", "run_max_risk": "high"}
        fixed = stack.play("break_glass", **wanted)
        assert list(done(fixed)) == ["write"]
        (action,) = fixed.run["actions"]
        given = action["details"]["break_glass"]
        assert (given["why"], given["state"]) == ("INC-42 orders are late", "revoked")
        # "ttl_minutes": 60.
        assert 3500 < given["expires_at_seconds"] - given["given_at_seconds"] <= 3660
    assert stack.lab.layout.entry_keys()["ADMIN_KEY"] not in fixed.output


@pytest.mark.covers("PD-8-1", "PD-5-1", "PD-0-1")
def test_a_deployment_is_rolled_back(stack):
    """curl healthz, readyz; logs of api, db, redis; docker compose ps; git log -10; git reset --hard <good_sha>; ./ops/deploy.sh."""
    with stack.users("/orders"), stack.deployed("A new checkout", "errors?route=/orders") as bad:
        good = stack.release.git("rev-parse", f"{bad}~1").strip()
        told = stack.play("triage", triage_window_seconds=2)
        said = "\n".join(told.run["lines"])
        for words in (
            "healthz 200",
            "readyz 200",
            "worker, db and redis run",
            "A new checkout",
            "think of taking it back first",
        ):
            assert words in said, told.output
        assert [one["subject"] for one in told.run["evidence"]["commits"]][:2] == [
            "A new checkout",
            "Say hello to the users",
        ]
        back = stack.play("rollback", rollback_to=good, run_max_risk="high")
        (target,) = done(back)["roll_back"]
        assert (target["to"], target["command"]) == (good, ["./ops/deploy.sh"])
        assert (stack.release.head(), stack.lab.request("/orders")[0]) == (good, 200)


@pytest.mark.covers("PD-9-1", "PD-9-2")
def test_a_database_is_restored_when_its_name_is_given(stack):
    """Database Restore; no destructive operations without confirmation."""
    stack.back_up()
    orders = stack.sql("SELECT count(*) FROM orders")
    stack.sql("DELETE FROM orders WHERE id <= 100")
    asked = stack.plan("restore", restore_from="newest")
    assert (asked.causes(), planned(asked)) == (["not_confirmed"], {}), asked.output
    back = stack.play("restore", restore_from="newest", restore_confirm="cleaning", run_max_risk="high")
    assert list(done(back)) == ["restore"]
    assert stack.sql("SELECT count(*) FROM orders") == orders
    assert stack.lab.request("/orders")[0] == 200

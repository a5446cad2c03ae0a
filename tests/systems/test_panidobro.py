# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""panidobro: what each runbook of its index is for happens, and what that tells a person to do is what the plan says."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.system_stack import done
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


@pytest.mark.covers("PD-2-3", "PD-2-4")
def test_a_scheduler_that_hangs_is_restarted(stack):
    """Job Scheduler Stale: stale job heartbeat."""
    stack.sql("INSERT INTO events (kind) VALUES ('endless')")
    try:
        until(lambda: stack.sql("SELECT 1 FROM jobs HAVING max(ran_at) < now() - interval '12 seconds'"))
        assert done(stack.play("job_scheduler"))["restart_scheduler"] == [{"service": "worker"}]
    finally:
        stack.sql("DELETE FROM events")


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


@pytest.mark.covers("PD-8-1")
def test_a_deployment_is_rolled_back(stack):
    """git log -10; git reset --hard <good_sha>; ./ops/deploy.sh."""
    with stack.deployed("A new checkout", "errors?route=/orders") as bad:
        good = stack.release.git("rev-parse", f"{bad}~1").strip()
        back = stack.play("rollback", rollback_to=good, run_max_risk="high")
        (target,) = done(back)["roll_back"]
        assert (target["to"], target["command"]) == (good, ["./ops/deploy.sh"])
        assert (stack.release.head(), stack.lab.request("/orders")[0]) == (good, 200)

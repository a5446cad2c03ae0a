# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""journey: what each investigation of its runbook is about happens, and what that tells a person to do is what the plan says."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.system_stack import done, named, planned
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SYSTEM = "journey"
LATE = "UPDATE connector_sync_state SET last_success_at = now() - interval '2 hours'"


# ---------------------------------------------------------------------- API Downtime
@pytest.mark.covers("JO-1-1", "JO-1-2")
def test_an_api_that_hangs_is_restarted(stack):
    """curl /health; platform status; container crashed: check logs, restart."""
    with stack.stopped("api") as before:
        assert done(stack.play("api_down")) == {"restart_service": [{"service": "journey-api"}]}
        assert stack.pid("api") != before


# ---------------------------------------------------------------------- Database Connection Issues
@pytest.mark.covers("JO-2-2", "JO-1-3")
def test_the_limit_in_the_connection_string_is_raised(stack):
    """Connection pool exhausted: increase connection_limit in the connection string."""
    with stack.fault("pool_too_small"):
        target = {
            "service": "journey-api",
            "variable": "DATABASE_URL",
            "url_parameter": "connection_limit",
            "from": 25,
            "to": 35,
        }
        assert done(stack.play("db_pool")) == {"raise_pool_size": [target]}
        assert "connection_limit=35" in stack.lab.supervisor.program_file("api").read_text()


@pytest.mark.covers("JO-2-4")
def test_who_holds_the_others_up_is_ended(stack):
    """Query hanging: kill the blocking query if safe."""
    with stack.fault("blocker"):
        fixed = stack.play("db_pool")
        assert list(done(fixed)) == ["end_blocker"]
        assert "migrate" in fixed.run["summary"]


@pytest.mark.covers("JO-2-1", "JO-2-3")
def test_a_provider_s_database_that_gives_no_answer_is_failed_over_by_a_person(stack):
    """Database unresponsive: provider's status page, their support, failover to the replica if configured."""
    with stack.hanging_database():
        told = stack.plan("db_down")
        assert (told.causes(), planned(told)) == (["unresponsive"], {}), told.output
        assert "No replica is configured" in told.output
        configured = stack.plan("db_down", db_down_failover_command=["promote", "replica"])
        assert planned(configured) == {"fail_over": [{"command": ["promote", "replica"]}]}
        (step,) = configured.run["plan"]["steps"]
        assert step["risk"] == "high"
    for text in (told.output, configured.output):
        assert stack.lab.layout.secrets()["oncall"] not in text


# ---------------------------------------------------------------------- sync-engine Failures
@pytest.mark.covers("JO-3-1", "JO-3-2", "JO-3-3", "JO-3-4")
def test_a_key_that_is_refused_is_renewed_by_a_person(stack, synced):
    """tail -n 500 logs/sync-DATE.log; test-ghl; 401 Unauthorized: refresh the GHL token."""
    with stack.provider("status=401"):
        until(lambda: stack.sql("SELECT 1 FROM connector_sync_state HAVING min(retry_count) > 5"))
        stack.sql(LATE)
        told = stack.plan("sync_lag")
        assert (told.causes()[0], planned(told)) == ("credential", {}), told.output
        assert "401 Unauthorized" in told.output and "GHL token" in told.output


@pytest.mark.covers("JO-0-3", "JO-3-4", "JO-3-5", "JO-6-1")
def test_a_record_that_holds_all_others_up_is_skipped(stack, synced):
    """curl /health, SELECT version(), recent errors, only one client; Validation Error; sync --client <client> --skip-errors."""
    stack.sql("INSERT INTO incoming (client, email) VALUES ('acme', NULL), ('acme', 'a@example.com')")
    until(lambda: stack.sql("SELECT 1 FROM connector_sync_state WHERE connector = 'acme' AND record_failures > 5"))
    stack.sql(f"{LATE} WHERE connector = 'acme'")
    try:
        told = stack.play("triage")
        assert named(told)[0] == "sync_lag", told.output
        # "Only one client? Check client-specific config".
        assert "acme alone of 2 connectors is not well: look at its own settings first" in told.output
        assert "PostgreSQL" in told.output and "journey-api 200" in told.output
        assert done(stack.play("sync_lag")) == {"sync_skipping_errors": [{"source": "clients", "connector": "acme"}]}
        assert stack.sql("SELECT email FROM contacts") == [("a@example.com",)]
        assert stack.sql("SELECT count(*) FROM set_aside") == [(1,)]
    finally:
        for table in ("incoming", "contacts", "set_aside"):
            stack.sql(f"DELETE FROM {table}")


@pytest.mark.covers("JO-3-5")
def test_a_sync_engine_that_stands_still_is_restarted(stack, synced):
    """Client data not updating."""
    with stack.stopped("worker"):
        stack.sql(LATE)
        assert done(stack.play("sync_lag"))["restart_sync"] == [{"service": "sync-engine"}]


# ---------------------------------------------------------------------- Memory/Performance Issues
@pytest.mark.covers("JO-4-1", "JO-4-2")
def test_an_api_that_leaks_memory_is_restarted(stack):
    """ps aux --sort=-%mem | head -10; restart the service."""
    before = stack.pid("api")
    with stack.leaking():
        fixed = stack.play("resource_usage")
        assert done(fixed) == {"restart_service": [{"service": "journey-api"}]}
        assert stack.pid("api") != before
    assert fixed.run["evidence"]["host"]["top_processes"], fixed.output

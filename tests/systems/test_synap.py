# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""synap: each scenario of its runbook happens, and what that tells a person to do is what the plan says, by its own inventory."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import clients
from ansible_collections.oncall.runbooks.tests.support.plays import Play
from ansible_collections.oncall.runbooks.tests.support.system_stack import EVENTS, HOUR, done, planned
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SYSTEM = "synap"
STUCK_SECONDS = 3
# Who waits for a connection is refused after 5 s, all of them at about the same time.
REFUSED_USERS = 40


def snapshot_in(folder: Path, play: Play) -> dict[str, bytes]:
    """What the only archive in a folder has, by its path."""
    assert play.code == 0, play.output
    (path,) = folder.glob("*.tar.gz")
    with tarfile.open(path) as members:
        return {one.name.partition("/")[2]: members.extractfile(one).read() for one in members if one.isfile()}  # type: ignore[union-attr]


# ---------------------------------------------------------------------- Scenario 1: High Error Rate
@pytest.mark.covers("SY-1-1", "SY-1-2", "SY-1-3", "SY-1-4", "SY-1-7")
def test_errors_after_a_deployment_are_rolled_back(stack):
    """git log -10, git revert, down and up; then below 1 %."""
    with stack.users("/orders"), stack.deployed("Speed up orders", "errors?route=/orders") as bad:
        told = stack.plan("error_rate")
        assert told.causes()[0] == "deployment_suspected", told.output
        assert "Speed up orders" in told.run["summary"]
        good = stack.release.git("rev-parse", f"{bad}~1").strip()
        assert f"rollback_to={good}" in told.output
        back = stack.play("rollback", rollback_to=good, run_max_risk="high")
        assert [target["to"] for target in done(back)["roll_back"]] == [good]
        assert stack.release.head() == good
        after = stack.play("error_rate")
        assert (after.code, after.outcome) == (0, "healthy"), after.output


@pytest.mark.covers("SY-1-6", "SY-1-7")
def test_errors_of_an_outside_service_switch_it_off(stack):
    """Temporarily disable non-critical integrations."""
    with stack.users("/rates"), stack.provider("status=503"):
        fixed = stack.play("error_rate")
        target = {"service": "api", "variable": "HUB_PROTOCOL_ENABLED", "to": "0"}
        assert done(fixed) == {"disable_integration": [target]}
    stack.lab.heal_all()


# ---------------------------------------------------------------------- Scenario 2: Worker Queue Backup
@pytest.mark.covers("SY-2-1", "SY-2-2", "SY-2-3", "SY-7-1")
def test_stuck_workers_are_restarted_and_their_jobs_cancelled(stack, tmp_path):
    """docker compose ps, sizes, metrics.txt, api/functions; docker compose restart jobs; Functions, Cancel."""
    with stack.stuck_in_one_event(STUCK_SECONDS) as event:
        kept = snapshot_in(tmp_path, stack.play("snapshot", snapshot_directory=str(tmp_path)))
        size = json.loads(kept["database/size.json"])
        assert size["bytes"] > 1_000_000 and len(size["tables"]) == 10
        services = json.loads(kept["services/states.json"])["services"]
        assert {name: one["state"] for name, one in services.items()} == dict.fromkeys(
            ("api", "jobs", "postgres"), "running"
        )
        assert b"api_request_duration_seconds" in kept["metrics/api.prom"]
        assert json.loads(kept["manifest.json"])["missing"] == []
        (functions,) = [content for name, content in kept.items() if "functions" in name]
        assert "app-validate" in functions.decode()
        fixed = stack.play("worker_queue")
        assert done(fixed) == {"restart_workers": [{"service": "jobs"}, {"queue": "events", "jobs": [event]}]}
        assert stack.sql("SELECT status FROM events WHERE id = %s", int(event)) == [("cancelled",)]
        until(lambda: not stack.sql("SELECT 1 FROM events WHERE status = 'pending'"))


@pytest.mark.covers("SY-2-2", "SY-2-4", "SY-5-4")
def test_a_report_that_holds_queue_and_proposals_up_is_ended(stack):
    """Long-running queries, longest first; pg_locks WHERE NOT granted; pg_terminate_backend(<pid>)."""
    stack.sql("UPDATE event_queue SET paused = true")
    stack.sql("INSERT INTO events (kind) SELECT 'sync' FROM generate_series(1, %s)", EVENTS)
    stack.sql(
        "INSERT INTO proposals (created_at, changed_at) SELECT now() - interval '1 hour', now() - interval '1 hour'"
    )
    with stack.report_that_locks("events", "proposals") as pid:
        stack.sql("UPDATE event_queue SET paused = false")
        until(
            lambda: stack.sql(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '3 s'"
            )
        )
        # One worker is all that there is, so one that waits is enough.
        for runbook, few in (
            ("worker_queue", "worker_queue_slow_seconds"),
            ("stalled_workflow", "stalled_workflow_locked_seconds"),
        ):
            told = stack.plan(runbook, db_pool_blocked_sessions=1, **{few: 1})
            assert told.runs[0]["hand_over"] == ["db_pool"], told.output
            assert f"process {pid} of backoffice" in told.runs[0]["summary"], told.output
        ended = done(stack.play("db_pool", db_pool_blocked_sessions=1))
        assert [target["pid"] for target in ended["end_blocker"]] == [pid]
    stack.sql("DELETE FROM proposals")
    stack.sql("DELETE FROM events")


# ---------------------------------------------------------------------- Scenario 3: Database Connection Failure
@pytest.mark.covers("SY-3-1", "SY-3-2", "SY-3-4")
def test_a_database_that_is_down_is_restarted(stack):
    """docker compose ps postgres, restart postgres, wait for its health check."""
    with stack.hanging_database():
        assert done(stack.play("db_down"))["restart_database"][0] == {"service": "postgres"}


@pytest.mark.covers("SY-3-3", "SY-3-7")
def test_leaked_sessions_are_ended(stack):
    """count(*) by application_name; terminate those idle for more than 10 minutes."""
    with stack.fault("leaked_sessions"):
        fixed = stack.play("db_pool")
        assert list(done(fixed)) == ["end_leaked_sessions"]
        assert "reports leaks" in fixed.run["summary"]
        assert "most by reports of app" in fixed.run["summary"]


@pytest.mark.covers("SY-1-5", "SY-3-5")
def test_an_exhausted_pool_gets_its_connections_back(stack):
    """SELECT count(*) FROM pg_stat_activity; docker compose restart api."""
    with stack.fault("pool_leak"):
        with clients(stack.lab, REFUSED_USERS, "/orders"):
            told = stack.plan("error_rate", error_rate_window_seconds=6)
        assert told.runs[0]["hand_over"] == ["db_pool"], told.output
        assert told.runs[0]["evidence"]["connections"]["used"] > 20
        assert done(stack.play("db_pool")) == {"restart_application": [{"service": "api"}]}


@pytest.mark.covers("SY-3-6")
def test_too_few_connections_are_raised_to_200(stack):
    """ALTER SYSTEM SET max_connections = 200, restart postgres."""
    with stack.fault("max_connections"):
        told = stack.plan("db_pool")
        assert told.causes() == ["max_connections_reached"], told.output
        (target,) = planned(told)["raise_max_connections"]
        assert target == {"service": "postgres", "setting": "max_connections", "from": 100, "to": 200}


# ---------------------------------------------------------------------- Scenario 4: Elevated Latency
@pytest.mark.covers("SY-4-1", "SY-4-2", "SY-4-5")
def test_a_slow_outside_service_is_named(stack):
    """Request timeouts, circuit breakers, a cache."""
    with stack.users("/rates"), stack.users("/rates"), stack.users("/rates"), stack.provider("seconds=0.8"):
        told = stack.plan("latency", latency_window_seconds=5)
        assert told.causes() == ["slow_provider"], told.output
        (advice,) = [one["advice"] for one in told.run["findings"] if one["cause"] == "slow_provider"]
        words = str(advice)
        assert all(word in words for word in ("timeout", "circuit breaker", "Cache")), words


# ---------------------------------------------------------------------- Scenario 5: Proposal System Failure
@pytest.mark.covers("SY-5-1", "SY-5-2", "SY-5-3")
def test_a_validator_that_does_nothing_is_restarted(stack):
    """docker compose logs jobs | grep global-validator; proposals by status; restart jobs."""
    with stack.stopped("worker") as before:
        stack.sql(
            "WITH waiting AS (INSERT INTO proposals (created_at, changed_at) SELECT now() - make_interval(secs => %s),"
            " now() - make_interval(secs => %s) FROM generate_series(1, 3) RETURNING id)"
            " INSERT INTO events (kind, proposal) SELECT 'validate', id FROM waiting",
            HOUR, HOUR,
        )  # fmt: skip
        assert done(stack.play("stalled_workflow")) == {"restart_workers": [{"service": "jobs"}]}
        assert stack.pid("worker") != before
    assert stack.sql("SELECT status, count(*) FROM proposals GROUP BY status") == [("validated", 3)]
    stack.sql("DELETE FROM proposals")


@pytest.mark.covers("SY-5-2", "SY-5-5")
def test_one_proposal_is_approved_by_hand(stack):
    """settings->>'aiAutoApprove' is off; UPDATE proposals SET status = 'validated' WHERE id = '<proposal_id>'."""
    ((wanted,), (other,)) = stack.sql(
        "INSERT INTO proposals (workspace_id, created_at, changed_at) SELECT 'off', now() - make_interval(secs => %s),"
        " now() - make_interval(secs => %s) FROM generate_series(1, 2) RETURNING id",
        HOUR, HOUR,
    )  # fmt: skip
    asked = {
        "stalled_workflow_approve_id": str(wanted), "stalled_workflow_approve_reason": "the release waits for it",
        "stalled_workflow_approved_by": "lead@example.com",
    }  # fmt: skip
    blocked = stack.play("stalled_workflow", **asked)
    assert (blocked.code, blocked.outcome) == (2, "blocked"), blocked.output
    approved = stack.play("stalled_workflow", run_max_risk="high", **asked)
    assert approved.causes() == ["approval_asked", "switched_off"], approved.output
    assert [(one["remedy"], one["helped"]) for one in approved.run["actions"]] == [("approve_record", True)]
    states = dict(stack.sql("SELECT id, status FROM proposals"))
    assert states == {wanted: "validated", other: "pending"}
    stack.sql("DELETE FROM proposals")

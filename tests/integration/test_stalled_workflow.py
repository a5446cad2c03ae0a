# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook stalled_workflow on proposals in a real PostgreSQL, with a real validator under a real supervisord."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.proposals import Workflow
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

HOUR = 3600
ASKED = {
    "stalled_workflow_approve_reason": "the customer's release waits for it",
    "stalled_workflow_approved_by": "lead@example.com",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Workflow]:
    with server() as postgres:
        supervisord = Supervisord()
        try:
            supervisord.wait_for(idle="STOPPED")
            yield Workflow(postgres, supervisord)
        finally:
            supervisord.stop()


@pytest.fixture
def stack(running) -> Workflow:
    running.heal()
    return running


@pytest.fixture
def play(stack, tmp_path):
    return on_host(tmp_path, "stalled_workflow", stack.inventory())


@pytest.mark.covers("SY-5-1", "SY-5-3")
def test_the_validator_is_gone(stack, play):
    stack.kill()
    stack.propose(20, age_seconds=HOUR)
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["no_worker"]), checked.output
    assert (stack.supervisord.state("jobs"), stack.pending()) == ("EXITED", 20)

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["no_worker"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["targets"], action["helped"]) == ("restart_workers", [{"service": "jobs"}], True)
    assert stack.pending() == 0

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert "proposals: " in again.run["summary"]


@pytest.mark.covers("SY-5-3")
def test_the_validator_hangs(stack, play):
    os.kill(stack.pid(), signal.SIGSTOP)
    stack.propose(20, age_seconds=HOUR)
    # Its events wait, though not for long yet.
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["worker_hangs"]), fixed.output
    assert stack.pending() == 0


def test_a_restart_that_does_not_help_is_told(stack, play):
    stack.kill()
    # Nobody finds the records, whoever works.
    stack.propose(5, age_seconds=HOUR, with_event=False)
    told = play(run_verify_timeout_seconds=3)
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert [(one["remedy"], one["helped"]) for one in told.run["actions"]] == [("restart_workers", False)]


@pytest.mark.covers("SY-5-3")
def test_its_events_have_died(stack, play):
    stack.execute("DROP TABLE rules")
    stack.propose(12, age_seconds=HOUR)
    until(lambda: stack.events().get("failed") == 12)
    # Somebody has mended it, and nothing fails any more.
    stack.execute("CREATE TABLE rules (name text)")
    until(lambda: stack.execute("SELECT 1 WHERE (SELECT max(ended_at) FROM requested) < now() - interval '1 second'"))
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["events_dead"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["targets"], action["helped"]) == ("replay", [{"queue": "events"}], True)
    assert (action["details"]["done"], stack.pending(), stack.events()) == (12, 0, {"done": 12})


@pytest.mark.covers("SY-5-2", "SY-5-3")
def test_its_events_were_lost(stack, play):
    ids = stack.propose(15, age_seconds=HOUR, with_event=False)
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["events_lost"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["details"]["got_on"]) == ("request_again", {"proposals": 15})
    assert (stack.pending(), stack.events()) == (0, {"done": 15})
    # One first, and each once.
    asked = [row[0] for row in stack.execute("SELECT proposal FROM requested ORDER BY id")]
    assert sorted(asked) == sorted(ids)
    began = stack.execute("SELECT began_at, created_at FROM requested ORDER BY id")
    assert began[0][0] < began[1][1]


def test_what_is_asked_for_and_does_not_come_is_asked_for_once(stack, play):
    stack.propose(3, age_seconds=HOUR, with_event=False)
    # It ends well and sends nothing.
    workflows = {"proposals": stack.proposals(request=["touch", str(stack.supervisord.home / "asked-{ids}")])}
    told = play(system_workflows=workflows, stalled_workflow_request_proof_seconds=1)
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert "did not end within 1 s" in told.run["summary"]
    asked = [path.name for path in stack.supervisord.home.glob("asked-*")]
    assert len(asked) == 1
    play(system_workflows=workflows, stalled_workflow_request_proof_seconds=1)
    # Another one, and not that one again.
    assert len([*stack.supervisord.home.glob("asked-*")]) == 2 and stack.pending() == 3


@pytest.mark.covers("SY-5-5")
def test_exactly_the_record_that_was_named_is_approved(stack, play):
    stack.switch(2, "false")
    wanted, other = stack.propose(2, age_seconds=HOUR, workspace=2)
    until(lambda: stack.events().get("done") == 2)
    # A high risk takes a person's word, for this very plan.
    blocked = play(stalled_workflow_approve_id=wanted, **ASKED)
    assert (blocked.code, blocked.outcome, stack.state(wanted)) == (2, "blocked", "pending"), blocked.output
    (step,) = blocked.run["plan"]["steps"]
    assert (step["remedy"], step["risk"], step["undo"]) == ("approve_record", "high", {"to": "pending"})

    approved = play(stalled_workflow_approve_id=wanted, run_max_risk="high", **ASKED)
    # The other one still waits for its workspace.
    assert approved.causes() == ["approval_asked", "switched_off"], approved.output
    assert (stack.state(wanted), stack.state(other)) == ("validated", "pending")
    (action,) = approved.run["actions"]
    assert (action["helped"], action["details"]["approved_by"], action["details"]["reason"]) == (
        True, ASKED["stalled_workflow_approved_by"], ASKED["stalled_workflow_approve_reason"],
    )  # fmt: skip

    again = play(stalled_workflow_approve_id=wanted, run_max_risk="high", **ASKED)
    assert (again.causes(), again.run["actions"]) == (["switched_off"], []), again.output


@pytest.mark.covers("SY-5-5")
def test_an_approval_through_the_application(stack, play):
    stack.switch(2, "false")
    (wanted,) = stack.propose(1, age_seconds=HOUR, workspace=2)
    until(lambda: stack.events().get("done") == 1)
    way = {"to": "validated", "from": ["pending"], "command": stack.command("validated", "{id}", "{approved_by}")}
    approved = play(
        system_workflows={"proposals": stack.proposals(approve=way)},
        stalled_workflow_approve_id=wanted,
        run_max_risk="high",
        **ASKED,
    )
    assert (approved.code, approved.outcome, stack.state(wanted)) == (0, "resolved", "validated"), approved.output
    assert approved.run["actions"][0]["details"]["last_line"] == "validated by lead@example.com"


@pytest.mark.covers("SY-5-5")
def test_an_id_is_data(stack, play):
    hostile = "'; DROP TABLE proposals; --"
    told = play(stalled_workflow_approve_id=hostile, run_max_risk="high", **ASKED)
    assert (told.outcome, told.causes(), told.run["actions"]) == ("advised", ["approval_refused"], []), told.output
    with stack.postgres.connect(user="app") as connection:
        connection.execute(
            "INSERT INTO proposals (id, workspace_id, updated_at) VALUES (%s, 1, now() - interval '1 hour')", (hostile,)
        )
    approved = play(stalled_workflow_approve_id=hostile, run_max_risk="high", **ASKED)
    assert (approved.code, stack.state(hostile)) == (0, "validated"), approved.output


# ---------------------------------------------------------------------- what looks the same and is something else
@pytest.mark.covers("SY-5-4")
def test_a_lock_is_handed_over_and_nothing_is_restarted(stack, play):
    started = stack.supervisord.rpc("getProcessInfo", "jobs")["start"]
    with closing(stack.postgres.connect("report", user="app", autocommit=False)) as holder:
        # What the validator takes is locked by a report that goes on.
        ids = stack.propose(5, age_seconds=HOUR, with_event=False)
        holder.execute("SELECT id FROM proposals FOR UPDATE")
        stack.request(*ids)
        until(lambda: stack.execute("SELECT 1 FROM pg_locks WHERE NOT granted"))
        told = play(run_until="plan", stalled_workflow_locked_seconds=0)
        assert told.runs[0]["hand_over"] == ["db_pool"], told.output
        assert "report" in told.runs[0]["summary"] and "1 sessions wait for a lock" in told.runs[0]["summary"]
        holder.rollback()
    assert stack.supervisord.rpc("getProcessInfo", "jobs")["start"] == started
    until(lambda: stack.pending() == 0)


@pytest.mark.covers("SY-5-1", "SY-5-2")
def test_a_validator_that_always_fails_is_nobodys_restart(stack, play):
    stack.execute("DROP TABLE rules")
    stack.propose(5, age_seconds=HOUR)
    until(lambda: stack.events().get("failed") == 5)
    # What died a moment ago is what it fails of now.
    told = play(stalled_workflow_lately_seconds=600)
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["validator_fails"]), told.output
    assert (
        '5 times in the log of what brings proposals on: global-validator: ERROR: relation "rules" does not exist'
        in told.run["summary"]
    )


@pytest.mark.covers("SY-5-2")
def test_it_is_switched_off(stack, play):
    stack.switch(2, "false")
    stack.propose(4, age_seconds=HOUR, workspace=2)
    until(lambda: stack.events().get("done") == 4)
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["switched_off"]), told.output
    assert "4 of 4 proposals wait because the step is switched off for them: 2" in told.run["summary"]
    (row,) = told.run["evidence"]["workflows"]
    assert row["states"] == [["pending", 4]], row


def test_a_person_stopped_it(stack, play):
    stack.supervisord.rpc("stopProcess", "jobs")
    stack.propose(5, age_seconds=HOUR)
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["stopped_by_person"]), told.output
    assert stack.supervisord.state("jobs") == "STOPPED"


def test_events_that_nobody_takes_are_for_the_runbook_of_the_queue(stack, play):
    os.kill(stack.pid(), signal.SIGSTOP)
    stack.propose(5, age_seconds=HOUR)
    stack.execute("UPDATE requested SET created_at = now() - interval '1 hour'")
    told = play(run_until="plan")
    assert told.runs[0]["hand_over"] == ["worker_queue"], told.output


def test_what_cannot_be_seen_is_no_healthy_night(stack, play):
    told = play(system_workflows={"proposals": stack.proposals(database=stack.postgres.reach(port=1))})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "PostgreSQL shop at 127.0.0.1:1" in told.run["summary"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook stalled_workflow."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.queues.look import summary
from ansible_collections.oncall.runbooks.plugins.module_utils.queues.table import answer as queue_answer
from ansible_collections.oncall.runbooks.plugins.module_utils.workflows.answer import answer, between
from ansible_collections.oncall.runbooks.plugins.module_utils.workflows.spec import described
from ansible_collections.oncall.runbooks.tests.support.observed_services import (
    between_two_ends,
    crashing,
    observed,
    running,
    unseen,
)
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

PROPOSALS: dict[str, Any] = {
    "table": "proposals",
    "since_column": "updated_at",
    "created_column": "created_at",
    "waiting": ["pending", "validating"],
    "scope_column": "workspace_id",
    "switches": "SELECT id AS scope, settings->>'aiAutoApprove' AS value FROM workspaces",
    "switched_on": ["true"],
    "workers": ["jobs"],
    "log_pattern": "global-validator",
    "queue": "events",
    "request": ["app", "request", "{ids}"],
    "approve": {"to": "validated", "from": ["pending"], "passed": ["published"]},
}
SYSTEM = {
    "system_services": {name: {"manager": "compose", "project": "/srv/app"} for name in ("jobs", "api")},
    "system_queues": {"events": {"engine": "graphile_worker", "task": "proposal_requested", "workers": ["jobs"]}},
    "system_workflows": {"proposals": PROPOSALS},
    "system_database": {"name": "app"},
}
LIMIT_SECONDS = 900.0
BLOCKER = {"pid": 7, "application_name": "report"}
FAILS = "global-validator: ERROR: model gpt-x is not available"
FINE = "global-validator: INFO: validated a proposal"


def said(**changes: Any) -> dict[str, Any]:
    """An inventory whose workflow has other keys; None: it has not this one."""
    changed = {key: value for key, value in {**PROPOSALS, **changes}.items() if value is not None}
    return {"system_workflows": {"proposals": changed}}


def seen(
    waiting: int = 3,
    stuck: int = 0,
    off: int = 0,
    gone: int = 0,
    left: int | None = 120,
    newest: float | None = 20.0,
    looks: int = 2,
    locks: int = 0,
    record: dict[str, Any] | None = None,
    is_part: bool = False,
    **changes: Any,
) -> dict[str, Any]:
    """What the observer tells of proposals, of which some are stuck, some of those for a scope that is off; some leave in the window."""
    workflow = described(
        "proposals", {**PROPOSALS, **changes}, {"database": {"name": "app"}, "limit_seconds": LIMIT_SECONDS}
    )
    ages = [4000.0 - n for n in range(stuck)] + [40.0] * (waiting - stuck)
    rows = [
        {"id": str(n), "state": "pending", "age_seconds": age, "scope": "2", "off": stuck - off <= n < stuck}
        for n, age in enumerate(ages)
    ]
    counts = {
        "waiting": waiting,
        "oldest_seconds": max(ages, default=None),
        "youngest_seconds": min(ages, default=None),
        "timeless": 0,
        "stuck": stuck,
        "off": off,
        "limit_seconds": LIMIT_SECONDS,
        **({"is_part": True} if is_part else {}),
    }
    found = {
        "counts": counts,
        "switches": {"scopes": 3, "off": int(bool(off)), "list": ["2"] if off else []}
        if workflow["switches"]
        else None,
        "oldest": rows,
        "by_state": [
            {"state": "validated", "count": 500, "oldest_seconds": 9000.0, "newest_seconds": 5.0},
            {
                "state": "pending",
                "count": waiting,
                "oldest_seconds": max(ages, default=None),
                "newest_seconds": min(ages, default=None),
            },
        ],
        "newest": {"age_seconds": newest},
        "left": {"left": left},
        "locks": {"waits": locks},
        "record": record,
    }
    window = between(rows, [row["id"] for row in rows[gone:]], LIMIT_SECONDS, 5.0) if looks == 2 and rows else {}
    return {**answer(found, workflow, 50, []), **window}


def events(**counts: Any) -> dict[str, Any]:
    """What the observer tells of the queue. None: the engine does not tell."""
    row = {"ready": 0, "running": 0, "delayed": 0, "dead": 0, "dead_lately": 0, "workers": 1, **counts}
    return {**queue_answer({"counts": [row]}, {"top": 10}, []), "engine": "graphile_worker"}


def jobs(*lines: str, **changes: Any) -> dict[str, Any]:
    """The worker, with the lines of its log."""
    return running(log_tail=list(lines), **changes)


def look(
    proposals: dict[str, Any],
    worker: dict[str, Any] | None = None,
    queue: dict[str, Any] | None = None,
    **database: Any,
) -> dict[str, Any]:
    return {
        "workflow": summary("workflow", {"proposals": proposals}),
        "service": observed({"jobs": worker or jobs(FINE)}),
        "queue": summary("queue", {"events": queue or events()}),
        "postgres_activity": {"available": True, "complete": True, "blockers": [], **database},
    }


def without(observer: str, looked: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in looked.items() if name != observer}


GONE = {"available": False, "reason": "PostgreSQL app at db has no table proposals", "error": "no_table"}
NO_QUEUE = {"available": False, "reason": "queue events: refused", "error": "refused", "engine": "graphile_worker"}
UNSEEN = {
    **look(GONE, unseen(), NO_QUEUE),
    "postgres_activity": {"available": False, "reason": "refused", "error": "refused"},
}
STUCK: dict[str, Any] = {"waiting": 12, "stuck": 10, "left": 0}
REPLAYED = {"acts": ["replay"], "risk": "medium"}
REQUESTED = {"acts": ["request_again"], "risk": "medium"}
RESTARTED = {"acts": ["restart_workers"], "risk": "medium"}
APPROVED = {
    "stalled_workflow_approve_id": "4711",
    "stalled_workflow_approve_reason": "the release waits for it",
    "stalled_workflow_approved_by": "lead@example.com",
}
PENDING = {"count": 1, "id": "4711", "state": "pending", "age_seconds": 4000.0}
NO_QUEUE_SAID = said(queue=None)
BUSY = {"ready": 4, "oldest_ready_age_seconds": 20.0}

test_concluded = table(
    "stalled_workflow",
    SYSTEM,
    {
        "few wait": Case(look(seen()), says=["proposals: 3 pending, the oldest 40 s; 120 left in 10 min"]),
        "none waits": Case(look(seen(waiting=0)), says=["proposals: 0 pending; 120 left in 10 min"]),
        "few wait, and nothing says who works": Case(without("service", look(seen())), variables=said(workers=None)),
        "few wait, and there is no queue": Case(without("queue", look(seen())), variables=NO_QUEUE_SAID),
        "few wait, and nothing left lately": Case(look(seen(left=0))),
        # --- switched off
        "all that wait are switched off": Case(
            look(seen(waiting=10, stuck=10, off=10, left=0)), problems=["switched_off"],
            says=["10 of 10 proposals wait because the step is switched off for them: 2"],
        ),
        "some are switched off, and the others hang": Case(
            look(seen(**STUCK, off=4), queue=events(**BUSY)), problems=["switched_off", "worker_hangs"], **RESTARTED,
        ),
        "who has it switched off is not known": Case(
            look({key: value for key, value in seen(**STUCK).items() if not key.startswith(("stuck_off", "switche"))}),
            unknown=None,
        ),
        # --- who works
        "a person stopped the worker": Case(
            look(seen(**STUCK), jobs(FINE, state="exited", stopped_by_person=True)), problems=["stopped_by_person"],
            says=["jobs: a person stopped"],
        ),
        "the worker ends again and again": Case(look(seen(**STUCK), crashing(FINE)), problems=["workers_crash"]),
        "it ends again and again, and runs just now": Case(
            look(seen(**STUCK), between_two_ends(FINE)), problems=["workers_crash"]
        ),
        "the worker is gone": Case(
            look(seen(**STUCK), jobs(FINE, state="exited")), problems=["no_worker"], **RESTARTED,
            says=["Nobody brings them on: proposals: 12 pending, the oldest 67 min, 10 for longer than 15 min; 0 left in 10 min"],
        ),
        "the worker is gone, and all that wait are switched off": Case(
            look(seen(waiting=10, stuck=10, off=10, left=0), jobs(FINE, state="exited")), problems=["switched_off"]
        ),
        "the worker was started a moment ago": Case(
            look(seen(**STUCK), jobs(FINE, uptime_seconds=5.0), events(**BUSY)), problems=["just_started"], says=["jobs was started a moment ago"],
        ),
        "the worker cannot be seen": Case(look(seen(**STUCK), unseen()), unknown=None),
        "it hangs": Case(
            look(seen(**STUCK), queue=events(**BUSY)), problems=["worker_hangs"], **RESTARTED, says=["jobs runs and does nothing"]
        ),
        "it hangs in an event": Case(look(seen(**STUCK), queue=events(running=1)), problems=["worker_hangs"], **RESTARTED),
        "two who work hang, and the manager of the second one cannot restart it": Case(
            {**look(seen(**STUCK), queue=events(**BUSY)), "service": observed({"jobs": jobs(FINE), "api": jobs(FINE)})},
            problems=["worker_hangs"], why_not="service api: restart under the manager command needs system_services.api.commands.restart",
            variables={
                **said(workers=["jobs", "api"]),
                "system_services": {**SYSTEM["system_services"], "api": {"manager": "command", "commands": {"status": ["true"]}}},
            },
        ),
        "it hangs, and takes the records themselves": Case(
            without("queue", look(seen(**STUCK))), problems=["worker_hangs"], **RESTARTED, variables=NO_QUEUE_SAID
        ),
        "nothing leaves in the window, and others left lately": Case(
            without("queue", look(seen(waiting=12, stuck=10))), problems=["waits_unexplained"], variables=NO_QUEUE_SAID
        ),
        "nothing says who works": Case(
            without("service", without("queue", look(seen(**STUCK)))), problems=["waits_unexplained"],
            variables=said(queue=None, workers=None),
        ),
        "only one look": Case(look(seen(**STUCK, looks=1), queue=events(**BUSY)), unknown=None),
        "how many left lately is not known, and the queue is at work": Case(
            look(seen(**{**STUCK, "left": None}), queue=events(**BUSY, running=1, throughput_per_second=2.0)), problems=["waits_unexplained"]
        ),
        "how many left lately is not known, and the queue does not tell": Case(
            look(seen(**{**STUCK, "left": None}), queue=events(**BUSY)), unknown=None
        ),
        # --- locks
        "a session waits for a lock on the table": Case(
            look(seen(**STUCK, locks=1), queue=events(running=1), blockers=[BLOCKER]), problems=["locks"],
            says=["process 7 of report", "1 sessions wait for a lock"],
        ),
        "a lock, and nothing leaves": Case(look(seen(**STUCK), queue=events(running=1), blockers=[BLOCKER]), problems=["locks"]),
        "a lock on something else, and others get on": Case(
            look(seen(waiting=12, stuck=10), queue=events(**BUSY, running=1), blockers=[BLOCKER]), problems=["waits_unexplained"]
        ),
        "a lock, and few wait": Case(look(seen(), blockers=[BLOCKER])),
        "the sessions cannot be seen": Case(
            {**look(seen(**STUCK), queue=events(**BUSY)), "postgres_activity": UNSEEN["postgres_activity"]}, unknown=None
        ),
        # --- the step itself
        "the same error again and again": Case(
            look(seen(**STUCK), jobs("api up", *[FAILS] * 6), events(ready=2)), problems=["validator_fails"],
            says=[f"6 times in the log of what brings proposals on: {FAILS}"],
        ),
        "the same error for some, and others get on": Case(
            look(seen(waiting=12, stuck=10), jobs(FINE, *[FAILS] * 6), events(**BUSY)), problems=["validator_fails"]
        ),
        "errors of something else in the same log": Case(
            look(seen(**STUCK), jobs(FINE, *["mailer: ERROR: no route"] * 9), events(**BUSY)), problems=["worker_hangs"], **RESTARTED
        ),
        "few errors of it": Case(
            look(seen(**STUCK), jobs(*[FINE] * 20, *[FAILS] * 3), events(**BUSY)), problems=["worker_hangs"], **RESTARTED
        ),
        "the same error, and few wait": Case(look(seen(), jobs(*[FAILS] * 6))),
        "its log cannot be read": Case(look(seen(**STUCK), running(log_tail=None), events(**BUSY)), unknown=None),
        # --- events
        "too many events wait": Case(
            look(seen(**STUCK), queue=events(ready=200, workers=1)), problems=["events_wait"], says=["200 events wait in events"]
        ),
        "an event waits for too long": Case(
            look(seen(**STUCK), queue=events(ready=1, oldest_ready_age_seconds=700.0)), problems=["events_wait"]
        ),
        "somebody paused the queue": Case(look(seen(**STUCK), queue=events(ready=1, paused=True)), problems=["events_wait"]),
        "many events wait, and few records": Case(look(seen(), queue=events(ready=200))),
        "the queue cannot be seen": Case(look(seen(**STUCK), queue=NO_QUEUE), unknown=None),
        "its events have died": Case(
            look(seen(**STUCK), queue=events(dead=10)), problems=["events_dead"], **REPLAYED,
            says=["10 events of events have died, and none is on its way"],
        ),
        "its events have died of what the step still fails of": Case(
            look(seen(**STUCK), jobs(FINE, *[FAILS] * 6), events(dead=10, dead_lately=10)), problems=["validator_fails"]
        ),
        "its events have died of what it failed of long ago": Case(
            look(seen(**STUCK), jobs(FINE, *[FAILS] * 6), events(dead=10)), problems=["events_dead"], **REPLAYED
        ),
        "events have died, and others are on their way": Case(
            look(seen(waiting=12, stuck=10), queue=events(dead=10, **BUSY)), problems=["waits_unexplained"]
        ),
        "the engine does not tell what runs": Case(
            look(seen(waiting=12, stuck=10), queue=events(dead=10, running=None)), problems=["waits_unexplained"]
        ),
        "fewer events have died than records wait": Case(
            look(seen(**STUCK), queue=events(dead=3)), problems=["waits_unexplained"], says=["3 events of events are dead"]
        ),
        "there is no event for them, and whether some wait for their time is not told": Case(
            look(seen(waiting=12, stuck=10), queue=events(delayed=None)), problems=["waits_unexplained"]
        ),
        "events have died in a queue that replays nothing": Case(
            look(seen(**STUCK), queue=events(dead=10)), problems=["events_dead"], why_not="has no replay",
            variables={"system_queues": {"events": {"engine": "sidekiq"}}},
        ),
        "events have died, and few records wait": Case(look(seen(), queue=events(dead=10))),
        "there is no event for them, and others get on": Case(
            look(seen(waiting=12, stuck=10)), problems=["events_lost"], **REQUESTED,
            says=["For some of them there is no event anywhere, though somebody is there to take one"],
        ),
        "there is no event for them, and a worker waits for one": Case(
            look(seen(**STUCK)), problems=["events_lost"], **REQUESTED
        ),
        "there is no event for them, and no worker is seen to wait for one": Case(
            look(seen(**STUCK), queue=events(workers=None)), problems=["waits_unexplained"]
        ),
        "the events that wait are younger than they": Case(
            look(seen(waiting=12, stuck=10), queue=events(**BUSY)), problems=["events_lost"], **REQUESTED
        ),
        "an event that waits is as old as they": Case(
            look(seen(waiting=12, stuck=10, gone=0), queue=events(ready=1, oldest_ready_age_seconds=4100.0)), problems=["events_wait"]
        ),
        "an event runs that may be theirs": Case(
            look(seen(waiting=12, stuck=10), queue=events(running=1)), problems=["waits_unexplained"]
        ),
        "an event waits for its time that may be theirs": Case(
            look(seen(waiting=12, stuck=10), queue=events(delayed=1)), problems=["waits_unexplained"]
        ),
        "there is no event for them, and nothing says how to ask for one": Case(
            look(seen(waiting=12, stuck=10)), problems=["events_lost"], variables=said(request=None),
            why_not="system_workflows.proposals.request does not say which command",
        ),
        # --- it needs nobody
        "it catches up": Case(look(seen(**STUCK, gone=2)), says=["proposals catches up by itself"]),
        "it catches up, and not in time": Case(look(seen(waiting=4000, stuck=4000, gone=1)), problems=["waits_unexplained"]),
        # --- what comes
        "none has come for long": Case(
            look(seen(waiting=0, newest=9000.0)), problems=["nothing_new"], variables=said(new_within_seconds=3600),
            says=["proposals: the newest came 9000 s ago"],
        ),
        "one came a while ago, and none has to": Case(look(seen(waiting=0, newest=9000.0))),
        "there never was one": Case(
            look(seen(waiting=0, newest=None)), unknown=["nothing_new"], variables=said(new_within_seconds=3600)
        ),
        # --- approval
        "one is to be approved": Case(
            look(seen(record=PENDING)), problems=["approval_asked"], acts=["approve_record"], risk="high", variables=APPROVED,
            says=["lead@example.com wants proposals 4711 approved, which is pending: the release waits for it"],
        ),
        "one is to be approved, and the worker is gone": Case(
            look(seen(**STUCK, record=PENDING), jobs(FINE, state="exited")), problems=["approval_asked", "no_worker"],
            acts=["approve_record", "restart_workers"], risk="high", variables=APPROVED,
        ),
        "it is approved already": Case(
            look(seen(record={**PENDING, "state": "validated"})), variables=APPROVED, says=["proposals 4711 is validated"]
        ),
        "it is further on": Case(look(seen(record={**PENDING, "state": "published"})), variables=APPROVED),
        "it is in a state from which none is approved": Case(
            look(seen(record={**PENDING, "state": "rejected"})), problems=["approval_refused"], variables=APPROVED,
            says=["it is rejected, and approve.from has pending"],
        ),
        "there is no such record": Case(
            look(seen(record={"count": 0})), problems=["approval_refused"], variables=APPROVED, says=["4711 is not approved: there is none"]
        ),
        "an id that is no id": Case(
            look(seen(record={"count": 0, "reason": "invalid input syntax for type uuid"})), problems=["approval_refused"],
            variables={**APPROVED, "stalled_workflow_approve_id": "'; DROP TABLE x; --"},
            says=["'; DROP TABLE x; -- is not approved: invalid input syntax"],
        ),
        "two have this id": Case(
            look(seen(record={"count": 2})), problems=["approval_refused"], variables=APPROVED, says=["more than one has this id"]
        ),
        "nobody says who approves it": Case(
            look(seen(record=PENDING)), problems=["approval_refused"], variables={**APPROVED, "stalled_workflow_approved_by": " "},
            says=["stalled_workflow_approved_by is not given"],
        ),
        "no workflow says how": Case(
            look(seen()), problems=["approval_refused"], variables={**APPROVED, **said(approve=None)}, says=["none has approve"]
        ),
        "an id that a command takes for an option": Case(
            look(seen(record={**PENDING, "id": "--all"})), problems=["approval_refused"], says=["begins with -"],
            variables={
                **APPROVED, **said(approve={"to": "validated", "from": ["pending"], "command": ["app", "approve", "{id}"]}),
            },
        ),
        "the record could not be looked up": Case(look(seen()), unknown=["approval_refused", "approval_asked"], variables=APPROVED),
        # --- not seen
        "only a part was counted": Case(look(seen(is_part=True)), unknown=None),
        "only a part was counted, and the worker is gone": Case(
            look(seen(**STUCK, is_part=True), jobs(FINE, state="exited")), problems=["no_worker"], **RESTARTED
        ),
        "the table is not there": Case(UNSEEN, unknown=None),
        "a worker that is no service": Case(
            look(seen(**STUCK)), unknown=None, variables=said(workers=["validator"]),
        ),
    },
)  # fmt: skip


def test_what_needs_nobody_is_told():
    result = diagnose("stalled_workflow", look(seen(**STUCK, gone=2)), **SYSTEM)
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == ["draining"]


def _advice(left: int) -> str:
    """What is advised where ten wait for too long without a known cause, by how many got on lately."""
    look_at = without("queue", without("service", look(seen(waiting=12, stuck=10, left=left))))
    return _unexplained(look_at, **said(queue=None, workers=None))


def _unexplained(look_at: dict[str, Any], **variables: Any) -> str:
    result = diagnose("stalled_workflow", look_at, **{**SYSTEM, **variables})
    [unexplained] = [one for one in result["findings"] if one["cause"] == "waits_unexplained"]
    return str(unexplained["advice"])


def test_it_is_said_when_a_worker_counts_as_hanging() -> None:
    assert "for 10 min (stalled_workflow_lately_seconds), look again. Read" in _advice(left=7)
    assert "lately" not in _advice(left=0)


def test_it_is_said_what_has_to_be_told_before_events_count_as_lost() -> None:
    told = "No event of events is to be seen, and nobody tells whether one waits for a later time"
    stuck = seen(waiting=12, stuck=10)
    assert told in _unexplained(look(stuck, queue=events(delayed=None)))
    assert told not in _unexplained(look(stuck, queue=events(delayed=1)))


def test_a_log_without_errors_is_not_said_to_be_unseen() -> None:
    assert "Read the log of the workers: no error was seen in it" in _advice(left=0)


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[few wait]"
WRONG_CAUSE_ROW = "test_concluded[a session waits for a lock on the table]"
NO_TELEMETRY_ROW = "test_concluded[the table is not there]"

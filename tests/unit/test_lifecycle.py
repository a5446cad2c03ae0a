"""One run's decisions, from one state to the next."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils import lifecycle

OPTIONS = {
    "check": False,
    "until": "verify",
    "max_risk": "medium",
    "plan": [],
    "override": "",
    "needs_plan": False,
    "launched": "",
    "host": "",
    "may_act": ["all"],
    "above": [],
    "verify_seconds": 10,
    "verify_timeout_seconds": 60,
}
_ids = itertools.count(1)


def step(cause: str, risk: str = "low", available: bool = True, undo: Any = None) -> dict[str, Any]:
    return {
        "remedy": f"fix_{cause}",
        "cause": cause,
        "risk": risk,
        "targets": [{"pid": 1}],
        "undo": undo,
        "available": available,
        "why_not": "" if available else "the manager cannot",
    }


def signal(shown: bool | None, **changes: Any) -> list[dict[str, Any]]:
    """What is known of the claim that the signal is gone."""
    row = {"name": "answers", "whether": "it answers", "beyond": False, "accepted": False, "figures": ""}
    return [{**row, "shown": shown, **changes}]


def diagnosis(
    steps: list[dict] = (),
    problems: set[str] | None = None,
    unknown: set[str] = frozenset(),
    hash_="pa",
    health: list[dict] = (),
):
    problems = {one["cause"] for one in steps} if problems is None else problems
    causes = sorted({"a", "b", *problems, *unknown})
    findings = [
        {"cause": cause, "status": "problem" if cause in problems else "unknown" if cause in unknown else "ok"}
        for cause in causes
    ]
    risks = [one["risk"] for one in steps if one["available"]]
    return {
        "id": f"id{next(_ids)}",
        "runbook": "r",
        "host": "h",
        "at": 1000.0,
        "status": "problem" if problems else "unknown" if unknown else "healthy",
        "msg": f"found {sorted(problems)}",
        "findings": findings,
        "plan": {"steps": list(steps), "hash": hash_, "risk": max(risks, key=lifecycle.RISKS.index, default="none")},
        "health": list(health),
        "not_looked_at": [],
        "evidence": {},
    }


A, B_HIGH = step("a", undo={"size": 25}), step("b", "high")
HEALTHY, UNKNOWN = diagnosis(), diagnosis(unknown={"a"})
FOUND = [
    # diagnosis, options, outcome, guard
    (diagnosis([A]), {}, "", ""),
    (UNKNOWN, {}, "unknown", ""),
    (UNKNOWN, {"check": True}, "unknown", ""),
    (diagnosis([A]), {"check": True}, "planned", ""),
    (diagnosis([A]), {"until": "diagnose"}, "planned", ""),
    (diagnosis([A]), {"until": "plan"}, "planned", ""),
    (diagnosis([A], unknown={"b"}), {}, "", ""),
    (diagnosis(problems={"a"}), {}, "advised", ""),
    (diagnosis([step("a", available=False)]), {}, "advised", ""),
    (diagnosis([A, B_HIGH]), {}, "blocked", "risk"),
    (diagnosis([A, B_HIGH]), {"max_risk": "high"}, "", ""),
    (diagnosis([A, B_HIGH]), {"override": "incident 7"}, "", ""),
    (diagnosis([A]), {"max_risk": "low"}, "", ""),
    (diagnosis([step("a", "medium")]), {"max_risk": "low"}, "blocked", "risk"),
    (diagnosis([A]), {"plan": ["pa"]}, "", ""),
    (diagnosis([A]), {"plan": ["pb", "pa"]}, "", ""),
    (diagnosis([A]), {"plan": ["pb"]}, "blocked", "plan"),
    (diagnosis([A]), {"plan": ["pb"], "override": "incident 7"}, "blocked", "plan"),
    (diagnosis([A]), {"needs_plan": True}, "blocked", "plan"),
    *((diagnosis([A]), {"plan": ["pa"], "launched": anew}, "", "") for anew in ("manual", "workflow")),
    *(
        (diagnosis([A]), {"plan": ["pa"], "launched": again}, "blocked", "plan")
        for again in ("relaunch", "scheduled", "callback")
    ),
    (diagnosis([A]), {"needs_plan": True, "plan": ["pa"], "launched": "relaunch"}, "blocked", "plan"),
    (diagnosis([A]), {"plan": ["pa"], "launched": "relaunch", "override": "incident 7"}, "blocked", "plan"),
    (diagnosis([A]), {"launched": "scheduled"}, "", ""),
    (diagnosis([A]), {"plan": ["pa"], "launched": "relaunch", "check": True}, "planned", ""),
    (diagnosis([A]), {"host": "another"}, "blocked", "host"),
    (diagnosis([A]), {"needs_plan": True, "plan": ["pa"]}, "", ""),
    (diagnosis([A]), {"may_act": ["q", "r"]}, "", ""),
    (diagnosis([A]), {"may_act": ["q"]}, "blocked", "may_act"),
    (diagnosis([A]), {"may_act": []}, "blocked", "may_act"),
    (diagnosis([A]), {"may_act": ["q"], "plan": ["pa"], "override": "incident 7"}, "blocked", "may_act"),
    (diagnosis([A]), {"may_act": ["q"], "check": True}, "planned", ""),
    (diagnosis(problems={"a"}), {"may_act": ["q"]}, "advised", ""),
    *((diagnosis([A, B_HIGH]), {"override": no}, "blocked", "risk") for no in (False, None, 0, " ", "False", "none")),
]


@pytest.mark.parametrize(("found", "options", "outcome", "guard"), FOUND)
def test_begin(found, options, outcome, guard):
    state = lifecycle.begin(found, {**OPTIONS, **options})
    assert (state["outcome"], state["guard"].get("name", "")) == (outcome, guard)
    assert bool(state["steps"]) is not bool(outcome)


SECOND_LOOKS = [
    # first, second, outcome, causes acted on
    (diagnosis([A]), diagnosis([A]), "", ["a"]),
    (diagnosis([A]), HEALTHY, "healthy", []),
    (diagnosis([A]), UNKNOWN, "unknown", []),
    (diagnosis([A]), diagnosis([step("b")]), "unknown", []),
    (diagnosis([A]), diagnosis([A, step("b")]), "", ["a"]),
    (diagnosis([A, step("b")]), diagnosis([step("b")]), "", ["b"]),
    (diagnosis(problems={"a"}), diagnosis(problems={"a"}), "advised", []),
    (diagnosis([step("a", available=False)]), diagnosis([A]), "", ["a"]),
    (diagnosis([A]), diagnosis([step("a", "high")]), "blocked", []),
]


@pytest.mark.parametrize(("first", "second", "outcome", "causes"), SECOND_LOOKS)
def test_only_what_both_looks_show_is_acted_on(first, second, outcome, causes):
    state = lifecycle.confirm(lifecycle.begin(first, OPTIONS), second, OPTIONS)
    assert state["outcome"] == outcome
    assert [one["cause"] for one in state["steps"]] == causes


def test_a_plan_that_changed_between_the_looks_is_blocked():
    options = {**OPTIONS, "plan": ["pa"]}
    state = lifecycle.confirm(lifecycle.begin(diagnosis([A]), options), diagnosis([A], hash_="pb"), options)
    assert (state["outcome"], state["guard"]["name"]) == ("blocked", "plan")


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        ({"granted": True, "passed_guards": [{"guard": "hold", "reason": "x"}]}, ""),
        ({"granted": False, "guard": "cooldown", "reason": "too soon"}, "blocked"),
        ({}, "blocked"),
    ],
)
def test_the_ledger_has_the_word(claim, outcome):
    state = lifecycle.claimed(lifecycle.begin(diagnosis([A]), OPTIONS), claim)
    assert state["outcome"] == outcome
    assert bool(state["claimed"]) is not bool(outcome)


def acted(found: dict[str, Any]) -> lifecycle.State:
    state = lifecycle.begin(found, {**OPTIONS, "max_risk": "high"})
    for one in state["steps"]:
        state = lifecycle.step_begun(state, one, 2000.0)
        state = lifecycle.step_done(state, {"changed": True, "terminated": [1], "left_alone": [{"pid": 2}]}, 2001.0)
    return state


BACK = HEALTHY
LEFT = diagnosis([A])
EXPLAINED = diagnosis(problems={"b"})
EXPLAINED["findings"][0]["explained_by"] = "b"


def left_behind(which: str, *others: str) -> dict[str, Any]:
    """A look at which a cause is what a fault left behind, and the others are not."""
    found = diagnosis(problems={which, *others})
    for finding in found["findings"]:
        if finding["cause"] == which:
            finding["left_behind"] = True
    return found


LOOKS = [
    # looks (seconds after the first, diagnosis), outcome after the last, rolled back
    ([(0, BACK)], "", []),
    ([(0, BACK), (9, BACK)], "", []),
    ([(0, BACK), (10, BACK)], "resolved", []),
    ([(0, LEFT), (30, BACK), (40, BACK)], "resolved", []),
    ([(0, BACK), (5, LEFT), (8, BACK), (12, BACK)], "", []),
    ([(0, BACK), (5, LEFT), (8, BACK), (18, BACK)], "resolved", []),
    ([(0, LEFT), (59, LEFT)], "", []),
    ([(0, LEFT), (60, LEFT)], "unresolved", [0]),
    ([(0, UNKNOWN), (60, UNKNOWN)], "unresolved", [0]),
    ([(0, UNKNOWN), (20, BACK), (30, BACK)], "resolved", []),
    ([(0, diagnosis(unknown={"b"})), (10, diagnosis(unknown={"b"}))], "unknown", []),
    ([(0, diagnosis([step("b")])), (10, diagnosis([step("b")]))], "unresolved", []),
    ([(0, diagnosis(problems={"b"})), (10, diagnosis(problems={"b"}))], "unresolved", []),
    ([(0, left_behind("b")), (10, left_behind("b"))], "advised", []),
    ([(0, left_behind("b", "c")), (10, left_behind("b", "c"))], "unresolved", []),
    ([(0, EXPLAINED), (60, EXPLAINED)], "unresolved", [0]),
]


@pytest.mark.parametrize(("looks", "outcome", "undo"), LOOKS)
def test_proof(looks, outcome, undo):
    state = acted(diagnosis([A]))
    for seconds, seen in looks:
        assert state["outcome"] == ""
        state = lifecycle.looked(state, seen, OPTIONS, 3000.0 + seconds)
    assert state["outcome"] == outcome
    assert state.get("roll_back", []) == undo


STILL = [
    # of the first look: problems, signal; of the later ones: problems, signal; outcome, rolled back
    (["a"], signal(False), [], signal(True), "resolved", []),
    (["a"], signal(False), [], signal(False), "unresolved", [0]),
    # The same trouble under another name.
    (["a"], signal(False), ["b"], signal(False), "unresolved", [0]),
    # It was measured, and is not any more.
    (["a"], signal(False), [], signal(None), "unresolved", [0]),
    # It never was.
    (["a"], signal(None), [], signal(None), "resolved", []),
    # A second fault, which the first look named as well, is why.
    (["a", "b"], signal(False), ["b"], signal(False), "unresolved", []),
    (["a", "b"], signal(False), [], signal(False), "unresolved", [0]),
    # Another fault, and nothing of what brought the run here.
    (["a"], signal(False), ["b"], signal(True), "unresolved", []),
    # What goes beyond the signal, or is accepted, proves nothing.
    (["a"], signal(False), [], signal(False, beyond=True), "resolved", []),
    (["a"], signal(False), [], signal(False, accepted=True), "resolved", []),
]


@pytest.mark.parametrize(("first", "health", "later", "health_later", "outcome", "undo"), STILL)
def test_what_brought_the_run_here_has_to_be_gone(first, health, later, health_later, outcome, undo):
    state = acted(diagnosis([A], problems=set(first), health=health))
    for now in (3000.0, 3030.0, 3060.0):
        if not state["outcome"]:
            state = lifecycle.looked(state, diagnosis(problems=set(later), health=health_later), OPTIONS, now)
    assert (state["outcome"], state.get("roll_back", [])) == (outcome, undo)
    assert [action["helped"] for action in state["actions"]] == [not undo]


def test_only_what_did_not_help_is_rolled_back_the_last_first():
    steps = [step("a", undo=1), step("b", undo=2), step("c", undo=3), step("d")]
    state = acted(diagnosis(steps))
    left = diagnosis([steps[0], steps[2], steps[3]])
    for now in (3000.0, 3060.0):
        state = lifecycle.looked(state, left, OPTIONS, now)
    assert state["roll_back"] == [2, 0]
    assert [action["helped"] for action in state["actions"]] == [False, True, False, False]


def test_a_remedy_that_fails_is_rolled_back():
    state = lifecycle.begin(diagnosis([A]), OPTIONS)
    state = lifecycle.step_failed(lifecycle.step_begun(state, A, 2000.0), "Restart", "no such\nprogram", 2001.5)
    assert (state["outcome"], state["roll_back"]) == ("unresolved", [0])
    assert state["actions"][0]["reason"] == "Restart: no such program"
    assert state["actions"][0]["seconds"] == 1.5
    state = lifecycle.rolled_back(state, 0, "it is gone")
    assert state["actions"][0]["state"] == "rollback_failed"
    assert "rollback of fix_a failed: it is gone" in state["notes"]


def test_what_a_failed_task_says_is_noted_without_secrets():
    state = lifecycle.step_begun(lifecycle.begin(diagnosis([A]), OPTIONS), A, 2000.0)
    state = lifecycle.step_failed(state, "Ask it", "https://me:s3cret@db.example.com refused DB_PASS=s3cret", 2001.0)
    state = lifecycle.rolled_back(state, 0, "password=s3cret")
    state = lifecycle.noted(lifecycle.escalated(state, "Authorization: Bearer s3cret"), "token=s3cret")
    assert state["notes"][0] == "Ask it: https://********@db.example.com refused DB_PASS=********"
    assert "s3cret" not in str(state)


def test_the_ledger_is_told_what_was_never_begun():
    state = lifecycle.claimed(lifecycle.begin(diagnosis([A, step("b")]), OPTIONS), {"granted": True})
    state = lifecycle.step_failed(lifecycle.step_begun(state, A, 2000.0), "Restart", "no", 2001.0)
    assert [one["state"] for one in lifecycle.for_ledger(state)] == ["failed", "not_started"]


def test_a_failure_after_the_outcome_is_a_note():
    state = dict(acted(diagnosis([A])), outcome="resolved")
    state = lifecycle.step_failed(state, "Write the end", "disk full", 2000.0)
    assert (state["outcome"], state["notes"], "roll_back" in state) == ("resolved", ["Write the end: disk full"], False)


def test_without_a_state_only_a_healthy_diagnosis_is_healthy():
    assert lifecycle.result_of({}, diagnosis([A]), False, 1001.0)["outcome"] == "unknown"
    assert lifecycle.step_failed({}, "x", "y", 1.0) == {}


def test_what_a_run_is_about_outlives_a_diagnosis_that_failed():
    state = dict(lifecycle.begin(diagnosis([A]), OPTIONS), outcome="unresolved")
    result = lifecycle.result_of(state, {"failed": True, "msg": "boom"}, False, 1001.0)
    assert (result["runbook"], result["host"], result["outcome"]) == ("r", "h", "unresolved")


def test_a_failure_before_anything_was_touched_is_unknown():
    state = lifecycle.step_failed(lifecycle.begin(diagnosis([A]), OPTIONS), "Ask the ledger", "gone", 2000.0)
    assert (state["outcome"], state["actions"], state["roll_back"]) == ("unknown", [], [])


def test_what_a_remedy_did_is_kept_without_ansibles_own_keys():
    (action,) = acted(diagnosis([A]))["actions"]
    assert action["details"] == {"terminated": [1], "left_alone": [{"pid": 2}]}


def test_the_result_of_a_healthy_host():
    result = lifecycle.result_of({}, HEALTHY, False, 1001.0)
    assert (result["outcome"], result["actions"], result["seconds"]) == ("healthy", [], 1.0)


def test_a_run_that_did_not_come_to_an_end_is_unknown():
    state = lifecycle.begin(diagnosis([A]), OPTIONS)
    assert lifecycle.result_of(state, diagnosis([A]), False, 1001.0)["outcome"] == "unknown"


def owned(steps: list[dict] = (), problems: set[str] | None = None, **owners: str) -> dict[str, Any]:
    """A diagnosis some of whose problems other runbooks own: cause -> runbook."""
    found = diagnosis(steps, problems)
    for finding in found["findings"]:
        if finding["cause"] in owners:
            finding["hand_over"] = owners[finding["cause"]]
    return found


OWNED = [
    # found, options, outcome, handed over to, whether that is all of it
    (owned(problems={"a"}, a="x"), {}, "advised", ["x"], True),
    (owned(problems={"a", "b"}, a="x", b="x"), {}, "advised", ["x"], True),
    (owned(problems={"a", "b"}, a="x", b="y"), {}, "advised", ["x", "y"], True),
    (owned(problems={"a", "b"}, a="x"), {}, "advised", ["x"], False),
    (owned(problems={"a"}, a="x"), {"check": True}, "planned", ["x"], True),
    (owned(problems={"a"}, a="x"), {"above": ["x"]}, "advised", [], False),
    (owned(problems=set(), a="x", b="y"), {}, "", [], False),
    (owned([A], problems={"a", "b"}, b="x"), {}, "", [], False),
    (diagnosis(problems={"a"}), {}, "advised", [], False),
]


@pytest.mark.parametrize(("found", "options", "outcome", "to", "everything"), OWNED)
def test_what_another_runbook_owns_is_handed_over(found, options, outcome, to, everything):
    if not outcome and found["status"] == "healthy":
        state = lifecycle.confirm(lifecycle.begin(diagnosis(problems={"a"}), OPTIONS), found, OPTIONS)
        assert (state["outcome"], state["hand_over"]) == ("healthy", [])
        return
    state = lifecycle.begin(dict(found, runbook_meta={"escalation": "lead"}), {**OPTIONS, **options})
    assert (state["outcome"], state["hand_over"], state["handed_over"]) == (outcome, to, everything)
    result = lifecycle.result_of(state, found, False, 1001.0)
    assert result["hand_over"] == to
    # Whoever takes over calls a person where one is needed; what nobody owns is told here.
    assert bool(result["escalation"]) is not (everything or outcome == "planned")


def test_what_is_left_after_a_good_fix_is_handed_over():
    state = acted(owned([A], problems={"a", "b"}, b="x"))
    left = owned(problems={"b"}, b="x")
    for now in (3000.0, 3010.0):
        state = lifecycle.looked(state, left, OPTIONS, now)
    assert (state["outcome"], state["hand_over"]) == ("advised", ["x"])
    assert state["actions"][0]["helped"] is True


@pytest.mark.parametrize(
    ("ended", "looks", "outcome"),
    [
        ({"x": "resolved"}, [(0, HEALTHY)], "resolved"),
        ({"x": "resolved"}, [(0, diagnosis(problems={"a"})), (5, HEALTHY)], "resolved"),
        ({"x": "resolved"}, [(0, UNKNOWN), (59, HEALTHY)], "resolved"),
        ({"x": "resolved"}, [(0, diagnosis(problems={"a"})), (60, diagnosis(problems={"a"}))], "unresolved"),
        ({"x": "resolved"}, [(0, diagnosis(problems={"b"})), (60, diagnosis(problems={"b"}))], "unresolved"),
        ({"x": "resolved"}, [(0, UNKNOWN), (60, UNKNOWN)], "unknown"),
        # Nothing was done: nothing is waited for, and nobody calls it fine while it is there.
        ({"x": "healthy"}, [(0, HEALTHY)], "healthy"),
        ({"x": "healthy"}, [(0, diagnosis(problems={"a"}))], "advised"),
        ({"x": "healthy"}, [(0, UNKNOWN)], "unknown"),
        # What another runbook of the same play did has nothing to do with it.
        ({"x": "healthy", "y": "resolved"}, [(0, HEALTHY)], "healthy"),
        ({"x": "healthy", "y": "resolved"}, [(0, diagnosis(problems={"a"}))], "advised"),
    ],
)
def test_what_brought_a_runbook_here_is_looked_at_again(ended, looks, outcome):
    found = dict(owned(problems={"a"}, a="x"), runbook_meta={"escalation": "lead"})
    state = lifecycle.begin(found, OPTIONS)
    assert (state["outcome"], state["handed_over"]) == ("advised", True)
    for at, look in looks:
        assert state["outcome"] in ("advised", "")
        state = lifecycle.handed_back(state, look, ended, OPTIONS, 3000.0 + at)
    result = lifecycle.result_of(state, looks[-1][1], False, 3100.0)
    assert (result["outcome"], result["hand_over"], state["handed_over"]) == (outcome, ["x"], False)
    assert bool(result["escalation"]) is (outcome not in ("resolved", "healthy"))
    assert f"x ended {ended['x']}" in result["summary"]
    assert looks[-1][1]["msg"] in result["summary"] or outcome in ("resolved", "healthy")


def test_failed_escalation_changes_no_outcome():
    state = lifecycle.escalated(lifecycle.begin(UNKNOWN, OPTIONS), "pager is down")
    assert (state["outcome"], state["notes"]) == ("unknown", ["escalation failed: pager is down"])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of one run, as pure functions from one state to the next.

The state is plain data that the tasks of the role ``run`` carry along:

``id``
    Of the run. ``first`` and ``last`` are the diagnoses at its two ends.
``outcome``
    Empty while the run goes on.
``guard``
    What stopped it, ``{"name": ..., "reason": ...}``, or empty.
``steps``
    What is to be done; ``actions``: what was begun, each with its ``state``: ``running``, ``done``, ``failed``,
    ``rolled_back`` or ``rollback_failed``, and with ``helped`` once that is known.
``notes``
    Lines for the report.
``hand_over``
    The runbooks that own what is left; ``handed_over``: whether they own all of it; ``above``: those that handed over to
    this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.text.masking import masked
from .judge import (
    HEALTHY,
    OK,
    PROBLEM,
    RISKS,
    UNKNOWN,
    before_and_after,
    is_signal,
)

PLANNED, RESOLVED, UNRESOLVED = "planned", "resolved", "unresolved"
BLOCKED, ADVISED = "blocked", "advised"
OUTCOMES = (HEALTHY, PLANNED, RESOLVED, UNRESOLVED, BLOCKED, ADVISED, UNKNOWN)
COLORS = {HEALTHY: "green", RESOLVED: "green", PLANNED: "cyan", ADVISED: "yellow"}
NEEDS_A_PERSON = (UNRESOLVED, BLOCKED, ADVISED, UNKNOWN)

State = dict[str, Any]

# As a person, a program or a workflow launches a job: with an approval of now. AWX launches a job again, or by its schedule,
# with the variables of then.
_LAUNCHED_ANEW = ("", "manual", "workflow")


def begin(diagnosis: Mapping[str, Any], options: Mapping[str, Any]) -> State:
    """What to do about a first diagnosis.

    Args:
        diagnosis: as the action plugin ``diagnosis`` returns it.
        options: ``check`` (bool), ``until``, ``max_risk``, ``plan`` (hashes approved, a list), ``needs_plan`` (bool:
            act on an approved plan only), ``launched`` (how AWX launched the job; "" outside of AWX), ``host`` (act on no
            other; "" for any), ``may_act`` (runbooks, or ``all``), ``override`` and ``above`` (the runbooks that handed over
            to this one).
    """
    state = dict(_fresh(diagnosis), override=override_of(options["override"]), above=list(options["above"]))
    if diagnosis["status"] == UNKNOWN:
        return _ended(state, UNKNOWN)
    if options["check"] or options["until"] != "verify":
        return _ended(state, PLANNED)
    return _guarded(state, diagnosis, options)


def override_of(value: Any) -> str:
    """The reason of an override, or "": what merely says no, or nothing, is not one."""
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() in ("false", "no", "none", "null", "off", "0") else text


def _fresh(diagnosis: Mapping[str, Any]) -> State:
    return {
        "id": diagnosis["id"],
        # A later diagnosis that fails leaves nothing behind that says what this run is about.
        "about": {key: diagnosis.get(key, "") for key in ("runbook", "host", "role", "verify", "runbook_meta")},
        "first": _kept(diagnosis),
        "last": _kept(diagnosis),
        "outcome": "",
        "guard": {},
        "steps": [],
        "actions": [],
        "override": "",
        "passed_guards": [],
        "claimed": [],
        "verify": {},
        "notes": [],
        "above": [],
        "hand_over": [],
        "handed_over": False,
    }


def confirm(state: State, diagnosis: Mapping[str, Any], options: Mapping[str, Any]) -> State:
    """What to do after the second look, taken before anything is touched. Only what both show is acted on."""
    state = dict(state, outcome="", last=_kept(diagnosis), notes=list(state["notes"]))
    if diagnosis["status"] == HEALTHY:
        state["notes"].append(f"gone at the second look: {state['first']['msg']}")
        return _ended(state, HEALTHY)
    if diagnosis["status"] == UNKNOWN:
        return _ended(state, UNKNOWN)
    both = _problems(state["first"]) & _problems(diagnosis)
    if not both:
        state["notes"].append(f"the two looks differ; the first was: {state['first']['msg']}")
        return _ended(state, UNKNOWN)
    return _guarded(state, diagnosis, options, both)


def _guarded(
    state: State, diagnosis: Mapping[str, Any], options: Mapping[str, Any], causes: set[str] | None = None
) -> State:
    plan = diagnosis["plan"]
    steps = [step for step in plan["steps"] if step["available"]]
    if causes is not None:
        steps = [step for step in steps if step["cause"] in causes]
    if not steps:
        return _ended(state, ADVISED)
    host = options["host"]
    if host and host != diagnosis["host"]:
        return _blocked(
            state, "host", f"this run is for {host} alone (run_host), and here it is on {diagnosis['host']}"
        )
    if not {"all", diagnosis["runbook"]} & {*options["may_act"]}:
        reason = f"{diagnosis['runbook']} may not act in this run (run_may_act); its plan is {plan['hash']}"
        return _blocked(state, "may_act", reason)
    approved = options["plan"]
    if (approved or options["needs_plan"]) and options["launched"] not in _LAUNCHED_ANEW:
        reason = f"an approval holds for one launch, and how AWX launched this job is {options['launched']!r}"
        return _blocked(
            state, "plan", f"{reason}; launch it anew, and approve the plan of then, which is now {plan['hash']}"
        )
    if options["needs_plan"] and not approved:
        return _blocked(state, "plan", f"no approved plan was given; the plan now is {plan['hash']}")
    if approved and plan["hash"] not in approved:
        reason = f"the approved plan {', '.join(approved)} is not the plan now, which is {plan['hash']}"
        return _blocked(state, "plan", f"{reason}; look at it and approve it")
    if RISKS.index(plan["risk"]) > RISKS.index(options["max_risk"]):
        reason = f"the plan's risk {plan['risk']} is above run_max_risk {options['max_risk']}"
        if not state["override"]:
            return _blocked(state, "risk", f"{reason}; allow it with -e run_max_risk={plan['risk']}")
        state = dict(state, passed_guards=[{"guard": "risk", "reason": reason}])
    return dict(state, steps=steps)


def claimed(state: State, claim: Mapping[str, Any]) -> State:
    """What the ledger's answer to a claim means."""
    if not claim.get("granted"):
        return _blocked(state, claim.get("guard", "ledger"), claim.get("reason", "the ledger gave no answer"))
    passed = [*state["passed_guards"], *(claim.get("passed_guards") or [])]
    return dict(state, claimed=state["steps"], passed_guards=passed)


def to_claim(state: State) -> list[dict[str, Any]]:
    """The remedies as the ledger takes a claim for them."""
    return [{key: step[key] for key in ("remedy", "cause", "targets", "undo")} for step in state["steps"]]


def for_ledger(state: State) -> list[dict[str, Any]]:
    """What became of each remedy claimed, as the ledger takes it."""
    begun = [
        {**{key: action[key] for key in ("remedy", "cause", "helped")}, "state": action["state"]}
        for action in state["actions"]
    ]
    left = state["claimed"][len(begun) :]
    return begun + [{"remedy": step["remedy"], "cause": step["cause"], "state": "not_started"} for step in left]


def step_begun(state: State, step: Mapping[str, Any], now: float) -> State:
    """A remedy is about to run."""
    action = {key: step[key] for key in ("remedy", "cause", "risk", "targets", "undo")}
    action.update(state="running", helped=None, started_at=round(now, 3), seconds=None, details={}, reason="")
    return dict(state, actions=[*state["actions"], action])


def step_done(state: State, details: Any, now: float) -> State:
    """The remedy that was running has ended. ``details``: what its last module said it did."""
    kept = {
        key: value
        for key, value in (details if isinstance(details, Mapping) else {}).items()
        if key not in _NO_DETAIL and not key.startswith(("_", "ansible_"))
    }
    return _last_action(state, {"state": "done", "details": kept, "seconds": _since(state, now)})


_NO_DETAIL = {
    *("changed", "failed", "diff", "invocation", "warnings", "deprecations", "attempts"),
    *("stdout", "stderr", "stdout_lines", "stderr_lines", "exception"),
}


def step_failed(state: State, task: str, message: Any, now: float) -> State:
    """Something went wrong on the way."""
    reason = f"{task}: {masked(message, 500)}"
    if not state or state["outcome"]:
        return noted(state, reason) if state else state
    running = bool(state["actions"]) and state["actions"][-1]["state"] == "running"
    if running:
        seconds = _since(state, now)
        state = _last_action(state, {"state": "failed", "helped": False, "reason": reason, "seconds": seconds})
    state = dict(state, notes=[*state["notes"], reason])
    return _to_roll_back(state, {action["cause"] for action in state["actions"]})


def _since(state: State, now: float) -> float:
    return round(max(0.0, now - state["actions"][-1]["started_at"]), 3)


def _last_action(state: State, changes: Mapping[str, Any]) -> State:
    return dict(state, actions=[*state["actions"][:-1], {**state["actions"][-1], **changes}])


def looked(state: State, diagnosis: Mapping[str, Any], options: Mapping[str, Any], now: float) -> State:
    """What one look after the remedies proves.

    The causes acted on and the signal must be gone, and stay gone for ``verify_seconds``, before ``verify_timeout_seconds``
    are over. A cause of which nothing is known is not gone.
    """
    verify = dict(state["verify"] or {"started_at": now, "good_since": None, "looks": 0})
    verify["looks"] += 1
    # A signal that something else explains now is still there.
    gone = {one["cause"] for one in diagnosis["findings"] if one["status"] == OK and not one.get("explained_by")}
    acted_on = {action["cause"] for action in state["actions"]}
    left = acted_on if _signal_is_left(state, diagnosis) else acted_on - gone
    state = dict(state, last=_kept(diagnosis), verify=verify)
    if not left:
        if verify["good_since"] is None:
            verify["good_since"] = now
        if now - verify["good_since"] < options["verify_seconds"]:
            return state
        state = _helped(state, set())
        return _ended(state, _after_good_fix(state))
    verify["good_since"] = None
    if now - verify["started_at"] < options["verify_timeout_seconds"]:
        return state
    return _to_roll_back(_helped(state, left), left)


def _signal_is_left(state: State, diagnosis: Mapping[str, Any]) -> bool:
    """Whether what brought the run here is still there, and no other cause that both looks name is why."""
    if (_problems(state["first"]) & _problems(diagnosis)) - {action["cause"] for action in state["actions"]}:
        return False
    measured_first = {row["name"] for row in state["first"]["health"] if row["shown"] is not None}
    return any(
        row["shown"] is False or (row["shown"] is None and row["name"] in measured_first)
        for row in diagnosis["health"]
        if is_signal(row)
    )


def _after_good_fix(state: State) -> str:
    """The outcome where every cause acted on is gone; something else can still be wrong."""
    status = state["last"]["status"]
    if status == PROBLEM:
        return ADVISED if _owned_elsewhere(state)[1] or _is_left_behind(state) else UNRESOLVED
    return RESOLVED if status == HEALTHY else UNKNOWN


def _is_left_behind(state: State) -> bool:
    """Whether all that is left is what the fault left behind, which a person decides about."""
    problems = [finding for finding in state["last"]["findings"] if finding["status"] == PROBLEM]
    return bool(problems) and all(finding.get("left_behind") for finding in problems)


def _owned_elsewhere(state: State) -> tuple[list[str], bool]:
    """The runbooks that own the problems found last, and whether every problem has one.

    A runbook that handed over to this one owns nothing: they would hand it to each other for ever.
    """
    problems = [finding for finding in state["last"]["findings"] if finding["status"] == PROBLEM]
    owners = [finding.get("hand_over", "") for finding in problems]
    owners = ["" if owner in state["above"] else owner for owner in owners]
    return list(dict.fromkeys(filter(None, owners))), bool(owners) and all(owners)


def handed_back(
    state: State, diagnosis: Mapping[str, Any], ended: Mapping[str, str], options: Mapping[str, Any], now: float
) -> State:
    """What one look at the own signal proves, after the runbooks that own its causes have ended well.

    They look at theirs: what brought this runbook here may still be there, for another reason.

    Args:
        ended: runbook of this play -> its outcome; of those that were handed over to it is healthy or resolved.
    """
    since = state.get("handed_back_at") or now
    state = dict(state, outcome="", handed_back_at=since, last=_kept(diagnosis))
    hand_over = state["hand_over"]
    acted = bool(state["actions"]) or RESOLVED in [ended[runbook] for runbook in hand_over]
    good = diagnosis["status"] == HEALTHY
    # What was put right a moment ago may need one.
    if not good and acted and now - since < options["verify_timeout_seconds"]:
        return state
    if good:
        outcome = RESOLVED if acted else HEALTHY
    elif diagnosis["status"] == PROBLEM:
        outcome = UNRESOLVED if acted else ADVISED
    else:
        outcome = UNKNOWN
    said = [f"{runbook} ended {ended[runbook]}" for runbook in hand_over]
    after = [] if good else [f"looked at again after that: {diagnosis['msg']}"]
    state = _ended(dict(state, notes=[*state["notes"], *said, *after]), outcome)
    # Nobody else sees to what is left.
    return dict(state, hand_over=hand_over, handed_over=False)


def _helped(state: State, left: set[str]) -> State:
    actions = [dict(action, helped=action["cause"] not in left) for action in state["actions"]]
    return dict(state, actions=actions)


def _to_roll_back(state: State, causes: set[str]) -> State:
    """Unresolved; what was done about ``causes`` and can be undone is to be, the last first."""
    undo = [
        index
        for index, action in enumerate(state["actions"])
        if action["cause"] in causes and action["undo"] is not None
    ]
    state = dict(state, roll_back=undo[::-1])
    return _ended(state, UNRESOLVED if state["actions"] else UNKNOWN)


def rolled_back(state: State, index: int, failure: Any = "") -> State:
    """One rollback has ended, well or (with ``failure``) not."""
    actions = [dict(action) for action in state["actions"]]
    actions[index]["state"] = "rollback_failed" if failure else "rolled_back"
    notes = list(state["notes"])
    if failure:
        actions[index]["reason"] = masked(failure, 500)
        notes.append(f"rollback of {actions[index]['remedy']} failed: {masked(failure, 300)}")
    return dict(state, actions=actions, notes=notes)


def escalated(state: State, failure: Any = "") -> State:
    """The escalation hook has run, well or not. Its failure changes no outcome."""
    return noted(state, f"escalation failed: {failure}" if failure else "escalated")


def noted(state: State, line: Any) -> State:
    """One more line for the report."""
    return dict(state, notes=[*state["notes"], masked(line, 300)])


def _kept(diagnosis: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: diagnosis[key]
        for key in ("id", "at", "status", "msg", "findings", "health", "not_looked_at", "plan", "evidence")
    }


def _problems(diagnosis: Mapping[str, Any]) -> set[str]:
    return {finding["cause"] for finding in diagnosis["findings"] if finding["status"] == PROBLEM}


def _ended(state: State, outcome: str) -> State:
    state = dict(state, outcome=outcome, steps=[])
    if outcome in (ADVISED, PLANNED):
        state["hand_over"], state["handed_over"] = _owned_elsewhere(state)
    return state


def _blocked(state: State, guard: str, reason: str) -> State:
    return dict(_ended(state, BLOCKED), guard={"name": guard, "reason": reason})


def result_of(state: State, diagnosis: Mapping[str, Any], check_mode: bool, now: float) -> dict[str, Any]:
    """What is published and recorded about a run.

    Args:
        state: the state at the end, or an empty one where the first diagnosis was healthy.
        diagnosis: the last diagnosis.
        check_mode: whether nothing was to be changed.
        now: epoch seconds.
    """
    if not state:
        state = dict(_fresh(diagnosis), outcome=HEALTHY if diagnosis["status"] == HEALTHY else UNKNOWN)
    about = state["about"]
    first, last = state["first"], state["last"]
    outcome = state["outcome"] or UNKNOWN
    return {
        "run_id": state["id"],
        "runbook": about["runbook"],
        "host": about["host"],
        "outcome": outcome,
        "summary": _summary(outcome, state),
        "started_at": first["at"],
        "finished_at": round(now, 3),
        "seconds": round(max(0.0, now - first["at"]), 3),
        "check_mode": check_mode,
        "findings": first["findings"],
        "findings_after": last["findings"] if last["id"] != first["id"] else [],
        # What was seen working, with its figures, before and after.
        "health": first["health"],
        "health_after": last["health"] if last["id"] != first["id"] else [],
        "before_and_after": before_and_after(first["health"], last["health"]),
        "not_looked_at": last["not_looked_at"],
        "plan": (first if state["actions"] or outcome == PLANNED else last)["plan"],
        "actions": state["actions"],
        # None and not {}: set_stats merges the dictionaries of two runs.
        "guard": state["guard"] or None,
        "override": state["override"],
        "passed_guards": state["passed_guards"],
        "evidence": first["evidence"] or None,
        "evidence_after": (last["evidence"] or None) if last["id"] != first["id"] else None,
        "notes": state["notes"],
        "title": (about["runbook_meta"] or {}).get("title", ""),
        "severity": (about["runbook_meta"] or {}).get("severity", ""),
        # The runbook that takes over calls a person where one is needed.
        "escalation": (about["runbook_meta"] or {}).get("escalation", "")
        if outcome in NEEDS_A_PERSON and not state["handed_over"]
        else "",
        "hand_over": state["hand_over"],
    }


def _summary(outcome: str, state: State) -> str:
    first, last = state["first"]["msg"], state["last"]["msg"]
    done = ", ".join(action["remedy"] for action in state["actions"])
    undone = ", ".join(action["remedy"] for action in state["actions"] if action["state"] == "rolled_back")
    if outcome == BLOCKED:
        return f"{state['guard']['reason']} (found: {last})"
    if outcome == RESOLVED and done:
        return f"{first}; {done} helped"
    if outcome == ADVISED and done and _is_left_behind(state):
        return f"{first}; {done} helped; what it left for a person: {last}"
    if state.get("handed_back_at"):
        return "; ".join([first, *state["notes"]])
    if state["actions"]:
        undone = f", {undone} rolled back" if undone else ""
        # What is as it was need not be said again before the reason.
        said = state["notes"] if last == first and state["notes"] else [last, *state["notes"]]
        return f"{first}; after {done}{undone}: {'; '.join(said)}"
    handed = [f"handed over to {', '.join(state['hand_over'])}"] if state["hand_over"] else []
    return "; ".join([last, *state["notes"], *handed])

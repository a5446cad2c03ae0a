# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps of a policy are due. Pure: the record and the time come in, timers come out.

Nothing is remembered here. A timer has a name made of the incident, of what armed it, of the round and of the step: where the store takes each
name once, a step fires once, on all nodes, after a restart, and with a clock that was set back.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .policy import Policy, Step

ENDED = frozenset({"resolved", "closed", "cancelled", "merged"})
# What a person does who has not forgotten.
_ALIVE = frozenset(
    {"assigned", "role", "note", "approval", "step", "update", "pinned", "corrected", "postmortem", "action_item"}
)
_NOT_FIXED = frozenset({"unresolved", "blocked"})
PROGRAM = "oncall"


@dataclass(frozen=True)
class Standing:
    """How an incident stands for its escalation, as its timeline tells.

    Attributes:
        incident: its id.
        state: as the last entry left it; what has ended has no timers.
        severity: the level now.
        runbooks: those that belong to it.
        arming: number of the entry that armed the escalation.
        armed_at: since when its minutes count; after a snooze that is its end.
        acknowledged: number of the entry that acknowledged it since; 0 where nobody has.
        alive: number of the last entry in which a person did something since; ``alive_at``: when.
        mitigated: whether it was mitigated since.
        failed: number of the entry in which a run first could not fix it since; 0 for none. ``failed_at``: when.
        fired: names of timers that have fired or were stopped.
        seen_at: when the last entry was written: it is not earlier than that, whatever a clock says.
    """

    incident: str
    state: str = "triggered"
    severity: str = ""
    runbooks: tuple[str, ...] = ()
    arming: int = 1
    armed_at: float = 0.0
    acknowledged: int = 0
    alive: int = 0
    alive_at: float = 0.0
    mitigated: bool = False
    failed: int = 0
    failed_at: float = 0.0
    fired: frozenset[str] = frozenset()
    seen_at: float = 0.0


@dataclass(frozen=True)
class Timer:
    """A step at its time.

    Attributes:
        name: the same wherever and however often it is worked out.
        step: what happens.
        due_at: when.
        round: 0 for the first time.
        forgotten: whether it is there because somebody acknowledged and then did nothing.
    """

    name: str
    step: Step
    due_at: float
    round: int = 0
    forgotten: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The targets."""
        return self.step.roles


def standing(
    incident: str, timeline: Iterable[Mapping[str, Any]], policy: Policy, machines: Collection[str] = (PROGRAM,)
) -> Standing:
    """How an incident stands.

    Args:
        incident: its id.
        timeline: its entries in order, as dicts.
        policy: the one it began with.
        machines: who is no person: what these write is no sign of life.
    """
    is_decided = False
    now: dict[str, Any] = {"incident": incident}
    runbooks: list[str] = []
    fired: set[str] = set()
    for entry in timeline:
        kind, data, number = entry["kind"], entry.get("data") or {}, int(entry["number"])
        at = float(entry.get("written_at") or entry["at"])
        now["seen_at"] = max(now.get("seen_at", at), at)
        if kind == "opened":
            now["severity"] = str(data.get("severity") or "")
            is_decided = str(data.get("proposed") or "") not in ("", now["severity"])
            _arm(now, number, at)
        elif kind == "reopened":
            now["state"] = "triggered"
            _arm(now, number, at)
        elif kind == "severity":
            # What the matrix proposes later changes nothing where a person has decided.
            if data.get("proposed") and is_decided:
                continue
            is_decided = not data.get("proposed")
            if _is_raised(policy, now.get("severity", ""), str(data["to"]), data.get("raised")):
                _arm(now, number, at)
            now["severity"] = str(data["to"])
        elif kind == "snoozed":
            _arm(now, number, float(data["until"]))
        elif kind in ("acknowledged", "mitigated"):
            now["acknowledged"] = number
            now["mitigated"] = now.get("mitigated", False) or kind == "mitigated"
        elif kind in ENDED:
            now["state"] = kind
        elif kind == "run" and str(data.get("outcome")) in _NOT_FIXED and not now.get("failed"):
            now.update(failed=number, failed_at=at)
        elif kind == "timer" and (
            data.get("state") in ("fired", "stopped") or data.get("fired") or data.get("stopped")
        ):
            fired.add(str(data["timer"]))
        if kind in ("acknowledged", "mitigated") or (kind in _ALIVE and entry.get("who") not in machines):
            now.update(alive=number, alive_at=at)
        if (name := str(data.get("runbook") or "")) and name not in runbooks:
            runbooks.append(name)
    return Standing(**now, runbooks=tuple(runbooks), fired=frozenset(fired))


def _arm(now: dict[str, Any], number: int, at: float) -> None:
    now.update(arming=number, armed_at=at, acknowledged=0, mitigated=False, failed=0, failed_at=0.0)


def _is_raised(policy: Policy, before: str, after: str, said: Any) -> bool:
    if isinstance(said, bool):
        return said
    order = policy.severities
    if after not in order or before == after:
        return False
    return before not in order or order.index(after) < order.index(before)


def timers(policy: Policy, incident: Standing) -> list[Timer]:
    """All timers that are armed, in the order of their times; those that have fired are none any more.

    Nothing is armed where the incident has ended. Where it is acknowledged, only what waits for its resolution is, and what a forgotten
    acknowledgement arms anew.
    """
    if incident.state in ENDED:
        return []
    found = [
        timer
        for step in policy.steps
        if applies(step, incident) and not (incident.acknowledged and step.unless == "acknowledged")
        for timer in _of(policy, incident, step, f"{incident.arming}", incident.armed_at)
    ]
    if (at := forgotten_at(policy, incident)) is not None:
        found += [
            timer
            for step in policy.steps
            if applies(step, incident) and step.unless == "acknowledged" and step.begins == "opened"
            for timer in _of(policy, incident, step, f"{incident.alive}f", at, forgotten=True)
        ]
    return sorted(found, key=lambda timer: (timer.due_at, timer.name))


def due(policy: Policy, incident: Standing, now: float) -> list[Timer]:
    """The timers that have to fire now, each once.

    Where several rounds of a step are due, because nobody was there to fire them, only the last one is: nobody is told the same twice at once.
    """
    at = max(now, incident.seen_at)
    last: dict[tuple[str, bool], Timer] = {}
    for timer in timers(policy, incident):
        if timer.due_at <= at:
            last[(timer.step.name, timer.forgotten)] = timer
    return list(last.values())


def next_at(policy: Policy, incident: Standing, now: float) -> float | None:
    """When the next timer is due that is not due now; None where none is."""
    at = max(now, incident.seen_at)
    return next(
        (timer.due_at for timer in timers(policy, incident) if timer.due_at > at and timer.due_at < math.inf), None
    )


def is_wanted(policy: Policy, incident: Standing, name: str) -> bool:
    """Whether a message of this timer, already on its way, is still to be sent: not where it was acknowledged or has ended meanwhile."""
    unfired = Standing(**{**_fields(incident), "fired": incident.fired - {name}})
    return any(timer.name == name for timer in timers(policy, unfired))


def _fields(incident: Standing) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in incident.__dataclass_fields__}


def forgotten_at(policy: Policy, incident: Standing) -> float | None:
    """When an acknowledgement times out: nobody who acknowledged has done anything since, and nothing is mitigated.

    A snooze that goes on holds that back too: an acknowledgement meanwhile does not shorten it.
    """
    if policy.acknowledged_for_minutes is None or not incident.acknowledged or incident.mitigated:
        return None
    return max(incident.alive_at + policy.acknowledged_for_minutes * 60, incident.armed_at)


def needs_acknowledgement(policy: Policy, incident: Standing, now: float) -> bool:
    """Whether acknowledging changes something now, though somebody may have acknowledged before: an entry has to be written."""
    if incident.state in ENDED:
        return False
    forgotten = forgotten_at(policy, incident)
    return not incident.acknowledged or (forgotten is not None and forgotten <= max(now, incident.seen_at))


def applies(step: Step, incident: Standing) -> bool:
    """Whether a step is one for this incident, whatever the time."""
    if step.begins == "person" or (step.begins == "fix_failed" and not incident.failed):
        return False
    if step.severities and incident.severity not in step.severities:
        return False
    return not step.runbooks or bool(set(step.runbooks) & set(incident.runbooks))


def _of(
    policy: Policy, incident: Standing, step: Step, arming: str, armed_at: float, forgotten: bool = False
) -> Iterable[Timer]:
    base = incident.failed_at if step.begins == "fix_failed" else armed_at
    # What waits for a resolution is told once: who is at work needs no second call.
    rounds = 0 if step.unless == "resolved" else policy.repeat
    every = (policy.repeat_every_minutes or 0) * 60
    named = [f"{incident.incident}/{arming}/{number}/{step.name}" for number in range(rounds + 1)]
    done = max((number for number, name in enumerate(named) if name in incident.fired), default=-1)
    for number, name in enumerate(named):
        # What comes after a later round is of no use.
        if number > done:
            yield Timer(
                name,
                step,
                _at(policy, incident.severity, base, step.after_minutes * 60 + number * every),
                number,
                forgotten,
            )


def _at(policy: Policy, severity: str, base: float, seconds: float) -> float:
    if policy.hours and severity in policy.held:
        return policy.hours.hours().after(base, seconds)
    return base + seconds

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run, as typed data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

# Of the JSON document; raised when something in it changes its meaning or goes away.
SCHEMA = 1


class Outcome(str, Enum):
    """How a run ended, the best first. A run over several hosts ends as the worst of them.

    ``unknown`` is the worst: nobody knows whether it is fine.
    """

    HEALTHY = "healthy"
    RESOLVED = "resolved"
    PLANNED = "planned"
    ADVISED = "advised"
    BLOCKED = "blocked"
    UNRESOLVED = "unresolved"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


# One for each outcome. Above them: nothing was begun (64), a fault of this program (70), cut off by time (124)
# or by a person (130).
EXIT_CODES = {
    Outcome.HEALTHY: 0,
    Outcome.RESOLVED: 10,
    Outcome.PLANNED: 11,
    Outcome.ADVISED: 12,
    Outcome.BLOCKED: 20,
    Outcome.UNRESOLVED: 21,
    Outcome.UNKNOWN: 22,
}
NOT_BEGUN, FAULT, TIMED_OUT, CANCELED = 64, 70, 124, 130


@dataclass(frozen=True)
class Finding:
    """A cause, judged: ``status`` is ``problem``, ``ok`` or ``unknown``; an unknown one has a ``reason``."""

    cause: str
    status: str
    summary: str = ""
    reason: str = ""
    advice: tuple[str, ...] = ()
    evidence: Any = None


@dataclass(frozen=True)
class Step:
    """A remedy of a plan, with its risk and exactly what it would touch; ``why_not`` where it is not available.

    For a person: the targets in ``words``, what it ``does``, and how it is ``undone`` or why it is ``irreversible``.
    """

    remedy: str
    cause: str
    risk: str
    targets: tuple[Any, ...]
    available: bool
    why_not: str = ""
    words: str = ""
    does: str = ""
    undone: str = ""
    irreversible: str = ""


@dataclass(frozen=True)
class Plan:
    """What would be done, and the hash that approves exactly that."""

    hash: str = ""
    risk: str = "none"
    steps: tuple[Step, ...] = ()

    @property
    def is_actionable(self) -> bool:
        return any(step.available for step in self.steps)


@dataclass(frozen=True)
class Action:
    """A remedy that ran: its ``state``, and whether it ``helped``."""

    remedy: str
    cause: str
    risk: str
    targets: tuple[Any, ...]
    state: str
    helped: bool | None
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True)
class RunbookRun:
    """One runbook on one host."""

    run_id: str
    runbook: str
    outcome: Outcome
    summary: str
    started_at: float | None
    seconds: float | None
    findings: tuple[Finding, ...] = ()
    plan: Plan = field(default_factory=Plan)
    actions: tuple[Action, ...] = ()
    guard: str = ""
    escalation: str = ""
    notes: tuple[str, ...] = ()
    hand_over: tuple[str, ...] = ()
    before_and_after: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    # Of triage, what a person reads, and what it worked out of the whole: name -> the text that says it.
    lines: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: Any = None


@dataclass(frozen=True)
class HostResult:
    """What came of a run on one host.

    Attributes:
        outcome: the worst of the runbook asked for and those it handed over to.
        runs: the runbook asked for first, then those it handed over to.
    """

    host: str
    outcome: Outcome
    summary: str
    runs: tuple[RunbookRun, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for run in self.runs for finding in run.findings)

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(action for run in self.runs for action in run.actions)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans that a person can approve."""
        return tuple(run.plan for run in self.runs if run.plan.is_actionable)


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Attributes:
        status: ``ended``, ``timed_out``, ``canceled``, or ``died`` where ansible-playbook was gone before its end; of the last
            three the hosts tell only what is known.
        hosts: by name.
        may_have_acted: whether a remedy may have been begun; False is certain.
        record: the JSON record that was kept, if one could be.
    """

    runbook: str
    mode: str
    status: str
    started_at: float
    seconds: float
    hosts: dict[str, HostResult]
    may_have_acted: bool = True
    record: Path | None = None

    @property
    def outcome(self) -> Outcome:
        """The worst of the hosts'; unknown where some may be missing."""
        if self.status == "died":
            return Outcome.UNKNOWN
        order = list(Outcome)
        return max((host.outcome for host in self.hosts.values()), key=order.index, default=Outcome.UNKNOWN)

    @property
    def exit_code(self) -> int:
        return {"timed_out": TIMED_OUT, "canceled": CANCELED}.get(self.status, EXIT_CODES[self.outcome])

    def to_dict(self) -> dict[str, Any]:
        """The JSON document that ``oncall run --json`` prints, as ``oncall/result.schema.json`` describes it."""
        document = asdict(self)
        document.update(
            schema=SCHEMA,
            outcome=self.outcome,
            exit_code=self.exit_code,
            hosts=list(document["hosts"].values()),
            record=str(self.record) if self.record else None,
        )
        return document


def of_document(document: Mapping[str, Any]) -> Result:
    """What `Result.to_dict` wrote; ValueError where it is something else."""
    import msgspec

    try:
        hosts = {host["host"]: host for host in document["hosts"]}
        result: Result = msgspec.convert({**document, "hosts": hosts}, Result, dec_hook=lambda kind, value: kind(value))
    except (LookupError, TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"no result of a run: {error}") from None
    return result


def host_result(host: str, published: Mapping[str, Any], asked: str, failure: str) -> HostResult:
    """What one host came to.

    Args:
        host: its name.
        published: runbook -> what the role ``run`` published with ``set_stats``.
        asked: the runbook that was asked for.
        failure: why it did not come to an end; "" where it did.
    """
    runs = {str(name): _run(told) for name, told in published.items()}
    first = runs.pop(asked, None)
    if first is None:
        return HostResult(host, Outcome.UNKNOWN, failure or "the runbook came to no end", tuple(runs.values()))
    # Its own outcome counts too: the others only looked at what is theirs.
    ends = [*(runs[owner] for owner in first.hand_over if owner in runs), first]
    end = max(ends, key=lambda run: list(Outcome).index(run.outcome))
    if failure:
        return HostResult(host, Outcome.UNKNOWN, failure, (first, *runs.values()))
    summary = end.summary if end is first else f"{first.summary}; {end.runbook}: {end.summary}"
    return HostResult(host, end.outcome, summary, (first, *runs.values()))


def _run(told: Mapping[str, Any]) -> RunbookRun:
    plan = told.get("plan") or {}
    return RunbookRun(
        run_id=str(told.get("run_id") or ""),
        runbook=str(told["runbook"]),
        outcome=Outcome(told["outcome"]),
        summary=str(told["summary"]),
        started_at=told.get("started_at"),
        seconds=told.get("seconds"),
        findings=tuple(_finding(one) for one in told.get("findings") or ()),
        plan=Plan(
            str(plan.get("hash") or ""), str(plan.get("risk") or "none"), tuple(map(_step, plan.get("steps") or ()))
        ),
        actions=tuple(_action(one) for one in told.get("actions") or ()),
        guard=str((told.get("guard") or {}).get("name") or ""),
        escalation=str(told.get("escalation") or ""),
        notes=tuple(map(str, told.get("notes") or ())),
        hand_over=tuple(map(str, told.get("hand_over") or ())),
        before_and_after=tuple(map(str, told.get("before_and_after") or ())),
        not_looked_at=tuple(map(str, told.get("not_looked_at") or ())),
        lines=tuple(map(str, told.get("lines") or ())),
        facts={str(name): str(text) for name, text in (told.get("facts") or {}).items()},
        evidence=told.get("evidence"),
    )


def _finding(told: Mapping[str, Any]) -> Finding:
    advice = told.get("advice") or ()
    return Finding(
        cause=str(told["cause"]),
        status=str(told["status"]),
        summary=str(told.get("summary") or ""),
        reason=str(told.get("reason") or ""),
        advice=(advice,) if isinstance(advice, str) else tuple(map(str, advice)),
        evidence=told.get("evidence"),
    )


def _step(told: Mapping[str, Any]) -> Step:
    return Step(
        remedy=told["remedy"],
        cause=told["cause"],
        risk=told["risk"],
        targets=tuple(told.get("targets") or ()),
        available=bool(told["available"]),
        **{key: str(told.get(key) or "") for key in ("why_not", "words", "does", "undone", "irreversible")},
    )


def _action(told: Mapping[str, Any]) -> Action:
    return Action(
        remedy=told["remedy"],
        cause=told["cause"],
        risk=told["risk"],
        targets=tuple(told.get("targets") or ()),
        state=told["state"],
        helped=told.get("helped"),
        seconds=told.get("seconds"),
        reason=str(told.get("reason") or ""),
    )

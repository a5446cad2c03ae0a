# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs together: which incident an alert or a run is of, and what a run writes into it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..results import HostResult, Outcome, RunbookRun
from ..shared import masked
from .commands import PROGRAM, Write
from .record import RESOLVED, Incident

# A run that somebody began before the alert came is of the same incident.
BEFORE_SECONDS = 1800.0
# No part of a word, such as of p95 or of an address.
NUMBER = re.compile(r"(?<![\w.,:-])\d[\d,]*(?:\.\d+)?(?![\w:]|\.\d)")
UNIT = re.compile(r"\s?(?!(?:of|in|at|to|is|and|or)\b)(%|[A-Za-zµ]{1,3})(?![\w])")
# Of one entry, that are named in its words, and in its data.
SHOWN_HOSTS, MOST_HOSTS = 3, 50
# What a person decides on a plan.
APPROVED, REJECTED = "approved", "rejected"
# Of the diff of a plan: targets of a step, characters of a line, and of all of it in an entry.
MOST_TARGETS, MOST_DIFF_LINE, MOST_DIFF = 50, 1500, 4000


@dataclass(frozen=True)
class Firing:
    """An alert that means a runbook on a host: an episode of the service.

    Attributes:
        episode: its id.
        system: what its team calls what is affected.
        at: when it was heard of.
    """

    episode: str
    system: str
    host: str
    runbook: str
    at: float
    fingerprint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    starts_at: float | None = None
    summary: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "") or self.runbook


@dataclass(frozen=True)
class Choice:
    """Where it belongs.

    Attributes:
        incident: into this one; None for a new one.
        relapse: whether that comes again by it.
        again: of a new one, the one before that it is a repeat of.
    """

    incident: Incident | None = None
    relapse: bool = False
    again: Incident | None = None


def system_of(
    host: str,
    labels: Mapping[str, str],
    systems: Mapping[str, Sequence[str]],
    members: Mapping[str, Iterable[str]],
    label: str,
) -> str:
    """The first system that has the host, by its name or a group of it; else what the alert says; else the host itself.

    Args:
        systems: name -> hosts and groups.
        members: group -> its hosts.
        label: of alerts, that names a system.
    """
    for system, parts in systems.items():
        if any(host == part or host in members.get(part, ()) for part in parts):
            return system
    return (label and labels.get(label)) or host


def choose(found: Sequence[Incident], before: Sequence[Incident], firing: Firing, watch_seconds: float) -> Choice:
    """Where an alert belongs.

    An incident of its system that goes on takes it, as it may be another sign of the same. So does one that was resolved after the
    alert had come. Within the watch, the same runbook's alert means that what was resolved was not: it comes again. Everything else
    is a new incident, which names the one before that was about the same.

    Args:
        found: of its system, those that are not over, the newest first.
        before: of its system and runbook, the last ones that are.
    """
    for one in found:
        if one.is_open:
            return Choice(one)
    for one in found:
        if one.state != RESOLVED or one.resolved_at is None:
            continue
        if one.opened_at <= firing.at <= one.resolved_at:
            return Choice(one)
        if firing.at - one.resolved_at <= watch_seconds and firing.runbook in one.runbooks:
            return Choice(one, relapse=True)
    same = [one for one in [*found, *before] if firing.runbook in one.runbooks]
    return Choice(again=max(same, key=lambda one: one.opened_at, default=None))


def of_a_record(
    found: Sequence[Incident], host: str, system: str, began: float, ended: float, watch_seconds: float
) -> Incident | None:
    """The incident that a run is of which nobody began through `oncall serve`: the newest of its system or host at that time."""
    for one in sorted(found, key=lambda one: -one.opened_at):
        until = one.resolved_at + watch_seconds if one.resolved_at is not None else ended
        is_its = host in one.hosts or (system and one.system == system)
        if is_its and one.opened_at - BEFORE_SECONDS <= ended and began <= until:
            return one
    return None


# ---------------------------------------------------------------------- what is written
def alerts(firings: Sequence[Firing]) -> list[Write]:
    """One entry for all alerts of one name and runbook, however many there are, on however many hosts."""
    groups: dict[tuple[str, str], list[Firing]] = {}
    for one in firings:
        groups.setdefault((one.name, one.runbook), []).append(one)
    return [_alerts(group) for group in groups.values()]


def ended(over: Sequence[tuple[Firing, float]]) -> list[Write]:
    """One entry for the end of all alerts of one name and runbook; each comes with the time at which it was over."""
    groups: dict[tuple[str, str], list[tuple[Firing, float]]] = {}
    for one, at in over:
        groups.setdefault((one.name, one.runbook), []).append((one, at))
    return [_ended(group) for group in groups.values()]


def _ended(group: Sequence[tuple[Firing, float]]) -> Write:
    # The last of them says when it was over for all.
    last, at = max(group, key=lambda pair: pair[1])
    hosts = [*dict.fromkeys(one.host for one, _at in group)]
    data = {
        "name": last.name, "fingerprint": last.fingerprint, "ends_at": at, "count": len(group), "host": last.host,
        "hosts": hosts[:MOST_HOSTS], "runbook": last.runbook,
    }  # fmt: skip
    words = f"{_times(group, last.name)} ended on {_on(hosts)}"
    return Write(who=PROGRAM, at=at, kind="alert_ended", words=words, data=data)


def _times(group: Sequence[Any], name: str) -> str:
    return f"{len(group):,} alerts {name}" if len(group) > 1 else f"alert {name}"


def _on(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - SHOWN_HOSTS:,} more" if len(hosts) > SHOWN_HOSTS else ""
    return ", ".join(hosts[:SHOWN_HOSTS]) + more


def _alerts(group: Sequence[Firing]) -> Write:
    first = min(group, key=lambda one: one.at)
    hosts = [*dict.fromkeys(one.host for one in group)]
    data = {
        "name": first.name,
        "fingerprint": first.fingerprint,
        "labels": dict([*first.labels.items()][:40]),
        "starts_at": min((one.starts_at for one in group if one.starts_at is not None), default=None),
        "ends_at": None,
        "count": len(group),
        "host": first.host,
        "hosts": hosts[:MOST_HOSTS],
        "runbook": first.runbook,
    }
    said = f": {first.summary}" if first.summary else ""
    return Write(
        who=PROGRAM, at=first.at, kind="alert", words=f"{_times(group, first.name)} on {_on(hosts)}{said}", data=data
    )


def decision_on(
    episode: str,
    runbook: str,
    host: str,
    plan_hash: str,
    decision: str,
    reason: str,
    who: str,
    at: float,
    run: str = "",
) -> Write:
    """That a person approved or rejected the plan of an episode."""
    data = {
        "plan_hash": plan_hash, "decision": decision, "reason": reason, "runbook": runbook, "host": host, "episode": episode,
    }  # fmt: skip
    words = f"{decision} the plan of {runbook} on {host} ({plan_hash})" + (f": {reason}" if reason else "")
    return Write(who=who, at=at, kind="approval", words=words, data=data, run=run)


def diff(run: RunbookRun) -> list[tuple[str, str]]:
    """What is there, and what a plan would have there instead: a line each without secrets, with ``-``, ``+`` or `` `` before it."""
    found = {one.cause: one.summary or one.reason for one in run.findings}
    told: list[tuple[str, str]] = []
    for step in run.plan.steps:
        if not step.available:
            continue
        told.append((" ", f"{step.remedy} for {step.cause} (risk {step.risk})"))
        told.append(("-", found.get(step.cause) or f"as it is: {step.cause}"))
        for target in step.targets[:MOST_TARGETS] or (step.words,):
            told.append(("+", f"{step.does or step.remedy}: {_in_words(target)}"))
        if len(step.targets) > MOST_TARGETS:
            told.append(("+", f"and {len(step.targets) - MOST_TARGETS} more, which stand above"))
    return [(sign, masked(line, MOST_DIFF_LINE)) for sign, line in told]


def _in_words(target: Any) -> str:
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False, default=str)


def _diff_text(run: RunbookRun) -> str:
    """The diff of an entry: as many of its lines as there is room for."""
    lines = [line if sign == " " else f"{sign} {line}" for sign, line in diff(run)]
    kept, left = 0, MOST_DIFF
    while kept < len(lines) and len(lines[kept]) < left:
        left -= len(lines[kept]) + 1
        kept += 1
    more = [f"… and {len(lines) - kept} lines more; the steps say them"] if kept < len(lines) else []
    return "\n".join([*lines[:kept], *more])


def of_a_run(
    host: HostResult | None,
    run: str,
    runbook: str,
    outcome: str,
    summary: str,
    began: float,
    ended: float,
    record: str = "",
    who: str = PROGRAM,
    where: str = "",
) -> list[Write]:
    """What a run found, planned and did, those that it handed over to as well, and how it ended.

    Args:
        host: what its result says; None where there is none.
        run: its id.
        where: the host, where there is no result.
    """
    name = host.host if host else where
    told: list[Write] = []
    for one in host.runs if host else ():
        told += _of_one(one, name, run, began, ended, who)
    data: dict[str, Any] = {
        "runbook": runbook,
        "uuid": run,
        "outcome": outcome,
        "summary": summary,
        "record": record,
        "host": name,
    }
    if facts := {word: text for one in (host.runs if host else ()) for word, text in one.facts.items()}:
        data["facts"] = facts
    words = f"{runbook} on {name} ended as {outcome}" + (f": {summary}" if summary else "")
    return [*told, Write(who=who, at=ended, kind="run", words=words, data=data, run=run)]


def _of_one(one: RunbookRun, host: str, run: str, began: float, ended: float, who: str) -> list[Write]:
    at = one.started_at if one.started_at is not None else began
    named: dict[str, Any] = {"runbook": one.runbook, "host": host}
    told: list[tuple[str, float, str, dict[str, Any]]] = []
    for found in one.findings:
        if found.status == "ok":
            # That something is fine is in the record; here it would hide what is not.
            continue
        why = found.summary or found.reason
        data = {
            **named,
            "cause": found.cause,
            "status": found.status,
            "summary": why,
            "evidence": found.evidence,
            "figures": {},
        }
        told.append(("finding", at, f"{one.runbook}: {found.cause} is a {found.status}: {why}" if found.status == "problem"
                     else f"{one.runbook}: whether it is {found.cause} is not known: {why}", data))  # fmt: skip
    if one.plan.hash:
        steps = [{"remedy": step.remedy, "risk": step.risk, "targets": [*step.targets]} for step in one.plan.steps]
        remedies = ", ".join(step.remedy for step in one.plan.steps if step.available) or "nothing that may be done"
        data = {**named, "hash": one.plan.hash, "steps": steps, "diff": _diff_text(one)}
        told.append(("plan", at, f"{one.runbook} plans {remedies} ({one.plan.hash})", data))
    for action in one.actions:
        data = {
            **named, "remedy": action.remedy, "target": [*action.targets], "risk": action.risk, "why": action.cause, "before": "",
            "after": action.state, "changed": action.state not in ("skipped", "refused"), "reason": action.reason,
        }  # fmt: skip
        told.append(
            (
                "action",
                ended,
                f"{one.runbook}: {action.remedy} for {action.cause} ({action.risk}): {action.state}",
                data,
            )
        )
    if any(action.helped is not None for action in one.actions):
        helped = any(action.helped for action in one.actions)
        figures = [*one.before_and_after]
        words = f"{one.runbook}: {'it helped' if helped else 'it did not help'}" + (
            f": {'; '.join(figures)}" if figures else ""
        )
        told.append(("verification", ended, words, {**named, "helped": helped, "figures": figures}))
        for line in figures:
            if found_in := metric(line):
                name, unit, before, after = found_in
                points = [[at, before], [ended, after]]
                data = {**named, "name": f"{one.runbook} on {host}: {name}", "unit": unit, "points": points}
                told.append(("metric", ended, f"{one.runbook} measured {line}", data))
    return [Write(who=who, at=when, kind=kind, words=words, data=data, run=run) for kind, when, words, data in told]


def metric(line: str) -> tuple[str, str, float, float] | None:
    """What a line of figures before and after says of one number: its name, unit and values; None where it is not one number that changed."""
    before, arrow, after = line.partition(" -> ")
    if not arrow or NUMBER.sub("#", before) != NUMBER.sub("#", after):
        return None
    values = [*zip(NUMBER.findall(before), NUMBER.findall(after), strict=True)]
    changed = [place for place, (one, other) in enumerate(values) if one != other]
    if len(changed) != 1:
        return None
    place = changed[0]
    found = [*NUMBER.finditer(after)][place]
    name = f"{after[: found.start()]}…{after[found.end() :]}"
    unit = UNIT.match(after[found.end() :])
    one, other = (float(number.replace(",", "")) for number in values[place])
    return " ".join(name.split()), unit[1] if unit else "", one, other


def was_fixed(host: HostResult | None, outcome: str) -> str:
    """What a run fixed, proven; "" where it did not."""
    if host is None or outcome != Outcome.RESOLVED:
        return ""
    helped = [f"{run.runbook}: {action.remedy}" for run in host.runs for action in run.actions if action.helped]
    return ", ".join(helped)

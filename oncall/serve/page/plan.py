# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that waits for a person, in full, and the decision on it: of two people who decide at once, one does, and the other is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...incidents import commands as do
from ...incidents.attach import AGREED
from ...incidents.store.episodes import EPISODE
from ...incidents.store.outbox import Superseded
from ...incidents.store.timeline import Decides, Part
from ...results import RunbookRun, of_document
from .visit import Gone, Lost, Sources, Unheard
from .words import data

MOST_EVIDENCE = 3000
MOST_DIFF = 1500
MOST_TARGETS = 50


def plan_of(episode: Mapping[str, Any]) -> dict[str, Any]:
    """All that a person has to know before the button: what was found, what would be done to what, how it is undone, and the diff."""
    runs = _runs(episode)
    planned = [run for run in runs if run.plan.hash]
    alert = episode["alert"] if isinstance(episode["alert"], Mapping) else {}
    return {
        "episode": episode["id"],
        "hash": episode["plan_hash"],
        "runbook": episode["runbook"],
        "host": episode["host"],
        "state": episode["state"],
        "mode": episode["mode"],
        "outcome": episode["outcome"],
        "summary": episode["summary"],
        "reason": episode["reason"],
        "note": episode["note"],
        "until": episode["until"],
        "received_at": episode["received_at"],
        "labels": alert.get("labels") or {},
        "annotations": alert.get("annotations") or {},
        "risk": _worst(run.plan.risk for run in planned),
        "plans": [_plan(run) for run in planned],
        "problems": [
            {
                "runbook": run.runbook,
                "cause": found.cause,
                "summary": found.summary or found.reason,
                "evidence": data(found.evidence, MOST_EVIDENCE) if found.evidence else "",
                "advice": found.advice,
            }
            for run in runs
            for found in run.findings
            if found.status == "problem"
        ],
        "unknown": [
            (found.cause, found.reason or found.summary)
            for run in runs
            for found in run.findings
            if found.status == "unknown"
        ],
        "escalation": next((run.escalation for run in runs if run.escalation), ""),
    }


def card_of(episode: Mapping[str, Any]) -> dict[str, Any]:
    """What a list shows of it, without reading the plan."""
    names = ("runbook", "host", "summary", "until", "state")
    return {"episode": episode["id"], "risk": "decide", **{name: episode[name] for name in names}}


def _plan(run: RunbookRun) -> dict[str, Any]:
    steps = [
        {
            "remedy": step.remedy,
            "cause": step.cause,
            "risk": step.risk,
            "available": step.available,
            "why_not": step.why_not,
            "targets": step.words or data(step.targets, 4000),
            "does": step.does,
            "undone": step.undone,
            "irreversible": step.irreversible,
        }
        for step in run.plan.steps
    ]
    return {"runbook": run.runbook, "hash": run.plan.hash, "risk": run.plan.risk, "steps": steps, "diff": diff(run)}


def diff(run: RunbookRun) -> list[tuple[str, str]]:
    """What is there, and what would be there instead: a line each, with ``-``, ``+`` or `` `` before it."""
    found = {one.cause: one.summary or one.reason for one in run.findings}
    told: list[tuple[str, str]] = []
    for step in run.plan.steps:
        if not step.available:
            continue
        told.append((" ", f"{step.remedy} for {step.cause}"))
        told.append(("-", found.get(step.cause) or f"as it is: {step.cause}"))
        for target in step.targets[:MOST_TARGETS] or (step.words,):
            told.append(("+", f"{step.does or step.remedy}: {data(target, MOST_DIFF)}"))
        if len(step.targets) > MOST_TARGETS:
            told.append(("+", f"and {len(step.targets) - MOST_TARGETS} more, which stand above"))
    return told


def _worst(risks: Any) -> str:
    order = ["none", "low", "medium", "high"]
    return max(risks, key=lambda one: order.index(one) if one in order else len(order), default="none")


def _runs(episode: Mapping[str, Any]) -> Sequence[RunbookRun]:
    try:
        result = of_document(episode["result"]) if isinstance(episode["result"], Mapping) else None
    except ValueError:
        return ()
    host = result.hosts.get(episode["host"]) if result else None
    return host.runs if host else ()


def decide(
    sources: Sources, episode: str, plan_hash: str, decision: str, reason: str, who: str, parts: Sequence[Part] = ()
) -> None:
    """Approve or reject a plan, under a name.

    Args:
        plan_hash: of the plan that the person has read.
        parts: what belongs to the incident from then on, such as the link by which it was decided.

    Raises:
        Lost: somebody else was quicker, or the plan is another one by now.
    """
    found = sources.store.episode(episode)
    if found is None:
        raise Gone("there is no such plan any more")
    if decision not in ("approved", "rejected"):
        raise Unheard("a plan is approved or rejected")
    reason = do.cut(reason, 500).replace("\n", " ")
    if decision == "rejected" and not reason:
        raise Unheard("say why it is rejected; who comes next has to know")
    _check(found, plan_hash)
    now = sources.clock()
    owner = sources.below.owner(EPISODE, episode)
    if decision == "approved":
        # Without an incident, what is attached later says so in its timeline.
        note = f"approved by {who}" if owner else f"{AGREED}{who}"
        values: dict[str, Any] = {
            "state": "queued",
            "stage": "act",
            "queued_at": now,
            "until": None,
            "reason": "",
            "cancel": "",
        }
    else:
        note = f"rejected by {who}"
        values = {"state": "ended", "outcome": "canceled", "summary": f"rejected by {who}: {reason}", "ended_at": now}
    decides = Decides(episode, plan_hash, {**values, "note": note})
    words = f"{decision} the plan of {found['runbook']} on {found['host']} ({plan_hash})" + (
        f": {reason}" if reason else ""
    )
    data_ = {
        "plan_hash": plan_hash,
        "decision": decision,
        "reason": reason,
        "runbook": found["runbook"],
        "host": found["host"],
    }
    try:
        if owner:
            write = do.Write(who=who, at=now, kind="approval", words=words, data=data_)
            sources.incidents.do(owner, lambda _now: write, parts=parts, decides=[decides])
        elif not sources.below.decide(decides):
            raise Superseded
    except Superseded:
        again = sources.store.episode(episode)
        if again is None:
            raise Gone("there is no such plan any more") from None
        _check(again, plan_hash)
        raise Lost("somebody else decides on it this very moment; look at it again") from None
    sources.wake()


def _check(found: Mapping[str, Any], plan_hash: str) -> None:
    """Lost where a plan does not wait any more, or is another one."""
    if found["state"] != "waiting":
        what = found["note"] or ": ".join(filter(None, (found["outcome"], found["summary"]))) or found["state"]
        raise Lost(f"this plan does not wait any more: {what}. Your decision was not taken")
    if found["plan_hash"] != plan_hash:
        raise Lost(
            f"the plan has changed since you read it: it is {found['plan_hash']} now, and was {plan_hash[:80] or 'none'}; read it again."
            " Nothing was decided"
        )

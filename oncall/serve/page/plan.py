# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that waits for a person, in full, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...incidents.together import diff
from ...results import Finding, RunbookRun, of_document
from .words import Room, data

# Of one, and of all on a page.
MOST_EVIDENCE, MOST_EVIDENCES = 3000, 12_000
MOST_DIFF, MOST_DIFFS = 1500, 12_000


def plan_of(episode: Mapping[str, Any]) -> dict[str, Any]:
    """All that a person has to know before the button: what was found, what would be done to what, how it is undone, and the diff."""
    runs = _runs(episode)
    planned = [run for run in runs if run.plan.hash]
    room, changes = Room(MOST_EVIDENCES, MOST_EVIDENCE), Room(MOST_DIFFS, MOST_DIFF)
    problems = [(run, found) for run in runs for found in run.findings if found.status == "problem"]
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
        "plans": [_plan(run, changes) for run in planned],
        "problems": [_problem(run.runbook, found, room) for run, found in problems],
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


def _problem(runbook: str, found: Finding, room: Room) -> dict[str, Any]:
    evidence, is_cut = room.take(found.evidence)
    told = {"runbook": runbook, "cause": found.cause, "summary": found.summary or found.reason, "advice": found.advice}
    return {**told, "evidence": evidence, "is_cut": is_cut}


def _plan(run: RunbookRun, changes: Room) -> dict[str, Any]:
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
    return {
        "runbook": run.runbook,
        "hash": run.plan.hash,
        "risk": run.plan.risk,
        "steps": steps,
        "diff": _changes(run, changes),
    }


def _changes(run: RunbookRun, room: Room) -> list[tuple[str, str]]:
    """The diff, as far as there is room; the targets stand with their steps."""
    lines = diff(run)
    shown = [(sign, text) for sign, line in lines if (text := room.take(line)[0])]
    return [*shown, (" ", f"and {len(lines) - len(shown)} more lines")] if len(shown) < len(lines) else shown


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

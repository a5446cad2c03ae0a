# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that waits for a person, in full, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...incidents.together import diff
from ...results import RunbookRun, of_document
from .words import data

MOST_EVIDENCE = 3000


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

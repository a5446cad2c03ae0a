# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The likely causes, judged; the findings, made into a plan.

The causes are those of :func:`table.expand`. Their expressions and templates are evaluated one cause at a time, so
that what could not be measured makes that one cause unknown and no other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..module_utils.text.one_line import one_line
from .table import RISKS, BadTable

PROBLEM, OK, UNKNOWN = "problem", "ok", "unknown"
HEALTHY = "healthy"

Evaluate = Callable[[Any], Any]


class CannotTell(Exception):
    """An expression uses something that was not measured.

    Attributes:
        said: the table itself says why (``undef(hint=...)``), in words for a person.
        undefined: it is not there, and a default may take its place; else it is there and wrong.
    """

    def __init__(self, message: object, said: bool = False, undefined: bool = False) -> None:
        super().__init__(message)
        self.said, self.undefined = said, undefined


def judge(causes: Mapping[str, Any], condition: Evaluate, template: Evaluate, reasons: list[str]) -> list[dict]:
    """Judge every cause of the table, in its order.

    Args:
        causes: the table, as :func:`table.expand` gives it.
        condition: gives the truth of an expression, or raises :class:`CannotTell`.
        template: gives the value of a template, or raises :class:`CannotTell`.
        reasons: why something could not be measured; given as the reason of an unknown cause.

    Returns:
        One finding for each cause: ``cause``, ``status`` (``problem``, ``ok`` or ``unknown``), and with it
        ``summary`` and ``evidence``, or ``reason``.
    """
    findings: list[dict] = []
    status: dict[str, str] = {}
    for slug, cause in causes.items():
        finding = _judge_one(str(slug), cause, condition, template, reasons, status)
        status[finding["cause"]] = finding["status"]
        findings.append(finding)
    return findings


def all_ok(causes: Mapping[str, Any]) -> list[dict]:
    """The findings where there is nothing that any of the causes could be about."""
    return [{"cause": slug, "status": OK} for slug in causes]


def _judge_one(
    slug: str,
    cause: Mapping[str, Any],
    condition: Evaluate,
    template: Evaluate,
    reasons: list[str],
    status: Mapping[str, str],
) -> dict:
    try:
        for when, conclusive in cause["gates"]:
            if condition(when):
                continue
            if conclusive is None or condition(conclusive):
                return {"cause": slug, "status": OK}
            return {"cause": slug, "status": UNKNOWN, "reason": _why(reasons, "not everything could be seen")}
    except CannotTell as error:
        # What was seen and says nothing, before what could not be seen: that may be about something else.
        known = [one_line(error), *reasons] if error.said else reasons
        return {"cause": slug, "status": UNKNOWN, "reason": _why(known, one_line(error))}
    others = cause["unless"]
    explained = [other for other in others if status[other] == PROBLEM]
    if explained:
        summary = f"explained by {explained[0]}"
        return {"cause": slug, "status": OK, "summary": summary, "explained_by": explained[0]}
    unclear = [other for other in others if status[other] == UNKNOWN]
    if unclear:
        return {
            "cause": slug,
            "status": UNKNOWN,
            "reason": _why(reasons, f"{unclear[0]} could not be ruled out"),
        }
    finding = {"cause": slug, "status": OK if cause.get("harmless") else PROBLEM}
    for key in ("summary", "evidence", "advice"):
        if key in cause:
            try:
                finding[key] = template(cause[key])
            except CannotTell as error:
                finding[key] = f"{slug} ({key} not available: {one_line(error)})"
    if "hand_over" in cause:
        finding["hand_over"] = str(cause["hand_over"])
    if "subject" in cause:
        try:
            finding["subject"] = template(cause["subject"])
        except CannotTell as error:
            # It would look at another one, and may call that well.
            return {"cause": slug, "status": UNKNOWN, "reason": _why(reasons, one_line(error))}
    return finding


def _why(reasons: list[str], otherwise: str) -> str:
    return "; ".join(dict.fromkeys(reasons)) or otherwise


def plan(
    causes: Mapping[str, Any],
    findings: list[dict],
    template: Evaluate,
    missing: Callable[[str, str], str],
    definition: Callable[[str], Any],
    runbook: str,
    host: str,
) -> dict:
    """The remedies for the problems found, in the table's order, with a hash over what they would touch.

    Args:
        causes: as for :func:`judge`.
        findings: of :func:`judge`.
        template: gives the value of a template, or raises :class:`CannotTell`.
        missing: for a service and a verb, why its manager cannot do that, or "".
        definition: what the inventory says about a service; part of the hash, because it says what is run.
        runbook, host: part of the hash, so that a plan approved for one host fits no other.

    Returns:
        ``steps`` (``remedy``, ``cause``, ``risk``, ``targets``, ``undo``, ``available``, ``why_not``), ``risk`` (the
        highest of the available ones) and ``hash``. The hash leaves out what changes by itself, such as
        durations.
    """
    steps: list[dict] = []
    for finding in findings:
        cause = causes[finding["cause"]]
        if finding["status"] == PROBLEM and "remedy" in cause:
            step = _step(finding["cause"], cause, template, missing)
            if not any(_what(step) == _what(other) for other in steps):
                steps.append(step)
    available = [step for step in steps if step["available"]]
    identity = [
        runbook,
        host,
        [finding["cause"] for finding in findings if finding["status"] == PROBLEM],
        [[step["cause"], step["risk"], step["undo"], *_what(step)] for step in available],
        [definition(service) for step in available for service in step.pop("services")],
    ]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    for step in steps:
        step.pop("services", None)
    return {
        "steps": steps,
        "risk": max((step["risk"] for step in available), key=RISKS.index, default="none"),
        # The letter keeps YAML and -e from reading a number into it.
        "hash": f"p{digest[:15]}",
    }


def _what(step: Mapping[str, Any]) -> list:
    return [step["remedy"], step["targets"]]


def _step(
    slug: str, cause: Mapping[str, Any], template: Evaluate, missing: Callable[[str, str], str]
) -> dict[str, Any]:
    step: dict[str, Any] = {
        "remedy": str(cause["remedy"]),
        "cause": slug,
        "risk": "high",
        "targets": [],
        "undo": None,
        "available": False,
        "why_not": "",
        "services": [],
    }
    try:
        risk = template(cause.get("risk"))
        if risk not in RISKS[1:]:
            raise BadTable(f"cause {slug} has the risk {risk!r}; a remedy has one of {', '.join(RISKS[1:])}")
        step["risk"] = risk
        step["targets"] = template(cause["targets"]) if "targets" in cause else []
        if "undo" in cause:
            step["undo"] = template(cause["undo"])
        operates = template(cause.get("operates", {}))
    except CannotTell as error:
        step["why_not"] = f"what it would touch could not be measured ({one_line(error)})"
        return step
    if "targets" in cause and not step["targets"]:
        step["why_not"] = _why_nothing(cause, template) or "there is nothing it may touch"
        return step
    step["services"] = [operates["service"]] if operates else []
    why_not = [missing(operates["service"], verb) for verb in operates.get("verbs", ())]
    step["why_not"] = "; ".join(filter(None, why_not))
    step["available"] = not step["why_not"]
    return step


def _why_nothing(cause: Mapping[str, Any], template: Evaluate) -> str:
    """What the table says of why there is nothing that a remedy may touch, or ""."""
    try:
        return one_line(template(cause.get("why_nothing", "")))
    except CannotTell:
        return ""


def status_of(findings: list[dict]) -> str:
    """``problem`` where there is one, else ``unknown`` where something is not known, else ``healthy``."""
    found = {finding["status"] for finding in findings}
    if PROBLEM in found:
        return PROBLEM
    return UNKNOWN if UNKNOWN in found else HEALTHY


def reasons_in(observed: Mapping[str, Any]) -> list[str]:
    """Why something could not be measured, and what could not be seen, over all observations."""
    reasons: list[str] = []
    for observation in observed.values():
        if isinstance(observation, Mapping):
            if observation.get("available") is False:
                reasons.append(str(observation.get("reason") or "not available"))
            reasons.extend(str(limit) for limit in observation.get("limits") or ())
    return reasons


def summary_line(status: str, findings: list[dict]) -> str:
    """What was found, in one line."""
    if status == PROBLEM:
        return "; ".join(str(f.get("summary", f["cause"])) for f in findings if f["status"] == PROBLEM)
    if status == UNKNOWN:
        unknown = [finding for finding in findings if finding["status"] == UNKNOWN]
        reasons = "; ".join(dict.fromkeys(finding["reason"] for finding in unknown))
        return f"cannot tell about {', '.join(finding['cause'] for finding in unknown)}: {reasons}"
    notes = [finding["summary"] for finding in findings if finding.get("summary") and not finding.get("explained_by")]
    return "; ".join(notes) or "nothing found"

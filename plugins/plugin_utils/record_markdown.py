# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run as a page a person reads."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


def markdown(document: Mapping[str, Any]) -> str:
    """The record as Markdown.

    Args:
        document: what the callback ``record`` writes as JSON.
    """
    lines: list[str] = []
    for run in document["runs"]:
        lines += _run(run)
    return "\n".join(lines).rstrip() + "\n"


def _run(run: Mapping[str, Any]) -> list[str]:
    lines = [
        f"# {_text(run['runbook'])} on {_text(run['host'])}: {run['outcome']}",
        "",
        _text(run["summary"]),
        "",
        f"- started {_time(run['started_at'])}, took {run['seconds']:.1f} s"
        + (", check mode" if run.get("check_mode") else ""),
    ]
    for key in ("run_id", "title", "severity", "escalation", "override"):
        if run.get(key):
            lines.append(f"- {key.replace('_', ' ')}: {_text(run[key])}")
    if run.get("guard"):
        lines.append(f"- stopped by {_text(run['guard']['name'])}: {_text(run['guard']['reason'])}")
    lines += [f"- passed guard {_text(one['guard'])}: {_text(one['reason'])}" for one in run.get("passed_guards") or ()]
    lines += [f"- {_text(note)}" for note in run.get("notes") or ()]
    if run.get("findings"):
        lines += ["", "## Findings", "", "| cause | before | after | what was seen |", "|---|---|---|---|"]
        after = {finding["cause"]: finding["status"] for finding in run.get("findings_after") or ()}
        lines += [
            f"| {_text(finding['cause'])} | {finding['status']} | {after.get(finding['cause'], '')} "
            f"| {_text(finding.get('summary') or finding.get('reason') or '')} |"
            for finding in run["findings"]
        ]
        for finding in run["findings"]:
            if finding["status"] == "problem" and finding.get("advice"):
                advice = finding["advice"] if isinstance(finding["advice"], list) else [finding["advice"]]
                lines += ["", f"Advice for {_text(finding['cause'])}:", ""]
                lines += [f"- {_text(line)}" for line in advice]
    plan = run.get("plan") or {}
    if plan.get("steps"):
        lines += ["", f"## Plan {plan['hash']} (risk {plan['risk']})", ""]
        for step in plan["steps"]:
            state = f"risk {step['risk']}" if step["available"] else f"not available: {_text(step['why_not'])}"
            lines.append(f"- {_text(step['remedy'])} for {_text(step['cause'])}, {state}")
            lines.append(f"  - targets: {_code(step['targets'])}")
            if step["undo"] is not None:
                lines.append(f"  - undo: {_code(step['undo'])}")
    if run.get("actions"):
        lines += ["", "## Actions", "", "| remedy | state | helped | s | details |", "|---|---|---|---|---|"]
        lines += [
            f"| {_text(action['remedy'])} | {action['state']} | {_helped(action['helped'])} "
            f"| {action['seconds'] if action['seconds'] is not None else ''} "
            f"| {_text(action['reason']) or _code(action['details'])} |"
            for action in run["actions"]
        ]
    for title, key in (("Evidence", "evidence"), ("Evidence afterwards", "evidence_after")):
        if run.get(key):
            dump = json.dumps(run[key], indent=2, ensure_ascii=False).replace("```", "` ` `")
            lines += ["", f"## {title}", "", "```json", dump, "```"]
    return [*lines, ""]


def _helped(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _text(value: Any) -> str:
    """Text from outside, which is no markup here."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= 400 else text[:399] + "…"
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`"


def _time(epoch_seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(epoch_seconds))

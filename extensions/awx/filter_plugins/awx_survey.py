# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey that AWX asks before it launches a runbook, made from the argument specs of its role and of the role run.

No question has a default: AWX passes defaults on as extra vars, which would win over the inventory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# What a person says about one run. The other options of the role run are guards, and stay in the inventory.
OF_ONE_RUN = ("run_until", "run_max_risk", "run_plan", "run_override", "run_verify_seconds")
# A person who launches the workflow must be able to act on nothing else than what the workflow approves.
NOT_IN_WORKFLOW = ("run_until", "run_plan", "run_override")
# What triage is asked besides: which alert, and whether the first is run.
OF_TRIAGE = ("triage_alert", "triage_run")
# Ansible makes a list of a text with commas.
TYPES = {"int": "integer", "float": "float", "str": "text", "list": "text", "bool": "multiplechoice"}
YES_OR_NO = ("true", "false")


def awx_survey(runbook: str, specs: Mapping[str, Any], of_run: Mapping[str, Any], workflow: bool = False) -> dict:
    """The survey of a job template, as AWX's API takes it.

    Args:
        runbook: its name, or ``triage``.
        specs: content of the argument specs of its role.
        of_run: content of those of the role run.
        workflow: whether it is that of the workflow, in which a person approves the plan.
    """
    general = _options(of_run)
    asked = {name: general[name] for name in OF_ONE_RUN if not (workflow and name in NOT_IN_WORKFLOW)}
    asked |= {name: option for name, option in _options(specs).items() if _is_asked(runbook, name, option)}
    return {"name": "", "description": "", "spec": [_question(name, option) for name, option in asked.items()]}


def awx_runbooks(roles: str) -> list[str]:
    """The runbooks among the roles of a folder."""
    return sorted(file.parents[1].name for file in Path(roles).glob("*/meta/runbook.yml"))


def _options(specs: Mapping[str, Any]) -> Mapping[str, Any]:
    return specs["argument_specs"]["main"]["options"]


def _is_asked(runbook: str, name: str, option: Mapping[str, Any]) -> bool:
    """Thresholds, limits and choices. Names, addresses and lists describe the stack, and are the inventory's."""
    if name in OF_TRIAGE:
        return True
    is_choice = "choices" in option and option["type"] != "list"
    return name.startswith(f"{runbook}_") and (option["type"] in ("int", "float") or is_choice)


def _question(name: str, option: Mapping[str, Any]) -> dict[str, Any]:
    described = option["description"]
    lines = [described] if isinstance(described, str) else described
    default = json.dumps(option.get("default"), ensure_ascii=False)
    question = {
        "question_name": name,
        "question_description": " ".join(
            [*" ".join(lines).split(), f"Left empty: what the inventory says, or {default}."]
        ),
        "variable": name,
        "required": False,
        "type": "multiplechoice" if "choices" in option else TYPES[option["type"]],
    }
    if question["type"] == "multiplechoice":
        question["choices"] = "\n".join(option.get("choices", YES_OR_NO))
    if question["type"] == "text":
        # Without a least length AWX passes on an empty text where nothing was answered.
        question |= {"min": 1, "max": 1000}
    return question


class FilterModule:
    """Found by Ansible, as it is beside the playbook."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_survey": awx_survey, "awx_runbooks": awx_runbooks}

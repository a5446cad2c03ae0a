# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may write with: the token that the plan of its remedy says, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..module_utils.break_glass.spec import apart
from .plain import plain

NEEDED, SECRETS = "break_glass", "break_glass_secrets"


def grant_of_step(task_vars: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any] | None:
    """What the step of the plan that is being carried out asks a token for; None where it asks for none.

    Args:
        task_vars: of the task.
        template: gives the value of a template.
    """
    step = plain(template(task_vars.get("run_step"))) if "run_step" in task_vars else None
    needs = step.get("needs") if isinstance(step, Mapping) else None
    grant = needs.get(NEEDED) if isinstance(needs, Mapping) else None
    return dict(grant) if isinstance(grant, Mapping) else None


def is_in_a_step(task_vars: Mapping[str, Any]) -> bool:
    """Whether the task is one of a remedy, of which a plan says what it may do."""
    return "run_step" in task_vars


def with_token(task_vars: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """The options by which a module gets a token for what it sends; nothing where the plan asks for none."""
    grant = grant_of_step(task_vars, template)
    if grant is None:
        return {}

    def value(name: str) -> Any:
        return plain(template(task_vars[name])) if name in task_vars else None

    settings, secrets = apart(value("system_break_glass") or {})
    return {
        NEEDED: {
            "settings": settings,
            "grant": grant,
            "by": str(value("run_owner") or "unknown"),
            "directory": value("system_state_directory"),
        },
        SECRETS: secrets,
    }


def settings_apart(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a module that acts on tokens, with what is secret in an option of its own."""
    settings = arguments.get(NEEDED)
    if not isinstance(settings, Mapping):
        return dict(arguments)
    without, secrets = apart(settings)
    return {**arguments, NEEDED: without, "secrets": secrets}

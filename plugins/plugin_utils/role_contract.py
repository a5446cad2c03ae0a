# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles ``system`` and ``run`` take, checked without a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROLES = Path(__file__).parents[2] / "roles"
# Safe both, and one of them ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """The plain data of a YAML file, or nothing where there is no such file."""
    return yaml.load(path.read_bytes(), Loader=_Loader) if path.is_file() else {}  # noqa: S506


# Read when the action is loaded, once, and shared by the workers of all hosts.
_OPTIONS = {
    role: read_yaml(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    for role in ("system", "run")
}


def trouble_with(role: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> list[str]:
    """What is wrong with the variables given for a role, one line each that names the variable.

    Args:
        role: ``system`` or ``run``.
        variables: of the host, not templated.
        template: gives the value of a template.
    """
    options = _OPTIONS[role]
    given = {name: template(variables[name]) for name in options if name in variables and name != "run_diagnosis"}
    # A null would count as no time at all, or as no plan at all.
    lines = [f"{name} is null; give it a value or leave it out" for name, value in given.items() if value is None]
    given = {name: value for name, value in given.items() if value is not None}
    validation = ArgumentSpecValidator({name: options[name] for name in given}).validate(given)
    numbers = {name: value for name, value in validation.validated_parameters.items() if type(value) in (int, float)}
    # Not below 0, and no NaN, which is not above it either.
    lines += [f"{name} is {value}; it must be 0 or more" for name, value in numbers.items() if not value >= 0]
    return [*lines, *validation.error_messages]

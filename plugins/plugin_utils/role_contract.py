# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles take, checked without a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import trust_as_template

_IN_A_RECORD = ("title", "signal", "alerts", "severity", "escalation", "covers")
ROLES = Path(__file__).parents[2] / "roles"
# Safe both, and one of them ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """The plain data of a YAML file, or nothing where there is no such file."""
    return yaml.load(path.read_bytes(), Loader=_Loader) if path.is_file() else {}  # noqa: S506


def read_role_file(path: Path) -> dict[str, Any]:
    """The data of a file of a role, its texts trusted as templates.

    Ansible's own loader notes for each text where it stands, and takes ten times as long.
    """
    return _trusted(read_yaml(path))


def _trusted(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(one) for key, one in value.items()}
    return [_trusted(one) for one in value] if isinstance(value, list) else value


@cache
def contract_of(role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a role of this collection takes, and what it takes by default, not templated."""
    specs = read_yaml(ROLES / role / "meta" / "argument_specs.yml")
    # It comes when there is a diagnosis.
    options = {name: it for name, it in specs["argument_specs"]["main"]["options"].items() if name != "run_diagnosis"}
    return options, read_yaml(ROLES / role / "defaults" / "main.yml")


# When the action is loaded, once, and shared by the workers of all hosts.
for _role in ("system", "run"):
    contract_of(_role)


def described(role: Path) -> dict[str, Any]:
    """What a record says of a runbook; each remedy by what it does, and how it is undone or why it is not."""
    meta = read_yaml(role / "meta" / "runbook.yml")
    said = {key: meta[key] for key in _IN_A_RECORD if key in meta}
    remedies = meta.get("remedies") or {}
    for key, of_remedy in (("remedies", "does"), ("rollbacks", "undone"), ("irreversible", "irreversible")):
        if texts := {name: remedy[of_remedy] for name, remedy in remedies.items() if of_remedy in remedy}:
            said[key] = texts
    return said


def trouble_with(role: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> list[str]:
    """What is wrong with the variables given for a role, one line each that names the variable.

    Args:
        role: one of this collection.
        variables: of the host, not templated.
        template: gives the value of a template.
    """
    options, defaults = contract_of(role)
    # A default is good, and to work it out takes a while on every host.
    own = {name for name, value in defaults.items() if name in variables and variables[name] == value}
    given = {name: template(variables[name]) for name in options if name in variables and name not in own}
    # A null would count as no time at all, or as no plan at all.
    lines = [f"{name} is null; give it a value or leave it out" for name, value in given.items() if value is None]
    # An empty dictionary says that there is none of it, also where one would have to say more.
    given = {name: value for name, value in given.items() if value is not None and value != {}}
    validation = ArgumentSpecValidator({name: options[name] for name in given}).validate(given)
    numbers = {name: value for name, value in validation.validated_parameters.items() if type(value) in (int, float)}
    # Not below 0, and no NaN, which is not above it either.
    lines += [f"{name} is {value}; it must be 0 or more" for name, value in numbers.items() if not value >= 0]
    return [*lines, *validation.error_messages]

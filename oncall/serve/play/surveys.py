# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether variables fit the survey of a job template. AWX refuses a launch with a variable that does not.

AWX changes no type: it takes no list for a text, no ``"5"`` for a number and no ``true`` for an integer. What the survey does
not ask about it takes as it is, where the template asks for variables on launch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
TEXTS = ("text", "textarea", "password")


def misfits(survey: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """Variable -> why AWX would refuse it, in words that show no value; {} where it takes all.

    Args:
        survey: as ``survey_spec`` of a job template answers; {} for none.
        variables: the extra vars of a launch.
    """
    asked = [one for one in survey.get("spec") or () if isinstance(one, Mapping)]
    found = {str(one.get("variable")): _misfit(one, variables) for one in asked}
    return {name: why for name, why in found.items() if why}


def _misfit(question: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    name, kind = str(question.get("variable")), question.get("type")
    if name not in variables:
        return "is required, and is not given" if question.get("required") else ""
    value = variables[name]
    if kind in TEXTS:
        return _length(question, value) if isinstance(value, str) else f"has to be text, and is {_kind(value)}"
    if kind == "integer":
        return _size(question, value) if type(value) is int else f"has to be an integer, and is {_kind(value)}"
    if kind == "float":
        return _size(question, value) if type(value) in (int, float) else f"has to be a number, and is {_kind(value)}"
    if kind == "multiselect":
        if type(value) is not list:
            return f"has to be a list, and is {_kind(value)}"
        return _choice(question, value)
    return _choice(question, [value]) if kind == "multiplechoice" else ""


def _length(question: Mapping[str, Any], value: str) -> str:
    least, most = _bound(question, "min"), _bound(question, "max")
    if least is not None and len(value) < least:
        return f"has to have at least {least:g} characters, and has {len(value)}"
    if most is not None and len(value) > most:
        return f"may have {most:g} characters at most, and has {len(value)}"
    return ""


def _size(question: Mapping[str, Any], value: float) -> str:
    least, most = _bound(question, "min"), _bound(question, "max")
    if least is not None and value < least:
        return f"has to be at least {least:g}"
    if most is not None and value > most:
        return f"may be {most:g} at most"
    return ""


def _choice(question: Mapping[str, Any], values: Iterable[Any]) -> str:
    choices = question.get("choices") or []
    if isinstance(choices, str):
        choices = [choice for choice in choices.splitlines() if choice.strip()]
    return "" if all(value in choices for value in values) else f"has to be one of {', '.join(map(str, choices))}"


def _bound(question: Mapping[str, Any], name: str) -> float | None:
    """AWX keeps a bound that was left empty in its form as "" or null."""
    try:
        return float(question[name])
    except (LookupError, TypeError, ValueError):
        return None


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "nothing")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX 24.6.1 says of surveys and of their answers, in its own words."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import Item

# The type of a question, and that of its default.
QUESTIONS = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str, "integer": int,
    "float": float,
}  # fmt: skip


def survey_error(spec: Item) -> str:
    """Why AWX would not take a survey; "" where it would."""
    for name, wanted, label in (
        ("name", str, "string"),
        ("description", str, "string"),
        ("spec", list, "list of items"),
    ):
        if name not in spec:
            return f"Field '{name}' is missing from survey spec."
        if not isinstance(spec[name], wanted):
            return f"Expected {label} for field '{name}', received {type(spec[name]).__name__} type."
    if not spec["spec"]:
        return "'spec' doesn't contain any items."
    seen: set[str] = set()
    for index, question in enumerate(spec["spec"]):
        if wrong := _question_error(index, question, seen):
            return wrong
        seen.add(question["variable"])
    return ""


def _question_error(index: int, question: Item, seen: set[str]) -> str:
    for name in ("type", "question_name", "variable", "required"):
        if name not in question:
            return f"'{name}' missing from survey question {index}"
        wanted, label = (bool, "boolean") if name == "required" else (str, "string")
        if not isinstance(question[name], wanted):
            return f"'{name}' in survey question {index} expected to be {label}."
    if question["variable"] in seen:
        return f"'variable' '{question['variable']}' duplicated in survey question {index}."
    kind = QUESTIONS.get(question["type"])
    if kind is None:
        allowed = ", ".join(QUESTIONS)
        return f"'{question['type']}' in survey question {index} is not one of '{allowed}' allowed question types."
    if question.get("default", "") != "" and not isinstance(question["default"], kind):
        label = question["type"] if question["type"] in ("integer", "float") else "string"
        return f"Default value {question['default']} in survey question {index} expected to be {label}."
    for name in ("min", "max"):
        if question.get(name) is not None and not isinstance(question[name], int):
            return f"The {name} limit in survey question {index} expected to be integer."
    if question["type"] in ("multiplechoice", "multiselect") and "choices" not in question:
        return f"Survey question {index} of type {question['type']} must specify choices."
    return ""


def answer_error(question: Item, given: Item) -> str:
    """Why AWX refuses a launch because of one question; "" where it does not."""
    name, kind = question["variable"], question["type"]
    if name not in given:
        return f"'{name}' value missing" if question["required"] else ""
    value = given[name]
    if kind in ("text", "textarea", "password"):
        if not isinstance(value, str):
            return f"Value {value} for '{name}' expected to be a string."
        least, most = question.get("min"), question.get("max")
        if least not in ("", None) and len(value) < least:
            return f"'{name}' value {value} is too small (length is {len(value)} must be at least {least})."
        return f"'{name}' value {value} is too large (must be no more than {most})." if _above(len(value), most) else ""
    if kind in ("integer", "float"):
        if type(value) not in ((int,) if kind == "integer" else (int, float)):
            return (
                f"Value {value} for '{name}' expected to be {'an integer' if kind == 'integer' else 'a numeric type'}."
            )
        least, most = question.get("min"), question.get("max")
        if least not in ("", None) and value < least:
            return f"'{name}' value {value} is too small (must be at least {least})."
        return f"'{name}' value {value} is too large (must be no more than {most})." if _above(value, most) else ""
    choices = question["choices"]
    if isinstance(choices, str):
        choices = [choice for choice in choices.splitlines() if choice.strip()]
    if kind == "multiselect" and type(value) is not list:
        return f"'{name}' value is expected to be a list."
    wrong = [one for one in (value if kind == "multiselect" else [value]) if one not in choices]
    return f"Value {wrong[0]} for '{name}' expected to be one of {choices}." if wrong else ""


def _above(value: float, most: Any) -> bool:
    return most not in ("", None) and value > most

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions in JMESPath from the inventory: checked before anything is fetched, and told with their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from ...module_utils.text.one_line import one_line

MISSING = (
    "the Python library jmespath is not installed on the controller, for the Python that runs Ansible; "
    "it is in requirements/run.txt: pip install jmespath"
)


def library() -> ModuleType | None:
    """The library, loaded on first use; None where it is not installed."""
    try:
        import jmespath
        import jmespath.exceptions
        import jmespath.functions
    except ImportError:
        return None
    return jmespath


def compiled(place: str, expression: Any) -> Any:
    """An expression that can be evaluated.

    Args:
        place: where it is in the inventory.
        expression: what is there.

    Raises:
        ValueError: it is none; the message says where, down to the column.
    """
    jmespath = library()
    if jmespath is None:
        raise ValueError(MISSING)
    errors = jmespath.exceptions
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError(f"{place}: must be a JMESPath expression")
    try:
        parsed = jmespath.compile(expression)
    except errors.IncompleteExpressionError:
        raise ValueError(f"{place}: the expression ends too early, at column {len(expression) + 1}") from None
    except errors.LexerError as error:
        raise ValueError(f"{place}: {one_line(error.message, 120)} at column {error.lex_position + 1}") from None
    except errors.ParseError as error:
        what = f"unexpected {error.token_value!r}" if error.token_value else "the expression ends too early,"
        raise ValueError(f"{place}: {one_line(what, 120)} at column {error.lex_position + 1}") from None
    except RecursionError:
        raise ValueError(f"{place}: the expression is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{place}: {one_line(error, 120)}") from None
    for name, count in _calls(parsed.parsed):
        if problem := _problem_of_call(jmespath, name, count):
            column = expression.find(f"{name}(") + 1
            raise ValueError(f"{place}: {problem}" + (f" at column {column}" if column else ""))
    return parsed


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """Each function that an expression calls, with the number of its arguments."""
    if not isinstance(node, Mapping):
        return
    children = node.get("children") or []
    if node.get("type") == "function_expression":
        yield node["value"], len(children)
    for child in children:
        yield from _calls(child)


def _problem_of_call(jmespath: ModuleType, name: str, count: int) -> str:
    known = jmespath.functions.Functions.FUNCTION_TABLE
    if name not in known:
        return f"there is no function {name}()"
    signature = known[name]["signature"]
    is_variadic = bool(signature) and signature[-1].get("variadic", False)
    if count < len(signature) or (count > len(signature) and not is_variadic):
        few = "at least " if is_variadic else ""
        return f"{name}() takes {few}{len(signature)} argument{'s' * (len(signature) != 1)}, not {count}"
    return ""


class CannotEvaluate(Exception):
    """What is in the document is not what the expression needs; the message holds nothing of the document."""


def evaluated(expression: Any, document: Any) -> Any:
    """What a compiled expression finds in a document, or None.

    Raises:
        CannotEvaluate: a function got a value of the wrong type.
    """
    # It is there: it made the expression.
    jmespath: Any = library()
    try:
        return expression.search(document)
    except jmespath.exceptions.JMESPathTypeError as error:
        wanted = ", ".join(map(str, error.expected_types))
        raise CannotEvaluate(f"{error.function_name}() takes {wanted}, and got {error.actual_type}") from None
    except RecursionError:
        raise CannotEvaluate("the document is nested too deeply") from None
    except Exception as error:
        # Its text may quote the document.
        raise CannotEvaluate(f"the expression fails on this document ({type(error).__name__})") from None

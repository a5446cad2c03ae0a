# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A statement of the inventory with parameters by name, made fit to be asked. Pure."""

from __future__ import annotations

import re

from ..postgres.client import PARAMETERS

# As PostgreSQL reads it. A colon that begins a parameter is no cast and no part of a string, a name or a comment.
_TOKEN = re.compile(
    r"(?P<skip>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::"
    r"|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$|[A-Za-z_][\w$]*)"
    r"|:(?P<parameter>[A-Za-z_]\w*)|(?P<refused>[;\\]|\{parameters\}|/\*|['\"])|(?P<other>.)",
    re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z_]\w*\Z")


def wrapped(statement, parameters, answer):
    """A statement that gives one JSON document of the rows of another.

    Args:
        statement: a query, in which ``:name`` stands for a parameter, as text.
        parameters: their names.
        answer: what to make of its rows, which are called ``rows``; ``asked.p`` has the parameters.

    Raises:
        ValueError: it is no single query, or names a parameter that is not there.
    """
    return f"WITH asked AS (SELECT {PARAMETERS}::jsonb AS p), rows AS (\n{bound(statement, parameters)}\n) {answer}"


def bound(statement, parameters, source="asked"):
    """A query in which each ``:name`` is taken from the parameters; no value becomes a part of its text.

    Args:
        statement: a query, in which ``:name`` stands for a parameter, as text.
        parameters: their names.
        source: of the values, a query whose ``p`` has them.

    Raises:
        ValueError: it is no single query, or names a parameter that is not there.
    """
    text = statement.strip().rstrip(";")
    pieces = []
    for token in _TOKEN.finditer(text):
        name = token.group("parameter")
        if token.group("refused"):
            raise ValueError(f"a statement is one query: it may not hold {token.group('refused')!r} where it does")
        if name is None:
            pieces.append(token.group(0))
        elif name not in parameters:
            raise ValueError(f"nothing is given for its parameter :{name}")
        else:
            pieces.append(f"(SELECT p->>'{name}' FROM {source})")
    return "".join(pieces)


def is_name(name):
    """Whether a parameter can have this name."""
    return _NAME.match(str(name)) is not None

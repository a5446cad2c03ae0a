# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL statements in logs, without the literals in them: a password that is written into a table has no name beside it. No I/O.

A server logs a statement of several lines with a tab before each further one. Such a statement becomes one line: a literal may go on
over the end of a line, and only the whole says where it ends.
"""

from __future__ import annotations

import re

from ..postgres.redaction import redacted
from ..text.masking import MASK

# Nobody reads more of one statement in a log.
_STATEMENT_CHARACTERS = 2000
# What a server, and what libraries write before a statement, and statements that carry values whatever is before them.
_BEGIN = re.compile(
    r"(?:\b(?:statement|STATEMENT|QUERY|execute [^:]{1,80}|bind [^:]{1,80}|parse [^:]{1,80}|Executing \([^)]{1,80}\)|prisma:query)\s{0,3}:?\s{1,3})"
    r"(?=[A-Za-z(/-])"
    r"|(?=\b(?:INSERT\s{1,8}INTO|insert\s{1,8}into|UPDATE\s{1,8}\S{1,200}\s{1,8}SET|update\s{1,8}\S{1,200}\s{1,8}set|MERGE\s{1,8}INTO"
    r"|(?:CREATE|ALTER)\s{1,8}(?:ROLE|USER)|SELECT\s{1,8}set_config|select\s{1,8}set_config)\b)"
)
# The values of a statement that are logged beside it: of PostgreSQL, Prisma, Sequelize, Django, Rails and SQLAlchemy.
_VALUES = re.compile(
    r"(?P<name>\b(?i:parameters|params|binds?|args|replacements)[\"']?\s{0,3}[:=]\s{0,3})(?=[\[({$'\"]).*"
    r"|(?P<rails>\s)\[\[\".*"
    r"|(?P<alchemy>\[(?:generated in|cached since|raw sql|no key|caching disabled)[^\]]{0,80}\]\s{1,3})[\[({].*"
)


def without_literals(lines):
    """The lines of a log, of whose statements only the text is left and no value.

    Args:
        lines: of text.

    Returns:
        A list of lines, shorter where a statement takes several.
    """
    found, position = [], 0
    while position < len(lines):
        line = lines[position]
        position += 1
        begin = _BEGIN.search(line)
        if not begin:
            found.append(_without_values(line))
            continue
        statement = [line[begin.end() :]]
        while position < len(lines) and lines[position].startswith("\t"):
            statement.append(lines[position])
            position += 1
        found.append(_without_values(line[: begin.end()]) + _shown("\n".join(statement)))
    return found


def _shown(statement):
    """A statement without its literals. What comes behind it, such as its values, is no part of it."""
    values = _VALUES.search(statement)
    text = redacted(statement[: values.start()] if values else statement, _STATEMENT_CHARACTERS)
    return f"{text} {_mask(values)}" if values else text


def _without_values(line):
    return _VALUES.sub(_mask, line)


def _mask(match):
    return (match.group("name") or match.group("alchemy") or "") + MASK

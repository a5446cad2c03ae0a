# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a statement without what is private in it."""

from __future__ import annotations

import re

from ..text.one_line import one_line

LITERAL = "'?'"
# For what is not read to its end, or can be read in two ways.
WITHHELD = "[...]"

# Nobody is shown more, and a statement can be as long as a backup.
_READ_LIMIT = 20000
# As PostgreSQL's own scanner: a name may hold a dollar sign, and a string of its own kind begins with E.
_TOKEN = re.compile(
    r"(?P<escaped>[eE]')|(?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*|\$?\d+)|(?P<string>')|(?P<name>\")"
    r"|(?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$)|(?P<block>/\*)|(?P<line>--)|(?P<other>.)",
    re.DOTALL,
)
_STRING = re.compile(r"(?:[^']|'')*")
_ESCAPED = re.compile(r"(?:[^'\\]|''|\\.)*", re.DOTALL)
_NAME = re.compile(r'(?:[^"]|"")*')
_GOES_ON = re.compile(r"'\s*\n\s*'")
_BLOCK = re.compile(r"/\*|\*/")
_LINE = re.compile(r"[^\n\r]*")


def redacted(query, length):
    """The start of a statement without comments, and with every literal replaced: it can be a password or a person.

    Args:
        query: the statement.
        length: the longest text returned, in characters.
    """
    text = (query or "")[:_READ_LIMIT]
    shown, ended, doubt = _read(text, False)
    # Where standard_conforming_strings is off, \' does not end a string. Who is right shows where only one reading ends well.
    if doubt is not None and not (ended and not _read(text, True)[1]):
        shown = [*shown[:doubt], WITHHELD]
    return one_line("".join(shown), length)


def _read(text, escapes):
    """A statement in pieces that may be shown.

    Args:
        text: the statement.
        escapes: whether a backslash escapes in every string, and not only in those that begin with E.

    Returns:
        ``(pieces, ended, doubt)``: whether everything that was opened was closed, and the number of the first piece after
        which that depends on ``escapes``, or None.
    """
    pieces, doubt, at = [], None, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        kind, start = token.lastgroup, token.end()
        if kind in ("word", "other"):
            piece, at = token.group(), start
        elif kind in ("string", "escaped"):
            at = _end_of_string(text, start, escapes or kind == "escaped")
            if doubt is None and kind == "string" and "\\'" in text[start:at]:
                doubt = len(pieces)
            piece = LITERAL
        elif kind == "dollar":
            end = text.find(token.group(), start)
            at, piece = (end + len(token.group()) if end >= 0 else len(text) + 1), LITERAL
        elif kind == "name":
            end = _NAME.match(text, start).end()
            at, piece = end + 1, text[token.start() : end + 1] if end < len(text) else WITHHELD
        else:
            at = _LINE.match(text, start).end() if kind == "line" else _end_of_block(text, start)
            piece = " " if at <= len(text) else WITHHELD
        pieces.append(piece)
    return pieces, at <= len(text), doubt


def _end_of_string(text, start, escapes):
    """Where a string ends, or one beyond the text if it does not."""
    body = _ESCAPED if escapes else _STRING
    end = body.match(text, start).end()
    while escapes and _GOES_ON.match(text, end):
        end = body.match(text, _GOES_ON.match(text, end).end()).end()
    return end + 1 if text[end : end + 1] == "'" else len(text) + 1


def _end_of_block(text, start):
    """Where a comment ends, which may hold others, or one beyond the text if it does not."""
    depth = 1
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if not depth:
            return mark.end()
    return len(text) + 1

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable in a dotenv file such as Docker Compose reads, changed in place.

A change touches that variable's text only, and is written in a notation that every reader of such files understands the
same way: bare, or in single quotes.
"""

from __future__ import annotations

import re

from ..text.url_parameter import with_url_parameter
from ..text.variable import CannotChange, check_url, check_variable, spliced

_BARE = re.compile(r"[A-Za-z0-9_./:@,+=?&%~^!*()\[\]{}<>|;-]*\Z")
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[^\s=:#'\"]+)[ \t]*(?:[=:][ \t]*|(?=[\r\n]|\Z))")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_COMMENT = re.compile(r"[ \t]+#|\A#")


def changed(text, name, value, url_parameter=None):
    """The text of the file with one variable set, or removed.

    Args:
        text: the file.
        name: the variable.
        value: what to set, or None to remove it.
        url_parameter: only this parameter of the query of the URL in the variable is set or removed.

    Returns:
        A dict ``text``, ``was_set`` (the variable, or the parameter, was there before) and ``before`` and ``after``
        (the names of the variables).

    Raises:
        CannotChange: it cannot be done so that every reader reads it back.
    """
    check_variable(name, value)
    found = assignments(text)
    own = [each for each in found if each["name"] == name]
    was_set = bool(own)
    if url_parameter is not None:
        text_after, was_set = _with_parameter(text, name, own, url_parameter, value)
    elif value is None:
        text_after = spliced(text, [(each["start"], each["end"], "") for each in own])
    elif not own:
        text_after = _appended(text, f"{name}={_quoted(name, value)}")
    elif _plain(own[-1]["raw"]) == value:
        text_after = text
    else:
        start, end = own[-1]["value_span"]
        separator = "" if own[-1]["has_separator"] else "="
        text_after = spliced(text, [(start, end, separator + _quoted(name, value))])
    others = [(each["name"], each["raw"]) for each in found if each["name"] != name]
    if [(each["name"], each["raw"]) for each in assignments(text_after) if each["name"] != name] != others:
        raise CannotChange(f"{name} cannot be changed so that nothing else in the file reads differently")
    return {
        "text": text_after,
        "was_set": was_set,
        "before": sorted({each["name"] for each in found}),
        "after": sorted({each["name"] for each in assignments(text_after)}),
    }


def assignments(text):
    """The variables of a dotenv file, in order.

    Returns:
        A list of dicts ``name``, ``raw`` (the value as written, quotes included, without a comment), ``value_span``,
        ``has_separator``, and ``start`` and ``end`` of its lines.

    Raises:
        CannotChange: a quote that is opened is not closed.
    """
    found, position = [], 0
    while position < len(text):
        line_end = _LINE.match(text, position).end()
        match = _ASSIGNMENT.match(text, position, line_end)
        if not match:
            position = line_end
            continue
        start = match.end()
        if text[start : start + 1] in ("'", '"'):
            end = _end_of_quoted(text, start, match.group("name"))
        else:
            line = text[start:line_end].rstrip("\r\n")
            comment = _COMMENT.search(line)
            end = start + len((line[: comment.start()] if comment else line).rstrip())
        line_end = _LINE.match(text, end).end()
        found.append(
            {
                "name": match.group("name"),
                "raw": text[start:end],
                "value_span": (start, end),
                "has_separator": match.group().rstrip()[-1:] in ("=", ":"),
                "start": position,
                "end": line_end,
            }
        )
        position = line_end
    return found


def _end_of_quoted(text, start, name):
    quote, position = text[start], start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == quote:
            return position + 1
        else:
            position += 1
    raise CannotChange(f"the value of {name} opens a quote that is not closed")


def _plain(raw):
    """The value, where it says the same to every reader; None where a variable or an escape is replaced in it."""
    if raw[:1] == "'":
        return raw[1:-1] if "\\" not in raw else None
    inner = raw[1:-1] if raw[:1] == '"' else raw
    return None if "$" in inner or "\\" in inner else inner


def _quoted(name, value):
    if _BARE.match(value):
        return value
    if "'" in value or "\\" in value:
        raise CannotChange(
            f"the value for {name} holds a single quote or a backslash beside other special characters, which readers of "
            "such files take differently"
        )
    return f"'{value}'"


def _with_parameter(text, name, own, parameter, value):
    if not own and value is None:
        return text, False
    raw = own[-1]["raw"] if own else ""
    quote = raw[:1] if raw[:1] in ("'", '"') else ""
    inner = raw[len(quote) : len(raw) - len(quote)]
    check_url(name, inner if own else None)
    inner_after, was_set = with_url_parameter(inner.replace("%", "%%"), parameter, value)
    start, end = own[-1]["value_span"]
    return spliced(text, [(start, end, quote + inner_after.replace("%%", "%") + quote)]), was_set


def _appended(text, line):
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    before = "" if not text or text[-1] in "\r\n" else end_of_line
    return text + before + line + end_of_line

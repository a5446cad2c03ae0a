# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable in an ``environment=`` of a supervisor configuration, changed in place.

A change touches that variable's text only. The result is read back with the parser and the lexer that supervisor
uses, before anybody writes it.
"""

from __future__ import annotations

from ..text.url_parameter import with_url_parameter
from ..text.variable import CannotChange, check_url, check_variable, spliced
from .ini import (
    comment_start,
    expanded,
    parse,
    read,
    tokens,
)


def names(text, section):
    """The names of the variables that a section sets, in order.

    Raises:
        CannotChange: the file or the section is not what supervisor could read.
    """
    return [pair["name"] for pair in read(text, section)["pairs"]]


def changed(text, section, name, value, url_parameter=None):
    """The text of the file with one variable set, or removed.

    Args:
        text: the configuration file.
        section: such as ``program:api``.
        name: the variable.
        value: what to set, or None to remove it.
        url_parameter: only this parameter of the query of the URL in the variable is set or removed.

    Returns:
        A dict ``text``, ``was_set`` (the variable, or the parameter, was there before) and ``before`` and
        ``after`` (the names of the section's variables).

    Raises:
        CannotChange: it cannot be done so that supervisor reads it back.
    """
    check_variable(name, value)
    _check_percent(section, value or "")
    found = read(text, section)
    pair = next((pair for pair in reversed(found["pairs"]) if pair["name"] == name), None)
    if url_parameter is not None:
        return _with_parameter(text, section, name, pair, url_parameter, value)
    if value is None:
        text_after = _without(text, found, name)
    elif pair is None:
        text_after = _with_new(text, found, name, value)
    elif pair["value"].strip("'\"") == value:
        text_after = text
    else:
        text_after = spliced(text, [(*pair["value_span"], _quoted(value, pair["value"][:1]))])
    if _proven(text, text_after, section, name) != value:
        raise _not_alone(name, section)
    return _outcome(text, text_after, section, pair is not None)


def _check_percent(section, text):
    if "%" in text and section == "supervisord":
        raise CannotChange("supervisor expands [supervisord] twice: set a value with % in a program's section")


def _with_parameter(text, section, name, pair, parameter, value):
    if pair is None and value is None:
        return _outcome(text, text, section, False)
    start, end = pair["value_span"] if pair else (0, 0)
    quoted = text[start:end]
    raw = quoted.strip("'\"")
    check_url(name, raw if pair else None, f" in [{section}]")
    start += len(quoted) - len(quoted.lstrip("'\""))
    raw_after, was_set = with_url_parameter(raw, parameter, value)
    _check_percent(section, raw_after)
    text_after = spliced(text, [(start, start + len(raw), raw_after)])
    if _proven(text, text_after, section, name) != expanded(raw_after)[0]:
        raise _not_alone(name, section)
    return _outcome(text, text_after, section, was_set)


def _outcome(text, text_after, section, was_set):
    return {
        "text": text_after,
        "was_set": was_set,
        "before": sorted(set(names(text, section))),
        "after": sorted(set(names(text_after, section))),
    }


def _meaning(text, section):
    lexed = tokens(expanded(parse(text)[section].get("environment", ""))[0])
    return {lexed[index]: lexed[index + 2].strip("'\"") for index in range(0, len(lexed), 4)}


def _proven(text, text_after, section, name):
    """What the variable reads as afterwards (None where it is not set), if nothing else reads differently."""
    before, after = parse(text), parse(text_after)
    variables = [_meaning(text, section), _meaning(text_after, section)]
    for options in (before[section], after[section]):
        options.pop("environment", None)
    values = [meaning.pop(name, None) for meaning in variables]
    if before != after or variables[0] != variables[1]:
        raise _not_alone(name, section)
    return values[1]


def _not_alone(name, section):
    return CannotChange(f"{name} in [{section}] cannot be changed so that supervisor reads that change only")


def _quoted(value, preferred='"'):
    """A value in the first notation that supervisor reads back as it is."""
    for quote in dict.fromkeys([preferred if preferred in ("'", '"') else '"', '"', "'", ""]):
        raw = quote + value.replace("%", "%%") + quote
        if comment_start("x=" + raw) is not None:
            break
        try:
            lexed = tokens(expanded("x=" + raw)[0])
        except CannotChange:
            continue
        if len(lexed) == 3 and lexed[2].strip("'\"") == value:
            return raw
    raise CannotChange(
        "supervisor has no notation for this value: it knows no escapes, so a value cannot hold both kinds of "
        "quotes, begin or end with one, or hold a space followed by ; or #"
    )


def _with_new(text, found, name, value):
    assignment = f"{name}={_quoted(value)}"
    option, pairs = found["option"], found["pairs"]
    if option is None:
        offset, indentation = found["insert_at"]
        end_of_line = "\r\n" if "\r\n" in text else "\n"
        before = "" if offset == 0 or text[offset - 1] in "\r\n" else end_of_line
        return spliced(text, [(offset, offset, f"{before}{indentation}environment={assignment}{end_of_line}")])
    if not pairs:
        offset = option["pieces"][0][0]
        return spliced(text, [(offset, offset, assignment)])
    last = pairs[-1]
    # Written like the variable before it: on a line of its own where that has one.
    previous = pairs[-2]["separator_span"][1] if len(pairs) > 1 else option["pieces"][0][0]
    gap = text[previous : last["span"][0]]
    gap = gap if not gap.strip() else ""
    if last["separator_span"]:
        offset = last["separator_span"][1]
        return spliced(text, [(offset, offset, gap + assignment)])
    offset = last["span"][1]
    return spliced(text, [(offset, offset, "," + gap + assignment)])


def _without(text, found, name):
    pairs, option = found["pairs"], found["option"]
    if not any(pair["name"] == name for pair in pairs):
        return text
    if all(pair["name"] == name for pair in pairs):
        start, end = option["line"]
        has_one_line = len([piece for piece in option["pieces"] if piece[0] < piece[1]]) == 1
        if found["option_count"] == 1 and has_one_line and not option["has_comment"]:
            return spliced(text, [(start, end, "")])
    cuts = []
    for index, pair in enumerate(pairs):
        if pair["name"] != name:
            continue
        cuts.append((*pair["span"], ""))
        follows_kept = any(other["name"] != name for other in pairs[index + 1 :])
        if pair["separator_span"]:
            cuts.append((*pair["separator_span"], ""))
        if not follows_kept and not pair["separator_span"]:
            kept = [other for other in pairs[:index] if other["name"] != name]
            if kept:
                cuts.append((*kept[-1]["separator_span"], ""))
    return spliced(text, _with_blank_around(text, cuts))


def _with_blank_around(text, cuts):
    """The cuts, taking the blank behind them along, and a line that would be left empty."""
    cuts = sorted(set(cuts))
    merged = []
    for start, end, _new in cuts:
        blank = len(text[end:]) - len(text[end:].lstrip(" \t"))
        if text[end + blank : end + blank + 1] not in (";", "#"):  # those begin a comment only behind a blank
            end += blank
        if merged and merged[-1][1] >= start:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), "")
        else:
            merged.append((start, end, ""))
    whole = []
    for start, end, new in merged:
        line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        if not text[line_start:start].strip() and text[end : end + 1] in ("", "\r", "\n"):
            start, end = line_start, end + (2 if text[end : end + 2] == "\r\n" else len(text[end : end + 1]))
        whole.append((start, end, new))
    return whole

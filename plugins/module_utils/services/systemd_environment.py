# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable in an EnvironmentFile of systemd, changed in place.

It is no dotenv file: it knows no ``export``, a ``#`` behind a value belongs to the value, and ``;`` begins a comment, too. A
comment that ends in a backslash goes on in the next line before systemd 254, and no longer since. So a file is read in both
ways, and what is written has to read the same in both.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from ..text.url_parameter import with_url_parameter
from ..text.variable import NAME, CannotChange, check_url, check_variable, spliced

_BARE = re.compile(r"[A-Za-z0-9_./:@,+=?&%~^!*()\[\]{}<>|;#$-]*\Z")
_BLANK = " \t\n\r"
_NEWLINE = "\n\r"
# What a backslash takes its meaning from within double quotes.
_ESCAPED = '"\\`$'


def assignments(text, comment_goes_on=False):
    """The assignments of an EnvironmentFile as systemd reads them, in order.

    Args:
        text: the file.
        comment_goes_on: whether a comment that ends in a backslash takes the next line, as before systemd 254.

    Returns:
        A list of dicts ``name``, ``value``, ``line`` (its number), ``start`` and ``end`` of its lines, ``value_span`` (as written),
        and ``is_used``: systemd ignores a name that cannot be one, such as ``export X``.
    """
    found, position, state, one = [], 0, "before", None
    key, value, kept = "", "", 0
    first = start = 0
    length = len(text)

    def done(end, value_end):
        name = key.rstrip(_BLANK)
        found.append(
            {
                "name": name,
                "value": value,
                "line": text.count("\n", 0, start) + 1,
                "start": first,
                "end": end,
                "value_span": (one, value_end),
                "is_used": bool(NAME.match(name)),
            }
        )

    while position < length:
        sign = text[position]
        position += 1
        if state == "before":
            if sign in "#;":
                state = "comment"
            elif sign not in _BLANK:
                state, key, start = "key", sign, position - 1
                first = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        elif state == "key":
            if sign in _NEWLINE:
                state = "before"
            elif sign == "=":
                state, value, kept, one = "gap", "", 0, position
            else:
                key += sign
        elif state in ("gap", "value"):
            if sign in _NEWLINE:
                value = value[:kept] if state == "value" else value
                done(position, position - 1)
                state = "before"
            elif state == "gap" and sign in "'\"":
                state = "single" if sign == "'" else "double"
            elif sign == "\\":
                state = "escape"
            elif state == "value" or sign not in _BLANK:
                state = "value"
                value += sign
                kept = len(value) if sign not in _BLANK else kept
        elif state == "escape":
            state = "value"
            if sign not in _NEWLINE:
                value += sign
            kept = len(value)
        elif state == "single":
            if sign == "'":
                state = "gap"
            else:
                value += sign
        elif state == "double":
            if sign == '"':
                state = "gap"
            elif sign == "\\":
                state = "double escape"
            else:
                value += sign
        elif state == "double escape":
            state = "double"
            value += sign if sign in _ESCAPED else "" if sign == "\n" else "\\" + sign
        elif state == "comment":
            if sign == "\\":
                state = "comment escape"
            elif sign in _NEWLINE:
                state = "before"
        else:
            state = "before" if sign in _NEWLINE and not comment_goes_on else "comment"
    if state in ("gap", "value", "escape", "single", "double", "double escape"):
        value = value[:kept] if state == "value" else value
        done(length, length)
        found[-1]["is_open"] = state not in ("gap", "value")
    elif state in ("comment escape",):
        found.append(
            {
                "name": "",
                "value": "",
                "line": 0,
                "start": length,
                "end": length,
                "value_span": (length, length),
                "is_used": False,
                "is_open": True,
            }
        )
    return found


def changed(text, name, value, url_parameter=None):
    """The text of the file with one variable set, or removed, as ``dotenv_environment.changed``.

    Raises:
        CannotChange: it cannot be done so that every systemd reads it back.
    """
    check_variable(name, value)
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise CannotChange("it is not UTF-8, and systemd ignores such a file")
    before = {goes_on: assignments(text, goes_on) for goes_on in (False, True)}
    now = [one for one in before[False] if one["is_used"] and one["name"] == name]
    was_set = bool(now)
    wanted = value
    if url_parameter is not None:
        if not now and value is None:
            return _outcome(text, text, False)
        check_url(name, now[-1]["value"] if now else None)
        wanted, was_set = with_url_parameter(now[-1]["value"].replace("%", "%%"), url_parameter, value)
        wanted = wanted.replace("%%", "%")
    if all(_meaning(each).get(name) == wanted for each in before.values()):
        return _outcome(text, text, was_set)
    candidates = [
        _in_place(text, now, wanted),
        _at_the_end(text, name, now, wanted),
        _at_the_end(text, name, [], wanted),
    ]
    for text_after in candidates:
        if text_after is not None and _is_proven(text_after, before, name, wanted):
            return _outcome(text, text_after, was_set)
    raise CannotChange(_why_not(before, name))


def _in_place(text, now, value):
    if not now:
        return None
    if value is None:
        return spliced(text, [(one["start"], one["end"], "") for one in now])
    return spliced(text, [(*now[-1]["value_span"], _quoted(value))])


def _at_the_end(text, name, now, value):
    """A line of its own at the end; the last one counts. Behind a backslash an empty line comes first."""
    if value is None:
        return None
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    text = spliced(text, [(one["start"], one["end"], "") for one in now])
    gap = "" if not text or text[-1] in _NEWLINE else end_of_line
    if text.rstrip(_NEWLINE)[-1:] == "\\":
        gap += end_of_line
    return f"{text}{gap}{name}={_quoted(value)}{end_of_line}"


def _is_proven(text, before, name, value):
    """Whether every systemd reads the variable so, and everything else as before."""
    for goes_on, was in before.items():
        is_now = assignments(text, goes_on)
        if _meaning(is_now).get(name) != value or _others(is_now, name) != _others(was, name):
            return False
    return True


def _meaning(found):
    return {one["name"]: one["value"] for one in found if one["is_used"]}


def _others(found, name):
    return [(one["name"], one["value"]) for one in found if one["name"] not in ("", name)]


def _why_not(before, name):
    differing = [
        one for one in before[False] if one["name"] == name and _others(before[True], "") != _others(before[False], "")
    ]
    if differing:
        line = differing[0]["line"]
        return f"line {line} sets {name} behind a comment that ends in a backslash, which older versions of systemd take for one line with it"
    still_open = [one for one in before[False] if one.get("is_open")]
    if still_open:
        return (
            f"line {still_open[-1]['line']} opens a quote, or ends in a backslash, and takes what follows for its value"
        )
    return f"{name} cannot be changed so that systemd reads that change only"


def _quoted(value):
    """The value as systemd reads it back: bare, or in double quotes with what has a meaning there escaped."""
    if _BARE.match(value) and value[:1] not in ("#", ";"):
        return value
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def _outcome(text, text_after, was_set):
    return {
        "text": text_after,
        "was_set": was_set,
        "before": sorted(_meaning(assignments(text))),
        "after": sorted(_meaning(assignments(text_after))),
    }


def why_not_seen(shown, path, name, value, texts):
    """Why a unit would not see what a file sets, in one line; empty where it sees it.

    Later files win over earlier ones, all of them over ``Environment=`` and ``PassEnvironment=``, and ``UnsetEnvironment=``
    over everything.

    Args:
        shown: what ``systemctl show`` says: lines ``EnvironmentFiles=PATH (ignore_errors=no)`` and ``UnsetEnvironment=NAMES``.
        path: the file that is changed.
        name: the variable.
        value: what it is to be.
        texts: what the other files of the unit hold, by path.
    """
    files, unset = [], []
    for line in shown.splitlines():
        key, _sign, told = line.partition("=")
        if key == "EnvironmentFiles" and told:
            files.append(re.sub(r" \(ignore_errors=(?:yes|no)\)\Z", "", told))
        elif key == "UnsetEnvironment":
            unset += told.split()
    if not files:
        return ""
    mine = [position for position, one in enumerate(files) if fnmatchcase(path, one)]
    if not mine:
        return f"the unit does not read it: its EnvironmentFile is {', '.join(files)}"
    if name in unset or f"{name}={value}" in unset:
        return f"the unit takes {name} out again with UnsetEnvironment="
    for later in files[mine[-1] + 1 :]:
        if _meaning(assignments(texts.get(later, ""))).get(name, value) != value:
            return f"{later} sets {name} as well, and the unit reads it later: set it there"
    return ""

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error lines of a log, grouped so that a thousand lines of one failure read as one."""

from __future__ import annotations

import re

from .masking import mask_secrets
from .one_line import one_line

GROUPS_LIMIT = 20

_HIGH = r"FATAL|PANIC|CRITICAL|CRIT|ERROR|SEVERE|EMERGENCY|EMERG|ALERT"
_LOW = r"TRACE|DEBUG|INFO|NOTICE|WARNING|WARN"
# Where a line names its own level, that decides: `level=info msg="retry after error: refused"` is no error.
_LEVEL_FIELD = re.compile(
    r"\b(?:level|lvl|levelname|severity)[\"']?\s*[=:]\s*[\"']?(?:(?P<high>"
    + _HIGH
    + r"|ERR)|(?P<low>"
    + _LOW
    + r"))\b",
    re.IGNORECASE,
)
_NUMERIC_LEVEL_FIELD = re.compile(r"\"level\"\s*:\s*(?P<level>[1-6]0)\b")
_LEVEL_WORD = re.compile(r"(?:\b|_)(?:(?P<high>" + _HIGH + r")|(?P<low>" + _LOW + r"))\b")
_LEVEL_IN_BRACKETS = re.compile(r"\[(?:error|crit|alert|emerg)\]")
_EXCEPTION = re.compile(r"^(?:Uncaught |Unhandled )?(?:[A-Za-z_]\w*(?:\.|::))*\w*(?:Error|Exception)\b(?::| \[| in |$)")
_PLAIN = re.compile(
    r"\b(?:fatal error|fatal|panic|error):"
    r"|\bsegmentation fault\b|\bout of memory\b|\bkilled process\b|\boom-kill",
    re.IGNORECASE,
)

_TIME = re.compile(
    r"\[?\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?\]?"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
)
_IDENTIFIER = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[a-z]*\d)[0-9a-f]{12,}\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\b\d+(?:[.,:]\d+)*(?:ns|us|ms|s|m|h|[kKMG]i?B|B)?\b")


def group_error_lines(text, lines):
    """The errors among the last ``lines`` lines of a log, the most frequent first.

    Lines that differ only in times, numbers and identifiers are one group. The indented lines of a stack
    trace belong to the line that names the error and are not counted. Secrets are masked.

    Args:
        text: the log, or its end, as text.
        lines: how many of the last lines to look at.

    Returns:
        At most 20 dicts ``count`` (lines), ``line`` (what they have in common: ``<time>``, ``<id>`` and ``#``
        stand for what differs) and ``last`` (the most recent of them).
    """
    groups = {}
    for position, line in enumerate(text.splitlines()[-lines:] if lines > 0 else []):
        if not is_error_line(line):
            continue
        last = mask_secrets(one_line(line, limit=2000))
        group = groups.setdefault(_pattern(last), {"count": 0})
        group.update(count=group["count"] + 1, last=one_line(last), position=position)
    ordered = sorted(groups.items(), key=lambda item: (-item[1]["count"], -item[1]["position"]))
    return [
        {"count": group["count"], "line": one_line(line), "last": group["last"]}
        for line, group in ordered[:GROUPS_LIMIT]
    ]


def is_error_line(line):
    """Whether a log line reports an error by itself; an indented line (part of a stack trace) does not."""
    if not line.strip() or line[0] in " \t":
        return False
    field = _LEVEL_FIELD.search(line)
    if field:
        return bool(field.group("high"))
    numeric = _NUMERIC_LEVEL_FIELD.search(line)
    if numeric:
        return int(numeric.group("level")) >= 50
    word = _LEVEL_WORD.search(line)
    if word:
        return bool(word.group("high"))
    return bool(_LEVEL_IN_BRACKETS.search(line) or _EXCEPTION.search(line) or _PLAIN.search(line))


def _pattern(line):
    line = _TIME.sub("<time>", line)
    line = _IDENTIFIER.sub("<id>", line)
    return _NUMBER.sub("#", line)

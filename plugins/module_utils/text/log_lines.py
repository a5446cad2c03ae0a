# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error lines of a log, grouped so that a thousand lines of one failure read as one."""

from __future__ import annotations

import re

from .levels import ERROR, FATAL, level_of, says_error
from .masking import mask_secrets
from .one_line import one_line, without_sequences

GROUPS_LIMIT = 20

_PANIC = re.compile(r"thread '[^']{0,80}' (?:\(\d{1,10}\) )?panicked at \S{1,300}:\d{1,7}:\d{1,5}:$")
_ERROR_NAME = re.compile(r"[A-Za-z_][\w.]{0,200}(?::|$)")
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
    own = [without_sequences(line) for line in text.splitlines()[-lines:]] if lines > 0 else []
    for position in error_positions(own):
        line = own[position]
        if _PANIC.match(line) and position + 1 < len(own) and level_of(own[position + 1]) is None:
            line = f"{line} {own[position + 1]}"
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
    line = without_sequences(line)
    if not line.strip() or line[0] == "\t" or line[:2] == "  ":
        return False
    level = level_of(line)
    return level in (ERROR, FATAL) if level else says_error(line)


def error_positions(lines):
    """Which lines of a log are errors, by their positions; what a line before tells counts.

    A Python traceback ends with its error, whatever that is called, and the message of a panic is on the next line.
    """
    found, in_traceback = [], False
    for position, line in enumerate(lines):
        if line.lstrip().startswith("Traceback (most recent call last)"):
            in_traceback = True
            continue
        is_end = in_traceback and line[:1] not in ("", " ", "\t") and bool(_ERROR_NAME.match(line))
        if is_end:
            in_traceback = False
        if is_end or is_error_line(line):
            found.append(position)
    return found


def _pattern(line):
    line = _TIME.sub("<time>", line)
    line = _IDENTIFIER.sub("<id>", line)
    return _NUMBER.sub("#", line)

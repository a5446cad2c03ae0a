# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine told, in the words that all queues have in common. Pure."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from datetime import datetime, timezone

from ..text.masking import masked
from ..text.one_line import one_line

NAME_CHARACTERS = 120
ID_CHARACTERS = 200
ERROR_CHARACTERS = 200
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?\Z")
_MILLISECONDS = 1e11
# Two clocks that are kept may differ by so much.
_CLOCKS_SECONDS = 5.0
# Names that one group of errors shows.
_NAMES_OF_AN_ERROR = 5
# What differs between two errors of one kind, and may be a person: addresses, ids, numbers, what is in quotes.
_PARTICULARS = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<address>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<id>"),
    (re.compile(r"\"[^\"]{1,200}\"|(?<!\w)'[^']{1,200}'|`[^`]{1,200}`"), "<text>"),
    # But not a status of HTTP or SMTP.
    (re.compile(r"(?!\b[1-5]\d\d\b)(?<!\d)\d+(?:\.\d+)?"), "<n>"),
)


def text_of(value):
    """A text of a store, whatever bytes it has."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def name_of(value):
    """The name of a job or a source, fit to be shown, or None where there is none."""
    return masked(text_of(value), NAME_CHARACTERS) or None if value not in (None, b"", "") else None


def job(identity, name=None, age_seconds=None):
    """A job as an answer lists it: what is not known of it is left out."""
    found = {"id": one_line(text_of(identity), ID_CHARACTERS)}
    if name is not None:
        found["name"] = name
    if age_seconds is not None and age_seconds >= -_CLOCKS_SECONDS:
        found["age_seconds"] = seconds(age_seconds)
    return found


def seconds(value):
    """An age, never below 0: two clocks differ by a little."""
    return round(max(0.0, float(value)), 3)


def oldest(ages, limits):
    """The greatest age, or None where none is known: one from the future tells that the clocks differ, and not how old it is.

    Args:
        ages: in seconds.
        limits: lines of what could not be seen, to which one is added where that is so.
    """
    ahead = [age for age in ages if age < -_CLOCKS_SECONDS]
    if ahead:
        limits.append(
            f"how long jobs wait is not known: some began to {round(-min(ahead))} s in the future, so the clocks of the application "
            "and of the store differ"
        )
        return None
    return seconds(max(ages)) if ages else None


def number_of(value):
    """A number that a store keeps as text, or None; what is infinite is none that says anything."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def epoch_of(text):
    """The seconds of a time in ISO 8601, or None. Without a zone it is one in UTC."""
    match = _TIME.match(text_of(text or ""))
    if not match:
        return None
    try:
        whole = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=timezone.utc)
    except ValueError:
        return None
    ahead = (int(match.group(9) or 0) * 60 + int(match.group(10) or 0)) * 60 * (-1 if match.group(8) == "-" else 1)
    return whole.timestamp() + float(match.group(7) or 0) - ahead


def has_no_zone(value):
    """Whether it is a time in ISO 8601 that does not say in which zone."""
    match = None if value is None or isinstance(value, (bool, int, float)) else _TIME.match(text_of(value))
    return match is not None and not text_of(value).endswith("Z") and match.group(8) is None


def moment_of(value):
    """The seconds of a time, whether it is written as seconds, as milliseconds or as text, or None."""
    if isinstance(value, bool) or value is None:
        return None
    number = number_of(value)
    if number is None:
        return epoch_of(value)
    # Seconds would be some thousand years from now.
    return number / 1000 if number > _MILLISECONDS else number


def fields_of(message):
    """The fields of a message that is a JSON object, and none of any other."""
    try:
        found = json.loads(message)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def by_name(names, top):
    """How many jobs each name has, the most first.

    Args:
        names: a name for each job looked at; None where it has none.
        top: how many names to tell.
    """
    counted = Counter(name for name in names if name)
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"name": name, "count": count} for name, count in ordered[:top]]


def errors(pairs, top):
    """Errors of one kind together, the most frequent first.

    Args:
        pairs: ``(text, name)`` of each job that failed; a text of several lines counts by its first.
        top: how many groups to tell.
    """
    groups = {}
    for text, name in pairs:
        kind = kind_of_error(text)
        if kind:
            groups.setdefault(kind, []).append(name)
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        {"text": kind, "count": len(names), "names": [one["name"] for one in by_name(names, _NAMES_OF_AN_ERROR)]}
        for kind, names in ordered[:top]
    ]


def kind_of_error(text):
    """The first line of an error without secrets and without what is particular about it."""
    line = next((line for line in text_of(text or "").splitlines() if line.strip()), "")
    line = masked(line, 4 * ERROR_CHARACTERS)
    for pattern, placeholder in _PARTICULARS:
        line = pattern.sub(placeholder, line)
    return one_line(line, ERROR_CHARACTERS)


def over_limit(running, limit_seconds, most):
    """The running jobs that are older than allowed, the oldest first.

    Args:
        running: of :func:`job`; those without an age are left out.
        limit_seconds: what is allowed.
        most: how many to list.

    Returns:
        ``running_over_limit`` and ``running_over_limit_count``.
    """
    late = [one for one in running if one.get("age_seconds", 0) > limit_seconds]
    late.sort(key=lambda one: -one["age_seconds"])
    return {"running_over_limit": late[:most], "running_over_limit_count": len(late)}


def settled(found, limits):
    """An answer: what is not known is left out, and what could not be seen is said.

    Args:
        found: by the names of the module's documentation.
        limits: lines.
    """
    known = {name: value for name, value in found.items() if value is not None}
    return dict(known, available=True, error="", complete=not limits, limits=list(limits))


def spread(length, most):
    """Where to read a list that is too long to be read: pairs of the first and the last index, ends included.

    Args:
        length: of the list.
        most: how many elements to read.
    """
    if length <= most:
        return [(0, length - 1)] if length else []
    pieces = min(10, most)
    size = most // pieces
    starts = [round(piece * (length - size) / max(1, pieces - 1)) for piece in range(pieces)]
    return [(start, start + size - 1) for start in starts]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a cron expression is due, in its time zone. Pure.

Why not a library: docs/dependencies.md. What is judged are schedulers of every kind, and they disagree about the two nights of a year
in which clocks change. A time that clocks skip is run right after the gap by Debian's cron, and not at all by pg_cron, Go's ``robfig/cron``
and so Kubernetes; a time that comes twice is run once by the one and twice by others.
Nobody may be called late for doing what another one does not, so:

- a time that does not exist is not due at all;
- a time that comes twice is due from the first time on, and late only after the second: see :class:`Due`;
- a job whose minute or hour begins with ``*`` goes by what passes and not by the clock on the wall, as all of them have it. In an hour
  that comes twice it is due in both.

Tests compare this with what ``cronsim`` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Field -> its least and greatest number, and the names that count from the least one. Sunday is 0 and 7.
_FIELDS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day of month": (1, 31, ()),
    "month": (1, 12, _MONTHS),
    "day of week": (0, 7, _DAYS),
}
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_TERM = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,4}))?\Z", re.ASCII)
_LONGEST_CHARACTERS = 200
# Dates fall on the same weekdays again after so many years.
_MOST_DAYS = 366 * 28
# By so much clocks change, at most: around a time, what comes later on the wall can come first.
_CHANGE = timedelta(hours=3)


@dataclass(frozen=True)
class Cron:
    """An expression.

    Attributes:
        minutes, hours, days, months, weekdays: the numbers of each field; Sunday is 0.
        either_day: whether a day is due by its date or by its weekday, and not only by both.
        goes_by_the_wall: whether it runs at times of a day, and not as time passes.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    goes_by_the_wall: bool

    def has(self, day: date) -> bool:
        """Whether it is due on a day."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


@dataclass(frozen=True)
class Due:
    """One time at which something is due, in seconds since 1970.

    Attributes:
        first: from when on it may be started.
        last: when it has to be; another than ``first`` where the clock shows the time twice.
    """

    first: float
    last: float


def parsed(text: str) -> Cron:
    """An expression of five fields, or a nickname such as ``@daily``.

    Raises:
        ValueError: it is none, in one line that names the field.
    """
    fields = _NICKNAMES.get(text.strip().lower(), text).lower().split() if len(text) <= _LONGEST_CHARACTERS else []
    if len(fields) != len(_FIELDS):
        raise ValueError("a cron expression has five fields: minute, hour, day of month, month, day of week")
    minutes, hours, days, months, weekdays = (
        _numbers(name, field) for name, field in zip(_FIELDS, fields, strict=True)
    )
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        # As cron has it: a field that begins with a star restricts nothing by itself.
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        goes_by_the_wall=not fields[0].startswith("*") and not fields[1].startswith("*"),
    )


def _numbers(name: str, field: str) -> set[int]:
    least, greatest, _names = _FIELDS[name]
    found: set[int] = set()
    for term in field.split(","):
        match = _TERM.match(term)
        if not match:
            raise ValueError(f"the {name} of a cron expression cannot be {term[:20]!r}")
        step = int(match["step"] or 1)
        if match["star"]:
            # Sunday is there once.
            first, last = least, min(greatest, 6) if name == "day of week" else greatest
        else:
            first = _number(name, match["first"])
            # 5/10 is every tenth from 5 on.
            last = _number(name, match["last"]) if match["last"] else greatest if match["step"] else first
        if not step or last < first:
            raise ValueError(f"the {name} of a cron expression cannot be {term[:20]!r}")
        found.update(range(first, last + 1, step))
    return found


def _number(name: str, word: str) -> int:
    least, greatest, names = _FIELDS[name]
    if word in names:
        return names.index(word) + least
    if not word.isdigit() or not least <= int(word) <= greatest:
        raise ValueError(f"the {name} of a cron expression is {least} to {greatest}, and not {word[:20]!r}")
    return int(word)


@lru_cache(maxsize=4096)
def due_before(cron: Cron, zone: ZoneInfo, at_seconds: float) -> Due | None:
    """The last time that was due, both of its times included, or None where there is none in a calendar."""
    return _nearest(cron, zone, at_seconds, -1)


@lru_cache(maxsize=4096)
def due_after(cron: Cron, zone: ZoneInfo, at_seconds: float) -> Due | None:
    """The next time that will be due, or None where there is none in a calendar."""
    return _nearest(cron, zone, at_seconds, 1)


def _nearest(cron: Cron, zone: ZoneInfo, at_seconds: float, way: int) -> Due | None:
    wall = datetime.fromtimestamp(at_seconds, zone).replace(tzinfo=None)
    best: tuple[Due, datetime] | None = None
    for time in _times(cron, wall - way * _CHANGE, way):
        if best and way * (time - best[1]) > _CHANGE:
            break
        for due in _dues(cron, time, zone):
            is_there = due.last <= at_seconds if way < 0 else due.first > at_seconds
            if is_there and (best is None or way * (due.first - best[0].first) < 0):
                best = due, time
    return best[0] if best else None


def _times(cron: Cron, begin: datetime, way: int) -> Iterator[datetime]:
    """The times on the wall from one on, forwards or backwards."""
    for number in range(_MOST_DAYS):
        day = begin.date() + timedelta(days=way * number)
        if not cron.has(day):
            continue
        for hour in cron.hours[::way]:
            for minute in cron.minutes[::way]:
                time = datetime(day.year, day.month, day.day, hour, minute)
                if number or way * (time - begin) >= timedelta(0):
                    yield time


def _dues(cron: Cron, time: datetime, zone: ZoneInfo) -> list[Due]:
    """When a time on the wall is due: never where it does not exist, and once or twice where the clock shows it twice."""
    before, after = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if before.utcoffset() == after.utcoffset():
        return [Due(before.timestamp(), before.timestamp())]
    if before.astimezone(timezone.utc).astimezone(zone).replace(tzinfo=None) != time:
        return []
    first, second = before.timestamp(), after.timestamp()
    return [Due(first, second)] if cron.goes_by_the_wall else [Due(first, first), Due(second, second)]

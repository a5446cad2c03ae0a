# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service hours: a clock that stands still while nobody is at work. Clocks that change are those of the time zone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from zoneinfo import ZoneInfo

# A service that opens on no day of more than a year never opens.
_MOST_DAYS = 400


@dataclass(frozen=True)
class Hours:
    """When there is service.

    Attributes:
        zone: as IANA names it.
        days: of the week on which a shift begins; 0 is Monday.
        begins, ends: minutes since midnight; a shift that ends no later than it begins goes on into the next day.
        closed: days on which no shift begins.
    """

    zone: str
    days: frozenset[int]
    begins: int
    ends: int
    closed: frozenset[date] = frozenset()

    def shifts(self, since: float) -> Iterator[tuple[float, float]]:
        """The shifts that end after ``since``, in order: when each begins and ends."""
        zone = ZoneInfo(self.zone)
        first = datetime.fromtimestamp(since, zone).date() - timedelta(days=2)
        for number in range(_MOST_DAYS):
            day = first + timedelta(days=number)
            if day.weekday() not in self.days or day in self.closed:
                continue
            # Where a clock is set back, the shift has the hour that comes twice both times.
            begin = _at(day, self.begins, zone, fold=0)
            end = _at(day, self.ends if self.ends > self.begins else self.ends + 24 * 60, zone, fold=1)
            if end > since and end > begin:
                yield begin, end

    def is_open(self, at: float) -> bool:
        """Whether there is service."""
        return next((begin <= at for begin, _end in self.shifts(at)), False)

    def after(self, start: float, seconds: float) -> float:
        """When so many seconds of service have gone by since ``start``; infinite where that is never."""
        left, now = seconds, start
        for begin, end in self.shifts(start):
            now = max(now, begin)
            if now >= end:
                continue
            if now + left <= end:
                return now + left
            left -= end - now
            now = end
        return math.inf


def _at(day: date, minutes: int, zone: ZoneInfo, fold: int) -> float:
    at = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return at.replace(tzinfo=zone, fold=fold).timestamp()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a job, in the words that all schedules have in common. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# Jobs of one schedule that are read, and starts of each that are kept.
MOST_JOBS = 500
MOST_STARTS = 10
# As seconds, some thousand years from now.
_MILLISECONDS = 1e11
# As PostgreSQL writes a timestamptz into JSON. One without a zone is no moment.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:(Z)|([+-])(\d\d):?(\d\d)?(?::\d\d)?)\Z"
)


class NoMoment(ValueError):
    """A value is no time that anybody can place."""


def moment(value):
    """The seconds since 1970 of a time as PostgreSQL writes it into JSON, or of a number of seconds.

    Raises:
        NoMoment: it is none, in a few words that follow the name of its column.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) < _MILLISECONDS:
            raise NoMoment("is no time: a number is in seconds since 1970")
        return float(value)
    match = _TIME.match(value) if isinstance(value, str) else None
    if not match:
        without = isinstance(value, str) and _TIME.match(value + "Z")
        raise NoMoment("is a time without a zone; write AT TIME ZONE '...' after it" if without else "is no time")
    try:
        whole = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=timezone.utc)
    except ValueError:
        raise NoMoment("is no time") from None
    east = timedelta(hours=int(match.group(10) or 0), minutes=int(match.group(11) or 0))
    return (whole - east * (-1 if match.group(9) == "-" else 1)).timestamp() + float(match.group(7) or 0)


def age(value, now_seconds):
    """How long ago a time was, in seconds by the database's clock; below 0 where it has not come yet.

    Raises:
        NoMoment: as :func:`moment`.
    """
    return round(now_seconds - moment(value), 3)


def latest(starts):
    """The latest starts of a job, the last first, as many as are kept.

    Args:
        starts: dicts with ``age_seconds``.
    """
    return sorted(starts, key=lambda one: one["age_seconds"])[:MOST_STARTS]

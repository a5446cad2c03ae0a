# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of an incident, each with the entry that says it, and the seconds between them."""

from __future__ import annotations

import math

from .document import Moment
from .timeline import Entry, Timeline, moment, number

# Name -> the kinds of entries that say so, the incident's fields (the first one that it has), and what is said where there is none.
_KINDS = {
    "detected": (("opened",), ("opened_at",), "no entry says when it was opened"),
    "acknowledged": (("acknowledged",), ("first_acknowledged_at", "acknowledged_at"), "nobody acknowledged it"),
    "mitigated": (("mitigated",), ("mitigated_at",), "no entry says that it was mitigated"),
    "resolved": (("resolved",), ("resolved_at",), "it is not resolved"),
    "closed": (("closed", "cancelled", "merged"), ("closed_at",), "it is not closed"),
}
_SET_BACK = "it is earlier than what was before it: a clock was set back, or clocks differ"


def moments(timeline: Timeline) -> tuple[Moment, ...]:
    """When it began, was detected, acknowledged, mitigated, resolved and closed."""
    found: list[tuple[str, float | None, tuple[int, ...], str]] = [_began(timeline)]
    for name, (kinds, fields, missing) in _KINDS.items():
        said = _said(timeline, kinds, fields)
        if said is None:
            # Such as one that came too late, or before it was opened again.
            void = timeline.of(*kinds)[-1:]
            why = f"{missing}; what entry {void[0].number} says does not hold" if void else missing
            found.append((name, None, timeline.numbers(*void), why))
        else:
            found.append((name, said[0], timeline.numbers(said[1]), ""))
    detected, detected_by = found[1][1], found[1][2]
    told: list[Moment] = []
    before: float | None = None
    before_by: tuple[int, ...] = ()
    for name, at, entries, missing in found:
        step = seconds_between(before, at)
        after = None if name == "began" else seconds_between(detected, at)
        # The seconds come from two entries.
        because = {*entries, *(detected_by if after is not None else ()), *(before_by if step is not None else ())}
        told.append(
            Moment(
                name=name,
                at=at,
                entry=entries[0] if at is not None else None,
                after_seconds=after,
                step_seconds=step,
                entries=tuple(sorted(because)),
                not_known=missing or _disagrees(before, at),
            )
        )
        if at is not None:
            before, before_by = at, entries
    return tuple(told)


def seconds_between(one: float | None, other: float | None) -> float | None:
    """The seconds from one time to a later one; None where one is not known, or the clock was set back between them."""
    if one is None or other is None or math.isnan(one) or math.isnan(other) or other < one:
        return None
    return round(other - one, 3)


def _disagrees(before: float | None, at: float | None) -> str:
    return _SET_BACK if before is not None and at is not None and at < before else ""


def _began(timeline: Timeline) -> tuple[str, float | None, tuple[int, ...], str]:
    """When the first alert says that it began."""
    alerts = [(at, one) for one in timeline.of("alert") if (at := moment(one.data.get("starts_at"))) is not None]
    if not alerts:
        return "began", None, (), "no alert says when it began"
    at, first = min(alerts, key=lambda pair: (pair[0], pair[1].number))
    return "began", at, timeline.numbers(first), ""


def _said(timeline: Timeline, kinds: tuple[str, ...], fields: tuple[str, ...]) -> tuple[float, Entry] | None:
    """The time that the incident has, and the entry that says it.

    An incident that is open again is not resolved, whatever an earlier entry says.
    """
    times = [at for field in fields if (at := number(timeline.incident.get(field))) is not None]
    entries = timeline.of(*kinds)
    if not times or not entries:
        return None
    for one in entries:
        if times[0] in (one.at, one.written_at):
            return times[0], one
    # The incident's times are in order, also where clocks are not: the entry says what was read then.
    one = entries[0] if "acknowledged" in kinds else entries[-1]
    return one.at, one

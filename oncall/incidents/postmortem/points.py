# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a metric over time: their figures, and enough of them for a picture. No point is made up."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from .document import Figure, Metric
from .timeline import Entry, number

Point: TypeAlias = tuple[float, float | None]

# A picture has no more columns than that.
COLUMNS = 300
# A clock that is set back more often than that is no clock: then the points are put in order.
_SET_BACK = 20


def metric(name: str, entries: Sequence[Entry], window: tuple[float, float], because: tuple[int, ...]) -> Metric:
    """What the entries about one metric say of it.

    Args:
        name: of the metric.
        entries: those about it, in order.
        window: from when until when the incident was.
        because: the entries that say so.
    """
    points = [point for entry in entries for point in _points(entry.data.get("points"))]
    inside = [point for point in points if window[0] <= point[0] <= window[1]]
    unit = next((entry.text("unit") for entry in reversed(entries) if entry.text("unit")), "")
    return Metric(
        name=name,
        unit=unit,
        count=len(inside),
        not_measured=sum(value is None for _at, value in inside),
        set_back=set_backs(points),
        step_seconds=usual_step(points),
        from_at=window[0],
        until_at=window[1],
        figures=figures(inside),
        points=tuple(thinned(points)),
        entries=tuple(sorted({*because, *(entry.number for entry in entries)})),
        not_known="" if figures(inside) else "the record has no value of it from that time",
    )


def _points(told: Any) -> Iterator[Point]:
    """The points of an entry. One without a time is none; one without a number is a point without a value."""
    for one in told if isinstance(told, (list, tuple)) else ():
        if isinstance(one, (list, tuple)) and len(one) == 2:
            at = number(one[0])
            if at is not None:
                yield at, number(one[1])


def figures(points: Iterable[Point]) -> tuple[Figure, ...]:
    """The first, the lowest, the highest and the last of the points that have a value."""
    found = [(at, value) for at, value in points if value is not None]
    if not found:
        return ()
    picked = {
        "first": min(found),
        "lowest": min(found, key=lambda point: point[1]),
        "highest": max(found, key=lambda point: point[1]),
        "last": max(found, key=lambda point: point[0]),
    }
    return tuple(Figure(name, at, value) for name, (at, value) in picked.items())


def set_backs(points: Sequence[Point]) -> int:
    """How often a point is older than the one before it."""
    return sum(later[0] < earlier[0] for earlier, later in zip(points, points[1:], strict=False))


def usual_step(points: Sequence[Point]) -> float | None:
    """The usual time between two points; None where there are none."""
    steps = [later[0] - earlier[0] for earlier, later in zip(points, points[1:], strict=False) if later[0] > earlier[0]]
    return statistics.median_low(steps) if steps else None


def thinned(points: Sequence[Point], columns: int = COLUMNS) -> list[Point]:
    """Of each column of a picture the first, the lowest, the highest and the last point, in their order.

    Of points without a value that follow each other, the first.
    """
    if set_backs(points) > _SET_BACK:
        points = sorted(points, key=lambda point: point[0])
    if len(points) <= 4 * columns:
        return list(points)
    begin = min(at for at, _value in points)
    width = (max(at for at, _value in points) - begin) / columns
    kept: list[Point] = []
    column: list[tuple[float, float]] = []
    here = -1.0
    before = begin
    for at, value in points:
        place = (at - begin) // width if width else 0.0
        if value is None or place != here or at < before:
            kept += _ends_and_extremes(column)
            column, here = [], place
        before = at
        if value is not None:
            column.append((at, value))
        elif not kept or kept[-1][1] is not None:
            kept.append((at, None))
    return kept + _ends_and_extremes(column)


def _ends_and_extremes(column: Sequence[tuple[float, float]]) -> list[Point]:
    if not column:
        return []
    places = range(len(column))
    lowest = min(places, key=lambda place: column[place][1])
    highest = max(places, key=lambda place: column[place][1])
    return [column[place] for place in sorted({0, lowest, highest, len(column) - 1})]


def lines(points: Sequence[Point], gap_seconds: float) -> list[list[tuple[float, float]]]:
    """The points as lines: one ends where a value is missing, where a clock was set back, and at a gap."""
    found: list[list[tuple[float, float]]] = [[]]
    for at, value in points:
        if found[-1] and (value is None or not 0 <= at - found[-1][-1][0] <= gap_seconds):
            found.append([])
        if value is not None:
            found[-1].append((at, value))
    return [line for line in found if line]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a metric that is a sum or a difference of families. No function here does any I/O."""

from __future__ import annotations

from ..text.one_line import one_line
from . import arithmetic
from .spec import COUNTED, Unmeasured, check_count


def groups(spec, sides, entry):
    """The numbers of a sum or difference, series by series, so that replicas are not mixed up.

    Args:
        spec: as parsed, with ``sides``.
        sides: for each of them its series, as (target, labels, number).
        entry: what is told about the metric; ``by_endpoint`` is entered here.

    Returns:
        ``(groups, unmeasured)``, as of a family.

    Raises:
        Unmeasured: a series of one side has no counterpart on another, or a difference is below 0.
    """
    # The labels that tell the sides apart, such as the state of a connection.
    apart = {label for _sign, side in spec["sides"] for label in side["own_labels"]} - set(spec["by"]) | {"__name__"}
    tables = [_by_series(rows, apart) for rows in sides]
    differs = any(sign < 0 for sign, _side in spec["sides"])
    counted = spec["measure"] in COUNTED
    if differs or spec["aggregate"] != "sum":
        _check_matched(spec, tables, counted)
    elif not counted:
        _check_targets(spec, sides)
    rows = []
    for series in dict.fromkeys(key for table in tables for key in table):
        number = _added([sign * table.get(series, 0.0) for (sign, _side), table in zip(spec["sides"], tables)])
        check_count(spec, number)
        rows.append((series[0], dict(series[1]), number))
    found = arithmetic.aggregate([row[1:] for row in rows], spec["aggregate"], spec["by"])
    # A server's targets have no name here.
    if not spec["by"] and len({target for target, _labels, _number in rows} - {""}) > 1:
        entry["by_endpoint"] = arithmetic.by_endpoint(rows, spec["aggregate"])
    if not found and not spec["by"]:
        return {(): 0.0}, {}
    return found, {}


def _added(numbers):
    total = sum(numbers)
    # 0.3 - (0.1 + 0.2) is nothing, and not below 0.
    return 0.0 if abs(total) < 1e-9 * sum(map(abs, numbers)) else total


def _by_series(rows, apart):
    table = {}
    for target, labels, number in rows:
        key = (
            target,
            tuple(sorted((label, value) for label, value in labels.items() if label not in apart and value != "")),
        )
        table[key] = table.get(key, 0.0) + number
    return table


def _check_matched(spec, tables, counted):
    # A counter with labels has no series before it first counts, but what is taken away was counted in the whole, too.
    for (sign, side), table in zip(spec["sides"], tables):
        for (other_sign, other), others in zip(spec["sides"], tables):
            if counted and not (sign < 0 < other_sign):
                continue
            lacking = next((key for key in table if key not in others and not (counted and table[key] == 0)), None)
            if lacking is not None:
                raise Unmeasured(
                    f"{side['told']} has {_told(lacking)} and {other['told']} has not; "
                    "what tells them apart belongs under labels of each side"
                )


def _check_targets(spec, sides):
    """Raise Unmeasured where a target shows one side and lacks another that it is asked for."""
    for (_sign, side), rows in zip(spec["sides"], sides):
        there = {_place(target, labels) for target, labels, _number in rows}
        for (_other_sign, other), others in zip(spec["sides"], sides):
            for target, labels, _number in others:
                asked = target in side["endpoints"] or not target
                if side["endpoints"] == other["endpoints"] and asked and _place(target, labels) not in there:
                    place = target or " ".join(part for part in _place(target, labels)[1:] if part)
                    raise Unmeasured(f"{other['told']} is there for {one_line(place, 80)} and {side['told']} is not")


def _place(target, labels):
    # A server tells a target by these two labels.
    return target, *(("", "") if target else (labels.get("job", ""), labels.get("instance", "")))


def _told(series):
    target, labels = series
    shown = ",".join(f"{label}={value}" for label, value in labels)
    return one_line(f"a series {{{shown}}}" + (f" on endpoint {target}" if target else ""), 160)

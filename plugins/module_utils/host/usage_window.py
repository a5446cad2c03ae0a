# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several readings of memory and processor time say: how busy, whether memory grows, and for how long it can."""

from __future__ import annotations

import os
import time

NOISE_BYTES = 256 * 1024
NOISE_RATIO = 0.002


def readings_over(read, window_seconds, samples):
    """Read several times, evenly over a window.

    Args:
        read: a function without arguments that returns one reading, or a dict of readings.
        window_seconds: from the first reading to the last; with 0 there is one.
        samples: how many, at least 2 where there is a window.

    Returns:
        A list of pairs: the time in seconds of a clock that never goes back, and the reading.
    """
    began = time.monotonic()
    taken = [(began, read())]
    for number in range(1, max(2, samples) if window_seconds > 0 else 1):
        due = began + window_seconds * number / (max(2, samples) - 1)
        time.sleep(max(0, due - time.monotonic()))
        taken.append((time.monotonic(), read()))
    return taken


def over_window(readings, memory_limit_bytes, cpu_limit_cores):
    """What the readings of one service say.

    Memory counts as ``growing`` where it grew by more than noise (256 KiB, or 0.2 % of it), and both halves of the
    window had at least a quarter of the growth: a cache that fills up and stops is ``flat``. Fewer than three readings
    have no halves: ``unknown``. Readings before a restart, which processor time that goes back shows, are left out.
    What a reading has for a moment only, such as the process of a health check, is no part of growth, nor of
    ``memory_kept_ratio``.

    Args:
        readings: pairs of a time in seconds and a dict with ``memory_used_bytes`` and ``cpu_seconds``.
        memory_limit_bytes: or None.
        cpu_limit_cores: or None for all cores of the machine.

    Returns:
        The last reading, with ``memory_ratio``, ``memory_kept_ratio``, ``window_seconds`` (from the first reading that
        counts to the last), ``cpu_cores``, ``cpu_ratio``, ``memory_slope_bytes_per_second``, ``growth`` and ``seconds_to_limit``; None for
        what is not known.
    """
    last = readings[-1][1]
    used = last["memory_used_bytes"]
    found = dict(
        last,
        memory_ratio=_ratio(used, memory_limit_bytes),
        memory_kept_ratio=_ratio(used, memory_limit_bytes),
        window_seconds=None,
        cpu_cores=None,
        cpu_ratio=None,
        memory_slope_bytes_per_second=None,
        growth="unknown",
        seconds_to_limit=None,
    )
    counted = _same_life(readings)
    seconds = counted[-1][0] - counted[0][0] if counted else 0
    if len(counted) < 2 or seconds <= 0:
        return found
    cores = (last["cpu_seconds"] - counted[0][1]["cpu_seconds"]) / seconds
    kept = _kept([(at, reading["memory_used_bytes"]) for at, reading in counted])
    slope = slope_of(kept)
    found.update(
        memory_kept_ratio=_ratio(kept[-1][1], memory_limit_bytes),
        window_seconds=round(seconds, 3),
        cpu_cores=round(cores, 3),
        cpu_ratio=round(cores / (cpu_limit_cores or os.cpu_count() or 1), 4),
        memory_slope_bytes_per_second=round(slope),
        growth=_growth(kept),
    )
    if found["growth"] == "growing" and memory_limit_bytes and slope > 0:
        found["seconds_to_limit"] = round(max(0, memory_limit_bytes - used) / slope, 1)
    return found


def _ratio(used, limit):
    return round(used / limit, 4) if used is not None and limit else None


def _same_life(readings):
    counted = []
    for at, reading in readings:
        if reading["memory_used_bytes"] is None or reading["cpu_seconds"] is None:
            counted = []
        elif counted and reading["cpu_seconds"] < counted[-1][1]["cpu_seconds"]:
            counted = [(at, reading)]
        else:
            counted.append((at, reading))
    return counted


def slope_of(points):
    """Of the straight line through the points with the least squares of distances."""
    mean_x = sum(x for x, _y in points) / len(points)
    mean_y = sum(y for _x, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _y in points)


def _kept(points):
    """The memory at each time without what was given back since.

    Nothing comes after the last reading that could show it, so it has grown by no more than the fastest growth before. A cache
    that has filled up may pass for growth by that, once: a second look tells them apart, and a leak that is missed nothing does.
    """
    kept, least = [], points[-1][1]
    for at, used in reversed(points):
        least = min(least, used)
        kept.insert(0, (at, least))
    if len(kept) < 3:
        return kept
    before = kept[:-1]
    steps = [(one, after) for one, after in zip(before, before[1:]) if after[0] > one[0]]
    fastest = max([(after[1] - one[1]) / (after[0] - one[0]) for one, after in steps] or [0])
    (at, used), (last_at, last_used) = before[-1], kept[-1]
    return [*before, (last_at, min(last_used, used + fastest * (last_at - at)))]


def _growth(kept):
    if len(kept) < 3:
        return "unknown"
    first, last = kept[0], kept[-1]
    middle_at = (first[0] + last[0]) / 2
    middle = min(kept[1:-1], key=lambda point: abs(point[0] - middle_at))
    begin, half, end = first[1], middle[1], last[1]
    growth = end - begin
    is_growing = growth > max(NOISE_BYTES, NOISE_RATIO * end) and min(half - begin, end - half) >= growth / 4
    return "growing" if is_growing else "flat"

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of resource_usage reads from services that were watched for a while.

A row is a service: ``service``, its name, and ``told``, what M(oncall.runbooks.service_info) tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]

_LEAK_RATIO = 0.5


def _is_running(row: Row) -> bool:
    return row["told"]["state"] == "running"


def seen(all: Iterable[Row]) -> list[Row]:
    """Those that could be observed."""
    return [row for row in all if row["told"]["available"]]


def limited(seen: Iterable[Row]) -> list[Row]:
    """Those of which is known how much of their memory is used, the fullest first."""
    return sorted((row for row in seen if row["told"]["memory_ratio"]), key=lambda row: -row["told"]["memory_ratio"])


def full(limited: Iterable[Row], resource_usage_memory_ratio: float) -> list[Row]:
    """Those that use most of their memory."""
    return [row for row in limited if row["told"]["memory_ratio"] >= resource_usage_memory_ratio]


def memory_known(seen: Iterable[Row]) -> bool:
    """Whether it is known of each that has a limit how much of it is used."""
    return not any(
        _is_running(row) and row["told"]["memory_limit_bytes"] and row["told"]["memory_ratio"] is None for row in seen
    )


def kills_known(seen: Iterable[Row], loops: Mapping[str, Any]) -> bool:
    """Whether it is known of each SIGKILL if the kernel sent it."""
    unclear = [
        row
        for row in seen
        if row["told"]["signal"] == "SIGKILL"
        and row["told"]["oom_killed"] is None
        and row["told"]["stopped_by_person"] is not True
    ]
    return not unclear and not loops["unclear"]


def leak_known(limited: Iterable[Row]) -> bool:
    """Whether it is known of each that may leak if it grows."""
    return not any(row["told"]["memory_ratio"] >= _LEAK_RATIO and row["told"]["growth"] == "unknown" for row in limited)


def growth_known(full: Iterable[Row]) -> bool:
    """Whether it is known of each that is full if it grows."""
    return not any(row["told"]["growth"] == "unknown" for row in full)


def leaks(limited: Iterable[Row], resource_usage_leak_seconds: float) -> list[Row]:
    """Those that grow, and reach their limit soon."""
    return [
        row
        for row in limited
        if row["told"]["growth"] == "growing"
        and row["told"]["seconds_to_limit"] is not None
        and row["told"]["memory_ratio"] >= _LEAK_RATIO
        and row["told"]["seconds_to_limit"] <= resource_usage_leak_seconds
    ]


def plateaus(full: Iterable[Row], leaks: Iterable[Row]) -> list[Row]:
    """Those that are full and do not leak."""
    leaking = [row["service"] for row in leaks]
    return [row for row in full if row["told"]["growth"] != "unknown" and row["service"] not in leaking]


def killed_and_up(seen: Iterable[Row]) -> list[Row]:
    """Those that the kernel killed, and that were started again by themselves."""
    return [row for row in seen if row["told"]["oom_killed"] and _is_running(row) and row["told"]["restarts"]]


def unsettled(killed_and_up: Iterable[Row], loops: Mapping[str, Any], settled_seconds: float) -> list[str]:
    """Those that end again and again, or have not run for long. After that their limit is large enough for now."""
    rows = [(row["service"], row["told"]["uptime_seconds"]) for row in killed_and_up]
    return [
        *(one["service"] for one in loops["looping"]),
        *(name for name, uptime in rows if uptime is None),
        *(name for name, uptime in rows if uptime is not None and uptime < settled_seconds),
    ]


def killed(seen: Iterable[Row], killed_and_up: Iterable[Row], unsettled: list[str]) -> list[Row]:
    """Those that the kernel killed, and that are down for it or may be again."""
    down = [
        row
        for row in seen
        if row["told"]["oom_killed"] and not _is_running(row) and row["told"]["stopped_by_person"] is not True
    ]
    return down + [row for row in killed_and_up if row["service"] in unsettled]


def busy(seen: Iterable[Row], resource_usage_cpu_ratio: float) -> list[Row]:
    """Those that use most of the processor time they may have, the busiest first."""
    rows = [row for row in seen if row["told"]["cpu_ratio"] and row["told"]["cpu_ratio"] >= resource_usage_cpu_ratio]
    return sorted(rows, key=lambda row: -row["told"]["cpu_ratio"])


def cpu_known(seen: Iterable[Row], sizable: list[str]) -> bool:
    """Whether the processor time of each is known.

    A status command tells nothing of it, and supervisor nothing of what it cannot see.
    """
    return not any(
        _is_running(row)
        and row["told"]["cpu_ratio"] is None
        and (row["told"]["manager"] in sizable or row["told"]["cpu_seconds"] is not None)
        for row in seen
    )


def below(short: Iterable[Row], resource_usage_memory_raise_to_bytes: float) -> list[str]:
    """Those whose limit could be raised, if the host had the memory."""
    rows = [(row["service"], row["told"]["memory_limit_bytes"]) for row in short]
    return [name for name, limit in rows if limit and limit < resource_usage_memory_raise_to_bytes]


def at_the_top(short: Iterable[Row], resource_usage_memory_raise_to_bytes: float) -> list[str]:
    """Those whose limit is as high as it may be raised."""
    rows = [(row["service"], row["told"]["memory_limit_bytes"]) for row in short]
    return [name for name, limit in rows if limit and limit >= resource_usage_memory_raise_to_bytes]


def lines(seen: Iterable[Row]) -> list[str]:
    """The logs, one after the other."""
    return [line for row in seen for line in row["told"]["log_tail"] or []]


def slow_lines(lines: Iterable[str], slow: str) -> list[str]:
    """The last lines about slow statements."""
    return [line for line in lines if re.search(slow, line)][-10:]


def memory_lines(lines: Iterable[str], memory: str) -> list[str]:
    """The last lines about memory and batches."""
    return [line for line in lines if re.search(memory, line)][-10:]


def table(seen: Iterable[Row], columns: list[str]) -> dict[str, dict[str, Any]]:
    """What each uses, for a person."""
    return {row["service"]: {key: row["told"][key] for key in columns if key in row["told"]} for row in seen}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of resource_usage reads from services that were watched for a while.

A row is what M(oncall.runbooks.service_info) tells of a service, with ``service``, its name, and all of it as ``told``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_AGREE_RATIO, _CPU_RATIO_MOST = 0.02, 2.0


def seen(service: Row) -> list[Row]:
    """Those that could be observed. A share that its own figures do not bear out is not known."""
    return [
        {
            **told,
            "service": name,
            "told": told,
            "memory_ratio": _memory_ratio(told),
            "memory_kept_ratio": _memory_kept_ratio(told),
            "cpu_ratio": _cpu_ratio(told),
        }
        for name, told in service["services"].items()
        if told["available"]
    ]


def _memory_ratio(told: Row) -> float | None:
    ratio, used, limit = (told.get(key) for key in ("memory_ratio", "memory_used_bytes", "memory_limit_bytes"))
    if ratio is None or not used or not limit:
        return ratio
    return ratio if abs(ratio - used / limit) <= _AGREE_RATIO else None


def _memory_kept_ratio(told: Row) -> float | None:
    """Without what was there for a moment; what is not known of that was not there for a moment."""
    ratio, kept = _memory_ratio(told), told.get("memory_kept_ratio")
    return ratio if ratio is None or kept is None else min(kept, ratio)


def _cpu_ratio(told: Row) -> float | None:
    # A limit of processor time can be exceeded for a moment, and by no more than that.
    ratio = told.get("cpu_ratio")
    return ratio if ratio is not None and 0 <= ratio <= _CPU_RATIO_MOST else None


def unsettled(killed_and_up: list[Row], loops: Row, settled_seconds: float) -> list[str]:
    """Those that end again and again, or have not run for long. After that their limit is large enough for now."""
    uptimes = {row["service"]: row["uptime_seconds"] for row in killed_and_up}
    looping = [one["service"] for one in loops["looping"]]
    return looping + [name for name, uptime in uptimes.items() if uptime is None or uptime < settled_seconds]


def killed(seen: list[Row], killed_and_up: list[Row], unsettled: list[str]) -> list[Row]:
    """Those that the kernel killed, and that are down for it or may be again."""
    ended = [row for row in seen if row["oom_killed"] and row["state"] != "running"]
    down = [row for row in ended if row["stopped_by_person"] is not True]
    return down + [row for row in killed_and_up if row["service"] in unsettled]


def table(seen: list[Row], columns: list[str]) -> dict[str, dict[str, Any]]:
    """What each uses, for a person."""
    return {row["service"]: {key: row[key] for key in columns if key in row} for row in seen}

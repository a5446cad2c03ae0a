# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What service_info tells of services, for tables of what is concluded from it."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import KEYS

MIB = 1024 * 1024


def running(**changes: Any) -> dict[str, Any]:
    """A container that has run for an hour and is well."""
    told = {
        **dict.fromkeys(KEYS),
        "available": True,
        "manager": "compose",
        "state": "running",
        "health": "healthy",
        "oom_killed": False,
        "oom_kills": 0,
        "restarts": 0,
        "restarts_per_hour": 0,
        "restart_times": [],
        "restart_policy": "unless-stopped",
        "stopped_by_person": False,
        "uptime_seconds": 3600.0,
        "memory_limit_bytes": 512 * MIB,
        "memory_used_bytes": 100 * MIB,
        "memory_ratio": 0.2,
        "growth": "flat",
        "memory_slope_bytes_per_second": 0,
        "window_seconds": 10.0,
        "cpu_seconds": 100.0,
        "cpu_cores": 0.1,
        "cpu_ratio": 0.05,
        "top_processes": [],
        "depends_on": [],
        "log_tail_errors": [],
        "log_tail": ["all is well"],
    }
    return {**told, **changes}


def crashing(*log: str, **changes: Any) -> dict[str, Any]:
    """A container that its engine restarts again and again."""
    told = {
        "state": "restarting",
        "health": None,
        "uptime_seconds": None,
        "exit_code": 1,
        "exit_meaning": "1: ended with an error of its own",
        "restarts": 7,
        "restarts_per_hour": 7,
        "memory_used_bytes": None,
        "memory_ratio": None,
        "growth": "unknown",
        "cpu_seconds": None,
        "cpu_ratio": None,
        "log_tail": list(log),
    }
    return running(**{**told, **changes})


def between_two_ends(*log: str, **changes: Any) -> dict[str, Any]:
    """The same in one of the moments in which it runs."""
    told = {"state": "running", "uptime_seconds": 1.2, "restart_times": [1767225600.0 + 3 * n for n in range(7)]}
    return crashing(*log, **{**told, **changes})


def unseen(reason: str = "no engine answers") -> dict[str, Any]:
    """A service that could not be observed."""
    return {"available": False, "manager": "compose", "reason": reason}


def observed(services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The answer of service_info."""
    reasons = [one["reason"] for one in services.values() if not one["available"]]
    if len(reasons) == len(services):
        return {"available": False, "reason": reasons[0], "services": services}
    return {"available": True, "services": services}


def concluded(result: dict[str, Any]) -> tuple[str, list[str], list[str], list[str]]:
    """Status, problems, available remedies, and the runbooks handed over to."""
    problems = [one for one in result["findings"] if one["status"] == "problem"]
    return (
        result["status"],
        [one["cause"] for one in problems],
        [step["remedy"] for step in result["plan"]["steps"] if step["available"]],
        [one["hand_over"] for one in problems if "hand_over" in one],
    )

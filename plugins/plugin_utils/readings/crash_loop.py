# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of crash_loop says of the services that end by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STATES = (
    *("available", "reason", "state", "health", "exit_meaning", "oom_killed", "restarts", "restarts_per_hour"),
    *("uptime_seconds", "stopped_by_person", "depends_on"),
)


def in_words(worst: Mapping[str, Any], others: list[str]) -> str:
    """How often the worst ends, and how."""
    parts = [
        f"{worst['service']} is {worst['state']}",
        f"{worst['restarts']} automatic restarts" if worst["restarts"] else "",
        f"{worst['restarts_per_hour']} of them in the last hour" if worst["restarts_per_hour"] else "",
        f"last ended with {worst['exit']}" if worst["exit"] else "",
    ]
    return ", ".join(filter(None, parts)) + (f" (and {', '.join(others)})" if others else "")


def facts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is known of each that loops, without its log."""
    return [{key: value for key, value in one.items() if key not in ("log", "log_seen")} for one in found["looping"]]


def states(services: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The state of each service, for a person."""
    return {name: {key: value for key, value in one.items() if key in _STATES} for name, one in services.items()}


def dependency_advice(
    worst: Mapping[str, Any],
    system_database: Mapping[str, Any] | None = None,
    system_redis: Mapping[str, Any] | None = None,
) -> list[str]:
    """Which runbook to run for what is not there."""
    unmet = worst["unmet_services"]
    owners = {"db_down": (system_database, "database"), "cache": (system_redis, "redis")}
    return [
        f"Run the runbook {runbook} first."
        for runbook, (system, usual) in owners.items()
        if system is not None and system.get("service", usual) in unmet
    ] + [
        "It is not restarted for this: it would only end again. "
        f"It comes up by itself when {' and '.join(unmet)} is there."
    ]

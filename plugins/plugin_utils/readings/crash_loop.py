# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of crash_loop reads in what the filter crash_loops finds: of each reason, which service ends for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

# In the order of the table: the first sign of a service is its reason.
_SIGNS = {
    "out_of_memory": "oom_killed",
    "port_in_use": "port_line",
    "missing_variable": "variable",
    "migration_failed": "migration_line",
    "no_room": "no_room",
    "image_broken": "image_line",
}
# What a log would have told comes before these.
_WITHOUT_LOG = ("dependency_down", "ends_without_error", "unexplained")


def heads(found: Row) -> list[dict[str, Any]]:
    """The services that end for a reason of their own: those that need another one that ends too come back with it."""
    ends = {one["service"] for one in found["looping"]}
    own = [one for one in found["looping"] if not (ends - {one["service"]}) & set(one["needs"])]
    return [dict(one) for one in own or found["looping"][:1]]


def reasons(heads: list[Row], found: Row, system_services: Mapping[str, Row]) -> dict[str, dict[str, Any]]:
    """For each cause of the table whether a service shows its sign (``there``), and the ``first`` that ends for it."""
    signs = {one["service"]: _signs_of(one) for one in heads}
    firsts: dict[str, Row] = {}
    for one in heads:
        for reason in signs[one["service"]][:1]:
            firsts.setdefault(reason, one)
            # A service can be a part of another one, as a program of a group: only where a port is known can its holder be looked for.
            if reason == "port_in_use" and not _port(firsts[reason], system_services) and _port(one, system_services):
                firsts[reason] = one
    named = {one["service"] for one in firsts.values()}
    others = [one["service"] for one in found["looping"] if one["service"] not in named]
    return {
        reason: {
            "there": any(reason in told for told in signs.values()),
            "first": {**firsts[reason], "in_words": _in_words(firsts[reason], others)} if reason in firsts else {},
        }
        for reason in (*_SIGNS, *_WITHOUT_LOG)
    }


def without_answer(probed: Row, service: Row, found: Row) -> list[dict[str, str]]:
    """What runs and does not work, as its health URL or its health check says, each with the ``reason``.

    What ends again and again, has just been started or does not run at all cannot answer yet; others are named for that.
    """
    settling = {one["service"] for one in found["looping"]} | {line.split()[0] for line in found["recent"]}
    services = service["services"]
    down = {name for name, one in services.items() if one.get("state") != "running"}
    reasons = {name: probed["endpoints"][name]["reason"] for name in probed["failing"]}
    for name, one in services.items():
        if one.get("health") == "unhealthy":
            said = one.get("health_output") or "it prints nothing"
            check = f"the health check of {one['weakest']}" if (one.get("replicas") or 1) > 1 else "its health check"
            reasons.setdefault(name, f"{check} fails: {said}")
    return [{"service": name, "reason": reason} for name, reason in reasons.items() if name not in settling | down]


def _port(one: Row, system_services: Mapping[str, Row]) -> Any:
    return one["host_port"] or system_services.get(one["service"], {}).get("port")


def _signs_of(one: Row) -> list[str]:
    told = [reason for reason, key in _SIGNS.items() if one[key]]
    if not (one["no_room"]["ended"] and one["no_room"]["what"]):
        told.remove("no_room")
    if not told and not one["log_seen"]:
        return []
    told += ["dependency_down"] if one["unmet"] else []
    told += ["ends_without_error"] if one["exit_code"] == 0 else []
    return [*told, "unexplained"]


def _in_words(one: Row, others: list[str]) -> str:
    members = one["members"] or []
    which = f" ({', '.join(members)}, {len(members)} of its {one['replicas']})" if members else ""
    words = [
        f"{one['service']}{which} is {one['state']}",
        f"{one['restarts']} automatic restarts" if one["restarts"] else "",
        f"{one['restarts_per_hour']} of them in the last hour" if one["restarts_per_hour"] else "",
        f"last ended with {one['exit']}" if one["exit"] else "",
    ]
    return ", ".join(filter(None, words)) + (f" (and {', '.join(others)})" if others else "")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over what M(oncall.runbooks.service_info) tells of services that end by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ..plugin_utils.looping import crashes, loops, replicas_of, was_started_again

# 128 and the number of SIGKILL, as a shell and an engine tell it.
_KILLED = 137


def crash_loops(
    observed: Mapping[str, Mapping[str, Any]],
    services: Mapping[str, Mapping[str, Any]],
    restarts: float,
    settled_seconds: float,
) -> dict[str, Any]:
    """Which services end by themselves again and again, and what each says about it.

    Args:
        observed: what was seen of each service, by its name in the inventory.
        services: what the inventory says about each.
        restarts: so many automatic restarts within an hour are a loop.
        settled_seconds: a service that has run for so long since is over it, unless it ran for as long between its restarts.

    Returns:
        ``looping``: a list, a service before those that need it; ``recent``: a line for each that was started again just
        now, but not often; ``unclear``: why nothing follows about a service.
    """
    names = {str(one.get("name") or name): name for name, one in services.items()}
    looping, recent, unclear = [], [], []
    for name, one in observed.items():
        replicas = replicas_of(one)
        told = [loops(replica, restarts, settled_seconds) for replica in replicas]
        if True in told:
            some = [_own_name(replica) for replica, does in zip(replicas, told) if does is True]
            described = _described(name, replicas[told.index(True)], services, observed, names)
            # The others of a service go on.
            members = some if len(some) < len(replicas) else []
            looping.append({**described, "members": members, "replicas": len(replicas)})
        elif any(told):
            unclear.append(f"{name}: {next(filter(None, told))}")
        else:
            uptimes = [each["uptime_seconds"] for each in replicas if was_started_again(each, settled_seconds)]
            recent += [f"{name} was started again by itself {min(uptimes):.0f} s ago"] if uptimes else []
    ends = {one["service"] for one in looping}
    looping.sort(key=lambda one: (len(ends & set(one["needs"])), -(one["restarts"] or 0), one["service"]))
    return {"looping": looping, "recent": recent, "unclear": unclear}


def end_of_life(one: Mapping[str, Any]) -> dict[str, Any]:
    """What a service's manager and the end of its log say about why it ended.

    Args:
        one: what was seen of the service. Without the end of its log, its errors count.
    """
    return _endings().reason_of_end(_end_of_log(one), str(one.get("error") or ""))


def shortage(one: Mapping[str, Any]) -> dict[str, Any]:
    """What a service found no room in, as the end of its log says.

    Args:
        one: what was seen of the service. Without the end of its log, its errors count.
    """
    return _endings().shortage(_end_of_log(one))


def _endings() -> ModuleType:
    """What reads the end of a log. Every play loads this file, and few plays need those expressions, which take 30 ms."""
    from ..module_utils.text import endings

    return endings


def _end_of_log(one: Mapping[str, Any]) -> list[str]:
    tail = one.get("log_tail")
    lines = tail if tail is not None else [error["last"] for error in reversed(one.get("log_tail_errors") or [])]
    return [str(line) for line in lines]


def _own_name(replica: Mapping[str, Any]) -> str:
    return str(replica.get("container") or replica.get("name") or "")


def _described(
    name: str,
    one: Mapping[str, Any],
    services: Mapping[str, Mapping[str, Any]],
    observed: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    needs = [str(other) for other in services.get(name, {}).get("depends_on") or []]
    waits = [
        entry for entry in one.get("depends_on") or [] if entry.get("condition") != "service_completed_successfully"
    ]
    needs += [names.get(str(entry["service"]), str(entry["service"])) for entry in waits]
    needs = list(dict.fromkeys(needs))
    states = {names.get(str(entry["service"]), str(entry["service"])): entry for entry in waits}
    states.update({other: observed[other] for other in needs if other in observed})
    log = [str(line) for line in one.get("log_tail") or []]
    error = str(one.get("error") or "")
    # Who is killed says nothing about it: what its log says is of a life before.
    last_words = [] if one.get("signal") == "SIGKILL" or one.get("exit_code") == _KILLED else log
    endings = _endings()
    reason = endings.reason_of_end(last_words, error)
    return {
        "service": name,
        "state": one["state"],
        "restarts": one.get("restarts"),
        "restarts_per_hour": one.get("restarts_per_hour"),
        "exit": one.get("exit_meaning")
        or (f"exit code {one['exit_code']}" if one.get("exit_code") is not None else ""),
        "exit_code": one.get("exit_code"),
        "oom_killed": bool(one.get("oom_killed")),
        **reason,
        # What its manager says is newer than the log of a life before.
        "no_room": endings.shortage([error] if endings.lacks(error) else last_words),
        "host_port": _host_port(one),
        "needs": needs,
        "unmet": [
            f"{other} ({_words(states[other])})" for other in needs if other in states and _is_down(states[other])
        ],
        "unmet_services": [other for other in needs if other in states and _is_down(states[other])],
        "log_seen": one.get("log_tail") is not None,
        "errors": one.get("log_tail_errors") or [],
        "log": log,
    }


def _is_down(one: Mapping[str, Any]) -> bool:
    if one.get("available") is False:
        return False
    return one.get("state") not in (None, "running") or one.get("health") == "unhealthy"


def _words(one: Mapping[str, Any]) -> str:
    return "unhealthy" if one.get("state") == "running" else str(one.get("state"))


def _host_port(one: Mapping[str, Any]) -> int | None:
    """The port of the host that the engine could not have for a container. What it says names other ports as well."""
    error = str(one.get("error") or "")
    published = {port.get("host_port") for port in one.get("ports") or []} - {None}
    told = _endings().port_numbers(error) if _endings().names_port(error) else []
    named = [number for number in told if number in published] or (told if len(told) == 1 else [])
    return named[0] if named else None


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"crash_loops": crash_loops, "crashes": crashes, "end_of_life": end_of_life, "shortage": shortage}

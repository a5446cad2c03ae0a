# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few figures that a person asks for first. It judges nothing: what is wrong, a runbook says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .words import bytes_in_words, in_words

_MOST_NAMED = 5
Data = Mapping[str, Any]


def glance(data: Mapping[str, Data]) -> list[tuple[str, str]]:
    """What is there of the main things, each in a line.

    Args:
        data: what each look told, by ``part.name``. A figure that is not known leaves its line out.
    """
    found = []
    for key, (title, function) in _LINES.items():
        if key in data:
            try:
                found += [(title, line) for line in function(data[key])]
            except (KeyError, TypeError, ValueError, AttributeError):
                continue  # an observer knows less than usual, and its table shows what
    return found


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _services(told: Data) -> Iterator[str]:
    seen = {name: one for name, one in told["services"].items() if one["available"]}
    others = [f"{name} {one['state']}" for name, one in seen.items() if one["state"] != "running"]
    yield f"{len(seen) - len(others)} of {len(told['services'])} run" + (f"; {_named(others)}" if others else "")
    groups = [
        (group["count"], name, group["last"]) for name, one in seen.items() for group in one["log_tail_errors"] or ()
    ]
    for count, name, last in sorted(groups, key=lambda group: -group[0])[:3]:
        yield f"{name} logged {count} times lately: {last}"


def _health(told: Data) -> Iterator[str]:
    wrong = [f"{name}: {one['reason']}" for name, one in told["endpoints"].items() if one["ok"] is not True]
    yield f"{len(told['endpoints']) - len(wrong)} of {len(told['endpoints'])} health_urls answer right" + (
        f"; {_named(wrong)}" if wrong else ""
    )


def _size(told: Data) -> Iterator[str]:
    largest = told["tables"][0]
    yield (
        f"{told['name']} has {bytes_in_words(told['bytes'])}; its largest table is {largest['schema']}.{largest['name']}"
        f" with {bytes_in_words(largest['bytes'])}"
    )


def _activity(told: Data) -> Iterator[str]:
    connections = told["connections"]
    yield (
        f"{connections['used']} of {connections['usable']} connections in use; {len(told['blockers'])} sessions block others;"
        f" {len(told['idle_in_transaction'])} idle in a transaction for long; {len(told['long_running'])} statements run for long"
    )


def _redis(told: Data) -> Iterator[str]:
    most = told["maxmemory_bytes"]
    yield f"{in_words('used_memory_bytes', told['used_memory_bytes'])}{f' of {bytes_in_words(most)}' if most else ''} in use"


def _queues(told: Data) -> Iterator[str]:
    for name, one in [*told["queues"].items()][:_MOST_NAMED]:
        if one["available"]:
            yield f"{name}: {', '.join(f'{in_words(key, one[key])} {key}' for key in ('ready', 'running', 'dead'))}"


def _disk(told: Data) -> Iterator[str]:
    for one in sorted(told["filesystems"], key=lambda one: -one["used_ratio"])[:2]:
        yield f"{one['mount']}: {in_words('used_ratio', one['used_ratio'])} full, {bytes_in_words(one['available_bytes'])} left"


def _host(told: Data) -> Iterator[str]:
    yield (
        f"{in_words('used_ratio', told['memory_used_ratio'])} of the memory in use, load {told['load_1_minute']:.2f} on"
        f" {told['cores']} processors"
    )


def _certificates(told: Data) -> Iterator[str]:
    soonest = min(told["served"], key=lambda one: float(one["days_left"]))
    yield f"the first to end, in {soonest['days_left']:.1f} days: {soonest['description']}"


_LINES: dict[str, tuple[str, Callable[[Data], Iterator[str]]]] = {
    "services.states": ("services", _services),
    "health.health_urls": ("health", _health),
    "database.activity": ("database", _activity),
    "database.size": ("database", _size),
    "redis.server": ("Redis", _redis),
    "queues.queues": ("queues", _queues),
    "disk.filesystems": ("disk", _disk),
    "host.usage": ("host", _host),
    "certificates.certificates": ("certificates", _certificates),
}

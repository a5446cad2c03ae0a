# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the port of a service, and what each of them is to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.net.sockets import are_in_the_way

Row = Mapping[str, Any]

_EVERY = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound


def says_in_use(seen_service: Row, in_use: str) -> bool:
    """Whether its engine or its log says that it is kept from listening."""
    lines = [seen_service["error"] or "", *(one["last"] for one in seen_service["log_tail_errors"] or ())]
    return any(re.search(in_use, line) for line in lines)


def addresses(address: str, number: int, seen_service: Row) -> list[str]:
    """The addresses that it listens on, as the inventory or its container says; empty where neither does."""
    if address:
        return [address]
    told = [one for one in seen_service["ports"] or () if one["protocol"] == "tcp" and one["host_port"] == int(number)]
    # Without an address the engine takes every one.
    return sorted({each for one in told for each in ([one["host_address"]] if one["host_address"] else _EVERY)})


def in_the_way(port: Row, addresses: list[str]) -> list[Row]:
    """Who holds the port on one of its addresses; who listens on another must not be ended for it."""
    return [
        one
        for one in port["ports"]["service"]["holders"]
        if not addresses or any(are_in_the_way(held, wanted) for held in one["addresses"] for wanted in addresses)
    ]


def likely(in_the_way: list[Row], addresses: list[str], says_in_use: bool, name: str) -> list[Row]:
    """Those of them that count: where its address is not known, not who holds a single one, unless it is its own."""
    if addresses or says_in_use:
        return in_the_way
    every = [one for one in in_the_way if _EVERY.intersection(one["addresses"])]
    return every + [one for one in in_the_way if one not in every and one.get("service") == name]


def below(listening: list[Row], pid: int) -> list[Row]:
    """The process that its manager knows, and those that it started."""
    return [one for one in listening if one["pid"] == pid] + [one for one in listening if pid in one["ancestors"]]


def began(seen_service: Row) -> float:
    """Its processes from before this time are old ones."""
    if seen_service["state"] != "running":
        return float("inf")
    # A service whose manager shows no process while it runs may be any of its own.
    return seen_service["started_at_seconds"] - 2 if seen_service["pid"] else 0


def old(own: list[Row], below: list[Row], began: float) -> list[Row]:
    """Its own processes that its manager no longer knows."""
    return [
        one
        for one in own
        if not one["container"] and one["pid"] not in _pids(below) and one["started_at_seconds"] < began
    ]


def current(own: list[Row], below: list[Row], old: list[Row]) -> list[Row]:
    """Its own processes that are meant to listen."""
    return below + [one for one in own if one["pid"] not in _pids(old)]


def old_targets(old: list[Row], what: Row, identity: list[str]) -> list[dict[str, Any]]:
    """What is ended of its own."""
    return _processes(old, what, identity)


def strangers_targets(strangers: list[Row], what: Row, identity: list[str]) -> list[dict[str, Any]]:
    """What is ended of others."""
    return _processes(strangers, what, identity)


def containers_targets(containers: list[Row], what: Row) -> list[dict[str, Any]]:
    """The containers that are stopped."""
    return [{**_only(one, ("id", "name")), **what} for one in containers]


def _processes(holders: list[Row], what: Row, identity: list[str]) -> list[dict[str, Any]]:
    # None where one of them may not be ended: the port would still be held.
    if any(one["why_not_end"] for one in holders):
        return []
    return [{**_only(one, identity), **what} for one in holders]


def _only(one: Row, keys: Iterable[str]) -> dict[str, Any]:
    return {key: one[key] for key in keys}


def _pids(holders: list[Row]) -> set[int]:
    return {one["pid"] for one in holders}

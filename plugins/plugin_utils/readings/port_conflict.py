# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the port of a service, and what each of them is to it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ...module_utils.net.sockets import are_in_the_way

Row = Mapping[str, Any]

_EVERY = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound


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


def old(own: list[Row], below: list[Row], seen_service: Row) -> list[Row]:
    """Its own processes that its manager no longer knows: those that are older than it."""
    began = float("inf")
    if seen_service["state"] == "running":
        # A service whose manager shows no process while it runs may be any of its own.
        began = seen_service["started_at_seconds"] - 2 if seen_service["pid"] else 0
    known = {one["pid"] for one in below}
    mine = [one for one in own if not one["container"] and one["pid"] not in known]
    return [one for one in mine if one["started_at_seconds"] < began]


def asked_at(system_services: Mapping[str, Row], name: str, number: int) -> str:
    """The address at which its health URL asks for this very port; empty where that is another port, or a name."""
    try:
        url = urlsplit(str(system_services[name].get("health_url") or ""))
        if url.hostname == "localhost" or url.port != int(number):
            return ""
        return str(ip_address(url.hostname or ""))
    except ValueError:
        return ""


def elsewhere(current: list[Row], asked_at: str) -> list[str]:
    """The addresses that it listens on, where none of them is the one at which it is asked."""
    held = sorted({address for one in current for address in one["addresses"]})
    return [] if not asked_at or any(are_in_the_way(one, asked_at) for one in held) else held

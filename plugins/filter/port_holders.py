# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over what M(oncall.runbooks.port_info) tells of the holders of a port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.net.sockets import are_in_the_way


def published_addresses(ports: Iterable[Mapping[str, Any]] | None, port: int) -> list[str]:
    """The addresses that a container publishes a TCP port of the host on; ``0.0.0.0`` and ``::`` where on all.

    Args:
        ports: C(ports) of a service as M(oncall.runbooks.service_info) tells it.
        port: of the host.
    """
    told = [one for one in ports or [] if one.get("protocol") == "tcp" and one.get("host_port") == port]
    # Without an address the engine takes every one.
    return sorted({address for one in told for address in ([one["host_address"]] if one["host_address"] else _EVERY)})


_EVERY = ("0.0.0.0", "::")  # noqa: S104  compared, not bound


def in_the_way(holders: Iterable[Mapping[str, Any]], addresses: list[str]) -> list[Mapping[str, Any]]:
    """The holders of a port that keep another from listening on one of some addresses; without any, all of them."""
    return [
        one
        for one in holders
        if not addresses or any(are_in_the_way(held, wanted) for held in one["addresses"] for wanted in addresses)
    ]


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"published_addresses": published_addresses, "in_the_way": in_the_way}

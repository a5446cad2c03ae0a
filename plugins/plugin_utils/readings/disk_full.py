# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of disk_full reads of filesystems that only a container has, in what M(oncall.runbooks.service_info) tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...filter.crashes import shortage

Row = Mapping[str, Any]


def in_containers(service: Row) -> dict[str, Row]:
    """The services whose containers were looked for."""
    return {name: told for name, told in service["services"].items() if told.get("manager") in ("compose", "docker")}


def shared_memory_unseen(in_containers: Mapping[str, Row]) -> list[str]:
    """Those whose shared memory is not known: only root sees it, and only of what runs."""
    return [name for name, told in in_containers.items() if not told["available"] or not told["shared_memory_bytes"]]


def full_shared_memory(in_containers: Mapping[str, Row], disk_full_used_ratio: float) -> list[dict[str, Any]]:
    """Those whose /dev/shm is as full as no filesystem may be."""
    found = []
    for name, told in in_containers.items():
        size, used = told.get("shared_memory_bytes"), told.get("shared_memory_used_bytes")
        if size and used / size >= disk_full_used_ratio:
            found.append({"service": name, "ratio": used / size, "bytes": size})
    return found


def shared_memory_lines(service: Row) -> list[str]:
    """What services say that found no room in their shared memory."""
    told = [shortage(one) for one in service["services"].values() if one["available"]]
    return [one["line"] for one in told if one["what"] == "shared_memory"]

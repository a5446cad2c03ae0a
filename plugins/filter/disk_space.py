# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over what M(oncall.runbooks.filesystem_info) tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def short_of_target(
    filesystems: Iterable[Mapping[str, Any]],
    reclaimable: Iterable[Mapping[str, Any]],
    files: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """The filesystems that would still be in excess if all that is reclaimable was gone.

    Args:
        filesystems: the full ones, as observed.
        reclaimable: what gives back ``bytes`` on a ``mount``.
        files: what gives back an inode as well.
    """
    files, reclaimable = list(files), list(reclaimable)
    rows = []
    for one in filesystems:
        size = sum(row["bytes"] for row in [*reclaimable, *files] if row["mount"] == one["mount"])
        count = sum(row["mount"] == one["mount"] for row in files)
        short = {"bytes": max(0, one["excess_bytes"] - size), "inodes": max(0, one["excess_inodes"] - count)}
        if any(short.values()):
            rows.append({"mount": one["mount"], **short})
    return rows


def holders(files: Iterable[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Deleted files that are open, each with the service that holds it, or an empty name; the service that holds most first.

    Args:
        files: as observed, with the process that has each open and the processes above it.
        services: what M(oncall.runbooks.service_info) tells of each, by name.
    """
    names = {one["pid"]: name for name, one in services.items() if one.get("pid")}
    rows = []
    for file in files:
        # The nearest: a process manager is above all of them.
        service = next((names[pid] for pid in (file["pid"], *file["ancestors"]) if pid in names), "")
        rows.append({"service": service, **{key: value for key, value in file.items() if key != "ancestors"}})
    held = {(row["service"], row["device"], row["inode"]): row["bytes"] for row in rows}
    total: dict[str, int] = {}
    for (service, _device, _inode), size in held.items():
        total[service] = total.get(service, 0) + size
    return sorted(rows, key=lambda row: (-total[row["service"]], row["service"], row["path"], row["pid"]))


def picked(rows: Iterable[Mapping[str, Any]], keys: list[str]) -> list[dict[str, Any]]:
    """Only these keys of each row, for a plan that must not change by itself; in the order of the first of them."""
    return sorted(({key: row[key] for key in keys} for row in rows), key=lambda row: row[keys[0]])


def described(rows: Iterable[Mapping[str, Any]], form: str) -> list[str]:
    """One line for each row, made of its values; the rows are data and are never a form themselves."""
    return [form.format_map(row) for row in rows]


class FilterModule:
    """Filters over space on filesystems."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"short_of_target": short_of_target, "holders": holders, "picked": picked, "described": described}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of a process with everything it started, from /proc."""

from __future__ import annotations

import os


def tree_usage(processes, pid, parent):
    """What a process and its descendants use together.

    Args:
        processes: what :func:`read_processes` returned.
        pid: the process at the top of the tree.
        parent: the pid its parent must have. Another one means that the number comes from a different pid
            namespace and names some other process here.

    Returns:
        A dict ``rss_bytes`` (shared pages count once per process) and ``cpu_seconds`` (with the children that
        have ended), both None where the process cannot be seen.
    """
    if pid not in processes or processes[pid]["parent"] != parent:
        return {"rss_bytes": None, "cpu_seconds": None}
    children = {}
    for child, process in processes.items():
        children.setdefault(process["parent"], []).append(child)
    rss_pages = ticks = 0
    pending = [pid]
    while pending:
        current = pending.pop()
        rss_pages += processes[current]["rss_pages"]
        ticks += processes[current]["ticks"]
        pending.extend(children.get(current, []))
    return {
        "rss_bytes": rss_pages * os.sysconf("SC_PAGE_SIZE"),
        "cpu_seconds": round(ticks / os.sysconf("SC_CLK_TCK"), 2),
    }


def read_processes():
    """Every process that /proc shows, as ``{pid: {"parent", "rss_pages", "ticks"}}``; empty without /proc."""
    processes = {}
    try:
        names = [entry.name for entry in os.scandir("/proc")]
    except OSError:
        return processes
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                processes[int(name)] = parse_stat(file.read())
        except (OSError, ValueError, IndexError):
            continue  # it ended between the two reads
    return processes


def parse_stat(text):
    """Parent pid, resident pages and clock ticks (own and of ended children) from a /proc/<pid>/stat line."""
    # The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    fields = text[text.rindex(")") + 1 :].split()
    return {"parent": int(fields[1]), "ticks": sum(map(int, fields[11:15])), "rss_pages": int(fields[21])}

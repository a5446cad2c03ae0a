# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of a process with everything it started, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

from ..text.one_line import one_line

_SCRIPT = re.compile(r"[\w./+-]{1,200}\.(?:py|js|mjs|cjs|ts|jar|rb|php|pl|sh)\Z")
_MODULE = re.compile(r"[\w.]{1,100}\Z")


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
    pids = tree_of(processes, pid, parent)
    if not pids:
        return {"rss_bytes": None, "cpu_seconds": None}
    return {
        "rss_bytes": sum(processes[each]["rss_pages"] for each in pids) * os.sysconf("SC_PAGE_SIZE"),
        "cpu_seconds": round(sum(processes[each]["ticks"] for each in pids) / os.sysconf("SC_CLK_TCK"), 2),
    }


def tree_of(processes, pid, parent):
    """The pids of a process and its descendants; see :func:`tree_usage`. Empty where it cannot be seen."""
    if pid not in processes or processes[pid]["parent"] != parent:
        return []
    children = {}
    for child, process in processes.items():
        children.setdefault(process["parent"], []).append(child)
    found, pending = [], [pid]
    while pending:
        found.append(pending.pop())
        pending.extend(children.get(found[-1], []))
    return found


def biggest(processes, pids, count):
    """The processes with the most resident memory.

    Args:
        processes: what :func:`read_processes` returned.
        pids: which of them.
        count: how many at most.

    Returns:
        A list of dicts ``pid``, ``command``, ``rss_bytes`` and ``cpu_seconds``, the biggest first.
    """
    ordered = sorted((pid for pid in pids if pid in processes), key=lambda pid: -processes[pid]["rss_pages"])
    return [
        {
            "pid": pid,
            "command": shown_command(_arguments(pid)),
            "rss_bytes": processes[pid]["rss_pages"] * os.sysconf("SC_PAGE_SIZE"),
            "cpu_seconds": round(processes[pid]["ticks"] / os.sysconf("SC_CLK_TCK"), 2),
        }
        for pid in ordered[:count]
    ]


def shown_command(arguments):
    """The program and the script or module it runs. No other argument: any may be a secret, or code.

    Args:
        arguments: the program and its arguments. A process that names itself, as PostgreSQL's do, has one only.
    """
    if not arguments:
        return ""
    title = one_line(arguments[0])
    if len(arguments) == 1 and " " in title:
        words = title.split()
        return " ".join(words[:2]) if words[0].endswith(":") else PurePath(words[0]).name
    shown = PurePath(title).name or title
    for position, argument in enumerate(arguments[1:]):
        is_module = arguments[position] == "-m"
        if (_MODULE if is_module else _SCRIPT).match(argument) and (is_module or not argument.startswith("-")):
            return f"{shown} {'-m ' if is_module else ''}{argument}"
    return shown


def _arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return [argument for argument in file.read(4096).split("\0") if argument]
    except OSError:
        return []  # it has ended


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

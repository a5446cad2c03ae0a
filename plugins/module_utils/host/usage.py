# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has left: memory, processor time, and who takes most of it."""

from __future__ import annotations

import os
import time

from ..text.one_line import one_line
from .kernel_log import out_of_memory_kills
from .process_usage import biggest, read_processes

_KILLS_SHOWN = 20


def observe(params):
    """Look at this host.

    Args:
        params: see ``observers.host.SPEC``.

    Returns:
        What the module ``host_info`` documents.

    Raises:
        ValueError: a window or a number below 0.
    """
    if params["window_seconds"] < 0 or params["top_processes"] < 0:
        raise ValueError("window_seconds and top_processes must not be below 0")
    try:
        before = processor_ticks(_read("/proc/stat"))
        if params["window_seconds"] > 0:
            time.sleep(params["window_seconds"])
        after = processor_ticks(_read("/proc/stat"))
        memory = memory_of(_read("/proc/meminfo"))
        load = float(_read("/proc/loadavg").split()[0])
    except (OSError, ValueError, KeyError, IndexError) as error:
        return {"available": False, "reason": f"this host does not tell in /proc what it has left: {one_line(error)}"}
    found = dict(
        memory,
        available=True,
        cores=os.cpu_count() or 1,
        load_1_minute=load,
        cpu_ratio=busy_ratio(before, after) if params["window_seconds"] > 0 else None,
        top_processes=None,
    )
    if params["top_processes"] > 0:
        processes = read_processes()
        found["top_processes"] = biggest(processes, processes, params["top_processes"])
    log = out_of_memory_kills()
    kills = (
        None if log is None else [{key: kill[key] for key in ("at_seconds", "task", "pid")} for kill in log["kills"]]
    )
    return dict(found, oom_kills=None if kills is None else [_shown(kill) for kill in kills[-_KILLS_SHOWN:]])


def memory_of(text):
    """Memory and swap in bytes, from the text of /proc/meminfo.

    Raises:
        KeyError, ValueError, IndexError: it is no such text.
    """
    kib = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.endswith(" kB")}
    total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
    return {
        "memory_total_bytes": total,
        "memory_available_bytes": available,
        "memory_used_ratio": round(1 - available / total, 4),
        "swap_total_bytes": kib["SwapTotal"] * 1024,
        "swap_free_bytes": kib["SwapFree"] * 1024,
    }


def processor_ticks(text):
    """Clock ticks since boot of all cores, all of them and the idle ones, from the text of /proc/stat.

    Raises:
        ValueError, IndexError: it is no such text.
    """
    # user nice system idle iowait irq softirq steal; guest time is in user time already.
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def busy_ratio(before, after):
    """The share of processor time that was used between two readings, or None where no time passed."""
    passed = after[0] - before[0]
    return round(1 - (after[1] - before[1]) / passed, 4) if passed > 0 else None


def _shown(kill):
    return dict(kill, task=one_line(kill["task"], 60))


def _read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()

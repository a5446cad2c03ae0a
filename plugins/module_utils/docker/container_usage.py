# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of a container, from its cgroup (version 1 or 2) or from the engine's statistics.

Every reading is a dict ``memory_used_bytes`` (without page cache that the kernel gives back at once, which is what
``docker stats`` shows), ``rss_bytes`` (anonymous memory), ``cpu_seconds`` and ``oom_kills`` (processes the kernel
killed since the container was started); None for what cannot be read.
"""

from __future__ import annotations

import os
from pathlib import Path

NOTHING = {"memory_used_bytes": None, "rss_bytes": None, "cpu_seconds": None, "oom_kills": None}
_USUAL_PARENTS = ("docker/{}", "system.slice/docker-{}.scope")


def cgroup_of(pid, container_id):
    """The folders of a container's cgroup, as ``{"memory": path, "cpu": path, "version": 1 or 2}``.

    None where they cannot be seen from here: in another container, without /proc, with no permission.
    """
    mounts = cgroup_mounts(_text("/proc/self/mountinfo"))
    paths = cgroup_paths(_text(f"/proc/{pid}/cgroup"), container_id)
    for version, memory, cpu in ((1, "memory", "cpuacct"), (2, "", "")):
        if memory not in mounts or cpu not in mounts:
            continue
        usual = [parent.format(container_id) for parent in _USUAL_PARENTS]
        tried = [(paths[memory], paths[cpu])] if memory in paths and cpu in paths else []
        tried += [(path, path) for path in usual]
        for memory_path, cpu_path in tried:
            found = {"memory": f"{mounts[memory]}/{memory_path}", "cpu": f"{mounts[cpu]}/{cpu_path}"}
            probe = "memory.usage_in_bytes" if version == 1 else "memory.current"
            if Path(found["memory"], probe).exists():
                return dict(found, version=version)
    return None


def shared_memory_of(pid):
    """The size of a container's /dev/shm and what is used of it, in bytes; None for what only root may see, or where it has none."""
    try:
        found = os.statvfs(f"/proc/{pid}/" + "root/dev/shm")
    except OSError:
        return {"shared_memory_bytes": None, "shared_memory_used_bytes": None}
    size = found.f_blocks * found.f_frsize
    return {"shared_memory_bytes": size, "shared_memory_used_bytes": size - found.f_bfree * found.f_frsize}


def cgroup_mounts(mountinfo):
    """Where each controller of version 1 is mounted, by its name, and version 2 by the empty name."""
    mounts = {}
    for line in mountinfo.splitlines():
        before, _dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            mounts.setdefault("", fields[4])
        elif kind[0] == "cgroup":
            for controller in kind[2].split(","):
                mounts.setdefault(controller, fields[4])
    return mounts


def cgroup_paths(text, container_id):
    """The container's paths from a /proc/<pid>/cgroup, by controller; without those that do not name it.

    A process may be in a cgroup below that of its container (systemd in a container); the path ends with the part that
    names the container.
    """
    paths = {}
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3 or ".." in fields[2]:
            continue
        parts = fields[2].strip("/").split("/")
        named = [index for index, part in enumerate(parts) if container_id in part]
        if named:
            for controller in fields[1].split(","):
                paths[controller] = "/".join(parts[: named[0] + 1])
    return paths


def read_cgroup(cgroup):
    """A reading from the files of a cgroup."""
    memory, cpu = Path(cgroup["memory"]), Path(cgroup["cpu"])
    if cgroup["version"] == 1:
        return from_v1(
            _text(memory / "memory.usage_in_bytes"),
            _text(memory / "memory.stat"),
            _text(memory / "memory.oom_control"),
            _text(cpu / "cpuacct.usage"),
        )
    return from_v2(
        _text(memory / "memory.current"),
        _text(memory / "memory.stat"),
        _text(memory / "memory.events"),
        _text(cpu / "cpu.stat"),
    )


def from_v1(usage, stat, oom_control, cpu_nanoseconds):
    """A reading from the texts of ``memory.usage_in_bytes``, ``memory.stat`` and so on."""
    stat = _pairs(stat)
    cpu = _number(cpu_nanoseconds)
    return {
        "memory_used_bytes": _without_cache(_number(usage), stat.get("total_inactive_file")),
        "rss_bytes": stat.get("total_rss"),
        "cpu_seconds": None if cpu is None else round(cpu / 1e9, 3),
        "oom_kills": _pairs(oom_control).get("oom_kill"),
    }


def from_v2(current, stat, events, cpu_stat):
    """A reading from the texts of ``memory.current``, ``memory.stat`` and so on."""
    stat = _pairs(stat)
    cpu = _pairs(cpu_stat).get("usage_usec")
    return {
        "memory_used_bytes": _without_cache(_number(current), stat.get("inactive_file")),
        "rss_bytes": stat.get("anon"),
        "cpu_seconds": None if cpu is None else round(cpu / 1e6, 3),
        "oom_kills": _pairs(events).get("oom_kill"),
    }


def from_statistics(answer):
    """A reading from what ``/containers/<id>/stats`` of the engine answers; it does not count kills."""
    memory = answer.get("memory_stats") or {}
    stat = memory.get("stats") or {}
    cpu = ((answer.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    return {
        "memory_used_bytes": _without_cache(
            memory.get("usage"), stat.get("total_inactive_file", stat.get("inactive_file"))
        ),
        "rss_bytes": stat.get("total_rss", stat.get("anon")),
        "cpu_seconds": None if cpu is None else round(cpu / 1e9, 3),
        "oom_kills": None,
    }


def pids_of(cgroup):
    """The processes of a cgroup and of those below it."""
    pids = set()
    for folder, _folders, _files in os.walk(cgroup["memory"]):
        pids.update(int(line) for line in _text(Path(folder, "cgroup.procs")).split())
    return pids


def _without_cache(usage, inactive_file):
    if usage is None:
        return None
    return usage - inactive_file if inactive_file is not None and inactive_file < usage else usage


def _pairs(text):
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(text):
    return int(text) if text.strip().isdigit() else None


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single processes of this host: who they are, whose they are, and which of them nobody may end."""

from __future__ import annotations

import os
import re
import time

from ..text.masking import mask_arguments, mask_secrets
from ..text.one_line import one_line

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_CONTAINER = re.compile(r"(?:docker[-/]|libpod-|cri-containerd-|/)(?P<id>[0-9a-f]{64})(?=\.scope|/|\Z)")
# Ending one of these takes the host, every container, or the way in to repair it along.
_PROTECTED = ("init", "sshd", "dockerd", "crio", "kubelet", "conmon")
_PROTECTED_FAMILIES = ("systemd", "containerd")  # the kernel cuts names after 15 characters


def read_process(pid):
    """What /proc says about one process.

    Args:
        pid: its number.

    Returns:
        None where there is no such process (any more), otherwise a dict ``pid``, ``ppid``, ``program`` (its short
        name), ``command`` (program and arguments, secrets masked), ``uid``, ``user``, ``start_ticks`` (its start in
        clock ticks since boot: with the pid it names this very process), ``started_at_seconds`` and
        ``is_kernel_thread``.
    """
    try:
        stat = parse_stat(_read(pid, "stat"))
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116  one call for each process of the host
        arguments = [argument for argument in _read(pid, "cmdline").split("\0") if argument]
    except (OSError, ValueError, IndexError):
        return None
    if stat["state"] in "ZX":
        return None  # it has ended and only waits for its parent to notice
    return {
        "pid": pid,
        "ppid": stat["ppid"],
        "program": one_line(stat["program"]),
        "command": command_line(arguments) or f"[{one_line(stat['program'])}]",
        "uid": uid,
        "user": user_name(uid),
        "start_ticks": stat["start_ticks"],
        "started_at_seconds": started_at_seconds(stat["start_ticks"]),
        "is_kernel_thread": bool(stat["flags"] & _KERNEL_THREAD),
    }


def parse_stat(text):
    """Name, state, parent, flags and start of a process from its /proc/<pid>/stat line.

    Raises:
        ValueError, IndexError: it is no such line.
    """
    # Its name is in parentheses and may itself hold spaces and parentheses.
    end = text.rindex(")")
    fields = text[end + 1 :].split()
    return {
        "program": text[text.index("(") + 1 : end],
        "state": fields[0],
        "ppid": int(fields[1]),
        "flags": int(fields[6]),
        "start_ticks": int(fields[19]),
    }


def command_line(arguments):
    """Program and arguments on one line, with what looks like a secret masked."""
    # Once more as a whole, for what is told by several of them together.
    return one_line(mask_secrets(one_line(" ".join(mask_arguments(arguments)), limit=2000)), limit=200)


def user_name(uid):
    """The name of a user, or the number as text where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def started_at_seconds(start_ticks):
    """When a process was started, in seconds since 1970, from its start in clock ticks since boot."""
    # CLOCK_BOOTTIME counts on while a machine sleeps, as the ticks do.
    booted = time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))
    return round(booted + start_ticks / os.sysconf("SC_CLK_TCK"))


def ancestors(pid):
    """The pids above a process, its parent first; empty where the process is gone."""
    found = []
    while pid > 0:
        try:
            pid = parse_stat(_read(pid, "stat"))["ppid"]
        except (OSError, ValueError, IndexError):
            break
        if pid > 0:
            found.append(pid)
    return found


def why_not_end(process, own_pid=None):
    """Why nobody may end a process, or an empty string.

    Args:
        process: of :func:`read_process`.
        own_pid: a process that must survive with everything above it; this one where it is not given.
    """
    own_pid = own_pid or os.getpid()
    if process["pid"] == 1:
        return "it is process 1"
    if process["is_kernel_thread"]:
        return "it is a kernel thread"
    if process["pid"] == own_pid or process["pid"] in ancestors(own_pid):
        return "this run hangs on it"
    if process["program"] in _PROTECTED or process["program"].startswith(_PROTECTED_FAMILIES):
        return f"{process['program']} holds up the host"
    return ""


def parse_cgroup(text):
    """The systemd unit and the container of a process from its /proc/<pid>/cgroup, version 1 or 2.

    Returns:
        A dict ``unit`` and ``container_id``, each None where it is in none.
    """
    found = {"unit": None, "container_id": None}
    for line in text.splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        container = _CONTAINER.search(path)
        if container:
            found["container_id"] = container.group("id")
        if number == "0" or controllers == "name=systemd":
            units = [part for part in path.split("/") if part.endswith(".service")]
            found["unit"] = units[0] if units else found["unit"]
    return found


def cgroup_of(pid):
    """:func:`parse_cgroup` of a process; a container that this process itself is in counts as none."""
    try:
        found, own = parse_cgroup(_read(pid, "cgroup")), parse_cgroup(_read("self", "cgroup"))
    except OSError:
        return {"unit": None, "container_id": None}
    if found["container_id"] == own["container_id"]:
        found["container_id"] = None
    return found


def environment_of(pid):
    """The environment with which a process was started, or None where it may not be read."""
    try:
        pairs = _read(pid, "environ").split("\0")
    except OSError:
        return None
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _read(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()


def is_root():
    """Whether this process may look into those of other users, as far as the user decides that."""
    return os.geteuid() == 0

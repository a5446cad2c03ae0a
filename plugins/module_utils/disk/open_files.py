# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes keep: deleted files that still take space, files in use, and PostgreSQL's write-ahead log."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..deadline import DeadlineExceeded

LISTED = 100
_PROGRAMS = ("postgres", "postmaster")


def scan(deadline):
    """Look through /proc/*/fd for files.

    Args:
        deadline: when to stop.

    Returns:
        ``deleted``: every deleted file that is still open, once for each process, as a dict with ``pid``, ``ancestors``
        (process ids), ``program``, ``path``, ``bytes``, ``device``, ``inode``; ``in_use``: a set of (device, inode) of the
        files that are open; ``hidden_processes``: how many this user cannot look into; ``complete``.
    """
    found = {"deleted": [], "in_use": set(), "hidden_processes": 0, "complete": True}
    try:
        for pid in _processes():
            deadline.remaining_seconds()
            _look_into(pid, found)
    except DeadlineExceeded:
        found["complete"] = False
    found["complete"] = found["complete"] and not found["hidden_processes"]
    return found


def as_text(path):
    """A path that can be told of, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "replace")


def _processes():
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _look_into(pid, found):
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = [entry.name for entry in os.scandir(folder)]
    except PermissionError:
        found["hidden_processes"] += 1
        return
    except OSError:
        return
    seen = set()
    for descriptor in descriptors:
        link = f"{folder}/{descriptor}"
        try:
            target = os.readlink(link)
            if not target.startswith("/"):
                continue
            status = Path(link).stat()
        except OSError:
            continue
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode) or identity in seen:
            continue
        seen.add(identity)
        found["in_use"].add(identity)
        # A file on memory alone, as of memfd_create or shared memory, is on no filesystem that anybody mounted.
        if status.st_nlink == 0 and target.endswith(" (deleted)") and not target.startswith(("/memfd:", "/SYSV")):
            found["deleted"].append(
                {
                    "pid": pid,
                    "ancestors": ancestors(pid),
                    "program": _program(pid),
                    "path": as_text(target[: -len(" (deleted)")]),
                    "bytes": status.st_blocks * 512,
                    "device": status.st_dev,
                    "inode": status.st_ino,
                }
            )


def _read(path, limit=4096):
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def _program(pid):
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def _parent(pid):
    # The program's name is in brackets and can hold anything, brackets too.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def ancestors(pid):
    """The process ids above a process, the nearest first, without the first process of all."""
    above = []
    pid = _parent(pid)
    while pid > 1 and pid not in above:
        above.append(pid)
        pid = _parent(pid)
    return above


def postgres_servers(deadline):
    """The PostgreSQL servers that run here, in containers too, with what their write-ahead log takes.

    Returns:
        ``servers``: a list of dicts ``pid``, ``data_directory`` (as the server calls it), ``system_identifier`` (which
        pg_control_system() tells too), ``bytes`` and ``device``; ``complete``: whether all could be looked into.
    """
    found = {"servers": [], "complete": True}
    try:
        for pid in _processes():
            if _program(pid) in _PROGRAMS:
                deadline.remaining_seconds()
                if _program(_parent(pid)) not in _PROGRAMS and not _add_server(pid, found["servers"], deadline):
                    found["complete"] = False
    except DeadlineExceeded:
        found["complete"] = False
    return found


def _log_folder(pid, data):
    log = Path(f"{data}/pg_wal")
    target = os.readlink(str(log)) if log.is_symlink() else ""
    # In a container, an absolute path begins at the container's own root.
    return f"/proc/{pid}/root{target}" if target.startswith("/") else str(log)


def _add_server(pid, servers, deadline):
    # The server works in its data directory; seen through its process, whatever it is called from here.
    data = f"/proc/{pid}/cwd"
    control = _read(f"{data}/global/pg_control", 8)
    try:
        called = as_text(os.readlink(data))
        log = _log_folder(pid, data)
        device = Path(log).stat().st_dev
        size = 0
        with os.scandir(log) as entries:
            for entry in entries:
                deadline.remaining_seconds()
                size += entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        # It ended, or is a program of that name that keeps no database.
        return True
    except OSError:
        return False
    identifier = str(int.from_bytes(control, "little")) if len(control) == 8 else ""
    servers.append(
        {"pid": pid, "data_directory": called, "system_identifier": identifier, "bytes": size, "device": device}
    )
    return True

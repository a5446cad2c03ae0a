# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a run, found by its id in their environment."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

RUN_ID = "ONCALL_RUN_ID"
DIES_SECONDS = 5.0


def kill(run_id: str) -> bool:
    """Kill every process of a run: each has its id in its environment, also where it left the session.

    What became a daemon is spared: a service that a remedy started, the connection that ssh keeps open for others.

    Returns:
        Whether all of them are dead.
    """
    found = processes_of(run_id)
    # Not before all are found: what has lost its parent looks like a daemon.
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + DIES_SECONDS
    while not all(map(_is_dead, found)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def processes_of(run_id: str) -> list[psutil.Process]:
    """Those of a run, without what became a daemon."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if _is_of(run_id, process.pid) and process.pid != os.getpid() and not _is_daemons(run_id, process):
                found.append(process)
    return found


def _is_dead(process: psutil.Process) -> bool:
    try:
        # Nobody may be there to bury it.
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _is_of(run_id: str, pid: int) -> bool:
    return f"{RUN_ID}={run_id}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def _is_daemons(run_id: str, process: psutil.Process) -> bool:
    """Whether the leader of its session is a program that is nobody's child in this run, and not Ansible itself."""
    try:
        leader = psutil.Process(os.getsid(process.pid))
        return not any("ansible" in part for part in leader.cmdline()) and not _is_of(run_id, leader.ppid())
    except psutil.NoSuchProcess:
        return False
    except PermissionError:
        # Its parent is somebody else's.
        return True

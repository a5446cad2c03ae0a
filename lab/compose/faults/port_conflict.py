# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published port of the API in other hands, so that its container cannot start."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import WITHOUT_API, right

LISTEN = "import socket, sys, time\nkept = socket.create_server(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(1e6)"
SECONDS = 15


def _pid_file(target: Target) -> Path:
    return target.layout.home / "port_conflict.pid"


def _stranger(target: Target) -> psutil.Process | None:
    """The process of this fault, told from another one with its number by its start."""
    try:
        pid, started = _pid_file(target).read_text().split()
        process = psutil.Process(int(pid))
        return process if str(process.create_time()) == started else None
    except (OSError, ValueError, psutil.Error):
        return None


def _make(target: Target) -> None:
    api = target.container("api")["Id"]
    target.docker("kill", "--signal=KILL", api)
    # On the host and on its own, as a server that somebody forgot.
    process = subprocess.Popen(
        [sys.executable, "-ISc", LISTEN, str(target.project.port("api"))],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _pid_file(target).write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")
    end = time.monotonic() + SECONDS
    while not _listens(process.pid, target.project.port("api")):
        if process.poll() is not None or time.monotonic() > end:
            raise LabError(f"the stranger does not get port {target.project.port('api')}")
        time.sleep(0.05)
    try:
        target.docker("start", api)
    except LabError:
        return  # as it has to be: the engine cannot bind the port
    raise LabError("the API's container has started although its port is held")


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)


def _there(target: Target) -> tuple[bool, str]:
    state = target.container("api")["State"]
    stranger = _stranger(target)
    holds = stranger is not None and _listens(stranger.pid, target.project.port("api"))
    seen = f"api is {state['Status']} ({state['Error']}), its port is {'held' if holds else 'not held'} by a stranger"
    return holds and state["Status"] != "running" and "address already in use" in state["Error"], seen


def _undo(target: Target) -> None:
    stranger = _stranger(target)
    if stranger is not None:
        stranger.kill()
        psutil.wait_procs([stranger], timeout=SECONDS)
    _pid_file(target).unlink(missing_ok=True)


FAULTS = {
    "port_taken": Fault(
        "a process of the host holds the API's published port; its container is down and cannot start",
        _make,
        _there,
        _undo,
        undone_first=True,
        rights={
            **WITHOUT_API,
            "port_conflict": right("stranger", "end_process"),
            "api_down": right("port_taken"),
        },
    ),
}

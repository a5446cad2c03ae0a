# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and end the processes of one lab, and of no other, however they lost their parent."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from ..layout import Layout


def belongs(argv: list[str], layout: Layout) -> bool:
    """Whether a command line is one of this lab's own programs."""
    if not argv:
        return False
    line = " ".join(argv).strip()
    program = Path(argv[0]).name
    if program == "postgres":
        # Not only the base on record: the record can be lost.
        return argv[1:3] in (["-D", str(layout.home / "data")], ["-D", str(layout.outside / "data")])
    if line.startswith(f"postgres: {layout.cluster}: "):
        return True
    if program.startswith("redis-server"):
        return line.endswith(f" {layout.redis_config}")
    if argv[1:4] == ["-m", "supervisor.supervisord", "-c"]:
        return argv[4:5] == [str(layout.config)]
    return argv[1:2] == ["-m"] and argv[2].startswith("lab.") and argv[3:5] == ["--home", str(layout.home)]


def of_lab(layout: Layout) -> list[psutil.Process]:
    """The living processes of this lab."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and belongs(process.cmdline(), layout):
                found.append(process)
    return found


def database_processes(layout: Layout) -> list[psutil.Process]:
    """The postmaster of this lab and its children."""
    found = []
    for process in of_lab(layout):
        with suppress(psutil.Error):
            if _program(process).startswith("postgres"):
                found.append(process)
    return found


def end(processes: list[psutil.Process], seconds: float = 5) -> None:
    """Ask, wait, then kill. supervisord is killed first: it would start the others again."""
    for process in processes:
        with suppress(psutil.Error):
            if "supervisor.supervisord" in process.cmdline():
                process.kill()
    for process in processes:
        with suppress(psutil.Error):
            # PostgreSQL would wait for its clients on TERM.
            process.send_signal(signal.SIGQUIT if _program(process) == "postgres" else signal.SIGTERM)
            process.resume()
    for process in _still_alive(processes, seconds):
        with suppress(psutil.Error):
            process.kill()
    _still_alive(processes, seconds)


def _program(process: psutil.Process) -> str:
    # A process that ended meanwhile has no command line left.
    return Path(next(iter(process.cmdline()), "")).name


def _still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    # Not psutil.wait_procs: in a container nobody may collect a zombie, and it would be waited for.
    give_up = time.monotonic() + seconds
    while (alive := [process for process in processes if _works(process)]) and time.monotonic() < give_up:
        time.sleep(0.03)
    return alive


def _works(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False

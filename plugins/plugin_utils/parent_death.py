# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play ends with the program that began it, also where that is killed and can end nothing itself.

The program dies, and with it the terminal that the play writes to. Ansible can live on then, without its thread for results,
and wait for ever for what it will not hear of. So the kernel kills it at once: no other task begins. A worker that is in the
midst of a task may end it, because a remedy that is cut off between a stop and a start leaves a service down; it has a deadline.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

# "PID SECONDS": of the program, and how long a task in progress may take when it is gone. oncall.environment sets it.
PROGRAM = "ONCALL_PROGRAM"
_PR_SET_PDEATHSIG = 1
# Ansible uses it for nothing.
_SIGNAL = signal.SIGUSR1


def end_with_program() -> None:
    """Tie this process to the program that began it, and the workers that it will fork to this process."""
    told = os.environ.get(PROGRAM, "").split()
    # Not where it is somebody else's: a play that a task of a play begins has a parent of its own.
    if sys.platform != "linux" or len(told) != 2 or os.getppid() != int(told[0]):
        return
    _have_sent(signal.SIGKILL)
    if os.getppid() != int(told[0]):
        os.kill(os.getpid(), signal.SIGKILL)
    _Workers(float(told[1])).follow()


class _Workers:
    """Processes that this one forks, and those that they fork."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._here, self._parent = seconds, os.getpid(), os.getppid()

    def follow(self) -> None:
        os.register_at_fork(after_in_child=self._begun)

    def _begun(self) -> None:
        self._parent, self._here = self._here, os.getpid()
        signal.signal(_SIGNAL, self._left_alone)
        _have_sent(_SIGNAL)
        self._left_alone()

    def _left_alone(self, *_arguments: Any) -> None:
        # The thread that forked this may have ended, and not its process.
        if os.getppid() == self._parent:
            return
        deadline = threading.Timer(self._seconds, _end)
        deadline.daemon = True
        deadline.start()


def _have_sent(number: int) -> None:
    """Have the kernel send this process a signal when the thread that began it has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _end() -> None:
    """Kill what this process has begun and itself. What has become a daemon is nobody's child, and stays."""
    for pid in descendants(os.getpid(), parents()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.kill(os.getpid(), signal.SIGKILL)


def parents() -> dict[int, int]:
    """The parent of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name of a program is in brackets, and may have any in it.
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return found


def descendants(pid: int, parent_of: dict[int, int]) -> list[int]:
    """The children of a process, theirs, and so on. Pure."""
    found = [pid]
    for one in found:
        found += [child for child, parent in parent_of.items() if parent == one and child not in found]
    return found[1:]

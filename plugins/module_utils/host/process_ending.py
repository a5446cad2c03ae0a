# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending processes that hold a port: told apart from whatever gets their numbers next, and no others."""

from __future__ import annotations

import os
import signal
import time

from ..deadline import Deadline, DeadlineExceeded
from ..net import sockets
from .process_identity import read_process, why_not_end

_LOOK_SECONDS = 10
_EVERY_SECONDS = 0.05


class CannotEnd(Exception):
    """A process could not be ended; the text is one line."""


def end(port, wanted, grace_seconds, check_mode):
    """End processes: SIGTERM, and SIGKILL for those that still hold the port.

    Args:
        port: the TCP port they have to hold.
        wanted: dicts ``pid`` and ``start_ticks``.
        grace_seconds: the wait after each signal.
        check_mode: only tell.

    Returns:
        A dict ``chosen`` (of ``read_process``), ``terminated``, ``killed`` and ``left_alone``, as documented in the module
        ``process_end``.

    Raises:
        CannotEnd: a signal is not allowed, or a process survives.
    """
    chosen, left_alone = [], []
    holding = _holding(port, wanted)
    for one in wanted:
        process, why = _checked(one, port, holding)
        if why:
            left_alone.append({"pid": one["pid"], "why": why})
        else:
            chosen.append(process)
    result = {"chosen": chosen, "terminated": [one["pid"] for one in chosen], "killed": [], "left_alone": left_alone}
    if check_mode:
        return result
    result["terminated"] = [one["pid"] for one in chosen if _send(one, port, signal.SIGTERM)]
    left = _wait(chosen, port, grace_seconds)
    result["killed"] = [one["pid"] for one in left if _send(one, port, signal.SIGKILL)]
    left = _wait(left, port, grace_seconds)
    if left:
        names = ", ".join(f"{one['pid']} ({one['program']})" for one in left)
        raise CannotEnd(f"still holding port {port} after SIGTERM and SIGKILL: {names}")
    return result


def _checked(one, port, holding):
    """The process as it is now and "", or None and why it is left alone."""
    process = read_process(one["pid"])
    if process is None:
        return None, "it is gone"
    if process["start_ticks"] != one["start_ticks"]:
        return None, "its number belongs to another process now"
    why = why_not_end(process)
    if not why and one["pid"] not in holding:
        why = f"it does not hold port {port} any more"
    return (None, why) if why else (process, "")


def _holding(port, wanted):
    """Which of some processes have a socket on the port."""
    inodes = {one["inode"] for one in sockets.sockets_on({port})} - {0}
    try:
        owners, hidden = sockets.owners_of(inodes, Deadline(_LOOK_SECONDS), [one["pid"] for one in wanted])
    except DeadlineExceeded as error:
        raise CannotEnd(f"who holds port {port} could not be told: {error}") from None
    if hidden:
        raise CannotEnd(f"whether they hold port {port} cannot be seen: run with become")
    return set().union(*owners.values())


def _send(one, port, number):
    """Send a signal if all of it still holds; whether it was sent."""
    try:
        handle = os.pidfd_open(one["pid"]) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return False
    except OSError:
        handle = None  # a kernel before 5.3
    try:
        # Checked after the handle is open: what it names can then not become another process.
        if _checked(one, port, _holding(port, [one]))[1]:
            return False
        if handle is not None and hasattr(signal, "pidfd_send_signal"):
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(one["pid"], number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise CannotEnd(f"{one['pid']} ({one['program']}) belongs to {one['user']}: run with become") from None
    finally:
        if handle is not None:
            os.close(handle)
    return True


def _wait(processes, port, seconds):
    """Those that still hold the port when the time is up."""
    give_up_at = time.monotonic() + seconds
    left = processes
    while left:
        holding = _holding(port, left)
        left = [one for one in left if not _checked(one, port, holding)[1]]
        if not left or time.monotonic() >= give_up_at:
            break
        time.sleep(_EVERY_SECONDS)
    return left

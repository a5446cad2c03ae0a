# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes the kernel killed for lack of memory, from its log."""

from __future__ import annotations

import os
import re
import time

_RECORD_BYTES = 8192
_RECORDS_LIMIT = 200_000
_KILL = re.compile(r"oom-kill:.*task_memcg=(?P<cgroup>[^,]*),task=(?P<task>.*),pid=(?P<pid>\d+)")


def out_of_memory_kills():
    """The kills that the kernel's log still holds.

    Returns:
        None where the log may not be read, otherwise a dict ``kills``, as :func:`parse_record` returns them, the oldest
        first, and ``since_seconds``, how far back the log goes in seconds since 1970. The kernel's clock can be some
        seconds off.
    """
    try:
        descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    booted = time.time() - time.monotonic()
    kills, since = [], None
    try:
        for _number in range(_RECORDS_LIMIT):
            try:
                text = os.read(descriptor, _RECORD_BYTES).decode("utf-8", "replace")
            except BlockingIOError:
                break
            except BrokenPipeError:  # overwritten while it was read
                continue
            at, kill = parse_record(text, booted)
            since = at if since is None else since
            if kill:
                kills.append(kill)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return {"kills": kills, "since_seconds": since}


def parse_record(text, booted_at_seconds):
    """The time of a record of /dev/kmsg (``4,969,14559944022,-;text``), and the kill it tells of.

    Returns:
        Seconds since 1970, and None or a dict ``at_seconds``, ``cgroup`` (its path), ``task`` and ``pid``.
    """
    head, _semicolon, message = text.partition(";")
    fields = head.split(",")
    microseconds = int(fields[2]) if len(fields) > 2 and fields[2].isdigit() else 0
    at = booted_at_seconds + microseconds / 1e6
    match = _KILL.match(message.split("\n")[0])
    if not match:
        return at, None
    return at, dict(match.groupdict(), at_seconds=round(at, 3), pid=int(match.group("pid")))

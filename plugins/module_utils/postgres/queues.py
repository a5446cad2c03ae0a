# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits behind whom, directly or not. Pure."""

from __future__ import annotations

# A prepared transaction has no process: pg_blocking_pids() gives this for it.
PREPARED_PID = 0
# Its transaction is committed here, and waits for a standby to have it too. To cancel that is to tell the client that all is
# well where it may be lost.
AWAITS_STANDBY = "IPC:SyncRep"


def waiting_behind(sessions):
    """The sessions that wait for it directly, by process id."""
    behind = {}
    for one in sessions:
        for pid in one["blocked_by"]:
            behind.setdefault(pid, []).append(one)
    return behind


def is_client(session):
    """Whether a client waits for it, and not the server itself."""
    return (session.get("backend_type") or "client backend") == "client backend"


def queue(behind, pid):
    """How many clients wait behind a process, directly or not, and how long the longest has waited."""
    waiting, seen, longest, clients = [pid], {pid}, 0.0, 0
    while waiting:
        for waiter in behind.get(waiting.pop(), ()):
            if waiter["pid"] not in seen:
                seen.add(waiter["pid"])
                waiting.append(waiter["pid"])
                if waiter["backend_type"] == "client backend":
                    clients += 1
                    longest = max(longest, waiter["wait_seconds"])
    return clients, longest

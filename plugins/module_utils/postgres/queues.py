# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions wait behind which process, directly or not. Pure."""

from __future__ import annotations

# A prepared transaction has no process: pg_blocking_pids() gives this for it.
PREPARED_PID = 0
# A transaction that is committed here waits for a standby to have it too. Cancelled, its client believes that all is well,
# while the transaction may be lost.
AWAITS_STANDBY = "IPC:SyncRep"


def waiting_behind(sessions):
    """By process id, the sessions that wait for it directly."""
    behind = {}
    for one in sessions:
        for pid in one["blocked_by"]:
            behind.setdefault(pid, []).append(one)
    return behind


def queue(behind, pid):
    """The sessions that wait for a process, directly or not.

    Args:
        behind: of :func:`waiting_behind`.
        pid: of the process, or :data:`PREPARED_PID`.
    """
    found, at = {}, [pid]
    while at:
        for waiter in behind.get(at.pop(), ()):
            if waiter["pid"] not in found and waiter["pid"] != pid:
                found[waiter["pid"]] = waiter
                at.append(waiter["pid"])
    return list(found.values())


def length(behind, pid):
    """How many clients wait for a process, directly or not, and the longest that one has waited, in seconds."""
    clients = [one for one in queue(behind, pid) if is_client(one)]
    return len(clients), max([one["wait_seconds"] for one in clients], default=0.0)


def is_client(session):
    """Whether it is a session of a client, and no process of the server itself."""
    return (session.get("backend_type") or "client backend") == "client backend"

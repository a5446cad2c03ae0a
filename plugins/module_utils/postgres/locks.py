# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queues for locks, and in each the session to cancel: it frees most and costs least. Pure."""

from __future__ import annotations

from .process_kinds import COSTS, described, kind_of, may_cancel
from .queues import PREPARED_PID, is_client, queue, waiting_behind

# A wait this young may have ended between two looks of one statement.
SETTLED_SECONDS = 1.0
# Of what the head of a chain would free, a cheaper one behind it has to free this share.
ENOUGH = 0.8

_CHAIN_LIMIT = 6


def locks_of(waits, holds):
    """What each process asks for and holds.

    Args:
        waits: rows with ``pid``, ``object``, ``mode``, ``locktype`` and ``relation``, of locks that are not granted.
        holds: rows with ``pid``, ``object`` and ``modes``, of locks that somebody waits for.
    """
    asks = {}
    for row in waits:
        asks.setdefault(row["pid"], row)
    held = {(row["pid"], row["object"]): row["modes"] for row in holds}
    return asks, held


def effective(everyone, asks):
    """By process id, all processes that it waits for. A process that queues for a row waits for the row's holder too."""
    awaited = {}
    for pid in everyone:
        found, at, seen = set(), [pid], {pid}
        while at:
            asking = at.pop()
            for blocker in everyone[asking]["blocked_by"] if asking in everyone else ():
                found.add(blocker)
                if asks.get(asking, {}).get("locktype") == "tuple" and blocker not in seen:
                    seen.add(blocker)
                    at.append(blocker)
        found.discard(pid)
        awaited[pid] = found
    return awaited


def freed_by(pid, awaited):
    """The processes that no longer wait when one is gone: they wait only for it, or for others that it frees."""
    gone = {pid}
    grown = True
    while grown:
        freed = {one for one, blockers in awaited.items() if blockers and one not in gone and blockers <= gone}
        grown = bool(freed)
        gone |= freed
    return gone - {pid}


def chains(everyone, waits, holds, prepared=()):
    """The queues, longest first: each head, what waits behind it, and the session to cancel.

    Args:
        everyone: sessions and other processes in view, by process id.
        waits, holds: see :func:`locks_of`.
        prepared: the prepared transactions, for the name of the head that has no process.

    Returns:
        Rows with ``head`` (process id), its ``kind`` and ``head_costs`` (a text); ``blocks`` (clients behind it) and
        ``blocked_seconds`` (the longest wait); ``cancel`` (a session, or None where nobody should be cancelled), what it
        ``costs`` (a text), how many clients that ``frees``, and ``frees_all``: whether the head would free no more; ``chain``
        (lines).
    """
    asks, held = locks_of(waits, holds)
    awaited, behind = effective(everyone, asks), waiting_behind(everyone.values())
    heads = sorted({pid for blockers in awaited.values() for pid in blockers if not awaited.get(pid)})
    found = []
    for head in heads:
        session = everyone.get(head) or _nobody(head, prepared)
        waiters = queue(behind, head)
        if not waiters:
            continue
        chosen, freed, whole = choose(head, everyone, awaited, behind)
        path = _path(head, chosen, behind)
        found.append(
            {
                "head": head,
                "kind": kind_of(session),
                "head_costs": COSTS[kind_of(session)][1],
                "blocks": len([one for one in waiters if is_client(one)]),
                "blocked_seconds": max([one["wait_seconds"] for one in waiters]),
                "cancel": everyone[chosen] if chosen is not None else None,
                "frees": freed,
                "frees_all": freed + (chosen not in (None, head)) >= whole,
                "costs": COSTS[kind_of(everyone[chosen])][1] if chosen is not None else COSTS[kind_of(session)][1],
                "chain": [_line(pid, everyone, asks, held, prepared) for pid in path],
            }
        )
    return sorted(found, key=lambda one: (-one["blocks"], one["head"]))


def choose(head, everyone, awaited, behind):
    """What to cancel, as ``(process id or None, how many clients that frees, how many the head would free)``.

    Only a session that frees nearly as many as the head would is chosen, and of these the cheapest.

    Args:
        head: id of the process at the front, which waits for none.
        everyone: sessions and other processes in view, by process id.
        awaited: of :func:`effective`.
        behind: of :func:`queues.waiting_behind`.
    """
    whole = _clients(freed_by(head, awaited), everyone)
    options = []
    for pid in [head, *sorted(one["pid"] for one in queue(behind, head))]:
        session = everyone.get(pid)
        if session is None or not may_cancel(session):
            continue
        # A statement that waits in the middle is no reason for the queue: another one like it takes its place.
        if pid != head and kind_of(session) not in ("waiting_maintenance", "waiting_migration"):
            continue
        frees = _clients(freed_by(pid, awaited), everyone)
        # It is one of those that the head would free.
        enough = frees + (pid != head and is_client(session)) >= ENOUGH * whole
        if frees and enough:
            options.append((COSTS[kind_of(session)][0], -frees, pid))
    if not options:
        return None, 0, whole
    _cost, frees, pid = min(options)
    return pid, -frees, whole


def _clients(pids, everyone):
    return len([pid for pid in pids if pid in everyone and is_client(everyone[pid])])


def _path(head, chosen, behind):
    """The process ids from the head over the session to cancel to those behind it, one for each step."""
    path, at = [head], head
    while len(path) < _CHAIN_LIMIT:
        next_ones = [one["pid"] for one in behind.get(at, ()) if one["pid"] not in path]
        if not next_ones:
            break
        at = chosen if chosen in next_ones else min(next_ones, key=lambda pid: (-len(queue(behind, pid)), pid))
        path.append(at)
    return path


def _nobody(pid, prepared):
    gids = ", ".join(row["gid"] for row in prepared if row["blocks"])
    return {
        "pid": pid,
        "query": gids if pid == PREPARED_PID else "",
        "wait": "",
        "state": "",
        "blocked_by": [],
        "hidden": pid != PREPARED_PID,
        "application_name": "",
        "user": "",
    }


def _line(pid, everyone, asks, held, prepared):
    """One place of the chain in words: who it is, what it holds and what it waits for."""
    session = everyone.get(pid) or _nobody(pid, prepared)
    line = described(session)
    holds = sorted({mode for (holder, _lock), modes in held.items() if holder == pid for mode in modes})
    if holds:
        line += f" holds {', '.join(holds)}"
    if session["blocked_by"]:
        asked = asks.get(pid)
        what = f"{asked['mode']} on {asked['relation'] or asked['locktype']}" if asked else "a lock"
        line += f"{' and' if holds else ''} waits {session['wait_seconds']:g} s for {what}"
    return line


def unseen(everyone):
    """The processes that surely wait for a holder that is not in view, as ``(process id, holder or None)``."""
    found = []
    for pid, one in everyone.items():
        if not one.get("asks_lock") or one["wait_seconds"] < SETTLED_SECONDS:
            continue
        missing = [blocker for blocker in one["blocked_by"] if blocker != PREPARED_PID and blocker not in everyone]
        if missing or not one["blocked_by"]:
            found.append((pid, missing[0] if missing else None))
    return found


def chains_of(everyone, document, prepared):
    """The queues for locks, and what is not known of them.

    Args:
        everyone: sessions and other processes in view.
        document: what the server answered.
        prepared: the prepared transactions.

    Returns:
        ``(chains, lines)``: the rows of :func:`chains`, and a line for each thing that is not known.
    """
    by_pid = {one["pid"]: one for one in everyone}
    lines = []
    for pid, holder in unseen(by_pid):
        if is_client(by_pid[pid]):
            why = (
                f"process {holder}, for which it waits, is not in view" if holder else "nothing shows for whom it waits"
            )
            lines.append(f"session {pid} waits for a lock, and {why}")
    found = chains(by_pid, document.get("waits") or (), document.get("holds") or (), prepared)
    lines += [
        f"{one['blocks']} sessions wait behind process {one['head']}, which is hidden from {document['server']['user']}: "
        "grant it pg_monitor"
        for one in found
        if one["kind"] == "hidden"
    ]
    if len(lines) > 3:
        lines = [*lines[:3], f"and {len(lines) - 3} more of this kind"]
    return found, lines

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes next in a replay: one message of a group, then ten, then the rest in batches, each proven before the next. Pure."""

from __future__ import annotations

CANARY = 1
FEW = 10


def next_step(groups, states, batch_size):
    """What is to be done.

    Args:
        groups: lists of ids, in order.
        states: of :class:`accounts.Account`, by id.
        batch_size: the most that are sent at once.

    Returns:
        A pair: ``prove`` and the ids that were sent and have not ended; ``stop`` and the ids that failed again or are lost;
        ``send`` and the ids that come next; or ``end`` and no ids.
    """
    everything = [one for group in groups for one in group]
    running = [one for one in everything if states[one] == "sent"]
    if running:
        return "prove", running
    failed = [one for one in everything if states[one] in ("failed_again", "lost")]
    if failed:
        return "stop", failed
    for group in groups:
        waiting = [one for one in group if states[one] == "chosen"]
        if waiting:
            done = sum(states[one] == "done" for one in group)
            return "send", waiting[: _size(done, batch_size)]
    return "end", []


def _size(done, batch_size):
    """How many may be sent where so many of the group ended well: what a kill cut short is made whole first."""
    if done < CANARY:
        return CANARY
    few = min(FEW, batch_size)
    return CANARY + few - done if done < CANARY + few else batch_size


def pause_seconds(sent, per_minute):
    """How long to wait after so many were sent, before more are."""
    return sent * 60.0 / per_minute


def unready(seen, most_waiting):
    """Why a queue is in no state to be given more, or None.

    Args:
        seen: what the observer tells of it.
        most_waiting: as many may wait in it.

    Returns:
        A pair of a word and a line.
    """
    if not seen["available"]:
        return "not_known", f"the queue could not be looked at: {seen['reason']}"
    if seen.get("paused"):
        return "paused", "somebody has paused the queue"
    if seen.get("rate_limited"):
        return "backlog", "the queue waits for its rate limit"
    if seen.get("workers") == 0:
        return "no_worker", "nobody works on the queue"
    ready = seen.get("ready")
    if ready is None:
        return "not_known", "how many messages wait in the queue is not known"
    if ready > most_waiting:
        return "backlog", f"{ready} messages wait in the queue, and more than {most_waiting} may not"
    return None

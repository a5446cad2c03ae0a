# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due besides the escalation: the next update, the post-mortem, action items. Pure, as :mod:`.timers`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .timers import ENDED

# The documents want the post-mortem within two days.
POSTMORTEM_SECONDS = 48 * 3600.0


@dataclass(frozen=True)
class Reminder:
    """Somebody has to be reminded.

    Attributes:
        name: the same wherever it is worked out, so that it is told once for each time that it is due.
        what: ``update``, ``postmortem`` or ``action_item``.
        who: whose it is; "" for whoever has the incident.
        due_at: since when.
        words: one line.
    """

    name: str
    what: str
    who: str
    due_at: float
    words: str


def reminders(incident: Mapping[str, Any], now: float, told: Collection[str] = ()) -> list[Reminder]:
    """What is due and was not told, in the order of time.

    Args:
        incident: as ``show --json`` has it under ``incident``.
        now: the time.
        told: names of reminders that were told.
    """
    number = f"INC-{incident['number']}"
    found: list[Reminder] = []

    def add(what: str, key: str, who: str, due_at: float | None, words: str) -> None:
        if due_at is None or due_at > now:
            return
        # The time is part of the name: who sets a new one is reminded anew.
        reminder = Reminder(f"{incident['id']}/{what}/{key}/{due_at:.0f}", what, who, due_at, words)
        if reminder.name not in told:
            found.append(reminder)

    if incident.get("state") not in ENDED:
        add(
            "update",
            "next",
            str(incident.get("assignee") or ""),
            incident.get("next_update_at"),
            f"{number}: the next update is due",
        )
    review = incident.get("postmortem") or {}
    if review.get("state") in ("due", "draft", "review"):
        add(
            "postmortem",
            "",
            str(review.get("owner") or ""),
            review.get("due_at"),
            f"{number}: the post-mortem is due and not done",
        )
    for item in incident.get("action_items") or ():
        if not item.get("done"):
            add(
                "action_item",
                str(item["item"]),
                str(item.get("owner") or ""),
                item.get("due_at"),
                f"{number}: an action item is due and not done",
            )
    return sorted(found, key=lambda one: (one.due_at, one.name))

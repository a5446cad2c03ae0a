# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far post-mortems are: due, drafted, in review, done; and which are due and not written.

An incident is the mapping of ``oncall incident show --json``; nothing here knows the time but from its caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .template import WITHIN_HOURS
from .timeline import number
from .words import line

# State -> what can come next. One that is in review can be sent back; one that is done is done until the incident opens again.
STATES = {"": ("due",), "due": ("draft",), "draft": ("review",), "review": ("draft", "done"), "done": ("draft",)}
_RESOLVED = ("resolved", "closed")


@dataclass(frozen=True)
class Outstanding:
    """A post-mortem that is not done. ``late_seconds`` is negative while there is time."""

    id: str
    name: str
    system: str
    title: str
    severity: str
    state: str
    owner: str
    due_at: float
    late_seconds: float


@dataclass(frozen=True)
class OutstandingItem:
    """An action item that is not done. Without a date it is late at no time."""

    id: str
    name: str
    item: str
    text: str
    owner: str
    due_at: float | None
    late_seconds: float | None


def due_at(resolved_at: float, within_hours: float = WITHIN_HOURS) -> float:
    """When the post-mortem of an incident is due that was resolved then."""
    return resolved_at + within_hours * 3600


def why_not(incident: Mapping[str, Any], to: str, owner: str = "") -> str:
    """Why a post-mortem cannot come into a state; "" where it can.

    Args:
        incident: it.
        to: the state that it is to come into.
        owner: who owns it from then on; "" for who owns it now.
    """
    told = _told(incident)
    state = str(told.get("state") or "")
    if to not in STATES or not to:
        return f"a post-mortem is never {line(to, 40)!r}; it is {', '.join(one for one in STATES if one)}"
    if to not in STATES.get(state, ()):
        if to == state:
            return f"it is {to} already"
        return (
            f"it is {state}, and comes next to {' or '.join(STATES[state])}"
            if state in STATES and state
            else "none was asked for yet; it is due first"
        )
    if not _is_over(incident):
        return "the incident is not resolved"
    if to in ("draft", "review", "done") and not (owner or told.get("owner")):
        return "nobody owns it: name an owner"
    return ""


def outstanding(
    incidents: Iterable[Mapping[str, Any]], now: float, within_hours: Mapping[str, float] | None = None
) -> list[Outstanding]:
    """Which are due and not done, the one due first at the head.

    Args:
        incidents: all of them; those that are not resolved, that were merged or cancelled owe none.
        now: the time.
        within_hours: system -> its rule; 48 hours where it has none.
    """
    found = []
    for one in incidents:
        told = _told(one)
        resolved_at = number(one.get("resolved_at"))
        if not _is_over(one) or resolved_at is None or told.get("state") == "done":
            continue
        system = str(one.get("system") or "")
        due = number(told.get("due_at"))
        due = due if due is not None else due_at(resolved_at, (within_hours or {}).get(system, WITHIN_HOURS))
        found.append(
            Outstanding(
                id=str(one.get("id") or ""),
                name=f"INC-{one.get('number')}",
                system=line(system, 80),
                title=line(one.get("title")),
                severity=line(one.get("severity"), 60),
                state=str(told.get("state") or "due"),
                owner=line(told.get("owner"), 100),
                due_at=due,
                late_seconds=round(now - due, 3),
            )
        )
    return sorted(found, key=lambda one: (one.due_at, one.name))


def outstanding_items(incidents: Iterable[Mapping[str, Any]], now: float) -> list[OutstandingItem]:
    """The action items that are not done, those without a date at the end."""
    found = []
    for one in incidents:
        for item in one.get("action_items") or ():
            if item.get("done"):
                continue
            due = number(item.get("due_at"))
            found.append(
                OutstandingItem(
                    id=str(one.get("id") or ""),
                    name=f"INC-{one.get('number')}",
                    item=line(item.get("item"), 80),
                    text=line(item.get("text")),
                    owner=line(item.get("owner"), 100),
                    due_at=due,
                    late_seconds=None if due is None else round(now - due, 3),
                )
            )
    return sorted(found, key=lambda one: (one.due_at is None, one.due_at or 0.0, one.name, one.item))


def _told(incident: Mapping[str, Any]) -> Mapping[str, Any]:
    told = incident.get("postmortem")
    return told if isinstance(told, Mapping) else {}


def _is_over(incident: Mapping[str, Any]) -> bool:
    return incident.get("state") in _RESOLVED

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in words, for templates. All of it is text: templates escape it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import escape

from ...incidents import commands
from ...incidents.commands import cut
from ...incidents.record import Incident
from ...shared import counted as counted
from ...shared import masked, masked_values

# What is shown of something long on a page with much else.
SHOWN = 2000
DID = {
    "acknowledged": "You have acknowledged it.",
    "already": "Somebody was quicker: it was so already.",
    "approved": "You have approved the plan. It is acted on if a fresh diagnosis gives the same plan.",
    "assigned": "It is assigned.",
    "cancelled": "It is cancelled.",
    "changed": "It is written down.",
    "checked": "Everything was asked anew.",
    "closed": "It is closed, and changes no more.",
    "escalated": "It is escalated.",
    "held": "The host is held: no remedy touches it.",
    "merged": "It is merged.",
    "mitigated": "It is mitigated.",
    "noted": "It is resolved, and stays so. That you have seen it is noted.",
    "opened": "The incident is open.",
    "opened_unknown": "The incident is open. Nothing here says which systems there are: whether there is one of that name was not looked at.",
    "paused": "Everything is paused: nothing is begun.",
    "rejected": "You have rejected the plan. Nothing is done.",
    "released": "The host is released.",
    "reopened": "It is open again.",
    "resolved": "It is resolved.",
    "resumed": "Runs are begun again.",
    "signed-out": "You are signed out.",
    "snoozed": "Nobody is asked until then.",
}


def when(at: float | None) -> str:
    """A time as people read it."""
    return _as(at, "%Y-%m-%d %H:%M UTC")


def clock(at: float | None) -> str:
    """The time of the day."""
    return _as(at, "%H:%M:%S")


def day(at: float | None) -> str:
    return _as(at, "%Y-%m-%d")


def iso(at: float | None) -> str:
    return _as(at, "%Y-%m-%dT%H:%M:%SZ")


def _as(at: float | None, form: str) -> str:
    try:
        return "" if at is None else datetime.fromtimestamp(at, UTC).strftime(form)
    except (OverflowError, OSError, ValueError):
        return "no time"


def span(seconds: float | None) -> str:
    """How long something took, in its two largest parts."""
    if seconds is None:
        return ""
    left = int(max(0, seconds))
    told: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size or told:
            told.append(f"{left // size} {name}" if left // size else "")
            left %= size
        if len(told) == 2:
            break
    return " ".join(filter(None, told)) or "0 s"


def ago(at: float | None, now: float) -> str:
    """How long ago, or in how long."""
    if at is None:
        return ""
    seconds = abs(now - at)
    told = span(seconds if seconds < 60 else seconds - seconds % 60)
    return "now" if seconds < 1 else f"{told} ago" if now > at else f"in {told}"


def data(value: Any, most: int = SHOWN) -> str:
    """Anything, as a person reads it."""
    if isinstance(value, str):
        return cut(value, most)
    return cut(json.dumps(value, indent=1, ensure_ascii=False, default=str), most)


def alert(value: Any, most: int = SHOWN) -> str:
    """What an alert says, which nobody has looked through: without secrets."""
    return data(masked_values(value, most) if isinstance(value, Mapping) else masked(value, most), most)


class Room:
    """What may still be long on a page.

    Args:
        size: so many bytes of HTML, of all of it.
        each: so many characters of one.
    """

    def __init__(self, size: int, each: int) -> None:
        self._left, self._each = size, each

    def take(self, value: Any, least: int = 0) -> tuple[str, bool]:
        """As much of something as there is room for, and whether something is left out; ``least``: so much stands there in any case."""
        if not value:
            return "", False
        whole = data(value, self._each)
        # A sign of markup takes five bytes, and others up to four.
        size = len(escape(whole).encode())
        if size > self._left:
            return (data(value, least) if least else ""), True
        self._left -= size
        return whole, len(whole) > self._each


def straight(value: Any) -> Any:
    """What a template shows, without what turns text around: the reader of a plan would read another one."""
    return commands.straight(value) if type(value) is str else value


def listed(values: Any) -> str:
    return ", ".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str) for value in values
    )


def rank(incident: Incident, levels: Mapping[str, tuple[str, ...]]) -> int:
    """How severe, from 0, the worst; 9 where that is not known."""
    order = levels.get(incident.scheme, ())
    return order.index(incident.severity) if incident.severity in order else 9

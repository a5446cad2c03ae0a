# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside, fit to stand in a message: one line, no secret, no markup, no mention. And the values of a message. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ...shared import masked

MOST_CHARACTERS = 500
MOST_ITEMS = 12
_MOST_DEPTH = 4
# Slack and Discord call everybody even by an @ within a word.
_UNSEEN = "\u200b"
# Signs of markup in the dialects of chats, mail and status pages, each as one that looks alike and means nothing.
_ALIKE = str.maketrans(
    {
        "<": "\u2039",
        ">": "\u203a",
        "`": "\u02cb",
        "*": "\u2217",
        "~": "\u223c",
        "|": "\u2223",
        "\\": "\u2216",
        "&": "\uff06",
    }
)
_WIDE_UNDERLINE, _WIDE_NUMBER_SIGN = "\uff3f", "\uff03"
_LINK = re.compile(r"\](?=[(\[:])")
# Within a name, such as db_pool, it is no markup.
_UNDERLINE = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_HEADING = re.compile(r"(?<!\S)#(?=\S|\s)|^[-+=]{2,}")
_ADDRESS = re.compile(r"https?://[!-~]{1,2000}\Z")


def neutral(text: object, limit: int = MOST_CHARACTERS) -> str:
    """Text from outside that is data wherever it is shown.

    Args:
        text: whatever an alert, a log, a person or a program said.
        limit: the longest text returned, but for what keeps mentions from being some.
    """
    line = masked(text, limit).translate(_ALIKE)
    line = _UNDERLINE.sub(lambda found: _WIDE_UNDERLINE * len(found[0]), line)
    line = _HEADING.sub(lambda found: _WIDE_NUMBER_SIGN if found[0] == "#" else f"{_UNSEEN}{found[0]}", line)
    line = _LINK.sub("]" + _UNSEEN, line)
    return line.replace("@", "@" + _UNSEEN)


def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a message, each text in it :func:`neutral`; what is no plain data becomes text."""
    return {neutral(key, 60): _plain(value, 0) for key, value in given.items()}


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping) and depth < _MOST_DEPTH:
        return {neutral(key, 60): _plain(one, depth + 1) for key, one in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and depth < _MOST_DEPTH:
        more = [f"and {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else []
        return [_plain(one, depth + 1) for one in value[:MOST_ITEMS]] + more
    return neutral(value)


def address(url: str) -> str:
    """A link of ours, as it is; "" for what is none."""
    return url if _ADDRESS.match(url) else ""


def moment(at: float | None) -> str:
    """A time for people everywhere; "" for none."""
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def length(seconds: float) -> str:
    """A duration for people, such as ``1 h 5 min``."""
    minutes = int(max(0.0, seconds) // 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def incident_values(incident: Mapping[str, Any], now: float, **more: Any) -> dict[str, Any]:
    """What the record of an incident says, by the names that templates use.

    Args:
        incident: as ``show --json`` has it under ``incident``.
        now: for the duration of what goes on.
        more: what the timeline or a person says besides: impact, symptoms, conditions, actions, needs, tried, need and the like.
    """
    opened, resolved = float(incident["opened_at"]), incident.get("resolved_at")
    head = incident.get("head") or {}
    roles = incident.get("roles") or {}
    return {
        "incident": f"INC-{incident['number']}",
        "title": incident.get("title", ""),
        "system": incident.get("system", ""),
        "severity": incident.get("severity", ""),
        "severity_means": "",
        "status": _STATUS.get(str(incident.get("state")), str(incident.get("state", ""))),
        "started": moment(opened),
        "time": moment(now),
        "acknowledged": moment(incident.get("acknowledged_at")),
        "resolved": moment(resolved),
        "duration": length((now if resolved is None else float(resolved)) - opened),
        "next_update": moment(incident.get("next_update_at")),
        "responding": incident.get("assignee") or roles.get("commander") or "",
        "channel": incident.get("channel", ""),
        "alerts": int(incident.get("count") or 0),
        "entries": int(head.get("number") or 0),
        # The head, signed: only the one who sends has the key.
        "proof": "",
        **dict.fromkeys(
            (
                "impact",
                "issue",
                "need",
                "needs",
                "summary",
                "resolution",
                "review",
                "conditions",
                "actions",
                "updates_every",
            ),
            "",
        ),
        "symptoms": [],
        "tried": [],
        **more,
    }


_STATUS = {
    "triggered": "Investigating", "acknowledged": "Investigating", "mitigated": "Monitoring", "resolved": "Resolved", "closed": "Resolved",
    "merged": "Merged", "cancelled": "No incident",
}  # fmt: skip

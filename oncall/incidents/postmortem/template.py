# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which headings a post-mortem has, in which order: data of a system's inventory, ``incident_review``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# What can stand below a heading, and its heading where the system has none of its own for it.
SHOWN = {
    "summary": "Summary",
    "severity": "Severity",
    "times": "Times",
    "people": "People",
    "impact": "Impact",
    "findings": "Findings",
    "actions": "What was done",
    "tried": "What was tried",
    "factors": "Contributing factors",
    "whys": "Five whys",
    "went_well": "What went well",
    "could_be_better": "What could be better",
    "lessons": "Lessons",
    "action_items": "Action items",
    "links": "Linked incidents",
    "timeline": "Timeline",
}
WITHIN_HOURS = 48.0
_KEYS = {"within_hours", "contents", "share"}


@dataclass(frozen=True)
class Heading:
    """A heading, what is shown below it, and the questions that are asked there."""

    title: str
    shows: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """A system's headings, and within how many hours after the resolution its post-mortem is due."""

    headings: tuple[Heading, ...] = ()
    within_hours: float = WITHIN_HOURS
    share: str = ""

    @classmethod
    def of(cls, review: Mapping[str, Any] | None) -> Template:
        """What ``incident_review`` says; ValueError where it says what cannot be meant."""
        review = _mapping(review or {}, "incident_review", _KEYS)
        hours = review.get("within_hours", WITHIN_HOURS)
        if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours < 10_000:
            raise ValueError(f"incident_review: within_hours is no number of hours above 0: {hours!r}")
        headings = tuple(map(_heading, _list(review.get("contents") or (), "incident_review: contents")))
        _once([key for heading in headings for key in heading.shows], "incident_review: contents show")
        return cls(headings, float(hours), str(review.get("share") or ""))

    def parts(self) -> tuple[Heading, ...]:
        """All headings: the system's own first, and ours for what these do not show. Nothing of the record is left out."""
        shown = {key for heading in self.headings for key in heading.shows}
        return (*self.headings, *(Heading(title, (key,)) for key, title in SHOWN.items() if key not in shown))


def _heading(told: Any) -> Heading:
    if isinstance(told, str):
        told = {"title": told}
    told = _mapping(told, "incident_review: contents", {"title", "shows", "asks"})
    title = told.get("title")
    if not isinstance(title, str) or not title.strip():
        raise ValueError("incident_review: contents: a heading without a title")
    shows = tuple(_list(told.get("shows") or (), f"incident_review: {title}: shows"))
    for key in shows:
        if key not in SHOWN:
            raise ValueError(f"incident_review: {title}: shows has no {key!r}; there are {', '.join(SHOWN)}")
    asks = tuple(map(str, _list(told.get("asks") or (), f"incident_review: {title}: asks")))
    return Heading(title.strip(), shows, asks)


def _mapping(told: Any, where: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(told, Mapping):
        raise ValueError(f"{where} is no mapping")
    if unknown := sorted(map(str, set(told) - keys)):
        raise ValueError(f"{where}: no {unknown[0]!r}; there are {', '.join(sorted(keys))}")
    return told


def _list(told: Any, where: str) -> list[Any]:
    if isinstance(told, str) or not isinstance(told, Iterable):
        raise ValueError(f"{where} is no list")
    return list(told)


def _once(keys: list[str], where: str) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"{where} {twice[0]!r} twice")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem as typed data.

Everything that the record says carries the numbers of the entries that say it, in ``entries``. What the record does not say
is None or "" and has a ``not_known`` that says why.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# Of the JSON document; raised when something in it changes its meaning or goes away.
SCHEMA = 1


@dataclass(frozen=True)
class Said:
    """A sentence as it stands in the record. ``corrected`` is what a later entry says instead."""

    words: str
    entries: tuple[int, ...]
    at: float
    who: str = ""
    corrected: str = ""


@dataclass(frozen=True)
class Subject:
    """The incident that it is about."""

    id: str
    name: str
    system: str
    title: str
    state: str
    count: int | None
    runbooks: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """The last entry that was read, and its hash: what comes later in the timeline is not in here."""

    number: int
    hash: str


@dataclass(frozen=True)
class Review:
    """How far the post-mortem is: ``due``, ``draft``, ``review`` or ``done``; "" where none was asked for yet."""

    state: str
    owner: str
    due_at: float | None
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class SeverityChange:
    """How severe it was from a time on. ``proposed`` tells that the matrix said so and no person."""

    at: float
    was: str
    now: str
    why: str
    who: str
    proposed: bool
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Severity:
    """What the matrix proposed and why, what was set, and each change."""

    scheme: str
    proposed: str
    reasons: tuple[str, ...]
    chosen: str
    changes: tuple[SeverityChange, ...]
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class Moment:
    """A time of the incident: ``began``, ``detected``, ``acknowledged``, ``mitigated``, ``resolved``, ``closed``.

    Attributes:
        after_seconds: since it was detected.
        step_seconds: since the moment before it that is known.
        entry: the number of the entry that says so; the others are those that the seconds are counted from.
    """

    name: str
    at: float | None
    entry: int | None
    after_seconds: float | None
    step_seconds: float | None
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class Duration:
    """From detection to resolution."""

    seconds: float | None
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class Person:
    """Who took part, with the roles they had."""

    name: str
    roles: tuple[str, ...]
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """An entry of the timeline. ``late_seconds`` is how long after it happened it was written; ``text`` is a note in full, or the diff of a plan."""

    number: int
    at: float
    late_seconds: float
    kind: str
    who: str
    words: str
    text: str
    corrected: str
    pinned: bool
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """What a runbook found, with its evidence."""

    at: float
    runbook: str
    cause: str
    status: str
    summary: str
    evidence: Any
    figures: Any
    entries: tuple[int, ...]
    corrected: str = ""


@dataclass(frozen=True)
class Action:
    """What was done, and whether it helped: None where nobody looked afterwards."""

    at: float
    who: str
    runbook: str
    remedy: str
    target: Any
    risk: str
    why: str
    before: Any
    after: Any
    changed: bool | None
    helped: bool | None
    figures: tuple[Any, ...]
    entries: tuple[int, ...]
    not_known: str = ""
    corrected: str = ""


@dataclass(frozen=True)
class Figure:
    """A point of a metric: its ``first``, ``lowest``, ``highest`` or ``last``."""

    name: str
    at: float
    value: float


@dataclass(frozen=True)
class Metric:
    """A metric over the incident.

    Attributes:
        count: how many points the record has in the window, those without a value among them.
        not_measured: of these, the points without a value.
        set_back: how often a point is older than the one before it.
        step_seconds: the usual time between two points.
        from_at: where the window begins.
        until_at: where it ends.
        points: enough of them for a picture, as they stand in the record; None is a point without a value.
    """

    name: str
    unit: str
    count: int
    not_measured: int
    set_back: int
    step_seconds: float | None
    from_at: float
    until_at: float
    figures: tuple[Figure, ...]
    points: tuple[tuple[float, float | None], ...]
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class Place:
    """A question that people answer. ``said`` has what they noted for it."""

    asks: str
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Item:
    """An action item. ``not_known`` names what it lacks."""

    item: str
    text: str
    owner: str
    due_at: float | None
    done: bool
    entries: tuple[int, ...]
    not_known: str = ""


@dataclass(frozen=True)
class Part:
    """A heading of the document, what stands below it, and what is asked there."""

    title: str
    shows: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class PostMortem:
    """The post-mortem of an incident.

    Attributes:
        parts: its headings in order; the system's own, and then ours for what these leave out.
        share: where the system's document asks to share it.
    """

    incident: Subject
    source: Source
    review: Review
    summary: tuple[Said, ...]
    severity: Severity
    moments: tuple[Moment, ...]
    duration: Duration
    people: tuple[Person, ...]
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]
    tried: tuple[Said, ...]
    metrics: tuple[Metric, ...]
    impact: tuple[Said, ...]
    factors: tuple[Said, ...]
    whys: tuple[Place, ...]
    went_well: tuple[Said, ...]
    could_be_better: tuple[Said, ...]
    lessons: tuple[Said, ...]
    action_items: tuple[Item, ...]
    links: tuple[Said, ...]
    timeline: tuple[Line, ...]
    parts: tuple[Part, ...]
    share: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, as ``postmortem.schema.json`` beside this file describes it."""
        return {"schema": SCHEMA, **asdict(self)}

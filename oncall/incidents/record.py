# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An incident, as its timeline makes it. Pure: the same entries give the same incident, on every node and at any time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from .entries import Entry, Head

# Of the document; raised when something in it changes its meaning or goes away.
SCHEMA_VERSION = 1
TRIGGERED, ACKNOWLEDGED, MITIGATED, RESOLVED = "triggered", "acknowledged", "mitigated", "resolved"
CLOSED, MERGED, CANCELLED = "closed", "merged", "cancelled"
STATES = (TRIGGERED, ACKNOWLEDGED, MITIGATED, RESOLVED, CLOSED, MERGED, CANCELLED)
# Somebody has to do something.
OPEN = (TRIGGERED, ACKNOWLEDGED, MITIGATED)
# Nothing changes any more.
OVER = (CLOSED, MERGED, CANCELLED)
ROLES = ("commander", "scribe", "liaison", "responder")
# Each comes not before those that stand before it.
TIMES = ("opened_at", "acknowledged_at", "mitigated_at", "resolved_at", "closed_at")
# What a chat takes for the name of a channel.
CHANNEL_LENGTH = 80
_WHOLE = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True)
class PostMortem:
    """Where the review is: ``due``, ``draft``, ``review`` or ``done``; "" where none is asked for."""

    state: str = ""
    owner: str = ""
    due_at: float | None = None


@dataclass(frozen=True)
class ActionItem:
    """What is to be done so that it does not happen again."""

    item: str
    text: str
    owner: str = ""
    due_at: float | None = None
    done: bool = False


@dataclass(frozen=True)
class Step:
    """A step of a checklist that a person ticked, or unticked."""

    checklist: str
    step: str
    done: bool
    who: str
    at: float


@dataclass(frozen=True)
class Link:
    """Another incident that has to do with this one."""

    id: str
    why: str


@dataclass(frozen=True)
class Incident:
    """What is known of an incident.

    Attributes:
        id: a uuid in hex.
        number: the short name is ``INC-`` and this.
        channel: what its channel is called in a chat.
        severity, scheme: what it is now, and in which scheme.
        severity_proposed: what the matrix said last, also where a person has said otherwise.
        severity_by: the person who said otherwise; "" for none.
        acknowledged_by: who acknowledged it since it was opened or came again.
        first_acknowledged_at: also where it came again since; the others are of the last time that it was open.
        opens_again: the closed one that this is a repeat of.
        took_in: the incidents that were merged into this one.
        hosts: on which its alerts and runs are.
        policy: of escalation, whole, as it was when it began.
        timers: those that are armed, by name.
        pins: numbers of entries.
        count: of alerts.
        outcomes: how many runs ended how.
        helped, not_helped: how many verifications said so.
        woken: to whom it was escalated, and how often.
        head: of its timeline.
    """

    id: str
    number: int = 0
    system: str = ""
    title: str = ""
    channel: str = ""
    state: str = TRIGGERED
    source: str = ""
    severity: str = ""
    scheme: str = ""
    severity_proposed: str = ""
    severity_by: str = ""
    opened_at: float = 0.0
    acknowledged_at: float | None = None
    mitigated_at: float | None = None
    resolved_at: float | None = None
    closed_at: float | None = None
    first_acknowledged_at: float | None = None
    acknowledged_by: str = ""
    reopenings: int = 0
    merged_into: str = ""
    took_in: tuple[str, ...] = ()
    opens_again: str = ""
    links: tuple[Link, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    assignee: str = ""
    hosts: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    next_update_at: float | None = None
    snoozed_until: float | None = None
    policy: Any = None
    postmortem: PostMortem = PostMortem()
    action_items: tuple[ActionItem, ...] = ()
    steps: tuple[Step, ...] = ()
    pins: tuple[int, ...] = ()
    timers: dict[str, float] = field(default_factory=dict)
    count: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    helped: int = 0
    not_helped: int = 0
    woken: dict[str, int] = field(default_factory=dict)
    head: Head = field(default_factory=Head)

    @property
    def name(self) -> str:
        return f"INC-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**_told(self), "name": self.name}


def _told(value: Any) -> Any:
    if type(value) in _WHOLE:
        return value
    if isinstance(value, (list, tuple)):
        return [_told(one) for one in value]
    # A mapping, or one of the classes above.
    parts = value if isinstance(value, dict) else vars(value)
    return {name: _told(one) for name, one in parts.items()}


def of_dict(told: Mapping[str, Any]) -> Incident:
    """What `Incident.to_dict` wrote; ValueError where it is something else."""
    # Not above: this module is used where only Ansible is.
    import msgspec

    incident: Incident = msgspec.convert(told, Incident)
    return incident


def document(incident: Incident, entries: Iterable[Entry]) -> dict[str, Any]:
    """What ``show --json``, ``export`` and the post-mortem take."""
    timeline = [one.to_dict() for one in entries]
    return {"schema_version": SCHEMA_VERSION, "incident": incident.to_dict(), "timeline": timeline}


def fold(incident: str, entries: Sequence[Entry]) -> Incident:
    """The incident of a timeline. ValueError where there is no entry."""
    if not entries:
        raise ValueError("an incident begins with an entry that opens it")
    known = Incident(incident)
    for entry in entries:
        known = advance(known, entry)
    return known


def advance(incident: Incident, entry: Entry) -> Incident:
    """What one more entry makes of it. One whose time is over takes no change, and an unknown kind changes nothing."""
    head = Head(entry.number, entry.hash, entry.written_at)
    change = _CHANGES.get(entry.kind)
    changes = change(incident, entry) if change and not incident.is_over else {}
    return replace(incident, head=head, **changes)


def channel_of(title: str, opened_at: float) -> str:
    """``incident-YYYY-MM-DD-title``, in what a chat takes."""
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-") or "untitled"
    try:
        day = datetime.fromtimestamp(opened_at, UTC).strftime("%Y-%m-%d")
    except (OverflowError, OSError, ValueError):
        day = "0000-00-00"
    return f"incident-{day}-{slug}"[:CHANNEL_LENGTH].rstrip("-")


# ---------------------------------------------------------------------- what each kind changes
def _text(entry: Entry, name: str) -> str:
    found = entry.data.get(name)
    return found if isinstance(found, str) else ""


def _texts(entry: Entry, name: str) -> list[str]:
    found = entry.data.get(name)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _time(entry: Entry, name: str) -> float | None:
    found = entry.data.get(name)
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _whole(entry: Entry, name: str) -> int:
    found = entry.data.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _with(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return (*known, *(one for one in dict.fromkeys(more) if one and one not in known))


def _not_before(incident: Incident, name: str, at: float) -> float:
    """When that was, but not before what it comes after: clocks may have been set back."""
    before = [getattr(incident, one) for one in TIMES[: TIMES.index(name)]]
    return max([at, *(one for one in before if one is not None)])


def _opened(incident: Incident, entry: Entry) -> dict[str, Any]:
    if incident.head.number:
        # It is opened once.
        return {}
    title, again, runbook = _text(entry, "title"), _text(entry, "opens_again"), _text(entry, "runbook")
    return {
        "number": _whole(entry, "number"),
        "system": _text(entry, "system"),
        "title": title,
        "channel": channel_of(title, entry.at),
        "source": _text(entry, "source"),
        "severity": _text(entry, "severity"),
        "scheme": _text(entry, "scheme"),
        "severity_proposed": _text(entry, "proposed"),
        "severity_by": entry.who if _text(entry, "severity") != _text(entry, "proposed") else "",
        "opened_at": entry.at,
        "policy": entry.data.get("policy"),
        "runbooks": _with((), runbook),
        "opens_again": again,
        "links": (Link(again, "a repeat of it"),) if again else (),
    }


def _alert(incident: Incident, entry: Entry) -> dict[str, Any]:
    return {
        "count": incident.count + max(1, _whole(entry, "count")),
        "hosts": _with(incident.hosts, _text(entry, "host"), *_texts(entry, "hosts")),
        "runbooks": _with(incident.runbooks, _text(entry, "runbook")),
    }


def _of_a_runbook(incident: Incident, entry: Entry) -> dict[str, Any]:
    return {
        "runbooks": _with(incident.runbooks, _text(entry, "runbook")),
        "runs": _with(incident.runs, entry.run),
        "hosts": _with(incident.hosts, _text(entry, "host")),
    }


def _run(incident: Incident, entry: Entry) -> dict[str, Any]:
    outcomes = _counted(incident.outcomes, [_text(entry, "outcome")])
    return {**_of_a_runbook(incident, entry), "outcomes": outcomes}


def _verification(incident: Incident, entry: Entry) -> dict[str, Any]:
    helped = entry.data.get("helped") is True
    return {
        **_of_a_runbook(incident, entry),
        "helped": incident.helped + helped,
        "not_helped": incident.not_helped + (not helped),
    }


def _escalated(incident: Incident, entry: Entry) -> dict[str, Any]:
    return {"woken": _counted(incident.woken, _texts(entry, "targets"))}


def _counted(known: Mapping[str, int], more: Iterable[str]) -> dict[str, int]:
    counts = dict(known)
    for one in more:
        if one:
            counts[one] = counts.get(one, 0) + 1
    return counts


def _acknowledged(incident: Incident, entry: Entry) -> dict[str, Any]:
    if incident.state == MITIGATED and not incident.acknowledged_by:
        # A runbook was quicker than any person: there was no acknowledgement before that.
        return {"acknowledged_by": entry.who, "assignee": incident.assignee or entry.who}
    if incident.state != TRIGGERED:
        # Again, after a snooze, a raise or an acknowledgement that was forgotten: the first time stays.
        is_again = incident.state in (ACKNOWLEDGED, MITIGATED)
        return {"acknowledged_by": entry.who, "snoozed_until": None} if is_again else {}
    at = _not_before(incident, "acknowledged_at", entry.at)
    first = incident.first_acknowledged_at
    return {
        "state": ACKNOWLEDGED,
        "acknowledged_at": at,
        "acknowledged_by": entry.who,
        "first_acknowledged_at": at if first is None else first,
        "assignee": incident.assignee or entry.who,
        "snoozed_until": None,
    }


def _severity(incident: Incident, entry: Entry) -> dict[str, Any]:
    level, scheme = _text(entry, "to"), _text(entry, "scheme") or incident.scheme
    if entry.data.get("proposed"):
        # What a person said stays.
        kept = {} if incident.severity_by else {"severity": level, "scheme": scheme}
        return {"severity_proposed": level, **kept}
    return {"severity": level, "scheme": scheme, "severity_by": entry.who}


def _mitigated(incident: Incident, entry: Entry) -> dict[str, Any]:
    if incident.state not in (TRIGGERED, ACKNOWLEDGED):
        return {}
    return {"state": MITIGATED, "mitigated_at": _not_before(incident, "mitigated_at", entry.at)}


def _resolved(incident: Incident, entry: Entry) -> dict[str, Any]:
    if incident.state not in OPEN:
        return {}
    at = _not_before(incident, "resolved_at", entry.at)
    return {"state": RESOLVED, "resolved_at": at, "next_update_at": None, "snoozed_until": None}


def _reopened(incident: Incident, _entry: Entry) -> dict[str, Any]:
    if incident.state not in (MITIGATED, RESOLVED):
        return {}
    nothing = dict.fromkeys(("acknowledged_at", "mitigated_at", "resolved_at", "snoozed_until"))
    return {"state": TRIGGERED, "acknowledged_by": "", "reopenings": incident.reopenings + 1, **nothing}


def _closed(incident: Incident, entry: Entry) -> dict[str, Any]:
    if incident.state != RESOLVED:
        return {}
    return {"state": CLOSED, "closed_at": _not_before(incident, "closed_at", entry.at), **_AT_THE_END}


def _cancelled(incident: Incident, entry: Entry) -> dict[str, Any]:
    return {"state": CANCELLED, "closed_at": _not_before(incident, "closed_at", entry.at), **_AT_THE_END}


def _merged(incident: Incident, entry: Entry) -> dict[str, Any]:
    at = _not_before(incident, "closed_at", entry.at)
    return {"state": MERGED, "closed_at": at, "merged_into": _text(entry, "into"), **_AT_THE_END}


def _linked(incident: Incident, entry: Entry) -> dict[str, Any]:
    link = Link(_text(entry, "id"), _text(entry, "why"))
    return {"links": (*(one for one in incident.links if one.id != link.id), link)}


def _role(incident: Incident, entry: Entry) -> dict[str, Any]:
    roles = {**incident.roles, _text(entry, "role"): _text(entry, "to")}
    return {"roles": {name: who for name, who in roles.items() if name and who}}


def _step(incident: Incident, entry: Entry) -> dict[str, Any]:
    step = Step(_text(entry, "checklist"), _text(entry, "step"), entry.data.get("done") is True, entry.who, entry.at)
    others = (one for one in incident.steps if (one.checklist, one.step) != (step.checklist, step.step))
    return {"steps": (*others, step)}


def _timer(incident: Incident, entry: Entry) -> dict[str, Any]:
    name, due_at = _text(entry, "timer"), _time(entry, "due_at")
    others = {one: at for one, at in incident.timers.items() if one != name}
    is_armed = entry.data.get("state") == "armed" or entry.data.get("armed") is True
    return {"timers": {**others, name: due_at} if is_armed and due_at is not None else others}


def _postmortem(incident: Incident, entry: Entry) -> dict[str, Any]:
    known, due_at = incident.postmortem, _time(entry, "due_at")
    return {
        "postmortem": PostMortem(
            _text(entry, "state") or known.state,
            _text(entry, "owner") or known.owner,
            known.due_at if due_at is None else due_at,
        )
    }


def _action_item(incident: Incident, entry: Entry) -> dict[str, Any]:
    item = ActionItem(
        _text(entry, "item"),
        _text(entry, "text"),
        _text(entry, "owner"),
        _time(entry, "due_at"),
        entry.data.get("done") is True,
    )
    if not any(one.item == item.item for one in incident.action_items):
        return {"action_items": (*incident.action_items, item)}
    return {"action_items": tuple(item if one.item == item.item else one for one in incident.action_items)}


_AT_THE_END: dict[str, Any] = {"next_update_at": None, "snoozed_until": None, "timers": {}}
_CHANGES: dict[str, Callable[[Incident, Entry], dict[str, Any]]] = {
    "opened": _opened,
    "alert": _alert,
    **dict.fromkeys(("finding", "plan", "action"), _of_a_runbook),
    "run": _run,
    "verification": _verification,
    "escalated": _escalated,
    "acknowledged": _acknowledged,
    "assigned": lambda _incident, entry: {"assignee": _text(entry, "to")},
    "role": _role,
    "severity": _severity,
    "mitigated": _mitigated,
    "resolved": _resolved,
    "reopened": _reopened,
    "closed": _closed,
    "cancelled": _cancelled,
    "merged": _merged,
    "took_in": lambda incident, entry: {"took_in": _with(incident.took_in, _text(entry, "id"))},
    "linked": _linked,
    "step": _step,
    "update": lambda _incident, entry: {"next_update_at": _time(entry, "next_update_at")},
    "snoozed": lambda _incident, entry: {"snoozed_until": _time(entry, "until")},
    "timer": _timer,
    "pinned": lambda incident, entry: {"pins": tuple(sorted({*incident.pins, _whole(entry, "number")}))},
    "unpinned": lambda incident, entry: {"pins": tuple(one for one in incident.pins if one != _whole(entry, "number"))},
    "postmortem": _postmortem,
    "action_item": _action_item,
}

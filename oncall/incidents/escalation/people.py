# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a role is just now: contacts, people, rotations, shifts and overrides of an inventory. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from zoneinfo import ZoneInfo

from .policy import Line, PolicyError, Strict, Word, read

CONTACTS = "incident_contacts"
PEOPLE = "incident_people"
ON_CALL = "incident_on_call"
Reach = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class Person(Strict, frozen=True):
    """Somebody.

    Attributes:
        reach: the channels by which this person is told, or addresses as apprise takes them.
        calls: other names by which a calendar has this person, such as the mail address.
    """

    title: Line = ""
    reach: tuple[Reach, ...] = ()
    calls: tuple[Word, ...] = ()


class Contact(Strict, frozen=True, rename={"purpose": "for"}):
    """A role.

    Attributes:
        people: who has it; all of them are told.
        on_call: the schedule that says who has it just now.
        reach: how the role itself is told, where neither is given.
    """

    title: Line = ""
    purpose: Line = ""
    reach: Reach = ""
    people: tuple[Word, ...] = ()
    on_call: Line = ""


class Shift(Strict, frozen=True):
    """One person for one time."""

    who: Word
    begins_at: datetime
    ends_at: datetime


class Rotation(Strict, frozen=True):
    """People who take turns.

    Attributes:
        begins: on the clock of the zone, such as 2026-01-05T09:00: the first one's turn.
        every_days: how long a turn is; turns change at the same hour, whatever the clock does in between.
    """

    people: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1)]
    begins: datetime
    zone: Word
    every_days: Annotated[float, msgspec.Meta(gt=0, le=365)] = 7


class Schedule(Strict, frozen=True):
    """Who is on call.

    Attributes:
        rotation: people who take turns.
        shifts: single ones.
        ical, json: where a feed of shifts is: a path or an address.
        zone: of times in a feed that have none.
        overrides: who takes over, and when; they come before all else.
        otherwise: who is on call where nobody else is.
        stale_after_hours: for so long the last good feed is used where a new one is none.
    """

    rotation: Rotation | None = None
    shifts: tuple[Shift, ...] = ()
    ical: Reach = ""
    json: Reach = ""
    zone: Line = ""
    overrides: tuple[Shift, ...] = ()
    otherwise: tuple[Word, ...] = ()
    stale_after_hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 60)] = 24 * 7


@dataclass(frozen=True)
class Turn:
    """When somebody is on call."""

    who: str
    begins_at: float
    ends_at: float

    def has(self, at: float) -> bool:
        """The end is no more of it, so that of two turns in a row one has each time."""
        return self.begins_at <= at < self.ends_at


@dataclass(frozen=True)
class Target:
    """One who is told.

    Attributes:
        person: the name; that of the role where nobody is named for it.
        roles: by which.
        reach: channels or addresses.
        why: how it came to be this person.
    """

    person: str
    roles: tuple[str, ...]
    reach: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Directory:
    """Contacts, people and schedules of one system, and the turns that feeds told of.

    Attributes:
        contacts: role -> contact.
        people: name -> person.
        schedules: name -> schedule.
        fed: schedule -> turns of its feed; a schedule without one is not here.
    """

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    fed: Mapping[str, Sequence[Turn]] = field(default_factory=dict)

    def name_of(self, called: str) -> str:
        """The name of whom a feed calls so; "" where that is nobody."""
        wanted = called.strip().casefold().removeprefix("mailto:")
        for name, person in self.people.items():
            if wanted in (name.casefold(), *(one.casefold() for one in person.calls)):
                return name
        return ""

    def on_call(self, schedule: str, at: float) -> tuple[tuple[str, ...], str]:
        """Who has a schedule, and why; nobody where no turn has this time."""
        one = self.schedules.get(schedule)
        if one is None:
            return (), f"there is no schedule {schedule!r}"
        if over := _having(map(_turn, one.overrides), at):
            return over, f"override of {schedule}"
        turns = [*map(_turn, one.shifts), *self.fed.get(schedule, ())]
        if having := _having(turns, at):
            return having, f"on call by {schedule}"
        if one.rotation:
            return (_in_rotation(one.rotation, at),), f"on call by {schedule}"
        if one.otherwise:
            return one.otherwise, f"nobody has {schedule} now"
        return (), f"nobody has {schedule} now"

    def targets(self, roles: Iterable[str], at: float) -> tuple[list[Target], list[str]]:
        """Who is told, each person once, and which roles nobody has: each is a line."""
        found: dict[str, Target] = {}
        gaps: list[str] = []
        for role in roles:
            contact = self.contacts.get(role)
            if contact is None:
                gaps.append(f"{role}: there is no such contact")
                continue
            people, why = (self.on_call(contact.on_call, at)) if contact.on_call else (contact.people, f"is {role}")
            if not people and contact.reach:
                why = f"{why}; told by the address of {role}" if contact.on_call else f"by the address of {role}"
                _add(found, Target(role, (role,), (contact.reach,), why))
                continue
            if not people:
                gaps.append(f"{role}: {why if contact.on_call else 'nobody has it'}")
            for name in people:
                person = self.people.get(name)
                if person is None or not person.reach:
                    gaps.append(
                        f"{role}: {name} is nobody here" if person is None else f"{role}: {name} cannot be reached"
                    )
                    continue
                _add(found, Target(name, (role,), person.reach, why))
        return list(found.values()), gaps


def _add(found: dict[str, Target], target: Target) -> None:
    before = found.get(target.person)
    found[target.person] = (
        Target(target.person, before.roles + target.roles, before.reach, before.why) if before else target
    )


def directory(variables: Mapping[str, Any]) -> Directory:
    """What the variables of an inventory say of people.

    Raises:
        PolicyError: what is wrong, in one line.
    """
    contacts = read(variables.get(CONTACTS) or {}, dict[Word, Contact], CONTACTS)
    people = read(variables.get(PEOPLE) or {}, dict[Word, Person], PEOPLE)
    schedules = read(variables.get(ON_CALL) or {}, dict[Word, Schedule], ON_CALL)
    for name, schedule in schedules.items():
        where = f"{ON_CALL}.{name}"
        if schedule.rotation:
            if schedule.rotation.begins.tzinfo:
                raise PolicyError(f"{where}.rotation.begins: a time on the clock of zone, without an offset")
            _zone(schedule.rotation.zone, f"{where}.rotation.zone")
        if schedule.zone:
            _zone(schedule.zone, f"{where}.zone")
        if schedule.ical and schedule.json:
            raise PolicyError(f"{where}: it has both ical and json; one feed is enough")
        feed = schedule.ical or schedule.json
        # From another folder it would be another file, and perhaps none.
        if feed and "://" not in feed and not Path(feed).is_absolute():
            raise PolicyError(
                f"{where}: the feed {feed[:80]!r} is neither an address nor a whole path; begin it with / or https://"
            )
        for key in ("shifts", "overrides"):
            for number, shift in enumerate(getattr(schedule, key)):
                _sound(shift, f"{where}.{key}[{number}]")
    return Directory(contacts, people, schedules)


def _sound(shift: Shift, where: str) -> None:
    if not shift.begins_at.tzinfo or not shift.ends_at.tzinfo:
        raise PolicyError(f"{where}: its times need an offset, such as 2026-01-05T09:00:00+01:00")
    if shift.ends_at <= shift.begins_at:
        raise PolicyError(f"{where}: it ends before it begins")


def _zone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise PolicyError(f"{where}: there is no time zone {name!r}") from None


def _turn(shift: Shift) -> Turn:
    return Turn(shift.who, shift.begins_at.timestamp(), shift.ends_at.timestamp())


def _having(turns: Iterable[Turn], at: float) -> tuple[str, ...]:
    return tuple(dict.fromkeys(turn.who for turn in turns if turn.has(at)))


def _in_rotation(rotation: Rotation, at: float) -> str:
    # On the clock of the wall, so that a turn changes at 9 in summer and in winter.
    clock = datetime.fromtimestamp(at, ZoneInfo(rotation.zone)).replace(tzinfo=None)
    turns = math.floor((clock - rotation.begins).total_seconds() / (rotation.every_days * 86400))
    return rotation.people[turns % len(rotation.people)]


def gaps_of(schedule: Schedule, fed: Sequence[Turn], begin: float, end: float) -> Iterator[tuple[float, float]]:
    """The times between ``begin`` and ``end`` in which nobody has a schedule."""
    if schedule.rotation or schedule.otherwise:
        return
    at = begin
    for turn in sorted(
        [*map(_turn, schedule.overrides), *map(_turn, schedule.shifts), *fed], key=lambda one: one.begins_at
    ):
        if turn.begins_at >= end:
            break
        if turn.begins_at > at:
            yield at, turn.begins_at
        at = max(at, turn.ends_at)
    if at < end:
        yield at, end


def overlaps(shifts: Sequence[Shift]) -> Iterator[tuple[Shift, Shift]]:
    """Pairs of which both want the same time for different people."""
    ordered = sorted(shifts, key=lambda one: one.begins_at)
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if other.begins_at >= one.ends_at:
                break
            if other.who != one.who:
                yield one, other

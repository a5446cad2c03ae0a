# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on call, out of a feed: iCal or JSON. What is none, is empty or cannot be told is said, and the last good one is used meanwhile. Pure.

The libraries that read iCal are imported where one is read: a service without a calendar needs none of their memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timezone
from typing import Any

import msgspec
from zoneinfo import ZoneInfo

from ...errors import OncallError
from ...shared import masked
from .people import Directory, Shift, Strict, Turn
from .policy import PolicyError, read

# A calendar of a team has some hundred entries.
MOST_BYTES = 2 * 1024 * 1024
MOST_EVENTS = 5000
MOST_TURNS = 10_000
# Of a feed, what is over for so long is not asked for; and what is later than any feed holds is not kept.
BEHIND_SECONDS = 86400.0
SHELF_SECONDS = 61 * 86400.0
_ZONE = re.compile(r"^[A-Z-]+(?:;[^:\r\n]*?)?;TZID=(?:\"([^\"\r\n]*)\"|([^;:\r\n]*))", re.M | re.I)
_NOT_A_SHIFT = ("SECONDLY", "MINUTELY", "HOURLY")


class FeedError(OncallError):
    """It is no feed of shifts; the message is one line."""


class _Json(Strict, frozen=True):
    shifts: tuple[Shift, ...]


class _Kept(msgspec.Struct, frozen=True):
    of: str
    turns: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Feed:
    """What a feed told.

    Attributes:
        turns: who, and when, of people that are known.
        notes: what somebody should look at, a line each.
        read_at: when it was read.
    """

    turns: tuple[Turn, ...]
    notes: tuple[str, ...] = ()
    read_at: float = 0.0


def from_json(text: bytes, people: Directory, now: float) -> Feed:
    """The turns of ``{"shifts": [{"who": ..., "begins_at": ..., "ends_at": ...}]}``, times with an offset.

    Raises:
        FeedError: it is none.
    """
    _bounded(text)
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FeedError(f"the feed is no JSON: it begins with {masked(_begin(text), 60)!r}") from None
    try:
        shifts = read({"shifts": said} if isinstance(said, list) else said, _Json, "feed").shifts
    except PolicyError as error:
        raise FeedError(masked(error)) from None
    for number, shift in enumerate(shifts):
        if not shift.begins_at.tzinfo or not shift.ends_at.tzinfo:
            raise FeedError(f"feed.shifts[{number}]: its times need an offset, such as 2026-01-05T09:00:00+01:00")
        if shift.ends_at <= shift.begins_at:
            raise FeedError(f"feed.shifts[{number}]: it ends before it begins")
    turns = (Turn(one.who, one.begins_at.timestamp(), one.ends_at.timestamp()) for one in shifts[:MOST_TURNS])
    return _feed(list(turns), [], people, now)


def from_ical(
    text: bytes,
    people: Directory,
    zone: str,
    begin: float,
    end: float,
    now: float,
    shifts: Callable[[bytes, str, float, float], tuple[list[Turn], list[str]]] | None = None,
) -> Feed:
    """The turns of a calendar that touch the time from ``begin`` to ``end``. Who it is stands in the summary of an entry.

    Args:
        text: the feed.
        people: who can be called so.
        zone: of times that have none of their own; "" where they cannot be told.
        begin, end: in between is what is asked for.
        now: when it was read.
        shifts: works them out; `shifts_of`, or `apart.shifts_of`, which is bounded in time and memory.

    Raises:
        FeedError: it is no calendar, or its times cannot be told.
    """
    return _feed(*(shifts or shifts_of)(text, zone, begin, end), people, now)


def shifts_of(text: bytes, zone: str, begin: float, end: float) -> tuple[list[Turn], list[str]]:
    """The turns of a calendar, of whom it calls so, and what somebody should look at. A hostile one takes any time: see `apart`.

    Raises:
        FeedError: it is no calendar, or its times cannot be told.
    """
    _bounded(text)
    if not text.lstrip(b"\xef\xbb\xbf \r\n\t").upper().startswith(b"BEGIN:VCALENDAR"):
        raise FeedError(f"the feed is no iCal: it begins with {masked(_begin(text), 60)!r}")
    if text.upper().count(b"BEGIN:VEVENT") > MOST_EVENTS:
        raise FeedError(f"the feed has more than {MOST_EVENTS} entries")
    try:
        return _shifts(text, zone, begin, end)
    except FeedError:
        raise
    # What the libraries raise for a rule or a date that cannot be read is not written down anywhere.
    except Exception as error:
        raise FeedError(f"the feed has an entry that cannot be read: {masked(error, 160)}") from None


def _shifts(text: bytes, zone: str, begin: float, end: float) -> tuple[list[Turn], list[str]]:
    import recurring_ical_events

    calendar = _parsed(text)
    _zones_known(text, calendar)
    notes = _moved(calendar, zone)
    turns: list[Turn] = []
    empty: dict[str, None] = {}
    since, until = (datetime.fromtimestamp(at, timezone.utc) for at in (begin, end))
    for event in recurring_ical_events.of(calendar).between(since, until):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        turn = Turn(str(event.get("SUMMARY", "")).strip(), _at(event.start, zone), _at(event.end, zone))
        if turn.ends_at > turn.begins_at:
            turns.append(turn)
        else:
            empty[masked(turn.who, 60) or "(nobody)"] = None
        if len(turns) + len(empty) > MOST_TURNS:
            raise FeedError(f"the feed has more than {MOST_TURNS} shifts in the time that was asked for")
    if empty:
        notes.append(f"the feed has shifts of {', '.join(list(empty)[:5])} that end when they begin: give them an end")
    # The library turns such an entry round, in silence.
    for event in calendar.walk("VEVENT"):
        if "DTEND" in event and _at(event.get("DTEND").dt, zone or "UTC") < _at(event.get("DTSTART").dt, zone or "UTC"):
            raise FeedError(
                f"the feed has an entry of {masked(event.get('SUMMARY', ''), 60)!r} that ends before it begins"
            )
    return turns, notes


def _parsed(text: bytes) -> Any:
    import icalendar

    try:
        calendar = icalendar.Calendar.from_ical(text.decode("utf-8-sig", "strict"))
    except UnicodeDecodeError:
        raise FeedError("the feed is no iCal: it is not written in UTF-8") from None
    # What it raises for a broken calendar is not written down anywhere.
    except Exception as error:
        raise FeedError(f"the feed is no iCal: {masked(str(error).partition(':')[0], 120)}") from None
    for event in calendar.walk("VEVENT"):
        # The library passes over it, and would call somebody in a shift that is none.
        if "EXRULE" in event:
            raise FeedError(
                "the feed has an entry with EXRULE, which iCalendar does not have any more: name the days in EXDATE"
            )
        rules = event.get("RRULE") or ()
        for rule in rules if isinstance(rules, list) else [rules]:
            for frequency in rule.get("FREQ", ()) if rule else ():
                if str(frequency).upper() in _NOT_A_SHIFT:
                    raise FeedError(f"the feed has an entry that repeats {str(frequency).lower()}, which is no shift")
    return calendar


def _zones_known(text: bytes, calendar: Any) -> None:
    """A time of a zone that nobody knows is read without any zone, in silence: shifts would be hours off."""
    from icalendar.timezone import tzp

    unfolded = re.sub(r"\r?\n[ \t]", "", text.decode("utf-8-sig", "replace"))
    own = {str(zone.get("TZID", "")) for zone in calendar.walk("VTIMEZONE")}
    for name in dict.fromkeys(one or other for one, other in _ZONE.findall(unfolded)):
        if name not in own and tzp.timezone(name) is None:
            raise FeedError(f"the feed has times of the time zone {masked(name, 60)!r}, which nobody knows")


def _moved(calendar: Any, zone: str) -> list[str]:
    said = str(calendar.get("X-WR-TIMEZONE", "")).strip()
    if said and zone and said != zone:
        return [
            f"the calendar's time zone is {masked(said, 60)}, the schedule says {zone}: its entries keep the times that they name"
        ]
    return []


def _at(value: date | datetime, zone: str) -> float:
    whole = value if isinstance(value, datetime) else datetime.combine(value, time())
    if whole.tzinfo is None:
        if not zone:
            raise FeedError("the feed has times without a time zone; give the schedule its zone")
        whole = whole.replace(tzinfo=ZoneInfo(zone))
    return whole.timestamp()


def _feed(turns: list[Turn], notes: list[str], people: Directory, now: float) -> Feed:
    known: list[Turn] = []
    strangers: dict[str, None] = {}
    for turn in turns:
        if name := people.name_of(turn.who):
            known.append(replace(turn, who=name))
        else:
            strangers[masked(turn.who, 60) or "(nobody)"] = None
    if strangers:
        notes = [*notes, f"the feed names {', '.join(list(strangers)[:5])}, who is nobody in incident_people"]
    if not turns:
        notes = [*notes, "the feed has no shift in this time"]
    return Feed(tuple(sorted(known, key=lambda one: (one.begins_at, one.who))), tuple(notes), now)


def _bounded(text: bytes) -> None:
    if len(text) > MOST_BYTES:
        raise FeedError(f"the feed is larger than {MOST_BYTES // 1024**2} MB")
    if not text.strip():
        raise FeedError("the feed is empty")


def _begin(text: bytes) -> str:
    return text[:60].decode("utf-8", "replace")


def on_shelf(where: str, feed: Feed) -> str:
    """A feed as it is kept: the names and times of it, and of which address it is, without that address, which may hold a secret."""
    since, until = feed.read_at - BEHIND_SECONDS, feed.read_at + SHELF_SECONDS
    turns = [
        [one.who, one.begins_at, one.ends_at] for one in feed.turns if one.ends_at >= since and one.begins_at <= until
    ]
    return msgspec.json.encode({"of": _digest(where), "turns": turns}).decode()


def of_shelf(where: str, text: str, read_at: float, people: Directory) -> Feed | None:
    """A feed that was kept; None where it is of another address, or of people who are nobody any more."""
    try:
        told = msgspec.json.decode(text, type=_Kept)
    except msgspec.DecodeError:
        return None
    turns = tuple(Turn(*one) for one in told.turns if one[0] in people.people)
    return Feed(turns, (), read_at) if turns and told.of == _digest(where) else None


def _digest(where: str) -> str:
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def kept(before: Feed | None, new: Feed | FeedError, now: float, stale_after_seconds: float) -> tuple[Feed | None, str]:
    """The feed to go by, and what to say of it; "" where all is well.

    A feed that cannot be read, or names nobody any more, says nothing of who is on call: the last good one is used, until it is too old.
    """
    if isinstance(new, Feed) and new.turns:
        return new, "; ".join(new.notes)
    why = "; ".join(new.notes) if isinstance(new, Feed) else str(new)
    if before and before.turns and now - before.read_at <= stale_after_seconds:
        return before, f"{why}; who is on call is known from {(now - before.read_at) / 3600:.0f} h ago"
    return (new if isinstance(new, Feed) else None), why

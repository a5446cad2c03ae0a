# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what is due, in threads of its own: no fix waits for a message.

What is to be done is decided by `plan` on a timeline, and written with the head of that timeline checked: of two nodes that decide the
same, one writes. A message leaves after it was marked in the database as being sent. Who finds that mark after a crash does not know whether
it arrived, says so, and sends it again only where the other side takes both as one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ...errors import OncallError, first_line
from ...results import Outcome
from .. import commands as do
from ..books import Incidents, NotDone
from ..commands import PROGRAM, Command
from ..entries import Entry
from ..messages import channels, outbox
from ..messages.answers import Answer
from ..messages.channels import (
    Call,
    Channel,
    ChannelError,
    Event,
    Notify,
    Opsgenie,
    PagerDuty,
    Statuspage,
    Webhook,
)
from ..messages.links import MOST_SECONDS, Key, Link, LinkError, signed
from ..messages.outbox import Message, Rules, message_id
from ..messages.sender import send
from ..messages.templates import KINDS, render
from ..messages.words import incident_values, moment
from ..record import CANCELLED, MERGED, Incident
from ..store.outbox import Became, Letter, Superseded
from ..store.timeline import Filter, IncidentStore
from ..team import Team
from .plan import Way, plan, wanted
from .watch import next_look

LOG = logging.getLogger("oncall.incidents")
TURN_SECONDS = 1.0
# At the same time; the others wait in the database.
SENDERS = 6
# An incident that somebody else writes into all the time has its turn later.
MOST_AGAIN = 10
AGAIN_SECONDS = 30.0
LOOK_SECONDS = 2.0
# What ended before this program began is looked for so far back.
LOOK_BACK_SECONDS = 2 * 86400.0
MOST_LOOKED_BACK = 200
# What keeps an alert of its own.
STATEFUL = (PagerDuty, Opsgenie, Statuspage)
LINK_SECONDS = min(86400.0, MOST_SECONDS)
# How runs end whose plan a person may be asked about.
PLANNED = (Outcome.PLANNED, Outcome.BLOCKED)


class Steady:
    """The time, which within this process never goes back: a clock that is set back makes no timer late.

    A clock that is set forward is believed, as a machine that slept has to believe it.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._last, self._at = wall(), steady()

    def __call__(self) -> float:
        with self._lock:
            at = self._steady()
            self._last, self._at = max(self._wall(), self._last + at - self._at), at
            return self._last


@dataclass(frozen=True)
class Node:
    """What this one needs of its service.

    Attributes:
        name: of the node.
        check: raises where this node may do nothing now.
        team: system -> its team, or None.
        is_ready: whether it is known who is to be told.
        way: how this service is reached, now.
        runbooks: those that can look again at what was fixed.
        key: with which links are signed; None for none.
    """

    name: str
    check: Callable[[], None]
    team: Callable[[str], Team | None]
    is_ready: Callable[[], bool]
    way: Callable[[], Way]
    runbooks: Callable[[], Collection[str]] = field(default=tuple)
    key: Key | None = None


@dataclass
class _Seen:
    number: int
    next_at: float


@dataclass
class _Sent:
    """What an attempt made of a message, until it is written down."""

    letter: Letter
    after: Message
    answer: Answer
    node: str
    told: Mapping[str, Any] = field(default_factory=dict)


class Duty:
    """Does what is due.

    Args:
        incidents: the books.
        store: below them.
        node: this one.
        clock: says what time it is.
        rules: the bounds of messages.
        post: sends one.
    """

    def __init__(
        self,
        incidents: Incidents,
        store: IncidentStore,
        node: Node,
        clock: Callable[[], float] | None = None,
        rules: Rules | None = None,
        post: Callable[[Call | Notify], Answer] = send,
    ) -> None:
        self._incidents, self._store, self._node, self._post = incidents, store, node, post
        self._clock, self._rules = clock or Steady(), rules or Rules()
        self._seen: dict[str, _Seen] = {}
        self._wake, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        # Message -> its incident and channel.
        self._in_flight: dict[str, tuple[str, str]] = {}
        self._unwritten: list[_Sent] = []
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._thread = threading.Thread(target=self._loop, name="duty", daemon=True)
        self._failure = ""
        self._left_by: set[str] = {node.name}
        self._has_looked_back = False

    # ------------------------------------------------------------------ its life
    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def again(self) -> None:
        """Teams are others now: everything is decided anew."""
        self._seen = {}
        self._wake.set()

    def took_over(self, node: str) -> None:
        """Another node is gone, and what it was sending is nobody's."""
        with self._lock:
            self._left_by.add(node)
        self._wake.set()

    def stop(self, seconds: float = 40.0) -> None:
        """Begin nothing more, and let what leaves come to its end."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._senders.shutdown(wait=True, cancel_futures=True)
        try:
            self._write_down()
        except (OncallError, SQLAlchemyError) as error:
            LOG.error("what became of messages is not written down: %s", first_line(error))

    def _loop(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                if self._node.is_ready():
                    self.turn()
                self._failure = ""
            except Exception as error:
                what = str(error) if isinstance(error, OncallError) else f"{type(error).__name__}: {first_line(error)}"
                if what != self._failure:
                    LOG.error("what is due for incidents could not be done: %s", what)
                self._failure = what
            self._wake.wait(self._rest())

    def _rest(self) -> float:
        """Until the next timer, and no longer than a turn takes."""
        first = min((one.next_at for one in self._seen.values()), default=math.inf)
        return min(TURN_SECONDS, max(0.02, first - self._clock()))

    def turn(self) -> None:
        """Everything that is due, once."""
        self._node.check()
        self._write_down()
        self._recover()
        now, open_ones = self._clock(), self._store.heads()
        for incident, number, _state in open_ones:
            seen = self._seen.get(incident)
            if seen is None or seen.number != number or seen.next_at <= now:
                self._see_to(incident)
        gone = self._seen.keys() - {one for one, _number, _state in open_ones}
        for name in gone if self._has_looked_back else {*gone, *self._ended_before()}:
            self._end(name)
        self._has_looked_back = True
        self._seen = {one: seen for one, seen in self._seen.items() if one not in gone}
        self._send_some()

    # ------------------------------------------------------------------ timers, and what has to be told
    def _see_to(self, name: str) -> None:
        for _ in range(MOST_AGAIN):
            incident = self._store.incident(name)
            if incident is None:
                return
            now = self._clock()
            timeline = [one for one in self._store.timeline(name) if one.number <= incident.head.number]
            has_planned = any(one.kind == "run" and one.data.get("outcome") in PLANNED for one in timeline)
            waiting = self._store.plans_waiting(name) if has_planned else {}
            told = plan(incident, timeline, self._node.team(incident.system), now, self._node.way(), waiting)
            commands, next_at = [*told.commands], told.next_at
            try:
                if not commands:
                    looked, look_at = self._watch(incident, timeline, now)
                    commands, next_at = [*looked], min(next_at, look_at)
                if not commands:
                    self._seen[name] = _Seen(incident.head.number, next_at)
                    return
                self._incidents.advance(incident, commands, told.letters, now)
            except NotDone as error:
                LOG.error("%s: what is due is not done: %s", incident.name, error)
                break
        self._seen[name] = _Seen(0, self._clock() + AGAIN_SECONDS)

    # ------------------------------------------------------------------ what never was one, or is another
    def _ended_before(self) -> list[str]:
        """What was cancelled or merged lately, perhaps while no service ran."""
        wanted = Filter(states=(CANCELLED, MERGED), since=self._clock() - LOOK_BACK_SECONDS, most=MOST_LOOKED_BACK)
        return [one.id for one in self._store.listed(wanted)]

    def _end(self, name: str) -> None:
        """Where an alert was told, it ends with what was cancelled or merged: a pager would go on calling people for ever.

        Its timeline takes no entry any more. Each message has the same id on whatever node and however often, and leaves once.
        """
        incident = self._store.incident(name)
        team = self._node.team(incident.system) if incident else None
        if incident is None or team is None or incident.state not in (CANCELLED, MERGED):
            return
        now, (ended,) = self._clock(), self._store.of_kinds(name, (incident.state,), 1)
        values = incident_values(incident.to_dict(), now, resolution=ended.words, resolved=moment(incident.closed_at))
        letters: dict[tuple[str, str], Letter] = {}
        for one in self._store.letters(name):
            told, channel = one.content, str(one.content["reach"].get("channel") or "")
            kind = "customers" if one.message.kind == "customers" else "resolution"
            is_alert = told["event"]["action"] == "trigger" or (kind == "customers" and incident.state == CANCELLED)
            if not is_alert or channel not in team.tell.channels or kind not in team.tell.channels[channel].kinds:
                continue
            number = message_id(name, "ended", channel, channel, f"{kind}/resolve")
            event = {**told["event"], "action": "resolve", "state": incident.state, "who": ended.who}
            content = {**told, "values": {**told["values"], **values, "issue": told["values"].get("issue", "")}}
            letters[channel, kind] = Letter(
                Message(number, name, channel, channel, kind, now, next_at=now),
                {**content, "event": event, "person": False, "plan": ""},
            )
        self._store.post([*letters.values()])

    # ------------------------------------------------------------------ the watch before it is resolved
    def _watch(self, incident: Incident, timeline: Sequence[Entry], now: float) -> tuple[list[Command], float]:
        """The look that is done, if one is; and when the next is due. Runs of the service look, so that they go on after a restart."""
        team = self._node.team(incident.system)
        look = next_look(incident, timeline, team.watch if team else None)
        if look is None:
            return [], math.inf
        if look.due_at > now:
            return [], look.due_at
        runbooks = self._node.runbooks()
        pairs = [one for one in look.pairs if one[0] in runbooks]
        if not pairs:
            return [look.done(self._store.unsettled(incident.id) == 0, {}, now)], math.inf
        rows = [look.episode(runbook, host, now) for runbook, host in pairs]
        ends = self._store.looked(incident.id, rows)
        if ends is None or len(ends) < len(rows):
            # What is held for now, or waits for its turn, is looked for again soon.
            return [], now + LOOK_SECONDS
        told = {f"{row['runbook']} on {row['host']}": ends[row["id"]] for row in rows}
        return [look.done(all(end == "healthy" for end in told.values()), told, now)], math.inf

    # ------------------------------------------------------------------ messages
    def _send_some(self) -> None:
        letters = {one.message.id: one for one in self._store.waiting() if one.message.id not in self._in_flight}
        if not letters:
            return
        now = self._clock()
        people = {one.message.person for one in letters.values()}
        choice = outbox.choose(
            [one.message for one in letters.values()],
            self._store.begun_since(now - self._rules.per_seconds, people),
            self._wanted([one.message for one in letters.values()]),
            now,
            self._rules,
        )
        for number, why in choice.drop.items():
            self._drop(letters[number], why)
        held = {number: at for number, at in choice.hold.items() if letters[number].message.next_at != at}
        if held:
            self._store.hold_until(held)
        for letter in self._in_order(letters, choice.send):
            begun = outbox.begun(letter.message, now)
            if self._store.begin(begun, self._node.name):
                with self._lock:
                    self._in_flight[begun.id] = _line(begun)
                self._senders.submit(self._deliver, replace(letter, message=begun))

    def _in_order(self, waiting: Mapping[str, Letter], chosen: Sequence[str]) -> list[Letter]:
        """Those to be sent now: of one incident, each channel gets one message at a time, as it was written.

        A pager or a status page that heard of the end before the beginning would open it again. Such a one waits for what comes
        before it, also where that has to be tried again.
        """
        first: dict[tuple[str, str], Letter] = {}
        for one in sorted(waiting.values(), key=_written):
            first.setdefault(_line(one.message), one)
        busy, found = {*self._in_flight.values()}, []
        for letter in sorted((waiting[number] for number in chosen), key=_written):
            line = _line(letter.message)
            if line in busy or (letter is not first[line] and self._keeps_state(letter)):
                continue
            busy.add(line)
            found.append(letter)
        urgent = {number: place for place, number in enumerate(chosen)}
        found.sort(key=lambda one: urgent[one.message.id])
        return found[: max(0, SENDERS - len(self._in_flight))]

    def _keeps_state(self, letter: Letter) -> bool:
        incident = self._store.incident(letter.message.incident)
        team = self._node.team(incident.system) if incident else None
        try:
            return team is not None and isinstance(_channel(team, letter.content["reach"]), STATEFUL)
        except ChannelError:
            return False

    def _wanted(self, messages: list[Message]) -> set[str]:
        """The timers whose messages are still to be sent."""
        of: dict[str, set[str]] = {}
        for one in messages:
            if one.timer:
                of.setdefault(one.incident, set()).add(one.timer)
        found: set[str] = set()
        for name, timers in of.items():
            incident = self._store.incident(name)
            if incident is not None and not incident.is_over:
                found |= wanted(incident, self._store.timeline(name), timers, self._node.way().machines)
        return found

    def _drop(self, letter: Letter, why: str) -> None:
        one = letter.message
        became = Became(replace(one, state="dropped", why=why), "waiting")
        what = f"{one.kind} to {_whom(letter)}"
        data = {"what": what, "why": why, "message": one.id}
        write = do.Write(
            who=PROGRAM, at=self._clock(), kind="suppressed", words=f"not told: {what}, because {why}", data=data
        )
        self._written(one.incident, write, became)

    def _written(self, incident: str, write: do.Write, became: Became) -> None:
        """What became of a message, with its entry where the incident still takes one."""
        try:
            known = self._store.incident(incident)
            if known is None or known.is_over:
                self._store.become(became)
                return
            self._incidents.do(incident, lambda _now: write, became=[became])
        except Superseded:
            return
        except NotDone:
            # It has ended meanwhile.
            self._store.become(became)

    def _deliver(self, letter: Letter) -> None:
        """In a thread of its own: send one, and keep what came of it."""
        one = letter.message
        told: dict[str, Any] = {}
        try:
            answer = self._sent(letter, told)
        except Exception as error:
            # Nothing of it may have left; but nobody can say so.
            answer = Answer("unknown", f"a fault of this program: {type(error).__name__}: {first_line(error)}")
            LOG.exception("message %s", one.id)
        after = outbox.after(one, answer, self._clock(), self._rules)
        with self._lock:
            self._unwritten.append(_Sent(letter, after, answer, self._node.name, told))
        try:
            self._write_down()
        except (OncallError, SQLAlchemyError) as error:
            LOG.error("what became of message %s is written down later: %s", one.id, first_line(error))
        self._wake.set()

    def _sent(self, letter: Letter, told: dict[str, Any]) -> Answer:
        one, content = letter.message, letter.content
        incident = self._store.incident(one.incident)
        team = self._node.team(incident.system) if incident else None
        if incident is None or team is None:
            return Answer("failed", "nothing is known of the team any more")
        try:
            channel = _channel(team, content["reach"])
        except ChannelError as error:
            return Answer("refused", str(error))
        kind = one.kind if one.kind in KINDS else "update"
        # Signed, and whole: who has the message can prove by it that the timeline was not cut or written anew since.
        head = self._incidents.head(incident.id)
        values = {**content["values"], "entries": incident.head.number, "proof": ""}
        if head is not None:
            values |= {"entries": head.number, "proof": str(head)}
        page = content["event"]["page"]
        words = render(kind, values, team.templates.get(kind), {"page": page, **self._links(letter, page, team)})
        told["subject"] = words.subject
        event = Event(
            id=one.id, incident=one.incident, kind=kind, reference=self._store.reference(one.incident, one.channel),
            values=values, **content["event"],
        )  # fmt: skip
        try:
            call = channels.build(channel, event, words)
        except ChannelError as error:
            return Answer("refused", str(error))
        trouble = [words.trouble, call.trouble if isinstance(call, Call) else ""]
        if any(trouble):
            told["trouble"] = "; ".join(filter(None, trouble))
        return self._post(call)

    def _links(self, letter: Letter, page: str, team: Team) -> dict[str, str]:
        """The addresses behind which this person acknowledges, or decides on a plan, by a button: what it does -> address."""
        one, now, plan_hash = letter.message, self._clock(), letter.content.get("plan") or ""
        if self._node.key is None or not page or not letter.content.get("person"):
            return {}
        # Not where others read it too: it acts under the name of this person. What decides goes by no channel at all.
        reach, actions = letter.content["reach"], tuple[str, ...]()
        if plan_hash:
            actions = ("approve", "reject") if "person" in reach else ()
        elif letter.content["event"]["action"] == "trigger":
            actions = ("acknowledge",) if _is_of_one(team, reach) else ()
        found = {}
        for action in actions:
            try:
                link = Link(one.incident, action, one.person, one.id, now + LINK_SECONDS, plan_hash)
                found[action] = f"{self._node.way().page.rstrip('/')}/act/{signed(link, self._node.key, now)}"
            except LinkError as error:
                LOG.error("message %s has no link: %s", one.id, error)
        return found

    def _write_down(self) -> None:
        """What attempts made of messages: into the database and the timeline, together."""
        with self._lock:
            some, self._unwritten = self._unwritten, []
        while some:
            one = some[0]
            try:
                self._write_one(one)
            except BaseException:
                with self._lock:
                    self._unwritten = some + self._unwritten
                raise
            some = some[1:]
            with self._lock:
                self._in_flight.pop(one.after.id, None)

    def _write_one(self, one: _Sent) -> None:
        message = one.after
        data = {**outbox.delivery(message), **one.told}
        whom = _whom(one.letter)
        result = {"failed": "failed, and is tried again", "dead": "given up", "unknown": "perhaps sent"}.get(
            data["result"], data["result"]
        )
        words = f"{message.kind} to {whom}: {result}" + (f": {message.why}" if message.why else "")
        write = do.Write(who=PROGRAM, at=self._clock(), kind="delivery", words=words, data=data)
        self._written(message.incident, write, Became(message, "sending", one.node, one.answer.reference))

    # ------------------------------------------------------------------ after a crash
    def _recover(self) -> None:
        """What a program was sending when it ended: this one before its start, or that of a node that is gone."""
        with self._lock:
            nodes, mine = set(self._left_by), {*self._in_flight, *(one.after.id for one in self._unwritten)}
        for node in nodes:
            for letter in self._store.sending(node):
                if letter.message.id not in mine:
                    self._recovered(letter, node)
            with self._lock:
                self._left_by.discard(node)

    def _recovered(self, letter: Letter, node: str) -> None:
        incident = self._store.incident(letter.message.incident)
        team = self._node.team(incident.system) if incident else None
        try:
            is_repeatable = team is not None and _is_repeatable(_channel(team, letter.content["reach"]))
        except ChannelError:
            is_repeatable = False
        after = outbox.recovered(letter.message, is_repeatable, self._rules, self._clock())
        LOG.warning("message %s to %s: %s", after.id, after.person, after.why)
        self._write_one(_Sent(letter, after, Answer("unknown"), node))


def _line(message: Message) -> tuple[str, str]:
    return message.incident, message.channel


def _written(letter: Letter) -> tuple[float, str]:
    return letter.message.created_at, letter.message.id


def _whom(letter: Letter) -> str:
    one = letter.message
    return f"{one.person} by {one.channel}" if letter.content.get("person") else one.channel


def _channel(team: Team, reach: Mapping[str, Any]) -> Channel:
    """By which a message goes, as the team says now."""
    if name := reach.get("channel"):
        if name not in team.tell.channels:
            raise ChannelError(f"there is no channel {name!r} any more")
        return team.tell.channels[name]
    who, place = str(reach.get("person")), int(reach.get("place") or 0)
    person, contact = team.people.people.get(who), team.people.contacts.get(who)
    ways = person.reach if person else (contact.reach,) if contact and contact.reach else ()
    if place >= len(ways):
        raise ChannelError(f"{who} has no such address any more")
    return team.tell.channel(ways[place])


def _is_of_one(team: Team, reach: Mapping[str, Any]) -> bool:
    """Whether one person alone reads what goes there, as far as the inventory says."""
    name = reach.get("channel")
    if not name:
        return "person" in reach
    shared = any(name in names for names in team.tell.by_severity.values())
    people = sum(name in one.reach for one in team.people.people.values())
    return not shared and people + sum(one.reach == name for one in team.people.contacts.values()) == 1


def _is_repeatable(channel: Channel) -> bool:
    """Whether the other side takes the same message twice as one."""
    return isinstance(channel, (PagerDuty, Opsgenie)) or (isinstance(channel, Webhook) and channel.repeatable)

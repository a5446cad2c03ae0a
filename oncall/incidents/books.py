# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incidents, for a program: what the command line, the service and the HTTP API all do it with."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import OncallError
from . import commands as do
from . import postmortem
from .commands import Command, Refused, decide
from .entries import Entry, Head, Problem, SignedHead, Verdict, sign, verify
from .escalation.policy import from_record
from .escalation.timers import needs_acknowledgement, standing
from .messages.links import Key, Link, followed, read, use_of
from .postmortem.document import PostMortem
from .postmortem.review import Outstanding, OutstandingItem, outstanding, outstanding_items, why_not
from .record import MERGED, Incident, advance, document, fold
from .severity import NOT_TOLD
from .stats import Stats, row_of_incident, stats
from .store.heads import Heads
from .store.outbox import Became, Letter
from .store.timeline import MOST_LISTED, Change, Decides, Filter, IncidentStore, Part

# Of so many who write at once, one has to be the last.
MOST_TRIES = 200
# Of what belongs to an incident: links out of messages that have acted.
LINK = "link"
# From one that was merged to the one that goes on; a longer way was made by hand.
MOST_POINTERS = 50
# Of systems, in a message.
MOST_NAMED = 20
# What the service writes down of its own work: nobody decides otherwise because of it.
QUIET = ("timer", "message", "delivery", "suppressed", "metric")


class NotDone(OncallError):
    """The rules do not allow it; the message says why, and what to do instead."""


class NotNow(NotDone):
    """The rules do not allow it as the incident is now, or somebody has written meanwhile."""


@dataclass(frozen=True)
class Done:
    """What a command did.

    Attributes:
        incident: as it is now.
        entries: what was written; nothing, where it was so already.
        warning: what could not be checked; "" for nothing.
    """

    incident: Incident
    entries: tuple[Entry, ...]
    warning: str = ""

    def to_dict(self) -> dict[str, Any]:
        told = {"incident": self.incident.to_dict(), "entries": [one.to_dict() for one in self.entries]}
        return {**told, "warning": self.warning} if self.warning else told


@dataclass(frozen=True)
class Followed:
    """What following a link did.

    Attributes:
        what: ``look``: nothing yet; ``act``: what it allows was done, or, of a plan, may be done now; ``used``: it has acted before.
    """

    what: str
    link: Link
    incident: Incident


@dataclass(frozen=True)
class Rules:
    """What a team has said, as far as it is known.

    Attributes:
        levels: scheme -> its severities, the worst first; none where it is not known.
        people: who there is; none where it is not known.
        in_service: system and time -> whether that was within service hours; None where nobody knows.
        policy: system -> its scheme, and the policy of escalation with which an incident of it begins.
        review: system -> how its post-mortems look, as ``incident_review`` says it.
        asked: system -> the people and roles to which it can be escalated; none where it is not known.
        propose: system and runbook -> what the matrix says of what that finds, and why; "" where nobody knows.
        systems: that there are; none where it is not known.
    """

    levels: Callable[[str], Sequence[str]] = field(default=lambda _scheme: ())
    people: Sequence[str] = ()
    in_service: Callable[[str, float], bool | None] = field(default=lambda _system, _at: None)
    policy: Callable[[str], tuple[str, Any]] = field(default=lambda _system: ("", None))
    review: Callable[[str], Mapping[str, Any]] = field(default=lambda _system: {})
    asked: Callable[[str], Sequence[str]] = field(default=lambda _system: ())
    propose: Callable[[str, str], tuple[str, Sequence[str]]] = field(default=lambda _system, _runbook: ("", ()))
    systems: Sequence[str] = ()


class Incidents:
    """The incidents of a database. Any number of threads may use one at once.

    Each of the commands takes ``who`` does it, and ``at``, when it happened, where that is not now. Each says what is now, whoever
    else writes at the same time: it is decided on what the timeline is in the moment in which it is written.

    Args:
        store: the database.
        heads: where heads are kept outside of it; None where there is no such place.
        rules: of the team, or what says them.
        clock: says what time it is.
        on_done: called after each change, once it is in the database.

    Raises:
        OncallError: by any of them: there is no such incident. `NotDone`: the rules do not allow it.
    """

    def __init__(
        self,
        store: IncidentStore,
        heads: Heads | None = None,
        rules: Rules | Callable[[], Rules] | None = None,
        clock: Callable[[], float] = time.time,
        on_done: Callable[[Done], None] = lambda _done: None,
    ) -> None:
        self.store = self._store = store
        self._heads, self._clock, self._on_done = heads, clock, on_done
        self._what_rules = rules or Rules()
        self._after: int | None = None
        self._parts: Sequence[Part] = ()

    @property
    def _rules(self) -> Rules:
        return self._what_rules() if callable(self._what_rules) else self._what_rules

    def asked(self, after: int | None = None, parts: Sequence[Part] = ()) -> Incidents:
        """The same, for one request.

        Args:
            after: the number of the last entry that its sender knows; `NotNow`, where there is a later one that is not of QUIET.
            parts: what belongs to the incident from then on, such as the request itself, so that it is not done twice.
        """
        view = copy(self)
        view._after, view._parts = after, parts
        return view

    def _check_after(self, incident: Incident) -> None:
        """`NotNow` where people would decide otherwise, had they read what was written meanwhile."""
        if self._after is None or self._after == incident.head.number:
            return
        if self._after > incident.head.number:
            raise NotNow(f"{incident.name} has no entry {self._after} yet; read it again")
        later = [one for one in self._store.timeline(incident.id, self._after) if one.kind not in QUIET]
        if later:
            raise NotNow(f"{later[-1].who} has written entry {later[-1].number} of {incident.name}: {later[-1].words}")

    # ------------------------------------------------------------------ commands
    def open(
        self,
        title: str,
        *,
        who: str,
        at: float | None = None,
        system: str = "",
        source: str = "person",
        severity: str = "",
        proposed: str = "",
        scheme: str = "",
        reasons: Sequence[str] = (),
        policy: Any = None,
        runbook: str = "",
        again: str = "",
        parts: Sequence[Part] = (),
        more: Sequence[do.Write] = (),
        anyway: bool = False,
    ) -> Done:
        """Open one.

        Args:
            title: in a few words, what is wrong.
            again: the closed one that this is a repeat of.
            parts: (what, key) of what belongs to it.
            more: what is written with it.
            anyway: though nobody knows the system.
        """
        warning = self._unknown(system) if system and source == "person" else ""
        if warning and self.systems and not anyway:
            raise NotDone(f"{warning}; say that you want it anyway, or name one of them")
        closed = self.find(again) if again else None
        its_scheme, its_policy = self._rules.policy(system)
        scheme, policy = scheme or its_scheme, its_policy if policy is None else policy
        levels = self._rules.levels(scheme)
        if levels and not severity and not proposed:
            # As the matrix has it: else no channel and no step of a severity would tell anybody.
            level, since = self._rules.propose(system, runbook)
            proposed, since = (level, since) if level in levels else (levels[0], (NOT_TOLD,))
            reasons = (*reasons, *since)
        if closed is not None and not closed.is_over:
            raise NotNow(f"{closed.name} is {closed.state}, and goes on: reopen it, or write into it")
        for _ in range(MOST_TRIES):
            now = self._clock()
            command = do.Open(
                who=who,
                at=now if at is None else at,
                number=self._store.number(),
                title=title,
                system=system,
                source=source,
                severity=severity,
                proposed=proposed,
                scheme=scheme,
                levels=levels,
                reasons=reasons,
                policy=policy,
                runbook=runbook,
                opens_again=closed.id if closed else "",
            )
            made = uuid.uuid4().hex
            entries, after = self._decided(None, [command, *more], now, made)
            assert after is not None
            if self._store.append([Change(Head(), after, entries, (*parts, *self._parts))]):
                return self._kept(Done(after, entries, warning))
            self._check_parts((*parts, *self._parts))
        raise _crowded("the list of incidents")

    @property
    def systems(self) -> Sequence[str]:
        """The systems that the service or its inventory names; none where that is not known."""
        return self._rules.systems

    def _unknown(self, system: str) -> str:
        """That nobody knows a system, in one line: neither what names systems, nor an incident before."""
        known = self.systems
        # What the settings do not name is called by an alert, or by its host.
        if system in known or self._store.count(Filter(system=system)):
            return ""
        if not known:
            return f"nothing here says which systems there are: whether {system[:40]!r} is one was not looked at"
        more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
        names = ", ".join(known[:MOST_NAMED])
        return f"there is no system {system[:40]!r}: neither incidents.systems of the settings nor an incident names it; there are {names}{more}"

    def acknowledge(self, name: str, *, who: str, at: float | None = None, parts: Sequence[Part] = ()) -> Done:
        """See to it. Of what is resolved, it is a note. ``parts``: what belongs to it from then on, such as a link that acts once."""

        def command(now: float) -> Command:
            return do.Acknowledge(who=who, at=now if at is None else at, again=self._is_forgotten(name, now))

        return self.do(name, command, parts=parts)

    def follow(self, token: str, method: str, keys: Sequence[Key]) -> Followed:
        """What following a link out of a message does: looking changes nothing, and acknowledging counts once.

        Args:
            token: the link.
            method: of the request.
            keys: with which links are signed.

        Raises:
            LinkError: it does nothing; one line for who followed it.
        """
        link = read(token, keys, self._clock())
        use = (LINK, use_of(link))
        used = [use[1]] if self._store.owner(*use) else []
        what, incident = followed(method, link, used), self.going_on(link.incident)
        if what != "act" or link.action != "acknowledge":
            # A plan is decided on by who knows whether it is still the same.
            return Followed(what, link, incident)
        if incident.is_over:
            return Followed("used", link, incident)
        try:
            done = self.do(
                incident.id,
                lambda now: do.Acknowledge(who=link.who, at=now, again=self._is_forgotten(incident.id, now)),
                parts=[use],
            )
        except NotDone:
            return Followed("used", link, self.going_on(link.incident))
        return Followed(what, link, done.incident)

    def _is_forgotten(self, name: str, now: float) -> bool:
        """Whether an acknowledgement is needed by its policy, though somebody may have acknowledged it before."""
        incident = self.find(name)
        if not incident.acknowledged_by or not incident.policy:
            return False
        # What is written between this look and the append moves the head: then all of it is decided anew.
        policy = from_record(incident.policy)
        known = standing(incident.id, [one.to_dict() for one in self._store.timeline(incident.id)], policy)
        return needs_acknowledgement(policy, known, now)

    def assign(self, name: str, to: str, *, who: str) -> Done:
        """Whose it is from now on; "" for nobody's."""
        return self.do(name, lambda now: do.Assign(who=who, at=now, to=to, people=self._rules.people))

    def role(self, name: str, role: str, to: str, *, who: str) -> Done:
        """Who is commander, scribe, liaison or responder; "" for nobody."""
        return self.do(name, lambda now: do.GiveRole(who=who, at=now, role=role, to=to, people=self._rules.people))

    def note(self, name: str, text: str, *, who: str, at: float | None = None, part: str = "") -> Done:
        """Write down something; ``part``: the part or the question of the post-mortem that it answers."""
        return self.do(name, lambda now: do.Note(who=who, at=now if at is None else at, text=text, part=part))

    def severity(
        self, name: str, to: str, *, who: str, why: str = "", scheme: str = "", proposed: bool = False
    ) -> Done:
        """How bad it is: what a person says stays, whatever the matrix (``proposed``) says."""
        levels = self._rules.levels(scheme or self.find(name).scheme)

        def command(now: float) -> Command:
            return do.SetSeverity(who=who, at=now, to=to, why=why, scheme=scheme, levels=levels, proposed=proposed)

        return self.do(name, command)

    def mitigate(self, name: str, how: str, *, who: str, at: float | None = None) -> Done:
        """Users are served again."""
        return self.do(name, lambda now: do.Mitigate(who=who, at=now if at is None else at, how=how))

    def update(
        self,
        name: str,
        conditions: str,
        *,
        who: str,
        actions: str = "",
        needs: str = "",
        next_update_at: float | None = None,
        customers: bool = False,
    ) -> Done:
        """Say how things are."""

        def command(now: float) -> Command:
            return do.Update(
                who=who,
                at=now,
                conditions=conditions,
                actions=actions,
                needs=needs,
                next_update_at=next_update_at,
                customers=customers,
            )

        return self.do(name, command)

    def escalate(
        self, name: str, targets: Sequence[str], *, who: str, step: int = 0, tried: str = "", need: str = ""
    ) -> Done:
        """Ask more people: names of people or of roles."""
        asked = self._rules.asked(self.find(name).system)
        missed = [why for one in targets if (why := do.why_nobody(one, asked))]
        # Else somebody believes at night that help is on its way. Of several, those are told who are somebody, and the timeline says who is not.
        if missed and len(missed) == len(targets):
            raise NotDone("; ".join(missed[:3]))
        return self._escalate(name, targets, who=who, step=step, tried=tried, need=need)

    def _escalate(self, name: str, targets: Sequence[str], *, who: str, step: int, tried: str, need: str) -> Done:
        def command(now: float) -> Command:
            return do.Escalate(who=who, at=now, targets=targets, step=step, tried=tried, need=need)

        return self.do(name, command)

    def escalate_by(self, name: str, situation: str, *, who: str, tried: str = "", need: str = "") -> Done:
        """Ask those whom the policy of an incident names for a situation, or for a step of this name."""
        told = self.find(name).policy
        if not told:
            raise NotDone(f"{self.find(name).name} began without a policy of escalation; name people")
        policy = from_record(told)
        step = policy.step(situation)
        number = policy.steps.index(step)
        return self._escalate(name, step.roles, who=who, step=number, tried=tried, need=need or step.need)

    def snooze(self, name: str, until: float, why: str, *, who: str) -> Done:
        """Ask nobody until then, for no longer than the policy that it began with allows."""
        told = self.find(name).policy
        longest = from_record(told).snooze_at_most_minutes * 60 if told else do.LONGEST_SNOOZE_SECONDS
        return self.do(name, lambda now: do.Snooze(who=who, at=now, until=until, why=why, longest=longest))

    def resolve(self, name: str, how: str, *, who: str, at: float | None = None) -> Done:
        """It is over."""
        return self.do(name, lambda now: do.Resolve(who=who, at=now if at is None else at, how=how))

    def reopen(self, name: str, why: str, *, who: str, relapse: bool = False) -> Done:
        """It is not over after all."""
        return self.do(name, lambda now: do.Reopen(who=who, at=now, why=why, relapse=relapse))

    def close(self, name: str, *, who: str, why: str = "") -> Done:
        """It never changes again."""
        return self.do(name, lambda now: do.Close(who=who, at=now, why=why))

    def cancel(self, name: str, why: str, *, who: str) -> Done:
        """It never was one."""
        return self.do(name, lambda now: do.Cancel(who=who, at=now, why=why))

    def step(self, name: str, checklist: str, step: str, *, who: str, done: bool = True) -> Done:
        """Tick a step of a checklist, or untick it."""
        return self.do(name, lambda now: do.Tick(who=who, at=now, checklist=checklist, step=step, done=done))

    def pin(self, name: str, number: int, *, who: str, pinned: bool = True) -> Done:
        """Have everybody see an entry."""
        return self.do(name, lambda now: do.Pin(who=who, at=now, number=number, pinned=pinned))

    def review(
        self,
        name: str,
        state: str,
        *,
        who: str,
        owner: str = "",
        due_at: float | None = None,
        why: str = "",
        was: str | None = None,
    ) -> Done:
        """Bring the post-mortem into a state: ``due``, ``draft``, ``review`` or ``done``; ``was``: the one that its sender knows."""
        self._check_person(owner)
        for _ in range(MOST_TRIES):
            incident = self.find(name)
            if was is not None and was != incident.postmortem.state:
                now_is = incident.postmortem.state or "not asked for"
                raise NotNow(
                    f"meanwhile the post-mortem is {now_is}; look at it, and say it again if you still want to"
                )
            refused = why_not(incident.to_dict(), state, owner)
            # What is over says so itself.
            if refused and not incident.is_over:
                raise NotDone(f"the post-mortem of {incident.name}: {refused}")
            whose = owner or incident.postmortem.owner
            at = incident.postmortem.due_at if due_at is None else due_at
            words = f"post-mortem: {state}" + (f", by {whose}" if whose else "") + (f": {why}" if why else "")
            now = self._clock()
            data = {"state": state, "owner": whose, "due_at": at}
            done = self.advance(
                incident, [do.Write(who=who, at=now, kind="postmortem", words=words, data=data)], (), now
            )
            if done is not None:
                return done
        raise _crowded(name)

    def action_item(
        self,
        name: str,
        text: str = "",
        *,
        who: str,
        item: str = "",
        owner: str = "",
        due_at: float | None = None,
        done: bool = False,
    ) -> Done:
        """Write down what is to be done so that it does not happen again; with ``item``, change the one of this name."""
        self._check_person(owner)
        for _ in range(MOST_TRIES):
            incident, now = self.find(name), self._clock()
            known = next((one for one in incident.action_items if one.item == item), None)
            if item and known is None:
                there = ", ".join(one.item for one in incident.action_items) or "none"
                raise NotDone(f"{incident.name} has no action item {item[:40]!r}; there are {there}")
            if not known and not text.strip():
                raise NotDone("say what is to be done")
            data = {
                "item": known.item if known else f"A{len(incident.action_items) + 1}",
                "text": do.cut(text, do.MOST_LINE) or (known.text if known else ""),
                "owner": owner or (known.owner if known else ""),
                "due_at": due_at if due_at is not None else known.due_at if known else None,
                "done": done,
            }
            words = f"action item {data['item']}{' is done' if done else ''}: {data['text']}"
            command = do.Write(who=who, at=now, kind="action_item", words=words, data=data)
            if (written := self.advance(incident, [command], (), now)) is not None:
                return written
        raise _crowded(name)

    def _check_person(self, name: str) -> None:
        if why := do.why_nobody(name, self._rules.people):
            raise NotDone(why)

    def link(self, name: str, other: str, *, who: str, why: str = "") -> Done:
        """Point to another one."""
        to = self.find(other)
        return self.do(name, lambda now: do.AddLink(who=who, at=now, id=to.id, name=to.name, why=why))

    def correct(self, name: str, number: int, text: str, *, who: str) -> Done:
        """Say what is wrong in an entry, which stays as it is."""
        return self.do(name, lambda now: do.Correct(who=who, at=now, number=number, text=text))

    def watch(
        self, name: str, look: int, of: int, healthy: bool, *, who: str = do.PROGRAM, figures: Any = None
    ) -> Done:
        """A look after it was mitigated: the last healthy one resolves it, and one that is not opens it again."""
        return self.do(name, lambda now: do.Watch(who=who, at=now, look=look, of=of, healthy=healthy, figures=figures))

    def merge(self, name: str, into: str, *, who: str) -> Done:
        """It is the same as another one, which goes on."""
        for _ in range(MOST_TRIES):
            now, source, target = self._clock(), self.find(name), self.find(into)
            if source.state == MERGED and source.merged_into == target.id:
                return Done(source, ())
            self._check_after(source)
            ends, after = self._decided(source, [do.Merge(who=who, at=now, into=target)], now)
            takes, taken = self._decided(target, [do.TakeIn(who=who, at=now, source=source)], now)
            assert after is not None and taken is not None
            changes = [
                Change(source.head, after, ends, self._parts),
                Change(target.head, taken, takes, takes=source.id),
            ]
            if self._store.append(changes):
                self._kept(Done(taken, takes))
                return self._kept(Done(after, ends))
            self._check_parts(self._parts)
        raise _crowded(name)

    def write(self, name: str, *entries: do.Write, parts: Sequence[Part] = ()) -> Done:
        """What other parts of the program have done or seen, all of it or nothing."""
        return self.do(name, *((lambda _now, one=one: one) for one in entries), parts=parts)

    def do(
        self,
        name: str,
        *make: Callable[[float], Command],
        parts: Sequence[Part] = (),
        became: Sequence[Became] = (),
        decides: Sequence[Decides] = (),
    ) -> Done:
        """Any commands, all of them or none, decided one after the other.

        Args:
            name: as `find` takes it.
            make: what the clock says -> a command.
            parts: (what, key) of what belongs to it from now on.
            became: what became of messages.
            decides: what a person decides on plans, together with the entry that says so.
        """
        parts = (*parts, *self._parts)
        for _ in range(MOST_TRIES):
            now, incident = self._clock(), self.find(name)
            self._check_after(incident)
            entries, after = self._decided(incident, [one(now) for one in make], now)
            assert after is not None
            if not entries and not parts and not became:
                return Done(incident, ())
            if self._store.append([Change(incident.head, after, entries, parts, became=became, decides=decides)]):
                return self._kept(Done(after, entries))
            self._check_parts(parts)
        raise _crowded(name)

    def advance(
        self, incident: Incident, commands: Sequence[Command], letters: Sequence[Letter], now: float
    ) -> Done | None:
        """What was decided on an incident as it was, with messages; None where somebody has written since, and it has to be decided anew."""
        self._check_after(incident)
        entries, after = self._decided(incident, commands, now)
        assert after is not None
        if not self._store.append([Change(incident.head, after, entries, self._parts, letters=letters)]):
            self._check_parts(self._parts)
            return None
        return self._kept(Done(after, entries))

    def _check_parts(self, parts: Sequence[Part]) -> None:
        if any(self._store.owner(*part) for part in parts):
            raise NotDone("it belongs to another incident already")

    def _decided(
        self, incident: Incident | None, commands: Iterable[Command], now: float, made: str = ""
    ) -> tuple[tuple[Entry, ...], Incident | None]:
        written: list[Entry] = []
        for command in commands:
            decided = decide(incident, command, now, made)
            if isinstance(decided, Refused):
                raise NotNow(self._named(decided.reason)) if decided.by_state else NotDone(decided.reason)
            for entry in decided:
                incident = advance(incident or Incident(made), entry)
            written += decided
        return tuple(written), incident

    def _named(self, reason: str) -> str:
        """The same, with the name of the incident that goes on instead of an id."""

        def name(found: re.Match[str]) -> str:
            try:
                return self.going_on(found[0]).name
            except OncallError:
                return found[0]

        return re.sub(r"(?<=, which goes on: )[0-9a-f]{32}\Z", name, reason)

    def _kept(self, done: Done) -> Done:
        if done.entries and self._heads is not None:
            self._heads.keep(done.incident.id, done.incident.head, done.incident.name)
        if done.entries:
            self._on_done(done)
        return done

    # ------------------------------------------------------------------ reading
    def find(self, name: str) -> Incident:
        """By its short name or its id."""
        return self._store.find(name)

    def going_on(self, incident: str) -> Incident:
        """The one of this id, or the one that it was merged into."""
        known = self._store.incident(incident)
        for _ in range(MOST_POINTERS):
            if known is None or known.state != MERGED:
                break
            known = self._store.incident(known.merged_into)
        if known is None or known.state == MERGED:
            raise OncallError(f"there is no incident {incident[:40]!r} that goes on")
        return known

    def listed(self, wanted: Filter | None = None) -> list[Incident]:
        """The newest first."""
        return self._store.listed(wanted or Filter())

    def timeline(self, name: str, after: int = 0, most: int | None = None) -> list[Entry]:
        """The entries of one, in their order."""
        return self._store.timeline(self.find(name).id, after, most)

    def document(self, name: str) -> dict[str, Any]:
        """All of one: what ``show --json`` and ``export`` print, and the post-mortem takes."""
        incident = self.find(name)
        # What was written since is not in the incident.
        entries = [one for one in self._store.timeline(incident.id) if one.number <= incident.head.number]
        return document(incident, entries)

    def postmortem(self, name: str, template: postmortem.Template | None = None) -> PostMortem:
        """The post-mortem, as the team of its system wants it; NotNow where its timeline was changed: it would tell what did not happen.

        Args:
            name: of the incident.
            template: as the team wants it, where the caller knows that better.
        """
        incident, verdict = self.verify(name)
        if why := verdict.why_not(incident.name):
            raise NotNow(why)
        told = self.document(incident.id)
        return postmortem.of(told, template) if template else self.postmortem_of(told)

    def postmortem_of(self, document: Mapping[str, Any]) -> PostMortem:
        """The post-mortem of a document that was exported; OncallError where it is none."""
        try:
            system = str(document["incident"]["system"])
            return postmortem.of(document, postmortem.Template.of(self._rules.review(system)))
        except KeyError as error:
            raise OncallError(f"it is no document of an incident: it has no {error}") from None
        except (ValueError, TypeError) as error:
            raise OncallError(f"it is no document of an incident: {error}") from None

    def outstanding(self) -> tuple[list[Outstanding], list[OutstandingItem]]:
        """The post-mortems and the action items that are not done, those due first at the head."""
        # All of them: what is late the longest is the oldest.
        incidents, before = [], None
        while some := self._store.listed(Filter(states=("open", "resolved"), most=MOST_LISTED, before=before)):
            incidents += [one.to_dict() for one in some]
            before = some[-1].number
        now = self._clock()
        owed = [one for one in outstanding(incidents, now) if self._is_owed(one)]
        return owed, outstanding_items(incidents, now)

    def _is_owed(self, one: Outstanding) -> bool:
        """Whether a post-mortem was asked for, or the team of the system asks for all."""
        return bool(self._rules.review(one.system)) or bool(self.find(one.id).postmortem.state)

    def stats(self, wanted: Filter | None = None) -> Stats:
        """The numbers of those that are wanted, however many."""
        return stats(map(row_of_incident, self._store.rows(wanted or Filter())), self._rules.in_service)

    # ------------------------------------------------------------------ proof
    def head(self, name: str) -> SignedHead | None:
        """Where its timeline ends, signed, to be kept elsewhere; None where there is no key."""
        incident = self.find(name)
        return sign(self._heads.key, incident.id, incident.head) if self._heads else None

    def verify(self, name: str, heads: Sequence[SignedHead] = ()) -> tuple[Incident, Verdict]:
        """What is known of its timeline; ``heads``: what the log or messages have of it, besides those that are kept here."""
        incident = self.find(name)
        return incident, self._verified(incident.id, heads)

    def verify_document(
        self, told: Mapping[str, Any], entries: Sequence[Entry], heads: Sequence[SignedHead] = ()
    ) -> Verdict:
        """What is known of one that was exported, with its entries. It may be older than what is kept: that is no fault of it."""
        incident = str(told["incident"]["id"])
        kept = self._heads.of(incident) if self._heads else []
        within = [one for one in kept if one.number <= len(entries)]
        verdict = verify(incident, entries, [*within, *heads], self._heads.key if self._heads else None)
        if verdict.is_sound:
            said = told["incident"].get("head") or {}
            if (said.get("number"), said.get("hash")) != (len(entries), entries[-1].hash):
                what = "the document says another end of its timeline than it has"
                verdict = replace(verdict, problems=(Problem(len(entries), what),))
        later = [f"what was written after it: entry {one.number} is known by now" for one in kept if one not in within]
        return replace(verdict, not_proven=(*later, *verdict.not_proven))

    def verify_all(self) -> Iterator[tuple[str, Incident | None, Verdict]]:
        """Of each: its id, what is known of it, and whether it is sound; those too of which only the head is left."""
        gone = {*self._heads.incidents()} if self._heads else set()
        for one in self._store.ids():
            gone.discard(one)
            yield one, self._store.incident(one), self._verified(one)
        for one in sorted(gone):
            yield one, None, self._verified(one)

    def _verified(self, incident: str, heads: Sequence[SignedHead] = ()) -> Verdict:
        # First: what is written meanwhile is then in the timeline, and no tail is missing.
        kept, known = self._heads.of(incident) if self._heads else [], self._store.incident(incident)
        entries = self._store.timeline(incident)
        verdict = verify(incident, entries, [*kept, *heads], self._heads.key if self._heads else None)
        if not verdict.is_sound:
            return verdict
        if known is None:
            return replace(verdict, problems=(Problem(0, "it is not in the list of incidents any more"),))
        if known.head.number > len(entries):
            what = f"the tail was cut off: the list knows {known.head.number} entries, and {len(entries)} are there"
            return replace(verdict, problems=(Problem(len(entries), what),))
        if known != fold(incident, entries[: known.head.number]):
            what = "the list says something else than the timeline: it was changed by hand"
            return replace(verdict, problems=(Problem(0, what),))
        return verdict


def _crowded(what: str) -> OncallError:
    return OncallError(f"others write into {what[:40]} all the time; try it again")

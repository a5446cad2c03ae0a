# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be written into a timeline now, and who has to be told. Pure: an incident, its entries, its team and the time come in.

Nothing is remembered beside the timeline: what was told of an entry names its number as ``about``, a timer that fired is there by its name,
and so is a reminder. Whoever decides it again on the same timeline, on whatever node, finds that nothing is left to do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import commands as do
from ..commands import AT_ONCE, FIX_FAILED, PROGRAM, Command
from ..entries import Entry
from ..escalation.people import Target
from ..escalation.policy import Policy, PolicyError, from_record
from ..escalation.reminders import Reminder, reminders
from ..escalation.timers import Standing, Timer, due, is_wanted, next_at, standing, timers
from ..messages.outbox import Message, message_id
from ..messages.templates import subject
from ..messages.words import incident_values, length, moment
from ..record import RESOLVED, Incident
from ..severity import SchemeError
from ..store.outbox import Letter
from ..team import Team

# What happened so long ago is no news: it is written down that nobody was told.
MOST_LATE_SECONDS = 3600.0
# A timer that fires later than this says so.
LATE_SECONDS = 60.0
# Nobody is asked about plans of one incident more often.
PLANS_APART_SECONDS = 300.0
MOST_SHOWN = 5
# Of messages that are written at once, so that they keep their order.
APART_SECONDS = 1e-5
# Who pages people keeps an alert of its own, which is acknowledged there too.
PAGERS = frozenset({"PagerDuty", "Opsgenie"})
NOT_FIXED = ("unresolved", "blocked", "unknown")


@dataclass(frozen=True)
class Way:
    """How this service is reached, and who is no person.

    Attributes:
        page: the address of the page; "" for none.
        machines: names that programs have in a timeline.
    """

    page: str = ""
    machines: Collection[str] = (PROGRAM,)

    def of(self, incident: Incident) -> str:
        """The address of an incident."""
        return f"{self.page.rstrip('/')}/incidents/{incident.name}" if self.page else ""


@dataclass(frozen=True)
class Plan:
    """What has to be done now.

    Attributes:
        commands: what is written, in this order, all of it or nothing.
        letters: messages that leave because of it.
        next_at: when something is due next; infinite where nothing is.
    """

    commands: tuple[Command, ...] = ()
    letters: tuple[Letter, ...] = ()
    next_at: float = math.inf


@dataclass
class _Made:
    commands: list[Command] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)


def plan(
    incident: Incident,
    timeline: Sequence[Entry],
    team: Team | None,
    now: float,
    way: Way,
    waiting: Mapping[str, str] | None = None,
) -> Plan:
    """What has to be done for an incident now.

    Args:
        incident: as its entries make it.
        timeline: its entries.
        team: of its system; None where nothing is known of one.
        now: the time.
        way: how this service is reached.
        waiting: run -> hash of its plan, of those that wait for a person.
    """
    if incident.is_over:
        return Plan()
    planner = _Planner(incident, timeline, team, now, way, waiting or {})
    made = _Made()
    planner.of_entries(made)
    later = planner.of_timers(made)
    later = min(later, planner.of_reminders(made), planner.later)
    planner.of_the_review(made)
    return Plan(tuple(made.commands), tuple(made.letters), later)


class _Planner:
    def __init__(
        self,
        incident: Incident,
        timeline: Sequence[Entry],
        team: Team | None,
        now: float,
        way: Way,
        waiting: Mapping[str, str],
    ) -> None:
        self.incident, self.timeline, self.team, self.now, self.way = incident, timeline, team, now, way
        self.waiting = waiting
        told = [one for one in timeline if one.kind in ("message", "suppressed")]
        self.about = {one.data.get("about") for one in told}
        # When somebody was asked about a plan, and when that has to be looked at again.
        self.asked_at = max((one.written_at for one in told if one.data.get("plan")), default=-math.inf)
        self.later = math.inf
        self.reminded = {str(one.data["reminder"]) for one in told if one.data.get("reminder")}
        # Channel -> up to which entry it has the alert itself.
        self.alerted = {
            str(one.data.get("to")): one.number
            for one in timeline
            if one.kind == "message" and one.data.get("template") == "initial"
        }

    # ------------------------------------------------------------------ what happened
    def of_entries(self, made: _Made) -> None:
        for entry in self.timeline:
            if entry.number in self.about or entry.kind not in _TELLS:
                continue
            _TELLS[entry.kind](self, entry, made)

    def _opened(self, entry: Entry, made: _Made) -> None:
        self._to_channels(entry, made, "initial", "trigger", self._values())

    def _severity(self, entry: Entry, made: _Made) -> None:
        if entry.data.get("raised") is not True or self.team is None:
            return
        again = max((one.number for one in self.timeline if one.kind in ("opened", "reopened")), default=1)
        new = [
            name for name in self.team.tell.of(self.incident.severity, "initial") if self.alerted.get(name, 0) < again
        ]
        if new:
            self._to_channels(entry, made, "initial", "trigger", self._values(), new)

    def _acknowledged(self, entry: Entry, made: _Made) -> None:
        if self.team is None:
            return
        pagers = [name for name, one in self.team.tell.channels.items() if type(one).__name__ in PAGERS]
        known = [name for name in self._names("update") if name in pagers]
        if known:
            values = self._values(conditions=f"acknowledged by {entry.who}")
            self._to_channels(entry, made, "update", "acknowledge", values, known, who=entry.who)

    def _updated(self, entry: Entry, made: _Made) -> None:
        data = entry.data
        if data.get("customers"):
            values = self._values(issue=data.get("conditions", ""), next_update=moment(data.get("next_update_at")))
            self._to_channels(entry, made, "customers", "tell", values)
            return
        told = {name: data.get(name, "") for name in ("conditions", "actions", "needs")}
        self._to_channels(entry, made, "update", "tell", self._values(**told))

    def _mitigated(self, entry: Entry, made: _Made) -> None:
        values = self._values(conditions=entry.words, actions=str(entry.data.get("how") or ""))
        self._to_channels(entry, made, "update", "tell", values)

    def _resolved(self, entry: Entry, made: _Made) -> None:
        if self.incident.state != RESOLVED:
            # It came again before anybody was told.
            return
        due_at = self._review_due_at()
        values = self._values(
            resolution=str(entry.data.get("how") or ""), review=f"due {moment(due_at)}" if due_at else ""
        )
        self._to_channels(entry, made, "resolution", "resolve", values, who=entry.who)
        said = [one for one in self.timeline if one.kind == "update" and one.data.get("customers")]
        if said:
            values = self._values(issue=str(said[-1].data.get("conditions") or ""))
            self._to_channels(entry, made, "customers", "resolve", values)

    def _escalated(self, entry: Entry, made: _Made) -> None:
        if entry.who in self.way.machines or self.team is None:
            return
        roles = [str(one) for one in entry.data.get("targets") or ()]
        targets, gaps = self._people(roles)
        values = self._values(need=str(entry.data.get("need") or ""), tried=self._tried(entry))
        for gap in gaps:
            self._suppressed(made, f"escalation to {gap.partition(':')[0]}", gap, about=entry.number)
        self._to_people(made, "escalation", targets, values, f"{entry.number}", about=entry.number)

    def _run(self, entry: Entry, made: _Made) -> None:
        """A plan that waits has an end to its waiting: those are asked who are at it, or else those who were called."""
        one, plan_hash = self.incident, self.waiting.get(str(entry.data.get("uuid")), "")
        if not plan_hash or (one.snoozed_until or 0.0) > self.now:
            return
        if (again_at := self.asked_at + PLANS_APART_SECONDS) > self.now:
            # A fault of a thousand hosts has a thousand plans: they are told together.
            self.later = min(self.later, again_at)
            return
        self.asked_at = self.now
        plans = "; ".join(known.words for known in self.timeline if known.kind == "plan" and known.run == entry.run)
        more = f"; {len(self.waiting)} plans wait" if len(self.waiting) > 1 else ""
        need = f"approve or reject what {plans or entry.words}{more}"
        told = {"about": entry.number, "plan": plan_hash}
        who = one.assignee or one.roles.get("commander", "")
        targets = self._people([who] if who else [*one.woken])[0] if self.team else []
        if targets:
            values = self._values(need=need, tried=self._tried())
            self._to_people(made, "escalation", targets, values, f"{entry.number}", **told)
        elif names := self._names("update"):
            values = self._values(conditions=entry.words, needs=need)
            self._send(made, names, "update", "tell", values, f"{entry.number}", **told)
        else:
            is_told = self.team is not None and self.team.is_told
            why = "nobody is at it, and no channel of its severity has updates" if is_told else self._nobody()
            self._suppressed(made, "the plan that waits", why, **told)

    # ------------------------------------------------------------------ timers
    def of_timers(self, made: _Made) -> float:
        policy = self._policy()
        if policy is None:
            return math.inf
        told = [one.to_dict() for one in self.timeline]
        known = standing(self.incident.id, told, policy, self.way.machines)
        firing = due(policy, known, self.now)
        for timer in firing:
            self._fire(timer, policy, known, made)
        gone = {timer.name for timer in firing}
        wanted = _next_rounds(policy, known, gone)
        armed = self.incident.timers
        for name, timer in wanted.items():
            if name not in armed:
                words = f"{timer.step.name}: {_and(timer.roles)} at {moment(timer.due_at)}"
                self._timer(made, timer.name, timer.due_at, "armed", timer.step.name, words)
        for name, due_at in armed.items():
            if name not in wanted and name not in gone:
                why = self._why_stopped(known)
                self._timer(made, name, due_at, "stopped", name.rpartition("/")[2], f"timer stopped: {why}", why)
        later = next_at(policy, known, self.now)
        return math.inf if later is None else later

    def _fire(self, timer: Timer, policy: Policy, known: Standing, made: _Made) -> None:
        late = self.now - timer.due_at
        why = _why_fired(timer, known) + (f"; {length(late)} late" if late > LATE_SECONDS else "")
        step = timer.step
        self._timer(made, timer.name, timer.due_at, "fired", step.name, f"{step.name}: {why}", why)
        targets, gaps = (
            self._people(timer.roles)
            if self.team
            else ([], [f"nothing is known of the team of {self.incident.system!r}"])
        )
        for gap in gaps:
            self._suppressed(made, f"step {step.name}", gap, timer=timer.name)
        if not targets:
            return
        is_first = timer.round == 0 and not timer.forgotten and step.begins == "opened" and not step.after_minutes
        tried = self._tried()
        made.commands.append(
            do.Escalate(
                who=PROGRAM,
                at=self.now,
                targets=[one.person for one in targets],
                step=policy.steps.index(step),
                tried="; ".join(tried),
                need=step.need,
            )
        )
        values = self._values(need=step.need, tried=tried)
        self._to_people(made, "initial" if is_first else "escalation", targets, values, timer.name, timer=timer.name)

    def _why_stopped(self, known: Standing) -> str:
        if known.state in ("resolved", "closed", "cancelled", "merged"):
            return known.state
        if known.acknowledged:
            return f"mitigated or acknowledged, by {self.incident.acknowledged_by or PROGRAM}"
        return "it was armed anew"

    def _timer(self, made: _Made, name: str, due_at: float, state: str, step: str, words: str, why: str = "") -> None:
        data = {"timer": name, "due_at": due_at, "state": state, "step": step, "why": why}
        made.commands.append(do.Write(who=PROGRAM, at=self.now, kind="timer", words=words, data=data))

    def _policy(self) -> Policy | None:
        if not self.incident.policy:
            return None
        try:
            return from_record(self.incident.policy)
        except PolicyError:
            return None

    # ------------------------------------------------------------------ reminders and the review
    def of_reminders(self, made: _Made) -> float:
        told = self.incident.to_dict()
        for one in reminders(told, self.now, self.reminded):
            self._remind(one, made)
        later = [self.incident.next_update_at, self.incident.postmortem.due_at]
        later += [item.due_at for item in self.incident.action_items if not item.done]
        return min((at for at in later if at is not None and at > self.now), default=math.inf)

    def _remind(self, one: Reminder, made: _Made) -> None:
        who = one.who or self.incident.assignee or self.incident.roles.get("commander", "")
        values = self._values(conditions=one.words, needs=f"it was due {moment(one.due_at)}")
        if self.team is None or not self.team.is_told:
            self._suppressed(made, one.words, self._nobody(), reminder=one.name)
            return
        targets, _gaps = self._people([who]) if who else ([], [])
        if targets:
            self._to_people(made, "update", targets, values, one.name, reminder=one.name)
        elif names := self._names("update"):
            self._send(made, names, "update", "tell", values, one.name, reminder=one.name)
        else:
            self._suppressed(
                made,
                one.words,
                f"no channel of {self.incident.severity or 'no severity'} has updates",
                reminder=one.name,
            )

    def of_the_review(self, made: _Made) -> None:
        due_at, known = self._review_due_at(), self.incident.postmortem
        if (
            self.incident.state != RESOLVED
            or due_at is None
            or known.state not in ("", "due")
            or known.due_at == due_at
        ):
            return
        owner = known.owner or self.incident.roles.get("commander", "") or self.incident.assignee
        whose = f", by {owner}" if owner else ""
        data = {"state": "due", "owner": owner, "due_at": due_at}
        words = f"the post-mortem is due {moment(due_at)}{whose}"
        made.commands.append(do.Write(who=PROGRAM, at=self.now, kind="postmortem", words=words, data=data))

    def _review_due_at(self) -> float | None:
        at = self.incident.resolved_at
        if self.team is None or not self.team.asks_review or at is None:
            return None
        return at + self.team.review.within_hours * 3600

    # ------------------------------------------------------------------ who is told
    def _people(self, names: Sequence[str]) -> tuple[list[Target], list[str]]:
        """Whom names of roles or of people mean, and which mean nobody."""
        assert self.team is not None
        directory = self.team.people
        found: dict[str, Target] = {}
        gaps: list[str] = []
        for name in names:
            person = directory.people.get(name)
            if name not in directory.contacts and person is not None:
                if person.reach:
                    found.setdefault(name, Target(name, (), person.reach, "was named"))
                else:
                    gaps.append(f"{name}: cannot be reached")
                continue
            targets, more = directory.targets([name], self.now)
            gaps += more
            for one in targets:
                found.setdefault(one.person, one)
        return [*found.values()], gaps

    def _names(self, kind: str) -> Sequence[str]:
        """The channels by which a message of a kind goes out."""
        return self.team.tell.of(self.incident.severity, kind) if self.team else ()

    def _nobody(self) -> str:
        whose = self.incident.system or "no system"
        return f"the inventory says of nobody who is to be told of {whose}"

    def _to_channels(
        self,
        entry: Entry,
        made: _Made,
        kind: str,
        action: str,
        values: Mapping[str, Any],
        names: Sequence[str] | None = None,
        who: str = "",
    ) -> None:
        names = self._names(kind) if names is None else names
        what = _WHAT[kind]
        if not names:
            # Of what nobody waits for, it is not said that it was not told.
            is_missed = kind in ("initial", "customers") and action != "resolve"
            if is_missed and not (self.team and self.team.is_told):
                self._suppressed(made, what, self._nobody(), about=entry.number)
            elif is_missed and not self._is_told_by_steps(kind):
                why = f"no channel of incident_tell is for {what} of severity {self.incident.severity or '(none)'}"
                self._suppressed(made, what, why, about=entry.number)
            return
        late = self.now - entry.written_at
        if late > MOST_LATE_SECONDS:
            self._suppressed(made, what, f"it happened {length(late)} before anybody could be told", about=entry.number)
            return
        self._send(made, names, kind, action, values, f"{entry.number}", about=entry.number, who=who)

    def _is_told_by_steps(self, kind: str) -> bool:
        """Whether a step of the policy tells of it at once."""
        policy = self._policy()
        return (
            kind == "initial"
            and policy is not None
            and any(not step.after_minutes and step.begins == "opened" for step in policy.steps)
        )

    def _send(
        self,
        made: _Made,
        names: Iterable[str],
        kind: str,
        action: str,
        values: Mapping[str, Any],
        cause: str,
        **more: Any,
    ) -> None:
        who = str(more.pop("who", ""))
        for name in names:
            self._letter(made, "", name, {"channel": name}, kind, action, values, cause, who, **more)
            if kind == "initial":
                self.alerted[name] = self.incident.head.number + 1

    def _to_people(
        self, made: _Made, kind: str, targets: Sequence[Target], values: Mapping[str, Any], cause: str, **more: Any
    ) -> None:
        assert self.team is not None
        since = max((one.number for one in self.timeline if one.kind in ("opened", "reopened")), default=1)
        for target in targets:
            for place, reach in enumerate(target.reach):
                is_channel = reach in self.team.tell.channels
                # An address is a secret: the record has whose it is, and which of them.
                label = reach if is_channel else f"address {place + 1} of {target.person}"
                if kind == "initial" and is_channel and self.alerted.get(reach, 0) > since:
                    why = f"{reach} has the alert already"
                    self._suppressed(made, f"the same to {target.person} by {reach}", why, is_told=True, **more)
                    continue
                found = {"channel": reach} if is_channel else {"person": target.person, "place": place}
                action = "trigger" if kind in ("initial", "escalation") else "tell"
                self._letter(made, target.person, label, found, kind, action, values, cause, "", **more)

    def _letter(
        self,
        made: _Made,
        person: str,
        channel: str,
        reach: Mapping[str, Any],
        kind: str,
        action: str,
        values: Mapping[str, Any],
        cause: str,
        who: str,
        **more: Any,
    ) -> None:
        incident = self.incident
        number = message_id(incident.id, cause, person, channel, f"{kind}/{action}")
        is_person, person = bool(person), person or channel
        known = {name: value for name, value in more.items() if value}
        line = subject(kind, values)
        data = {"message": number, "channel": channel, "template": kind, "to": person, "subject": line, **known}
        words = f"to {person} by {channel}: {line}" if is_person else f"to {channel}: {line}"
        made.commands.append(do.Write(who=PROGRAM, at=self.now, kind="message", words=words, data=data))
        message = Message(
            number,
            incident.id,
            person,
            channel,
            kind,
            self.now + len(made.letters) * APART_SECONDS,
            timer=str(more.get("timer") or ""),
            next_at=self.now,
        )
        event = {
            "action": action, "system": incident.system, "severity": incident.severity, "common": self._common(), "state": incident.state,
            "opened_at": incident.opened_at, "number": incident.name, "who": who, "page": self.way.of(incident),
            "runbook": incident.runbooks[0] if incident.runbooks else "",
        }  # fmt: skip
        made.letters.append(
            Letter(
                message,
                {
                    "values": dict(values),
                    "event": event,
                    "reach": dict(reach),
                    "person": is_person,
                    "plan": str(more.get("plan") or ""),
                },
            )
        )

    def _suppressed(self, made: _Made, what: str, why: str, **more: Any) -> None:
        data = {"what": what, "why": why, **more}
        words = f"not told: {what}, because {why}"
        made.commands.append(do.Write(who=PROGRAM, at=self.now, kind="suppressed", words=words, data=data))

    def _common(self) -> str:
        if self.team is None:
            return "critical"
        try:
            return self.team.scheme.level(self.incident.severity).common
        except SchemeError:
            return "critical"

    # ------------------------------------------------------------------ what is said
    def _values(self, **more: Any) -> dict[str, Any]:
        means = ""
        if self.team is not None:
            means = next((one.means for one in self.team.scheme.levels if one.name == self.incident.severity), "")
        alerts = [one.words for one in self.timeline if one.kind == "alert"]
        problems = [
            str(one.data.get("summary"))
            for one in self.timeline
            if one.kind == "finding" and one.data.get("status") == "problem"
        ]
        told = {"severity_means": means, "symptoms": alerts[-MOST_SHOWN:], "summary": "; ".join(problems[-2:])}
        if problems:
            told["issue"] = problems[-1]
        return incident_values(self.incident.to_dict(), self.now, **{**told, **more})

    def _tried(self, entry: Entry | None = None) -> list[str]:
        """What was tried and did not help, the last at the end; what a person says of it comes first."""
        said = [str(entry.data["tried"])] if entry is not None and entry.data.get("tried") else []
        found = [
            one.words
            for one in self.timeline
            if (one.kind == "verification" and one.data.get("helped") is False)
            or (one.kind == "run" and one.data.get("outcome") in NOT_FIXED)
        ]
        return [*said, *found[-MOST_SHOWN:]]


_WHAT = {
    "initial": "the alert",
    "update": "the update",
    "resolution": "the resolution",
    "customers": "the update for customers",
    "escalation": "the escalation",
}
_TELLS = {
    "opened": _Planner._opened,
    "reopened": _Planner._opened,
    "severity": _Planner._severity,
    "acknowledged": _Planner._acknowledged,
    "update": _Planner._updated,
    "mitigated": _Planner._mitigated,
    "resolved": _Planner._resolved,
    "escalated": _Planner._escalated,
    "run": _Planner._run,
}


def _next_rounds(policy: Policy, known: Standing, gone: Collection[str]) -> dict[str, Timer]:
    """Name -> timer: of each step the next round only, and none of those that a forgotten acknowledgement would begin."""
    found: dict[str, Timer] = {}
    steps: set[str] = set()
    # What fires now is over: the next one is armed by the entry that says so.
    left = replace(known, fired=known.fired | frozenset(gone))
    for timer in timers(policy, left):
        if timer.forgotten or timer.step.name in steps or not math.isfinite(timer.due_at):
            continue
        steps.add(timer.step.name)
        found[timer.name] = timer
    return found


def _why_fired(timer: Timer, known: Standing) -> str:
    if timer.forgotten:
        return "it was acknowledged, and nobody has done anything since"
    if timer.step.begins == "fix_failed":
        return (
            f"{FIX_FAILED} {length(timer.due_at - known.failed_at)} before" if timer.step.after_minutes else FIX_FAILED
        )
    if not timer.step.after_minutes and not timer.round:
        return AT_ONCE
    still = "not resolved" if timer.step.unless == "resolved" else "not acknowledged"
    return f"{still} {length(timer.due_at - known.armed_at)} after it was armed"


def _and(names: Sequence[str]) -> str:
    return ", ".join(names)


def wanted(incident: Incident, timeline: Iterable[Entry], names: Iterable[str], machines: Collection[str]) -> set[str]:
    """Of these timers those whose messages are still to be sent."""
    if incident.is_over or not incident.policy:
        return set()
    try:
        policy = from_record(incident.policy)
    except PolicyError:
        return set()
    known = standing(incident.id, [one.to_dict() for one in timeline], policy, machines)
    return {name for name in names if is_wanted(policy, known, name)}

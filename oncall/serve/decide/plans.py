# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person decides on a plan that waits, on the page and at a shell: of two people who decide at once, one does, and the other reads who."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...errors import OncallError
from ...incidents import commands as do
from ...incidents.attach import AGREED, DECLINED
from ...incidents.books import Done, Incidents, NotDone
from ...incidents.store.episodes import EPISODE
from ...incidents.store.outbox import Superseded
from ...incidents.store.timeline import Decides, IncidentStore, Part
from ...incidents.together import APPROVED, REJECTED, decision_on
from ..store.statements import Store

MOST_REASON = 500
CANCELED, NO_REASON = "canceled", "a person wanted it"
# An episode may come to an incident in the moment in which its plan is decided on.
TRIES = 3
# An episode may go on from one state to the next while it is canceled.
MOST_STATES = 10


class NoPlan(OncallError):
    """There is no such episode."""


class TooLate(NotDone):
    """Somebody else was quicker, or the plan is another one by now; the message says who and what."""


@dataclass(frozen=True)
class Decided:
    """What was decided.

    Attributes:
        incident: the name of the incident whose timeline says it; None where the episode is of none.
        entry: the number of the entry there.
    """

    episode: str
    runbook: str
    host: str
    plan_hash: str
    decision: str
    who: str
    reason: str
    incident: str | None = None
    entry: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plans:
    """The plans that wait for a person.

    Attributes:
        store: the episodes.
        below: the statements about incidents, on the same database.
        books: the incidents; asked for only where an episode is of one.
        wake: called when a decision may have something begin.
    """

    store: Store
    below: IncidentStore
    books: Callable[[], Incidents]
    wake: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.time

    def decide(
        self, episode: str, plan_hash: str, decision: str, reason: str, who: str, parts: Sequence[Part] = ()
    ) -> Decided:
        """Approve or reject a plan, under a name, in one transaction with the entry of the incident that says so.

        Args:
            plan_hash: of the plan that the person has read.
            decision: APPROVED or REJECTED.
            reason: needed to reject.
            parts: what belongs to the incident from then on, such as the link by which it was decided.

        Raises:
            NoPlan: there is no such episode.
            TooLate: the plan does not wait any more, or is another one.
            NotDone: it cannot be decided as it was asked.
        """
        found = self.store.episode(episode)
        if found is None:
            raise NoPlan("there is no such plan any more")
        if decision not in (APPROVED, REJECTED):
            raise NotDone("a plan is approved or rejected")
        reason = one_line_of(reason)
        if decision == REJECTED and not reason:
            raise NotDone("say why it is rejected; who comes next has to know")
        _check(found, plan_hash)
        told = Decided(episode, found["runbook"], found["host"], plan_hash, decision, who, reason)
        for _ in range(TRIES):
            try:
                written = self._write(told, parts)
            except Superseded:
                again = self.store.episode(episode)
                if again is None:
                    raise NoPlan("there is no such plan any more") from None
                _check(again, plan_hash)
            else:
                self.wake()
                return written
        raise TooLate("somebody else decides on it this very moment; look at it again")

    def cancel(self, episode: str, reason: str, who: str) -> tuple[Decided, str]:
        """End an episode, whatever state it is in, and say so in the timeline of its incident. A plan that waits is rejected.

        Returns:
            what was decided, and in words how it ends.

        Raises:
            NoPlan: there is no such episode.
            OncallError: it has ended, or changes all the time.
        """
        reason = one_line_of(reason) or NO_REASON
        why = f"{CANCELED} by {who}: {reason}"
        more = ""
        for _ in range(MOST_STATES):
            found = self.store.episode(episode)
            if found is None:
                raise NoPlan(f"episode {episode[:12]} is gone")
            where = f"{found['runbook']} on {found['host']}"
            told = Decided(episode, found["runbook"], found["host"], found["plan_hash"], CANCELED, who, reason)
            if found["state"] == "ended":
                raise OncallError(f"episode {episode[:12]} has ended already: {_how_it_is(found)}")
            if found["state"] == "running" and self.store.change(episode, "running", {"cancel": why}):
                return self._noted(told, f"{where} is being killed")
            if found["state"] == "waiting" and not more:
                try:
                    return self.decide(episode, found["plan_hash"], REJECTED, reason, who), f"{where} does nothing"
                except TooLate:
                    continue
                except NotDone as error:
                    # Such as of an incident that is closed. It has to end all the same.
                    more = f"; no timeline says so: {error}"
            ended = {"state": "ended", "outcome": CANCELED, "summary": why, "ended_at": self.clock()}
            if found["state"] != "running" and self.store.change(episode, found["state"], ended):
                how = f"{where} is canceled"
                return (told, f"{how}{more}") if more else self._noted(told, how)
        raise OncallError(f"episode {episode[:12]} changes all the time; try it again")

    def _noted(self, told: Decided, how: str) -> tuple[Decided, str]:
        owner = self.below.owner(EPISODE, told.episode)
        if not owner:
            return told, how
        try:
            done = self.books().note(owner, f"{how}: {told.reason}", who=told.who)
        except NotDone as error:
            return told, f"{how}; no timeline says so: {error}"
        return replace(told, incident=done.incident.name, entry=done.entries[-1].number), how

    def _write(self, told: Decided, parts: Sequence[Part]) -> Decided:
        now = self.clock()
        owner = self.below.owner(EPISODE, told.episode)
        decides = Decides(told.episode, told.plan_hash, _values(told, now, bool(owner)))
        if not owner:
            if not self.below.decide(decides):
                raise Superseded
            return told
        entry = decision_on(
            told.episode, told.runbook, told.host, told.plan_hash, told.decision, told.reason, told.who, now
        )
        done: Done = self.books().do(owner, lambda _now: entry, parts=parts, decides=[decides])
        return replace(told, incident=done.incident.name, entry=done.entries[-1].number)


def one_line_of(reason: str) -> str:
    """A reason as it is kept."""
    return " ".join(do.cut(reason, MOST_REASON).split())


def _values(told: Decided, now: float, is_of_an_incident: bool) -> dict[str, Any]:
    """What the episode is from then on."""
    if told.decision == REJECTED:
        note = f"{DECLINED}{told.who}"
        ended = {"state": "ended", "outcome": CANCELED, "summary": f"{note}: {told.reason}", "ended_at": now}
        return {**ended, "note": note}
    # Without an incident, what is attached later says so in its timeline.
    note = f"approved by {told.who}" if is_of_an_incident else f"{AGREED}{told.who}"
    queued = {"state": "queued", "stage": "act", "queued_at": now, "until": None, "reason": "", "cancel": ""}
    return {**queued, "note": note}


def _check(found: Mapping[str, Any], plan_hash: str) -> None:
    """TooLate where a plan does not wait any more, or is another one."""
    if found["state"] != "waiting":
        # A run that acted has no plan any more; the note says that there was one.
        was_asked = found["plan_hash"] or found["note"]
        what = "this plan does not wait any more" if was_asked else "no plan waits for a person there"
        raise TooLate(f"{what}: {_how_it_is(found)}. Your decision was not taken")
    if found["plan_hash"] != plan_hash:
        raise TooLate(
            f"the plan has changed since you read it: it is {found['plan_hash']} now, and was {plan_hash[:80] or 'none'}; read it again."
            " Nothing was decided"
        )


def _how_it_is(found: Mapping[str, Any]) -> str:
    note = found["note"]
    if found["state"] != "ended":
        return str(note or found["state"])
    ended = ": ".join(filter(None, (found["outcome"], found["summary"])))
    return ended if note in ended else f"{note}; {ended}"

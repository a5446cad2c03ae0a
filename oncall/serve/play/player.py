# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable workflow of a run: play, then write down what came of it.

A workflow that was cut off is begun again by DBOS, wherever it stopped. A playbook that may have changed something is not:
the run that finds itself begun before only looks, and leaves the rest to a person. Where it is certain that nothing was begun,
the episode is queued again, and what holds then decides.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ...errors import OncallError, first_line
from ...incidents.attach import DECLINED, HELD
from ...incidents.messages.words import moment
from ...results import Outcome
from ..settings import Route
from ..store.lease import Fenced
from ..store.nodes import Membership
from ..store.statements import Store
from .executor import CANCELED, CUT_OFF, INTERRUPTED, Ending, Executor, Order

LOG = logging.getLogger("oncall.player")
ASK_AGAIN_SECONDS = 1.0
# What a statement raises while the database does not answer, or while nothing may be written to its files.
AWAY = SQLAlchemyError, sqlite3.Error, OSError, OncallError
MOST_NOTE = 1000
# Whatever cuts it off so many times may well be this episode.
MOST_CUT_OFF = 5


class Cut(BaseException):
    """This node goes down in the midst of a run: nothing may be written about it any more."""


class Player:
    """Plays what was admitted on this node.

    Args:
        store: the database.
        executor: plays.
        node: what this node is called.
        membership: that it is this node.
        route: runbook -> what the settings say of it now.
        may_act: (host, whether a person agreed) -> the runbooks whose remedies may be applied there now.
        ended: called after each run with its runbook, outcome and seconds.
    """

    def __init__(
        self,
        store: Store,
        executor: Callable[[], Executor],
        node: str,
        membership: Membership,
        route: Callable[[str], Route | None],
        may_act: Callable[[str, bool], tuple[str, ...]],
        ended: Callable[[str, str, float], None],
    ) -> None:
        self._store, self._executor, self._node, self._membership = store, executor, node, membership
        self._route, self._may_act, self._ended = route, may_act, ended
        self._running: dict[str, threading.Event] = {}
        # What came of runs, until it is written down: the workflow may be cut off between the two.
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        # Nothing more is begun; and at last, what runs is killed.
        self.draining = self.going_down = False

    @property
    def running(self) -> list[str]:
        """The runs that are played now."""
        with self._lock:
            return [*self._running]

    def cancel(self, run: str) -> None:
        """Kill a run of this node."""
        with self._lock:
            if run in self._running:
                self._running[run].set()

    # ------------------------------------------------------------------ the steps
    def play(self, run: str) -> str:
        """Play a run; what came of it, as JSON."""
        if run not in self._told:
            self._told[run] = self._play(run)
        return self._told[run]

    def _play(self, run: str) -> str:
        row, episode = self._insist(lambda: self._known(run))
        if row is None or episode is None:
            return _json(Ending(Outcome.UNKNOWN, "the database does not know this run any more"))
        if episode["cancel"] and row.began_at is None:
            return _json(Ending(CANCELED, episode["cancel"]))
        if self.draining:
            raise Cut
        # One time for each try: a database that went away may have written it down before it could say so.
        now = time.time()
        try:
            fence = self._insist(lambda: self._store.begin(run, self._node, self._membership.number, now))
        except Fenced as error:
            LOG.warning("run %s is left to the node that takes it over: %s", run, error)
            raise Cut from None
        hashes = tuple(filter(None, episode["plan_hash"].split(","))) if row.acts else ()
        may_act = self._insist(lambda: self._may_act(row.host, bool(hashes))) if row.acts else ()
        order = Order(run, row.runbook, row.host, row.acts, hashes, may_act, fence, partial(self._tell, row.episode))
        if fence or not row.acts:
            return _json(self._played(order))
        taken_up = self._taken_up(order)
        if taken_up is not None and (taken_up.nothing_ran or taken_up.outcome != Outcome.UNKNOWN):
            return _json(taken_up)
        looked = self._played(Order(f"{run}x", row.runbook, row.host, acts=False), known_as=run)
        what = f"cut off while it was acting, and not begun again; now {looked.outcome}: {looked.summary}"
        return _json(Ending(INTERRUPTED, what, result=looked.result))

    def _tell(self, episode: str, line: str) -> None:
        """Show it while the run goes on; what came of the run takes its place."""
        try:
            self._store.change(episode, "running", {"reason": line})
        except AWAY as error:
            LOG.error("%s is not in the episode: %s", line, first_line(error))

    def _known(self, run: str) -> tuple[Any, dict[str, Any] | None]:
        row = self._store.run(run)
        return row, self._store.episode(row.episode) if row else None

    def _insist(self, statement: Callable[[], Any]) -> Any:
        """A database that is away is no outcome of a run, nor are files that something is wrong with: it is asked until it is back,
        or until this node goes down. A workflow that failed instead would be over, and what came of its run would not be known.
        """
        said = ""
        while True:
            try:
                return statement()
            except Fenced:
                raise
            except AWAY as error:
                if said != (said := first_line(error)):
                    LOG.error("the database is asked again: %s", said)
                if self.going_down:
                    raise Cut from None
                time.sleep(ASK_AGAIN_SECONDS)

    def _played(self, order: Order, known_as: str = "") -> Ending:
        told = self._watched(
            known_as or order.run, lambda cancel: self._begun(order, cancel), order.acts, anew=not known_as
        )
        assert told is not None
        return told

    def _begun(self, order: Order, cancel: threading.Event) -> Ending:
        self._membership.check()
        return self._executor().play(order, cancel)

    def _taken_up(self, order: Order) -> Ending | None:
        return self._watched(order.run, lambda cancel: self._executor().take_up(order, cancel), order.acts)

    def _watched(
        self, run: str, play: Callable[[threading.Event], Ending | None], acts: bool, anew: bool = False
    ) -> Ending | None:
        """Play, so that it can be canceled; ``anew``: where that was before it acted, its episode can be queued again."""
        cancel = threading.Event()
        with self._lock:
            self._running[run] = cancel
        told: Ending | None
        try:
            told = play(cancel)
        except Fenced:
            told = Ending(CUT_OFF, "its node had no lease any more when it was about to begin")
        except OncallError as error:
            told = Ending(Outcome.UNKNOWN, f"it could not be begun: {error}")
        except Exception as error:
            # Whatever it is, the episode has to come to an end that a person sees.
            outcome = INTERRUPTED if acts else Outcome.UNKNOWN
            told = Ending(outcome, f"it could not be played to its end: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._running.pop(run, None)
        if cancel.is_set() and self.going_down and (told is None or told.outcome in (CANCELED, INTERRUPTED)):
            if anew and told is not None and told.outcome == CANCELED:
                return Ending(CUT_OFF, "cut off before it acted")
            raise Cut
        return told

    def give_up(self, run: str) -> None:
        """End a run whose workflow has ended without a word."""
        row, _episode = self._known(run)
        if row is not None:
            outcome = INTERRUPTED if row.acts and row.began_at is not None else Outcome.UNKNOWN
            unsaid = Ending(outcome, "its workflow has ended without saying how; the log may tell more")
            self.conclude(run, self._told.get(run) or _json(unsaid))

    def conclude(self, run: str, told: str) -> None:
        """Write down what came of a run, once."""
        found = _read(told)
        row, episode = self._insist(lambda: self._known(run))
        if row is None or episode is None or row.ended_at is not None:
            self._told.pop(run, None)
            return
        now = time.time()
        values: dict[str, Any] = {
            "outcome": found.outcome,
            "summary": found.summary,
            "reason": "",
            "plan_hash": ",".join(found.plan_hashes),
            "result": json.dumps(found.result) if found.result else "",
            "state": "ended",
            "ended_at": now,
        }
        if found.outcome == CUT_OFF:
            values = self._after_cut_off(episode, found.summary, now)
        asked_seconds = self._may_be_asked(found) if row.acts or episode["mode"] == "approve" else 0
        if asked_seconds and (why := self._rejected_before(episode, values["plan_hash"])):
            values.update(outcome=CANCELED, summary=why, note=f"{HELD}{why}"[:MOST_NOTE])
        elif asked_seconds:
            values.update(state="waiting", ended_at=None, until=now + asked_seconds)
        self._insist(lambda: self._store.conclude(run, found.outcome, found.helped, row.episode, values))
        self._told.pop(run, None)
        seconds = now - (row.began_at or now) - found.queued_seconds
        self._ended(row.runbook, values.get("outcome", found.outcome), max(0.0, seconds))

    def _rejected_before(self, episode: dict[str, Any], plan_hash: str) -> str:
        """Who rejected the same plan for another alert of the same incident, when and why; "" where nobody has.

        Nobody is asked the same again. Another plan is another question.
        """
        found = self._insist(lambda: self._store.said_before(episode["id"], plan_hash, DECLINED)) if plan_hash else None
        if found is None:
            return ""
        reason = found["summary"].removeprefix(found["note"])
        return f"{found['note']} at {moment(found['ended_at'])} (episode {found['id'][:12]}){reason}"

    def _may_be_asked(self, found: Ending) -> float:
        """How long a person is asked about the plans of a run; 0 where nobody is."""
        if found.outcome not in (Outcome.PLANNED, Outcome.BLOCKED):
            return 0
        routes = [route for route in map(self._route, found.planned) if route and route.mode in ("approve", "auto")]
        return min((route.approve_seconds for route in routes), default=0)

    def _after_cut_off(self, episode: dict[str, Any], summary: str, now: float) -> dict[str, Any]:
        """What becomes of an episode whose run was cut off before it acted: it is queued again, but not for ever."""
        if episode["cancel"]:
            return {"state": "ended", "outcome": CANCELED, "summary": episode["cancel"], "ended_at": now}
        runs = self._insist(lambda: self._store.runs(episode["id"]))
        times = 1 + sum(run["outcome"] == CUT_OFF for run in runs)
        if times < MOST_CUT_OFF:
            return {"state": "queued", "reason": summary}
        ends = f"{summary}, {times} times; a person has to find out what cuts it off"
        return {"state": "ended", "outcome": INTERRUPTED, "summary": ends, "ended_at": now}


def _json(told: Ending) -> str:
    return json.dumps(asdict(told), default=str)


def _read(told: str) -> Ending:
    data = json.loads(told)
    return Ending(**{**data, "planned": tuple(data["planned"]), "plan_hashes": tuple(data["plan_hashes"])})

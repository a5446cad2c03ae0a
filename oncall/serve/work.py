# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable workflow of a run: play, then write down what came of it.

A workflow that was cut off is begun again by DBOS, wherever it stopped. A playbook that may have changed something is not:
the run that finds itself begun before only looks, and leaves the rest to a person.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import OncallError
from ..results import Outcome
from .store import Store

INTERRUPTED = "interrupted"
CANCELED = "canceled"


@dataclass(frozen=True)
class Order:
    """A run to be played.

    Attributes:
        run: names it and its record.
        acts: whether it may change something.
        plan_hashes: if it acts, only on plans that are these.
    """

    run: str
    runbook: str
    host: str
    acts: bool
    plan_hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What came of it.

    Attributes:
        outcome: one of `oncall.Outcome`, or ``interrupted`` or ``canceled``.
        helped: whether a remedy was proven to have helped; None where none was applied.
        plan_hashes: of the plans that a person can approve.
        result: the document of the run.
    """

    outcome: str
    summary: str
    helped: bool | None = None
    plan_hashes: tuple[str, ...] = ()
    result: dict[str, Any] | None = None


class Executor(Protocol):
    """Plays a runbook on one host."""

    def play(self, order: Order, cancel: threading.Event) -> Told:
        """To its end. OncallError where it could not be begun."""

    def take_up(self, order: Order, cancel: threading.Event) -> Told | None:
        """The same run after a crash, if it goes on without this service; None where it does not."""


class Cut(BaseException):
    """This node goes down in the midst of a run: nothing may be written about it any more."""


class Work:
    """Plays what was admitted on this node.

    Args:
        store: the database.
        executor: plays.
        node: what this node is called.
        approve_seconds: runbook -> how long a person has to agree.
        ended: called after each run with its runbook, outcome and seconds.
    """

    def __init__(
        self,
        store: Store,
        executor: Callable[[], Executor],
        node: str,
        approve_seconds: Callable[[str], float],
        ended: Callable[[str, str, float], None],
    ) -> None:
        self._store, self._executor, self._node = store, executor, node
        self._approve_seconds, self._ended = approve_seconds, ended
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.going_down = False

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
        row = self._store.run(run)
        episode = self._store.episode(row.episode) if row else None
        if row is None or episode is None:
            return _json(Told(Outcome.UNKNOWN, "the database does not know this run any more"))
        first = self._store.begin(run, self._node, time.time())
        hashes = tuple(filter(None, episode["plan_hash"].split(","))) if row.acts else ()
        order = Order(run, row.runbook, row.host, row.acts, hashes)
        if first or not row.acts:
            return _json(self._played(order))
        taken_up = self._taken_up(order)
        if taken_up is not None and taken_up.outcome != Outcome.UNKNOWN:
            return _json(taken_up)
        looked = self._played(Order(f"{run}x", row.runbook, row.host, acts=False))
        what = f"cut off while it was acting, and not begun again; now {looked.outcome}: {looked.summary}"
        return _json(Told(INTERRUPTED, what, result=looked.result))

    def _played(self, order: Order) -> Told:
        told = self._watched(order, lambda cancel: self._executor().play(order, cancel))
        assert told is not None
        return told

    def _taken_up(self, order: Order) -> Told | None:
        return self._watched(order, lambda cancel: self._executor().take_up(order, cancel))

    def _watched(self, order: Order, play: Callable[[threading.Event], Told | None]) -> Told | None:
        cancel = threading.Event()
        with self._lock:
            self._running[order.run] = cancel
        told: Told | None
        try:
            told = play(cancel)
        except OncallError as error:
            told = Told(Outcome.UNKNOWN, f"it could not be begun: {error}")
        except Exception as error:
            # Whatever it is, the episode has to come to an end that a person sees.
            told = Told(Outcome.UNKNOWN, f"it could not be played: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                del self._running[order.run]
        if cancel.is_set() and self.going_down:
            raise Cut
        return told

    def conclude(self, run: str, told: str) -> None:
        """Write down what came of a run, once."""
        found = _read(told)
        row = self._store.run(run)
        episode = self._store.episode(row.episode) if row else None
        if row is None or episode is None or row.ended_at is not None:
            return
        now = time.time()
        values: dict[str, Any] = {
            "outcome": found.outcome,
            "summary": found.summary,
            "plan_hash": ",".join(found.plan_hashes),
            "result": json.dumps(found.result) if found.result else "",
            "state": "ended",
            "ended_at": now,
        }
        if not row.acts and episode["mode"] == "approve" and found.outcome == Outcome.PLANNED and found.plan_hashes:
            values.update(state="waiting", ended_at=None, until=now + self._approve_seconds(row.runbook))
        self._store.conclude(run, found.outcome, found.helped, row.episode, values)
        self._ended(row.runbook, found.outcome, now - (row.began_at or now))


def _json(told: Told) -> str:
    return json.dumps(
        {
            "outcome": str(told.outcome), "summary": told.summary, "helped": told.helped,
            "plan_hashes": [*told.plan_hashes], "result": told.result,
        }, default=str,
    )  # fmt: skip


def _read(told: str) -> Told:
    data = json.loads(told)
    return Told(data["outcome"], data["summary"], data["helped"], tuple(data["plan_hashes"]), data["result"])

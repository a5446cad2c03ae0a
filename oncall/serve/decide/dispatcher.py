# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns notifications into episodes and episodes into runs, as the limits allow. Whatever it does, doing it twice is doing it once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ... import inventory
from ...errors import first_line
from .. import memory
from ..intake.alerts import kept
from ..intake.routing import Sorted, sort
from ..settings import Route, Settings
from ..store.decision import Decision
from ..store.lease import Peer
from ..store.queues import Queue
from ..store.statements import Store
from .pruning import DAY_SECONDS, Pruning
from .rules import Past, Waiting, in_turn, mode_now, why_not, why_not_act
from .shared import Share, answered_by, given, over_since, sharers, why_not_yet
from .silences import Silences

LOG = logging.getLogger("oncall.dispatcher")
# Others change the database too: a person, another node.
LOOK_EVERY_SECONDS = 2.0
REST_SECONDS = 0.2
TIDY_SECONDS = 10.0
SAY_AGAIN_SECONDS = 60.0
NOTIFICATIONS_AT_ONCE = 500
EPISODES_AT_ONCE = 2000
# Of the time, at most the tenth part is spent on looking through all that is queued; what came since is among the newest.
LOOKS_PART = 10
NEWEST = 500
REASONS_A_TURN = 4
# In the state directory: pauses everything, with its content as the reason.
PAUSE_FILE = "pause"
PAUSED = "paused"


@dataclass(frozen=True)
class Node:
    """What this node does for the dispatcher.

    Attributes:
        name: what it is called.
        check: raises where this node may do nothing now.
        gone: the nodes that are gone, as they were seen, of which runs are left.
        take_over: has this node see to what they left.
        begin: begins a run that was admitted.
        any_running: whether a run is played here.
        cancel: kills a run that is played here.
        expired: called with the runbook of a plan that nobody agreed to in time.
        forget: drops what is kept elsewhere of runs.
        tidy: what else has to be done now and then.
        attach: brings what is new to its incidents; whether there may be more.
    """

    name: str
    check: Callable[[], None]
    gone: Callable[[], Collection[Peer]]
    take_over: Callable[[], None]
    begin: Callable[[str], None]
    any_running: Callable[[], bool]
    cancel: Callable[[str], None]
    expired: Callable[[str], None]
    forget: Callable[[Sequence[str]], None]
    tidy: Callable[[], None]
    attach: Callable[[], bool] = field(default=lambda: False)


class Dispatcher:
    """The one loop of a node.

    Args:
        store: the database.
        settings: what is in force now.
        names: what the inventory names now; its argument asks for a fresh look.
        silences: asks Alertmanager.
        node: this one.
    """

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        names: Callable[[bool], inventory.Names],
        silences: Silences,
        node: Node,
    ) -> None:
        self._store, self._settings, self._names, self._silences = store, settings, names, silences
        self._node = node
        self._pruning = Pruning(store, node.name)
        self._wake = threading.Event()
        self._over = threading.Event()
        self._next_tidy = self._look_again_at = self._said_at = 0.0
        self._queues: Sequence[Queue] = ()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)
        # When the loop came round last: a loop that hangs must be seen.
        self.turned_at = time.monotonic()
        self.failure = ""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing more."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _loop(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self.turn()
                self.failure = ""
            except Exception as error:
                # The database may be away for a while; what is kept there waits.
                self._failed(f"{type(error).__name__}: {first_line(error)}")
                self._over.wait(LOOK_EVERY_SECONDS)
            self.turned_at = time.monotonic()
            # What comes meanwhile is sorted together, and acknowledging has the processor.
            self._over.wait(REST_SECONDS)
            self._wake.wait(LOOK_EVERY_SECONDS)

    def _failed(self, failure: str) -> None:
        """Say so at once, and each minute."""
        if failure != self.failure or time.monotonic() - self._said_at > SAY_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            LOG.error("the dispatcher could not do its work: %s", failure)
        self.failure = failure

    def turn(self) -> None:
        """Everything once."""
        self._node.check()
        # First: what a newer program left is not for this one.
        self._store.check_schema()
        self._node.take_over()
        if self._sort_some():
            # There may be more, after the rest in which more are acknowledged.
            self._wake.set()
        self.cancel_wanted()
        now = time.time()
        self._expire(now)
        for run in self._admit(now):
            self._begin_or_put_back(run)
        # Last: it is never in the way of a fix.
        if self._node.attach():
            self._wake.set()
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + TIDY_SECONDS
            self._store.forget(self._pruning.before(self._settings().keep_days * DAY_SECONDS), self._node.forget)
            self._node.tidy()
            memory.give_back()

    def cancel_wanted(self) -> None:
        """Kill the runs of this node that a person wants to end."""
        for run, reason in self._store.canceled(self._node.name) if self._node.any_running() else ():
            LOG.info("run %s is canceled: %s", run, reason)
            self._node.cancel(run)

    def _begin_or_put_back(self, run: str) -> None:
        try:
            self._node.begin(run)
        except Exception as error:
            LOG.error("run %s could not be begun, and is queued again: %s", run, first_line(error))
            self._store.put_back(self._node.name, run)

    # ------------------------------------------------------------------ notifications
    def _sort_some(self) -> bool:
        """Sort the oldest notifications; whether there were any."""
        rows = self._store.inbox(NOTIFICATIONS_AT_ONCE)
        if not rows:
            return False
        settings = self._settings()
        for again in (False, True):
            known = self._names(again)
            parts = []
            for _id, received_at, body in rows:
                notification = kept(body)
                told = notification.each(), notification.bad
                parts.append(sort(*told, settings, known, received_at, notification.left_out))
            # A host that is new in the inventory is no stranger.
            if not any(part.strangers for part in parts):
                break
        numbers = [row[0] for row in rows]
        for first, end in _until_one_fires_again(parts):
            if not self._sorted(numbers[first:end], parts[first:end]):
                # Read anew: another node has some of them, and perhaps what came since.
                break
        return True

    def _sorted(self, numbers: Sequence[int], parts: Sequence[Sorted]) -> bool:
        """Write down what became of notifications; False where another node has done so with some of them."""
        firing = {row["id"]: row for part in reversed(parts) for row in part.firing}
        over = {episode: at for part in parts for episode, at in part.resolved}
        aside: dict[str, dict[str, object]] = {}
        for part in parts:
            for row in part.aside:
                aside[row["id"]] = row if row["id"] not in aside else {
                    **row, "first_at": aside[row["id"]]["first_at"], "count": aside[row["id"]]["count"] + 1,  # type: ignore[operator]
                }  # fmt: skip
        new = self._store.sort(
            numbers,
            [*firing.values()],
            [*over.items()],
            [*aside.values()],
            {name: at for part in parts for name, at in part.seen.items()},
        )
        if new is not None:
            LOG.info(
                "%d notifications sorted: %d new episodes, %d put aside, %d of runbooks that are off",
                len(numbers), new, len(aside), sum(part.off for part in parts),
            )  # fmt: skip
        return new is not None

    # ------------------------------------------------------------------ episodes
    def _expire(self, now: float) -> None:
        most = max((route.approve_seconds for route in self._settings().runbooks.values()), default=0)
        # A clock that was ahead would have a question be open for as long as it was, and others wait for it.
        self._store.wait_until(now + most)
        for one in self._store.end_waiting(now) if self._store.waited_enough(now) else ():
            if one["outcome"] == "expired":
                self._node.expired(one["runbook"])
            LOG.warning("episode %s: %s", one["id"], one["summary"])

    def paused(self, settings: Settings) -> str:
        """Why everything is paused; "" where it is not."""
        file = Path(settings.state_directory, PAUSE_FILE)
        try:
            return file.read_text(encoding="utf-8", errors="replace").strip()[:300] or f"the file {file} is there"
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                return f"the file {file} cannot be read: {error.strerror}"
            return self._store.controls().get(PAUSED, ("", 0.0))[0]

    def _admit(self, now: float) -> list[str]:
        """Begin what may begin; the runs."""
        # Not in the one decision: only a look whether there is anything to decide.
        if not self._store.any_queued():
            return []
        settings, known = self._settings(), self._names(False)
        if paused := self.paused(settings):
            self._store.hold_all(f"paused: {paused}")
            return []
        gone = self._node.gone()
        if self._store.running([peer.node for peer in gone]) >= settings.limits.running:
            # While every place is taken, nothing has to be decided.
            return []
        silenced = self._silences.ask(settings)
        # Not in the one decision, for which acknowledgements wait: what is found here is looked at again there.
        queues, newest = self._queued(silenced)
        runs: list[str] = []
        held: dict[str, str] = {}
        reasons: dict[str, list[str]] = {}
        with self._store.decision() as decision:
            past = decision.past(now, gone)
            ids = dict.fromkeys([*(name for queue in queues for name in queue.ids), *newest])
            waiting = decision.waiting([*ids])
            asks, shares = decision.asks(), decision.shares([one.episode for one in waiting])
            for one in in_turn(waiting, decision.began(now)):
                looked = shares.get(one.episode, ())
                if over := self._over_already(one, known, looked):
                    decision.end(one, "closed", now, summary=over)
                    continue
                route = settings.runbooks.get(one.runbook)
                reason = why_not(one, past, settings, known.members, now)
                if not reason:
                    one = self._in_mode(one, decision, settings)
                    reason = self._why_not(one, past, settings, known, now, silenced)
                    reason = reason or why_not_yet(one, asks, looked, route, now)
                if reason:
                    held[one.episode] = reason
                    if reason != one.reason:
                        reasons.setdefault(reason, []).append(one.episode)
                    continue
                if self._answered(one, looked, route, decision, now):
                    continue
                runs.append(decision.admit(one, self._node.name, now))
                decision.share(runs[-1], given(route), sharers(one, waiting))
                past = past.and_now(one, now)
            decision.hold(reasons)
        for queue in queues:
            reason = next((held[name] for name in reversed(queue.ids) if name in held), "")
            # Of a look a moment ago, it may be said already.
            if reason and queue.count > len(queue.ids) and {*queue.reasons} != {reason}:
                # What is left gets its reason in the next turns: an acknowledgement must not wait for all of it.
                for _ in range(REASONS_A_TURN):
                    if not self._store.hold_queue(queue, reason, silenced):
                        break
                else:
                    self._wake.set()
        return runs

    def _queued(self, silenced: Mapping[str, str]) -> tuple[Sequence[Queue], Sequence[str]]:
        """The queues, as they were a moment ago where looking through them takes long, and the newest of all."""
        began = time.monotonic()
        if began >= self._look_again_at:
            self._queues = self._store.queues(EPISODES_AT_ONCE, silenced)
            ended = time.monotonic()
            self._look_again_at = ended + LOOKS_PART * (ended - began)
        return self._queues, self._store.newest(NEWEST)

    def _answered(
        self, one: Waiting, looked: Sequence[Share], route: Route | None, decision: Decision, now: float
    ) -> bool:
        """End an episode that a run has looked for already, where another look could only say the same."""
        share = answered_by(one, looked, route)
        if share is None or share.answer is None:
            return False
        note = f"answered by run {share.run}, which looked after this alert had come"
        decision.end(one, share.outcome, now, note=note, **share.answer)
        LOG.info("episode %s is %s", one.episode, note)
        return True

    def _over_already(self, one: Waiting, known: inventory.Names, looked: Sequence[Share]) -> str:
        if one.resolved:
            run = over_since(looked)
            return f"the alert is over since run {run}" if run else "the alert was over before it was its turn"
        return "" if one.host in known.hosts else f"{one.host} is not in the inventory any more"

    def _why_not(
        self,
        one: Waiting,
        past: Past,
        settings: Settings,
        known: inventory.Names,
        now: float,
        silenced: Mapping[str, str],
    ) -> str:
        if one.mode == "off":
            return f"the mode of {one.runbook} is off now"
        if one.agreed and one.acts and one.mode == "suggest":
            return f"the mode of {one.runbook} is suggest now"
        if not one.acts:
            return ""
        reason = why_not_act(one, past, settings, known.members, now)
        return reason or silenced.get(one.fingerprint) or silenced.get("", "")

    def _in_mode(self, one: Waiting, decision: Decision, settings: Settings) -> Waiting:
        """The same, in the mode that it may have now."""
        route = settings.runbooks.get(one.runbook)
        asks = one.mode == "auto" and one.acts and not one.agreed and route is not None
        not_helped = decision.not_helped(one.runbook, one.host, route.max_not_helped) if asks and route else 0
        mode = mode_now(one, route, not_helped)
        if mode == one.mode:
            return one
        if mode == "off" or one.agreed:
            # Not for good: the settings may change again.
            return replace(one, mode=mode)
        if not_helped:
            LOG.warning(
                "%s on %s: %d remedies in a row did not help; a person is asked", one.runbook, one.host, not_helped
            )
        return decision.only_look(one, mode)


def _until_one_fires_again(parts: Sequence[Sorted]) -> Iterator[tuple[int, int]]:
    """Notifications that can be sorted together: a next part begins where an alert fires that was over, for that it was over counts."""
    over: set[str] = set()
    first = 0
    for place, part in enumerate(parts):
        if any(row["id"] in over for row in part.firing):
            yield first, place
            first = place
            over.clear()
        over.update(episode for episode, _at in part.resolved)
    yield first, len(parts)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workflow does with a run that was cut off: what the executor knows of it -> what becomes of the episode."""

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.tests.support.stores import first, new_store
from oncall.serve.play.player import CUT_OFF, MOST_CUT_OFF, Cut, Ending, Order, Player
from oncall.serve.settings import Route

EPISODE = {
    "id": "e", "runbook": "cache", "host": "h", "fingerprint": "ab", "alert": "{}", "state": "queued",
    "received_at": 100.0, "seen_at": 100.0, "queued_at": 100.0,
}  # fmt: skip
LOOKED = Ending("healthy", "Redis answers")
ROUTES = {
    "cache": Route(mode="auto", approve_seconds=60), "crash_loop": Route(mode="approve", approve_seconds=30),
    "disk_full": Route(mode="suggest"),
}  # fmt: skip


class Here:
    """A node that is alone."""

    number, file = 0, ""

    def check(self):
        pass


class Knows:
    """An executor that plays nothing, and says of a run after a crash what it is told to."""

    def __init__(self, taken_up: Ending | None) -> None:
        self.taken_up = taken_up
        self.played: list[bool] = []

    def play(self, order, _cancel):
        self.played.append(order.acts)
        return LOOKED

    def take_up(self, _order, _cancel):
        return self.taken_up


def cut_off(tmp_path, taken_up: Ending | None, acts: bool = True, before: int = 0, cancel: str = ""):
    """The episode, its last run and whether each play acted, where runs were cut off ``before`` and now another one was."""
    store = new_store(tmp_path / "state")
    executor = Knows(None)
    player = Player(
        store, lambda: executor, "one", Here(), ROUTES.get, lambda *_asked: (), lambda *told: metrics.append(told[1])
    )
    metrics: list[str] = []
    try:
        stage = "act" if acts else "check"
        store.sort([], [{**EPISODE, "mode": "auto" if acts else "suggest", "stage": stage}], [], [], {})
        for executor.taken_up in [*[Ending(CUT_OFF, "cut off")] * before, taken_up]:
            with store.decision() as decision:
                run = decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
            assert store.begin(run, "one", 0, 201.0)
            if cancel:
                store.change("e", "running", {"cancel": cancel})
            player.conclude(run, player.play(run))
        return store.episode("e"), store.run(run), executor.played, metrics[-1]
    finally:
        store.close()


GONE = Ending(CUT_OFF, "cut off")


@pytest.mark.parametrize(
    ("acts", "taken_up", "before", "state", "outcome", "of_the_run", "metric", "played"),
    [
        pytest.param(False, None, 0, "ended", "healthy", "healthy", "healthy", [False], id="looked"),
        pytest.param(True, None, 0, "ended", "interrupted", "interrupted", "interrupted", [False], id="nobody knows"),
        pytest.param(True, Ending("unknown", "?"), 0, "ended", "interrupted", "interrupted", "interrupted", [False], id="unknown"),
        pytest.param(True, Ending("unknown", "the job never began", nothing_ran=True), 0, "ended", "unknown", "unknown", "unknown", [],
                     id="nothing ran"),
        pytest.param(True, Ending("resolved", "."), 0, "ended", "resolved", "resolved", "resolved", [], id="went on elsewhere"),
        pytest.param(True, GONE, 0, "queued", "", CUT_OFF, CUT_OFF, [], id="had not acted"),
        pytest.param(True, GONE, MOST_CUT_OFF - 2, "queued", "", CUT_OFF, CUT_OFF, [], id="not for the last time"),
        pytest.param(True, GONE, MOST_CUT_OFF - 1, "ended", "interrupted", CUT_OFF, "interrupted", [], id="again and again"),
    ],
)  # fmt: skip
def test_cut_off(tmp_path, acts, taken_up, before, state, outcome, of_the_run, metric, played):
    episode, run, plays, counted = cut_off(tmp_path, taken_up, acts, before)
    assert (episode["state"], episode["outcome"], run.outcome, plays) == (state, outcome, of_the_run, played)
    assert (counted, run.ended_at is not None) == (metric, True)


def test_what_a_person_canceled_meanwhile_is_not_queued_again(tmp_path):
    episode, *_ = cut_off(tmp_path, GONE, cancel="enough")
    assert (episode["state"], episode["outcome"], episode["summary"]) == ("ended", "canceled", "enough")


class Stops:
    """An executor whose run is killed as the service goes down, before or after it acted."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome

    def play(self, _order, cancel):
        cancel.set()
        return Ending(self.outcome, "killed")


@pytest.mark.parametrize(("outcome", "state"), [("canceled", "queued"), ("interrupted", "running")])
def test_killed_as_the_service_goes_down(tmp_path, outcome, state):
    store = new_store(tmp_path / "state")
    try:
        store.sort([], [{**EPISODE, "mode": "auto", "stage": "act"}], [], [], {})
        with store.decision() as decision:
            run = decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
        player = Player(
            store, lambda: Stops(outcome), "one", Here(), ROUTES.get, lambda *_asked: (), lambda *_told: None
        )
        player.going_down = True
        if state == "queued":
            player.conclude(run, player.play(run))
        else:
            with pytest.raises(Cut):
                player.play(run)
        assert store.episode("e")["state"] == state
    finally:
        store.close()


class Tells:
    """An executor that plays nothing and tells what it is told to."""

    def __init__(self, told: Ending) -> None:
        self.told = told
        self.orders: list[Order] = []

    def play(self, order, _cancel):
        self.orders.append(order)
        return self.told


@pytest.mark.parametrize(
    ("mode", "outcome", "planned", "state", "seconds"),
    [
        pytest.param("approve", "planned", ("cache",), "waiting", 60, id="its own plan"),
        pytest.param("suggest", "planned", ("cache",), "ended", 0, id="only a suggestion"),
        pytest.param("approve", "planned", ("disk_full",), "ended", 0, id="handed over to one that only suggests"),
        pytest.param("approve", "planned", ("disk_full", "crash_loop"), "waiting", 30, id="and to one that asks"),
        pytest.param("approve", "planned", ("api_down",), "ended", 0, id="handed over to one that is off"),
        pytest.param("approve", "planned", (), "ended", 0, id="nothing to agree to"),
        pytest.param("auto", "blocked", ("crash_loop",), "waiting", 30, id="acted, and handed over to one that asks"),
        pytest.param("auto", "blocked", ("disk_full",), "ended", 0, id="acted, and handed over to one that only suggests"),
        pytest.param("auto", "blocked", (), "ended", 0, id="blocked by something else"),
        pytest.param("auto", "unresolved", ("crash_loop",), "ended", 0, id="it did not help"),
    ],
)  # fmt: skip
def test_who_is_asked_about_a_plan(tmp_path, mode, outcome, planned, state, seconds):
    store = new_store(tmp_path / "state")
    told = Ending(outcome, "as told", planned=planned, plan_hashes=tuple(f"p{name}" for name in planned))
    executor = Tells(told)
    player = Player(
        store, lambda: executor, "one", Here(), ROUTES.get, lambda host, agreed: (host, str(agreed)), lambda *_: None
    )
    try:
        store.sort([], [{**EPISODE, "mode": mode, "stage": "act" if mode == "auto" else "check"}], [], [], {})
        with store.decision() as decision:
            run = decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
        before = time.time()
        player.conclude(run, player.play(run))
        episode = store.episode("e")
        assert (episode["state"], episode["outcome"]) == (state, outcome)
        assert episode["plan_hash"] == ",".join(told.plan_hashes)
        assert bool(episode["until"]) == bool(seconds)
        assert not seconds or before + seconds <= episode["until"] <= time.time() + seconds
        assert executor.orders[0].may_act == (("h", "False") if mode == "auto" else ())
    finally:
        store.close()


class Breaks:
    """An executor that cannot open a file any more, in the midst of a run."""

    def play(self, _order, _cancel):
        raise OSError(24, "Too many open files")


@pytest.mark.parametrize(("acts", "outcome"), [(True, "interrupted"), (False, "unknown")])
def test_one_that_broke_in_the_midst_may_have_acted(tmp_path, acts, outcome):
    store = new_store(tmp_path / "state")
    player = Player(store, Breaks, "one", Here(), ROUTES.get, lambda *_asked: (), lambda *_told: None)
    try:
        store.sort([], [{**EPISODE, "mode": "auto", "stage": "act" if acts else "check"}], [], [], {})
        with store.decision() as decision:
            run = decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
        player.conclude(run, player.play(run))
        episode = store.episode("e")
        assert (episode["state"], episode["outcome"]) == ("ended", outcome)
        assert "Too many open files" in episode["summary"]
    finally:
        store.close()


def test_what_an_executor_tells_is_in_the_episode_while_the_run_goes_on_and_its_waiting_is_not_the_runs_time(tmp_path):
    store = new_store(tmp_path / "state")
    seen: list[str] = []
    seconds: list[float] = []

    class Waits:
        def play(self, order, _cancel):
            order.tell("AWX job 7 goes on: https://awx.example/7")
            seen.append(store.episode("e")["reason"])
            return Ending("healthy", "Redis answers", queued_seconds=1_000_000.0)

    player = Player(store, Waits, "one", Here(), ROUTES.get, lambda *_asked: (), lambda *told: seconds.append(told[2]))
    try:
        store.sort([], [{**EPISODE, "mode": "suggest", "stage": "check"}], [], [], {})
        with store.decision() as decision:
            run = decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
        player.conclude(run, player.play(run))
        episode = store.episode("e")
    finally:
        store.close()
    assert seen == ["AWX job 7 goes on: https://awx.example/7"]
    assert (episode["reason"], episode["summary"], seconds) == ("", "Redis answers", [0.0])

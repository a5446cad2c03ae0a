# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workflow does with a run that was cut off: what the executor knows of it -> what becomes of the episode."""

from __future__ import annotations

import pytest

from oncall.serve.database import url_of
from oncall.serve.store import Store
from oncall.serve.work import CUT_OFF, MOST_RUNS, Told, Work

EPISODE = {
    "id": "e", "runbook": "cache", "host": "h", "fingerprint": "ab", "alert": "{}", "state": "queued",
    "received_at": 100.0, "seen_at": 100.0, "queued_at": 100.0,
}  # fmt: skip
LOOKED = Told("healthy", "Redis answers")


class Knows:
    """An executor that plays nothing, and says of a run after a crash what it is told to."""

    def __init__(self, taken_up: Told | None) -> None:
        self.taken_up = taken_up
        self.played: list[bool] = []

    def play(self, order, _cancel):
        self.played.append(order.acts)
        return LOOKED

    def take_up(self, _order, _cancel):
        return self.taken_up


def cut_off(tmp_path, taken_up: Told | None, acts: bool = True, runs: int = 1, cancel: str = ""):
    """The episode and the outcome of its run, and whether each play acted, where the run had begun before."""
    store = Store(url_of("", str(tmp_path / "state")))
    try:
        stage = "act" if acts else "check"
        store.sort(
            [], [{**EPISODE, "mode": "auto" if acts else "suggest", "stage": stage, "runs": runs - 1}], [], [], {}
        )
        with store.admitting() as admitting:
            run = admitting.admit(admitting.waiting(1)[0], "one", 200.0)
        assert store.begin(run, "one", 201.0)
        if cancel:
            store.change("e", "running", {"cancel": cancel})
        executor = Knows(taken_up)
        work = Work(store, lambda: executor, "one", lambda _runbook: 60.0, lambda *_told: None)
        work.conclude(run, work.play(run))
        return store.episode("e"), store.run(run), executor.played
    finally:
        store.close()


@pytest.mark.parametrize(
    ("acts", "taken_up", "runs", "state", "outcome", "run_outcome", "played"),
    [
        pytest.param(False, None, 1, "ended", "healthy", "healthy", [False], id="looked"),
        pytest.param(True, None, 1, "ended", "interrupted", "interrupted", [False], id="nobody knows"),
        pytest.param(True, Told("unknown", "?"), 1, "ended", "interrupted", "interrupted", [False], id="unknown"),
        pytest.param(True, Told("resolved", "it runs"), 1, "ended", "resolved", "resolved", [], id="went on elsewhere"),
        pytest.param(True, Told(CUT_OFF, "cut off"), 1, "queued", "", CUT_OFF, [], id="had not acted"),
        pytest.param(True, Told(CUT_OFF, "cut off"), MOST_RUNS - 1, "queued", "", CUT_OFF, [], id="not for the last time"),
        pytest.param(True, Told(CUT_OFF, "cut off"), MOST_RUNS, "ended", "interrupted", CUT_OFF, [], id="again and again"),
    ],
)  # fmt: skip
def test_cut_off(tmp_path, acts, taken_up, runs, state, outcome, run_outcome, played):
    episode, run, plays = cut_off(tmp_path, taken_up, acts, runs)
    assert (episode["state"], episode["outcome"], run.outcome, plays) == (state, outcome, run_outcome, played)
    assert run.ended_at is not None


def test_what_a_person_canceled_meanwhile_does_not_run_again(tmp_path):
    episode, _run, _plays = cut_off(tmp_path, Told(CUT_OFF, "cut off"), cancel="enough")
    store = Store(url_of("", str(tmp_path / "state")))
    try:
        with store.admitting() as admitting:
            run = admitting.admit(admitting.waiting(1)[0], "one", 300.0)
        executor = Knows(None)
        work = Work(store, lambda: executor, "one", lambda _runbook: 60.0, lambda *_told: None)
        work.conclude(run, work.play(run))
        assert (store.episode("e")["outcome"], executor.played) == ("canceled", [])
    finally:
        store.close()
    assert episode["state"] == "queued"

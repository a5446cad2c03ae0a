# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two alerts of one incident, through rounds of the dispatcher on a real database: which run answers which alert, and which never does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification
from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from oncall.inventory import Names
from oncall.serve.decide.dispatcher import Dispatcher, Node
from oncall.serve.intake.alerts import read
from oncall.serve.settings import Settings, parse
from oncall.serve.store.statements import Store

HOSTS = frozenset({"h0", "h1"})
KNOWN = Names(HOSTS, frozenset({"all"}), {"all": HOSTS})
FIRST, SECOND = "a" * 20, "b" * 20


class NobodyIsSilent:
    def ask(self, _settings: Settings) -> dict[str, str]:
        return {}


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    store = new_store(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
def turn(store, tmp_path) -> Callable[..., list[str]]:
    """One round, with these settings of the runbook; the runs that begin in it."""

    def turn(mode: str = "auto", more: str = "") -> list[str]:
        text = f"inventories: [a]\nstate_directory: {tmp_path}/state\nrunbooks: {{cache: {{mode: {mode}{more}}}, db_pool: {{mode: {mode}}}}}\n"
        settings = parse(f"{text}limits: {{groups: {{}}}}\n", Path("/serve.yml"))
        begun: list[str] = []
        node = Node(
            "one", lambda: None, tuple, lambda: None, begun.append, lambda: False, lambda _run: None, lambda _runbook: None, lambda _runs: None,
            lambda: None,
        )  # fmt: skip
        asked: Any = NobodyIsSilent()
        Dispatcher(store, lambda: settings, lambda _again: KNOWN, asked, node).turn()
        return begun

    return turn


def fires(store: Store, *names: str, mode: str = "auto", at: float = 100.0, **changed: Any) -> None:
    stage = "act" if mode == "auto" else "check"
    rows = [
        {
            "id": name, "runbook": "cache", "host": "h0", "fingerprint": name[:1], "alert": "{}", "mode": mode,
            "state": "queued", "stage": stage, "received_at": at + place, "seen_at": time.time(), "queued_at": at + place, **changed,
        }
        for place, name in enumerate(names)
    ]  # fmt: skip
    store.sort([], rows, [], [], {})


def over(store: Store, name: str) -> None:
    store.sort([], [], [(name, time.time())], [], {})


def ends(store: Store, run: str, outcome: str, **values: Any) -> None:
    """A run comes to its end."""
    store.begin(run, "one", 0, time.time())
    ended = {"state": "ended", "outcome": outcome, "summary": f"it is {outcome}", "ended_at": time.time(), **values}
    store.conclude(run, outcome, {}, run.partition("r")[0], ended)


def asks(store: Store, run: str, **values: Any) -> None:
    """A run found a plan that a person is asked about."""
    plan = {"plan_hash": "p1", "until": time.time() + 3600, "ended_at": None}
    ends(store, run, "planned", state="waiting", **plan, **values)


def agree(store: Store, name: str) -> None:
    agreed = {"state": "queued", "stage": "act", "until": None, "queued_at": time.time()}
    assert store.change(name, "waiting", agreed)


def later(store: Store, run: str, seconds: float) -> None:
    """As if a run had ended earlier."""
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE oncall_runs SET ended_at = ended_at - {seconds} WHERE id = '{run}'")


def state(store: Store, name: str) -> tuple[str, str]:
    told = store.episode(name)
    assert told is not None
    return told["state"], told["outcome"] or told["reason"]


# ---------------------------------------------------------------------- a remedy was proven
def test_what_another_run_resolved_has_time_to_end_and_needs_no_run(store, turn):
    fires(store, FIRST, SECOND)
    (run,) = turn()
    assert state(store, SECOND) == ("queued", "cache runs on h0")
    ends(store, run, "resolved")
    assert turn() == []
    assert state(store, SECOND) == (
        "queued",
        f"run {run} resolved it; looked at again after 360 s if the alert still fires",
    )
    over(store, SECOND)
    assert turn() == []
    told = store.episode(SECOND)
    assert (told["state"], told["outcome"], told["summary"]) == (
        "ended",
        "closed",
        f"the alert is over since run {run}",
    )
    assert store.runs(SECOND) == []


def test_what_still_fires_after_that_time_is_looked_at(store, turn):
    fires(store, FIRST, SECOND)
    (run,) = turn()
    ends(store, run, "resolved")
    later(store, run, 359)
    assert turn() == []
    later(store, run, 1)
    assert turn() == [f"{SECOND}r1"]


def test_what_others_resolve_again_and_again_keeps_none_from_its_run(store, turn):
    fires(store, FIRST, SECOND)
    (run,) = turn()
    ends(store, run, "resolved")
    for number in range(3):
        later(store, run, 200)
        if begun := turn():
            break
        # Another alert of the incident, that comes and goes.
        fires(store, f"{number}" * 20, at=200.0 + number)
        (another,) = turn()
        ends(store, another, "resolved")
        over(store, f"{number}" * 20)
    assert begun == [f"{SECOND}r1"]


def test_how_long_that_is_is_a_setting(store, turn):
    fires(store, FIRST, SECOND)
    (run,) = turn()
    ends(store, run, "resolved")
    later(store, run, 11)
    assert turn(more=", settle_seconds: 12") == []
    assert turn(more=", settle_seconds: 10") == [f"{SECOND}r1"]


@pytest.mark.parametrize(
    "outcome", ["healthy", "blocked", "unresolved", "unknown", "advised", "interrupted", "canceled"]
)
@pytest.mark.parametrize("mode", ["auto", "approve", "suggest"])
def test_no_other_outcome_of_another_alert_keeps_one_that_fires_from_its_run(store, turn, mode, outcome):
    fires(store, FIRST, SECOND, mode=mode)
    (run,) = turn(mode)
    ends(store, run, outcome)
    assert turn(mode) == [f"{SECOND}r1"]


def test_an_alert_that_is_over_does_not_end_the_other(store, turn):
    fires(store, FIRST, SECOND)
    (run,) = turn()
    over(store, FIRST)
    ends(store, run, "healthy")
    assert turn() == [f"{SECOND}r1"]


# ---------------------------------------------------------------------- when it came
@pytest.mark.parametrize("at", [100.0, 4_000_000_000.0, 0.0], ids=["", "of a clock ahead", "of a clock behind"])
@pytest.mark.parametrize(("mode", "outcome"), [("auto", "resolved"), ("suggest", "planned")])
def test_a_run_that_was_admitted_before_an_alert_came_says_nothing_of_it(store, turn, mode, outcome, at):
    fires(store, FIRST, mode=mode)
    (run,) = turn(mode)
    fires(store, SECOND, mode=mode, at=at)
    ends(store, run, outcome)
    assert turn(mode) == [f"{SECOND}r1"]


@pytest.mark.parametrize(("mode", "outcome"), [("auto", "resolved"), ("suggest", "planned")])
def test_a_run_that_looked_before_an_alert_fired_again_says_nothing_of_it(store, turn, mode, outcome):
    fires(store, FIRST, SECOND, mode=mode)
    (run,) = turn(mode)
    over(store, SECOND)
    fires(store, SECOND, mode=mode)
    ends(store, run, outcome)
    assert turn(mode) == [f"{SECOND}r1"]


def test_not_even_where_both_are_sorted_at_once(store, turn):
    """That an alert is over and that it fires again may be told between two rounds."""

    def hears(number: int, status: str = "firing") -> None:
        over = {"endsAt": "2026-01-01T09:00:00Z"} if status == "resolved" else {}
        store.keep([msgspec.json.encode(read(bytearray(notification([alert("h0", number, status=status, **over)]))))])

    hears(0)
    assert len(turn("suggest")) == 1
    hears(1)
    assert turn("suggest") == []
    (run,) = store.open_runs("one")
    ends(store, run, "healthy")
    # It looks for the second one as well, which is in its turn then.
    hears(2)
    (run,) = turn("suggest")
    (other,) = [one["id"] for one in store.episodes(["queued"])]
    number = next(n for n in (1, 2) if alert(number=n)["startsAt"] == store.episode(other)["alert"]["starts_at"])
    hears(number, "resolved")
    hears(number)
    turn("suggest")
    ends(store, run, "planned")
    for _ in range(3):
        # As often as it takes to sort all of it.
        turn("suggest")
    assert (state(store, other)[0], len(store.runs(other))) == ("running", 1)


def test_a_run_that_never_began_says_nothing(store, turn):
    fires(store, FIRST, SECOND, mode="suggest")
    (run,) = turn("suggest")
    assert store.put_back("one", run) == 1
    over(store, FIRST)
    assert turn("suggest") == [f"{SECOND}r1"]
    with store.decision() as decision:
        assert decision.shares([SECOND]) == {}


# ---------------------------------------------------------------------- a plan that is kept
def test_a_plan_that_is_only_kept_is_found_once(store, turn):
    fires(store, FIRST, SECOND, mode="suggest")
    (run,) = turn("suggest")
    ends(store, run, "planned", plan_hash="p1", result='{"a": 1}')
    assert turn("suggest") == []
    told = store.episode(SECOND)
    assert (told["state"], told["outcome"], told["summary"]) == ("ended", "planned", "it is planned")
    assert (told["plan_hash"], told["result"]) == ("p1", {"a": 1})
    assert told["note"] == f"answered by run {run}, which looked after this alert had come"


def test_what_only_looks_never_answers_for_what_may_act(store, turn):
    """The mode was raised between the two, and is lowered and raised while both wait."""
    fires(store, FIRST, mode="suggest")
    fires(store, SECOND, mode="auto", at=200.0)
    (run,) = turn("auto")
    assert run == f"{FIRST}r1"
    ends(store, run, "planned", plan_hash="p1")
    assert turn("auto") == [f"{SECOND}r1"]
    acts = store.run(f"{SECOND}r1")
    assert acts is not None and acts.acts


def test_not_even_where_the_mode_was_lowered_while_it_looked(store, turn):
    fires(store, FIRST, SECOND, mode="auto")
    (run,) = turn("suggest")
    ends(store, run, "planned", plan_hash="p1")
    assert turn("auto") == [f"{SECOND}r1"]


@pytest.mark.parametrize(("mode", "outcome"), [("auto", "resolved"), ("suggest", "planned")])
def test_a_run_with_other_variables_is_another_run(store, turn, mode, outcome):
    fires(store, FIRST, SECOND, mode=mode)
    (run,) = turn(mode, ", variables: {cache_window_seconds: 1}")
    ends(store, run, outcome, plan_hash="p1")
    assert turn(mode, ", variables: {cache_window_seconds: 2}") == [f"{SECOND}r1"]


@pytest.mark.parametrize("other", [{"host": "h1"}, {"runbook": "db_pool"}])
def test_another_host_and_another_runbook_have_a_run_of_their_own(store, turn, other):
    fires(store, FIRST, mode="suggest")
    fires(store, SECOND, mode="suggest", **other)
    assert sorted(turn("suggest")) == [f"{FIRST}r1", f"{SECOND}r1"]


# ---------------------------------------------------------------------- a person is asked
def test_a_person_is_asked_once_and_what_was_agreed_to_is_done_once(store, turn):
    fires(store, FIRST, SECOND, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    assert turn("approve") == []
    assert state(store, SECOND) == ("queued", f"episode {FIRST[:12]} asks a person about cache on h0")
    agree(store, FIRST)
    (acts,) = turn("approve")
    # Though the other one was queued before.
    assert acts == f"{FIRST}r2"
    ends(store, acts, "resolved")
    assert turn("approve") == []
    over(store, SECOND)
    assert turn("approve") == []
    assert store.episode(SECOND)["summary"] == f"the alert is over since run {acts}"


def test_a_person_who_agrees_while_it_is_decided_is_not_asked_again(store, turn, monkeypatch):
    """What is queued is read before the decision: what is agreed to in between is not among it."""
    fires(store, FIRST, SECOND, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    newest = store.newest

    def agreed_after_that(most: int) -> list[str]:
        found = newest(most)
        agree(store, FIRST)
        return found

    monkeypatch.setattr(store, "newest", agreed_after_that)
    assert turn("approve") == []
    about = f"episode {FIRST[:12]} is about to do what a person agreed to for cache on h0"
    assert state(store, SECOND) == ("queued", about)
    monkeypatch.undo()
    assert turn("approve") == [f"{FIRST}r2"]


def test_what_may_not_act_any_more_is_not_waited_for(store, turn):
    fires(store, FIRST, SECOND, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    agree(store, FIRST)
    assert turn("suggest") == [f"{SECOND}r1"]
    assert state(store, FIRST)[0] == "queued"


def test_it_waits_as_long_as_the_person_may(store, turn):
    fires(store, FIRST, SECOND, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    later(store, run, 3500)
    assert turn("approve") == []
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE oncall_episodes SET until = until - 3601 WHERE state = 'waiting'")
    assert turn("approve") == [f"{SECOND}r1"]
    assert state(store, FIRST) == ("ended", "expired")


def test_it_does_not_wait_for_a_question_whose_alert_is_over(store, turn):
    fires(store, FIRST, SECOND, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    over(store, FIRST)
    assert turn("approve") == [f"{SECOND}r1"]
    assert state(store, FIRST) == ("ended", "closed")


def test_what_may_act_by_itself_does_not_wait_for_a_person(store, turn):
    fires(store, FIRST, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    fires(store, SECOND, mode="auto")
    assert turn("auto") == [f"{SECOND}r1"]


def test_what_a_person_agreed_to_waits_for_no_other_question(store, turn):
    fires(store, FIRST, mode="approve")
    (run,) = turn("approve")
    asks(store, run)
    fires(store, SECOND, mode="approve", state="waiting", plan_hash="p2", until=time.time() + 3600)
    agree(store, SECOND)
    assert turn("approve") == [f"{SECOND}r1"]


# ---------------------------------------------------------------------- what is kept
def test_what_a_run_looked_for_is_forgotten_with_its_episode(store, turn):
    fires(store, FIRST, SECOND, mode="suggest")
    (run,) = turn("suggest")
    ends(store, run, "planned", plan_hash="p1")
    turn("suggest")
    dropped: list[str] = []
    store.forget(time.time() + 1, dropped.extend)
    assert dropped == [run]
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM oncall_runs").scalar() == 0

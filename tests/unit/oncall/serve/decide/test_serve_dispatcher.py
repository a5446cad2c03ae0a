# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round of the dispatcher on a real database: whatever is held back, what may begin begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification
from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from oncall import OncallError
from oncall.inventory import Names
from oncall.serve.decide import dispatcher
from oncall.serve.decide.dispatcher import Dispatcher, Node
from oncall.serve.intake.alerts import read
from oncall.serve.settings import Settings, parse
from oncall.serve.store.lease import Peer
from oncall.serve.store.statements import Store
from oncall.serve.store.tables import NODES

HOSTS = frozenset({"h0", "h1", "h2"})
KNOWN = Names(HOSTS, frozenset({"all"}), {"all": HOSTS})
WINDOW = "{reason: the move, begins_at: 2020-01-01T00:00:00Z, ends_at: 2090-01-01T00:00:00Z"
MOST = 50


class Silenced:
    """An Alertmanager that has silenced some alerts."""

    def __init__(self, *fingerprints: str) -> None:
        self._answer = dict.fromkeys(fingerprints, "silenced in Alertmanager by x")

    def ask(self, _settings: Settings) -> dict[str, str]:
        return self._answer


@pytest.fixture
def store(tmp_path, monkeypatch) -> Iterator[Store]:
    monkeypatch.setattr(dispatcher, "EPISODES_AT_ONCE", MOST)
    monkeypatch.setattr(dispatcher, "NEWEST", 0)
    store = new_store(tmp_path / "state")
    yield store
    store.close()


def queue(store: Store, number: int, host: str, runbook: str = "cache", at: float = 100.0, **changed: Any) -> None:
    rows = [
        {
            "id": f"{host}{runbook}{at:.0f}{one:05}", "runbook": runbook, "host": host, "fingerprint": f"f{one}", "alert": "{}",
            "mode": "auto", "state": "queued", "stage": "act", "received_at": at + one, "seen_at": time.time(), "queued_at": at + one,
            **changed,
        }
        for one in range(number)
    ]  # fmt: skip
    store.sort([], rows, [], [], {})


@pytest.fixture
def turn(store, tmp_path) -> Callable[..., list[str]]:
    """One round; the episodes that begin in it."""

    def turn(maintenance: str = "[]", silenced: Silenced | None = None, running: int = 4) -> list[str]:
        text = f"inventories: [a]\nstate_directory: {tmp_path}/state\nrunbooks: {{cache: {{mode: auto}}, db_pool: {{mode: auto}}}}\n"
        limits = f"limits: {{running: {running}, groups: {{}}, remedies_per_hour: 1000}}\nmaintenance: {maintenance}\n"
        settings = parse(text + limits, Path("/serve.yml"))
        begun: list[str] = []
        node = Node(
            "one", lambda: None, tuple, lambda: None, begun.append, lambda: False, lambda _run: None, lambda _runbook: None, lambda _runs: None,
            lambda: None,
        )  # fmt: skip
        asked: Any = silenced or Silenced()
        Dispatcher(store, lambda: settings, lambda _again: KNOWN, asked, node).turn()
        return [run.rpartition("r")[0] for run in begun]

    return turn


def end(store: Store) -> None:
    """Whatever runs is over."""
    for run in store.open_runs("one"):
        store.conclude(run, "healthy", {}, run.rpartition("r")[0], {"state": "ended", "outcome": "healthy"})


def waits(store: Store, **key: str) -> set[str]:
    """Why episodes wait."""
    found = store.episodes(["queued"], most=10_000)
    return {one["reason"] for one in found if all(one[name] == value for name, value in key.items())}


@pytest.mark.parametrize("held_back", [MOST - 1, MOST, MOST * 4])
def test_what_a_window_holds_back_holds_back_no_other_host(store, turn, held_back):
    queue(store, held_back, "h0")
    queue(store, 1, "h1", at=900.0)
    assert turn(f"[{WINDOW}, hosts: [h0]}}]") == ["h1cache90000000"]
    assert waits(store, host="h0") == {"maintenance until 2090-01-01T00:00+00:00: the move"}


def test_what_a_window_holds_back_holds_back_no_other_runbook(store, turn):
    queue(store, MOST * 4, "h0")
    queue(store, 1, "h0", "db_pool", at=900.0)
    assert turn(f"[{WINDOW}, runbooks: [cache]}}]") == ["h0db_pool90000000"]


def test_what_is_silenced_holds_back_nothing(store, turn):
    queue(store, MOST * 4, "h0")
    queue(store, 1, "h0", at=900.0, fingerprint="heard")
    silenced = Silenced(*(f"f{number}" for number in range(MOST * 4)))
    assert turn(silenced=silenced) == ["h0cache90000000"]
    end(store)
    assert turn(silenced=silenced) == []
    assert waits(store) == {"silenced in Alertmanager by x"}


def test_what_may_only_look_does_not_wait_behind_what_may_not_act(store, turn):
    queue(store, MOST * 4, "h0")
    queue(store, 1, "h0", at=900.0, fingerprint="f1", stage="check", mode="suggest")
    assert turn(silenced=Silenced(*(f"f{number}" for number in range(MOST * 4)))) == ["h0cache90000000"]


def test_what_came_since_the_last_look_does_not_wait_for_the_next(store, turn, monkeypatch):
    monkeypatch.setattr(dispatcher, "NEWEST", 5)
    queue(store, MOST * 4, "h0")
    queue(store, 1, "h1", at=900.0)
    monkeypatch.setattr(store, "queues", lambda _most, _silenced: [])
    assert turn(f"[{WINDOW}, hosts: [h0]}}]") == ["h1cache90000000"]


def test_a_host_with_much_to_do_does_not_keep_others_from_their_turn(store, turn):
    queue(store, MOST * 4, "h0")
    queue(store, MOST * 4, "h0", "db_pool", at=50.0)
    queue(store, 2, "h1", at=900.0)
    begun = []
    for _ in range(4):
        begun += [(one["host"], one["runbook"]) for one in map(store.episode, turn(running=1)) if one]
        end(store)
    assert begun == [("h0", "db_pool"), ("h1", "cache"), ("h0", "cache"), ("h1", "cache")]


def test_what_another_node_sorted_meanwhile_is_read_anew(store, tmp_path):
    """An inventory that takes long is read between a look into the inbox and what is made of it."""
    text = f"inventories: [a]\nstate_directory: {tmp_path}/state\nrunbooks: {{cache: {{mode: auto}}}}\nlimits: {{running: 1}}\n"
    settings = parse(text, Path("/serve.yml"))
    asked: Any = Silenced()

    def node(name: str) -> Node:
        nothing: Any = lambda *_anything: None  # noqa: E731
        return Node(name, nothing, tuple, nothing, nothing, lambda: False, nothing, nothing, nothing, nothing)

    def hears(status: str) -> None:
        told = alert("h0", status=status, **({"endsAt": "2026-01-01T01:00:00Z"} if status == "resolved" else {}))
        store.keep([msgspec.json.encode(read(bytearray(notification([told]))))])

    quick = Dispatcher(store, lambda: settings, lambda _again: KNOWN, asked, node("quick"))

    def slow(_again: bool) -> Names:
        if store.inbox_size():
            quick.turn()
            hears("firing")
            quick.turn()
        return KNOWN

    store.set("paused", "so that nothing begins")
    hears("firing")
    quick.turn()
    hears("resolved")
    Dispatcher(store, lambda: settings, slow, asked, node("slow")).turn()
    (one,) = store.episodes()
    assert (one["state"], one["resolved_at"], store.inbox_size()) == ("queued", None, 0)


def test_a_node_of_before_takes_nothing_over_on_a_newer_schema(store, tmp_path):
    settings = parse(
        f"inventories: [a]\nstate_directory: {tmp_path}/state\nrunbooks: {{cache: {{}}}}\n", Path("/serve.yml")
    )
    asked: Any = Silenced()
    taken_over: list[bool] = []
    nothing: Any = lambda *_anything: None  # noqa: E731
    takes: Any = lambda: taken_over.append(True)  # noqa: E731
    node = Node("one", nothing, tuple, takes, nothing, lambda: False, nothing, nothing, nothing, nothing)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE oncall_schema SET version_num = '9999'")
    with pytest.raises(OncallError, match="schema 9999"):
        Dispatcher(store, lambda: settings, lambda _again: KNOWN, asked, node).turn()
    assert taken_over == []


# ---------------------------------------------------------------------- a clock that was ahead, and was set back
def test_a_host_that_had_its_turn_tomorrow_does_not_wait_until_then(store, turn):
    queue(store, 1, "h0")
    turn()
    end(store)
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE oncall_runs SET admitted_at = {time.time() + 86_400}")
    queue(store, 1, "h0", at=200.0)
    queue(store, 5, "h1", at=200.0)
    begun = []
    for _ in range(3):
        begun += turn(running=1)
        end(store)
    assert "h0cache20000000" in begun


def test_a_person_is_not_asked_for_longer_than_the_settings_say(store, turn):
    queue(store, 2, "h0", mode="approve", stage="check")
    (first,) = turn()
    (run,) = store.open_runs("one")
    waits = {"state": "waiting", "until": time.time() + 365 * 86_400, "plan_hash": "p1"}
    store.conclude(run, "planned", {}, first, waits)
    assert turn() == []
    told = store.episode(first)
    assert told and told["state"] == "waiting"
    assert told["until"] <= time.time() + 3600


def test_one_that_fires_again_in_the_moment_in_which_it_ends_is_not_closed(store, turn, monkeypatch):
    """Another node hears of it between the look at what waits and its end."""
    queue(store, 1, "h0", mode="approve", stage="check")
    (name,) = turn()
    (run,) = store.open_runs("one")
    store.conclude(run, "planned", {}, name, {"state": "waiting", "until": time.time() + 60, "plan_hash": "p1"})
    store.sort([], [], [(name, time.time())], [], {})
    look = store.waited_enough

    def slow(now: float) -> Any:
        found = look(now)
        queue(store, 1, "h0", mode="approve", stage="check")
        return found

    monkeypatch.setattr(store, "waited_enough", slow)
    turn()
    told = store.episode(name)
    assert told and (told["state"], told["resolved_at"]) == ("waiting", None)


@pytest.mark.parametrize(
    ("there", "begins"),
    [(None, True), ((5, 7), True), ((5, 8), False), ((6, 0), False)],
)
def test_what_a_node_runs_that_has_come_back_takes_its_place(store, tmp_path, there, begins):
    queue(store, 1, "h0")
    queue(store, 1, "h1", at=200.0)
    with store.decision() as decision:
        decision.admit(decision.waiting(["h0cache10000000"])[0], "east", time.time())
    if there:
        now = datetime.now(UTC)
        row = {
            "node": "east",
            "number": there[0],
            "renewals": there[1],
            "seconds": 30.0,
            "holder": "",
            "renewed_at": now,
        }
        with store._engine.begin() as connection:
            connection.execute(NODES.insert().values(row))
    text = f"inventories: [a]\nstate_directory: {tmp_path}/state\nrunbooks: {{cache: {{mode: auto}}}}\n"
    settings = parse(f"{text}limits: {{running: 1, groups: {{}}}}\n", Path("/serve.yml"))
    asked: Any = Silenced()
    begun: list[str] = []
    nothing: Any = lambda *_anything: None  # noqa: E731
    # As it was seen a moment ago.
    gone = [Peer("east", 5, 7, 30.0) if there else Peer("east")]
    node = Node("west", nothing, lambda: gone, nothing, begun.append, lambda: False, nothing, nothing, nothing, nothing)
    Dispatcher(store, lambda: settings, lambda _again: KNOWN, asked, node).turn()
    assert begun == (["h1cache20000000r1"] if begins else [])

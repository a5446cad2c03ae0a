# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is dropped when a clock is wrong: how the two clocks went -> what of an ended episode is left."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from oncall.serve.decide.pruning import DAY_SECONDS, HELD_SECONDS, Pruning, Seen, held
from oncall.serve.store.statements import Store

HOUR = 3600.0
KEEP = 30 * DAY_SECONDS
START = 1_800_000_000.0


class Machine:
    """Clocks that go as a test says."""

    def __init__(self) -> None:
        self.wall, self.boot = START, 50.0

    def show(self) -> Seen:
        return Seen(self.wall, self.boot)

    def goes(self, seconds: float) -> None:
        self.wall, self.boot = self.wall + seconds, self.boot + seconds

    def is_set(self, seconds: float) -> None:
        self.wall += seconds

    def restarts(self, down_seconds: float = 60) -> None:
        self.wall, self.boot = self.wall + down_seconds, 20.0


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    store = new_store(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def hears_of(store: Store, at: float, name: str = "e0") -> None:
    """Alertmanager repeats an alert whose episode has ended."""
    row = {
        "id": name, "runbook": "cache", "host": "h", "fingerprint": "ab", "alert": "{}", "mode": "auto", "state": "ended",
        "stage": "act", "received_at": at, "seen_at": at, "queued_at": at,
    }  # fmt: skip
    store.sort([], [row], [], [], {})


def left(store: Store, pruning: Pruning) -> list[str]:
    """The episodes that are there after it was tidied."""
    store.forget(pruning.before(KEEP), lambda _runs: None)
    return sorted(one["id"] for one in store.episodes())


def runs_for(machine: Machine, pruning: Pruning, seconds: float) -> None:
    for _ in range(int(seconds // HOUR)):
        machine.goes(HOUR)
        pruning.before(KEEP)


def test_what_nobody_hears_of_is_dropped_in_its_time(store, machine):
    hears_of(store, START)
    pruning = Pruning(store, "one", machine.show)
    assert left(store, pruning) == ["e0"]
    runs_for(machine, pruning, KEEP)
    assert left(store, pruning) == ["e0"]
    machine.goes(1)
    assert left(store, pruning) == []
    assert held(store.controls()) == 0


def test_a_clock_that_jumps_ahead_makes_nothing_old(store, machine, caplog):
    hears_of(store, START)
    hears_of(store, START, "e1")
    pruning = Pruning(store, "one", machine.show)
    assert left(store, pruning) == ["e0", "e1"]
    with caplog.at_level(logging.WARNING):
        machine.is_set(40 * DAY_SECONDS)
        machine.goes(10)
        for _ in range(100):
            machine.goes(10)
            assert left(store, pruning) == ["e0", "e1"]
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of this machine is 40.0 days ahead of what was seen last; nothing is dropped for 5 days. See that the clock is right"
    ]
    assert 0 < held(store.controls()) <= HELD_SECONDS
    # What fires is repeated meanwhile, and what does not is dropped afterwards.
    hears_of(store, machine.wall)
    runs_for(machine, pruning, HELD_SECONDS - 2 * HOUR)
    assert left(store, pruning) == ["e0", "e1"]
    runs_for(machine, pruning, 2 * HOUR)
    assert left(store, pruning) == ["e0"]


@pytest.mark.parametrize("days", [2, 40, 4000])
def test_a_clock_that_jumped_while_the_service_was_down(store, machine, days):
    hears_of(store, START)
    left(store, Pruning(store, "one", machine.show))
    machine.restarts(days * DAY_SECONDS)
    assert left(store, Pruning(store, "one", machine.show)) == ["e0"]
    assert held(store.controls()) == HELD_SECONDS


def test_the_first_start_of_this_version_sees_it_too(store, machine):
    hears_of(store, START - 40 * DAY_SECONDS)
    assert left(store, Pruning(store, "one", machine.show)) == ["e0"]


def test_a_restart_neither_ends_nor_prolongs_what_is_held(store, machine):
    hears_of(store, START)
    pruning = Pruning(store, "one", machine.show)
    pruning.before(KEEP)
    machine.is_set(40 * DAY_SECONDS)
    pruning.before(KEEP)
    runs_for(machine, pruning, 24 * HOUR)
    for _ in range(3):
        machine.restarts()
        pruning = Pruning(store, "one", machine.show)
        assert left(store, pruning) == ["e0"]
        runs_for(machine, pruning, 24 * HOUR)
    runs_for(machine, pruning, 23 * HOUR)
    assert left(store, pruning) == ["e0"]
    runs_for(machine, pruning, 2 * HOUR)
    assert left(store, pruning) == []


def test_a_machine_that_sleeps_has_a_clock_that_is_right(store, machine):
    pruning = Pruning(store, "one", machine.show)
    hears_of(store, START)
    pruning.before(KEEP)
    # The clock of the boot goes on.
    machine.goes(KEEP + 1)
    assert left(store, pruning) == []


def test_many_small_steps_ahead_are_a_jump(store, machine):
    hears_of(store, START)
    pruning = Pruning(store, "one", machine.show)
    pruning.before(KEEP)
    for _ in range(31 * 48):
        machine.is_set(HOUR / 2)
        machine.goes(10)
        assert left(store, pruning) == ["e0"]


def test_a_clock_that_is_set_back_and_right_again(store, machine):
    hears_of(store, START - 29 * DAY_SECONDS)
    hears_of(store, START, "e1")
    pruning = Pruning(store, "one", machine.show)
    assert left(store, pruning) == ["e0", "e1"]
    machine.is_set(-40 * DAY_SECONDS)
    assert left(store, pruning) == ["e0", "e1"]
    assert held(store.controls()) == 0
    machine.is_set(40 * DAY_SECONDS)
    machine.goes(2 * DAY_SECONDS)
    assert left(store, pruning) == ["e0", "e1"]


def test_a_node_whose_clock_is_right_goes_on(store, machine):
    other = Machine()
    hears_of(store, START - 29 * DAY_SECONDS)
    hears_of(store, START, "e1")
    one, two = Pruning(store, "one", machine.show), Pruning(store, "two", other.show)
    assert left(store, one) == left(store, two) == ["e0", "e1"]
    machine.is_set(40 * DAY_SECONDS)
    for each in (machine, other):
        each.goes(2 * DAY_SECONDS)
    assert left(store, one) == ["e0", "e1"]
    assert left(store, two) == ["e1"]


def test_a_node_with_a_wrong_clock_that_starts_beside_one_with_a_right_one(store, machine):
    hears_of(store, START)
    left(store, Pruning(store, "one", machine.show))
    wrong = Machine()
    wrong.is_set(40 * DAY_SECONDS)
    assert left(store, Pruning(store, "two", wrong.show)) == ["e0"]

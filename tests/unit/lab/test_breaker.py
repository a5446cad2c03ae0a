"""The lab's circuit breaker."""

from __future__ import annotations

import pytest

from lab.programs import breaker
from lab.programs.breaker import CLOSED, HALF_OPEN, OPEN, Breaker


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    return now


def test_it_opens_tests_once_and_closes(clock):
    it = Breaker(2, 5)
    it.note(well=False)
    it.note(well=True)
    it.note(well=False)
    assert it.state == CLOSED, "they have to be in a row"
    it.note(well=False)
    assert it.state == OPEN
    with pytest.raises(ConnectionError, match="is open"):
        it.admit()
    clock[0] += 5
    assert it.state == HALF_OPEN
    it.admit()
    with pytest.raises(ConnectionError, match="is open"):
        it.admit()
    it.note(well=False)
    assert it.state == OPEN
    clock[0] += 5
    it.admit()
    it.note(well=True)
    assert it.state == CLOSED


def test_without_a_number_it_never_opens(clock):
    it = Breaker(0, 5)
    for _ in range(9):
        it.note(well=False)
    assert it.state == CLOSED
    it.admit()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 while timers fire and messages leave, and several nodes: no step is lost, none is told twice, and what cannot be known is said."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.duty_desk import BEGAN, desk
from ansible_collections.oncall.runbooks.tests.support.told_people import Channels, team
from oncall.incidents.books import Incidents
from oncall.incidents.duty.driver import Duty, Node
from oncall.incidents.duty.plan import Way
from oncall.incidents.messages.outbox import Rules
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import IncidentStore
from oncall.incidents.team import rules_of, team_of
from oncall.serve.store import schema
from oncall.serve.store.engine import url_of

KILLS = int(os.environ.get("ONCALL_TEST_KILLS") or 25)
INCIDENTS = 12


@pytest.fixture
def channels() -> Iterator[Channels]:
    made = Channels()
    # Long enough that many are in the midst of it when they are killed.
    made.slow = dict.fromkeys(("chat", "ada", "bob"), 0.08)
    yield made
    made.close()


def duty(state: Path, told: dict) -> tuple[Duty, Incidents, IncidentStore]:
    """What a node does for incidents, without its service."""
    known = team_of("shop", told)
    store = IncidentStore(url_of("", str(state)))
    books = Incidents(store, Heads(str(state)), rules_of({"shop": known.known}))
    node = Node("one", lambda: None, lambda _system: known, lambda: True, Way)
    return Duty(books, store, node, rules=Rules(first_seconds=0.2, per_person=10_000)), books, store


def work(state: Path, told: dict) -> None:
    """In a process of its own, until it is killed."""
    duty(state, told)[0].start()
    time.sleep(3600)


def test_of_a_timer_and_its_message_nothing_is_lost_and_nothing_comes_twice(tmp_path, channels):
    told = team(channels, incident_escalation=[
        {"roles": ["engineer"]}, {"roles": ["lead"], "after_minutes": 0.02}, {"roles": ["engineer", "lead"], "after_minutes": 0.04},
    ])  # fmt: skip
    state, dice = tmp_path / "state", random.Random(15)
    schema.migrate(url_of("", str(state)))
    _duty, books, store = duty(state, told)
    store.close()
    forked = multiprocessing.get_context("fork")
    opened = 0
    for kill in range(KILLS):
        while opened < INCIDENTS and opened <= kill * INCIDENTS // KILLS * 2:
            _duty, books, store = duty(state, told)
            books.open(f"the pool is empty {opened}", who="oncall", system="shop", severity="P1", source="alert")
            store.close()
            opened += 1
        process = forked.Process(target=work, args=(state, told))
        process.start()
        time.sleep(dice.uniform(0.05, 0.6))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    last, books, store = duty(state, told)
    try:
        last.start()
        end = time.monotonic() + 60
        while store.waiting() or store.senders() or len(fired(books)) < 3 * INCIDENTS:
            assert time.monotonic() < end, (store.not_over(), len(fired(books)))
            time.sleep(0.05)
        last.stop()
        # Each step of each incident has fired, once.
        assert {*fired(books).values()} == {1} and len(fired(books)) == 3 * INCIDENTS
        came = Counter(body["id"] for body in channels.sent())
        assert {*came.values()} == {1}
        letters = {
            one.message.id: one.message
            for name in range(1, INCIDENTS + 1)
            for one in store.letters(books.find(str(name)).id)
        }
        # To the channel of this severity, and to each person of each step.
        assert Counter(one.person for one in letters.values()) == {
            "chat": INCIDENTS,
            "ada": 2 * INCIDENTS,
            "bob": 2 * INCIDENTS,
        }
        assert {one.state for one in letters.values()} <= {"sent", "unknown"}
        unknown = {one.id for one in letters.values() if one.state == "unknown"}
        # What is said to be sent has come, and what has not come is said not to be known.
        assert {*letters} - unknown <= {*came} <= {*letters}
        for name in range(1, INCIDENTS + 1):
            document = books.document(str(name))
            results = {
                one["data"]["message"]: one["data"]["result"]
                for one in document["timeline"]
                if one["kind"] == "delivery"
            }
            for one in document["timeline"]:
                if one["kind"] == "message":
                    number = one["data"]["message"]
                    assert results[number] == letters[number].state
        # It was killed where it matters, or this test shows nothing.
        assert unknown
    finally:
        store.close()


def fired(books: Incidents) -> Counter[str]:
    return Counter(
        one["data"]["timer"]
        for name in range(1, INCIDENTS + 1)
        for one in books.document(str(name))["timeline"]
        if one["kind"] == "timer" and one["data"]["state"] == "fired"
    )


def test_nodes_on_a_postgresql_fire_and_tell_once(database, tmp_path):
    told = team_in_memory()
    with desk(tmp_path, told, database) as made:
        nodes = [made.another(name) for name in ("two", "three", "four")]
        for number in range(8):
            made.books.open(f"incident {number}", who="oncall", system="shop", severity="P1")
        for minutes in (0, 1, 2):
            made.clock.now = BEGAN + 60.0 * minutes
            threads = [threading.Thread(target=one.turn) for one in nodes for _ in range(3)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
        for one in nodes:
            one.stop()
        made.turn()
        for number in range(1, 9):
            timers = [one["timer"] for one in made.entries("timer", str(number)) if one["state"] == "fired"]
            assert len(timers) == len({*timers}) == 2
            messages = [one["message"] for one in made.entries("message", str(number))]
            assert sorted(one["message"] for one in made.entries("delivery", str(number))) == sorted({*messages})
            assert made.books.verify(str(number))[1].is_sound
        assert len(made.calls) == 8 * 3


def team_in_memory() -> dict:
    """A team whose messages never leave."""
    return {
        "system_severities": [{"level": "P1", "means": "all", "when": ["critical"]}],
        "incident_tell": {
            "channels": {
                name: {"kind": "webhook", "url": f"http://127.0.0.1:9/{name}"} for name in ("chat", "ada", "bob")
            },
            "by_severity": {"P1": ["chat"]},
        },
        "incident_people": {"ada": {"reach": ["slack://ada/token"]}, "bob": {"reach": ["slack://bob/token"]}},
        "incident_contacts": {"engineer": {"people": ["ada"]}, "lead": {"people": ["bob"]}},
        "incident_escalation": [{"roles": ["engineer"]}, {"roles": ["lead"], "after_minutes": 1}],
    }

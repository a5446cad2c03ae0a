# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What escalation promises under ``kill -9``, as an experiment that gives figures: short in the tests, long in ``make soak``."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

# Each incident escalates three times. Five messages leave: one to the channel of its severity, two to each of two people.
STEPS, LETTERS = 3, {"chat": 1, "ada": 2, "bob": 2}


@dataclass
class Told:
    """What came of killing what escalates, while timers fire and messages leave.

    Attributes:
        kills: how often.
        steps, messages: that were due.
        steps_lost, steps_twice: that never fired, and that fired more than once.
        lost: messages that are in no outbox, or are said to be sent and did not come.
        twice: messages that came more than once.
        unknown: messages of which it is said that nobody knows whether they came.
        disagreeing: deliveries that the timeline tells in another way than the outbox.
    """

    kills: int
    steps: int
    messages: int
    steps_lost: int
    steps_twice: int
    lost: int
    twice: int
    unknown: int
    disagreeing: int


def _duty(state: Path, told: dict[str, Any]) -> tuple[Duty, Incidents, IncidentStore]:
    """What a node does for incidents, without its service."""
    known = team_of("shop", told)
    store = IncidentStore(url_of("", str(state)))
    books = Incidents(store, Heads(str(state)), rules_of({"shop": known.known}))
    node = Node("one", lambda: None, lambda _system: known, lambda: True, Way)
    return Duty(books, store, node, rules=Rules(first_seconds=0.2, per_person=10_000)), books, store


def _work(state: Path, told: dict[str, Any]) -> None:
    """In a process of its own, until it is killed."""
    _duty(state, told)[0].start()
    time.sleep(3600)


def tell_under_kills(folder: Path, kills: int, incidents: int) -> Told:
    """Open incidents, kill the process that tells people of them at random moments, start it again; count what came.

    Args:
        folder: an empty folder.
        kills: with SIGKILL.
        incidents: spread over the first half of the kills.
    """
    channels = Channels()
    # Long enough that many are in the midst of it when they are killed.
    channels.slow = dict.fromkeys(LETTERS, 0.08)
    try:
        return _tell(folder / "state", channels, kills, incidents)
    finally:
        channels.close()


def _tell(state: Path, channels: Channels, kills: int, incidents: int) -> Told:
    told = team(channels, incident_escalation=[
        {"roles": ["engineer"]}, {"roles": ["lead"], "after_minutes": 0.02}, {"roles": ["engineer", "lead"], "after_minutes": 0.04},
    ])  # fmt: skip
    dice = random.Random(15)
    schema.migrate(url_of("", str(state)))
    forked = multiprocessing.get_context("fork")
    opened = 0
    for kill in range(kills):
        _idle, books, store = _duty(state, told)
        while opened < incidents and opened <= kill * incidents // kills * 2:
            books.open(f"the pool is empty {opened}", who="oncall", system="shop", severity="P1", source="alert")
            opened += 1
        # Before the fork: no connection is in two processes.
        store.close()
        process = forked.Process(target=_work, args=(state, told))
        process.start()
        time.sleep(dice.uniform(0.05, 0.6))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    last, books, store = _duty(state, told)
    try:
        last.start()
        end = time.monotonic() + 60 + kills
        while store.waiting() or store.senders() or len(_fired(books, incidents)) < STEPS * incidents:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        last.stop()
        return _counted(books, store, channels, kills, incidents)
    finally:
        store.close()


def _counted(books: Incidents, store: IncidentStore, channels: Channels, kills: int, incidents: int) -> Told:
    fired = _fired(books, incidents)
    came = Counter(body["id"] for body in channels.sent())
    letters, results = {}, {}
    for number in range(1, incidents + 1):
        letters.update({one.message.id: one.message for one in store.letters(books.find(str(number)).id)})
        told = books.document(str(number))["timeline"]
        results.update({one["data"]["message"]: one["data"]["result"] for one in told if one["kind"] == "delivery"})
    due = Counter({person: count * incidents for person, count in LETTERS.items()})
    unknown = {one.id for one in letters.values() if one.state == "unknown"}
    # What is said to be sent has come, and what has not come is said not to be known.
    lost = (due - Counter(one.person for one in letters.values())).total() + len({*letters} - unknown - {*came})
    return Told(
        kills=kills,
        steps=STEPS * incidents,
        messages=due.total(),
        steps_lost=STEPS * incidents - len(fired),
        steps_twice=sum(count > 1 for count in fired.values()),
        lost=lost,
        twice=sum(count > 1 for count in came.values()) + len({*came} - {*letters}),
        unknown=len(unknown),
        disagreeing=sum(results.get(one.id) != one.state for one in letters.values()),
    )


def _fired(books: Incidents, incidents: int) -> Counter[str]:
    return Counter(
        one["data"]["timer"]
        for number in range(1, incidents + 1)
        for one in books.document(str(number))["timeline"]
        if one["kind"] == "timer" and one["data"]["state"] == "fired"
    )

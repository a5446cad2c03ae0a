# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done for incidents by itself, on a real database and a clock that does as it is told; messages are kept instead of sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.incident_books import books
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.incidents.books import Incidents
from oncall.incidents.duty.driver import Duty, Node
from oncall.incidents.duty.plan import Way
from oncall.incidents.messages.answers import Answer
from oncall.incidents.messages.links import Key
from oncall.incidents.messages.outbox import Rules as Bounds
from oncall.incidents.team import rules_of, team_of

BEGAN = 1_770_000_000.0
MINUTE = 60.0


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


class Desk:
    """The books, a team, and what is done by itself; messages are kept instead of sent."""

    def __init__(self, incidents: Incidents, store: Any, told: dict[str, Any], clock: Clock) -> None:
        self.books, self.store, self.clock = incidents, store, clock
        self.team = team_of("shop", told)
        self.answers: list[Answer] = []
        self.calls: list[Any] = []
        # Those that can look again.
        self.runbooks: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self.duty = self.another("one")

    def another(self, name: str) -> Duty:
        node = Node(
            name, lambda: None, lambda system: self.team if system == "shop" else None, lambda: True,
            lambda: Way("https://oncall.example.com"), lambda: self.runbooks, Key("1", b"k" * 32),
        )  # fmt: skip
        return Duty(self.books, self.store, node, self.clock, Bounds(per_person=1000), self._post)

    def _post(self, call: Any) -> Answer:
        with self._lock:
            self.calls.append(call)
            return self.answers.pop(0) if self.answers else Answer("sent", "taken")

    def turn(self, minutes: float = 0.0) -> None:
        """Everything that is due, some time later."""
        self.clock.now += minutes * MINUTE
        for _ in range(6):
            self.duty.turn()
            until(lambda: not self.duty._in_flight)

    def entries(self, kind: str, name: str = "1") -> list[dict[str, Any]]:
        return [{**one.data, "who": one.who} for one in self.books.timeline(name) if one.kind == kind]

    def told(self, name: str = "1") -> list[tuple[str, str]]:
        """Whom messages were written for, and by which template."""
        return [(one["to"], one["template"]) for one in self.entries("message", name)]

    def fired(self) -> list[str]:
        return [one["step"] for one in self.entries("timer") if one["state"] == "fired"]


@contextmanager
def desk(folder: Any, told: dict[str, Any], database: str = "") -> Iterator[Desk]:
    """The incidents of the system ``shop``, whose inventory says this."""
    clock = Clock()
    known = {"shop": team_of("shop", told).known}
    with books(folder, database, clock=clock, rules=rules_of(known)) as (incidents, store):
        made = Desk(incidents, store, told, clock)
        yield made
        made.duty.stop()

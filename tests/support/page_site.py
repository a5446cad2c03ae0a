# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page over a new database, without a service, and a browser of a test in front of it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from starlette.testclient import TestClient

from oncall.incidents.books import Incidents
from oncall.incidents.commands import Write
from oncall.incidents.messages.links import Key
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import IncidentStore
from oncall.incidents.team import Known, known_of, rules_of, written
from oncall.incidents.teams import Read
from oncall.inventory import Names
from oncall.results import Finding, HostResult, Outcome, Plan, Result, RunbookRun, Step
from oncall.serve.intake.tokens import Tokens
from oncall.serve.page.app import PageSite
from oncall.serve.page.visit import Sources
from oncall.serve.settings import parse
from oncall.serve.store import schema
from oncall.serve.store.engine import url_of
from oncall.serve.store.statements import Store
from oncall.serve.store.tables import EPISODES

NOW = 1_790_000_000.0
PEOPLE = {
    "vera": ("viewer", "v" * 32),
    "rosa": ("responder", "r" * 32),
    "omar": ("responder", "o" * 32),
    "ada": ("admin", "a" * 32),
}
# Of Alertmanager, which is nobody.
MACHINE = "m" * 32
BASE = "http://127.0.0.1:9095"
KEY = Key("1", b"k" * 32)
TEAM = Known("synap", ("P0", "P1", "P2"), ("rosa", "omar", "ada"), {}, {}, ("acknowledge", "assess", "communicate"))


class Clock:
    """Says what it is told."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A page and what is below it."""

    page: PageSite
    store: Store
    incidents: Incidents
    clock: Any
    woken: list[str] = field(default_factory=list)
    base: str = BASE

    @property
    def now(self) -> float:
        return float(self.clock())

    def browser(self, base: str = BASE, **options: Any) -> Browser:
        """A browser that nobody has signed in with."""
        return Browser(TestClient(self.page, base_url=base, follow_redirects=False, **options), base)

    def of(self, name: str) -> Browser:
        """The browser of somebody who has signed in."""
        made = self.browser()
        answer = made.post("/signin", token=PEOPLE[name][1])
        assert answer.status_code == 303, answer.text
        return made

    def episode(self, plan: str = "p0123456789abcde", incident: str = "", **values: Any) -> str:
        """An episode that waits for a person, of a plan; its id."""
        one = uuid.uuid4().hex
        row = {
            "id": one, "runbook": "db_pool", "host": "shop", "fingerprint": "f" * 16, "mode": "approve", "state": "waiting", "stage": "check",
            "alert": json.dumps({"labels": {"alertname": "PoolFull", "severity": "critical"}, "annotations": {}}), "reason": "",
            "outcome": "planned", "summary": "6 sessions are idle in a transaction", "plan_hash": plan,
            "result": json.dumps(result(plan).to_dict(), default=str), "received_at": self.now - 300, "seen_at": self.now - 60,
            "queued_at": self.now - 300, "resolved_at": None, "ended_at": None, "until": self.now + 3000, "cancel": "", "note": "",
            "runs": 1, **values,
        }  # fmt: skip
        with self.store._engine.begin() as connection:
            connection.execute(sa.insert(EPISODES).values(**row))
        if incident:
            self.incidents.write(incident, parts=[("episode", one)])
        return one

    def incident(self, title: str = "The pool of the shop is full", **options: Any) -> str:
        """An open one with an alert and a finding; its short name."""
        told = {
            "who": "oncall",
            "system": "shop",
            "source": "alert",
            "severity": "P1",
            "scheme": "synap",
            "at": self.now - 320,
            **options,
        }
        done = self.incidents.open(title, **told)
        labels = {"alertname": "PoolFull", "instance": "shop"}
        alert = {
            "name": "PoolFull",
            "fingerprint": "f",
            "labels": labels,
            "starts_at": "",
            "ends_at": None,
            "count": 1,
            "host": "shop",
            "runbook": "db_pool",
        }
        finding = {
            "runbook": "db_pool", "host": "shop", "cause": "idle_in_transaction", "status": "problem",
            "summary": "6 sessions are idle in a transaction for 10 min", "evidence": [{"pid": 4711, "idle_seconds": 640}], "figures": {},
        }  # fmt: skip
        metric = {
            "name": "connections",
            "unit": "",
            "points": [[self.now - 320 + 20 * n, 40.0 + n] for n in range(15)],
        }
        self.incidents.write(
            done.incident.id,
            Write(who="oncall", at=self.now - 310, kind="alert", words="alert PoolFull on shop", data=alert),
            Write(
                who="oncall",
                at=self.now - 300,
                kind="finding",
                words="db_pool: idle_in_transaction is a problem",
                data=finding,
            ),
            Write(who="oncall", at=self.now - 290, kind="metric", words="connections: 15 points", data=metric),
        )
        return done.incident.name


def result(plan: str) -> Result:
    """What a run found that may not act."""
    steps = (
        Step(
            "terminate_sessions", "idle_in_transaction", "medium", ({"pid": 4711}, {"pid": 4712}), True, "", "sessions 4711 and 4712 of shop",
            "ends these sessions; the application opens new ones", "", "what they had not committed is lost",
        ),
        Step("restart_service", "idle_in_transaction", "high", (), False, "no service is named in system_services"),
    )  # fmt: skip
    run = RunbookRun(
        "r1", "db_pool", Outcome.PLANNED, "6 sessions are idle in a transaction", NOW - 290, 3.0,
        findings=(Finding("idle_in_transaction", "problem", "6 sessions hold 6 of 20 connections", "", ("find who leaves them",), [{"pid": 4711}]),
                  Finding("leak", "unknown", "", "the metrics do not answer")),
        plan=Plan(plan, "medium", steps),
    )  # fmt: skip
    host = HostResult("shop", Outcome.PLANNED, "6 sessions are idle in a transaction", (run,))
    return Result("db_pool", "check", "ended", NOW - 290, 3.0, {"shop": host})


class Browser:
    """Sends forms as a browser does: what is hidden in them, and where they come from."""

    def __init__(self, client: TestClient, base: str) -> None:
        self.client, self.base = client, base

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **values: Any) -> Any:
        """A form of this page."""
        return self.client.post(path, data=values, headers={"Origin": self.base, **(headers or {})})

    def csrf(self, path: str = "/incidents/new") -> str:
        """What the forms of this session carry."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        assert found, path
        return found[1]

    def send(self, path: str, **values: Any) -> Any:
        """The same, with it."""
        return self.post(path, csrf=self.csrf("/"), **values)

    def text(self, path: str) -> str:
        """The words of a page."""
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text[:2000])
        return words(answer.text)


def words(html: str) -> str:
    """What is read of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@contextmanager
def page_site(
    folder: Path,
    page: Mapping[str, Any] | None = None,
    team: Known | None = TEAM,
    teams: Callable[[], Read] = Read,
    clock: Callable[[], float] | None = None,
    **settings: Any,
) -> Iterator[Site]:
    """A page over a database, which is made."""
    people = folder / "people"
    people.touch(mode=0o600)
    people.write_text(
        "".join([f"{MACHINE}\n", *(f"{token} {role} {name}\n" for name, (role, token) in PEOPLE.items())])
    )
    told = {
        "inventories": ["shop,"],
        "state_directory": "state",
        "node": "node1",
        "runbooks": {"db_pool": {"mode": "approve"}},
        "incidents": {"systems": {"shop": ["shop"]}},
        "tokens_file": "people",
        "page": page or {},
        **settings,
    }
    known = parse(yaml.safe_dump(told), folder / "serve.yml")
    url = url_of("", known.state_directory)
    schema.migrate(url)
    store = Store(url)
    if team is not None:
        store.set("team:shop", written(team))
    below = IncidentStore.beside(store)
    clock = clock or Clock()
    incidents = Incidents(below, Heads(known.state_directory), rules_of(known_of(store.controls())), clock)
    woken: list[str] = []
    sources = Sources(
        store=store,
        books=lambda: incidents,
        settings=lambda: known,
        names=lambda: Names(
            frozenset({"shop", "db1"}),
            frozenset({"all", "web"}),
            {"all": frozenset({"shop", "db1"}), "web": frozenset({"shop"})},
        ),
        teams=teams,
        link_keys=lambda: [KEY],
        paused=lambda: store.control("paused") or "",
        wake=lambda: woken.append("woken"),
        clock=clock,
        tokens=Tokens(known.tokens_file),
    )
    site = PageSite(sources)
    try:
        yield Site(site, store, incidents, clock, woken)
    finally:
        site.close()
        store.close()

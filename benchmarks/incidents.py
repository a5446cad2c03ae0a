# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long incidents take to be listed, filtered, searched, read, written and counted, among many.

Usage: PYTHONPATH=collections python benchmarks/incidents.py [--incidents 10000] [--entries 100] [--database postgresql://...] [--keep FOLDER]

Prints one line of JSON: the time of each, in milliseconds, and which took longer than 200. With ``--keep``,
the database stays in the folder, and is used again where it is there. Those that are open, and those that are read and verified, have
chains that are sound; the others are copies of the first one with other names and times, as only their size matters.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from oncall.incidents.books import Incidents
from oncall.incidents.entries import Draft, Head, head_of, write
from oncall.incidents.record import Incident, fold
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.tables import INCIDENTS, TERMS, TIMELINE
from oncall.incidents.store.timeline import Filter, IncidentStore, _entry_row, _row
from oncall.incidents.store.words import terms
from oncall.serve.store import schema
from oncall.serve.store.engine import url_of

MOST_MILLISECONDS = 200.0
SYSTEMS = ("synap", "journey", "insightengine", "panidobro", "shop")
RUNBOOKS = ("db_pool", "db_down", "disk_full", "latency", "error_rate", "worker_queue", "cache", "auth_failures")
PEOPLE = ("ann", "bob", "cleo", "dan", "eve")
WORDS = (
    "the",
    "pool",
    "is",
    "empty",
    "again",
    "after",
    "deploy",
    "and",
    "users",
    "of",
    "checkout",
    "see",
    "errors",
    "while",
    "cache",
    "was",
    "restarted",
)
NOW = 1_770_000_000.0
YEAR_SECONDS = 365 * 86400.0
AT_ONCE = 200
OPEN_ONE_OF = 50
TIMES = ("first_acknowledged_at", "acknowledged_at", "mitigated_at", "resolved_at", "closed_at")


def drafts(number: int, entries: int, dice: random.Random) -> Iterator[Draft]:
    """A timeline as it comes about: an alert, findings, actions and notes until it is closed; the newest are open."""
    at = NOW - YEAR_SECONDS + number * YEAR_SECONDS / 10_000
    system, runbook = dice.choice(SYSTEMS), dice.choice(RUNBOOKS)
    severity = dice.choice(("P0", "P1", "P2", "P3"))
    opened = {
        "number": number, "system": system, "title": f"{runbook} {' '.join(dice.sample(WORDS, 4))} token{number}", "source": "alert",
        "severity": severity, "scheme": system, "proposed": severity, "reasons": [], "policy": {"steps": [15, 30, 60]}, "runbook": runbook,
        "opens_again": "",
    }  # fmt: skip
    yield Draft("opened", at, "oncall", f"opened by an alert: {opened['title']}", opened)
    yield Draft("acknowledged", at + 60 + dice.random() * 900, dice.choice(PEOPLE), "acknowledged", {})
    for one in range(entries - 5):
        at += 30
        text = " ".join(dice.sample(WORDS, 8))
        run = f"{number:024x}r{one}"
        told: tuple[str, dict[str, Any]] = (
            ("note", {"text": text}),
            ("finding", {"runbook": runbook, "cause": "pool_exhausted", "status": "problem", "summary": text, "host": f"h{number % 300}",
                         "evidence": {"figures": [one, one + 1], "text": text * 3}, "figures": {}}),
            ("run", {"runbook": runbook, "uuid": run, "outcome": "resolved", "summary": text, "record": ""}),
            ("verification", {"runbook": runbook, "helped": one % 3 > 0, "figures": [one, 0]}),
        )[one % 4]  # fmt: skip
        yield Draft(told[0], at, "oncall" if one % 4 else dice.choice(PEOPLE), text, told[1], run if one % 4 else "")
    if number % OPEN_ONE_OF:
        yield Draft("mitigated", at + 60, "oncall", "mitigated: restarted", {"how": "restarted"})
        yield Draft("resolved", at + 1800, "oncall", "resolved: healthy", {"how": "healthy"})
        yield Draft("closed", at + 9000, "ann", "closed", {"why": ""})


def fill(store: IncidentStore, incidents: int, entries: int) -> None:
    """So many incidents with so many entries each, without the waiting for the disk of each one."""
    dice = random.Random(15)
    known, found, timeline = Incident(""), set[str](), list[dict[str, Any]]()
    closed = known, found, timeline
    for first in range(1, incidents + 1, AT_ONCE):
        rows: dict[sa.Table, list[dict[str, Any]]] = {INCIDENTS: [], TIMELINE: [], TERMS: []}
        for number in range(first, min(first + AT_ONCE, incidents + 1)):
            id_ = f"{dice.getrandbits(128):032x}"
            is_open = number % OPEN_ONE_OF == 0
            if is_open or number in (1, incidents // 2):
                told = write(id_, Head(), drafts(number, entries, dice), NOW)
                known = fold(id_, told)
                found = terms(known, told) - {f"token{number}", f"inc-{number}", str(number)}
                timeline = [_entry_row(id_, one) for one in told]
            if number == 1:
                closed = known, found, timeline
            elif not is_open and number != incidents // 2:
                known, found, timeline = closed
            opened_at = NOW - YEAR_SECONDS + number * YEAR_SECONDS / 10_000
            later = opened_at - known.opened_at
            copy = (
                known
                if known.id == id_
                else replace(
                    known,
                    id=id_,
                    number=number,
                    title=f"{known.runbooks[0]} token{number}",
                    system=dice.choice(SYSTEMS),
                    severity=dice.choice(("P0", "P1", "P2", "P3")),
                    assignee=dice.choice(PEOPLE),
                    opened_at=opened_at,
                    **{name: getattr(known, name) + later + dice.random() * 900 for name in TIMES},
                )
            )
            rows[INCIDENTS].append(_row(copy))
            rows[TIMELINE] += [{**one, "incident": id_} for one in timeline]
            own = {f"token{number}", f"inc-{number}", f"host=h{number % 300}"}
            rows[TERMS] += [{"term": term, "incident": id_} for term in sorted(found | own)]
        with store._engine.begin() as connection:
            for table, some in rows.items():
                connection.execute(table.insert(), some)
        print(f"{first + AT_ONCE - 1} incidents", file=sys.stderr)


def asked(incidents: Incidents, store: IncidentStore, number: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by name."""
    middle = f"INC-{number // 2}"
    a_quarter = NOW - YEAR_SECONDS / 4

    def page(**wanted: Any) -> list[Incident]:
        return incidents.listed(Filter(**wanted))

    return {
        "list": page,
        "list a page in the midst": lambda: page(before=number // 2),
        "list those that are open": lambda: page(states=["open"]),
        "list 1000": lambda: page(most=1000),
        "filter by system and severity": lambda: page(system="shop", severity="P0"),
        "filter by runbook": lambda: page(runbook="db_pool"),
        "filter by host": lambda: page(host="h7"),
        "filter by person": lambda: page(assignee="bob", since=a_quarter),
        "filter that nothing fits": lambda: page(system="nobody's"),
        "search a word of one": lambda: page(text=f"token{number // 3}"),
        "search a word of all": lambda: page(text="restarted"),
        "search a beginning": lambda: page(text="tok"),
        "search three words and a system": lambda: page(text="pool empty users", system="synap"),
        "search what is nowhere": lambda: page(text="nowhere"),
        "count all of a search": lambda: store.count(Filter(text="pool")),
        "show one": lambda: incidents.document(middle),
        "verify one": lambda: incidents.verify(middle),
        "open one": lambda: incidents.open("a new one", who="ann", system="shop"),
        "write into one": lambda: incidents.note(f"INC-{number - number % OPEN_ONE_OF}", "the pool is empty", who="ann"),
        "numbers of all": incidents.stats,
        "numbers of a quarter of one system": lambda: incidents.stats(Filter(system="shop", since=a_quarter)),
    }  # fmt: skip


def measured(calls: dict[str, Callable[[], Any]], repeat: int) -> dict[str, dict[str, float]]:
    """Name -> milliseconds: the median and the best by the clock, and the median of the processor, which other programs do not change."""
    told = {}
    for name, call in calls.items():
        call()
        times, works = [], []
        for _ in range(repeat):
            began, worked = time.perf_counter(), time.process_time()
            call()
            times.append(1000 * (time.perf_counter() - began))
            works.append(1000 * (time.process_time() - worked))
        told[name] = {
            "median": round(statistics.median(times), 2),
            "best": round(min(times), 2),
            "processor": round(statistics.median(works), 2),
        }
    return told


def measure(database: str, state: Path, incidents: int, entries: int, repeat: int = 10) -> dict[str, Any]:
    """Fill a database where it is not full yet, and ask.

    Args:
        database: a URL of PostgreSQL, or "" for SQLite.
        state: the folder of SQLite, as ``state_directory`` of the service.
        incidents: how many.
        entries: of each timeline.
        repeat: how often each is asked.

    Returns:
        How much there is, ``milliseconds`` of each question, and ``slow``: those above `MOST_MILLISECONDS`.
    """
    url = url_of(database, str(state))
    schema.migrate(url)
    store = IncidentStore(url)
    try:
        books = Incidents(store, Heads(str(state)))
        if store.number() <= incidents:
            fill(store, incidents, entries)
            if not database:
                # As the service has it: the log is in the file.
                with sqlite3.connect(sa.make_url(url).database or "") as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.close()
        newest = books.timeline("1")
        assert books.find("1").head == head_of(newest) and books.verify("1")[1].is_sound
        with store._reading.connect() as connected:
            counts = {
                name: connected.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for name, table in (("incidents", INCIDENTS), ("entries", TIMELINE), ("terms", TERMS))
            }
        told = measured(asked(books, store, incidents), repeat)
    finally:
        store.close()
    slow = [name for name, one in told.items() if one["median"] > MOST_MILLISECONDS]
    return {**counts, "database": "PostgreSQL" if database else "SQLite", "milliseconds": told, "slow": slow}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--database", default="")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        state = options.keep or Path(temporary, "state")
        told = measure(options.database, state, options.incidents, options.entries, options.repeat)
    print(json.dumps(told))
    return 1 if told["slow"] else 0


if __name__ == "__main__":
    sys.exit(main())

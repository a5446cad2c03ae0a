# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents on SQLite and on a real PostgreSQL: who writes at once, what is found, and what was changed by hand."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_books import Clock, books
from ansible_collections.oncall.runbooks.tests.support.stores import execute
from oncall import OncallError
from oncall.incidents import commands as do
from oncall.incidents.attach import Attaching, Where
from oncall.incidents.books import Incidents, NotDone
from oncall.incidents.entries import head_of, signed_head
from oncall.incidents.record import fold
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import Decides, Filter, IncidentStore
from oncall.serve.decide.plans import Plans, TooLate
from oncall.serve.store.engine import sqlite_url
from oncall.serve.store.statements import Store

ROOT = Path(__file__).resolve().parents[2]


class Case:
    """Incidents of a database, and the database."""

    def __init__(self, incidents: Incidents, store: IncidentStore, url: str, folder: Path) -> None:
        self.incidents, self.store, self.url, self.folder = incidents, store, url, folder

    def again(self) -> Incidents:
        """The same, as another process has it."""
        return Incidents(IncidentStore(self.url), Heads(str(self.folder / "state")), clock=Clock())

    def execute(self, statement: str) -> None:
        execute(self.url, statement)


@pytest.fixture(params=["sqlite", "postgresql"])
def case(request, tmp_path) -> Iterator[Case]:
    database = request.getfixturevalue("database") if request.param == "postgresql" else ""
    with books(tmp_path, database) as (incidents, store):
        yield Case(incidents, store, database or sqlite_url(str(tmp_path / "state")), tmp_path)


def names(found) -> list[str]:
    return [one.name for one in found]


def problems(case: Case, name: str) -> list[tuple[int, str]]:
    return [(one.number, one.what) for one in case.incidents.verify(name)[1].problems]


# ---------------------------------------------------------------------- one after the other
def test_what_is_kept_is_what_the_timeline_makes(case):
    opened = case.incidents.open(
        "Database is down", who="ann", system="synap", severity="P1", proposed="P2", scheme="synap"
    ).incident
    case.incidents.acknowledge("1", who="bob")
    case.incidents.note("INC-1", "NUL \x00, half a pair \ud800, ünï", who="bob")
    case.incidents.resolve(opened.id[:8], "restarted", who="bob")
    case.incidents.close("inc-1", who="ann")
    entries = case.incidents.timeline("1")
    assert [one.kind for one in entries] == ["opened", "acknowledged", "note", "resolved", "closed"]
    assert case.incidents.find("1") == fold(opened.id, entries)
    assert case.incidents.find("1").head == head_of(entries)
    assert case.incidents.document("1")["incident"]["state"] == "closed"
    assert case.incidents.timeline("1", after=3, most=1) == entries[3:4]
    with pytest.raises(NotDone, match="INC-1 is closed, and never changes again"):
        case.incidents.note("1", "more", who="ann")
    again = case.incidents.open("Database is down", who="ann", again="1").incident
    assert (again.name, again.opens_again, again.links[0].why) == ("INC-2", opened.id, "a repeat of it")
    with pytest.raises(NotDone, match="INC-2 is triggered, and goes on"):
        case.incidents.open("Database is down", who="ann", again="2")


@pytest.mark.parametrize("name", ["3", "INC-0", "", "abcdef", "' OR 1=1", "zzzzzzzz", "%", "999999999"])
def test_what_is_not_there_is_not_found(case, name):
    case.incidents.open("x", who="ann")
    with pytest.raises(OncallError, match=r"there is no incident .*; list them with: oncall incident list"):
        case.incidents.find(name)


def test_a_merge_is_a_pointer_and_both_know_it(case):
    first, second = (case.incidents.open(one, who="ann", system="s").incident for one in ("first", "second"))
    timer = do.Write(
        who="oncall", at=1.0, kind="timer", words="armed", data={"timer": "t", "due_at": 9.5, "state": "armed"}
    )
    case.incidents.write("2", timer)
    case.incidents.merge("2", "1", who="ann")
    assert case.incidents.merge("2", "1", who="bob").entries == ()
    source, target = case.incidents.find("2"), case.incidents.find("1")
    assert (source.state, source.merged_into, source.timers) == ("merged", first.id, {})
    assert (target.state, target.took_in) == ("triggered", (second.id,))
    assert case.incidents.going_on(second.id) == target
    with pytest.raises(NotDone, match="INC-2 is merged into another one"):
        case.incidents.merge("1", "2", who="ann")
    with pytest.raises(NotDone, match="cannot be merged into itself"):
        case.incidents.merge("1", "1", who="ann")
    assert problems(case, "1") == problems(case, "2") == []


def test_several_commands_are_all_done_or_none(case):
    case.incidents.open("x", who="ann")
    with pytest.raises(NotDone, match="the note is empty"):
        case.incidents.do(
            "1", lambda now: do.Acknowledge(who="ann", at=now), lambda now: do.Note(who="ann", at=now, text="")
        )
    assert case.incidents.find("1").state == "triggered"
    assert len(case.incidents.timeline("1")) == 1


def test_what_belongs_to_one_belongs_to_no_other(case):
    case.incidents.open("x", who="oncall", source="alert", parts=[("episode", "e1")])
    with pytest.raises(NotDone, match="belongs to another incident already"):
        case.incidents.open("y", who="oncall", source="alert", parts=[("episode", "e1")])
    case.incidents.open("z", who="ann")
    with pytest.raises(NotDone, match="belongs to another incident already"):
        case.incidents.do("2", parts=[("episode", "e1")])
    assert case.store.owners("episode", ["e1", "e2"]) == {"e1": case.incidents.find("1").id}
    case.store.forget_parts("episode", ["e1"])
    assert case.store.owner("episode", "e1") is None


# ---------------------------------------------------------------------- at once
def test_of_two_who_acknowledge_at_once_one_wins_and_the_other_is_told(case):
    case.incidents.open("x", who="ann")
    several = [case.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = [*pool.map(lambda one: one[1].acknowledge("1", who=f"p{one[0]}"), enumerate(several))]
    (winner,) = [one for one in done if one.entries]
    assert {one.incident.acknowledged_by for one in done} == {winner.entries[0].who}
    assert [one.kind for one in case.incidents.timeline("1")] == ["opened", "acknowledged"]
    for one in several:
        one._store.close()


def test_who_writes_at_once_loses_nothing_and_the_chain_holds(case):
    case.incidents.open("x", who="ann")
    several = [case.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        wrote = [*pool.map(lambda n: several[n % 4].note("1", f"note {n}", who="ann"), range(40))]
    assert len(wrote) == 40
    entries = case.incidents.timeline("1")
    assert sorted(one.data["text"] for one in entries[1:]) == sorted(f"note {n}" for n in range(40))
    incident, verdict = case.incidents.verify("1")
    assert verdict.is_sound and "entries 1 to 41 are those that were signed" in verdict.proven[1]
    assert incident.head.number == 41
    for one in several:
        one._store.close()


def test_who_opens_at_once_gets_numbers_without_holes(case):
    several = [case.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        opened = [*pool.map(lambda n: several[n % 4].open(f"title {n}", who="ann").incident, range(16))]
    assert sorted(one.number for one in opened) == [*range(1, 17)]
    assert {case.incidents.timeline(one.name)[0].data["title"] for one in opened} == {f"title {n}" for n in range(16)}
    for one in several:
        one._store.close()


def test_two_merges_against_each_other_leave_one_that_goes_on(case):
    case.incidents.open("a", who="ann")
    case.incidents.open("b", who="ann")
    several = [case.again() for _ in range(2)]

    def merge(which: int) -> str:
        try:
            several[which].merge(*(("1", "2") if which else ("2", "1")), who="ann")
        except NotDone as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        told = [*pool.map(merge, range(2))]
    assert sorted(map(bool, told)) == [False, True], told
    assert sorted(one.state for one in case.incidents.listed()) == ["merged", "triggered"]
    for one in several:
        one._store.close()


def test_one_that_is_killed_in_the_midst_leaves_whole_entries(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from ansible_collections.oncall.runbooks.tests.support.incident_books import books\n"
        "with books(Path(sys.argv[1])) as (incidents, _store):\n"
        "    incidents.open('x', who='ann'); print('ready', flush=True)\n"
        "    while True: incidents.note('1', 'more', who='ann'); print('.', flush=True)\n"
    )
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=path
    ) as writing:
        acknowledged = [writing.stdout.readline() for _ in range(6)].count(".\n")
        writing.kill()
    with books(tmp_path) as (incidents, _store):
        incident, verdict = incidents.verify("1")
        assert verdict.is_sound and incident.head.number >= acknowledged + 1
        incidents.note("1", "goes on", who="ann")
        assert incidents.verify("1")[1].is_sound


# ---------------------------------------------------------------------- what is found
@pytest.fixture
def many(case) -> Case:
    given: list[dict[str, Any]] = [
        {"title": "Database is down", "system": "synap", "severity": "P0", "runbook": "db_down"},
        {"title": "Queue of Müller is stuck", "system": "journey", "severity": "P1", "runbook": "worker_queue"},
        {"title": "Disk is full", "system": "synap", "severity": "P1", "runbook": "disk_full"},
        {"title": "Login fails", "system": "panidobro", "severity": "Critical"},
    ]
    for one in given:
        case.incidents.open(**one, who="oncall", source="alert" if "runbook" in one else "person")
    case.incidents.note("2", "the broker rabbit_mq hangs", who="bob")
    case.incidents.assign("3", "ann", who="bob")
    case.incidents.resolve("4", "key renewed", who="bob")
    return case


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"most": 2}, [4, 3]),
        ({"before": 3, "most": 1}, [2]),
        ({"states": ["open"]}, [3, 2, 1]),
        ({"states": ["resolved", "closed"]}, [4]),
        ({"system": "synap"}, [3, 1]),
        ({"severity": "P1"}, [3, 2]),
        ({"assignee": "ann"}, [3]),
        ({"runbook": "disk_full"}, [3]),
        ({"runbook": "disk"}, []),
        ({"since": 1_770_000_001.5, "until": 1_770_000_003.5}, [3, 2]),
        ({"text": "database"}, [1]),
        ({"text": "DATA"}, [1]),
        ({"text": "is"}, [3, 2, 1]),
        ({"text": "is full"}, [3]),
        ({"text": "müller"}, [2]),
        ({"text": "muller"}, [2]),
        ({"text": "rabbit"}, [2]),
        ({"text": "rabbit_mq"}, [2]),
        ({"text": "inc-4"}, [4]),
        ({"text": "renewed", "system": "panidobro"}, [4]),
        ({"text": "renewed", "system": "synap"}, []),
        ({"text": "'; DROP TABLE oncall_incidents; --"}, []),
    ],
)
def test_what_is_listed(many, wanted, found):
    assert names(many.incidents.listed(Filter(**wanted))) == [f"INC-{one}" for one in found]
    every = {name: value for name, value in wanted.items() if name != "most"}
    assert many.store.count(Filter(**every)) == len(many.incidents.listed(Filter(**every)))


def test_a_search_for_no_word_says_so(many):
    with pytest.raises(OncallError, match="has no word of two letters to look for"):
        many.incidents.listed(Filter(text="% _"))


def test_the_numbers_are_those_of_what_is_kept(many):
    many.incidents.acknowledge("1", who="ann")
    many.incidents.write(
        "1",
        do.Write(
            who="oncall",
            at=1.0,
            kind="run",
            words="r",
            data={"runbook": "db_down", "uuid": "u", "outcome": "resolved"},
            run="u",
        ),
        do.Write(
            who="oncall", at=1.0, kind="verification", words="v", data={"runbook": "db_down", "helped": True}, run="u"
        ),
    )
    many.incidents.escalate("2", ["bob", "zoe"], who="oncall")
    told = many.incidents.stats()
    assert told.incidents == 4
    assert told.all.acknowledge.measured == 2 and told.all.resolve.measured == 1
    assert {one.name: one.incidents for one in told.by_system}["synap"] == 2
    assert (told.outcomes, told.fixes, told.verified, told.verified_ratio) == ({"resolved": 1}, 1, 1, 1.0)
    assert {one.who: one.calls for one in told.woken} == {"bob": 1, "zoe": 1}
    assert many.incidents.stats(Filter(system="journey")).incidents == 1


# ---------------------------------------------------------------------- what was changed by hand
TAMPERED = {
    "words": ("UPDATE oncall_timeline SET words = 'fine' WHERE number = 2", (2, "it was changed: its hash is another one")),
    "data": ("UPDATE oncall_timeline SET data = '{' WHERE number = 2", (2, "it was changed: its hash is another one")),
    "time": ("UPDATE oncall_timeline SET at = at - 1 WHERE number = 2", (2, "it was changed: its hash is another one")),
    "removed": ("DELETE FROM oncall_timeline WHERE number = 2", (3, "entry 2 before it was removed")),
    "tail": ("DELETE FROM oncall_timeline WHERE number > 2", (2, "the tail was cut off: there were 4 entries, and 2 are there")),
    "all": ("DELETE FROM oncall_timeline", (0, "there is no entry: all were removed, or there was no such incident")),
    "list": ("UPDATE oncall_incidents SET record = replace(record, 'triggered', 'resolved')",
             (0, "the list says something else than the timeline: it was changed by hand")),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "told"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_changed_by_hand_is_found(case, statement, told):
    case.incidents.open("x", who="ann")
    for one in range(3):
        case.incidents.note("1", f"note {one}", who="ann")
    assert problems(case, "1") == []
    case.execute(statement)
    assert told in problems(case, "1")


def test_a_tail_that_was_cut_off_in_all_tables_is_found(case):
    case.incidents.open("x", who="ann")
    before = case.incidents.find("1")
    case.incidents.note("1", "what somebody wants to be gone", who="ann")
    case.execute("DELETE FROM oncall_timeline WHERE number > 1")
    row = f"head_number = 1, head_hash = '{before.head.hash}', record = replace(record, '\"number\":2', '\"number\":1')"
    case.execute(f"UPDATE oncall_incidents SET {row}")
    assert problems(case, "1") == [(1, "the tail was cut off: there were 2 entries, and 1 are there")]


def test_an_incident_that_is_gone_is_missed(case):
    first, second = (case.incidents.open(one, who="ann").incident for one in ("a", "b"))
    case.execute(
        f"DELETE FROM oncall_timeline WHERE incident = '{first.id}'; DELETE FROM oncall_incidents WHERE id = '{first.id}'"
    )
    told = {one: verdict.is_sound for one, _incident, verdict in case.incidents.verify_all()}
    assert told == {first.id: False, second.id: True}
    case.execute(f"DELETE FROM oncall_incidents WHERE id = '{second.id}'")
    assert [verdict.is_sound for _one, _incident, verdict in case.incidents.verify_all()] == [False, False]


def test_a_head_out_of_the_log_proves_what_the_folder_does_not_any_more(case, caplog):
    caplog.set_level("INFO", logger="oncall.incidents")
    case.incidents.open("x", who="ann")
    case.incidents.note("1", "more", who="ann")
    line = caplog.records[-1].getMessage()
    assert line.startswith("INC-1 has 2 entries; head of ")
    (kept,) = (case.folder / "state" / "incident-heads").glob("[0-9a-f]*")
    kept.unlink()
    assert "no later head is kept outside" in case.incidents.verify("1")[1].not_proven[0]
    head = signed_head(line.rpartition(" ")[2])
    assert head == case.incidents.head("1")
    assert "entries 1 to 2 are those that were signed" in case.incidents.verify("1", [head])[1].proven[1]


def test_heads_never_go_back_and_the_key_is_made_once(tmp_path):
    with books(tmp_path) as (incidents, _store):
        incident = incidents.open("x", who="ann").incident
        old = incident.head
        incidents.note("1", "more", who="ann")
        heads = Heads(str(tmp_path / "state"))
        heads.keep(incident.id, old)
        assert [one.number for one in heads.of(incident.id)] == [2]
    with ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(lambda _n: Heads(str(tmp_path / "other")).key, range(16))}) == 1
    key = tmp_path / "state" / "incident-key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("short\n")
    with pytest.raises(OncallError, match="is no key; put back the one that was there"):
        Heads(str(tmp_path / "state"))


def test_what_is_written_is_not_more_than_it_has_to_be(tmp_path):
    """A list must not read timelines, nor a search go through all of them."""
    with books(tmp_path) as (incidents, _store):
        incidents.open("x y", who="ann", system="s")
    with sqlite3.connect(tmp_path / "state" / "oncall.sqlite3") as connection:
        plans = {
            "SELECT record FROM oncall_incidents WHERE system = 's' ORDER BY opened_at DESC, number DESC": "oncall_incidents_system",
            "SELECT record FROM oncall_incidents ORDER BY opened_at DESC LIMIT 50": "oncall_incidents_opened",
            "SELECT incident FROM oncall_incident_terms WHERE term >= 'a' AND term < 'b'": "PRIMARY KEY",
            "SELECT * FROM oncall_timeline WHERE incident = 'a' AND number > 3 ORDER BY number": "PRIMARY KEY",
        }
        for query, index in plans.items():
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert index in plan and "SCAN oncall_timeline" not in plan, (query, plan)
    connection.close()


# ---------------------------------------------------------------------- what belongs together
def test_alerts_come_to_their_incidents_on_either_database_and_by_two_nodes_at_once(case):
    service = Store(case.url)
    nodes = [IncidentStore(case.url) for _ in range(2)]
    try:
        clock = Clock()
        where = Where(lambda _host, _labels: "shop", 1800.0)

        def alert(number: int, host: str = "h1") -> str:
            id_, at = f"{number:020x}", clock()
            row = {
                "id": id_, "runbook": "cache", "host": host, "fingerprint": "f", "alert": json.dumps({"labels": {"alertname": "Down"}}),
                "mode": "auto", "state": "queued", "stage": "act", "received_at": at, "seen_at": at, "queued_at": at,
            }  # fmt: skip
            service.sort((), [row], [], [], {})
            return id_

        attaching = [Attaching(Incidents(one, clock=clock), one, lambda: where) for one in nodes]
        attaching[0].turn(clock())
        several = [alert(number) for number in range(30)]
        with ThreadPoolExecutor(2) as pool:
            [*pool.map(lambda one: one.turn(clock()), attaching)]
        for one in attaching:
            one._look_again_at = 0.0
            one.turn(clock())
        counts = [one.count for one in case.incidents.listed()]
        assert sum(counts) == 30 and len(case.store.owners("episode", several)) == 30
        with service.decision() as decision:
            run = decision.admit(decision.waiting([several[0]])[0], "one", clock())
        service.begin(run, "one", 0, clock())
        service.conclude(run, "unknown", {}, several[0], {"state": "ended", "outcome": "unknown", "ended_at": clock()})
        service.sort((), [], [(one, clock()) for one in several], [], {})
        clock.now += 4000
        attaching[0]._look_again_at = 0.0
        attaching[0].turn(clock())
        assert {one.state for one in case.incidents.listed()} == {"resolved"}
        assert sum(one.outcomes.get("unknown", 0) for one in case.incidents.listed()) == 1
        timelines = [case.incidents.timeline(one.id) for one in case.incidents.listed()]
        assert sum(one.data["count"] for many in timelines for one in many if one.kind == "alert_ended") == 30
        # On what a person said of one, the others are found; of the alert itself nothing is.
        said = {"plan_hash": "p1", "note": "rejected by ann", "state": "ended", "ended_at": clock()}
        service.change(several[0], "ended", said)
        found = service.said_before(several[1], "p1", "rejected by ")
        assert found is not None and found["id"] == several[0]
        assert service.said_before(several[1], "p2", "rejected by ") is None
        assert service.said_before(several[0], "p1", "rejected by ") is None
        assert nodes[0].still_firing(1800.0) == []
        service.forget(clock.now + 1e6, lambda _runs: None)
        nodes[0].forget_what_is_gone()
        # What still waits is there, and so is where it belongs.
        assert len(case.store.owners("episode", several)) == len(service.episodes(most=100))
        assert all(verdict.is_sound for _id, _incident, verdict in case.incidents.verify_all())
    finally:
        for one in (service, *nodes):
            one.close()


@pytest.mark.parametrize("case", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("helped", "is_opened_again", "state"),
    [(True, False, "mitigated"), (True, True, "triggered"), (False, False, "triggered")],
)
def test_a_last_alert_that_is_over_mitigates_what_a_remedy_had_helped(case, helped, is_opened_again, state):
    service, node, clock = Store(case.url), IncidentStore(case.url), Clock()
    attaching = Attaching(Incidents(node, clock=clock), node, lambda: Where(lambda _host, _labels: "shop", 1800.0))

    def turn() -> str:
        attaching._look_again_at = 0.0
        attaching.turn(clock())
        return case.incidents.listed()[0].state

    try:
        row = {
            "id": "a1", "runbook": "api_down", "host": "h1", "fingerprint": "f", "alert": json.dumps({"labels": {"alertname": "Down"}}),
            "mode": "suggest", "state": "queued", "stage": "look", "received_at": clock(), "seen_at": clock(), "queued_at": clock(),
        }  # fmt: skip
        attaching.turn(clock())
        service.sort((), [row], [], [], {})
        assert turn() == "triggered"
        # That of another runbook, whose alert still fires while its own is over.
        told = {"kind": "verification", "words": "cache: looked", "data": {"runbook": "cache", "helped": helped}}
        case.incidents.do("INC-1", lambda now: do.Write(who="oncall", at=now, **told))
        assert turn() == "triggered"
        if is_opened_again:
            case.incidents.mitigate("INC-1", "restarted", who="ann")
            case.incidents.reopen("INC-1", "it is down again", who="ann")
        clock.now += 60
        service.sort((), [], [("a1", clock())], [], {})
        assert (turn(), turn()) == (state, state)
        kinds = [one.kind for one in case.incidents.timeline("INC-1")]
        assert kinds.count("mitigated") == (is_opened_again or state == "mitigated")
    finally:
        for one in (service, node):
            one.close()


@pytest.mark.parametrize("is_known", [True, False], ids=["of an incident", "of none yet"])
def test_of_two_who_decide_on_a_plan_at_once_one_does_on_either_database(case, is_known):
    services, nodes, clock = [Store(case.url) for _ in range(2)], [IncidentStore(case.url) for _ in range(2)], Clock()
    try:
        name = case.incidents.open("the cache is down", who="oncall").incident.name
        plans = [
            Plans(service, node, lambda node=node: Incidents(node, clock=clock), clock=clock)
            for service, node in zip(services, nodes, strict=True)
        ]
        for number in range(8):
            episode, at = f"{number:020x}", clock()
            row = {
                "id": episode, "runbook": "cache", "host": "h1", "fingerprint": "f", "alert": "{}", "mode": "approve", "state": "queued",
                "stage": "check", "received_at": at, "seen_at": at, "queued_at": at,
            }  # fmt: skip
            services[0].sort((), [row], [], [], {})
            waits = {"state": "waiting", "outcome": "planned", "plan_hash": "p0", "until": at + 600}
            services[0].change(episode, "queued", waits)
            if is_known:
                case.incidents.write(name, parts=[("episode", episode)])

            def decide(one, episode=episode):
                place, decision, who = one
                try:
                    return plans[place].decide(episode, "p0", decision, "so", who)
                except NotDone as error:
                    return error

            with ThreadPoolExecutor(2) as pool:
                came = [*pool.map(decide, ((0, "approved", "ann"), (1, "rejected", "bob")))]
            (won,) = [one for one in came if not isinstance(one, NotDone)]
            (lost,) = [one for one in came if isinstance(one, NotDone)]
            assert isinstance(lost, TooLate) and f" by {won.who}" in str(lost)
            assert services[1].episode(episode)["state"] == {"ann": "queued", "bob": "ended"}[won.who]
            assert (won.incident, won.entry) == ((name, 2 + number) if is_known else (None, None))
        kinds = [one.kind for one in case.incidents.timeline(name)]
        assert kinds == ["opened", *["approval"] * (8 if is_known else 0)] and case.incidents.verify(name)[1].is_sound
    finally:
        for one in (*services, *nodes):
            one.close()


def test_a_plan_of_an_episode_that_has_come_to_an_incident_is_not_decided_on_without_it(case):
    service = Store(case.url)
    try:
        at, name = Clock()(), case.incidents.open("the cache is down", who="oncall").incident.name
        for episode, parts in (("a" * 20, True), ("b" * 20, False)):
            row = {
                "id": episode, "runbook": "cache", "host": "h1", "fingerprint": "f", "alert": "{}", "mode": "approve", "state": "queued",
                "stage": "check", "received_at": at, "seen_at": at, "queued_at": at,
            }  # fmt: skip
            service.sort((), [row], [], [], {})
            service.change(episode, "queued", {"state": "waiting", "plan_hash": "p0"})
            if parts:
                case.incidents.write(name, parts=[("episode", episode)])
            else:
                case.store.nobodys("episode", episode)
            decides = Decides(episode, "p0", {"state": "ended"})
            assert case.store.decide(decides) is not parts
            assert service.episode(episode)["state"] == ("waiting" if parts else "ended")
    finally:
        service.close()

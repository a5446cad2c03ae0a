# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of ``oncall serve``, on SQLite: what is done twice is done once, and what is open is never dropped."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.tests.support.stores import first, new_store
from oncall import OncallError
from oncall.serve.store.engine import shown, url_of, workflows_url
from oncall.serve.store.lease import Peer
from oncall.serve.store.statements import Store


@pytest.fixture
def store(tmp_path):
    store = new_store(tmp_path / "state")
    yield store
    store.close()


def firing(name: str = "e0", host: str = "h", at: float = 100.0, **changed) -> dict:
    return {
        "id": name, "runbook": "cache", "host": host, "fingerprint": "ab", "alert": '{"labels": {}}', "mode": "auto",
        "state": "queued", "stage": "act", "received_at": at, "seen_at": at, "queued_at": at, **changed,
    }  # fmt: skip


def aside(name: str = "q0", at: float = 100.0) -> dict:
    return {"id": name, "reason": "no host 'x'", "alert": "{}", "first_at": at, "last_at": at, "count": 1}


def sort(store: Store, *rows: dict, resolved=(), put_aside=(), seen=None, taken=()) -> int:
    return store.sort(taken, rows, resolved, put_aside, seen or {})


def admit(store: Store, name: str = "e0", node: str = "one", at: float = 200.0) -> str:
    with store.decision() as decision:
        (one,) = [one for one in decision.waiting(first(store, 100)) if one.episode == name]
        return decision.admit(one, node, at)


def ended(outcome: str = "resolved") -> dict:
    return {"state": "ended", "outcome": outcome, "summary": "it is", "ended_at": 300.0}


# ---------------------------------------------------------------------- notifications
def test_an_acknowledgement_waits_for_the_decision_and_not_for_sqlite(store):
    """SQLite itself would look again every 100 ms. Who waits for the only connection that writes goes on at once."""
    opened: list[str] = []
    writer = threading.Thread(target=store.keep, args=([b"1"],))
    with store.decision():
        sa.event.listen(store._engine, "connect", lambda *_told: opened.append("another connection that writes"))
        writer.start()
        time.sleep(0.3)
        assert writer.is_alive()
    writer.join()
    assert opened == []


def test_notifications_are_taken_in_their_order_and_leave_with_what_became_of_them(store):
    store.keep([b"1", b"2"])
    store.keep([b"3\0\xff"])
    rows = store.inbox(2)
    assert [body for _id, _at, body in rows] == [b"1", b"2"]
    assert store.inbox_size() == 3
    assert sort(store, firing(), taken=[row[0] for row in rows]) == 1
    assert [body for _id, _at, body in store.inbox(9)] == [b"3\0\xff"]


@pytest.mark.parametrize(("told", "state"), [("resolved", "queued"), ("firing", "ended")])
def test_what_another_node_has_sorted_is_not_sorted_again(store, told, state):
    """A node that was slow between reading and sorting knows an older truth than what is there by then."""
    sort(store, firing())
    store.keep([told.encode()])
    taken = [number for number, _at, _body in store.inbox(9)]
    first_said = {"resolved": [("e0", 150.0)]} if told == "resolved" else {}
    rows = [firing(at=150.0)] if told == "firing" else []
    # Another node is quicker, and what came since says the contrary.
    assert sort(store, *rows, taken=taken, **first_said) is not None
    if told == "resolved":
        sort(store, firing(at=160.0))
    else:
        sort(store, resolved=[("e0", 160.0)])
        store.change("e0", "queued", ended("closed"))
    assert sort(store, *rows, firing("e9"), put_aside=[aside()], taken=taken, **first_said) is None
    found = store.episode("e0")
    assert found and (found["state"], found["resolved_at"]) == (state, None if told == "resolved" else 160.0)
    assert (store.episode("e9"), store.quarantine()) == (None, [])


def test_what_cannot_be_sorted_whole_is_not_sorted_at_all(store):
    store.keep([b"1"])
    with pytest.raises(Exception, match="NOT NULL"):
        sort(store, firing(), put_aside=[{**aside(), "reason": None}], taken=[store.inbox(1)[0][0]])
    assert (store.inbox_size(), store.episodes()) == (1, [])


def test_an_episode_that_is_there_is_only_seen_again(store):
    assert sort(store, firing()) == 1
    run = admit(store)
    assert sort(store, firing(at=150.0, mode="suggest", stage="check", alert='{"labels": {"a": "b"}}')) == 0
    told = store.episode("e0")
    assert (told["state"], told["mode"], told["stage"], told["alert"]) == ("running", "auto", "act", {"labels": {}})
    assert (told["received_at"], told["seen_at"], told["runs"]) == (100.0, 150.0, 1)
    assert store.open_runs("one") == [run]
    assert sort(store, firing(at=160.0), firing("e1", at=160.0)) == 1


def test_what_is_over_is_over_since_the_first_time_it_was_said(store):
    sort(store, firing(), resolved=[("e0", 110.0), ("nobody", 110.0)])
    sort(store, firing(at=120.0), resolved=[("e0", 120.0)])
    assert store.episode("e0")["resolved_at"] == 110.0
    with store.decision() as decision:
        assert [one.resolved for one in decision.waiting(first(store, 9))] == [True]


def test_the_quarantine_counts(store):
    for at in (100.0, 110.0, 120.0):
        sort(store, put_aside=[aside(at=at)])
    sort(store, put_aside=[aside("q1", at=105.0)])
    told = [(one["id"], one["count"], one["first_at"], one["last_at"]) for one in store.quarantine()]
    assert told == [("q0", 3, 100.0, 120.0), ("q1", 1, 105.0, 105.0)]
    assert len(store.quarantine(most=1)) == 1
    assert store.counts()["quarantined"] == 2
    # What a batch had several times counts several times.
    sort(store, put_aside=[{**aside(at=130.0), "count": 4}])
    assert [one["count"] for one in store.quarantine(most=1)] == [7]


def test_more_than_a_statement_has_parameters(store):
    with store._engine.connect() as connection:
        # As few as some builds of SQLite have.
        connection.connection.driver_connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    assert sort(store, *(firing(f"e{number}") for number in range(32_767))) == 32_767


def test_many_at_once(store):
    assert sort(store, *(firing(f"e{number}") for number in range(12_000))) == 12_000
    assert sort(store, *(firing(f"e{number}") for number in range(11_000, 13_000))) == 1000


# ---------------------------------------------------------------------- runs
def test_a_run_begins_once(store):
    sort(store, firing())
    run = admit(store)
    assert store.run(run).began_at is None
    begun = [store.begin(run, node, 0, 210.0) for node in ("one", "two", "one")]
    assert [one is not None for one in begun] == [True, False, False]
    assert (store.run(run).began_at, store.run(run).node) == (210.0, "one")
    assert store.begin("nobody", "one", 0, 210.0) is None


def test_a_run_begins_once_whoever_asks_at_the_same_moment(store):
    sort(store, firing())
    run = admit(store)
    told: list[bool] = []

    def begin(number: int) -> None:
        told.append(store.begin(run, "one", 0, 210.0 + number) is not None)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False] * 7 + [True]


def test_who_did_not_hear_that_a_run_began_asks_again(store):
    sort(store, firing())
    run = admit(store)
    tokens = [fence.token for fence in (store.begin(run, "one", 0, 210.5), store.begin(run, "one", 0, 210.5)) if fence]
    assert tokens == sorted({*tokens}) and len(tokens) == 2
    assert store.begin(run, "one", 0, 210.6) is None


def test_what_came_of_a_run_is_written_once(store):
    sort(store, firing())
    run = admit(store)
    store.conclude(run, "resolved", {"cache": True}, "e0", {**ended(), "result": '{"a": 1}'})
    before = store.run(run)
    store.conclude(run, "unknown", {"cache": False}, "e0", ended("unknown"))
    assert store.run(run) == before
    assert [(one["helped"], one["remedies"]) for one in store.proven()] == [(1, 1)]
    told = store.episode("e0")
    assert (told["outcome"], told["state"], told["result"]) == ("resolved", "ended", {"a": 1})
    assert (store.open_runs("one"), store.nodes()) == ([], [])


def test_nobody_is_admitted_twice(store):
    sort(store, firing())
    assert admit(store) == "e0r1"
    with store.decision() as decision:
        assert decision.waiting(first(store, 9)) == []
    store.conclude("e0r1", "planned", {}, "e0", {"state": "waiting", "plan_hash": "p1"})
    assert store.change("e0", "waiting", {"state": "queued", "stage": "act"}) is True
    with store.decision() as decision:
        assert [(one.agreed, one.runs) for one in decision.waiting(first(store, 9))] == [(True, 1)]
    assert admit(store) == "e0r2"


def test_a_decision_that_breaks_off_decides_nothing(store):
    sort(store, firing())
    with pytest.raises(RuntimeError), store.decision() as decision:
        decision.admit(decision.waiting(first(store, 1))[0], "one", 200.0)
        raise RuntimeError
    assert (store.episode("e0")["state"], store.open_runs("one")) == ("queued", [])


def test_the_oldest_has_its_turn_first(store):
    sort(store, firing("e2", at=30.0), firing("e1", at=20.0), firing("e0", at=20.0))
    with store.decision() as decision:
        assert [one.episode for one in decision.waiting(first(store, 2))] == ["e0", "e1"]


def test_what_counts_for_the_limits(store):
    now = 10_000.0
    sort(
        store, *(firing(f"e{number}", f"h{number}") for number in (0, 1, 2, 3, 5, 6)), firing("e4", "h4", stage="check")
    )
    # The clock was set back, by half an hour and by two.
    for number, ahead in ((5, 1800.0), (6, 7200.0)):
        store.conclude(admit(store, f"e{number}", at=now + ahead), "resolved", {}, f"e{number}", ended())
    running, acted, _long_ago, long_running, looked = (
        admit(store, f"e{number}", at=at) for number, at in enumerate((now, now - 3599.0, now - 3600.0, 0.0, now))
    )
    for run in (acted, _long_ago, looked):
        store.conclude(run, "resolved", {}, run.partition("r")[0], ended())
    with store.decision() as decision:
        past = {(one.host, one.acts, one.running) for one in decision.past(now).started}
    assert past == {("h0", True, True), ("h1", True, False), ("h3", True, True), ("h5", True, False)}
    assert store.open_runs("one") == sorted([running, long_running])


@pytest.mark.parametrize(
    ("helped", "in_a_row"),
    [([], 0), ([True], 0), ([False], 1), ([False, False], 2), ([False, True], 0), ([True, False], 1),
     ([False, None, False], 2), ([True, None], 0), ([False, False, False, False], 3)],
)  # fmt: skip
def test_what_did_not_help_in_a_row(store, helped, in_a_row):
    for number, one in enumerate(helped):
        sort(store, firing(f"e{number}"), firing(f"x{number}", "other"))
        store.conclude(
            admit(store, f"e{number}", at=200.0 + number),
            "x",
            {"cache": one} if one is not None else {},
            f"e{number}",
            ended(),
        )
        store.conclude(admit(store, f"x{number}", at=200.0 + number), "x", {"cache": True}, f"x{number}", ended())
    with store.decision() as decision:
        assert decision.not_helped("cache", "h", 3) == in_a_row
        assert decision.not_helped("cache", "other", 3) == decision.not_helped("db_pool", "h", 3) == 0
    assert store.not_helped("cache", "h", 3) == in_a_row
    known = [one for one in helped if one is not None]
    expected = {"runbook": "cache", "host": "h", "remedies": len(known), "helped": sum(known)}
    told = [one for one in store.proven() if one["host"] == "h"]
    assert [{**one, "not_helped_in_a_row": 0} for one in told] == [{**expected, "not_helped_in_a_row": 0}] * bool(known)
    assert all(min(one["not_helped_in_a_row"], 3) == in_a_row for one in told)


def test_a_run_that_is_to_be_killed(store):
    sort(store, firing(), firing("e1"))
    run = admit(store)
    assert store.canceled("one") == []
    assert store.change("e0", "running", {"cancel": "because"}) is True
    assert store.change("e1", "running", {"cancel": "because"}) is False
    assert (store.canceled("one"), store.canceled("two")) == ([(run, "because")], [])
    store.conclude(run, "canceled", {}, "e0", ended())
    assert store.canceled("one") == []


# ---------------------------------------------------------------------- episodes
@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        ("abc1", "abc1"), ("abc", "several episodes"), ("abc2", "abc2"), ("abc1r2", "abc1"), ("r1", "no episode"), ("d", "d0"), ("e", "no episode"),
        # Never a pattern
        ("", "no episode"), ("%", "no episode"), ("d%", "no episode"), ("_0", "no episode"), ("d_", "no episode"),
        ("D", "no episode"), ("d0'", "no episode"), ("d0\0", "no episode"), ("' OR 1=1 --", "no episode"), ("abc1 ", "no episode"),
    ],
)  # fmt: skip
def test_an_episode_by_the_beginning_of_its_id(store, beginning, found):
    sort(store, firing("abc1"), firing("abc2"), firing("d0"))
    if found.endswith(("episode", "episodes")):
        with pytest.raises(OncallError, match=f"{found} with an id") as raised:
            store.find(beginning)
        assert str(raised.value).isprintable()
    else:
        assert store.find(beginning)["id"] == found


def test_lists_have_the_newest_first(store):
    sort(store, *(firing(f"e{number}", at=float(number)) for number in range(5)))
    admit(store, "e3")
    assert [one["id"] for one in store.episodes(most=2)] == ["e4", "e3"]
    assert [one["id"] for one in store.episodes(["running"])] == ["e3"]
    assert len(store.episodes(["running", "queued"], most=9)) == 5


def test_who_waits_for_a_person_does_not_wait_for_ever(store):
    sort(store, *(firing(f"e{number}") for number in range(4)), resolved=[("e1", 110.0)])
    for number, until in enumerate((500.0, 900.0, 100.0, 500.001)):
        waits = {"state": "waiting", "until": until}
        store.conclude(admit(store, f"e{number}"), "planned", {}, f"e{number}", waits)
    assert [row.id for row in store.waited_enough(500.0)] == ["e1", "e2"]


def test_why_nothing_is_done_is_said_of_every_one_that_waits(store):
    sort(store, firing(), firing("e1"), firing("e2"))
    admit(store, "e2")
    store.hold_all("paused: a")
    assert [store.episode(name)["reason"] for name in ("e0", "e1", "e2")] == ["paused: a", "paused: a", ""]
    assert store.any_queued()


def test_only_what_is_over_and_old_is_forgotten(store):
    sort(store, *(firing(f"e{number}") for number in range(6)), put_aside=[aside(), aside("q1", at=900.0)])
    # e0 waits, e1 runs, e2 waits for a person, e3 and e4 have ended, e5 has ended and still fires.
    runs = {number: admit(store, f"e{number}") for number in (1, 2, 3, 4, 5)}
    store.conclude(runs[2], "planned", {}, "e2", {"state": "waiting"})
    store.conclude(runs[3], "healthy", {}, "e3", ended())
    store.conclude(runs[4], "resolved", {"cache": True, "crash_loop": False}, "e4", ended())
    store.conclude(runs[5], "healthy", {}, "e5", ended())
    sort(store, firing("e5", at=600.0))
    dropped: list[str] = []

    def fails(_runs):
        raise OSError

    with pytest.raises(OSError):
        store.forget(500.0, fails)
    store.forget(500.0, dropped.extend)
    assert sorted(dropped) == [runs[3], runs[4]]
    assert sorted(one["id"] for one in store.episodes()) == ["e0", "e1", "e2", "e5"]
    assert [one["id"] for one in store.quarantine()] == ["q1"]
    assert store.run(runs[3]) is None
    # What a remedy did for a host is remembered.
    assert [(one["runbook"], one["host"], one["helped"], one["remedies"]) for one in store.proven()] == [
        ("cache", "h", 1, 1), ("crash_loop", "h", 0, 1),
    ]  # fmt: skip
    store.forget(500.0, fails)
    # The same episode again is no new run, as long as it is heard of.
    assert sort(store, firing("e5", at=700.0)) == 0


# ---------------------------------------------------------------------- control
def test_what_is_set_and_unset(store):
    before = time.time()
    store.set("paused", "a")
    store.set("paused", "b")
    value, at = store.controls()["paused"]
    assert value == "b" and at >= before
    assert (store.unset("paused"), store.unset("paused"), store.controls()) == (True, False, {})
    sort(store, seen={"watchdog": 50.0})
    sort(store, seen={"watchdog": 60.0})
    assert store.controls()["watchdog"] == ("", 60.0)


def test_numbers(store):
    store.keep([b"1"])
    sort(store, firing(at=20.0), firing("e1", at=10.0), firing("e2", at=5.0))
    store.conclude(admit(store, "e2"), "healthy", {}, "e2", ended())
    told = store.counts()
    assert told["episodes"] == {("queued", "cache"): 2, ("ended", "cache"): 1}
    assert (told["inbox"], told["queue_oldest"]) == (1, 10.0)
    assert told["inbox_oldest"] == pytest.approx(time.time(), abs=60)


def test_text_from_outside_is_a_value(store):
    odd = "'); DROP TABLE oncall_episodes; --\0\u202e{{ x }}"
    sort(store, firing(host=odd, fingerprint=odd), put_aside=[{**aside(), "reason": odd}])
    assert (store.episode("e0")["host"], store.quarantine()[0]["reason"]) == (odd, odd)
    assert store.change("e0", odd, {"note": odd}) is False
    store.note("e0", odd)
    assert store.episode("e0")["note"] == odd


def test_what_is_committed_is_there_after_it_was_opened_again(tmp_path):
    first = new_store(tmp_path / "state")
    first.keep([b"1"])
    second = Store(url_of("", str(tmp_path / "state")))
    try:
        assert second.inbox_size() == 1
        second.keep([b"2"])
        assert first.inbox_size() == 2
    finally:
        first.close()
        second.close()


def test_its_folder_is_for_this_user_alone(tmp_path):
    assert url_of("", str(tmp_path / "a" / "b")) == f"sqlite:///{tmp_path}/a/b/oncall.sqlite3"
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(OncallError, match=r"cannot use the state_directory .*: File exists"):
        url_of("", str(tmp_path / "file"))
    assert workflows_url("", str(tmp_path)) == f"sqlite:///{tmp_path}/workflows.sqlite3"


def test_a_database_that_cannot_be_opened_is_one_line_without_its_password(tmp_path):
    (tmp_path / "oncall.sqlite3").write_text("this is no database, however long one reads in it")
    with pytest.raises(OncallError, match=r"cannot open the database sqlite:///.*: file is not a database") as raised:
        Store(f"sqlite:///{tmp_path}/oncall.sqlite3")
    assert "\n" not in str(raised.value)
    assert shown("postgresql://oncall:hunter2@db.example/oncall") == "postgresql://oncall:***@db.example/oncall"


# ---------------------------------------------------------------------- what was cut off
def test_what_was_admitted_and_not_begun_is_queued_again(store):
    sort(store, firing("e0"), firing("e1", host="i"), firing("e2", host="j"))
    mine, begun, theirs = admit(store, "e0"), admit(store, "e1"), admit(store, "e2", node="two")
    assert store.begin(begun, "one", 0, 210.0)
    assert store.put_back("one") == 1
    states = {one["id"]: one["state"] for one in store.episodes()}
    assert states == {"e0": "queued", "e1": "running", "e2": "running"}
    assert store.run(mine) is None
    # The next run has a name of its own: a workflow of the first may still be there.
    assert admit(store, "e0") == "e0r2"
    assert (store.put_back("one", begun), store.put_back("two", theirs)) == (0, 1)


def test_a_run_is_of_the_node_that_plays_it(store):
    sort(store, firing())
    run = admit(store, node="east")
    assert store.begin(run, "east", 0, 210.0)
    assert not store.begin(run, "west", 0, 220.0)
    assert (store.open_runs("east"), store.open_runs("west")) == ([], [run])
    assert store.take_over(Peer("west"), "north") == (0, [run])
    assert store.open_runs("north") == [run]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, ("queued", "act", None, "")),
        ({"state": "waiting", "stage": "check", "mode": "approve"}, ("waiting", "check", None, "")),
        ({"state": "running"}, ("running", "act", None, "")),
        ({"state": "ended", "outcome": "closed"}, ("queued", "act", None, "")),
        (
            {"state": "ended", "outcome": "closed", "mode": "approve", "stage": "act", "plan_hash": "p"},
            ("queued", "check", None, ""),
        ),
        ({"state": "ended", "outcome": "resolved"}, ("ended", "act", 150.0, "resolved")),
        ({"state": "ended", "outcome": "expired"}, ("ended", "act", 150.0, "expired")),
    ],
)
def test_an_alert_that_fires_again_after_it_was_over(store, before, after):
    sort(store, firing())
    store.change("e0", "queued", {"resolved_at": 150.0, **before})
    sort(store, firing(at=160.0))
    found = store.episode("e0")
    assert found
    assert (found["state"], found["stage"], found["resolved_at"], found["outcome"]) == after
    assert found["plan_hash"] == ""


def test_one_that_is_over_at_last_stays_over(store):
    sort(store, firing())
    sort(store, firing(at=160.0), resolved=[("e0", 170.0)])
    found = store.episode("e0")
    assert found and found["resolved_at"] == 170.0


def test_one_that_was_canceled_does_not_wait_for_a_person(store):
    sort(store, firing(mode="approve", stage="check"))
    run = admit(store)
    store.change("e0", "running", {"cancel": "canceled by ann: enough"})
    store.conclude(run, "planned", {}, "e0", {"state": "waiting", "until": 900.0, "plan_hash": "p1"})
    found = store.episode("e0")
    assert found and (found["state"], found["outcome"]) == ("ended", "canceled")


def test_as_much_as_fits_is_read_at_once(store, monkeypatch):
    monkeypatch.setattr("oncall.serve.store.inbox.MOST_BYTES", 10)
    store.keep([b"x" * 6, b"y" * 4, b"z", b"w" * 50, b"v"])
    assert [len(body) for _id, _at, body in store.inbox(9)] == [6, 4]
    sort(store, taken=[1, 2])
    assert [len(body) for _id, _at, body in store.inbox(9)] == [1]
    sort(store, taken=[3])
    # At least one, however large it is.
    assert [len(body) for _id, _at, body in store.inbox(9)] == [50]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: who may act, what is remembered, and that nothing passes a ledger that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.claims import apply
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.file import objection
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.spec import ARGUMENT_SPEC, INFO_SPEC

COLLECTIONS = Path(__file__).parents[4] / "collections"
START = 1_800_000_000  # 2027-01-15T08:00:00Z
CLAIM_KEYS = {"available", "changed", "granted", "guard", "reason", "claim_id", "passed_guards"}
KEEP = 90 * 86400


class Ledger:
    """The modules without Ansible: every state a method, every other parameter at its default."""

    def __init__(self, path, now=time.time, check_mode=False, **params):
        self.path = path
        self._now = now
        self._check_mode = check_mode
        self._params = params

    def _apply(self, state, **params):
        params = all_params(path=self.path, state=state, **self._params, **params)
        return apply(params, check_mode=self._check_mode, now=self._now)

    def claim(self, run_id, runbook, remedies, **more):
        return self._apply("claim", run_id=run_id, runbook=runbook, remedies=remedies, **more)

    def complete(self, run_id, outcome, remedies=None):
        return self._apply("complete", run_id=run_id, outcome=outcome, remedies=remedies)

    def hold(self, reason, by="", until_seconds=None):
        return self._apply("hold", reason=reason, by=by, until_seconds=until_seconds)

    def release(self, run_id=None, not_started=False):
        return self._apply("release", run_id=run_id, not_started=not_started)

    def info(self, runbook=None, remedies=None, **limits):
        return self._apply("info", runbook=runbook, remedies=remedies, **limits)


def all_params(state, **params):
    spec = INFO_SPEC if state == "info" else ARGUMENT_SPEC
    return dict({name: option.get("default") for name, option in spec.items()}, state=state, **params)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "oncall" / "ledger.sqlite3")


@pytest.fixture
def book(path, clock):
    return Ledger(path, now=clock)


def remedy(name="restart_api", cause="api_down", **more):
    return dict({"remedy": name, "cause": cause, "targets": ["api"], "undo": None}, **more)


def claim(book, run_id="r1", runbook="api", remedies=None, **more):
    return book.claim(run_id, runbook, [remedy()] if remedies is None else remedies, **more)


def run_once(book, run_id, helped=True, state="done", cause="api_down", outcome="unresolved", **more):
    """One claimed and completed run that is not stopped by what came before."""
    granted = claim(book, run_id, remedies=[remedy(cause=cause)], override="test", **more)
    assert granted["granted"], granted["reason"]
    return book.complete(run_id, outcome, [remedy(cause=cause, helped=helped, state=state)])


def one_line_about(result, path):
    assert "\n" not in result["reason"] and result["reason"].startswith(f"ledger {path}: ")
    assert "; " in result["reason"], "says what to do next"


def refused_for_want_of_a_ledger(result, path):
    assert set(result) == CLAIM_KEYS
    assert (result["granted"], result["guard"], result["available"]) == (False, "ledger", False)
    assert (result["changed"], result["claim_id"], result["passed_guards"]) == (False, None, [])
    one_line_about(result, path)


def child(script, *args, **kwargs):
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        **kwargs,
    )


# one claim and its end


def test_a_claim_is_granted_written_and_completed(book, path):
    granted = claim(book, owner="alice@c1", plan_hash="abc", remedies=[remedy(undo={"size": 20})])
    assert set(granted) == CLAIM_KEYS
    assert granted == {
        "available": True,
        "changed": True,
        "granted": True,
        "guard": "",
        "reason": "",
        "claim_id": 1,
        "passed_guards": [],
    }
    done = book.complete("r1", "resolved", [remedy(helped=True, state="done")])
    assert done == {
        "available": True,
        "changed": True,
        "recorded": True,
        "reason": "",
        "claim_id": 1,
        "warning": "",
        "not_claimed": [],
    }
    assert book.info()["claims"] == [
        {
            "claim_id": 1,
            "run_id": "r1",
            "runbook": "api",
            "owner": "alice@c1",
            "plan_hash": "abc",
            "state": "completed",
            "outcome": "resolved",
            "override": "",
            "passed_guards": [],
            "started_at": "2027-01-15T08:00:00Z",
            "expires_at": "2027-01-15T08:30:00Z",
            "finished_at": "2027-01-15T08:00:00Z",
            "lock_lost": False,
            "remedies": [
                {
                    "remedy": "restart_api",
                    "cause": "api_down",
                    "targets": ["api"],
                    "undo": {"size": 20},
                    "state": "done",
                    "helped": True,
                    "rolled_back": False,
                }
            ],
        }
    ]


def test_the_file_and_its_folder_are_private(tmp_path):
    path = tmp_path / "a" / "ledger.sqlite3"
    old = os.umask(0)
    try:
        assert claim(Ledger(str(path)))["granted"]
    finally:
        os.umask(old)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert [each.name for each in path.parent.iterdir()] == ["ledger.sqlite3"]


@pytest.mark.parametrize("name", ["a b.sqlite", "50%?x=1#y.sqlite", "lédger.sqlite", "'; DROP TABLE claims.sqlite"])
def test_any_file_name_is_only_a_name(tmp_path, name):
    assert claim(Ledger(str(tmp_path / name)))["granted"]
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert claim(Ledger(str(tmp_path / name)), "r2")["guard"] == "lock"


def test_texts_are_values_and_reasons_stay_one_line(book):
    nasty = "x'); DROP TABLE claims; --\n\x1b[31m{{ 1 }}"
    assert claim(book, nasty, nasty, [remedy(nasty, nasty, undo={"a": [nasty]})], owner=nasty)["granted"]
    reason = claim(book, "r2")["reason"]
    assert "\n" not in reason and "\x1b" not in reason and "DROP TABLE" in reason
    assert book.info()["claims"][0]["remedies"][0]["undo"] == {"a": [nasty]}
    assert book.complete(nasty, "resolved")["recorded"]


def test_complete_again_changes_nothing_and_something_else_changes_the_record(book, clock):
    claim(book)
    end = [remedy(helped=None, state="done")]
    assert [book.complete("r1", "unresolved", end)["changed"] for _ in range(3)] == [True, False, False]
    clock.now += 60
    undone = [remedy(helped=False, state="rolled_back", rolled_back=True)]
    assert book.complete("r1", "unresolved", undone)["changed"]
    assert not book.complete("r1", "unresolved", undone)["changed"]
    recorded = book.info()["claims"][0]
    assert recorded["finished_at"] == "2027-01-15T08:00:00Z", "the end stays when it was"
    assert (recorded["remedies"][0]["state"], recorded["remedies"][0]["rolled_back"]) == ("rolled_back", True)


def test_the_same_remedy_twice_in_one_claim_keeps_two_records(book):
    claim(book, remedies=[remedy(targets=["a"]), remedy(targets=["b"])])
    book.complete("r1", "unresolved", [remedy(helped=True, state="done"), remedy(helped=False, state="failed")])
    assert [(r["targets"], r["helped"]) for r in book.info()["claims"][0]["remedies"]] == [
        (["a"], True),
        (["b"], False),
    ]


def test_a_remedy_that_was_not_claimed_is_recorded_and_named(book):
    claim(book)
    end = [remedy(helped=True, state="done"), remedy("flush_cache", helped=False, state="done")]
    assert book.complete("r1", "resolved", end)["not_claimed"] == ["flush_cache"]
    assert [r["remedy"] for r in book.info()["claims"][0]["remedies"]] == ["restart_api", "flush_cache"]
    assert not book.complete("r1", "resolved", end)["changed"]


@pytest.mark.parametrize("exists", [False, True])
def test_completing_an_unknown_run_says_so_and_makes_no_file(book, path, exists):
    if exists:
        claim(book, "other")
    result = book.complete("r1", "resolved")
    assert (result["recorded"], result["changed"], result["available"]) == (False, False, True)
    assert "no claim of run r1" in result["reason"]
    assert Path(path).exists() is exists


@pytest.mark.parametrize("how", ["expired", "expired and seen", "released", "overtaken"])
def test_completing_late_records_and_warns(book, clock, how):
    claim(book, lock_seconds=60)
    if how == "released":
        book.release("r1")
    else:
        clock.now += 60
    if how == "expired and seen":
        assert claim(book, "r2")["guard"] == "interrupted"
    if how == "overtaken":
        assert claim(book, "r2", override="known")["granted"]
    end = [remedy(helped=True, state="done")]
    late = book.complete("r1", "resolved", end)
    assert (late["recorded"], late["changed"], late["warning"]) == (True, True, "lock_lost")
    assert "run r1" in late["reason"]
    again = book.complete("r1", "resolved", end)
    assert (again["changed"], again["warning"]) == (False, "lock_lost")
    mine = next(c for c in book.info()["claims"] if c["run_id"] == "r1")
    assert (mine["state"], mine["lock_lost"], mine["remedies"][0]["helped"]) == ("completed", True, True)


# guards


def test_lock_refuses_any_runbook_and_also_an_override(book, clock):
    claim(book, owner="alice@c1")
    clock.now += 1799
    for more in ({}, {"runbook": "cache"}, {"override": "I know better"}, {"run_id": "r1"}):
        refused = claim(book, **dict({"run_id": "r2"}, **more))
        assert (refused["granted"], refused["guard"], refused["changed"]) == (False, "lock", False)
        for part in ("run r1 (api, alice@c1)", "08:00:00Z", "08:30:00Z", "state: release and run_id: r1"):
            assert part in refused["reason"]
    book.complete("r1", "resolved")
    assert claim(book, "r2", "cache")["granted"]


def test_an_expired_claim_is_interrupted_until_released(book, clock):
    claim(book, owner="alice@c1", remedies=[remedy(undo={"DB_POOL_SIZE": 20})])
    clock.now += 1800
    for _ in range(2):
        refused = claim(book, "r2", "cache")
        assert (refused["guard"], refused["changed"]) == ("interrupted", False)
    for part in ("run r1 (api, alice@c1)", "restart_api for api_down", '"DB_POOL_SIZE": 20', "run_id: r1"):
        assert part in refused["reason"]
    assert [c["state"] for c in book.info()["unfinished"]] == ["interrupted"]
    released = book.release("r1")
    assert (released["changed"], released["released"][0]["state"]) == (True, "released")
    assert not book.release("r1")["changed"]
    assert claim(book, "r2", "cache")["granted"]


def test_an_interruption_that_was_overridden_no_longer_refuses(book, clock):
    claim(book)
    clock.now += 1800
    assert claim(book, "r2", "cache", override="host checked")["granted"]
    book.complete("r2", "resolved")
    assert claim(book, "r3", "search")["granted"]


@pytest.mark.parametrize("until_seconds, later, refused", [(None, 10**7, True), (60, 59, True), (60, 60, False)])
def test_hold(book, clock, until_seconds, later, refused):
    held = book.hold("restoring by hand", "bob", until_seconds)
    assert held["changed"] and held["holds"][0]["by"] == "bob"
    clock.now += later
    result = claim(book)
    assert result["granted"] is not refused
    if refused:
        assert result["guard"] == "hold"
        for part in ("bob", "2027-01-15T08:00:00Z", "restoring by hand", "state: release"):
            assert part in result["reason"]


@pytest.mark.parametrize(
    "first, seconds_between, second, changed, holds",
    [
        (("x", "bob", None), 0, ("x", "bob", None), False, 1),
        (("x", "bob", None), 99, ("x", "bob", 60), True, 1),  # with an end now
        (("x", "bob", 60), 0, ("x", "bob", None), True, 1),
        (("x", "bob", 3600), 0, ("x", "bob", 3600), False, 1),
        (("x", "bob", 3600), 5, ("x", "bob", 3600), True, 1),  # renewed
        (("x", "bob", 60), 60, ("x", "bob", 60), True, 1),  # the first is over
        (("x", "bob", 60), 0, ("x", "eve", 60), True, 2),
        (("x", "bob", 60), 0, ("y", "bob", 60), True, 2),
    ],
)
def test_hold_again(book, clock, first, seconds_between, second, changed, holds):
    assert book.hold(*first)["changed"]
    clock.now += seconds_between
    again = book.hold(*second)
    assert (again["changed"], len(again["holds"])) == (changed, holds)
    assert book.info()["holds"] == again["holds"]


def test_lifting_lifts_all_holds_once(book, path):
    assert not book.release()["changed"]
    assert not Path(path).exists()
    book.hold("x", "bob")
    book.hold("y", "eve", 60)
    assert "(and 1 more holds)" in claim(book)["reason"]
    lifted = book.release()
    assert (lifted["changed"], {hold["by"] for hold in lifted["lifted"]}) == (True, {"bob", "eve"})
    assert not book.release()["changed"]
    assert claim(book)["granted"]


def test_what_was_never_begun_counts_for_no_cooldown_and_no_budget(book):
    claim(book)
    assert book.release("r1", not_started=True)["released"][0]["remedies"][0]["state"] == "not_started"
    assert claim(book, "r2", budget_count=1)["granted"]


def test_releasing_what_is_not_there(book):
    claim(book)
    book.complete("r1", "resolved")
    assert (book.release("r1")["changed"], book.release("r1")["reason"]) == (False, "")
    unknown = book.release("r9")
    assert (unknown["changed"], unknown["available"]) == (False, True)
    assert "no claim of run r9" in unknown["reason"]


@pytest.mark.parametrize(
    "seconds_later, runbook, name, state, guard",
    [
        (299, "api", "restart_api", "done", "cooldown"),
        (300, "api", "restart_api", "done", ""),
        (0, "api", "scale_api", "done", ""),
        (0, "cache", "restart_api", "done", ""),
        (0, "api", "restart_api", "not_started", ""),
        (0, "api", "restart_api", "rollback_failed", "cooldown"),
    ],
)
def test_cooldown(book, clock, seconds_later, runbook, name, state, guard):
    claim(book)
    book.complete("r1", "resolved", [remedy(helped=True, state=state)])
    clock.now += seconds_later
    result = claim(book, "r2", runbook, [remedy("other"), remedy(name)])
    assert (result["guard"], result["granted"]) == (guard, not guard)
    if guard:
        assert "possible again at 2027-01-15T08:05:00Z" in result["reason"] and "run r1" in result["reason"]


def test_cooldown_counts_what_an_interrupted_or_released_run_started(book):
    claim(book)
    book.release("r1")
    assert claim(book, "r2")["guard"] == "cooldown"
    assert claim(book, "r2", cooldown_seconds=0)["granted"]


@pytest.mark.parametrize(
    "started, seconds_later, asked, budget, again",
    [
        (4, 0, 2, 6, None),
        (5, 0, 2, 6, "possible again at 2027-01-15T09:00:00Z"),
        (6, 3599, 1, 6, "possible again at 2027-01-15T09:00:00Z"),
        (6, 3600, 6, 6, None),
        (0, 0, 7, 6, "ask for fewer or raise budget_count"),
        (0, 0, 1, 0, "ask for fewer or raise budget_count"),
    ],
)
def test_budget_over_all_runbooks(book, clock, started, seconds_later, asked, budget, again):
    for number in range(started):
        claim(book, f"s{number}", f"book{number}")
        book.complete(f"s{number}", "resolved", [remedy(helped=True, state="done")])
    clock.now += seconds_later
    wanted = [remedy(f"remedy{number}") for number in range(asked)]
    result = claim(book, "r", remedies=wanted, budget_count=budget)
    assert result["guard"] == ("budget" if again else "")
    if again:
        assert again in result["reason"] and f"the budget is {budget}" in result["reason"]


def test_budget_leaves_out_what_was_not_started(book):
    claim(book, remedies=[remedy(f"remedy{number}") for number in range(6)])
    book.complete("r1", "unresolved", [remedy(f"remedy{number}", state="not_started") for number in range(6)])
    assert claim(book, "r2")["granted"]


N, U, Y = False, None, True


@pytest.mark.parametrize(
    "helped, limit, guard",
    [
        ([], 2, ""),
        ([N], 2, ""),
        ([N], 1, "ineffective"),
        ([N, N], 2, "ineffective"),
        ([Y, N, N], 2, "ineffective"),
        ([N, N, Y], 2, ""),
        ([N, Y, N], 2, ""),
        ([U, U, U], 2, ""),
        ([N, U, N, U], 2, "ineffective"),  # not knowing excuses nothing
        ([N, N], 3, ""),
        ([N, N, N], 0, ""),
    ],
)
def test_ineffective(book, clock, helped, limit, guard):
    for number, each in enumerate(helped):
        run_once(book, f"s{number}", helped=each)
        clock.now += 1000
    result = claim(book, "r", ineffective_limit=limit)
    assert (result["guard"], result["granted"]) == (guard, not guard)
    if guard:
        assert "restart_api did not help against api_down" in result["reason"]


@pytest.mark.parametrize(
    "first, second, seconds_later, guard",
    [
        ({}, {}, 86000, "ineffective"),
        ({}, {}, 86400, ""),
        ({"cause": "other"}, {}, 1000, ""),
        ({"runbook": "other"}, {}, 1000, ""),
        ({"state": "not_started"}, {}, 1000, ""),
        (
            {"helped": None, "state": "failed"},
            {"helped": None, "state": "rollback_failed"},
            1000,
            "ineffective",
        ),
        ({"helped": None, "state": "rolled_back"}, {}, 1000, ""),
    ],
)
def test_which_attempts_count_as_ineffective(book, clock, first, second, seconds_later, guard):
    run_once(book, "s1", **dict({"helped": False}, **first))
    run_once(book, "s2", **dict({"helped": False}, **second))
    clock.now += seconds_later
    assert claim(book, "r")["guard"] == guard


def test_one_claim_is_one_attempt_on_however_many_targets(book, clock):
    for run_id, effects in (("s1", [False, False, False]), ("s2", [False, True])):
        claim(book, run_id, remedies=[remedy() for _ in effects])
        book.complete(run_id, "unresolved", [remedy(helped=helped, state="done") for helped in effects])
        clock.now += 4000
        assert claim(book, "probe", override="")["granted"]
        book.complete("probe", "unresolved", [remedy(state="not_started")])
        clock.now += 4000


def test_attempts_of_unfinished_runs_are_not_judged(book, clock):
    for run_id in ("s1", "s2"):
        assert claim(book, run_id)["granted"]
        book.release(run_id)
        clock.now += 1000
    assert claim(book, "r")["granted"]


def refused_by_everything(book, clock):
    """A ledger in which every guard but the lock refuses restart_api for api_down."""
    for number in range(6):
        run_once(book, f"s{number}", helped=False)
    book.hold("hands off", "bob")
    claim(book, "dead", override="test", lock_seconds=1)
    clock.now += 1


def test_guards_come_in_order(book, clock):
    refused_by_everything(book, clock)
    assert claim(book, "r")["guard"] == "interrupted"
    book.release("dead")
    assert claim(book, "r")["guard"] == "hold"
    book.release()
    assert claim(book, "r")["guard"] == "cooldown"
    clock.now += 300
    assert claim(book, "r")["guard"] == "budget"
    clock.now += 3600
    assert claim(book, "r")["guard"] == "ineffective"
    clock.now += 86400
    assert claim(book, "r")["granted"]


def test_override_passes_all_but_the_lock_and_is_recorded(book, clock):
    refused_by_everything(book, clock)
    assert claim(book, "r", override="   ")["guard"] == "interrupted"
    granted = claim(book, "r", override="director asked")
    assert granted["granted"]
    assert [passed["guard"] for passed in granted["passed_guards"]] == [
        "interrupted",
        "hold",
        "cooldown",
        "budget",
        "ineffective",
    ]
    assert all(passed["reason"] for passed in granted["passed_guards"])
    recorded = book.info()["claims"][0]
    assert (recorded["override"], recorded["passed_guards"]) == ("director asked", granted["passed_guards"])
    assert claim(book, "r2", override="director asked")["guard"] == "lock"


# the clock


def fenced(book, run_id, token, source="a database", **more):
    """The guard that refuses, where the ledger is only asked about the fence."""
    granted = claim(book, run_id, fence={"source": source, "token": token}, cooldown_seconds=0, budget_count=99, **more)
    if granted["granted"]:
        book.complete(run_id, "resolved", [remedy(state="done", helped=True)])
    return granted["guard"]


def test_a_run_that_was_taken_for_lost_acts_no_more(book, path, clock):
    assert fenced(book, "r5", 5) == ""
    # A hand-over claims once more with the same.
    assert fenced(book, "r5b", 5) == ""
    assert fenced(book, "r7", 7) == ""
    refused = claim(book, "r6", fence={"source": "a database", "token": 6})
    assert (refused["granted"], refused["guard"]) == (False, "fence")
    assert "run r6 is out of date" in refused["reason"] and "run r7" in refused["reason"]
    # Nobody can know better than the service: no override.
    assert fenced(book, "r6", 6, override="I know better") == "fence"
    # Of another service, and of a person, nothing is known.
    assert fenced(book, "o1", 1, source="another database") == ""
    assert claim(book, "p1", cooldown_seconds=0)["granted"]
    book.complete("p1", "resolved", [remedy(state="done", helped=True)])
    # It is forgotten with the claims.
    clock.now += KEEP + 10
    assert fenced(book, "o2", 2, source="another database") == ""
    assert fenced(book, "r1", 1) == ""


def test_a_fence_is_kept_by_a_claim_that_is_granted_only(book, clock):
    assert claim(book, "r1")["granted"]
    assert fenced(book, "r9", 9) == "lock"
    book.complete("r1", "resolved", [remedy(state="done", helped=True)])
    assert fenced(book, "r8", 8) == ""


def test_a_ledger_of_before_takes_a_fence_and_one_with_a_fence_is_a_ledger_of_before(book, path):
    assert claim(book, "r1", fence={"source": "s", "token": 1})["granted"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        db.execute("DROP TABLE fences")
    assert book.complete("r1", "resolved", [remedy(state="done", helped=True)])["recorded"]
    assert fenced(book, "r2", 2) == ""


def test_a_clock_that_was_set_back_lets_nothing_through(book, clock):
    clock.now = START + 10
    claim(book, lock_seconds=60)
    clock.now = START
    assert "until 2027-01-15T08:01:00Z" in claim(book, "r")["reason"], "the lock keeps its length"
    assert book.complete("r1", "unresolved", [remedy(helped=True, state="done")])["warning"] == ""
    refused = claim(book, "r")
    assert refused["guard"] == "cooldown" and "possible again at 2027-01-15T08:05:00Z" in refused["reason"]
    clock.now = START + 300
    assert claim(book, "r")["granted"]


YEAR = 365 * 86400


@pytest.mark.parametrize("ahead", [60, 3600, YEAR])
def test_what_a_clock_that_was_ahead_recorded_rests_from_now_on_and_not_until_then(book, clock, ahead):
    clock.now = START + ahead
    run_once(book, "r1", helped=False)
    run_once(book, "r2", helped=False)
    clock.now = START
    assert claim(book, "r3")["guard"] == "cooldown"
    clock.now += 299
    assert claim(book, "r3")["guard"] == "cooldown"
    clock.now += 2
    # Nor does anybody forget that it did not help, before its window is over.
    assert claim(book, "r3")["guard"] == "ineffective"
    clock.now = START + 86401
    assert claim(book, "r3")["granted"]


def test_a_lock_and_a_hold_from_ahead_end_as_well(book, clock):
    clock.now = START + YEAR
    assert claim(book, "r1", lock_seconds=600)["granted"]
    book.hold("a move", until_seconds=1200)
    clock.now = START
    assert claim(book, "r2")["guard"] == "lock"
    clock.now += 601
    assert claim(book, "r2")["guard"] == "interrupted"
    book.release("r1")
    assert claim(book, "r2", cooldown_seconds=0)["guard"] == "hold"
    clock.now += 600
    assert claim(book, "r2")["granted"]


def test_a_clock_that_was_not_set_yet_takes_nothing_back(book, clock):
    """As of a machine without a battery, which begins in 1970 until it hears of the time."""
    assert claim(book, "r1")["granted"]
    book.complete("r1", "resolved", [remedy(state="done", helped=True)])
    clock.now = 1000
    assert claim(book, "r2")["guard"] == "cooldown"
    clock.now = START + 200
    assert claim(book, "r2")["guard"] == "cooldown"


def test_only_looking_takes_nothing_back(book, path, clock):
    clock.now = START + YEAR
    run_once(book, "r1")
    clock.now = START
    before = Path(path).read_bytes()
    assert book.info("api", [remedy()])["status"]["guard"] == "cooldown"
    assert Path(path).read_bytes() == before


def test_finished_records_are_forgotten_after_90_days(book, path, clock):
    run_once(book, "old")
    claim(book, "released", "x")
    book.release("released")
    claim(book, "dead", "y", lock_seconds=1)
    book.hold("over", "bob", 1)
    clock.now += KEEP
    assert claim(book, "young", override="z")["granted"]
    assert [c["run_id"] for c in book.info()["claims"]] == ["young", "dead", "released", "old"]
    book.complete("young", "resolved")
    clock.now += 1
    book.hold("now", "bob")
    assert claim(book, "refused")["guard"] == "hold"
    assert claim(book, "next", override="z")["granted"]
    assert [c["run_id"] for c in book.info()["claims"]] == ["next", "young", "dead"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM claims").fetchone()[0] == 3


# looking without touching


def test_info_of_a_missing_file_is_empty_and_makes_none(book, path):
    assert book.info() == {
        "available": True,
        "changed": False,
        "reason": "",
        "holds": [],
        "unfinished": [],
        "claims": [],
        "status": {"refused": False, "guard": "", "reason": ""},
    }
    assert not Path(path).parent.exists()


def test_info_says_whether_a_claim_would_be_refused_and_shows_the_last_20(book, clock):
    for number in range(25):
        run_once(book, f"s{number}", helped=False)
        clock.now += 1
    info = book.info()
    assert [c["run_id"] for c in info["claims"]] == [f"s{number}" for number in range(24, 4, -1)]
    assert info["status"]["guard"] == "budget"
    assert book.info("api", [remedy()])["status"]["guard"] == "cooldown"
    assert book.info("api", [remedy()], cooldown_seconds=0, budget_count=99)["status"]["guard"] == "ineffective"
    assert not book.info("api", [remedy("other")], budget_count=99)["status"]["refused"]
    claim(book, "live", override="test")
    info = book.info()
    assert info["status"]["guard"] == "lock" and [c["run_id"] for c in info["unfinished"]] == ["live"]
    clock.now += 1800
    assert book.info()["status"]["guard"] == "interrupted"


def contents(path):
    return {each.name: each.read_bytes() for each in Path(path).parent.iterdir()}


def test_info_and_check_mode_write_nothing(book, path, clock):
    refused_by_everything(book, clock)  # the expired claim is still to be marked as interrupted
    before = contents(path)
    trial = Ledger(path, now=clock, check_mode=True)
    assert book.info()["unfinished"][0]["state"] == "interrupted"
    assert trial.info()["status"]["guard"] == "interrupted"
    assert (claim(trial, "r")["guard"], claim(trial, "r")["changed"]) == ("interrupted", False)
    for _ in range(2):
        granted = claim(trial, "r", override="x")
        assert (granted["granted"], granted["changed"], granted["claim_id"]) == (True, True, None)
        assert len(granted["passed_guards"]) == 5
        assert trial.complete("dead", "resolved")["changed"]
        assert trial.release("dead")["changed"] and not trial.release("s1")["changed"]
        assert trial.release()["changed"]
        assert trial.hold("other", "eve")["changed"] and not trial.hold("hands off", "bob")["changed"]
    assert contents(path) == before


def test_check_mode_makes_no_file(path, clock):
    trial = Ledger(path, now=clock, check_mode=True)
    assert claim(trial)["granted"] and trial.hold("x")["changed"] and not trial.release()["changed"]
    assert not Path(path).parent.exists()


# bad parameters


@pytest.mark.parametrize(
    "call",
    [
        lambda book: claim(book, run_id=""),
        lambda book: claim(book, runbook=" "),
        lambda book: claim(book, remedies=[]),
        lambda book: claim(book, remedies=[{"remedy": "x", "cause": " "}]),
        lambda book: claim(book, lock_seconds=0),
        lambda book: claim(book, lock_seconds=KEEP + 1),
        lambda book: claim(book, cooldown_seconds=-1),
        lambda book: claim(book, budget_window_seconds=KEEP + 1),
        lambda book: claim(book, ineffective_limit=-1),
        lambda book: book.complete("", "resolved"),
        lambda book: book.complete("r1", "resolved", [remedy()]),
        lambda book: book.hold(""),
        lambda book: book.hold("x", until_seconds=0),
        lambda book: book.release(""),
        lambda book: book.info(budget_count=-1),
        lambda book: Ledger("ledger.sqlite3").info(),
        lambda book: Ledger("/tmp/a", timeout_seconds=-1).info(),
        lambda book: Ledger("/tmp/a", timeout_seconds=float("nan")).info(),
    ],
)
def test_bad_parameters_are_errors_and_make_no_file(book, path, call):
    with pytest.raises(ValueError):
        call(book)
    assert not Path(path).exists()


# a ledger that cannot be used


def filled(path):
    book = Ledger(path, now=lambda: START)
    for number in range(10):
        run_once(book, f"s{number}", plan_hash="h" * 2500)
    book.hold("hands off", "bob")
    return Path(path)


def overwrite(first_page, last_page):
    def spoil(file):
        data = bytearray(file.read_bytes())
        assert len(data) > last_page * 4096
        data[first_page * 4096 : last_page * 4096] = b"\xa5" * (last_page - first_page) * 4096
        file.write_bytes(data)

    return spoil


def overwrite_the_holds(file):
    """Damage in a table that completing a run has no need of."""
    with closing(sqlite3.connect(str(file))) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'holds'").fetchone()[0]
    overwrite(page - 1, page)(file)


def sql(*statements):
    def spoil(file):
        with closing(sqlite3.connect(str(file))) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return spoil


def another_database(file):
    file.unlink()
    sql("CREATE TABLE claims (x)")(file)


def a_link(file):
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def a_dead_link(file):
    file.unlink()
    file.symlink_to(file.with_suffix(".gone"))


def a_folder(file):
    file.unlink()
    file.mkdir()


def a_pipe(file):
    file.unlink()
    os.mkfifo(str(file))


def everything(book):
    """All operations, as (name, result); the claim has an override, so that only the ledger can refuse."""
    return [
        ("claim", claim(book, "r", override="x")),
        ("complete", book.complete("s1", "resolved")),
        ("hold", book.hold("other")),
        ("release", book.release("s1")),
        ("release", book.release()),
        ("info", book.info()),
    ]


def all_unavailable(book, says):
    for doing, result in everything(book):
        assert (result["available"], result["changed"]) == (False, False), doing
        assert f": {doing} was not possible: " in result["reason"] and says in result["reason"]
        one_line_about(result, book.path)
        if doing == "claim":
            refused_for_want_of_a_ledger(result, book.path)
        if doing == "complete":
            assert (result["recorded"], result["claim_id"]) == (False, None)
        if doing == "info":
            assert result["status"] == {"refused": True, "guard": "ledger", "reason": result["reason"]}
            assert (result["claims"], result["unfinished"], result["holds"]) == ([], [], [])


def everything_in(folder):
    def one(each):
        status = each.lstat()
        return status.st_mode, status.st_ino, each.read_bytes() if stat.S_ISREG(status.st_mode) else None

    return {each.name: one(each) for each in folder.iterdir()}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda file: file.write_bytes(b"this is no database " * 500), "not a database"),
        (lambda file: os.truncate(str(file), file.stat().st_size // 2), "malformed"),
        (lambda file: os.truncate(str(file), 4096), "malformed"),
        (lambda file: os.truncate(str(file), 50), "keep the file"),
        (lambda file: os.truncate(str(file), 0), "it is empty"),
        (overwrite(1, 5), "keep the file"),
        (overwrite(4, 5), "keep the file"),
        (overwrite_the_holds, "keep the file"),
        (another_database, "schema version is 0"),
        (sql("PRAGMA user_version = 2"), "schema version is 2"),
        (sql("DROP TABLE holds"), "no such table"),
        (a_link, "symbolic link"),
        (a_dead_link, "symbolic link"),
        (a_folder, "not a regular file"),
        (a_pipe, "not a regular file"),
        (lambda file: file.chmod(0o666), "others may write to it (mode 0666)"),
    ],
)
def test_a_damaged_ledger_refuses_everything_and_is_left_as_it_is(path, spoil, says, check_mode):
    file = filled(path)
    spoil(file)
    before = everything_in(file.parent)
    all_unavailable(Ledger(path, now=lambda: START + 10**6, check_mode=check_mode), says)
    assert everything_in(file.parent) == before


@pytest.mark.parametrize(
    "damage",
    ["remedies = '['", "remedies = '5'", "remedies = '[{}]'", "started_at = 'x'", "run_id = CAST(x'ff' AS TEXT)"],
)
def test_damage_inside_a_record_refuses(path, damage):
    file = filled(path)
    sql(f"UPDATE claims SET {damage}")(file)
    before = file.read_bytes()
    refused_for_want_of_a_ledger(claim(Ledger(path, now=lambda: START), "r", override="x"), path)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "mode, owner, uid, says",
    [
        (stat.S_IFREG | 0o600, 1000, 1000, ""),
        (stat.S_IFREG | 0o600, 0, 1000, ""),
        (stat.S_IFREG | 0o644, 0, 0, ""),
        (stat.S_IFREG | 0o600, 1000, 0, "belongs to uid 1000"),
        (stat.S_IFREG | 0o600, 1001, 1000, "belongs to uid 1001, not to uid 1000 or root"),
        (stat.S_IFREG | 0o620, 1000, 1000, "others may write"),
        (stat.S_IFLNK | 0o777, 1000, 1000, "symbolic link"),
        (stat.S_IFIFO | 0o600, 1000, 1000, "not a regular file"),
    ],
)
def test_whose_file_can_be_the_ledger(mode, owner, uid, says):
    found = objection(os.stat_result((mode, 1, 1, 1, owner, owner, 4096, 0, 0, 0)), uid)
    assert says in found and bool(says) == bool(found)


def test_a_file_of_another_user_is_refused(path):
    if os.geteuid():
        path = "/etc/passwd"  # root's, so it may be a ledger, but this user cannot write it
    else:
        os.chown(str(filled(path)), 65534, 65534)
    refused_for_want_of_a_ledger(claim(Ledger(path, now=lambda: START), "r", override="x"), path)


@pytest.mark.parametrize(
    "where",
    [
        lambda folder: folder / "file" / "ledger.sqlite3",  # below a regular file
        lambda folder: folder / "file" / "a" / "ledger.sqlite3",
        lambda folder: Path("/proc/oncall/ledger.sqlite3"),  # not even root can make a folder here
        lambda folder: Path("/proc/ledger.sqlite3"),
        lambda folder: folder / ("x" * 300),
        lambda folder: folder / "loop" / "ledger.sqlite3",
    ],
)
def test_a_place_where_nothing_can_be_written_refuses(tmp_path, where):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    path = str(where(tmp_path))
    refused_for_want_of_a_ledger(claim(Ledger(path)), path)
    held = Ledger(path).hold("x")
    assert (held["available"], held["changed"], held["holds"]) == (False, False, [])
    assert {each.name for each in tmp_path.iterdir()} == {"file", "loop"}


LIMITED = """
    import json, resource, sys
    from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.claims import apply
    params, limit = json.loads(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    print(json.dumps(apply(params)))
"""


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("limit", [0, 100, 4096])
def test_a_disk_that_takes_no_more_bytes_refuses_also_as_root(path, exists, limit):
    """RLIMIT_FSIZE makes write() fail in the middle of the transaction, whoever asks."""
    if exists:
        filled(path)
        before = contents(path)
    process = child(LIMITED, claim_params(path, "r", "x", undo="u" * 100000), limit)
    refused_for_want_of_a_ledger(json.loads(process.communicate(timeout=120)[0]), path)
    if exists:
        assert contents(path).pop("ledger.sqlite3") == before["ledger.sqlite3"]
    else:
        assert contents(path) == {}, "nothing half made is left"
    assert claim(Ledger(path, now=lambda: START), "r", override="x")["granted"]


def test_a_python_without_sqlite_refuses(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    all_unavailable(Ledger(path), "install Python's sqlite3")


# several at once


CLAIMER = """
    import json, sqlite3, sys
    from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.claims import apply
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(apply(json.loads(sys.argv[1]))))
"""


def claim_params(path, run_id, override, undo=None):
    names = {"run_id": run_id, "runbook": "api", "override": override, "remedies": [remedy(undo=undo)]}
    return json.dumps(all_params(state="claim", path=path, timeout_seconds=60, **names))


@pytest.mark.parametrize("exists, override", [(False, ""), (True, "x")])
def test_of_20_processes_claiming_at_once_exactly_one_is_granted(path, exists, override):
    if exists:
        filled(path)
    processes = [child(CLAIMER, claim_params(path, f"r{number}", override)) for number in range(20)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert sorted(result["guard"] for result in results) == [""] + ["lock"] * 19
    winner = next(number for number, result in enumerate(results) if result["granted"])
    unfinished = Ledger(path).info()["unfinished"]
    assert [c["run_id"] for c in unfinished] == [f"r{winner}"]
    assert list(contents(path)) == ["ledger.sqlite3"]


LOCKER = """
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_a_ledger_locked_for_longer_than_the_timeout_refuses(path):
    filled(path)
    process = child(LOCKER, path)
    assert process.stdout.readline() == "ready\n"
    all_unavailable(Ledger(path, timeout_seconds=0.05, now=lambda: START), "another process")
    trial = Ledger(path, timeout_seconds=0.05, now=lambda: START, check_mode=True)
    all_unavailable(trial, "database is locked")
    process.communicate("go\n", timeout=120)
    assert claim(Ledger(path, now=lambda: START), override="x")["granted"]


DYING = """
    import os, sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE claims SET state = 'claimed', run_id = 'half'")
    db.execute("UPDATE claims SET remedies = ?", ['"' + "u" * 20000 + '"'])
    db.execute("DELETE FROM holds")
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("first", ["info", "claim"])
def test_a_process_killed_in_the_middle_of_a_transaction_leaves_a_usable_ledger(path, first):
    file = filled(path)
    book = Ledger(path, now=lambda: START)
    before, content = book.info(), file.read_bytes()
    process = child(DYING, path)
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert file.read_bytes() != content, "half of it is on the disk"
    assert file.with_name("ledger.sqlite3-journal").stat().st_size
    if first == "info":
        assert book.info() == before
    assert claim(book, "r")["guard"] == "hold"
    assert book.info() == before
    assert claim(book, "r", override="x")["granted"]


def test_a_process_killed_while_it_made_the_file_leaves_the_place_free(path):
    """What such a process leaves is a file of another name; the ledger's own name stays free."""
    folder = Path(path).parent
    folder.mkdir(mode=0o700)
    (folder / ".ledger.sqlite3.abc.new").write_bytes(b"")
    assert claim(Ledger(path))["granted"]


def test_a_copied_ledger_is_a_ledger(path, tmp_path):
    filled(path)
    shutil.copy(path, str(tmp_path / "copy.sqlite"))
    assert claim(Ledger(str(tmp_path / "copy.sqlite"), now=lambda: START), "r")["guard"] == "hold"

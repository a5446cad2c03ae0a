# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an answer of a runbook is judged: each row is what is true, what was said, and the word for it."""

from __future__ import annotations

import pytest

from lab.rights import Pair, right, together


def run(runbook="db_pool", outcome="planned", problems=(), unknown=(), plan=(), summary="it is so"):
    """A record: the causes found, those that are open, and the remedies of the plan; ``-`` before one that is not available."""
    findings = [{"cause": cause, "status": "problem"} for cause in problems]
    findings += [{"cause": cause, "status": "unknown"} for cause in unknown]
    steps = [{"remedy": remedy.lstrip("-"), "available": not remedy.startswith("-")} for remedy in plan]
    return {
        "runbook": runbook, "outcome": outcome, "summary": summary, "findings": findings, "plan": {"steps": steps},
    }  # fmt: skip


LOCK = {"db_pool": right("blocker", "end_blocker", also="high_usage", says="migrate")}
WELL = {"db_pool": right(also="high_usage", healthy=True)}
UNSEEN = {"db_pool": right()}
MUST = {"db_pool": right("pool_leak", unknown=False)}
TWO = {"db_pool": right("blocker", second=frozenset({"pool_leak"}))}
SAYS = "migrate holds the lock"

ROWS = [
    # Named.
    (LOCK, [run(problems=["blocker"], plan=["end_blocker"], summary=SAYS)], None, "named"),
    (LOCK, [run(problems=["blocker", "high_usage"], summary=SAYS)], None, "named"),
    (LOCK, [run(problems=["blocker"])], None, "named wrong"),
    (LOCK, [run(problems=["pool_leak"])], None, "named wrong"),
    (LOCK, [run(problems=["waiting_unexplained"])], None, "honest"),
    (LOCK, [run(outcome="unknown", unknown=["blocker"])], None, "honest"),
    (MUST, [run(outcome="unknown", unknown=["pool_leak"])], None, "not named"),
    (MUST, [run(problems=["waiting_unexplained"])], None, "not named"),
    # What would be done comes before what was said.
    (LOCK, [run(problems=["blocker"], plan=["restart_application"], summary=SAYS)], None, "needless remedy"),
    (LOCK, [run(problems=["blocker"], plan=["-restart_application"], summary=SAYS)], None, "named"),
    (WELL, [run(outcome="planned", problems=["pool_leak"], plan=["restart_application"])], None, "needless remedy"),
    # Healthy.
    (LOCK, [run(outcome="healthy")], None, "false healthy"),
    (WELL, [run(outcome="healthy")], None, "healthy"),
    (WELL, [run(outcome="healthy")], False, "healthy"),
    (WELL, [run(outcome="healthy")], True, "false healthy"),
    (WELL, [run(problems=["high_usage"])], None, "healthy"),
    (WELL, [run(problems=["few_answers"])], None, "honest"),
    (WELL, [run(outcome="unknown")], None, "honest"),
    (WELL, [run(problems=["pool_leak"])], None, "named wrong"),
    (UNSEEN, [run(outcome="healthy")], None, "false healthy"),
    (UNSEEN, [run(outcome="unknown")], None, "honest"),
    (UNSEEN, [run(problems=["pool_leak"])], None, "named wrong"),
    # Two at once.
    (TWO, [run(problems=["blocker", "pool_leak"])], None, "named"),
    (TWO, [run(problems=["blocker"])], None, "not named"),
    (TWO, [run(problems=["pool_leak"])], None, "not named"),
    (TWO, [run(problems=["blocker"], unknown=["pool_leak"])], None, "honest"),
    # Nothing was said.
    (LOCK, [], None, "broke off"),
    (LOCK, [{"runbook": "db_pool", "outcome": "unknown", "summary": "it broke"}], None, "broke off"),
]


@pytest.fixture(scope="module")
def verdicts():
    from ansible_collections.oncall.runbooks.tests.support.accuracy import verdicts

    return verdicts


@pytest.mark.parametrize(("rights", "runs", "signal", "word"), ROWS)
def test_the_runbook_whose_fault_it_is(verdicts, rights, runs, signal, word):
    assert verdicts.judge("db_pool", verdicts.Truth(rights), runs, signal).word == word


OWNER = run("db_pool", problems=["blocker"], plan=["end_blocker"])
ELSEWHERE = [
    # complete, runs of the runbook that was asked, signal, the word for it
    (True, [run("latency", outcome="healthy")], None, "healthy"),
    (True, [run("latency", outcome="healthy")], True, "false healthy"),
    (True, [run("latency", outcome="unknown")], None, "honest"),
    (True, [run("latency", problems=["slow_statement"])], None, "named wrong"),
    (True, [run("latency", problems=["blocker"]), OWNER], None, "handed over"),
    (True, [run("latency", problems=["blocker"]), run("db_pool", outcome="unknown")], None, "named wrong"),
    (True, [run("latency", problems=["blocker"]), run("db_pool", outcome="healthy")], None, "false healthy"),
    (True, [run("latency", problems=["blocker"]), run("db_pool", plan=["raise_pool_size"])], None, "needless remedy"),
    (True, [run("latency", problems=["blocker"], plan=["end_blocker"])], None, "needless remedy"),
    (False, [run("latency", problems=["slow_statement"])], None, "left alone"),
    (False, [run("latency", outcome="healthy")], None, "left alone"),
    (False, [run("latency", outcome="healthy")], True, "false healthy"),
    (False, [run("latency", plan=["end_blocker"])], None, "left alone"),
    (False, [run("latency", plan=["scale_out"])], None, "needless remedy"),
]


@pytest.mark.parametrize(("complete", "runs", "signal", "word"), ELSEWHERE)
def test_a_runbook_whose_fault_it_is_not(verdicts, complete, runs, signal, word):
    assert verdicts.judge("latency", verdicts.Truth(LOCK, complete), runs, signal).word == word


def test_a_name_too_many_is_kept(verdicts):
    verdict = verdicts.judge("db_pool", verdicts.Truth(LOCK), [run(problems=["blocker", "pool_leak"], summary=SAYS)])
    assert (verdict.word, verdict.beside) == ("named", ("pool_leak",))


def test_two_faults_are_both_to_be_named():
    of = {
        "lock": LOCK,
        "leak": {"db_pool": right("pool_leak", "restart_application"), "db_down": right("too_many_connections")},
    }
    merged = Pair("lock", "leak").rights(of)
    assert merged["db_down"] == of["leak"]["db_down"]
    both = merged["db_pool"]
    assert (both.causes, both.second) == ({"blocker"}, {"pool_leak"})
    assert both.remedies == {"end_blocker", "restart_application"}
    assert both.named


def test_what_another_fault_explains_need_not_be_named():
    both = Pair("down", "lock", explained="lock").rights({"down": {"db_pool": right("refused")}, "lock": LOCK})[
        "db_pool"
    ]
    assert (both.causes, both.second) == ({"refused"}, frozenset())
    assert "blocker" in both.also


def test_a_fault_that_cannot_be_seen_has_no_name_to_give_and_is_not_healthy():
    both = together([("lock", LOCK["db_pool"]), ("blind", right())])
    assert both.causes == {"blocker"}
    assert not (both.named or both.healthy)
    well = together([("busy", WELL["db_pool"]), ("lock", LOCK["db_pool"])])
    assert (well.causes, well.healthy) == ({"blocker"}, False)
    assert together([("busy", WELL["db_pool"]), ("still", right(healthy=True))]).healthy

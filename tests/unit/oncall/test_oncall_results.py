# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was published -> what the package says, in Python, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from oncall.cli import display
from oncall.cli.display import _of_step
from oncall.results import EXIT_CODES, Outcome, Result, Step, host_result, of_document

ROOT = Path(__file__).resolve().parents[3]

STEP = {
    "remedy": "end_blocker",
    "cause": "blocker",
    "risk": "low",
    "targets": [{"pid": 7}],
    "available": True,
    "why_not": "",
}
ACTION = {
    **{name: STEP[name] for name in ("remedy", "cause", "risk", "targets")},
    "state": "done",
    "helped": True,
    "seconds": 0.2,
}


def published(runbook="db_pool", outcome="healthy", **more):
    return {"run_id": "abc", "runbook": runbook, "outcome": outcome, "summary": f"{runbook} {outcome}", **more}


def result(*hosts, status="ended"):
    return Result("db_pool", "act", status, 1.0, 2.0, {host.host: host for host in hosts})


@pytest.mark.parametrize(
    ("told", "failure", "outcome", "summary"),
    [
        ({"db_pool": published()}, "", "healthy", "db_pool healthy"),
        ({"db_pool": published(outcome="resolved", actions=[ACTION])}, "", "resolved", "db_pool resolved"),
        # Lost on the way, whatever it had come to.
        ({}, "host unreachable: no route", "unknown", "host unreachable: no route"),
        ({"db_pool": published()}, "db_pool: broke", "unknown", "db_pool: broke"),
        ({}, "", "unknown", "the runbook came to no end"),
        # The worst of who found it and who owns the cause: each looked only at what is its own.
        (
            {
                "db_pool": published(outcome="resolved", hand_over=["cache"]),
                "cache": published("cache", "resolved"),
            },
            "", "resolved", "db_pool resolved; cache: cache resolved",
        ),
        (
            {
                "db_pool": published(outcome="unresolved", hand_over=["cache"]),
                "cache": published("cache", "resolved"),
            },
            "", "unresolved", "db_pool unresolved",
        ),
        (
            {
                "db_pool": published(outcome="planned", hand_over=["cache"]),
                "cache": published("cache"),
            },
            "", "planned", "db_pool planned",
        ),
        ({"db_pool": published(outcome="advised", hand_over=["cache"])}, "", "advised", "db_pool advised"),
        (
            {
                "db_pool": published(outcome="advised", hand_over=["cache", "db_down"]),
                "cache": published("cache", "resolved"),
                "db_down": published("db_down", "unresolved"),
            },
            "", "unresolved", "db_pool advised; db_down: db_down unresolved",
        ),
        ({"cache": published("cache")}, "", "unknown", "the runbook came to no end"),
    ],
)  # fmt: skip
def test_a_host(told, failure, outcome, summary):
    found = host_result("shop", told, "db_pool", failure)
    assert (found.outcome, found.summary) == (Outcome(outcome), summary)


@pytest.mark.parametrize(
    ("outcomes", "status", "outcome", "code"),
    [
        (["healthy", "healthy"], "ended", "healthy", 0),
        (["healthy", "resolved"], "ended", "resolved", 10),
        (["planned", "resolved"], "ended", "planned", 11),
        (["advised", "healthy"], "ended", "advised", 12),
        (["blocked", "advised"], "ended", "blocked", 20),
        (["unresolved", "blocked"], "ended", "unresolved", 21),
        (["healthy", "unknown"], "ended", "unknown", 22),
        (["healthy"], "timed_out", "healthy", 124),
        (["healthy"], "canceled", "healthy", 130),
        # Nothing known is never fine.
        ([], "timed_out", "unknown", 124),
    ],
)
def test_the_worst_host_says_how_a_run_ended(outcomes, status, outcome, code):
    hosts = [
        host_result(f"h{n}", {"db_pool": published(outcome=each)}, "db_pool", "") for n, each in enumerate(outcomes)
    ]
    found = result(*hosts, status=status)
    assert (found.outcome, found.exit_code) == (Outcome(outcome), code)


def test_each_outcome_has_an_exit_code_that_is_no_other_meaning_of_ansible_playbooks():
    assert set(EXIT_CODES) == set(Outcome)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert set(EXIT_CODES.values()).isdisjoint({1, 2, 3, 4, 5, 6, 7, 8, 250, 99})


def test_the_document_is_as_its_schema_says():
    schema = json.loads((ROOT / "oncall" / "result.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    told = published(
        outcome="resolved",
        findings=[
            {"cause": "blocker", "status": "problem", "summary": "1 waits", "advice": "look"},
            {"cause": "x", "status": "ok"},
        ],
        plan={"hash": "p0123456789abcde", "risk": "low", "steps": [STEP]},
        actions=[ACTION],
        guard=None,
        notes=["a note"],
        evidence={"rows": [1]},
        started_at=1.5,
        seconds=0.5,
    )
    hosts = [host_result("shop", {"db_pool": told}, "db_pool", ""), host_result("lost", {}, "db_pool", "gone")]
    document = json.loads(json.dumps(result(*hosts).to_dict()))
    jsonschema.validate(document, schema)
    assert of_document(document) == result(*hosts)
    with pytest.raises(ValueError, match="no result"):
        of_document({"awx_job": 7})
    (run,) = document["hosts"][0]["runs"]
    assert run["findings"][0]["advice"] == ["look"]
    assert run["plan"]["steps"][0]["targets"] == [{"pid": 7}]
    assert (document["outcome"], document["exit_code"], document["schema"]) == ("unknown", 22, 1)


def test_a_step_in_words_at_a_terminal():
    step = Step(
        "end_blocker", "blocker", "low", ({"pid": 7},), True, words="pid 7", does="Ends it.", irreversible="None lost."
    )
    assert _of_step(step) == [
        "remedy end_blocker (risk low) on pid 7",
        "       Ends it.",
        "       Not undone: None lost.",
    ]
    # As a version before has kept it.
    assert _of_step(Step("end_blocker", "blocker", "low", ({"pid": 7},), True)) == [
        'remedy end_blocker (risk low) on [{"pid": 7}]'
    ]
    told = _of_step(Step("end_blocker", "blocker", "low", (), False, "there is nothing it may touch", does="Ends it."))
    assert told == ["remedy end_blocker is not available: there is nothing it may touch"]


def test_the_lines_of_triage_are_shown_and_what_it_would_run_is_named(capsys):
    plan = {"hash": "p0123456789abcde", "risk": "low", "steps": [STEP]}
    told = {
        "triage": published(
            "triage",
            "advised",
            lines=["P1: since \x1b[2Jmany fail", "1. cache (high)", "   explains api_down"],
            hand_over=["cache"],
        ),
        "cache": published("cache", "planned", plan=plan),
    }
    found = Result("triage", "check", "ended", 1.0, 2.0, {"shop": host_result("shop", told, "triage", "")})
    assert of_document(found.to_dict()).hosts["shop"].runs[0].lines == found.hosts["shop"].runs[0].lines
    display.result(found, ["inventories/mine"])
    shown = capsys.readouterr().out
    assert (
        "P1: since [2Jmany fail" in shown
        and "      1. cache (high)\n         explains api_down\n" in shown
        and "\x1b[2J" not in shown
    )
    # Triage itself has no plan.
    assert "oncall run cache -i inventories/mine --limit shop --approve p0123456789abcde" in shown

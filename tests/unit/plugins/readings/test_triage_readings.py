"""The lines of triage about the stack itself: what was seen -> the words, the bad ones first, and what was not seen by its name."""

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.readings import triage

RUNS = {"available": True, "state": "running", "health": None, "log_tail_errors": []}
ENDED = {"available": True, "state": "exited", "health": None, "exit_meaning": "137: killed", "log_tail_errors": None}
UNSEEN = {"available": False, "reason": "no answer"}


def services(**rows):
    return {"available": True, "services": rows}


@pytest.mark.covers("PD-5-1", "IE-2-1")
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"api": RUNS}, "api runs"),
        ({"api": RUNS, "db": RUNS, "worker": RUNS}, "api, db and worker run"),
        ({"api": RUNS, "db": ENDED}, "db is exited (137: killed); api runs"),
        ({"api": {**RUNS, "health": "unhealthy", "health_output": "503"}}, "api is running, unhealthy (503)"),
        ({"api": RUNS, "db": UNSEEN}, "db not seen (no answer); api runs"),
        ({"api": {**RUNS, "memory_ratio": 0.5, "restarts": 3}}, "api (50 % of its memory, 3 restarts) runs"),
    ],
)
def test_services(rows, said):
    assert triage.services_in_words(services(**rows)) == said


@pytest.mark.covers("PD-5-1", "IE-2-1", "JO-6-1")
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"api": RUNS, "db": RUNS}, "no errors in api, db"),
        ({"api": RUNS, "db": ENDED}, "no errors in api; not read: db"),
        (
            {
                "api": {**RUNS, "log_tail_errors": [{"count": 2, "line": "a", "last": "refused"}, {"count": 1, "line": "b", "last": "b"}]},
                "db": {**RUNS, "log_tail_errors": [{"count": 9, "line": "c", "last": "FATAL: full"}]},
                "redis": RUNS,
            },
            "errors in the last 500 lines: db 9 (FATAL: full); api 3 (refused); none in redis",
        ),
    ],
)  # fmt: skip
def test_logs(rows, said):
    assert triage.logs_in_words(services(**rows), 500) == said


@pytest.mark.covers("PD-5-1", "LP-0-1")
def test_answers():
    rows = {
        "healthz": {"ok": True, "status": 200, "seconds": 0.0042},
        "readyz": {"ok": False, "status": 503, "seconds": 0.1, "reason": "GET http://h/readyz: 503"},
    }
    assert triage.answers_in_words({"endpoints": rows}) == "readyz: GET http://h/readyz: 503; healthz 200 in 4 ms"


@pytest.mark.covers("PD-5-1")
@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        ({"available": False, "reason": "no folder"}, "not seen: no folder"),
        (
            {"available": True, "deployed_at_seconds": None, "commits": [{"revision": "a" * 40, "subject": "fix it"}]},
            "aaaaaaaaaaaa (fix it), nobody knows since when",
        ),
        (
            {
                "available": True,
                "deployed_at_seconds": time.time() - 3 * 3600,
                "commits": [{"revision": c * 40, "subject": c} for c in "abcd"],
            },
            "aaaaaaaaaaaa (a), checked out 3 h ago; before it b, c",
        ),
    ],
)
def test_deployed(deployment, said):
    assert triage.deployed_in_words(deployment) == said


@pytest.mark.covers("JO-6-1")
def test_database():
    row = {
        "available": True,
        "server": {"version_num": 160014},
        "connections": {"used": 12, "usable": 92},
        "blockers": [{}],
    }
    assert triage.database_in_words(row) == "PostgreSQL 16.14, 12 of 92 connections, 1 hold others up"
    assert triage.database_in_words({"available": False, "reason": "refused"}) == "not seen: refused"


@pytest.mark.covers("LP-0-1")
def test_apis():
    rows = {
        "sync": {"available": True, "things": [{"name": "crm"}, {"name": "mail"}]},
        "audit": {"available": True, "things": [{"events": 3, "last": "login"}]},
        "gone": {"available": False, "reason": "404"},
    }
    assert triage.apis_in_words({"apis": rows}) == "sync: 2 entries; audit: events 3, last login; gone not seen (404)"

"""What triage says: what the tables concluded -> one screen, an outcome, and the runbook that is run."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import ROLES
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging import share
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.report import Report, Wanted
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.share import Judged

SCHEME = yaml.safe_load((ROLES / "system" / "defaults" / "main.yml").read_text())["system_severities"]
META = {
    "api_down": {"severity": "critical", "alerts": ["ApiDown"], "escalation": "backend lead"},
    "cache": {"severity": "high", "alerts": ["RedisDown"], "escalation": "ops"},
    "db_down": {"severity": "critical", "alerts": ["DatabaseDown"], "escalation": "data owner"},
    "disk_full": {"severity": "high", "alerts": ["DiskFull"], "escalation": "ops", "of_any_host": True},
    "error_rate": {"severity": "high", "alerts": ["HighErrorRate"], "escalation": "backend lead"},
    "worker_queue": {"severity": "high", "alerts": ["WorkerQueueBackup"], "escalation": "jobs"},
}
RESTART = {"remedy": "restart_database", "risk": "medium", "words": "database", "available": True}


def one(runbook: str, state: str, line: str = "as it is", **more) -> Judged:
    return Judged(runbook, state, line, META[runbook], **more)


def found(runbook: str, line: str, hand_over: str = "", steps: tuple = (), **more) -> Judged:
    finding = {"cause": "x", "status": "problem", "summary": line, **({"hand_over": hand_over} if hand_over else {})}
    return one(runbook, share.PROBLEM, line, findings=[finding], plan={"steps": list(steps)}, **more)


def report(*judged: Judged, alert: str = "", run: bool = False, hints: tuple = ("recent",)) -> Report:
    return Report(judged, Wanted(alert, run, 1.0, SCHEME, {}), hints)


DOWN = (found("db_down", "PostgreSQL is stopped", steps=(RESTART,)), found("api_down", "it fails", "db_down"))
OVERVIEW = Judged(
    "triage", share.OVERVIEW, "", {}, facts={"services": "database is stopped; api runs"}, evidence={"commits": [1]}
)


@pytest.mark.covers("PD-0-1")
def test_the_cause_is_first_with_its_effects_its_remedy_and_what_to_type():
    said = report(*DOWN, one("cache", share.WELL), OVERVIEW)
    assert (said.outcome, said.first) == ("advised", "db_down")
    assert said.screen() == [
        "P1: partial outage, or much is worse, since what db_down has found is critical",
        "1. db_down (critical): PostgreSQL is stopped",
        "   explains api_down",
        "   remedy restart_database (risk medium) on database",
        "well: cache",
        "services: database is stopped; api runs",
        "next: playbooks/db_down.yml --check shows all of it and its plan; -e triage_run=true runs it here and now",
    ]


def test_a_fact_counts_only_where_its_runbook_has_a_problem():
    facts = {"every_request_fails": "every request fails"}
    assert report(found("api_down", "it fails", facts=facts)).level.name == "P0"
    well = one("api_down", share.WELL, facts=facts)
    assert report(well, found("cache", "gone")).level.name == "P1"


def test_facts_and_hints_are_in_the_record_for_the_severity_of_an_incident():
    failing = found("api_down", "it fails", facts={"every_request_fails": "every request fails"})
    fresh = one(
        "worker_queue", share.WELL, facts={"recent": "r7 since 3 min", "every_request_fails": "of one that is well"}
    )
    assert report(failing, fresh).run("h1", 1.0, 2.0, False)["facts"] == {
        "every_request_fails": "every request fails",
        "recent": "r7 since 3 min",
    }
    assert report(fresh).run("h1", 1.0, 2.0, False)["facts"] == {}


@pytest.mark.covers("JO-0-3")
def test_a_hint_is_shown_beside_a_problem_and_never_alone():
    well = one("worker_queue", share.WELL, facts={"recent": "think of taking it back first"})
    assert "hint: think of taking it back first" in report(well, found("cache", "gone")).screen()
    assert report(well).screen() == ["well: worker_queue"]


@pytest.mark.parametrize(
    ("judged", "outcome", "summary"),
    [
        ([one("cache", share.WELL)], "healthy", "nothing found by 1 runbook"),
        ([one("cache", share.WELL), one("db_down", share.UNKNOWN)], "unknown", "cannot tell: db_down"),
        ([one("cache", share.WELL), one("error_rate", share.NOT_JUDGED)], "unknown", "not judged here: error_rate"),
        ([one("cache", share.NOT_SET_UP)], "unknown", "the inventory has nothing that a runbook looks at"),
        ([one("cache", share.NOT_SET_UP), one("db_down", share.WELL)], "healthy", "nothing found by 1 runbook"),
        (
            [one("cache", share.NOT_SET_UP), one("disk_full", share.WELL)],
            "unknown",
            "nothing found by 1 runbook; the inventory says nothing of the stack that could be judged: disk_full looks at any host",
        ),
        ([one("cache", share.WELL), one("disk_full", share.WELL)], "healthy", "nothing found by 2 runbooks"),
        ([], "unknown", "nothing was judged"),
    ],
)
def test_healthy_needs_that_something_was_judged_and_nothing_was_left_out(judged, outcome, summary):
    said = report(*judged)
    assert said.outcome == outcome
    assert summary in said.summary()


def test_the_same_reason_is_said_once():
    refused = "connection refused"
    rows = [one(name, share.UNKNOWN, f"{refused} (cannot tell about a, b)") for name in ("worker_queue", "db_down")]
    assert report(*rows).screen()[0] == "cannot tell: db_down, worker_queue: connection refused"


def test_what_one_database_keeps_from_many_is_said_once():
    away = "PostgreSQL shop at 10.0.0.5:5432: connection refused"
    hint = f"{away}; nothing listens there: is the database running?"
    rows = [
        one("cache", share.UNKNOWN, f"{away} (cannot tell about a)"),
        one("db_down", share.UNKNOWN, f"{hint}; a could not be seen"),
        one("error_rate", share.UNKNOWN, "no metrics"),
        one("worker_queue", share.UNKNOWN, f"events: {away}; nothing listens"),
    ]
    seen = Judged(
        "triage", share.OVERVIEW, "", {}, facts={"database": f"not seen: {hint}", "deployed": "not seen: no git"}
    )
    assert report(*rows, seen).screen()[:4] == [
        f"cannot tell: cache, db_down, worker_queue: {hint}; a could not be seen",
        "cannot tell: error_rate: no metrics",
        "database: not seen, as said above",
        "deployed: not seen: no git",
    ]


def test_those_that_watch_for_longer_are_named_with_what_judges_them():
    slow = one("error_rate", share.NOT_JUDGED, needs_seconds=10.0)
    called = one("cache", share.NOT_JUDGED, needs_seconds=30.0, is_called=True)
    lines = report(slow, called).screen()
    assert lines[0].startswith("not judged here: cache: its signal is there, and it waits for 30 s")
    assert lines[1].endswith("error_rate (10 s); -e triage_window_seconds=10 judges them")


@pytest.mark.covers("PD-0-1")
@pytest.mark.parametrize(
    ("alert", "first", "line"),
    [
        (
            "DatabaseDown",
            "db_down",
            "alert DatabaseDown is for db_down, which has found something: PostgreSQL is stopped",
        ),
        ("RedisDown", "cache", "alert RedisDown is for cache, which finds nothing now: as it is"),
        ("RedisDwn", "", "no runbook answers the alert RedisDwn; did you mean RedisDown?"),
        ("Nobody", "", "no runbook answers the alert Nobody; docs/runbooks.md has the alerts of all runbooks"),
        ("redisdown", "", "no runbook answers the alert redisdown; did you mean RedisDown?"),
        ("cache", "", "no runbook answers the alert cache; docs/runbooks.md has the alerts of all runbooks"),
    ],
)
def test_an_alert_has_its_runbook_or_none(alert, first, line):
    said = report(*DOWN, one("cache", share.WELL), alert=alert, run=True)
    assert said.first == first
    assert said.screen()[0] == line


@pytest.mark.parametrize(
    "alert",
    ["{{ lookup('pipe', 'id') }}", "\x1b[2J\x1b[31mDatabaseDown", "../../db_down", "x" * 100_000, "DatabaseDown\n"],
)
def test_a_hostile_name_of_an_alert_starts_nothing_and_is_one_short_line(alert):
    said = report(*DOWN, alert=alert, run=True)
    line = said.screen()[0]
    assert said.first == ""
    assert len(line) < 200
    assert line.isprintable()


def test_what_is_published_has_the_keys_of_a_run():
    run = report(*DOWN, one("cache", share.WELL, not_looked_at=["whether it is used"]), OVERVIEW, run=True).run(
        "shop", 1.0, 2.5, False
    )
    assert (run["runbook"], run["outcome"], run["seconds"], run["hand_over"]) == ("triage", "advised", 1.5, ["db_down"])
    assert [(one["cause"], one["status"]) for one in run["findings"]] == [
        ("db_down", "problem"), ("api_down", "problem"), ("cache", "ok"),
    ]  # fmt: skip
    assert run["not_looked_at"] == ["cache: whether it is used"]
    assert run["escalation"] == "data owner"
    assert run["evidence"] == {"commits": [1]}


def test_no_secret_is_on_the_screen():
    said = report(found("cache", "cannot connect to redis://:hunter2@cache:6379"))
    assert not [line for line in said.screen() if "hunter2" in line]

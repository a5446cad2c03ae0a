# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook sync_lag: a real table, a real program that synchronises, a real supervisord, and HTTP in the shape of Kafka Connect."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.connectors import Synchronising
from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord

TIMED_OUT = {"status": "failed", "retry_count": 5, "last_error": "connect ETIMEDOUT 10.0.0.9:443"}
HOSTILE = "'; DROP TABLE connector_sync_state; --"


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Synchronising]:
    with server("wal_level = logical", "max_replication_slots = 5") as postgres:
        yield Synchronising(postgres, tmp_path_factory.mktemp("sync"))


@pytest.fixture
def sync(running) -> Synchronising:
    running.clear()
    return running


@pytest.fixture
def play(sync, tmp_path):
    (tmp_path / "oncall").mkdir()
    commands = {
        "sync": sync.command("sync", "--client", "{connector}", "--verbose"),
        "force": sync.command("sync", "--client", "{connector}", "--force"),
        "skip_errors": sync.command("sync", "--client", "{connector}", "--skip-errors"),
        "reset": sync.command("sync", "--client", "{connector}", "--reset"),
        "slow_down": sync.command("test", "slow-down"),
    }
    variables: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "run_confirm_seconds": 0,
        "run_verify_seconds": 1,
        "run_verify_every_seconds": 1,
        "run_verify_timeout_seconds": 15,
        "run_cooldown_seconds": 0,
        "run_budget_count": 100,
        "system_state_directory": str(tmp_path / "oncall"),
        "system_connectors": {
            "app": {"source": "table", "period_seconds": 900, "credential": "the vault item crm", "commands": commands}
        },
        "system_database": sync.server.reach(),
        "sync_lag_window_seconds": 0.5,
        "sync_lag_proof_seconds": 6,
    }
    player = Player(tmp_path, tmp_path)

    def run(*arguments: str, **more: object) -> Play:
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"stack": {**variables, **more}}}}))
        return player.play("-i", str(inventory), *arguments, playbook="playbooks/sync_lag.yml", run_hosts="stack")

    run.app = variables["system_connectors"]["app"]
    return run


def remedies(told: Play) -> list[tuple[str, bool]]:
    return [(action["remedy"], action["helped"]) for action in told.run["actions"]]


@pytest.mark.covers("LP-5-1", "JO-3-1", "JO-3-3")
def test_a_run_that_timed_out(sync, play):
    sync.put("crm", 180, **TIMED_OUT)
    sync.put("erp", 150, **TIMED_OUT)
    sync.put("sms")
    checked = play("--check")
    causes = ["interrupted", "others_interrupted"]
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", causes), checked.output
    assert sync.calls() == []

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", causes), fixed.output
    assert remedies(fixed) == [("sync_one", True), ("sync_all", True)]
    # The least late first.
    assert sync.calls() == ["sync --client erp --verbose", "sync --client crm --verbose"]
    assert (sync.row("crm")["status"], sync.row("erp")["status"]) == ("success", "success")

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert sync.calls() == []


@pytest.mark.covers("LP-5-3")
def test_where_one_is_not_helped_the_others_are_not_touched(sync, play):
    sync.put("crm", 180, **TIMED_OUT)
    sync.put("erp", 150, **TIMED_OUT)
    sync.put("sms")
    sync.fails("erp")
    told = play()
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert sync.calls() == ["sync --client erp --verbose"]
    assert sync.row("crm")["status"] == "failed"


def test_a_run_that_ends_well_and_brings_nothing_is_no_proof(sync, play):
    sync.put("crm", 180, **TIMED_OUT)
    sync.put("sms")
    play.app["commands"]["sync"] = ["true"]
    told = play()
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert "sync_one" in [action["remedy"] for action in told.run["actions"]]


@pytest.mark.covers("LP-5-1", "JO-3-2", "JO-3-3", "JO-3-4")
def test_the_log_of_the_day_and_the_upstreams_tell_what_is_in_the_way(sync, play, tmp_path):
    sync.put("crm", 180, **TIMED_OUT)
    sync.put("sms")
    # Of today; what is further up was read yesterday.
    log = tmp_path / f"sync-{time.strftime('%Y-%m-%d')}.log"
    lines = (
        ["ERROR nobody reads this far"] * 200
        + ["INFO crm: page read"] * 497
        + ["ERROR crm: connect ETIMEDOUT 10.0.0.9:443"] * 3
    )
    log.write_text("\n".join(lines) + "\n")
    (tmp_path / "sync-2026-01-01.log").write_text("ERROR of another day\n")
    sync.upstream("airtable", "Error: connect ETIMEDOUT 10.0.0.9:443")
    tests = {name: sync.command("test", name) for name in ("ghl", "airtable")}
    app = {**play.app, "tests": tests, "log": str(tmp_path / "sync-{date}.log")}
    told = play(system_connectors={"app": app})
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["network"]), told.output
    assert "firewall" in str(told.run["findings"])
    assert sorted(sync.calls()) == ["test airtable", "test ghl"]
    shown = told.run["evidence"]
    (tested,) = shown["tests"]
    assert (tested["ghl"]["ok"], tested["airtable"]["ok"], tested["airtable"]["error_class"]) == (
        True,
        False,
        "timeout",
    )
    (read,) = shown["logs"]
    assert (read["path"], read["lines"]) == (str(log), 500)
    assert [group["count"] for group in read["groups"]] == [3]
    (crm,) = [row for row in shown["connectors"] if row["name"] == "crm"]
    assert (crm["status"], crm["state"], crm["retry_count"], crm["error_class"]) == ("failed", "failed", 5, "timeout")
    assert crm["lag_seconds"] > 10_000 and crm["last_success_age_seconds"] > 10_000
    assert "ETIMEDOUT" in crm["error"]

    # It can be reached again: the one client, in detail.
    sync.upstream("airtable")
    fixed = play(system_connectors={"app": app})
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["interrupted"]), fixed.output
    assert [call for call in sync.calls() if call.startswith("sync")] == ["sync --client crm --verbose"]


@pytest.mark.covers("LP-5-3")
def test_all_of_them_follow_by_one_call_once_one_was_helped(sync, play):
    for name, minutes in (("crm", 180), ("erp", 150), ("sms", 120)):
        sync.put(name, minutes, **TIMED_OUT)

    def synchronises(where: str) -> Callable[[dict[str, str]], tuple[int, bytes, dict[str, str]]]:
        def answer(_headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
            sync.server.execute(
                "UPDATE connector_sync_state SET status = 'success', last_error = NULL, retry_count = 0, last_success_at = now(),"
                f" last_run_at = now(), watermark = now() WHERE {where}"
            )
            return 202, b"", {}

        return answer

    running = Answers(
        {"/v1/connectors/sms/sync": synchronises("connector = 'sms'"), "/v1/connectors/sync": synchronises("true")}
    )
    requests = {
        "sync": {"url": f"{running.url}/v1/connectors/{{connector}}/sync"},
        "sync_all": {"url": f"{running.url}/v1/connectors/sync"},
    }
    try:
        told = play(system_connectors={"app": {"source": "table", "period_seconds": 900, "requests": requests}})
    finally:
        running.close()
    causes = ["interrupted", "others_interrupted"]
    assert (told.code, told.outcome, told.causes()) == (0, "resolved", causes), told.output
    assert remedies(told) == [("sync_one", True), ("sync_all", True)]
    sent = [(method, path) for method, path, _headers, _body in running.asked]
    assert sent == [("POST", "/v1/connectors/sms/sync"), ("POST", "/v1/connectors/sync")]


@pytest.mark.covers("JO-3-5")
def test_the_same_record_fails_again(sync, play):
    sync.put(
        "crm",
        180,
        status="failed",
        retry_count=5,
        last_error="Validation failed: email",
        record="4711",
        record_failures=4,
    )
    sync.put("sms")
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["poison_record"]), fixed.output
    assert sync.calls() == ["sync --client crm --skip-errors"]


@pytest.mark.covers("JO-3-1", "JO-3-5")
def test_it_stands_still_though_it_runs(sync, play):
    sync.put("crm", 180, last_run_at=1, last_success_at=1, pending=12, pending_since=170)
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["stalled"]), fixed.output
    assert sync.calls() == ["sync --client crm --force"]


def test_what_came_after_its_last_run_waits_for_the_next(sync, play):
    sync.put("crm", 180, last_run_at=1, last_success_at=1, pending=12, pending_since=0.5)
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["unexplained"]), told.output
    assert sync.calls() == []


@pytest.mark.covers("JO-3-5")
def test_a_reset_is_for_a_person_to_name(sync, play):
    sync.put("crm", 180, status="failed", retry_count=5, last_error="410 Gone: sync token is no longer valid")
    sync.put("sms")
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["cursor_lost"]), told.output
    named = play(sync_lag_reset=["app/crm"])
    assert (named.code, named.outcome) == (2, "blocked"), named.output
    assert "risk high is above run_max_risk" in named.output
    assert sync.calls() == []
    fixed = play(sync_lag_reset=["app/crm"], run_max_risk="high")
    assert (fixed.code, fixed.outcome, remedies(fixed)) == (0, "resolved", [("reset", True)]), fixed.output
    assert sync.calls() == ["sync --client crm --reset"]


@pytest.mark.covers("JO-3-4")
def test_a_limit_is_waited_for(sync, play):
    sync.put("crm", 180, status="failed", retry_count=5, last_error="HTTP 429, Retry-After: 1")
    sync.put("sms")
    fixed = play(sync_lag_wait_seconds=1)
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["too_fast"]), fixed.output
    assert sync.calls() == ["test slow-down", "sync --client crm --verbose"]


@pytest.mark.covers("LP-5-5")
def test_a_scheduler_that_has_ended(sync, play):
    supervisord = Supervisord()
    try:
        supervisord.wait_for(idle="STOPPED")
        loop = (
            "while :; do "
            + " ".join(f"'{word}'" for word in sync.command("sync", "--client", "crm"))
            + "; sleep 1; done"
        )
        script = supervisord.home / "scheduler.sh"
        script.write_text(loop)
        (supervisord.home / "conf.d" / "scheduler.conf").write_text(
            f"[program:scheduler]\ncommand=sh {script}\nstartsecs=1\nstartretries=0\nautorestart=false\n"
            f"stopasgroup=true\nkillasgroup=true\nredirect_stderr=true\nstdout_logfile={supervisord.home}/scheduler.log\n"
        )
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "scheduler")
        supervisord.wait_for(scheduler="RUNNING")
        # With what it has started, which would synchronise once more.
        os.killpg(supervisord.rpc("getProcessInfo", "scheduler")["pid"], signal.SIGKILL)
        supervisord.wait_for(scheduler="EXITED")
        sync.calls()
        sync.put("crm", 180)
        services = {"scheduler": supervisord.service("scheduler")}
        connectors = {"app": {**play.app, "scheduler": "scheduler"}}
        fixed = play(system_services=services, system_connectors=connectors)
        assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["scheduler_dead"]), fixed.output
        assert remedies(fixed) == [("restart_sync", True)]
    finally:
        supervisord.stop()


# ---------------------------------------------------------------------- through an API, as the application has it
@pytest.mark.covers("LP-5-3", "LP-5-4")
def test_through_the_api_of_the_application(sync, play):
    sync.put("crm", 180, **TIMED_OUT)
    sync.put("sms")
    letters = {"errors": [{"connector": "sms", "error": "no such field"}]}

    def synchronises(headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        if headers.get("authorization") != "Bearer tok-5e1d77aa":
            return 401, b"{}", {}
        sync.server.execute(
            "UPDATE connector_sync_state SET status = 'success', last_success_at = now(), last_run_at = now(), watermark = now()"
        )
        return 202, b"", {}

    running = Answers({"/v1/connectors/crm/sync": synchronises, "/v1/connectors/errors": json.dumps(letters).encode()})
    try:
        auth = {"bearer": "tok-5e1d77aa"}
        dead = {
            "url": f"{running.url}/v1/connectors/errors",
            "list": "errors",
            "fields": {"connector": "connector", "error": "error"},
        }
        requests = {
            "sync": {
                "url": f"{running.url}/v1/connectors/{{connector}}/sync",
                "body": {"connector": "{connector}"},
                "auth": auth,
            }
        }
        app = {"source": "table", "period_seconds": 900, "requests": requests, "dead_letters": dead}
        told = play(system_connectors={"app": app}, sync_lag_dead_letters=1)
        assert (told.code, told.outcome, told.causes()) == (0, "resolved", ["interrupted"]), told.output
        sent = [one for one in running.asked if one[0] == "POST"]
        assert [(path, json.loads(body)) for _method, path, _headers, body in sent] == [
            ("/v1/connectors/crm/sync", {"connector": "crm"})
        ]
        assert "tok-5e1d77aa" not in told.output + (told.record.read_text() if told.record else "")
        told = play(system_connectors={"app": app})
        assert (told.outcome, told.causes()) == ("advised", ["dead_letters"]), told.output
    finally:
        running.close()


def test_only_the_failed_tasks_of_kafka_connect_are_restarted(play):
    tasks = {0: "RUNNING", 1: "FAILED"}
    trace = "org.apache.kafka.connect.errors.ConnectException: task failed\npassword=s3cretdata"

    def status(_headers: dict[str, str]) -> bytes:
        rows = [
            {"id": number, "state": state, "worker_id": "w", **({"trace": trace} if state == "FAILED" else {})}
            for number, state in tasks.items()
        ]
        return json.dumps(
            {"name": "orders", "connector": {"state": "RUNNING", "worker_id": "w"}, "tasks": rows, "type": "sink"}
        ).encode()

    def every(headers: dict[str, str]) -> bytes:
        return json.dumps({"orders": {"status": json.loads(status(headers))}}).encode()

    def restarts(_headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        tasks[1] = "RUNNING"
        return 202, b"{}", {}

    running = Answers(
        {"/connectors": every, "/connectors/orders/status": status, "/connectors/orders/restart": restarts}
    )
    try:
        connectors = {"pipelines": {"source": "kafka_connect", "url": running.url}}
        told = play(system_connectors=connectors, system_blind_spots=["sync_lag.in_time"])
        assert (told.code, told.outcome, told.causes()) == (0, "resolved", ["failed_task"]), told.output
        sent = [path for method, path, _headers, _body in running.asked if method == "POST"]
        assert sent == ["/connectors/orders/restart?includeTasks=true&onlyFailed=true"]
        assert "s3cretdata" not in told.output + (told.record.read_text() if told.record else "")
    finally:
        running.close()


# ---------------------------------------------------------------------- what is left alone, and what looks the same
@pytest.mark.covers("LP-5-2", "JO-3-4")
@pytest.mark.parametrize(
    ("row", "outcome", "causes"),
    [
        ({"status": "failed", "retry_count": 2, "last_error": "connect ETIMEDOUT"}, "healthy", []),
        (
            {"status": "failed", "retry_count": 5, "last_error": "Request failed with status code 401"},
            "advised",
            ["credential"],
        ),
        ({"status": "failed", "retry_count": 5, "last_error": "Validation failed: mapping"}, "advised", ["validation"]),
        ({"status": "failed", "retry_count": 5, "last_error": "HTTP 503"}, "advised", ["provider_down"]),
        ({"last_success_at": 1, "last_run_at": 1}, "advised", ["unexplained"]),
    ],
)
def test_what_is_left_alone(sync, play, row, outcome, causes):
    sync.put("crm", 180, **{"last_run_at": 1, **row})
    sync.put("sms")
    told = play()
    assert (told.outcome, told.causes()) == (outcome, causes), told.output
    assert sync.calls() == []


def test_a_name_that_is_none_is_shown_and_never_acted_on(sync, play, tmp_path):
    for name in (HOSTILE, "../x", "--reset"):
        sync.put(name, 180, **TIMED_OUT)
    sync.put("sms")
    told = play()
    assert (told.outcome, sync.calls()) == ("advised", []), told.output
    assert HOSTILE in told.run["summary"]
    assert "is not plain, and no command or URL gets it" in told.output
    assert sync.row("sms")["status"] == "success"


def test_a_slot_that_nobody_reads_is_for_a_person(sync, play):
    sync.server.execute("SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')")
    try:
        sync.server.execute("CREATE TABLE noise AS SELECT n FROM generate_series(1, 20000) n")
        told = play(system_connectors={"cdc": {"source": "replication_slot"}}, sync_lag_limit_bytes=1000)
        assert (told.outcome, told.causes()) == ("advised", ["no_reader"]), told.output
    finally:
        sync.server.execute("SELECT pg_drop_replication_slot('debezium')")
        sync.server.execute("DROP TABLE noise")


def test_what_cannot_be_seen_is_no_healthy_night(sync, play):
    sync.put("crm")
    told = play(system_database={**sync.server.reach(), "port": 1})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "PostgreSQL shop at 127.0.0.1:1" in told.run["summary"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Triage on the embedded lab: what is really broken is named first, what is not set up is not fine, and a run that it begins keeps its guards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.plays import AS_ELSEWHERE, REPOSITORY, Play, on_host
from benchmarks import bench, every_runbook
from lab import Lab

RUNBOOKS = sorted(path.parents[1].name for path in (REPOSITORY / "roles").glob("*/meta/runbook.yml"))
# All windows of the lab's inventory fit into it.
WHOLE = {"triage_window_seconds": 5}


@pytest.fixture
def deployed(tmp_path) -> Path:
    """A checkout that is older than the stack."""
    checkout = tmp_path / "deployed"
    checkout.mkdir()
    (checkout / "release").write_text("1\n")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", str(checkout)]
    for argv in (["init", "--quiet"], ["add", "release"], ["commit", "--quiet", "-m", "release 1"]):
        subprocess.run([*git, *argv], check=True, env={**os.environ, "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"})
    return checkout


@pytest.fixture
def variables(healthy_lab, deployed) -> dict[str, Any]:
    """What the lab's inventory says."""
    told = yaml.safe_load((REPOSITORY / "inventories" / "lab" / "host_vars" / "lab.yml").read_text())
    services = json.loads((healthy_lab.home / "inventory.json").read_text())["system_services"]
    services["api"]["port"] = int(healthy_lab.url.rpartition(":")[2])
    return {
        **told,
        # The looks of all runbooks at once, on a machine on which other tests run.
        **{f"{role}_timeout_seconds": 30 for role in (*RUNBOOKS, "triage")},
        "lab_home": str(healthy_lab.home),
        "system_services": services,
        "system_deployment": {"path": str(deployed), "deploy_command": ["true"], "services": ["api"]},
        "triage_endpoints": {"readyz": f"{healthy_lab.url}/readyz"},
        "run_confirm_seconds": 0,
    }


@pytest.fixture
def triage(tmp_path, variables) -> Callable[..., Play]:
    folder = tmp_path / "plays"
    folder.mkdir()
    return on_host(folder, "triage", variables)


@contextmanager
def users_of(lab: Lab) -> Iterator[None]:
    """Some requests a second: without them latency and error_rate have nothing to judge."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.05):
            with suppress(OSError):
                lab.request("/orders")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def stopped(lab: Lab, name: str) -> Iterator[None]:
    """A service that a person stopped."""
    program = Path(sys.executable).with_name("supervisorctl")
    settings = json.loads((lab.home / "inventory.json").read_text())["system_services"][name]["config"]

    def order(verb: str) -> None:
        subprocess.run([program, "-c", settings, verb, name], check=True, capture_output=True)

    order("stop")
    try:
        yield
    finally:
        order("start")


def named(play: Play, status: str = "problem") -> list[str]:
    """The runbooks with that status, in the order of triage."""
    run = next(run for run in play.runs if run["runbook"] == "triage")
    return [finding["cause"] for finding in run["findings"] if finding["status"] == status]


def lines(play: Play) -> str:
    return "\n".join(play.runs[0]["lines"])


@pytest.mark.parametrize("interpreter", [sys.executable, AS_ELSEWHERE])
@pytest.mark.covers("JO-6-1", "PD-5-1", "IE-2-1")
def test_all_is_well(healthy_lab, triage, interpreter):
    with users_of(healthy_lab):
        play = triage(**WHOLE, ansible_python_interpreter=interpreter)
    assert (play.code, play.outcome, named(play), named(play, "unknown")) == (0, "healthy", [], []), play.output
    assert {"api_down", "cache", "db_down", "db_pool", "disk_full", "error_rate", "latency", "worker_queue"} <= {
        *named(play, "ok")
    }
    assert "not set up: " in lines(play)
    assert "notification_provider" not in named(play, "ok"), "nothing of its kind is here, and it is not fine by that"
    for said in (
        "answers: ",
        "readyz 200",
        "services: database, redis, api and worker run",
        "logs: ",
        "deployed: ",
        "release 1",
        "database: PostgreSQL ",
    ):
        assert said in lines(play)
    assert play.run["evidence"]["commits"][0]["subject"] == "release 1"
    assert play.run["severity"] == ""


def test_what_has_to_be_watched_for_longer_is_not_judged_and_not_well(triage):
    play = triage()
    assert (play.code, play.outcome) == (0, "unknown"), play.output
    assert {"error_rate", "latency", "resource_usage"} <= {*named(play, "unknown")}
    assert "-e triage_window_seconds=4 judges them" in lines(play)
    assert named(play) == []


@pytest.mark.covers("JO-0-3", "PD-0-1")
def test_a_pool_that_is_used_up_comes_before_the_api_that_fails_for_it(healthy_lab, triage):
    healthy_lab.inject("pool_too_small")
    play = triage()
    assert (play.code, play.outcome) == (0, "advised"), play.output
    assert named(play)[0] == "db_pool", lines(play)
    assert play.run["severity"] in ("P0", "P1")
    assert "remedy raise_pool_size" in lines(play)


def test_a_worker_that_is_gone(healthy_lab, triage):
    with stopped(healthy_lab, "worker"):
        play = triage()
    assert play.outcome == "advised", play.output
    assert "job_scheduler" in named(play), lines(play)
    assert "worker is stopped" in lines(play)


def test_a_disk_that_is_full(triage, tmp_path):
    if os.geteuid() != 0:
        left_out("only root makes a filesystem of its own")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "oncall-test", str(disk)], check=True)
    try:
        (disk / "data").write_bytes(b"x" * 3_900_000)
        play = triage(disk_full_paths=[str(disk)])
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert (play.outcome, named(play)) == ("advised", ["disk_full"]), play.output
    assert play.run["severity"] == "P1"


def test_two_at_once_are_both_named_and_neither_hides_the_other(healthy_lab, triage):
    healthy_lab.inject("redis_down")
    with stopped(healthy_lab, "worker"):
        play = triage()
    assert play.outcome == "advised"
    found = named(play)
    assert {"cache", "job_scheduler"} <= {*found}, play.output
    assert found.index("cache") < found.index("job_scheduler"), "the more severe one first"


@pytest.mark.covers("JO-0-3")
def test_a_database_out_of_reach_is_the_cause_and_what_needs_it_is_not_known(healthy_lab, triage):
    healthy_lab.inject("database_down")
    play = triage()
    assert (play.outcome, named(play)[0], play.run["severity"]) == ("advised", "db_down", "P0"), play.output
    assert "since nobody gets into the database" in lines(play)
    assert {"worker_queue", "job_scheduler"} <= {*named(play, "unknown")}
    assert not {"db_pool", "worker_queue", "job_scheduler", "sync_lag"} & {*named(play, "ok")}


@pytest.mark.covers("JO-0-3")
def test_other_words_for_how_severe_it_is(healthy_lab, triage):
    healthy_lab.inject("database_down")
    scheme = [{"level": "SEV1", "means": "down", "when": ["db_down"]}, {"level": "SEV2", "when": ["high"]}]
    play = triage(system_severities=scheme)
    assert play.run["severity"] == "SEV1", play.output
    assert "SEV1: down, since db_down has found something" in lines(play)


def test_nothing_is_set_up(tmp_path):
    play = on_host(tmp_path, "triage", {"disk_full_paths": [str(tmp_path)]})()
    # A disk is there without any word of an inventory.
    assert (play.code, named(play), named(play, "ok")) == (0, [], ["disk_full"]), play.output
    assert play.run["outcome"] == "unknown"
    assert len(play.run["notes"]) >= 15
    assert "db_down" in lines(play).partition("not set up: ")[2]


def test_a_host_that_cannot_be_reached_is_told_with_the_reason(tmp_path):
    far = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    play = on_host(tmp_path, "triage", far)()
    assert (play.code, play.outcome) == (4, "unknown"), play.output
    assert "Connection refused" in play.run["summary"]


@pytest.mark.covers("PD-0-1")
def test_an_alert_that_is_known_is_answered_by_its_runbook(triage):
    play = triage("--check", triage_alert="RedisDown", triage_run=True)
    assert lines(play).startswith("alert RedisDown is for cache, which finds nothing now: "), play.output
    assert [(run["runbook"], run["outcome"]) for run in play.runs][1:] in (
        [("cache", "healthy")],
        [("cache", "unknown")],
    )


@pytest.mark.parametrize(
    "alert",
    [
        "RedisDwn",
        "{{ lookup('ansible.builtin.pipe', 'touch ' ~ playbook_dir ~ '/ran') }}",
        "\x1b[2JRedisDown",
        "../cache",
    ],
)
def test_an_alert_that_nobody_knows_starts_nothing(triage, alert):
    play = triage("--extra-vars", json.dumps({"triage_alert": alert}), triage_run=True)
    assert lines(play).startswith("no runbook answers the alert "), play.output
    assert [run["runbook"] for run in play.runs] == ["triage"]
    assert not (REPOSITORY / "playbooks" / "ran").exists()
    assert "\x1b[2J" not in play.output


@pytest.mark.covers("PD-9-2")
def test_the_first_is_run_with_all_its_guards_and_then_all_is_well(healthy_lab, triage):
    healthy_lab.inject("redis_down")
    redis = healthy_lab.status()["services"]["redis"]

    checked = triage("--check", triage_run=True)
    assert [run["runbook"] for run in checked.runs] == ["triage", "cache"], checked.output
    assert (checked.code, checked.runs[1]["outcome"], checked.runs[1]["begun_by"]) == (0, "planned", "triage")
    assert healthy_lab.status()["services"]["redis"] == redis, "check mode changes nothing"

    held = triage(triage_run=True, run_max_risk="low")
    assert (held.code, held.runs[1]["outcome"], held.runs[1]["guard"]["name"]) == (2, "blocked", "risk"), held.output

    ran = triage(triage_run=True, run_max_risk="high")
    assert (ran.code, ran.runs[1]["outcome"], ran.runs[1]["begun_by"]) == (0, "resolved", "triage"), ran.output
    assert ran.runs[0]["hand_over"] == ["cache"]

    again = triage(triage_run=True)
    assert "cache" in named(again, "ok"), again.output
    assert [run["runbook"] for run in again.runs] == ["triage"], "nothing was found, so nothing is run"


def test_a_mistake_in_the_inventory_is_one_line(triage):
    play = triage(system_severities=[{"level": "P0", "when": ["everything_burns"]}])
    assert (play.code, play.outcome) == (2, "unknown")
    assert "system_severities: P0 has the unknown word 'everything_burns' in when; known are " in play.run["summary"]


def test_the_inventory_of_the_benchmark_is_that_of_the_lab(healthy_lab, tmp_path):
    """Otherwise `make bench` would measure plays that fail, or runbooks that have nothing to look at."""
    inventory = bench.copies_of_the_lab(healthy_lab, tmp_path / "one", 1)
    there, absent = every_runbook.set_up(inventory, bench.environment(healthy_lab, tmp_path))
    assert {"db_pool", "migrations", "worker_queue"} <= set(there)
    assert set(absent) <= set(RUNBOOKS) and "db_pool" not in absent
    assert "backup" in absent, "this lab has none"

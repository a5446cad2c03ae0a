# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package ``oncall`` on the embedded stack: what it runs, what it tells, what it kills, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import psutil
import pytest

from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from oncall import OncallError, Outcome, Runbooks
from oncall.processes import RUN_ID

REPOSITORY = Path(__file__).resolve().parents[2]
INVENTORY = REPOSITORY / "inventories" / "lab"
SECRET = "planted-4711-secret"
# It has seen the problem once by then, and waits before it looks again.
LONG = {"run_confirm_seconds": 60}


@pytest.fixture
def places(lab, tmp_path, monkeypatch):
    """Folders of this test's own for what runs write."""
    monkeypatch.setenv("LAB_HOME", str(lab.home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path / "records"))
    monkeypatch.setenv("SOME_API_TOKEN", SECRET)
    monkeypatch.chdir(REPOSITORY)
    return tmp_path


@pytest.fixture
def runbooks(healthy_lab, places):
    return Runbooks(INVENTORY, keep_environment=["LAB_HOME"])


def processes_of_runs(places: Path) -> list[str]:
    """What runs of this test's runs: others test beside it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            if RUN_ID.encode() in environment and str(places).encode() in environment:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def left_over(places: Path) -> list[str]:
    return [path.name for path in (places / "runtime" / "oncall" / "runs-in-progress").iterdir()]


def texts(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def test_look_plan_approve_and_look_again(healthy_lab, runbooks, places):
    healthy_lab.inject("idle_in_transaction")
    looked = runbooks.run("db_pool", mode="diagnose")
    host = looked.hosts["lab"]
    assert (looked.outcome, looked.exit_code) == (Outcome.PLANNED, 11)
    assert [finding.cause for finding in host.findings if finding.status == "problem"] == ["idle_in_transaction"]
    assert host.runs[0].evidence

    planned = runbooks.run("db_pool", mode="check")
    (plan,) = planned.hosts["lab"].plans
    assert (planned.outcome, plan.risk, [step.remedy for step in plan.steps]) == (
        Outcome.PLANNED, "low", ["end_idle_in_transaction"],
    )  # fmt: skip

    refused = runbooks.run("db_pool", approve=["p000000000000000"])
    assert (refused.outcome, refused.hosts["lab"].runs[0].guard) == (Outcome.BLOCKED, "plan")
    assert [one.may_have_acted for one in (looked, planned, refused)] == [False] * 3

    done = runbooks.run("db_pool", approve=[plan.hash])
    (action,) = done.hosts["lab"].actions
    assert (done.outcome, action.remedy, action.helped) == (Outcome.RESOLVED, "end_idle_in_transaction", True)
    assert done.may_have_acted

    again = runbooks.run("db_pool")
    assert (again.outcome, again.exit_code) == (Outcome.HEALTHY, 0)

    assert left_over(places) == []
    assert again.record and json.loads(again.record.read_text())["runs"][0]["outcome"] == "healthy"
    assert len(list((places / "records").glob("*.json"))) == 5
    assert SECRET not in texts(places)


def test_the_command_in_a_pipe(healthy_lab, places):
    healthy_lab.inject("idle_in_transaction")

    def oncall(*arguments: str) -> subprocess.CompletedProcess[str]:
        of_hosts = [] if arguments[0] in ("runs", "show") else ["-i", str(INVENTORY), "--keep-env", "LAB_HOME"]
        argv = [sys.executable, "-m", "oncall", *arguments, *of_hosts]
        return subprocess.run(argv, capture_output=True, text=True, timeout=240, cwd=REPOSITORY)

    plan = oncall("run", "db_pool", "--check", "--json")
    assert plan.returncode == 11, plan.stderr
    (places / "plan.json").write_text(plan.stdout)
    assert json.loads(plan.stdout)["hosts"][0]["outcome"] == "planned"
    assert "lab: planned: " in plan.stderr and "\x1b" not in plan.stderr
    done = oncall("run", "db_pool", "--plan-file", str(places / "plan.json"), "--quiet")
    assert (done.returncode, done.stderr) == (10, "")
    assert "end_idle_in_transaction (low) helped" in done.stdout and "\x1b" not in done.stdout
    ledger = oncall("ledger", "lab")
    assert ledger.stdout.splitlines()[0].endswith("\tresolved: end_idle_in_transaction"), ledger
    assert oncall("hold", "lab", "--reason", "a look at the JSON").returncode == 0
    told = as_documented("ledger", oncall("ledger", "lab", "--json").stdout)
    assert oncall("release", "lab").returncode == 0
    assert (told["holds"][0]["reason"], told["claims"][0]["outcome"]) == ("a look at the JSON", "resolved")

    newest, *_ = as_documented("runs", oncall("runs", "--json").stdout)
    assert as_documented("show", oncall("show", newest["id"], "--json").stdout) == newest


def test_triage_tells_what_comes_first_and_runs_it_in_check_mode(healthy_lab, places):
    healthy_lab.inject("redis_down")

    def triage(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "oncall", "triage", "-i", str(INVENTORY), "--keep-env", "LAB_HOME", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=240, cwd=REPOSITORY)

    # An alert is data, whatever is in it.
    told = triage("--quiet", "--alert", "{{ 7 * 7 }}")
    assert (told.returncode, told.stderr) == (12, ""), told
    (answered,) = [line for line in told.stdout.splitlines() if "no runbook answers the alert " in line]
    assert " 7 * 7 }}" in answered
    assert "1. cache (" in told.stdout and "not judged here" in told.stdout

    planned = triage("--run", "--check", "--json", "--quiet")
    document = json.loads(planned.stdout)
    jsonschema.validate(document, json.loads((REPOSITORY / "oncall" / "result.schema.json").read_text()))
    (host,) = document["hosts"]
    assert [(run["runbook"], run["outcome"]) for run in host["runs"]] == [("triage", "advised"), ("cache", "planned")]
    assert any(line.startswith("1. cache (") for line in host["runs"][0]["lines"])
    assert document["may_have_acted"] is False


def test_settings_of_ansible_do_not_hide_how_it_ended(healthy_lab, runbooks, places, monkeypatch):
    healthy_lab.inject("idle_in_transaction")
    (places / "ansible.cfg").write_text("[defaults]\nno_log = true\nstdout_callback = json\n")
    monkeypatch.setenv("ANSIBLE_NO_LOG", "true")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")
    monkeypatch.setenv("ANSIBLE_RUN_TAGS", "nothing")
    monkeypatch.setenv("ANSIBLE_CONFIG", os.path.relpath(places / "ansible.cfg"))
    done = runbooks.run("db_pool")
    assert (done.outcome, [action.helped for action in done.hosts["lab"].actions]) == (Outcome.RESOLVED, [True])
    assert done.record is not None


@pytest.mark.parametrize("broken", ["file", "limit"])
def test_hosts_that_are_lost_on_the_way_are_no_good_end(healthy_lab, places, broken):
    folder = places / "inventories"
    folder.mkdir()
    (folder / "good.yml").write_text("all: {hosts: {h: {ansible_connection: local}}}")
    if broken == "file":
        (folder / "bad.yml").write_text("all: {hosts: [")
    with pytest.raises(OncallError) as refused:
        Runbooks(folder).run("cache", limit="h,mispelled" if broken == "limit" else "")
    assert ("mispelled" if broken == "limit" else "bad.yml") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_run_that_holds_nothing_cannot_be_released(healthy_lab, runbooks):
    with pytest.raises(OncallError, match="nothing to free"):
        runbooks.release("lab", "0123456789ab")


@pytest.mark.parametrize("way", ["timeout", "cancel", "task", "died"])
def test_one_that_is_killed_leaves_nothing_running(healthy_lab, runbooks, places, way):
    healthy_lab.inject("idle_in_transaction")
    looked, cancel = threading.Event(), threading.Event()

    def progress(host: str, said: str) -> None:
        if "Wait" in said or "Look again" in said or "confirm" in said:
            looked.set()

    options = {"variables": LONG, "on_progress": progress, "cancel": cancel}
    if way == "timeout":
        ended = runbooks.run("db_pool", timeout_seconds=4, **options)
        assert (ended.status, ended.exit_code, ended.outcome) == ("timed_out", 124, Outcome.UNKNOWN)
    elif way == "died":
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(runbooks.run, "db_pool", **options)
            assert looked.wait(120)
            # The first of them; their numbers may have begun anew meanwhile.
            main = min(
                (one for one in psutil.process_iter(["environ", "cmdline", "create_time"])
                 if str(places) in str(one.info["environ"]) and "ansible-playbook" in str(one.info["cmdline"])),
                key=lambda one: (one.info["create_time"], one.pid),
            )  # fmt: skip
            # As the kernel does when memory runs out.
            os.kill(main.pid, signal.SIGKILL)
            ended = running.result(120)
        assert (ended.status, ended.exit_code, ended.outcome) == ("died", 22, Outcome.UNKNOWN)
        assert "died in the midst of it" in ended.hosts["lab"].summary
        assert not ended.may_have_acted
    elif way == "cancel":
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(runbooks.run, "db_pool", **options)
            assert looked.wait(120)
            assert processes_of_runs(places)
            cancel.set()
            ended = running.result(120)
        assert (ended.status, ended.exit_code) == ("canceled", 130)
    else:

        async def cut_off() -> None:
            task = asyncio.create_task(runbooks.run_async("db_pool", **options))
            while not looked.is_set():
                await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(asyncio.wait_for(cut_off(), 180))
    assert processes_of_runs(places) == []
    assert left_over(places) == []


def test_many_at_once_from_threads_and_tasks(runbooks, places):
    async def several() -> list[Outcome]:
        return [result.outcome for result in await asyncio.gather(*(runbooks.run_async("db_pool") for _ in range(2)))]

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(runbooks.run, "db_pool", mode="diagnose") for _ in range(2)]
        outcomes = asyncio.run(several()) + [thread.result().outcome for thread in threads]
    assert outcomes == [Outcome.HEALTHY] * 4
    assert len(list((places / "records").glob("*.json"))) == 4


def test_a_secret_is_in_no_argument_and_no_file_meanwhile_or_afterwards(healthy_lab, runbooks, places):
    healthy_lab.inject("idle_in_transaction")
    seen: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    arguments = (process / "cmdline").read_text(errors="replace")
                except OSError:
                    continue
                if SECRET in arguments:
                    seen.append(arguments)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        ended = runbooks.run("db_pool", mode="diagnose", variables={"a_password": SECRET})
    finally:
        stop.set()
        thread.join()
    assert ended.outcome is Outcome.PLANNED
    assert seen == []
    assert SECRET not in json.dumps(ended.to_dict(), default=str) + texts(places)


def test_hosts_that_cannot_be_reached_and_hosts_that_can(healthy_lab, runbooks, places):
    far = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    (places / "far.json").write_text(json.dumps({"all": {"hosts": {"far": far}}}))
    both = Runbooks([INVENTORY, places / "far.json"], keep_environment=["LAB_HOME"]).run("crash_loop", mode="diagnose")
    assert both.hosts["far"].outcome is Outcome.UNKNOWN
    assert both.hosts["lab"].outcome is Outcome.HEALTHY
    assert both.exit_code == 22


@pytest.mark.parametrize(
    ("inventory", "limit", "says"),
    [
        ("lab: [", "", "ran on no host"),
        (
            "all: {hosts: {shop: {ansible_connection: local}}}",
            "nobody",
            "Could not match supplied host pattern.*nobody",
        ),
        ("all: {hosts: {}}", "", "ran on no host"),
    ],
)
def test_what_never_begins_is_one_line(places, inventory, limit, says):
    (places / "hosts.yml").write_text(inventory)
    began = time.monotonic()
    with pytest.raises(OncallError, match=says) as raised:
        Runbooks(places / "hosts.yml").run("db_pool", limit=limit)
    assert "\n" not in str(raised.value)
    assert time.monotonic() - began < 30
    assert left_over(places) == []


def test_a_hold_keeps_remedies_away_and_its_reason_is_text(healthy_lab, runbooks, places):
    canary = places / "canary"
    reason = f"{{{{ lookup('ansible.builtin.pipe', 'touch {canary}') }}}} until 4 \U0001f600 \u2028 \"quoted\" # \\n"
    healthy_lab.inject("idle_in_transaction")
    runbooks.hold("lab", reason)
    try:
        (planned,) = runbooks.run("db_pool", mode="check").hosts["lab"].runs
        assert planned.outcome is Outcome.PLANNED
        assert any("would refuse this plan now" in note and "until 4" in note for note in planned.notes), planned.notes
        held = runbooks.run("db_pool")
        assert (held.outcome, held.hosts["lab"].runs[0].guard) == (Outcome.BLOCKED, "hold")
        assert "until 4 \U0001f600" in held.hosts["lab"].summary + str(held.hosts["lab"].runs)
        (hold,) = runbooks.ledger("lab")["holds"]
        assert (hold["reason"], hold["until"]) == (reason, None)
    finally:
        runbooks.release("lab")
    assert runbooks.run("db_pool").outcome is Outcome.RESOLVED
    told = runbooks.ledger("lab")
    assert (told["holds"], told["unfinished"]) == ([], [])
    assert (told["claims"][0]["runbook"], told["claims"][0]["state"]) == ("db_pool", "completed")
    assert not canary.exists()


@pytest.mark.parametrize("host", ["all", "ungrouped", "la", "l*", "!lab", "@hosts", "~l.b", "lab,other", ""])
def test_a_hold_is_for_one_host_by_its_exact_name(lab, places, host):
    with pytest.raises(OncallError, match="no host"):
        Runbooks(INVENTORY, keep_environment=["LAB_HOME"]).hold(host, "none")

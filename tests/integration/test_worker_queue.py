# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook worker_queue on a real Graphile Worker under a real supervisord."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator

import pytest

from ansible_collections.oncall.runbooks.tests.support.captured_queues import look
from ansible_collections.oncall.runbooks.tests.support.graphile import Graphile
from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

WORKER = """[program:worker]
command={command}
directory={folder}
startsecs=1
startretries=0
autorestart=false
redirect_stderr=true
stdout_logfile={log}
"""


class Stack:
    """Jobs, and a worker that supervisord runs."""

    def __init__(self, graphile: Graphile, supervisord: Supervisord) -> None:
        self.graphile, self.supervisord = graphile, supervisord
        self.settings = supervisord.home / "conf.d" / "worker.conf"
        self.write()
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "worker")
        supervisord.wait_for(worker="RUNNING")

    def write(self, *command: str) -> None:
        """What the worker is from its next start on."""
        argv = shlex.join(command or self.graphile.command("--jobs", "1", "--poll-interval", "200"))
        log = self.supervisord.home / "worker.log"
        self.settings.write_text(WORKER.format(command=argv, folder=self.graphile.folder, log=log))

    def load(self) -> None:
        """Have supervisord know what was written, and start it."""
        self.supervisord.rpc("reloadConfig")
        self.supervisord.rpc("removeProcessGroup", "worker")
        self.supervisord.rpc("addProcessGroup", "worker")
        self.supervisord.wait_for(worker="RUNNING")

    def queue(self) -> dict[str, object]:
        return self.graphile.queue(workers=["worker"], limit_seconds=2)

    def seen(self) -> dict[str, object]:
        return look(self.queue())

    def kill(self) -> None:
        os.kill(self.supervisord.rpc("getProcessInfo", "worker")["pid"], signal.SIGKILL)
        self.supervisord.wait_for(worker="EXITED")

    def heal(self) -> None:
        """The worker runs, and nothing is left to do."""
        if self.supervisord.state("worker") in ("RUNNING", "STARTING"):
            self.supervisord.rpc("stopProcess", "worker")
        self.graphile.postgres.execute("TRUNCATE graphile_worker._private_jobs", dbname="jobs")
        self.supervisord.rpc("startProcess", "worker")
        until(lambda: self.seen()["workers"])


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Stack]:
    with server() as postgres:
        supervisord = Supervisord()
        try:
            supervisord.wait_for(idle="STOPPED")
            graphile = Graphile(postgres, tmp_path_factory.mktemp("graphile"))
            postgres.execute("CREATE TABLE accounts (n int)", dbname="jobs", user="app")
            postgres.execute("INSERT INTO accounts VALUES (1)", dbname="jobs", user="app")
            yield Stack(graphile, supervisord)
        finally:
            supervisord.stop()


@pytest.fixture
def stack(running) -> Stack:
    running.heal()
    return running


@pytest.fixture
def play(stack, tmp_path):
    variables = {
        "system_services": {"worker": stack.supervisord.service("worker")},
        "system_queues": {"mail": stack.queue()},
        "system_database": stack.graphile.reach(),
        "worker_queue_window_seconds": 1,
    }
    return on_host(tmp_path, "worker_queue", variables)


@pytest.mark.covers("SY-2-1")
def test_nobody_works(stack, play):
    stack.kill()
    stack.graphile.add("fine", 120)
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["no_worker"]), checked.output
    assert (stack.supervisord.state("worker"), stack.seen()["ready"]) == ("EXITED", 120)

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["no_worker"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["targets"], action["helped"]) == ("restart_workers", [{"service": "worker"}], True)
    until(lambda: stack.seen()["ready"] == 0)

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output


@pytest.mark.covers("SY-2-2", "SY-2-3")
def test_jobs_are_stuck(stack, play):
    hung = stack.graphile.add("hangs")
    until(lambda: stack.seen()["running"] == 1)
    stack.graphile.add("fine", 120)
    until(lambda: stack.seen()["running_over_limit_count"] == 1)
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["stuck"]), fixed.output
    assert [(one["remedy"], one["helped"]) for one in fixed.run["actions"]] == [("restart_workers", True)]
    until(lambda: stack.seen()["ready"] == 0)
    # The one that hung is kept, as failed, and no other.
    assert stack.seen()["dead"] == 1
    assert fixed.run["actions"][0]["targets"] == [{"service": "worker"}, {"queue": "mail", "jobs": hung}]


def test_a_restart_that_does_not_help_is_told(stack, play):
    stack.kill()
    stack.graphile.add("fine", 120)
    # It runs, and takes nothing.
    stack.write("sleep", "600")
    stack.load()
    try:
        told = play(run_verify_timeout_seconds=5)
        assert (told.code, told.outcome) == (2, "unresolved"), told.output
        assert [(one["remedy"], one["helped"]) for one in told.run["actions"]] == [("restart_workers", False)]
    finally:
        stack.supervisord.rpc("stopProcess", "worker")
        stack.write()
        stack.load()


# ---------------------------------------------------------------------- what looks the same and is something else
@pytest.mark.covers("SY-2-2")
def test_a_lock_in_the_database_is_handed_over_and_nothing_is_restarted(stack, play):
    started = stack.supervisord.rpc("getProcessInfo", "worker")["start"]
    with stack.graphile.postgres.connect("report", dbname="jobs", user="app", autocommit=False) as holder:
        holder.execute("UPDATE accounts SET n = 0")
        stack.graphile.add("waits", 120)
        until(lambda: stack.seen()["running_over_limit_count"] == 1)
        told = play(run_until="plan", worker_queue_slow_seconds=0)
        assert told.runs[0]["hand_over"] == ["db_pool"], told.output
        assert "report" in told.runs[0]["summary"]
        holder.rollback()
    assert stack.supervisord.rpc("getProcessInfo", "worker")["start"] == started
    until(lambda: stack.seen()["ready"] == 0)


def test_jobs_that_fail_are_nobodys_restart(stack, play):
    stack.graphile.add("fails", 30)
    until(lambda: stack.seen()["dead"] == 30)
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["jobs_fail"]), told.output
    assert "30 times 550 no mailbox" in told.run["summary"]


def test_a_person_stopped_it(stack, play):
    stack.supervisord.rpc("stopProcess", "worker")
    stack.graphile.add("fine", 120)
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["stopped_by_person"]), told.output
    assert stack.supervisord.state("worker") == "STOPPED"


def test_what_cannot_be_seen_is_no_healthy_night(stack, play):
    gone = {**stack.queue(), "database": {**stack.graphile.reach(), "port": 1}}
    told = play(system_queues={"mail": gone})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "PostgreSQL jobs at 127.0.0.1:1" in told.run["summary"]

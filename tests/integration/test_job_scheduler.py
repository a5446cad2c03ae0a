# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook job_scheduler on a real scheduler under a real supervisord, whose jobs are in a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support import small_scheduler
from ansible_collections.oncall.runbooks.tests.support.letters import Letters
from ansible_collections.oncall.runbooks.tests.support.observing import observed
from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

PROGRAM = """[program:scheduler]
command={command}
startsecs=1
startretries=0
autorestart=false
stopwaitsecs=2
redirect_stderr=true
stdout_logfile={log}
"""
JOBS = ("digest", "cleanup")


class Stack:
    """Jobs that are due every second, and what starts them."""

    def __init__(self, postgres: Server, supervisord: Supervisord) -> None:
        self.postgres, self.supervisord = postgres, supervisord
        postgres.execute(small_scheduler.TABLES, user="app")
        postgres.execute("GRANT SELECT ON scheduled, runs, schedulers TO oncall", user="app")
        self.settings = supervisord.home / "conf.d" / "scheduler.conf"
        self.write()
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "scheduler")
        supervisord.wait_for(scheduler="RUNNING")

    def argv(self, owner: str = "one", *more: str) -> list[str]:
        place = f"host=127.0.0.1 port={self.postgres.port} dbname=shop user=app"
        return [sys.executable, small_scheduler.__file__, place, owner, *more]

    def write(self, *command: str) -> None:
        """What the scheduler is from its next start on."""
        log = self.supervisord.home / "scheduler.log"
        self.settings.write_text(PROGRAM.format(command=shlex.join(command or self.argv()), log=log))

    def load(self) -> None:
        """Have supervisord know what was written, and start it."""
        self.supervisord.rpc("reloadConfig")
        self.supervisord.rpc("removeProcessGroup", "scheduler")
        self.supervisord.rpc("addProcessGroup", "scheduler")
        self.supervisord.wait_for(scheduler="RUNNING")

    def sql(self, statement: str) -> list[Any]:
        return self.postgres.execute(statement, user="app")

    def pid(self) -> int:
        pid: int = self.supervisord.rpc("getProcessInfo", "scheduler")["pid"]
        return pid

    def up_seconds(self) -> int:
        told = self.supervisord.rpc("getProcessInfo", "scheduler")
        up: int = told["now"] - told["start"]
        return up

    def schedule(self, **more: Any) -> dict[str, Any]:
        return {
            "engine": "table",
            "service": "scheduler",
            "jobs": list(JOBS),
            "grace_seconds": 1,
            "lock": [small_scheduler.LOCK],
            "statements": small_scheduler.STATEMENTS,
            **more,
        }

    def seen(self) -> dict[str, Any]:
        """The jobs as the observer tells them, by name."""
        found = observed(
            "job_schedule_info", schedules={"app": self.schedule()}, database=self.postgres.reach(), timeout_seconds=30
        )
        return {job["name"]: job for job in found["schedules"]["app"]["jobs"]}

    def late(self, *names: str) -> None:
        """Wait until jobs are late."""
        until(lambda: all(self.seen()[name].get("started_age_seconds", 0) > 3 for name in names or JOBS))

    def heal(self) -> None:
        """It runs, and each job was started a moment ago."""
        if self.supervisord.state("scheduler") in ("RUNNING", "STARTING"):
            os.kill(self.pid(), signal.SIGCONT)
            self.supervisord.rpc("stopProcess", "scheduler")
        self.sql("TRUNCATE scheduled, runs, schedulers")
        self.sql("INSERT INTO scheduled (name, period_seconds) VALUES ('digest', 1), ('cleanup', 1)")
        self.supervisord.rpc("startProcess", "scheduler")
        until(lambda: all("succeeded_age_seconds" in job for job in self.seen().values()))


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with server() as postgres:
        supervisord = Supervisord()
        try:
            supervisord.wait_for(idle="STOPPED")
            yield Stack(postgres, supervisord)
        finally:
            supervisord.stop()


@pytest.fixture
def stack(running) -> Stack:
    running.heal()
    return running


@pytest.fixture
def play(stack, tmp_path):
    variables = {
        "system_services": {"scheduler": stack.supervisord.service("scheduler")},
        "system_schedules": {"app": stack.schedule()},
        "system_database": stack.postgres.reach(),
        "job_scheduler_owner_seconds": 2,
    }
    return on_host(tmp_path, "job_scheduler", variables)


@pytest.mark.covers("PD-2-3", "PD-2-4")
def test_it_hangs(stack, play):
    pid = stack.pid()
    os.kill(pid, signal.SIGSTOP)
    stack.late()
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["scheduler_hangs"]), checked.output
    assert stack.pid() == pid

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["scheduler_hangs"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["targets"], action["helped"]) == (
        "restart_scheduler",
        [{"service": "scheduler"}],
        True,
    )
    assert stack.pid() != pid

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert "digest started" in again.run["summary"]


@pytest.mark.covers("PD-2-4")
def test_it_was_killed_and_a_nightly_job_missed_its_time(stack, play):
    stack.sql(
        "INSERT INTO scheduled (name, cron, started_at, succeeded_at, owner) "
        "VALUES ('nightly', '0 0 * * *', now() - interval '2 days', now() - interval '2 days', 'one')"
    )
    os.kill(stack.pid(), signal.SIGKILL)
    stack.supervisord.wait_for(scheduler="EXITED")
    by_hand = {"by_hand": "sudo -u app run-job {job}"}
    told = play(system_schedules={"app": stack.schedule(jobs=[*JOBS, "nightly"], **by_hand)})
    # It starts jobs again, and a person says whether the missed one can wait.
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["scheduler_down"]), told.output
    assert "restart_scheduler helped; what it left for a person: nightly was due" in told.run["summary"]
    assert "start by hand: sudo -u app run-job nightly" in told.run["summary"]
    assert [(one["remedy"], one["helped"]) for one in told.run["actions"]] == [("restart_scheduler", True)]
    assert [one["cause"] for one in told.run["findings_after"] if one["status"] == "problem"] == ["waits_for_next_time"]
    assert stack.supervisord.state("scheduler") == "RUNNING"


def test_a_restart_that_does_not_help_is_told(stack, play):
    stack.supervisord.rpc("stopProcess", "scheduler")
    # It runs, and starts nothing.
    stack.write("sleep", "600")
    stack.load()
    try:
        stack.late()
        until(lambda: stack.up_seconds() > 4)
        told = play(run_verify_timeout_seconds=5)
        assert (told.code, told.outcome) == (2, "unresolved"), told.output
        assert [(one["remedy"], one["helped"]) for one in told.run["actions"]] == [("restart_scheduler", False)]
    finally:
        stack.supervisord.rpc("stopProcess", "scheduler")
        stack.write()
        stack.load()


# ---------------------------------------------------------------------- dead letters
@pytest.fixture
def letters(stack):
    """Dead letters beside the jobs, and the queue as an inventory has it."""
    dead = Letters(stack.postgres)
    # Who looks may not write.
    stack.sql("GRANT SELECT ON letters TO oncall")
    yield dead
    stack.sql("DROP TABLE letters")


@pytest.mark.covers("PD-2-3", "PD-2-4")
def test_dead_letters_are_sent_again_in_steps(letters, play):
    letters.die(30)
    variables = {"system_queues": {"letters": letters.queue()}, "job_scheduler_queues": ["letters"]}
    with letters.worked_on():
        checked = play("--check", **variables)
        assert (checked.outcome, checked.causes()) == ("planned", ["dead_letters"]), checked.output
        assert set(letters.column("tries")) == {0}

        fixed = play(**variables)
        assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["dead_letters"]), fixed.output
        (action,) = fixed.run["actions"]
        assert (action["remedy"], action["targets"], action["helped"]) == ("replay", [{"queue": "letters"}], True)
        assert (action["details"]["found"], action["details"]["done"]) == (30, 30)
        assert (set(letters.column("status")), set(letters.column("tries"))) == ({"done"}, {1})

        again = play(**variables)
        assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output


@pytest.mark.covers("PD-2-4")
def test_dead_letters_that_die_again_stop_at_the_first(letters, play):
    letters.die(30)
    letters.postgres.execute("UPDATE letters SET ill = true", user="app")
    with letters.worked_on():
        told = play(
            system_queues={"letters": letters.queue()}, job_scheduler_queues=["letters"], run_verify_timeout_seconds=3
        )
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert (letters.column("tries").count(1), set(letters.column("status"))) == (1, {"dead"})


# ---------------------------------------------------------------------- what looks the same and is something else
def test_a_lock_of_one_that_is_gone_is_no_restart(stack, play):
    stack.supervisord.rpc("stopProcess", "scheduler")
    with contextlib.closing(stack.postgres.connect("scheduler", user="app")) as gone:
        gone.execute(b"SELECT pg_advisory_lock(%d)" % small_scheduler.LOCK)
        # Older by more than two looks at different moments explain.
        until(lambda: stack.seen()["digest"]["started_age_seconds"] > 8)
        stack.supervisord.rpc("startProcess", "scheduler")
        until(lambda: stack.up_seconds() > 4)
        pid = stack.pid()
        told = play()
        assert (told.outcome, told.causes()) == ("advised", ["dead_owner"]), told.output
        assert f"process {gone.info.backend_pid} of the database (scheduler from 127.0.0.1" in told.run["summary"]
        assert stack.pid() == pid


def test_one_job_that_fails_is_nobodys_restart(stack, play):
    stack.sql("UPDATE scheduled SET kind = 'fails' WHERE name = 'digest'")
    until(lambda: stack.seen()["digest"]["failures"] >= 3)
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["job_fails"]), told.output
    assert "KeyError: <text>" in told.run["summary"]


def test_one_job_that_runs_on_and_on_is_not_cut_off(stack, play):
    stack.sql("UPDATE scheduled SET kind = 'endless' WHERE name = 'digest'")
    until(lambda: stack.seen()["digest"].get("running_seconds", 0) > 6.5)
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["overlap"]), told.output


def test_one_job_that_is_late_is_no_matter_of_the_scheduler(stack, play):
    # It is there, and the scheduler does not see it as due.
    stack.sql("UPDATE scheduled SET running_since = NULL, period_seconds = 1000000 WHERE name = 'digest'")
    stack.late("digest")
    told = play(
        system_schedules={
            "app": stack.schedule(
                statements={
                    "jobs": small_scheduler.STATEMENTS["jobs"].replace("period_seconds,", "1 AS period_seconds,")
                }
            )
        }
    )
    assert (told.outcome, told.causes()) == ("advised", ["job_missed"]), told.output
    assert "Others are started, and not digest" in told.run["summary"]


def test_a_second_scheduler_is_named(stack, play):
    stack.supervisord.rpc("stopProcess", "scheduler")
    stack.write(*stack.argv("one", "--without-lock"))
    stack.load()
    other = subprocess.Popen(stack.argv("two", "--without-lock"))
    try:
        until(
            lambda: (
                [len([one for one in job["starts"] if one["owner"] == "two"]) > 3 for job in stack.seen().values()]
                == [True, True]
            )
        )
        told = play()
        assert (told.outcome, told.causes()) == ("advised", ["second_scheduler"]), told.output
        assert "by one and two" in told.run["summary"]
    finally:
        other.kill()
        other.wait()
        stack.supervisord.rpc("stopProcess", "scheduler")
        stack.write()
        stack.load()


def test_a_person_stopped_it(stack, play):
    stack.supervisord.rpc("stopProcess", "scheduler")
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["scheduler_stopped_by_person"]), told.output
    assert stack.supervisord.state("scheduler") == "STOPPED"


def test_what_cannot_be_seen_is_no_healthy_night(stack, play):
    told = play(system_database={**stack.postgres.reach(), "port": 1})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "PostgreSQL shop at 127.0.0.1:1" in told.run["summary"]

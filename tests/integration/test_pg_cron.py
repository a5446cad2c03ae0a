# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What job_schedule_info tells of a real pg_cron, and what the runbook job_scheduler makes of it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.oncall.runbooks.tests.support.observing import observed
from ansible_collections.oncall.runbooks.tests.support.pg_cron import server_with_pg_cron
from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SECRET = "s3cretdata"
# As if they had begun so long ago: pg_cron starts nothing more often than every minute.
_OLDER = (
    "UPDATE cron.job_run_details SET start_time = start_time - interval '{0}', end_time = end_time - interval '{0}'"
)


@pytest.fixture(scope="module")
def server():
    with server_with_pg_cron() as running:
        for statement in (
            f"SELECT cron.schedule('tick', '* * * * *', $$SELECT '{SECRET}'$$)",
            f"SELECT cron.schedule('broken', '* * * * *', $$SELECT '{SECRET}'::int$$)",
            "SELECT cron.schedule('monthly', '0 3 1 * *', 'SELECT 1')",
            "SELECT cron.unschedule('monthly')",
            "SELECT cron.schedule('off', '@daily', 'SELECT 1')",
            "UPDATE cron.job SET active = false WHERE jobname = 'off'",
            "GRANT USAGE ON SCHEMA cron TO oncall, app",
            "GRANT SELECT ON ALL TABLES IN SCHEMA cron TO oncall, app",
            "ALTER ROLE oncall BYPASSRLS",
        ):
            running.execute(statement)
        # Both run at the next full minute.
        until(
            lambda: running.execute("SELECT count(*) FROM cron.job_run_details WHERE end_time IS NOT NULL") >= [(2,)],
            120,
        )
        yield running


def look(server, user="oncall"):
    found = observed(
        "job_schedule_info",
        schedules={"db": {"engine": "pg_cron"}},
        database=server.reach(user=user),
        timeout_seconds=20,
    )
    assert SECRET not in json.dumps(found), "what a job runs stays where it is"
    return found["schedules"]["db"]


def test_jobs_and_their_runs(server):
    found = look(server)
    assert (found["complete"], found["limits"], found["launcher"], found["time_zone"]) == (True, [], True, "GMT")
    assert found["launcher_age_seconds"] > 0
    jobs = {job["name"]: job for job in found["jobs"]}
    assert set(jobs) == {"tick", "broken", "off"}
    assert 0 <= jobs["tick"]["started_age_seconds"] < 90
    assert (jobs["tick"]["failures"], jobs["tick"]["interval_seconds"], jobs["tick"]["enabled"]) == (0, 60.0, True)
    assert (jobs["broken"]["failures"] >= 1, "succeeded_age_seconds" in jobs["broken"]) == (True, False)
    assert jobs["broken"]["error"] == "ERROR: invalid input syntax for type integer: <text>"
    assert (jobs["off"]["enabled"], "started_age_seconds" in jobs["off"]) == (False, False)


def test_a_role_that_sees_only_its_own_jobs_says_so(server):
    found = look(server, user="app")
    assert found["jobs"] == []
    assert found["limits"] == [
        "only the jobs of the role that asks are seen: give it BYPASSRLS, or name a role that owns them all",
        "whether pg_cron runs is not known: grant pg_monitor to the role that asks",
    ]


@pytest.fixture
def play(server, tmp_path):
    schedules = {"db": {"engine": "pg_cron", "jobs": ["tick"]}}
    return on_host(tmp_path, "job_scheduler", {"system_schedules": schedules, "system_database": server.reach()})


def test_in_time(play):
    told = play()
    assert (told.code, told.outcome) == (0, "healthy"), told.output
    assert "tick started" in told.run["summary"] and "pg_cron runs" in told.run["summary"]


def test_one_that_is_no_more_is_not_restarted(server, play):
    # As where shared_preload_libraries lost it: the jobs stay, and nothing starts them.
    server.execute("ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'")
    server.stop()
    server.start()
    server.execute(_OLDER.format("1 hour"))
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["scheduler_down"]), told.output
    assert "pg_cron is a part of the database, which is not restarted for it" in json.dumps(told.run["plan"])

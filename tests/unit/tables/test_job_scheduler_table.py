# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook job_scheduler."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.queues.answer import settled
from ansible_collections.oncall.runbooks.plugins.module_utils.schedules import pg_cron
from ansible_collections.oncall.runbooks.plugins.module_utils.schedules import table as own_table
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing.job_schedule import finish
from ansible_collections.oncall.runbooks.tests.support.observed_services import between_two_ends, crashing, running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

# 2026-11-30 12:00:00 in UTC, a Monday; 13:00 in Berlin.
NOW = 1796040000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
APP = {"engine": "table", "service": "scheduler", "jobs": ["digest", "invoices"], "statements": {"jobs": "..."}}
SYSTEM = {
    "system_services": {"scheduler": {"manager": "compose", "project": "/srv/app"}},
    "system_schedules": {"app": APP},
    "system_queues": {"mail": {"engine": "graphile_worker", "task": "mail"}},
    "system_database": {"name": "app"},
}
TIMES = {
    "created": "created_at",
    "started": "last_started_at",
    "succeeded": "last_succeeded_at",
    "failed": "last_failed_at",
    "running": "running_since",
    "owner_seen": "owner_seen_at",
}


def job(name: str, **told: Any) -> dict[str, Any]:
    """A row as the table gives it; times are told as ages in seconds."""
    return {
        "name": name,
        **{TIMES.get(key, key): NOW - one if key in TIMES and one is not None else one for key, one in told.items()},
    }


def digest(**told: Any) -> dict[str, Any]:
    """Every ten minutes."""
    return job("digest", **{"period_seconds": 600, "started": 5 * MINUTE, "succeeded": 4 * MINUTE, **told})


def invoices(**told: Any) -> dict[str, Any]:
    """Every day at 2:30 in Berlin, which was 10.5 hours ago."""
    times = {"started": 10.5 * HOUR, "succeeded": 10.4 * HOUR}
    return job("invoices", **{"schedule": "30 2 * * *", "time_zone": "Europe/Berlin", **times, **told})


def starts(name: str, *ages: float, owners: tuple[str, ...] = ("a",)) -> list[dict[str, Any]]:
    return [
        {"name": name, "started_at": NOW - age, "owner": owners[number % len(owners)]}
        for number, age in enumerate(ages)
    ]


def schedule(
    *jobs: dict[str, Any],
    begun: list[dict[str, Any]] | None = None,
    held: list[dict[str, Any]] | None = None,
    given: dict[str, Any] = APP,
    clock: float = 0.0,
) -> dict[str, Any]:
    """A schedule of the application's own as the observer tells it."""
    found = own_table.answer(list(jobs), begun, held, given, NOW)
    return told(found, "table", clock)


def told(found: dict[str, Any], engine: str, clock: float = 0.0) -> dict[str, Any]:
    compared = {"now_seconds": NOW, "clock_ahead_seconds": clock, "clock_within_seconds": 0.004}
    return {**settled({**found, **compared}, found["limits"]), "engine": engine}


def cron(
    *jobs: dict[str, Any], runs: list[dict[str, Any]], launcher: bool = True, hidden: bool = False
) -> dict[str, Any]:
    """What pg_cron tells, which runs for a month."""
    row = {"runs": launcher, "age_seconds": 30 * DAY if launcher else None}
    given = {"jobs": [], "zone": "GMT"}
    return told(pg_cron.answer({"jobs": list(jobs), "hidden": hidden}, runs, row, given, NOW, []), "pg_cron")


def run(jobid: int, age: float, status: str = "succeeded", message: str = "1 row") -> dict[str, Any]:
    end = None if status == "running" else NOW - age + 1
    return {"jobid": jobid, "status": status, "return_message": message, "start_time": NOW - age, "end_time": end}


def look(
    app: dict[str, Any], scheduler: dict[str, Any] | None = None, given: dict[str, Any] = APP, **more: Any
) -> dict[str, Any]:
    fetched = {"available": True, "complete": app["complete"], "limits": [], "schedules": {"app": app}}
    state = scheduler or running(uptime_seconds=30 * DAY)
    return {
        "job_schedule": finish({"grace_seconds": 300.0, "schedules": {"app": given}}, fetched),
        **({"service": {"available": True, "services": {"scheduler": state}}} if given.get("service") else {}),
        **more,
    }


def letters(*names: str, **counts: Any) -> dict[str, Any]:
    one = {"available": True, "complete": True, "limits": [], "error": "", "engine": "pgboss", "ready": 0, **counts}
    return {
        "queue": {"available": True, "complete": True, "limits": [], "queues": dict.fromkeys(names or ["mail"], one)}
    }


def of(app: dict[str, Any], scheduler: dict[str, Any] | None = None, given: dict[str, Any] = APP, **case: Any) -> Case:
    """A case of one schedule, whose inventory says what ``given`` says."""
    more = case.pop("more", {})
    variables = {"system_schedules": {"app": given}, **case.pop("variables", {})}
    return Case(
        look(app, scheduler, given, **more),
        variables=variables if given is not APP or len(variables) > 1 else {},
        **case,
    )


def two_schedules(app: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    fetched = {"available": True, "complete": True, "limits": [], "schedules": {"app": app, "other": other}}
    found = look(app)
    return {**found, "job_schedule": finish({"grace_seconds": 300.0, "schedules": TWO}, fetched)}


DROPS = "'; DROP TABLE x; --"
TWO = {"app": APP, "other": {"engine": "table", "service": "scheduler", "statements": {"jobs": "..."}}}
LATE_DIGEST = {"started": 25 * MINUTE, "succeeded": 24 * MINUTE}
LATE_INVOICES = {"started": 34.5 * HOUR, "succeeded": 34.4 * HOUR}
RESTARTED = {"acts": ["restart_scheduler"], "risk": "medium"}
HOLDER = {"pid": 77, "granted": True, "application_name": "scheduler", "client": "10.0.0.9", "state": "idle"}
UNNAMED = {key: value for key, value in APP.items() if key != "service"}
PG_CRON = {"engine": "pg_cron"}
NIGHTLY = {"jobid": 1, "name": "nightly", "schedule": "30 2 * * *", "active": True}
MINUTELY = {"jobid": 2, "name": None, "schedule": "* * * * *", "active": True}
NOT_ALL_IS_SEEN = [
    "started_elsewhere",
    *(
        "clock_off",
        "disabled_by_person",
        "not_scheduled",
        "dead_owner",
        "wrong_time_zone",
        "scheduler_hangs",
        "just_started",
        "overlap",
    ),
    *("never_ran", "waits_for_next_time", "job_missed", "second_scheduler", "job_fails"),
]
QUEUES = {"job_scheduler_queues": ["mail"]}
UNSEEN = {
    "job_schedule": {"available": False, "reason": "PostgreSQL app at 10.0.0.5: refused", "schedules": {}},
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
}

test_concluded = table(
    "job_scheduler",
    SYSTEM,
    {
        # What is well, and looks as if it were not.
        "in time": of(
            schedule(digest(), invoices()),
            says=["digest started 5 min ago, every 10 min; invoices started 10 h ago, due 10 h ago by 30 2 * * * (Europe/Berlin)"],
        ),
        "a little late, and within its grace": of(schedule(digest(started=19 * MINUTE), invoices())),
        "due a minute ago, and not started yet": of(schedule(digest(), invoices(schedule="59 12 * * *", started=23 * HOUR))),
        "a success is a sign too, where starts are not told": of(schedule(digest(started=None), invoices(started=None))),
        "one failure": of(schedule(digest(failed=MINUTE), invoices())),
        "somebody turned off what nobody asked for": of(schedule(digest(), invoices(), job("old", period_seconds=60, enabled=False))),
        "a job that nobody asked for is late": of(schedule(digest(), invoices(), job("old", period_seconds=60, started=DAY))),
        "a lock older than the scheduler, and all is in time": of(
            schedule(digest(), invoices(), held=[{**HOLDER, "age_seconds": 40 * DAY, "quiet_seconds": 9.0}])
        ),
        "a job moved from one scheduler to another": of(
            schedule(digest(), invoices(), begun=starts("digest", 300, 420, 900, 1500, owners=("b", "a", "a", "a")))
        ),
        "a new job that was not due yet": of(
            schedule(digest(), invoices(started=None, succeeded=None, created=HOUR), given={**APP, "jobs": ["digest"]})
        ),
        "started by a clock that is exact to seconds only": of(schedule(digest(started=-3.0), invoices(), clock=-3.0)),
        # The scheduler.
        "it has ended": of(
            schedule(digest(**LATE_DIGEST), invoices()), running(state="exited", uptime_seconds=None), problems=["scheduler_down"],
            **RESTARTED, says=["What starts the jobs of app does not run (scheduler)"],
        ),
        "it has ended, and nothing is late yet": of(
            schedule(digest(), invoices()),
            running(state="exited", uptime_seconds=None, finished_at_seconds=NOW - 2 * MINUTE),
            problems=["scheduler_down"],
            **RESTARTED,
        ),
        "it has ended, and the jobs are started all the same": of(
            schedule(digest(started=2 * MINUTE), invoices()),
            running(state="exited", uptime_seconds=None, finished_at_seconds=NOW - DAY),
            problems=["started_elsewhere"], says=["scheduler does not run, and the jobs are started all the same"],
        ),
        "it has ended, when is not known, and nothing is late": of(
            schedule(digest(), invoices()), running(state="exited", uptime_seconds=None), unknown=["scheduler_down"]
        ),
        "its state is none that anybody knows": of(
            schedule(digest(), invoices()), running(state="unknown", uptime_seconds=None),
            unknown=["scheduler_crashes", "scheduler_down", "scheduler_stopped_by_person", "started_elsewhere"],
        ),
        "a person stopped it": of(
            schedule(digest(**LATE_DIGEST), invoices()), running(state="exited", uptime_seconds=None, stopped_by_person=True),
            problems=["scheduler_stopped_by_person"],
        ),
        "it ends again and again": of(schedule(digest(**LATE_DIGEST), invoices()), crashing(), problems=["scheduler_crashes"]),
        "it ends again and again, and runs just now": of(
            schedule(digest(**LATE_DIGEST), invoices()), between_two_ends(), problems=["scheduler_crashes"]
        ),
        "it runs and starts nothing": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)), problems=["scheduler_hangs"], **RESTARTED,
            says=["scheduler runs and starts nothing: digest started 25 min ago"],
        ),
        "it runs and starts nothing, as it does not reach its database": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)),
            running(uptime_seconds=30 * DAY, log_tail_errors=[{"count": 9, "last": "ERROR scheduler: connection to server at db failed: Connection refused"}]),
            problems=["scheduler_hangs"], why_not="it does not reach somebody (ERROR scheduler: connection to server at db failed"
        ),
        "it runs and starts nothing, and its log tells of something else": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)),
            running(uptime_seconds=30 * DAY, log_tail_errors=[{"count": 1, "last": "ERROR scheduler: connection 7 is idle"}]),
            problems=["scheduler_hangs"], **RESTARTED,
        ),
        "it runs and starts nothing, and is quiet; there is one job": of(
            schedule(digest(**LATE_DIGEST, owner="a", owner_seen=25 * MINUTE), given={**APP, "jobs": ["digest"]}),
            given={**APP, "jobs": ["digest"]}, problems=["scheduler_hangs"], **RESTARTED,
        ),
        "it hangs in a job": of(
            schedule(
                digest(**LATE_DIGEST, running=25 * MINUTE, owner="a", owner_seen=25 * MINUTE),
                invoices(**LATE_INVOICES, owner="a", owner_seen=25 * MINUTE),
            ),
            problems=["scheduler_hangs"], **RESTARTED,
        ),
        "all are late, and nothing says what starts them": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)), given=UNNAMED, problems=["scheduler_hangs"],
            why_not="system_schedules.app.service does not say",
        ),
        "all are late, and since when it runs is not known": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)), running(uptime_seconds=None), unknown=None
        ),
        "all are late, and it began a moment ago": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES)), running(uptime_seconds=20.0), problems=["just_started"],
            says=["scheduler has run for 20 s, and has started nothing yet: digest"],
        ),
        "it was down at night, and starts jobs again": of(
            schedule(digest(), invoices(**LATE_INVOICES)), running(uptime_seconds=HOUR), problems=["waits_for_next_time"],
            says=[
                "invoices was due when the scheduler did not run",
                "due 10 h ago by 30 2 * * * (Europe/Berlin), next in 14 h; where that is too late, start by hand: invoices as its scheduler does it",
            ],
        ),
        "it was down at night, and a person can start its jobs": of(
            schedule(digest(), invoices(**LATE_INVOICES)), running(uptime_seconds=HOUR), given={**APP, "by_hand": "run-job {job} --now"},
            problems=["waits_for_next_time"], says=["start by hand: run-job invoices --now"],
        ),
        "it was down at night, and its job has a name that is a statement": of(
            schedule(digest(), {**invoices(**LATE_INVOICES), "name": DROPS}, given={**APP, "jobs": ["digest", DROPS]}),
            running(uptime_seconds=HOUR), given={**APP, "jobs": ["digest", DROPS], "by_hand": "run-job {job}"},
            problems=["waits_for_next_time"], says=[f"start by hand: run-job {shlex.quote(DROPS)}"],
        ),
        # Nothing tells what runs.
        "one was started and has not ended, and the others wait": of(
            schedule(digest(**LATE_DIGEST), invoices(**{**LATE_INVOICES, "started": 33 * HOUR})), problems=["overlap"],
            says=["invoices was started 33 h ago, and has not ended as far as is told, and the others wait: digest"],
        ),
        "one was started and cut off, and the one that runs now starts nothing": of(
            schedule(digest(**LATE_DIGEST), invoices(**{**LATE_INVOICES, "started": 33 * HOUR})), running(uptime_seconds=32 * HOUR),
            problems=["scheduler_hangs"], **RESTARTED,
        ),
        "one was started and has not ended, and others are started": of(
            schedule(digest(started=MINUTE, succeeded=11 * MINUTE), invoices()),
        ),
        "its manager is not seen": of(
            schedule(digest(), invoices()), {"available": False, "manager": "compose", "reason": "no engine answers"},
            unknown=["scheduler_crashes", "scheduler_down", "scheduler_stopped_by_person", "started_elsewhere"],
        ),
        # One job.
        "one job is late": of(
            schedule(digest(), invoices(**LATE_INVOICES)), problems=["job_missed"],
            says=["Others are started, and not invoices started 34 h ago"],
        ),
        "there is one job, and it is late": of(
            schedule(digest(**LATE_DIGEST), given={**APP, "jobs": ["digest"]}), given={**APP, "jobs": ["digest"]}, problems=["job_missed"]
        ),
        "there is one job, it is late, and its scheduler lives": of(
            schedule(digest(**LATE_DIGEST, owner="a", owner_seen=2.0), given={**APP, "jobs": ["digest"]}),
            given={**APP, "jobs": ["digest"]}, problems=["job_missed"],
        ),
        "one job has never been started": of(
            schedule(digest(), invoices(started=None, succeeded=None, created=9 * DAY)), problems=["never_ran"],
            says=["invoices has never been started, though it was due"],
        ),
        "one job has never been started, and since when it is there is not known": of(
            schedule(digest(), invoices(started=None, succeeded=None)), unknown=None
        ),
        "one job is turned off": of(
            schedule(digest(), invoices(**LATE_INVOICES, enabled=False)), problems=["disabled_by_person"], says=["invoices: somebody turned it off"]
        ),
        "one job is not there": of(schedule(digest()), problems=["not_scheduled"], says=["invoices of app is not there"]),
        "one job runs for too long": of(
            schedule(digest(**LATE_DIGEST, running=25 * MINUTE), invoices()), problems=["overlap"],
            says=["digest still runs at its next time"],
        ),
        "one job runs, and the others wait for it": of(
            schedule(digest(**LATE_DIGEST), invoices(running=26 * MINUTE, started=26 * MINUTE)), problems=["overlap"],
            says=["and the others wait: digest"],
        ),
        "one job fails again and again": of(
            schedule(digest(started=MINUTE, succeeded=HOUR, failed=MINUTE, error="KeyError: 'customer'"), invoices()), problems=["job_fails"],
            says=["digest is started and fails again and again: KeyError: <text>"],
        ),
        "one job fails again and again, as it counts": of(
            schedule(digest(failures=3, failed=MINUTE), invoices()), problems=["job_fails"]
        ),
        "an expression that is none": of(schedule(digest(), invoices(schedule="61 * * * *")), unknown=NOT_ALL_IS_SEEN),
        "a time without a zone": of(schedule(digest(), {**invoices(), "last_started_at": "2026-11-30T01:30:00"}), unknown=None),
        # Owners and locks.
        "its owner is gone, and the new one lives": of(
            schedule(
                digest(owner="new", owner_seen=2.0),
                invoices(**LATE_INVOICES, running=9 * HOUR, owner="old", owner_seen=8 * HOUR),
            ),
            problems=["dead_owner"], says=["invoices, said to run by old, last seen 8 h ago"],
        ),
        "a session that was there before the scheduler holds the lock": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 40 * DAY, "quiet_seconds": 9.0 * DAY}]
            ),
            problems=["dead_owner"],
            says=["the lock, held by process 77 of the database (scheduler from 10.0.0.9, connected for 40 d)"],
        ),
        # A manager that tells whole seconds: it began in the course of one, and its session at the end of that.
        "its own session, of its first second, holds the lock, and it hangs": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 30 * DAY + 0.5, "quiet_seconds": 9.0}]
            ),
            running(uptime_seconds=30 * DAY, started_at_seconds=NOW - 30 * DAY - 1), problems=["scheduler_hangs"], **RESTARTED,
        ),
        "its manager was asked before the database, and its own session holds the lock": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 30 * DAY - 0.2, "quiet_seconds": 9.0}]
            ),
            running(uptime_seconds=30 * DAY - 3, started_at_seconds=NOW - 30 * DAY), problems=["scheduler_hangs"], **RESTARTED,
        ),
        "its manager has a clock of its own, an hour off, and a session older than what runs holds the lock": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 30 * DAY + 60, "quiet_seconds": 9.0}]
            ),
            running(uptime_seconds=30 * DAY, started_at_seconds=NOW - 30 * DAY - HOUR), problems=["dead_owner"],
        ),
        "its manager has a clock of its own, an hour off, and its own session holds the lock": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 30 * DAY - 2, "quiet_seconds": 9.0}]
            ),
            running(uptime_seconds=30 * DAY, started_at_seconds=NOW - 30 * DAY + HOUR), problems=["scheduler_hangs"], **RESTARTED,
        ),
        "a session of a second before the scheduler holds the lock": of(
            schedule(
                digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 30 * DAY + 1, "quiet_seconds": 9.0}]
            ),
            running(uptime_seconds=30 * DAY, started_at_seconds=NOW - 30 * DAY), unknown=["dead_owner", "job_missed", "scheduler_hangs"],
        ),
        "its own session holds the lock, and it hangs": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": 29 * DAY, "quiet_seconds": 9.0}]),
            problems=["scheduler_hangs"], **RESTARTED,
        ),
        "who holds the lock is not told": of(
            schedule(digest(**LATE_DIGEST), invoices(**LATE_INVOICES), held=[{**HOLDER, "age_seconds": None, "quiet_seconds": None}]),
            unknown=None,
        ),
        "two schedulers": of(
            schedule(digest(), invoices(), begun=starts("digest", 300, 301, 900, 902, 1500, owners=("a", "b"))),
            problems=["second_scheduler"], says=["digest 2 times, by a and b"],
        ),
        # Clocks and zones.
        "a clock that is an hour off": of(
            schedule(digest(), invoices(**LATE_INVOICES), clock=3600.0), problems=["clock_off"],
            says=["the clock of this host is 60 min before that of the database of app"],
        ),
        "a scheduler whose clock is an hour before": of(
            schedule(digest(started=-55 * MINUTE, succeeded=-54 * MINUTE), invoices()), problems=["clock_off"],
            says=["digest was started 55 min in the future"],
        ),
        "in another time zone": of(
            schedule(
                digest(), invoices(started=9.5 * HOUR),
                begun=[*starts("invoices", 9.5 * HOUR, 33.5 * HOUR), *starts("digest", 300, 900)],
            ),
            problems=["wrong_time_zone"], says=["invoices +1 h from 30 2 * * * in Europe/Berlin"],
        ),
        "in another time zone, and late by it": of(
            schedule(
                digest(), invoices(schedule="30 12 * * *", started=23.5 * HOUR, succeeded=23.4 * HOUR),
                begun=[*starts("invoices", 23.5 * HOUR, 47.5 * HOUR), *starts("digest", 300, 900)],
            ),
            problems=["wrong_time_zone"],
        ),
        "a clock that is an hour off is no other time zone": of(
            schedule(digest(), invoices(started=9.5 * HOUR), begun=starts("invoices", 9.5 * HOUR, 33.5 * HOUR), clock=-3600.0),
            problems=["clock_off"],
        ),
        # pg_cron.
        "pg_cron, in time": of(
            cron(NIGHTLY, MINUTELY, runs=[run(1, 9.5 * HOUR), run(2, 20), run(2, 80)]), given=PG_CRON,
            says=["nightly started 10 h ago, due 10 h ago by 30 2 * * * (GMT); job 2 started 20 s ago"],
        ),
        "pg_cron does not run": of(
            cron(NIGHTLY, MINUTELY, runs=[run(1, 9.5 * HOUR), run(2, 20 * MINUTE)], launcher=False), given=PG_CRON,
            problems=["scheduler_down"], why_not="pg_cron is a part of the database",
        ),
        "pg_cron fails": of(
            cron(NIGHTLY, MINUTELY, runs=[run(1, 9.5 * HOUR), *(run(2, 20 + 60 * n, "failed", "ERROR: permission denied") for n in range(5))]),
            given=PG_CRON, problems=["job_fails"], says=["job 2 is started and fails again and again: ERROR: permission denied"],
        ),
        "pg_cron shows only its own": of(
            cron(MINUTELY, runs=[run(2, 20), run(2, 80)], hidden=True), given=PG_CRON, unknown=NOT_ALL_IS_SEEN
        ),
        # Dead letters.
        "few letters are dead": of(schedule(digest(), invoices()), variables=QUEUES, more=letters(dead=9)),
        "many letters are dead": of(
            schedule(digest(), invoices()), variables=QUEUES, problems=["dead_letters"], acts=["replay"], risk="medium",
            more=letters(dead=40, errors=[{"text": "550 no mailbox", "count": 40, "names": ["mail"]}]),
            says=["40 dead letters in mail: 40 times 550 no mailbox"],
        ),
        "many letters are dead, and the engine cannot replay": of(
            schedule(digest(), invoices()), variables={**QUEUES, "system_queues": {"mail": {"engine": "sidekiq", "queue": "mail"}}},
            problems=["dead_letters"], more=letters(dead=40), why_not="queue mail: the engine sidekiq has no replay",
        ),
        "many letters are dead in two queues, and the engine of the second one cannot replay": of(
            schedule(digest(), invoices()), problems=["dead_letters"], more=letters("mail", "push", dead=40),
            variables={"job_scheduler_queues": ["mail", "push"], "system_queues": {**SYSTEM["system_queues"], "push": {"engine": "sidekiq"}}},
            why_not="queue push: the engine sidekiq has no replay",
        ),
        "how many letters are dead is not told": of(
            schedule(digest(), invoices()), variables=QUEUES, more=letters(), unknown=["dead_letters"]
        ),
        # What is asked.
        "one of two schedules has no job": Case(
            two_schedules(schedule(digest(), invoices()), schedule(given={**APP, "jobs": []})), variables={"system_schedules": TWO},
            nothing_shows=["in_time"],
        ),
        "a schedule to look at that is not there": of(
            schedule(digest(), invoices()), variables={"job_scheduler_schedules": ["app", "nightly"]}, nothing_shows=["named"]
        ),
        "a queue to look at that is not there": of(
            schedule(digest(), invoices()), variables={"job_scheduler_queues": ["mail", "mial"]}, more=letters(dead=0), nothing_shows=["named"]
        ),
        "a job whose name is long": of(
            schedule(digest(), {**invoices(), "name": "i" * 150}, given={**APP, "jobs": ["digest", "i" * 150]}),
            given={**APP, "jobs": ["digest", "i" * 150]},
        ),
        "nothing is seen": Case(UNSEEN, unknown=None),
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("now", "started", "late"),
    [
        # 2026-03-29 in Berlin has no 2:30. Debian's cron starts such a job at 3:00, others not at all: none of them is late.
        ("2026-03-29T09:00:00+00:00", "2026-03-28T01:30:00+00:00", False),
        ("2026-03-29T09:00:00+00:00", "2026-03-29T01:00:01+00:00", False),
        # From the next day on it is at another hour of UTC.
        ("2026-03-30T09:00:00+00:00", "2026-03-30T00:30:00+00:00", False),
        ("2026-03-30T09:00:00+00:00", "2026-03-28T01:30:00+00:00", True),
        # 2026-10-25 has 2:30 twice, at 0:30 and at 1:30 of UTC. A start at the first is in time, and so is one at the second.
        ("2026-10-25T00:50:00+00:00", "2026-10-24T00:30:00+00:00", False),
        ("2026-10-25T02:00:00+00:00", "2026-10-25T00:30:00+00:00", False),
        ("2026-10-25T02:00:00+00:00", "2026-10-25T01:30:00+00:00", False),
        ("2026-10-25T02:00:00+00:00", "2026-10-24T00:30:00+00:00", True),
    ],
)
def test_the_nights_in_which_clocks_change(now, started, late):
    at = own_table.age(now, 0) * -1
    row = {"name": "invoices", "schedule": "30 2 * * *", "time_zone": "Europe/Berlin", "last_started_at": started}
    other = {"name": "digest", "period_seconds": 600, "last_started_at": at - 60}
    app = {**told(own_table.answer([row, other], None, None, APP, at), "table"), "now_seconds": at}
    result = diagnose("job_scheduler", look(app), **SYSTEM)
    assert result["status"] == ("problem" if late else "healthy"), result["msg"]


def test_one_start_that_is_an_hour_off_shows_no_time_zone():
    late = schedule(
        digest(), invoices(started=9.5 * HOUR), begun=[*starts("invoices", 9.5 * HOUR), *starts("digest", 300)]
    )
    result = diagnose("job_scheduler", look(late), **SYSTEM)
    assert [row["shown"] for row in result["health"] if row["name"] == "time_zone"] == [False]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[in time]"
WRONG_CAUSE_ROW = "test_concluded[one job is late]"
NO_TELEMETRY_ROW = "test_concluded[nothing is seen]"

"""What was measured -> what must be concluded, for every cause of the runbook crash_loop."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.crashes import crash_loops
from ansible_collections.oncall.runbooks.tests.support.observed_services import (
    concluded,
    crashing,
    observed,
    running,
    unseen,
)

COMPOSE = {"manager": "compose", "project": "/srv/app"}
SYSTEM = {
    "system_services": {"api": COMPOSE, "database": {**COMPOSE, "name": "db"}, "redis": COMPOSE},
    "system_database": {"name": "app", "service": "database"},
    "system_redis": {"service": "redis"},
}
WELL = {"api": running(), "database": running(), "redis": running()}
ENDED = {"state": "exited", "restarts": 0, "restarts_per_hour": 0, "restart_policy": "no"}
NEEDS = [{"service": "db", "condition": "service_healthy", "state": "running", "health": "healthy"}]


def again(seconds: float, restarts: int, uptime: float, **changes: Any) -> dict[str, Any]:
    """One that runs at the moment, and was started again every so many seconds."""
    times = [1000.0 + seconds * number for number in range(restarts)]
    more = {"restarts": restarts, "restarts_per_hour": restarts, "restart_times": times, "uptime_seconds": uptime}
    return running(**{**more, **changes})


MEASURED_CONCLUDED = {
    # name: (services that differ, status, problems, available remedies, handed over to)
    "nothing": ({}, "healthy", [], [], []),
    "restarted again and again, no reason named": (
        {"api": crashing("starting", "bye")}, "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "a segmentation fault": (
        {"api": crashing(exit_code=139, exit_meaning="139 = 128 + 11, SIGSEGV: a segmentation fault")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "it was started a moment ago, and nobody counts how often": (
        {"api": running(manager="supervisor", restarts=None, restarts_per_hour=None, restart_times=None, uptime_seconds=1)},
        "unknown", [], [], [],
    ),
    "nobody counts, and it runs for long": (
        {"api": running(manager="supervisor", restarts=None, restarts_per_hour=None, restart_times=None)}, "healthy", [], [], [],
    ),
    "it ends without an error, and its policy starts it again": (
        {"api": crashing("done", exit_code=0, exit_meaning="")}, "problem", ["ends_without_error"], [], [],
    ),
    "it ends without an error, and runs at the moment": (
        {"api": again(20, 6, 12, exit_code=0)}, "problem", ["ends_without_error"], [], [],
    ),
    "it says that its port is taken, and ends without an error": (
        {"api": crashing("listen EADDRINUSE: Address already in use 0.0.0.0:8080", exit_code=0)},
        "problem", ["port_in_use"], [], ["port_conflict"],
    ),
    "killed for want of memory": (
        {"api": crashing(exit_code=137, oom_killed=True)}, "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "killed for want of memory, and nothing starts it": (
        {"api": crashing(exit_code=137, oom_killed=True, **ENDED)},
        "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "memory counts for more than a line in the log": (
        {"api": crashing("missing required environment variable DATABASE_URL", oom_killed=True)},
        "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "port in use": (
        {"api": crashing("CRITICAL cannot start: listen EADDRINUSE: Address already in use 0.0.0.0:8080")},
        "problem", ["port_in_use"], [], ["port_conflict"],
    ),
    "port in use outside of the container": (
        {"api": crashing(state="created", error="driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated")},
        "problem", ["port_in_use"], [], ["port_conflict"],
    ),
    "missing variable": (
        {"api": crashing("CRITICAL cannot start: missing required environment variable DATABASE_URL")},
        "problem", ["missing_variable"], [], [],
    ),
    "missing variable, while a dependency is down": (
        {"api": crashing("KeyError: 'REDIS_URL'"), "redis": running(state="exited", stopped_by_person=True)},
        "problem", ["missing_variable"], [], [],
    ),
    "failing migration": (
        {"api": crashing("CRITICAL migration failed, cannot start", "psycopg.errors.UndefinedTable: no table")},
        "problem", ["migration_failed"], [], [],
    ),
    "a migration that failed in another life": (
        {"api": crashing("2026-01-01T10:00:00Z migration failed", "2026-01-01 10:30:00,123 INFO started")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "a migration that failed just now": (
        {"api": crashing("2026-01-01T10:29:10Z migration failed", "no time", "2026-01-01 10:30:00,123 INFO started")},
        "problem", ["migration_failed"], [], [],
    ),
    "program not found": (
        {"api": crashing(state="created", exit_code=127, error='exec: "run": executable file not found in $PATH')},
        "problem", ["image_broken"], [], [],
    ),
    "its database is stopped": (
        {
            "api": crashing("could not connect to server", depends_on=NEEDS),
            "database": running(state="exited", exit_code=0, stopped_by_person=True, health=None),
        },
        "problem", ["dependency_down"], [], [],
    ),
    "its database is unhealthy": (
        {"api": crashing(depends_on=NEEDS), "database": running(health="unhealthy")},
        "problem", ["dependency_down"], [], [],
    ),
    "its database crashes too: that comes first": (
        {"api": crashing(depends_on=NEEDS), "database": crashing("PANIC: could not locate a valid checkpoint record")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "a supervised program that its manager gave up on": (
        {"api": crashing(state="fatal", restarts=None, restarts_per_hour=None)},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "runs at the moment, and crashes every 20 s": (
        {"api": again(20, 6, 12)}, "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "runs for a minute, and crashes every two": (
        {"api": again(120, 6, 60)}, "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "crashed often, and runs for long since": ({"api": again(20, 6, 1200)}, "healthy", [], [], []),
    "crashed often, and runs for three times as long as it did": ({"api": again(20, 6, 61)}, "healthy", [], [], []),
    # An engine that remembers one restart of the last hour has not shown that there were no others.
    "many restarts, and of the last hour only one is remembered": (
        {"api": again(20, 6, 40, restarts_per_hour=1, restart_times=[1000.0])}, "unknown", [], [], [],
    ),
    "many restarts, and when is forgotten": (
        {"api": again(45, 9, 40, restart_times=[])}, "unknown", [], [], [],
    ),
    "many restarts in its life, and when is forgotten": (
        {"api": again(45, 9, 40, restarts_per_hour=None, restart_times=[])}, "unknown", [], [], [],
    ),
    "two restarts remembered of many": (
        {"api": again(45, 9, 40, restart_times=[1000.0, 1045.0])}, "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "two restarts remembered of many, in an hour that is not": (
        {"api": again(45, 9, 40, restarts_per_hour=2, restart_times=[1000.0, 1045.0])}, "unknown", [], [], [],
    ),
    "many restarts that are forgotten, and it runs for longer than a loop lets it": (
        {"api": again(45, 9, 1300, restart_times=[])}, "healthy", [], [], [],
    ),
    "few restarts that are forgotten": ({"api": again(45, 2, 40, restart_times=[])}, "healthy", [], [], []),
    "a migration went well": (
        {"api": crashing("INFO database migrations: 14 applied, 0 failed", "bye")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "a variable is missing that it can do without": (
        {
            "api": crashing(
                "WARN environment variable SENTRY_DSN not set, error reporting is off", "CRITICAL migration failed, cannot start"
            )
        },
        "problem", ["migration_failed"], [], [],
    ),
    "the last line that says why counts": (
        {"api": crashing("KeyError: 'OLD_NAME'", "CRITICAL migration failed", "CRITICAL missing required environment variable DB_URL")},
        "problem", ["missing_variable"], [], [],
    ),
    "what its engine says counts for more than its log": (
        {"api": crashing("KeyError: 'OLD_NAME'", state="exited", error="Bind for 0.0.0.0:8080 failed: port is already allocated")},
        "problem", ["port_in_use"], [], ["port_conflict"],
    ),
    "crashed once, long ago": ({"api": again(0, 1, 9000)}, "healthy", [], [], []),
    "crashed once, just now: too early": ({"api": again(0, 1, 5)}, "problem", ["restarted_lately"], [], []),
    "stopped by a person": (
        {"api": running(state="exited", exit_code=143, stopped_by_person=True)}, "healthy", [], [], [],
    ),
    "stopped by a person, after a child of it was killed for want of memory": (
        {"api": running(state="exited", exit_code=0, stopped_by_person=True, oom_killed=True)}, "healthy", [], [], [],
    ),
    "a person stopped it and could not start it again": (
        {"api": crashing(state="exited", stopped_by_person=True, error="Bind for 0.0.0.0:8080 failed: port is already allocated")},
        "problem", ["port_in_use"], [], ["port_conflict"],
    ),
    "its disk is full": (
        {"api": crashing("starting", "Error: ENOSPC: no space left on device, write")}, "problem", ["no_room"], [], ["disk_full"],
    ),
    "its engine finds no room to start it": (
        {"api": crashing("all is well", state="exited", error="failed to create task: mkdir /run/x: no space left on device")},
        "problem", ["no_room"], [], ["disk_full"],
    ),
    "its shared memory is full": (
        {"api": crashing('FATAL:  could not resize shared memory segment "/PostgreSQL.4" to 26976 bytes: No space left on device')},
        "problem", ["no_room"], [], ["disk_full"],
    ),
    "a statement found no room, and it ends for another reason": (
        {"api": crashing('ERROR:  could not extend file "base/5/1": No space left on device', "PANIC:  could not locate a checkpoint")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "it warned that a disk is full, and ends for another reason": (
        {"api": crashing("WARNING no space left on device, keeping it in memory", "bye")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "one replica crashes, and a person stopped the other": (
        {
            "api": running(
                state="exited", exit_code=0, stopped_by_person=True,
                containers=[
                    running(state="exited", exit_code=0, stopped_by_person=True, restarts=0),
                    again(20, 6, 12, log_tail=["missing required environment variable DATABASE_URL"]),
                ],
            )
        },
        "problem", ["missing_variable"], [], [],
    ),
    "a signal ended it, and its manager leaves it so": (
        {"api": crashing(state="exited", exit_code=None, signal="SIGSEGV", restarts=None)},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "somebody kills it, and its log tells of a life before": (
        {"api": crashing("missing required environment variable DATABASE_URL", exit_code=None, signal="SIGKILL")},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "somebody kills it, as an engine tells it": (
        {"api": crashing("listen EADDRINUSE: Address already in use 0.0.0.0:8080", exit_code=137)},
        "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "ended, and how is not known": (
        {"api": crashing(state="exited", exit_code=None, signal=None, restarts=None)}, "unknown", [], [], [],
    ),
    "failed with what a program ends with that was told to": (
        {"api": crashing(state="fatal", exit_code=143, stopped_by_person=None)}, "unknown", [], [], [],
    ),
    "what it does is not known": ({"api": running(state="unknown")}, "unknown", [], [], []),
    "done: a job that ended well": ({"api": running(state="exited", exit_code=0, stopped_by_person=None)}, "healthy", [], [], []),
    "ended, by whom cannot be told": (
        {"api": running(state="exited", exit_code=143, stopped_by_person=None)}, "unknown", [], [], [],
    ),
    "something else: slow, not crashing": ({"api": running(cpu_ratio=0.99)}, "healthy", [], [], []),
    "it runs, and its health check fails": ({"api": running(health="unhealthy")}, "problem", ["does_not_answer"], [], []),
    "one ends again and again, so that the health check of another fails": (
        {"redis": crashing("bye"), "api": running(health="unhealthy")}, "problem", ["unexplained"], ["clean_restart"], [],
    ),
    "one cannot be seen": ({"redis": unseen()}, "unknown", [], [], []),
    "none can be seen": (dict.fromkeys(WELL, unseen()), "unknown", [], [], []),
    "its log cannot be read": ({"api": crashing(log_tail=None)}, "unknown", [], [], []),
}  # fmt: skip


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED)
def test_concluded(diagnose, measured):
    changes, *expected = MEASURED_CONCLUDED[measured]
    result = diagnose("crash_loop", {"service": observed({**WELL, **changes})}, **SYSTEM)
    assert list(concluded(result)) == expected


def test_a_service_that_is_named_and_not_in_the_inventory_is_not_well(diagnose):
    for name, status, words in (("api", "healthy", "1 of 1 services run"), ("apj", "unknown", "there is no apj")):
        result = diagnose(
            "crash_loop", {"service": observed({"api": WELL["api"]})}, **SYSTEM, crash_loop_services=["api", name]
        )
        assert result["status"] == status and words in result["msg"], result["msg"]


SILENT = {
    "available": True,
    "ok": False,
    "error": "timeout",
    "reason": "GET http://h/ready: no complete answer within 5 s",
}
STALE = {
    "available": True,
    "ok": False,
    "error": "bad_status",
    "reason": "GET http://h/ready answers 503, expected was 200 to 299",
}
FINE = {"available": True, "ok": True, "error": "", "reason": ""}
DARK = {"available": False, "ok": None, "error": "dns", "reason": "h has no address"}


@pytest.mark.parametrize(
    ("changes", "answers", "status", "words"),
    [
        ({}, {"worker": FINE, "api": FINE}, "healthy", ["4 of 4 services run"]),
        # A worker that does no round any more, and a process that is stopped, run for their manager.
        ({}, {"worker": STALE}, "problem", ["worker (GET http://h/ready answers 503"]),
        ({}, {"worker": SILENT, "api": STALE}, "problem", ["worker (GET", "api (GET"]),
        # A name of one's own is no service, and is what does not work.
        ({}, {"queue": STALE}, "problem", ["queue (GET"]),
        # It could not be asked: nothing is said of it.
        ({}, {"worker": DARK}, "healthy", ["4 of 4 services run"]),
        # It has just come up, ends again and again or was stopped: it cannot answer.
        ({"worker": again(600, 1, 5)}, {"worker": SILENT}, "problem", ["worker was started again by itself"]),
        (
            {"worker": running(state="exited", exit_code=0, stopped_by_person=True)},
            {"worker": SILENT},
            "healthy",
            ["left alone"],
        ),
    ],
    ids=["well", "a worker stands still", "two", "a name", "not asked", "just started", "stopped"],
)
def test_what_runs_and_does_not_work_is_not_healthy(diagnose, changes, answers, status, words):
    seen = {
        "service": observed({**WELL, "worker": running(), **changes}),
        "http_probe": {
            "available": True, "endpoints": answers, "limits": [],
            "failing": [name for name, answer in answers.items() if answer["ok"] is False],
            "unknown": [name for name, answer in answers.items() if answer["ok"] is None],
        },
    }  # fmt: skip
    system = {**SYSTEM, "system_services": {**SYSTEM["system_services"], "worker": COMPOSE}}
    result = diagnose("crash_loop", seen, **system, crash_loop_ready_urls=dict.fromkeys(answers, "http://h/ready"))
    assert (result["status"], result["plan"]["steps"]) == (status, []), result["msg"]
    assert [word for word in words if word not in result["msg"]] == [], result["msg"]


def finding(result: dict[str, Any], cause: str) -> dict[str, Any]:
    return next(one for one in result["findings"] if one["cause"] == cause)


def test_that_the_manager_cannot_be_reached_is_said_first(diagnose):
    reason = (
        "supervisord (config /etc/supervisord.conf) does not answer at unix:///run/supervisor.sock: Connection refused"
    )
    metrics = {"available": False, "reason": "go_goroutines is not there", "value": {}, "metric": {}}
    seen = {"service": observed(dict.fromkeys(WELL, unseen(reason))), "metrics": metrics}
    result = diagnose("crash_loop", seen, **SYSTEM)
    assert result["status"] == "unknown" and not result["plan"]["steps"]
    assert reason in result["msg"] and "go_goroutines" not in result["msg"].split(reason)[0], result["msg"]


def test_the_missing_variable_is_named(diagnose):
    api = crashing("cannot start: missing required environment variable DATABASE_URL")
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": api})}, **SYSTEM)
    told = finding(result, "missing_variable")
    assert "DATABASE_URL" in told["summary"]
    assert "api is restarting, 7 automatic restarts" in told["summary"]
    assert "1: ended with an error of its own" in told["summary"]


def test_the_port_is_named(diagnose):
    api = crashing("listen EADDRINUSE: Address already in use 0.0.0.0:8080")
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": api})}, **SYSTEM)
    assert "port 8080" in finding(result, "port_in_use")["summary"]


def test_the_dependency_is_named_with_the_runbook_that_owns_it(diagnose):
    api = crashing(depends_on=NEEDS)
    down = running(state="exited", exit_code=0, stopped_by_person=True)
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": api, "database": down})}, **SYSTEM)
    told = finding(result, "dependency_down")
    assert "database (exited)" in told["summary"]
    assert told["advice"][0] == "Run the runbook db_down first."


def test_what_the_inventory_says_about_dependencies_counts(diagnose):
    system = {**SYSTEM, "system_services": {**SYSTEM["system_services"], "api": {**COMPOSE, "depends_on": ["redis"]}}}
    down = running(state="exited", exit_code=0, stopped_by_person=True)
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": crashing(), "redis": down})}, **system)
    assert finding(result, "dependency_down")["advice"][0] == "Run the runbook cache first."


def test_of_two_that_crash_the_one_that_is_needed_comes_first(diagnose):
    api, database = crashing(depends_on=NEEDS, restarts=50), crashing("PANIC")
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": api, "database": database})}, **SYSTEM)
    assert [step["targets"] for step in result["plan"]["steps"]] == [[{"service": "database"}]]
    assert "(and api)" in result["msg"]


OUT_OF_MEMORY = crashing(exit_code=137, oom_killed=True)
NO_VARIABLE = crashing("CRITICAL cannot start: missing required environment variable DATABASE_URL")
PORT = crashing("CRITICAL cannot start: listen EADDRINUSE: Address already in use 0.0.0.0:8080")


@pytest.mark.parametrize(
    ("services", "causes", "acts"),
    [
        ({"api": OUT_OF_MEMORY, "redis": NO_VARIABLE}, {"out_of_memory": "api", "missing_variable": "redis"}, []),
        ({"api": NO_VARIABLE, "redis": OUT_OF_MEMORY}, {"out_of_memory": "redis", "missing_variable": "api"}, []),
        # What nothing explains is restarted, and nothing else is.
        ({"api": PORT, "redis": crashing("bye")}, {"port_in_use": "api", "unexplained": "redis"}, ["redis"]),
        ({"api": crashing("bye"), "redis": crashing(exit_code=0)}, {"ends_without_error": "redis", "unexplained": "api"}, ["api"]),
        # For the same reason: one stands for both.
        ({"api": PORT, "redis": PORT}, {"port_in_use": "api"}, []),
        # It comes back with what it needs.
        ({"api": crashing("bye", depends_on=NEEDS), "database": OUT_OF_MEMORY}, {"out_of_memory": "database"}, []),
        # The log that cannot be read may have said so too: nothing is concluded of what it would have told.
        ({"api": NO_VARIABLE, "redis": crashing(log_tail=None)}, {"missing_variable": "api"}, []),
        ({"api": crashing("bye"), "redis": crashing(log_tail=None)}, {"unexplained": "api"}, ["api"]),
    ],
)  # fmt: skip
def test_two_that_crash_for_different_reasons_are_both_named(diagnose, services, causes, acts):
    result = diagnose("crash_loop", {"service": observed({**WELL, **services})}, **SYSTEM)
    found = {one["cause"]: one["summary"].partition(" ")[0] for one in result["findings"] if one["status"] == "problem"}
    assert found == causes
    planned = [target["service"] for step in result["plan"]["steps"] for target in step["targets"] if step["available"]]
    assert planned == acts
    assert all(name in result["msg"] for name in services)


def test_what_a_person_stopped_is_told(diagnose):
    stopped = running(state="exited", exit_code=0, stopped_by_person=True)
    result = diagnose("crash_loop", {"service": observed({**WELL, "redis": stopped})}, **SYSTEM)
    assert finding(result, "stopped_by_person")["summary"] == "A person stopped redis: left alone"


def test_evidence_has_the_log_before_the_crash(diagnose):
    result = diagnose("crash_loop", {"service": observed({**WELL, "api": crashing("one", "two")})}, **SYSTEM)
    assert result["evidence"]["log_before_the_crash"] == ["one", "two"]
    assert result["evidence"]["services"]["api"]["restarts"] == 7


TAKEN = "failed to bind host port for 127.0.0.1:8080:172.18.0.2:80/tcp: address already in use"
HOST_PORTS = {
    # (what the engine says, the ports published): the port handed over
    (TAKEN, (8080,)): 8080,
    (TAKEN, (9090,)): None,
    ("Bind for 0.0.0.0:8080 failed: port is already allocated", ()): 8080,
    ("no such image: app:2", (8080,)): None,
}


@pytest.mark.parametrize(("error", "published"), HOST_PORTS)
def test_the_port_is_handed_over_with_its_service(diagnose, error, published):
    worker = crashing(state="exited", error=error, ports=[{"host_port": port} for port in published])
    system = {**SYSTEM, "system_services": {**SYSTEM["system_services"], "worker": COMPOSE}}
    result = diagnose("crash_loop", {"service": observed({**WELL, "worker": worker})}, **system)
    expected = {"service": "worker", "port": HOST_PORTS[error, published]}
    assert [one.get("subject") for one in result["findings"] if one["cause"] == "port_in_use"] == [
        None if "image" in error else expected
    ]


LINES_VARIABLES = {
    "KeyError: 'DATABASE_URL'": "DATABASE_URL",
    "Error: environment variable SECRET_KEY_BASE is not set": "SECRET_KEY_BASE",
    "FATAL missing required environment variable: STRIPE_API_KEY": "STRIPE_API_KEY",
    "ValueError: DATABASE_URL must be set": "DATABASE_URL",
    "error: Environment variable not found: DATABASE_URL.": "DATABASE_URL",
    "entrypoint.sh: line 3: DATABASE_URL: unbound variable": "DATABASE_URL",
    "entrypoint.sh: 3: API_TOKEN: parameter not set": "API_TOKEN",
    "INFO DATABASE_URL set to its default": "",
    "INFO GET /orders 200": "",
    "KeyError: 'discount_percent'": "",
    "ERROR relation ORDERS is missing": "",
    "2026-01-01 10:00:00,123 WARNING app: SENTRY_DSN is not set": "",
    '{"level":"warn","msg":"SENTRY_DSN is not set"}': "",
    '{"level":40,"msg":"SENTRY_DSN is not set"}': "",
    'time=now level=info msg="SENTRY_DSN is not set"': "",
    "[warn] SENTRY_DSN is not set": "",
    "warning: SENTRY_DSN is not set": "",
    '{"level":"error","msg":"SENTRY_DSN is not set"}': "SENTRY_DSN",
    "ERROR no INFO: SENTRY_DSN is not set": "SENTRY_DSN",
    "no info about it: SENTRY_DSN is not set": "SENTRY_DSN",
}


@pytest.mark.parametrize("line", LINES_VARIABLES)
def test_variable_in_a_line(line):
    (found,) = crash_loops({"api": crashing(line)}, {}, 3, 30)["looping"]
    assert found["variable"] == LINES_VARIABLES[line]


LINES_MIGRATIONS = {
    "CRITICAL migration failed, cannot start": True,
    "Error: P3009 migrate found failed migrations in the target database": True,
    "FAILED: Can't locate revision identified by 'abc123'": True,
    "error: Dirty database version 16. Fix and force version.": True,
    "INFO applied migration 12": False,
    "database migrations: 14 applied, 0 failed": False,
    "migration done without errors": False,
    "migrations applied=14 failed=0": False,
    "migrations: 3 applied, 10 failed": True,
    "migrations: 3 applied, failed: 1": True,
    "WARN a migration failed and is tried again": False,
}


@pytest.mark.parametrize("line", LINES_MIGRATIONS)
def test_migration_in_a_line(line):
    (found,) = crash_loops({"api": crashing(line)}, {}, 3, 30)["looping"]
    assert bool(found["migration_line"]) is LINES_MIGRATIONS[line]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[nothing]"
WRONG_CAUSE_ROW = "test_concluded[something else: slow, not crashing]"
NO_TELEMETRY_ROW = "test_concluded[none can be seen]"

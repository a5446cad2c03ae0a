"""What was measured -> what must be concluded, for every cause of the runbook db_down."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.readings import db_down
from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are

SYSTEM = {
    "system_services": {
        "db": {"manager": "compose", "project": "/srv/app"},
        "api": {
            "manager": "compose",
            "project": "/srv/app",
            "health_url": "http://127.0.0.1:8080/readyz",
            "depends_on": ["db", "redis"],
        },
        "frontend": {"manager": "compose", "project": "/srv/app", "depends_on": ["api"]},
    },
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {"db_connected": "app_db_connected"},
    "system_database": {"host": "db", "name": "app", "user": "oncall", "password": "s3cret", "service": "db"},
}
RESTARTED = [{"service": "db"}, {"service": "api", "ready_url": "http://127.0.0.1:8080/readyz"}]


def answers(free: int = 60, started: float = 90_000, in_recovery: bool = False) -> dict[str, Any]:
    """What postgres_activity_info tells of a server that answers."""
    return {
        "available": True,
        "server": {"started_seconds": started, "in_recovery": in_recovery},
        "connections": {"used": 97 - free, "max": 100, "usable": 97, "free": free},
        "applications": [],
        "blockers": [],
        "longest": [],
    }


def limited(what: str, idle: int = 0) -> dict[str, Any]:
    """A server that answers, where the database or the role app has reached its limit."""
    found = answers()
    row = {
        "what": what,
        "role": "app" if what == "role" else "",
        "limit": 3,
        "used": 3,
        "idle": idle,
        "here": 3,
        "free": 0,
    }
    return {**found, "connections": {**found["connections"], "limits": [row]}}


def gone(error: str) -> dict[str, Any]:
    return {"available": False, "error": error, "reason": f"PostgreSQL app at db: {error}"}


def service(state: str = "running", health: str | None = "healthy", **changes: Any) -> dict[str, Any]:
    one = {"available": True, "state": state, "health": health if state == "running" else None}
    one.update({"log_tail": ["LOG:  database system is ready"], "stopped_by_person": False})
    one.update({"uptime_seconds": 90_000.0 if state == "running" else None}, **changes)
    return {"available": True, "services": {"db": one}}


def app(connected: float = 1) -> dict[str, Any]:
    return {"available": True, "value": {"connected": connected}}


def access(*barred: tuple[str, str], read_only: bool | None = False, source: str = "default") -> dict[str, Any]:
    """What postgres_access_info tells."""
    return {
        "available": True,
        "barred": [{"role": role, "reason": reason} for role, reason in barred],
        "default_read_only": read_only,
        "default_read_only_source": source,
        "limits": [] if read_only is not None else ["whether others may write is not known"],
    }


def ready(**says: str) -> dict[str, Any]:
    """What http_probe_info tells of the dependants that say yes, no, not ready, fails, silent, not there or refused."""
    endpoints = {}
    for name, said in says.items():
        one = {"available": said != "refused", "ok": said == "yes", "status": None, "error": "", "fields": {}}
        one["reason"] = f"GET http://127.0.0.1:8080/readyz: {said}"
        if said in ("yes", "no"):
            one.update(status=200 if said == "yes" else 503, fields={"db_connected": said == "yes"})
        elif said in ("plain yes", "not ready", "fails", "not there"):
            one.update(status={"plain yes": 200, "not ready": 503, "fails": 500, "not there": 404}[said])
        else:
            one.update(error={"silent": "timeout", "refused": "refused"}[said])
        endpoints[name] = one
    unknown = [name for name, one in endpoints.items() if not one["available"]]
    return {"available": len(unknown) < len(endpoints), "reason": "no endpoint answers", "endpoints": endpoints}


def agreeing(metrics: dict[str, Any]) -> dict[str, Any]:
    """An application whose readiness says what its gauge does."""
    return ready(api={1: "yes", 0: "no", None: "refused"}[metrics["value"].get("connected")])


NO_METRICS = {"available": False, "reason": "http://127.0.0.1:8080/metrics: connection refused", "value": {}}
NO_SERVICE = {
    "available": False,
    "reason": "the Docker engine does not answer",
    "services": {"db": {"available": False, "reason": "the Docker engine does not answer"}},
}
SHARED_MEMORY = (
    '{}:  could not resize shared memory segment "/PostgreSQL.1276397638" to 4194304 bytes: No space left on device'
)
NO_SPACE = ['PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device']


def conclude(diagnose, metrics, database, state, asked=None, told=None, **variables):
    observed = {"metrics": metrics, "postgres_activity": database, "service": state}
    observed["http_probe"] = asked or agreeing(metrics)
    observed["postgres_access"] = told or (access() if database["available"] else database)
    return diagnose("db_down", observed, **{**SYSTEM, **variables})


def remedies(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["remedy"], step["risk"]) for step in result["plan"]["steps"] if step["available"]]


RESTART = [("restart_database", "medium")]
WAIT = [("wait_until_ready", "low")]
MEASURED_CONCLUDED = {
    # name: (application, database, service, problems, available remedies with their risk, words of the message)
    "nothing": (app(), answers(), service(), [], [], ""),
    "no health check": (app(), answers(), service(health="none"), [], [], ""),
    "unhealthy, and it answers": (
        app(),
        answers(),
        service(health="unhealthy", health_output="no pg_isready"),
        ["health_check_fails"],
        [],
        "no pg_isready",
    ),
    "its service cannot be seen, and it answers": (app(), answers(), NO_SERVICE, [], [], ""),
    "a standby": (app(), answers(in_recovery=True), service(), ["standby"], [], "takes no writes"),
    "a standby, and the application gave up": (app(0), answers(in_recovery=True), service(), ["standby"], [], ""),
    "exited": (app(0), gone("refused"), service("exited"), ["database_down"], RESTART, "exited"),
    "exited, seen through its container": (
        app(0),
        gone("no_engine"),
        service("exited"),
        ["database_down"],
        RESTART,
        "",
    ),
    "exited, and its name with it": (app(0), gone("name_resolution"), service("dead"), ["database_down"], RESTART, ""),
    "exited, and the application with it": (
        NO_METRICS,
        gone("refused"),
        service("exited", exit_meaning="ended by SIGKILL", oom_killed=True, log_tail=None),
        ["database_down"],
        RESTART,
        "want of memory",
    ),
    "given up by its manager": (app(0), gone("refused"), service("fatal"), ["database_down"], RESTART, ""),
    "the container is gone": (
        app(0),
        gone("no_engine"),
        service("absent"),
        ["database_down"],
        [("restart_database", "high")],
        "absent",
    ),
    "a statement found no room long ago, and it is down now": (
        app(0),
        gone("refused"),
        service(
            "exited",
            log_tail=['ERROR:  could not resize shared memory segment "/PostgreSQL.7": No space left on device'],
        ),
        ["database_down"],
        RESTART,
        "",
    ),
    "it found no room to start": (
        app(0),
        gone("refused"),
        service(
            "exited", log_tail=["mkdir: cannot create directory '/var/lib/postgresql/data': No space left on device"]
        ),
        ["disk_full"],
        [],
        "disk is full",
    ),
    "it found no room in shared memory to start": (
        app(0),
        gone("refused"),
        service("exited", log_tail=[SHARED_MEMORY.format("FATAL")]),
        ["no_shared_memory"],
        [],
        "/dev/shm",
    ),
    "it finds no room in shared memory, again and again": (
        app(0),
        gone("refused"),
        service("restarting", log_tail=[SHARED_MEMORY.format("FATAL")]),
        ["no_shared_memory"],
        [],
        "",
    ),
    "it answers, and says that it has no room in shared memory": (
        app(),
        gone("no_shared_memory"),
        service(),
        ["no_shared_memory"],
        [],
        "",
    ),
    "it answers, and statements find no room in shared memory": (
        app(),
        answers(),
        service(log_tail=[SHARED_MEMORY.format("ERROR")]),
        ["short_of_shared_memory"],
        [],
        "whatever room its disk has",
    ),
    "nobody knows whether a person did it": (
        app(0),
        gone("refused"),
        service("exited", stopped_by_person=None),
        ["database_down"],
        RESTART,
        "",
    ),
    "it ended as one does that was told to, and the engine has forgotten by whom": (
        app(0),
        gone("refused"),
        service("stopped", stopped_by_person=None, exit_code=0),
        ["database_down"],
        [("restart_database", "high")],
        "",
    ),
    "it is being stopped": (app(0), gone("starting_up"), service("stopped"), ["starting_up"], WAIT, ""),
    "a person stopped it": (
        app(0),
        gone("refused"),
        service("exited", stopped_by_person=True),
        ["stopped_by_person"],
        [("restart_database", "high")],
        "",
    ),
    "killed, and by nobody that the engine knows of": (
        app(0),
        gone("refused"),
        service("exited", stopped_by_person=False, exit_code=137, signal="SIGKILL"),
        ["database_down"],
        RESTART,
        "",
    ),
    "started again and again": (app(0), gone("refused"), service("restarting"), ["crash_loop"], [], ""),
    "started again and again, and it runs in the moment of the look": (
        app(0),
        gone("refused"),
        service(restarts=5, restarts_per_hour=5, uptime_seconds=2.0),
        ["crash_loop"],
        [],
        "again and again",
    ),
    "started again and again, and it recovers in the moment of the look": (
        app(0),
        gone("starting_up"),
        service(restarts=5, restarts_per_hour=5, uptime_seconds=2.0),
        ["crash_loop"],
        [],
        "",
    ),
    "started again twice, and it recovers": (
        app(0),
        gone("starting_up"),
        service(restarts=2, restarts_per_hour=2, uptime_seconds=2.0),
        ["starting_up"],
        WAIT,
        "",
    ),
    "it hangs, and was restarted often a day ago": (
        app(0),
        gone("timeout"),
        service(health="unhealthy", restarts=5, restarts_per_hour=0),
        ["hangs"],
        RESTART,
        "",
    ),
    "no room to write": (app(0), gone("refused"), service("exited", log_tail=NO_SPACE), ["disk_full"], [], ""),
    "no room, again and again": (
        app(0),
        gone("refused"),
        service("restarting", log_tail=NO_SPACE),
        ["disk_full"],
        [],
        "",
    ),
    "no room, as it says itself": (app(0), gone("disk_full"), service(), ["disk_full"], [], ""),
    "no room, a while ago": (app(), answers(), service(log_tail=NO_SPACE), [], [], ""),
    "paused": (app(0), gone("timeout"), service("paused"), ["paused"], [], ""),
    "every connection is taken": (app(0), gone("too_many_connections"), service(), ["too_many_connections"], [], ""),
    "a pooler answers": (app(), gone("pooler_full"), service(), ["pooler_answers"], [], "A pooler answers"),
    "a pooler has no server": (app(0), gone("pooler_without_server"), service(), ["pooler_answers"], [], ""),
    "a pooler answers for a server that has ended": (
        app(0),
        gone("pooler_without_server"),
        service("exited"),
        ["database_down"],
        RESTART,
        "",
    ),
    "the database's limit": (app(0), gone("database_limit"), service(), ["database_limit"], [], ""),
    "the database's limit is reached": (app(), limited("database"), service(), ["database_limit"], [], "all of its 3"),
    "the role's limit, all at work": (app(), limited("role"), service(), ["role_limit_used_up"], [], "the role app"),
    "the role's limit, some idle": (app(), limited("role", idle=1), service(), [], [], "nobody else can log in"),
    "only reserved ones are left": (app(), answers(free=0), service(), ["too_many_connections"], [], "97 of 97"),
    "recovery": (app(0), gone("starting_up"), service(), ["starting_up"], WAIT, ""),
    "recovery, and its health check fails": (
        app(0),
        gone("starting_up"),
        service(health="unhealthy"),
        ["starting_up"],
        WAIT,
        "",
    ),
    "the container just started": (app(0), gone("refused"), service(health="starting"), ["starting_up"], WAIT, ""),
    "the process just started": (app(0), gone("refused"), service("starting"), ["starting_up"], WAIT, ""),
    "started a moment ago, without a health check": (
        app(0),
        gone("refused"),
        service(health="none", uptime_seconds=0.5),
        ["starting_up"],
        WAIT,
        "",
    ),
    "hangs": (app(0), gone("timeout"), service(health="unhealthy"), ["hangs"], RESTART, "its health check fails"),
    "hangs, without a health check": (app(0), gone("timeout"), service(health="none"), ["hangs"], RESTART, ""),
    "hangs, under another manager": (app(0), gone("timeout"), service(health=None), ["hangs"], RESTART, ""),
    "no answer, and nobody else says so": (
        NO_METRICS,
        gone("timeout"),
        service(health=None),
        ["hangs"],
        [("restart_database", "high")],
        "",
    ),
    "does not listen, unhealthy": (app(0), gone("refused"), service(health="unhealthy"), ["hangs"], RESTART, ""),
    "healthy, but not reached": (app(0), gone("timeout"), service(), ["not_reached_from_here"], [], ""),
    "no answer here, but the application has it": (
        app(),
        gone("timeout"),
        service(health=None),
        ["not_reached_from_here"],
        [],
        "",
    ),
    "another port": (app(0), gone("refused"), service(health=None), ["not_reached_from_here"], [], ""),
    "wrong password": (app(0), gone("credentials"), service(), ["credentials"], [], "the role oncall"),
    "dropped": (app(0), gone("no_database"), service(), ["not_there"], [], ""),
    "its own connections are used up": (app(0), gone("role_limit"), service(), ["credentials"], [], "the role oncall"),
    "no right to see": (app(), gone("not_allowed"), service(), ["not_there"], [], ""),
    "slow": (app(), gone("statement_timeout"), service(), ["too_busy"], [], ""),
    "back for a moment": (
        app(0),
        answers(started=3),
        service(),
        ["reconnecting"],
        [("wait_until_reconnected", "low")],
        "started 3 s ago, and api has not connected again yet",
    ),
    "back, and the application is not": (
        app(0),
        answers(started=60),
        service(),
        ["application_not_reconnected"],
        [("restart_dependant", "medium")],
        "",
    ),
    "every connection is taken from the application": (
        app(0),
        answers(free=0),
        service(),
        ["too_many_connections"],
        [],
        "",
    ),
}


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED.values(), ids=MEASURED_CONCLUDED)
def test_measured_concluded(diagnose, measured):
    metrics, database, state, problems, expected, words = measured
    result = conclude(diagnose, metrics, database, state)
    assert causes_that_are(result, "problem") == problems, result["findings"]
    assert remedies(result) == expected
    assert result["status"] == ("problem" if problems else "healthy")
    assert words in result["msg"]
    assert "not available:" not in result["msg"]
    assert "s3cret" not in str(result)


HERE = {**SYSTEM["system_database"], "host": "127.0.0.1"}


def by_command(state: str) -> dict[str, Any]:
    """What a status command says, for example pg_isready --quiet: 0 or not."""
    unknown = {"log_tail": None, "stopped_by_person": None, "uptime_seconds": None}
    return service(state, None, manager="command", exit_code=0 if state == "running" else 2, **unknown)


@pytest.mark.parametrize(
    ("metrics", "error", "state", "place", "problems", "planned"),
    [
        # Nothing listens, and its status command says so too.
        (app(0), "refused", "stopped", HERE, ["database_down"], ["restart_database"]),
        # It takes the connection and gives no answer, while it serves those who are connected.
        (app(), "timeout", "stopped", HERE, ["logins_hang"], []),
        # It serves nobody.
        (app(0), "timeout", "stopped", HERE, ["hangs"], ["restart_database"]),
        # Its own status command gets in: what hangs is the way, or a pooler that answers there.
        (app(0), "timeout", "running", HERE, ["not_reached_from_here"], []),
        # It answers, though not as was asked: it runs.
        (app(), "credentials", "stopped", HERE, ["credentials"], []),
        (app(), "too_many_connections", "stopped", HERE, ["too_many_connections"], []),
    ],
)
def test_a_status_command_that_fails_is_no_proof_that_nothing_runs(
    diagnose, metrics, error, state, place, problems, planned
):
    result = conclude(diagnose, metrics, gone(error), by_command(state), system_database=place)
    assert (causes_that_are(result, "problem"), [step["remedy"] for step in result["plan"]["steps"]]) == (
        problems,
        planned,
    )


def test_over_a_network_the_connection_may_be_held_up_on_its_way(diagnose):
    result = conclude(diagnose, app(0), gone("timeout"), by_command("stopped"))
    assert (causes_that_are(result, "problem"), result["plan"]["steps"]) == ([], []), result["msg"]
    assert result["status"] == "unknown"


MISSING = {
    # name: (application, database, service, unknown causes among)
    "no application": (NO_METRICS, answers(), service(), {"application_not_reconnected"}),
    "no driver": (app(), gone("no_driver"), service(), {"hangs", "starting_up", "credentials"}),
    "no such host": (app(0), gone("name_resolution"), service(), {"hangs", "starting_up"}),
    "an odd answer": (app(0), gone("other"), service(), {"hangs", "starting_up"}),
    "refused, and nobody knows the service": (app(0), gone("refused"), NO_SERVICE, {"database_down", "hangs"}),
    "a hang, and nobody knows the service": (app(0), gone("timeout"), NO_SERVICE, {"database_down", "hangs"}),
    "nothing at all": (NO_METRICS, gone("no_engine"), NO_SERVICE, {"database_down", "hangs"}),
}


@pytest.mark.parametrize("measured", MISSING.values(), ids=MISSING)
def test_what_could_not_be_measured_is_unknown_and_starts_nothing(diagnose, measured):
    metrics, database, state, unknown = measured
    result = conclude(diagnose, metrics, database, state)
    assert causes_that_are(result, "problem") == []
    assert unknown <= set(causes_that_are(result, "unknown"))
    assert (result["status"], remedies(result)) == ("unknown", [])


def test_the_plan_names_all_that_may_be_restarted(diagnose):
    (step,) = conclude(diagnose, app(0), gone("refused"), service("exited"))["plan"]["steps"]
    assert step["targets"] == RESTARTED
    named = {"worker": "http://127.0.0.1:9/ready"}
    (step,) = conclude(diagnose, app(0), gone("refused"), service("exited"), db_down_dependants=named)["plan"]["steps"]
    assert step["targets"] == [{"service": "db"}, {"service": "worker", "ready_url": "http://127.0.0.1:9/ready"}]


HOSTED = {**SYSTEM, "system_services": {"api": SYSTEM["system_services"]["api"]}}
NOTHING_TO_OBSERVE = {
    "available": False,
    "reason": "no service to observe: add one to system_services, or name one that is there",
    "services": {},
}


@pytest.mark.parametrize(
    ("command", "error", "problems", "remedies_"),
    [
        ([], "timeout", ["unresponsive"], []),
        (["promote", "replica-1"], "timeout", ["unresponsive"], [("fail_over", "high")]),
        (["promote", "replica-1"], "refused", ["unresponsive"], [("fail_over", "high")]),
        (["promote", "replica-1"], "starting_up", ["starting_up"], WAIT),
        (["promote", "replica-1"], "credentials", ["credentials"], []),
        (["promote", "replica-1"], "name_resolution", [], []),
    ],
)
def test_a_hosted_database(diagnose, command, error, problems, remedies_):
    more = {"db_down_failover_command": command, "db_down_status_page": "https://status.example.com"}
    result = conclude(diagnose, app(0), gone(error), NOTHING_TO_OBSERVE, **HOSTED, **more)
    assert causes_that_are(result, "problem") == problems
    assert remedies(result) == remedies_
    if problems == ["unresponsive"]:
        (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
        assert "https://status.example.com" in str(finding["advice"])
        assert ("No replica is configured" in str(finding["advice"])) is (not command)


def test_a_hosted_database_that_only_these_runbooks_cannot_reach_is_not_failed_over(diagnose):
    more = {"db_down_failover_command": ["promote", "replica-1"]}
    result = conclude(diagnose, app(), gone("timeout"), NOTHING_TO_OBSERVE, **HOSTED, **more)
    assert (causes_that_are(result, "problem"), remedies(result)) == (["unresponsive"], [])
    assert "while api has it" in result["msg"]


NEAR = {"host": "127.0.0.1", "name": "app", "service": "db"}
FAR = {"host": "10.0.0.5", "name": "app", "service": "db"}
RESTART_IF_ALLOWED = [("restart_database", "high")]
NO_ANSWER_CONCLUDED = {
    # name: (what the dependants answer, gauge, health, how it is reached, cause, remedies with their risk)
    "the application has none": (ready(api="no"), None, None, NEAR, "hangs", RESTART),
    "it is not ready": (ready(api="not ready"), None, None, NEAR, "hangs", RESTART),
    "it gives no answer either": (ready(api="silent"), None, None, NEAR, "hangs", RESTART),
    "only its gauge tells": (ready(api="refused"), 0, None, NEAR, "hangs", RESTART),
    "from afar, and it has none": (ready(api="no"), None, None, FAR, "hangs", RESTART),
    "it serves": (ready(api="yes"), None, None, NEAR, "logins_hang", []),
    "it serves, and its health check fails": (ready(api="yes"), None, "unhealthy", FAR, "logins_hang", []),
    "it serves one of two": (ready(api="no", worker="yes"), None, "unhealthy", NEAR, "logins_hang", []),
    "it serves by its gauge": (ready(api="refused"), 1, "unhealthy", NEAR, "logins_hang", []),
    "it serves, from afar": (ready(api="yes"), None, None, FAR, "not_reached_from_here", []),
    "it cannot be asked": (ready(api="refused"), None, None, NEAR, "hangs", RESTART_IF_ALLOWED),
    "it cannot be asked, and its health check fails": (
        ready(api="refused"),
        None,
        "unhealthy",
        NEAR,
        "hangs",
        RESTART_IF_ALLOWED,
    ),
    "another page": (ready(api="not there"), None, "unhealthy", NEAR, "hangs", RESTART_IF_ALLOWED),
    "gauge and readiness do not agree": (ready(api="plain yes"), 0, "unhealthy", NEAR, "hangs", RESTART_IF_ALLOWED),
    "readiness and gauge do not agree": (ready(api="silent"), 1, "unhealthy", NEAR, "hangs", RESTART_IF_ALLOWED),
}


@pytest.mark.parametrize("measured", NO_ANSWER_CONCLUDED.values(), ids=NO_ANSWER_CONCLUDED)
def test_only_one_that_serves_nobody_is_restarted(diagnose, measured):
    asked, gauge, health, reach, cause, expected = measured
    metrics = NO_METRICS if gauge is None else app(gauge)
    state = service(health=health)
    result = conclude(diagnose, metrics, gone("timeout"), state, asked, system_database=reach)
    assert (causes_that_are(result, "problem"), remedies(result)) == ([cause], expected), result["findings"]
    assert "not available:" not in str(result["findings"])
    if expected == RESTART_IF_ALLOWED:
        (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
        assert "run_max_risk=high" in str(finding["advice"])


@pytest.mark.parametrize(
    "reach",
    [NEAR, {"name": "app", "service": "db"}, {**NEAR, "transport": "docker", "container": "db"}, FAR],
)
@pytest.mark.parametrize("place", ["host", "controller"])
def test_that_it_is_near_says_nothing_about_it(diagnose, reach, place):
    state = service(health=None)
    observed = {"system_database": reach, "system_observe_from": place}
    result = conclude(diagnose, NO_METRICS, gone("timeout"), state, **observed)
    assert remedies(result) == RESTART_IF_ALLOWED
    # Nor where nothing is there to be asked.
    observed.update(system_metrics={}, db_down_dependants={})
    assert remedies(conclude(diagnose, NO_METRICS, gone("timeout"), state, **observed)) == RESTART_IF_ALLOWED


def test_a_healthy_hosted_database(diagnose):
    result = conclude(diagnose, app(), answers(), NOTHING_TO_OBSERVE, **HOSTED)
    assert result["status"] == "healthy"


def test_a_stack_that_tells_nothing_about_its_database(diagnose):
    observed = {"postgres_activity": answers(), "postgres_access": access(), "service": service()}
    result = diagnose("db_down", observed, **{**SYSTEM, "system_metrics": {}, "db_down_dependants": {}})
    assert result["status"] == "healthy"


NOLOGIN = ("app", "it is NOLOGIN")
SAYS_NOTHING = {**NO_METRICS, "reason": "no metric to read"}
READINESS_CONCLUDED = {
    # name: (what the dependants answer, access, seconds since its start, status, problems, words of the message)
    "it has it": (ready(api="yes"), access(), 90_000, "healthy", [], ""),
    "it is ready": (ready(api="plain yes"), access(), 90_000, "healthy", [], ""),
    "it has none": (ready(api="no"), access(), 90_000, "problem", ["application_locked_out"], "readyz: no"),
    "its role may not log in": (
        ready(api="no"),
        access(NOLOGIN),
        90_000,
        "problem",
        ["application_locked_out"],
        "nobody can log in as app (it is NOLOGIN)",
    ),
    "it is not ready": (ready(api="not ready"), access(), 90_000, "problem", ["application_locked_out"], "not ready"),
    "one of two has none": (
        ready(api="yes", worker="no"),
        access(),
        90_000,
        "problem",
        ["application_locked_out"],
        "worker",
    ),
    "of a role that nobody needs": (ready(api="yes"), access(NOLOGIN), 90_000, "healthy", [], ""),
    "it connects again": (ready(api="no"), access(), 3, "problem", ["reconnecting"], "api has not connected again yet"),
    "it cannot connect again": (ready(api="no"), access(NOLOGIN), 3, "problem", ["application_locked_out"], "NOLOGIN"),
    "who is kept out cannot be told": (
        ready(api="no"),
        gone("timeout"),
        90_000,
        "problem",
        ["application_locked_out"],
        "",
    ),
    "it takes the question and says nothing": (ready(api="silent"), access(), 90_000, "unknown", [], ""),
    "another page": (ready(api="not there"), access(), 90_000, "unknown", [], ""),
    "it is down": (ready(api="refused"), access(), 90_000, "unknown", [], ""),
}


@pytest.mark.parametrize("measured", READINESS_CONCLUDED.values(), ids=READINESS_CONCLUDED)
def test_an_application_without_a_gauge_is_asked(diagnose, measured):
    asked, told, started, status, problems, words = measured
    result = conclude(
        diagnose, SAYS_NOTHING, answers(started=started), service(), asked, told, **{**SYSTEM, "system_metrics": {}}
    )
    assert (result["status"], causes_that_are(result, "problem")) == (status, problems), result["findings"]
    assert remedies(result) == ([("wait_until_reconnected", "low")] if problems == ["reconnecting"] else [])
    assert words in result["msg"]
    assert "not available:" not in str(result["findings"])
    if status == "unknown":
        assert causes_that_are(result, "unknown")[0] == "application_locked_out"


def test_one_whose_gauge_says_so_is_not_restarted_where_its_role_is_the_reason(diagnose):
    result = conclude(diagnose, app(0), answers(), service(), told=access(NOLOGIN))
    assert (causes_that_are(result, "problem"), result["plan"]["steps"]) == (["application_locked_out"], [])
    # Nor where the reason may be there, and cannot be seen.
    result = conclude(diagnose, app(0), answers(), service(), told=gone("timeout"))
    assert (result["status"], result["plan"]["steps"]) == ("unknown", [])


READ_ONLY_CONCLUDED = {
    # name: (database, access, status, problems, words of the finding)
    "of the database": (
        answers(),
        access(read_only=True, source="ALTER DATABASE"),
        "problem",
        ["read_only"],
        "ALTER DATABASE app",
    ),
    "of all roles": (
        answers(),
        access(read_only=True, source="ALTER ROLE ALL"),
        "problem",
        ["read_only"],
        "ALTER ROLE ALL RESET",
    ),
    "of the server": (
        answers(),
        access(read_only=True, source="configuration file"),
        "problem",
        ["read_only"],
        "pg_reload_conf",
    ),
    "a standby is one anyway": (
        answers(in_recovery=True),
        access(read_only=True),
        "problem",
        ["standby"],
        "takes no writes",
    ),
    "hidden": (answers(), access(read_only=None), "unknown", [], "is not known"),
    "it cannot be asked": (answers(), gone("timeout"), "unknown", [], "timeout"),
}


@pytest.mark.parametrize("measured", READ_ONLY_CONCLUDED.values(), ids=READ_ONLY_CONCLUDED)
def test_one_that_takes_no_writes(diagnose, measured):
    database, told, status, problems, words = measured
    result = conclude(diagnose, app(), database, service(), told=told)
    assert (result["status"], causes_that_are(result, "problem")) == (status, problems), result["findings"]
    assert result["plan"]["steps"] == []
    assert words in str(result["findings"])
    assert "not available:" not in str(result["findings"])
    assert status != "unknown" or causes_that_are(result, "unknown") == ["read_only"]


def test_the_readiness_of_what_needs_the_database():
    answered = ready(a="yes", b="plain yes", c="no", d="not ready", e="silent", f="not there", g="refused")["endpoints"]

    def readiness(endpoints: dict[str, Any]) -> dict[str, list[str]]:
        return db_down.ready(dict.fromkeys(endpoints, "https://api.example.com/readyz"), {"endpoints": endpoints})

    told = readiness(answered)
    assert told == {"connected": ["a", "b"], "lost": ["c", "d"], "silent": ["e"], "unknown": ["f", "g"]}
    # Another thing is amiss, or nothing is although it has none; a proxy does not reach it.
    answered["a"].update(status=503), answered["c"].update(status=200), answered["d"].update(status=502)
    assert readiness(answered)["connected"] == ["a", "b"]
    assert (readiness(answered)["lost"], readiness(answered)["unknown"]) == (["c"], ["d", "f", "g"])
    assert readiness({}) == {"connected": [], "lost": [], "silent": [], "unknown": []}


def test_the_connection_is_shown_without_its_password(diagnose):
    result = conclude(diagnose, app(0), gone("refused"), service("exited"))
    assert result["evidence"]["connection"] == "postgresql://oncall@db:5432/app"
    assert result["evidence"]["answers"] is False


def test_a_role_at_its_limit_with_idle_sessions_is_told_and_is_no_problem(diagnose):
    result = conclude(diagnose, app(), limited("role", idle=1), service())
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == ["role_limit_full"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_measured_concluded[nothing]"
WRONG_CAUSE_ROW = "test_measured_concluded[its own connections are used up]"
NO_TELEMETRY_ROW = "test_what_could_not_be_measured_is_unknown_and_starts_nothing[nothing at all]"


def with_sessions(*names: str, started: float = 90_000, **counted: int) -> dict[str, Any]:
    """A server that answers, where these applications have sessions."""
    row = {"user": "app", "sessions": 5, "active": 0, "idle": 0, "idle_in_transaction": 0, **counted}
    applications = [{**row, "application_name": name} for name in names]
    return {**answers(started=started), "applications": applications, "complete": True}


POOL = {"db_pool_waiting": "app_waiting", "db_pool_in_use": "app_in_use", "db_pool_max": "app_max"}


def pool(waiting: float, in_use: float) -> dict[str, Any]:
    """What the application says of its pool of five."""
    return {"available": True, "value": {"pool_waiting": waiting, "pool_in_use": in_use, "pool_max": 5.0}}


BLOCKER = {"pid": 7, "application_name": "backoffice", "blocks": 5}
PRESENT_CONCLUDED = {
    # name: (metrics, what the dependants answer, database, access, problems, words of the message)
    "all of them wait behind one": (
        SAYS_NOTHING,
        ready(api="no"),
        {**with_sessions("api", active=5), "blockers": [BLOCKER]},
        access(),
        ["gets_no_connection"],
        "5 at work, 0 idle in transaction, 0 idle), and 5 sessions wait for locks",
    ),
    "all of them are idle, lost by its pool or kept by a pooler": (
        SAYS_NOTHING,
        ready(api="not ready"),
        with_sessions("app-API", idle=5),
        access(),
        ["application_locked_out"],
        "readyz: not ready",
    ),
    "all of them are idle, and its pool says that all are taken": (
        pool(waiting=3, in_use=5),
        ready(api="not ready"),
        with_sessions("app-API", idle=5),
        access(),
        ["gets_no_connection"],
        "all 5 connections of its pool are taken, and 3 requests wait for one",
    ),
    "it fails with an error, and has sessions: its code may be the reason": (
        SAYS_NOTHING,
        ready(api="fails"),
        with_sessions("api", idle=5),
        access(),
        [],
        "application_locked_out",
    ),
    "it fails with an error, and has none": (
        SAYS_NOTHING,
        ready(api="fails"),
        with_sessions("worker", idle=5),
        access(),
        ["application_locked_out"],
        "readyz: fails",
    ),
    "it fails with an error, and has sessions of before its role was shut": (
        SAYS_NOTHING,
        ready(api="fails"),
        with_sessions("api", idle=2),
        access(NOLOGIN),
        ["application_locked_out"],
        "NOLOGIN",
    ),
    "its pool has none, and all wait": (
        pool(waiting=3, in_use=0),
        ready(api="not ready"),
        with_sessions("app-API", idle=5),
        access(),
        ["application_locked_out"],
        "readyz: not ready",
    ),
    "its pool says that all are taken, and behind a pooler none of them is there": (
        pool(waiting=3, in_use=5),
        ready(api="not ready"),
        with_sessions("worker", idle=5),
        access(),
        ["application_locked_out"],
        "not ready",
    ),
    "its pool says that all are taken, and whose sessions there are is hidden": (
        pool(waiting=3, in_use=5),
        ready(api="not ready"),
        {**with_sessions(idle=5), "complete": False},
        access(),
        [],
        "application_locked_out",
    ),
    "its pool is taken, and its role was shut": (
        pool(waiting=3, in_use=5),
        ready(api="not ready"),
        with_sessions("app-API", idle=5),
        access(NOLOGIN),
        ["application_locked_out"],
        "NOLOGIN",
    ),
    "they are those of its pool, by the name that db_pool knows": (
        SAYS_NOTHING,
        ready(api="not ready"),
        with_sessions("app-API", idle=1, idle_in_transaction=4),
        access(),
        ["gets_no_connection"],
        "0 at work, 4 idle in transaction, 1 idle",
    ),
    "its gauge says that it has none, too: it is not restarted": (
        app(0),
        ready(api="no"),
        with_sessions("api", idle_in_transaction=5),
        access(),
        ["gets_no_connection"],
        "5 idle in transaction",
    ),
    "those of another": (
        SAYS_NOTHING,
        ready(api="no"),
        with_sessions("worker", active=5),
        access(),
        ["application_locked_out"],
        "readyz: no",
    ),
    "those without a name": (
        SAYS_NOTHING,
        ready(api="no"),
        with_sessions("", active=5),
        access(),
        ["application_locked_out"],
        "readyz: no",
    ),
    "those of its other replica": (
        SAYS_NOTHING,
        ready(**{"api-1": "yes", "api-2": "no"}),
        with_sessions("api", active=5),
        access(),
        ["application_locked_out"],
        "api-2 says that it has no database",
    ),
    "those that it had before its role was shut": (
        SAYS_NOTHING,
        ready(api="no"),
        with_sessions("api", idle=2),
        access(NOLOGIN),
        ["application_locked_out"],
        "NOLOGIN",
    ),
    "the first ones after a start": (
        SAYS_NOTHING,
        ready(api="no"),
        with_sessions("api", started=3, active=1),
        access(),
        ["reconnecting"],
        "has not connected again yet",
    ),
    "and it has its database": (SAYS_NOTHING, ready(api="yes"), with_sessions("api", active=5), access(), [], ""),
}


@pytest.mark.parametrize("measured", PRESENT_CONCLUDED.values(), ids=PRESENT_CONCLUDED)
def test_an_application_that_has_sessions_is_not_kept_out(diagnose, measured):
    metrics, asked, database, told, problems, words = measured
    variables = {**SYSTEM, "system_name": "app"}
    if metrics is SAYS_NOTHING or "pool_max" in metrics["value"]:
        variables["system_metrics"] = {} if metrics is SAYS_NOTHING else POOL
    result = conclude(diagnose, metrics, database, service(), asked, told, **variables)
    assert causes_that_are(result, "problem") == problems, result["findings"]
    assert words in result["msg"]
    assert remedies(result) == ([("wait_until_reconnected", "low")] if problems == ["reconnecting"] else [])
    assert "not available:" not in str(result["findings"])


def test_sessions_of_an_application_whose_role_may_be_shut_are_no_proof(diagnose):
    database = with_sessions("api", active=2)
    variables = {**SYSTEM, "system_name": "app", "system_metrics": {}}
    result = conclude(diagnose, SAYS_NOTHING, database, service(), ready(api="no"), gone("timeout"), **variables)
    assert (result["status"], result["plan"]["steps"]) == ("unknown", []), result["findings"]


def test_idle_sessions_of_one_that_is_kept_out_are_told_of(diagnose):
    variables = {**SYSTEM, "system_name": "app", "system_metrics": {}}
    result = conclude(diagnose, SAYS_NOTHING, with_sessions("api", idle=5), service(), ready(api="no"), **variables)
    assert "It has 5 idle sessions there." in str(result["findings"])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook error_rate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.oncall.runbooks.plugins.filter.errors_around import errors_around
from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, seconds_ago

OLD, NEW = "a" * 40, "b" * 40
COMMAND = ["./deploy"]
API = {"manager": "compose", "project": "/srv/shop", "environment_file": "/srv/shop/.env"}
SYSTEM: dict[str, Any] = {
    "system_services": {"api": API, "database": API, "worker": API},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {
        "responses": "app_response_status_total",
        "db_pool_waiting": "app_db_pool_waiting",
        "provider_errors": "app_provider_errors_total",
        "requests_in_progress": "app_requests_in_progress",
    },
    "system_database": {"name": "shop"},
    "system_redis": {"host": "redis"},
    "system_deployment": {"path": "/srv/shop", "deploy_command": COMMAND, "services": ["api", "worker"]},
    "error_rate_integrations": {"crm": {"variable": "CRM_ENABLED", "enabled": "1", "disabled": "0"}},
}
SERVER = {"system_prometheus": {"url": "http://prometheus:9090"}}


def limited(what: str) -> dict[str, Any]:
    row = {
        "what": what,
        "role": "app" if what == "role" else "",
        "limit": 3,
        "used": 3,
        "idle": 0,
        "here": 3,
        "free": 0,
    }
    return {"available": True, "longest": [], "connections": {"limits": [row]}}


def metrics(
    errors: float,
    answers: float = 200,
    waiting: float = 0,
    providers: Any = None,
    in_progress: float = 0,
    others: Any = None,
    **routes: float,
):
    """So many answers to users, so many of them errors, beside one scrape and what health checks get (``others``)."""
    routes = routes or {"/orders": errors / 2, "/stats": errors / 2}
    others = {"/metrics": (1.0, 0), "/health": (2.0, 0)} if others is None else others
    every, failed = (sum(pair[index] for pair in others.values()) for index in (0, 1))
    value = {
        "answers": answers + every,
        "errors": errors + failed,
        "answers_by_status": {"200": answers + every - errors - failed, "500": errors + failed},
        "answers_by_route": {
            "/customers": answers - errors,
            **routes,
            **{route: pair[0] for route, pair in others.items()},
        },
        "errors_by_route": {
            name: number
            for name, number in [*routes.items(), *((route, pair[1]) for route, pair in others.items())]
            if number
        },
        "in_progress": in_progress,
        "pool_waiting": waiting,
        "provider_errors": providers or {},
    }
    return {"available": True, "value": value, "metric": {"answers": {"available": True, "seconds": 10.0}}}


def of_replicas(routes: dict[str, float] | None = None, **replicas: tuple[float, float]) -> dict[str, Any]:
    """Answers and errors of each replica, and what they are together."""
    answers, errors = ({name: float(pair[place]) for name, pair in replicas.items()} for place in (0, 1))
    found = metrics(sum(errors.values()), sum(answers.values()), **(routes or {}))
    found["metric"]["answers"]["by_endpoint"] = answers
    found["metric"]["errors"] = {"available": True, "by_endpoint": {n: e for n, e in errors.items() if e}}
    return found


def down(observer_error: str) -> dict[str, Any]:
    return {"available": False, "error": observer_error, "reason": f"it is {observer_error}"}


DATABASE = {"available": True, "connections": {"used": 5}, "longest": []}
REDIS = {"available": True, "error": "", "reason": ""}
REDIS_FULL = {"available": True, "error": "out_of_memory", "reason": "OOM command not allowed"}
NO_METRICS = {"available": False, "reason": "GET http://127.0.0.1:8080/metrics: refused", "value": {}, "metric": {}}
TRACE = [{"count": 40, "line": "KeyError: <id>", "last": "KeyError: 'total'"}]


def deployment(minutes: float | None = 20, **changes: Any) -> dict[str, Any]:
    return {
        "available": True,
        "revision": NEW,
        "commits": [{"revision": NEW, "committed_at_seconds": 1, "subject": "Totals"}],
        "deployed_at_seconds": None if minutes is None else -60 * minutes,
        "previous": {"revision": OLD, "is_ancestor": True, "subject": "Before"},
        "changed_files_count": 0,
        "unfinished": "",
        **changes,
    }


def services(minutes: float = 19, worker_minutes: float | None = None) -> dict[str, Any]:
    worker_minutes = minutes if worker_minutes is None else worker_minutes
    return {
        "available": True,
        "services": {
            "api": {"available": True, "started_at_seconds": -60 * minutes, "log_tail_errors": TRACE},
            "worker": {"available": True, "started_at_seconds": -60 * worker_minutes, "log_tail_errors": []},
        },
    }


def history(before: float, after: float, answers_before: float = 500, answers_after: float = 500) -> dict[str, Any]:
    names = ("before_errors", "before_answers", "after_errors", "after_answers")
    numbers = (before * answers_before, answers_before, after * answers_after, answers_after)
    return {"available": True, "value": dict(zip(names, numbers, strict=True))}


def job_engine(**told: Any) -> dict[str, Any]:
    return {"endpoints": {"job_engine": told}}


def without_routes(measured: dict[str, Any]) -> dict[str, Any]:
    """As where the counter has no label for the route."""
    value = {key: number for key, number in measured["value"].items() if not key.endswith("_by_route")}
    return {**measured, "value": value}


NOT_COUNTED = {"error_rate_in_progress": ""}
SAYS_LIMIT = [{"count": 9, "line": "FATAL", "last": 'FATAL: too many connections for role "app"'}]
SILENT, LOCKED_OUT = (
    {"available": True, "services": {"api": {**services(590)["services"]["api"], "log_tail_errors": log}}}
    for log in ([], SAYS_LIMIT)
)
LOGIN = [{"count": 40, "line": "FATAL", "last": 'FATAL: password authentication failed for user "shop"'}]


def replicas(*logs: list[dict[str, Any]] | None, key: str = "containers") -> dict[str, Any]:
    """A service of several containers, or of several programs, with the errors in the log of each."""
    name = "container" if key == "containers" else "name"
    each = [{name: f"shop-api-{number}", "log_tail_errors": log} for number, log in enumerate(logs, 1)]
    told = {
        **services(590)["services"]["api"],
        "log_tail_errors": [one for log in logs for one in log or []],
        key: each,
    }
    return {"available": True, "services": {"api": told}}


LONG_AGO = {"deployment": deployment(600), "service": services(590)}
RECENT = {"deployment": deployment(20), "service": services(19)}
WITH = {**RECENT, "history": history(0.001, 0.2)}
# name: what was observed, variables -> the status, the problems
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], str, list[str]]] = {
    "healthy": ({}, {}, "healthy", []),
    "at the limit": ({"metrics": metrics(10)}, {}, "healthy", []),
    "healthy while the database cannot be asked": ({"postgres_activity": down("credentials")}, {}, "healthy", []),
    "healthy right after a deployment": ({**RECENT}, SERVER, "healthy", []),
    "four answers, none an error": ({"metrics": metrics(0, 4)}, {}, "healthy", []),
    "four answers, one an error": ({"metrics": metrics(1, 4)}, {}, "unknown", []),
    "four answers, and requests in progress": ({"metrics": metrics(0, 4, in_progress=1)}, {}, "unknown", []),
    "four answers, and nobody counts what is in progress": ({"metrics": metrics(0, 4)}, NOT_COUNTED, "unknown", []),
    "no traffic": ({"metrics": metrics(0, 0)}, {}, "healthy", []),
    "no answers, and nobody counts what is in progress": ({"metrics": metrics(0, 0)}, NOT_COUNTED, "unknown", []),
    "no answers, and one request in progress, which may be this look": (
        *({"metrics": metrics(0, 0, in_progress=1)}, {}, "unknown", []),
    ),
    "every user hangs": ({"metrics": metrics(0, 0, in_progress=8)}, {}, "problem", ["requests_hang"]),
    "every user hangs, and the health checks are many": (
        {"metrics": metrics(0, 0, in_progress=8, others={"/healthz": (500.0, 0), "/metrics": (1.0, 0)})},
        *({}, "problem", ["requests_hang"]),
    ),
    "every user hangs, and nobody counts it": (
        {"metrics": metrics(0, 0, others={"/ready-for-me": (500.0, 0), "/metrics": (1.0, 0)})},
        {
            **NOT_COUNTED,
            "system_services": {**SYSTEM["system_services"], "api": {**API, "health_url": "http://a/ready-for-me"}},
        },
        *("unknown", []),
    ),
    "health checks hide no errors": (
        *({"metrics": metrics(5, 50, others={"/health": (950.0, 0)})}, {}),
        *("problem", ["errors_unexplained"]),
    ),
    "errors of a health check are none of a user": (
        *({"metrics": metrics(0, 50, others={"/api/v1/health": (50.0, 50.0)})}, {}),
        *("healthy", []),
    ),
    "routes are not told, and no errors": ({"metrics": without_routes(metrics(0))}, NOT_COUNTED, "healthy", []),
    "routes are not told, and errors": (
        *({"metrics": without_routes(metrics(100))}, NOT_COUNTED),
        *("unknown", []),
    ),
    "routes are not told, and hardly an answer": (
        *({"metrics": without_routes(metrics(0, 0, others={"/metrics": (20.0, 0)}))}, NOT_COUNTED),
        *("unknown", []),
    ),
    "no metrics": ({"metrics": NO_METRICS}, {}, "unknown", []),
    "no metrics, right after a deployment": ({"metrics": NO_METRICS, **WITH}, SERVER, "unknown", []),
    "database down": (
        *({"metrics": metrics(100), "postgres_activity": down("refused")}, {}),
        *("problem", ["database_down"]),
    ),
    "every connection taken": (
        *({"metrics": metrics(100), "postgres_activity": down("too_many_connections")}, {}),
        *("problem", ["database_connections"]),
    ),
    **{
        error: ({"metrics": metrics(100), "postgres_activity": down(error)}, {}, "problem", ["database_connections"])
        for error in ("database_limit", "pooler_full", "pooler_waits")
    },
    "a pooler has no server": (
        *({"metrics": metrics(100), "postgres_activity": down("pooler_without_server")}, {}),
        *("problem", ["database_down"]),
    ),
    **{
        f"the limit of the {what}": (
            *({"metrics": metrics(100, a=95, b=5), "postgres_activity": limited(what), "service": SILENT}, {}),
            *("problem", ["connection_limit"]),
        )
        for what in ("role", "database")
    },
    "the limit of the role, and its log says so": (
        *({"metrics": metrics(100), "postgres_activity": limited("role"), "service": LOCKED_OUT}, {}),
        *("problem", ["connection_limit"]),
    ),
    "a pool that is always at its limit, and an error of the code": (
        *({"metrics": metrics(100, a=95, b=5), "postgres_activity": limited("role")}, {}),
        *("problem", ["route_failing"]),
    ),
    "pool used up": ({"metrics": metrics(100, waiting=7)}, {}, "problem", ["database_connections"]),
    # Requests wait for a moment while a replica cannot log in: that decides nothing.
    "one of two replicas has a wrong password": (
        {"metrics": metrics(180, waiting=1), "service": replicas(LOGIN, [])},
        {},
        "problem",
        ["one_replica"],
    ),
    "one of two replicas has a wrong password, and it is of one route": (
        {"metrics": metrics(180, a=178, b=2), "service": replicas([], LOGIN)},
        {},
        "problem",
        ["one_replica"],
    ),
    "one of two programs of supervisor has a wrong password": (
        {"metrics": metrics(180, waiting=1), "service": replicas(LOGIN, [], key="members")},
        {},
        "problem",
        ["one_replica"],
    ),
    "both replicas have a wrong password": (
        {"metrics": metrics(180), "service": replicas(LOGIN, LOGIN)},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "two of three replicas have other errors": (
        {"metrics": metrics(180), "service": replicas(LOGIN, TRACE, [])},
        {},
        "problem",
        ["one_replica"],
    ),
    "each replica has an error of its own": (
        {"metrics": metrics(180), "service": replicas(LOGIN, TRACE)},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "one of two replicas has an error of the code by chance": (
        {"metrics": metrics(180), "service": replicas([{**TRACE[0], "count": 2}], [])},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "the log of one of two replicas cannot be read": (
        {"metrics": metrics(180), "service": replicas(LOGIN, None)},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "one of two replicas has a wrong password, and a provider fails": (
        {"metrics": metrics(180, providers={"pay": 170.0}), "service": replicas(LOGIN, [])},
        {},
        "problem",
        ["one_replica", "provider_failing"],
    ),
    "one of two replicas has a wrong password, and no errors": (
        {"metrics": metrics(1), "service": replicas(LOGIN, [])},
        {},
        "healthy",
        [],
    ),
    "all errors are of one of two replicas": (
        {"metrics": of_replicas(a=(90, 0), b=(90, 80))},
        {},
        "problem",
        ["errors_of_one_replica"],
    ),
    "all errors are of one of two replicas, and of one route of it": (
        {"metrics": of_replicas(a=(90, 0), b=(90, 80), routes={"/orders": 79, "/stats": 1})},
        {},
        "problem",
        ["errors_of_one_replica", "route_failing"],
    ),
    "the other replica has hardly answered": (
        {"metrics": of_replicas(a=(4, 0), b=(90, 80))},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "the other replica has errors too": (
        {"metrics": of_replicas(a=(90, 1), b=(90, 80))},
        {},
        "problem",
        ["errors_unexplained"],
    ),
    "the database is down for one replica and for this look": (
        {"metrics": metrics(180), "service": replicas(LOGIN, []), "postgres_activity": down("refused")},
        {},
        "problem",
        ["database_down"],
    ),
    "Redis down": ({"metrics": metrics(100), "redis": down("refused")}, {}, "problem", ["cache_down"]),
    "Redis out of memory": ({"metrics": metrics(100), "redis": REDIS_FULL}, {}, "problem", ["cache_down"]),
    "integration fails": (
        *({"metrics": metrics(100, providers={"crm": 99.0, "pay": 1.0})}, {}),
        *("problem", ["integration_failing"]),
    ),
    "critical provider fails": (
        *({"metrics": metrics(100, providers={"crm": 1.0, "pay": 99.0})}, {}),
        *("problem", ["provider_failing"]),
    ),
    "a provider fails a little": (
        *({"metrics": metrics(100, providers={"crm": 4.0})}, {}),
        *("problem", ["errors_unexplained"]),
    ),
    "a provider fails and nobody notices": ({"metrics": metrics(0, providers={"crm": 50.0})}, {}, "healthy", []),
    "deployment": ({"metrics": metrics(100), **WITH}, SERVER, "problem", ["recent_deployment"]),
    "deployment, of one route": (
        *({"metrics": metrics(100, a=99, b=1), **WITH}, SERVER),
        *("problem", ["recent_deployment", "route_failing"]),
    ),
    "deployment, but nobody remembers": (
        {"metrics": metrics(100), **RECENT},
        {},
        "problem",
        ["deployment_suspected"],
    ),
    "deployment, and the server did not answer": (
        {"metrics": metrics(100), **RECENT, "history": NO_METRICS},
        SERVER,
        "problem",
        ["deployment_suspected"],
    ),
    "deployment, and no traffic before it": (
        *({"metrics": metrics(100), **RECENT, "history": history(0, 0.2, answers_before=3)}, SERVER),
        *("problem", ["deployment_suspected"]),
    ),
    "deployment, and not enough seen since": (
        *({"metrics": metrics(100), **RECENT, "history": history(0, 1, answers_after=3)}, SERVER),
        *("problem", ["deployment_suspected"]),
    ),
    "errors before the deployment": (
        *({"metrics": metrics(100), **RECENT, "history": history(0.2, 0.2)}, SERVER),
        *("problem", ["errors_unexplained"]),
    ),
    "some errors before the deployment": (
        *({"metrics": metrics(100), **RECENT, "history": history(0.02, 0.2)}, SERVER),
        *("problem", ["errors_unexplained"]),
    ),
    "errors long after the deployment": (
        *({"metrics": metrics(100), **RECENT, "history": history(0, 0.01)}, SERVER),
        *("problem", ["errors_unexplained"]),
    ),
    "deployment in the future": (
        *({"metrics": metrics(100), **WITH, "deployment": deployment(-3190)}, SERVER),
        *("problem", ["deployment_in_future", "errors_unexplained"]),
    ),
    "deployment in the future, and no errors": ({"deployment": deployment(-3190)}, SERVER, "healthy", []),
    "deployment in the future, while a provider fails": (
        *({"metrics": metrics(100, providers={"pay": 90.0}), "deployment": deployment(-3190)}, {}),
        *("problem", ["provider_failing"]),
    ),
    "deployment of a host whose clock is a little ahead": (
        *({"metrics": metrics(100), **RECENT, "deployment": deployment(-0.5)}, {}),
        *("problem", ["deployment_suspected"]),
    ),
    "deployment of last week": (
        *({"metrics": metrics(100), **LONG_AGO, "history": history(0, 0.2)}, SERVER),
        *("problem", ["errors_unexplained"]),
    ),
    "checked out and not deployed": (
        *({"metrics": metrics(100), **WITH, "service": services(300)}, SERVER),
        *("problem", ["deployment_suspected"]),
    ),
    "restarted long after the deployment": (
        *({"metrics": metrics(100), **WITH, "service": services(2)}, SERVER),
        *("problem", ["deployment_suspected"]),
    ),
    "another service was deployed": (
        *({"metrics": metrics(100), **WITH},),
        {**SERVER, "system_deployment": {**SYSTEM["system_deployment"], "services": ["worker"]}},
        *("problem", ["deployment_suspected"]),
    ),
    "deployment, while the database is down": (
        *({"metrics": metrics(100), **WITH, "postgres_activity": down("timeout")}, SERVER),
        *("problem", ["database_down"]),
    ),
    "deployment, while the pool is used up": (
        *({"metrics": metrics(100, waiting=9), **WITH}, SERVER),
        *("problem", ["database_connections"]),
    ),
    "deployment, while Redis is down": (
        *({"metrics": metrics(100), **WITH, "redis": down("timeout")}, SERVER),
        *("problem", ["cache_down"]),
    ),
    "deployment, while a provider fails": (
        *({"metrics": metrics(100, providers={"pay": 90.0}), **WITH}, SERVER),
        *("problem", ["provider_failing"]),
    ),
    "deployment, while nobody can ask the database": (
        {"metrics": metrics(100), **WITH, "postgres_activity": down("credentials")},
        SERVER,
        "unknown",
        [],
    ),
    "deployment, while nobody can ask Redis": (
        {"metrics": metrics(100), **WITH, "redis": down("no_driver")},
        SERVER,
        "unknown",
        [],
    ),
    "the checkout cannot be read": (
        *({"metrics": metrics(100), "deployment": {"available": False, "reason": "no git"}}, SERVER),
        *("unknown", []),
    ),
    "job engine": (
        *({"metrics": metrics(100), "http_probe": job_engine(available=True, ok=False, reason="503")},),
        *({"error_rate_job_engine_url": "http://jobs/health"}, "problem", ["job_engine_failing"]),
    ),
    "the job engine cannot be asked": (
        *({"metrics": metrics(100), "http_probe": job_engine(available=False, ok=None, reason="no such name")},),
        *({"error_rate_job_engine_url": "http://jobs/health"}, "unknown", []),
    ),
    "the job engine cannot be asked, and all is well": (
        *({"http_probe": job_engine(available=False, ok=None, reason="no such name")},),
        *({"error_rate_job_engine_url": "http://jobs/health"}, "healthy", []),
    ),
    "one route": ({"metrics": metrics(100, a=95, b=5)}, {}, "problem", ["route_failing"]),
    "unexplained": ({"metrics": metrics(100)}, {}, "problem", ["errors_unexplained"]),
}
HEALTHY = {"metrics": metrics(0), "postgres_activity": DATABASE, "redis": REDIS, **LONG_AGO}


def judged(diagnose: Any, changes: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    observed = {**HEALTHY, **changes}
    past = observed.pop("history", {"skipped": True, "changed": False})
    return diagnose("error_rate", seconds_ago(observed), __error_rate_history=past, **{**SYSTEM, **variables})


@pytest.mark.parametrize("case", TABLE)
def test_concluded(diagnose, case):
    changes, variables, status, causes = TABLE[case]
    concluded = judged(diagnose, changes, variables)
    assert causes_that_are(concluded, "problem") == causes, concluded["findings"]
    assert concluded["status"] == status


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (metrics(0, 4), "4 users were answered within 10 s, none with an error, and no request is in progress"),
        (
            metrics(0, 0),
            "no traffic: nobody was answered within 10 s, none with an error, and no request is in progress",
        ),
    ],
)
def test_few_answers_are_said_to_be_few(diagnose, measured, said):
    findings = judged(diagnose, {"metrics": measured}, {})["findings"]
    (finding,) = [one for one in findings if one["cause"] == "few_answers"]
    assert (finding["status"], finding["summary"]) == ("ok", said)


def test_a_deployment_in_the_future_is_a_wrong_clock(diagnose):
    findings = judged(diagnose, *TABLE["deployment in the future"][:2])["findings"]
    (finding,) = [one for one in findings if one["cause"] == "deployment_in_future"]
    # Less the time that the tests before it took.
    assert re.search(
        r"was checked out 31\d\d minutes from now, as the checkout says: a clock is wrong$", finding["summary"]
    )


def test_where_routes_are_not_told_it_says_so(diagnose):
    findings = judged(diagnose, {"metrics": without_routes(metrics(0))}, NOT_COUNTED)["findings"]
    (finding,) = [one for one in findings if one["cause"] == "routes_unknown"]
    assert finding["summary"] == "the metrics do not name the route of an answer, so health checks count as users"


@pytest.mark.parametrize(
    ("measured", "variables", "said"),
    [
        (metrics(1, 4), {}, "only 4 answers to users within 10 s, which says nothing: 0 requests are in progress"),
        (
            metrics(0, 0, in_progress=1),
            {},
            "no answers to users within 10 s, which says nothing: 1 requests are in prog",
        ),
        (metrics(0, 0), NOT_COUNTED, "no answers to users within 10 s, which says nothing: there was no traffic, or"),
    ],
)
def test_why_few_answers_say_nothing(diagnose, measured, variables, said):
    assert said in judged(diagnose, {"metrics": measured}, variables)["msg"]


ACTS = {"integration fails", "deployment", "deployment, of one route"}


@pytest.mark.parametrize("case", sorted(set(TABLE) - ACTS))
def test_nothing_else_acts(diagnose, case):
    assert judged(diagnose, *TABLE[case][:2])["plan"]["steps"] == []


def test_the_deployment_is_taken_back_by_one_exact_move(diagnose):
    (step,) = judged(diagnose, *TABLE["deployment"][:2])["plan"]["steps"]
    assert (step["remedy"], step["risk"], step["available"]) == ("roll_back_deployment", "high", True)
    assert step["targets"] == [{"path": "/srv/shop", "from": NEW, "to": OLD, "command": COMMAND}]
    assert step["undo"] == {"revision": NEW}


@pytest.mark.parametrize(
    "changes",
    [
        {"previous": None},
        {"previous": {"revision": OLD, "is_ancestor": False, "subject": "x"}},
        {"previous": {"revision": OLD, "is_ancestor": None, "subject": "x"}},
        {"changed_files_count": 1},
        {"unfinished": "a merge"},
    ],
    ids=str,
)
def test_no_way_back_is_guessed(diagnose, changes):
    measured = {"metrics": metrics(100), **WITH, "deployment": deployment(20, **changes)}
    concluded = judged(diagnose, measured, SERVER)
    assert causes_that_are(concluded, "problem") == ["recent_deployment"]
    assert [step["available"] for step in concluded["plan"]["steps"]] == [False]


def test_the_integration_is_turned_off(diagnose):
    (step,) = judged(diagnose, *TABLE["integration fails"][:2])["plan"]["steps"]
    assert (step["remedy"], step["risk"], step["available"]) == ("disable_integration", "medium", True)
    assert step["targets"] == [{"service": "api", "variable": "CRM_ENABLED", "to": "0"}]
    assert step["undo"] == {"value": "1"}


@pytest.mark.parametrize(
    ("case", "owner"),
    [
        ("database down", "db_down"),
        ("every connection taken", "db_pool"),
        ("pool used up", "db_pool"),
        ("Redis down", "cache"),
    ],
)
def test_what_another_runbook_owns_is_handed_over(diagnose, case, owner):
    findings = judged(diagnose, *TABLE[case][:2])["findings"]
    assert [one["hand_over"] for one in findings if one["status"] == "problem"] == [owner]


def test_a_stack_without_the_parts_is_judged_without_them(diagnose):
    variables = {key: value for key, value in SYSTEM.items() if key in ("system_services", "system_endpoints")}
    variables["system_metrics"] = {"responses": "http_responses"}
    for errors, causes in ((0, []), (100, ["errors_unexplained"])):
        measured = metrics(errors)
        for name in ("pool_waiting", "provider_errors", "in_progress"):
            del measured["value"][name]
        observed = seconds_ago({"metrics": measured, "service": services()})
        assert (
            causes_that_are(diagnose("error_rate", observed, __error_rate_history={}, **variables), "problem") == causes
        )


class TestProof:
    """What tasks/verify.yml says in the place of vars/main.yml."""

    @pytest.fixture
    def proven(self, diagnose):
        path = Path(__file__).parents[3] / "roles" / "error_rate" / "tasks" / "verify.yml"
        (task,) = DataLoader().load_from_file(str(path), trusted_as_template=True)

        def run(cause: str, changes: dict[str, Any], **variables: Any) -> dict[str, Any]:
            said = {**task["vars"], "run_state": {"actions": [{"cause": cause}]}, **SERVER, **variables}
            findings = judged(diagnose, changes, said)["findings"]
            return next(one for one in findings if one["cause"] == cause)

        return run

    @pytest.mark.parametrize("cause", ["recent_deployment", "integration_failing"])
    @pytest.mark.parametrize(
        ("errors", "status"), [(0, "ok"), (1, "ok"), (2, "problem"), (8, "problem"), (100, "problem")]
    )
    def test_it_is_over_below_one_percent(self, proven, cause, errors, status):
        # The deployment is another one now, and errors came before it: that proves nothing.
        now = {"deployment": deployment(1), "service": services(0), "history": history(0.2, 0)}
        assert proven(cause, {"metrics": metrics(errors), **now})["status"] == status

    @pytest.mark.parametrize("answers", [0, 4])
    def test_silence_proves_nothing(self, proven, answers):
        assert proven("recent_deployment", {"metrics": metrics(0, answers)})["status"] == "unknown"

    def test_what_another_cause_explains_now_is_not_gone(self, proven):
        seen = proven("recent_deployment", {"metrics": metrics(100), "postgres_activity": down("refused")})
        assert seen["explained_by"] == "database_down"


def test_the_server_is_asked_about_both_sides_of_the_deployment():
    asked = errors_around(
        {"family": "f_total", "labels": {"app": 'a"b'}}, {"status": "~5.."}, {"labels": {"job": "api"}},
        1000, 1040, 300, 2000,
    )  # fmt: skip
    before, after = asked["before_errors"]["promql"], asked["after_answers"]["promql"]
    series = 'f_total{job="api",app="a\\"b",status=~"5.."}'
    assert f"({series} @ 1000.000 unless {series} @ 700.000) or increase({series}[300000ms] @ 1000.000)" in before
    assert before.endswith(" or vector(0)")
    assert 'f_total{job="api",app="a\\"b"}[300000ms] @ 1340.000' in after
    # No answers are not zero answers.
    assert "vector" not in after


def test_the_time_after_the_deployment_ends_now():
    asked = errors_around({"family": "f"}, {"status": "~5.."}, {}, 1000, 1040, 300, 1100)
    assert "[60000ms] @ 1100.000" in asked["after_errors"]["promql"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[healthy]"
WRONG_CAUSE_ROW = "test_concluded[another service was deployed]"
NO_TELEMETRY_ROW = "test_concluded[no metrics]"

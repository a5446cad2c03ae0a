"""What was measured -> what must be concluded, for every cause of the runbook api_down."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.observed_services import (
    concluded,
    crashing,
    observed,
    running,
    unseen,
)

COMPOSE = {"manager": "compose", "project": "/srv/app", "health_url": "http://127.0.0.1:1/health"}
SYSTEM = {
    "system_services": {"api": COMPOSE, "database": COMPOSE},
    "system_endpoints": {"api": "http://127.0.0.1:1/metrics"},
    "system_metrics": {"db_pool_waiting": "w"},
    "system_database": {"name": "app"},
    "api_down_endpoints": {name: f"http://127.0.0.1:1/{name}" for name in ("health", "orders", "stats")},
}
OK: dict[str, Any] = {"available": True, "ok": True, "error": "", "reason": ""}
DATABASE = {"available": True, "connections": {"free": 50}}
POOL = {"available": True, "value": {"waiting": 0}}
GONE = {"state": "absent", "health": None, "reason": "it has no container", "uptime_seconds": None, "restarts": None}
EXITED = {"state": "exited", "health": None, "uptime_seconds": None, "exit_code": 1}


def bad(error: str = "bad_status") -> dict[str, Any]:
    return {"available": True, "ok": False, "error": error, "reason": f"GET http://h/: {error}"}


def probe(**endpoints: dict[str, Any]) -> dict[str, Any]:
    asked = {"health": OK, "orders": OK, "stats": OK, **endpoints}
    unknown = [name for name, one in asked.items() if not one["available"]]
    return {
        "available": len(unknown) < len(asked),
        "endpoints": asked,
        "failing": [name for name, one in asked.items() if one["available"] and not one["ok"]],
        "unknown": unknown,
        "limits": [asked[name]["reason"] for name in unknown],
    }


def all_(error: str, **more: dict[str, Any]) -> dict[str, Any]:
    return probe(**dict.fromkeys(("health", "orders", "stats"), bad(error)), **more)


UNKNOWN = {"available": False, "ok": None, "error": "dns", "reason": "the name h does not resolve"}
NO_DATABASE = {"available": False, "error": "refused", "reason": "PostgreSQL app: refused"}
FULL = {"available": False, "error": "too_many_connections", "reason": "FATAL: too many clients"}
NO_LOGIN = {"available": False, "error": "credentials", "reason": "FATAL: password authentication failed"}
BUSY = {"available": False, "error": "statement_timeout", "reason": "canceling statement due to statement timeout"}
PORT_TAKEN = "driver failed: Bind for 127.0.0.1:8080 failed: port is already allocated"
# What gunicorn 20 and 27 write.
GUNICORN = [
    "[2026-11-28 15:16:22 +0000] [13206] [ERROR] Connection in use: ('127.0.0.1', 41397)",
    "[2026-11-28 15:16:22 +0000] [13206] [ERROR] connection to ('127.0.0.1', 41397) failed: [Errno 98] Address already in use",
    "[2026-11-28 15:16:23 +0000] [13206] [ERROR] Connection in use: ('127.0.0.1', 41397)",
    "[2026-11-28 15:16:23 +0000] [13206] [ERROR] connection to ('127.0.0.1', 41397) failed: [Errno 98] Address already in use",
]
NO_DRIVER = {"available": False, "error": "no_driver", "reason": "psycopg is not installed"}

MEASURED_CONCLUDED = {
    # name: (endpoints, the service, the database, waiting, status, problems, available remedies, handed over to)
    "nothing": (probe(), running(), DATABASE, 0, "healthy", [], [], []),
    "the same, and nobody tells of the service": (probe(), unseen(), NO_DATABASE, 0, "unknown", [], [], []),
    "platform": (
        all_("timeout", platform=bad("bad_json")), running(), DATABASE, 0, "problem", ["platform_outage"], [], [],
    ),
    "the platform is not well, the API is": (probe(platform=bad()), running(), DATABASE, 0, "healthy", [], [], []),
    "the platform's page cannot be read, the API is well": (
        probe(platform=UNKNOWN), running(), DATABASE, 0, "healthy", [], [], [],
    ),
    "stopped by a person": (
        all_("refused"), running(**{**EXITED, "stopped_by_person": True}), DATABASE, 0,
        "problem", ["stopped_by_person"], [], [],
    ),
    "paused": (all_("timeout"), running(state="paused"), DATABASE, 0, "problem", ["paused"], [], []),
    "its program is of another processor": (
        all_("refused"), running(**EXITED, log_tail=["exec /app/server: exec format error"]), DATABASE, 0,
        "problem", ["build_failed"], [], [],
    ),
    "its image is missing": (
        all_("refused"), running(**{**EXITED, "state": "created", "error": "No such image: app:2"}), DATABASE, 0,
        "problem", ["build_failed"], [], [],
    ),
    "killed for want of memory, and down": (
        all_("refused"), running(**EXITED, oom_killed=True), DATABASE, 0,
        "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "killed for want of memory, and up again just now": (
        all_("refused"), running(oom_killed=True, restarts=1, uptime_seconds=9.0), DATABASE, 0,
        "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "killed for want of memory once, and well since": (
        probe(), running(oom_killed=True, restarts=1, uptime_seconds=40.0), DATABASE, 0, "healthy", [], [], [],
    ),
    "killed for want of memory once, and hangs much later": (
        all_("timeout"), running(oom_killed=True, restarts=1, uptime_seconds=400.0), DATABASE, 0,
        "problem", ["hangs"], ["restart_service"], [],
    ),
    "at its memory limit": (
        all_("timeout"), running(memory_ratio=0.99), DATABASE, 0, "problem", ["out_of_memory"], [], ["resource_usage"],
    ),
    "much memory, and it works": (probe(), running(memory_ratio=0.99), DATABASE, 0, "healthy", [], [], []),
    "its database is down": (all_("bad_status"), running(), NO_DATABASE, 0, "problem", ["database_down"], [], ["db_down"]),
    "it crashes because its database is down": (
        all_("refused"), crashing(), NO_DATABASE, 0, "problem", ["database_down"], [], ["db_down"],
    ),
    "its health says well, and its database is down": (
        probe(), running(), NO_DATABASE, 0, "problem", ["database_down"], [], ["db_down"],
    ),
    "no connection left": (all_("bad_status"), running(), FULL, 0, "problem", ["pool_exhausted"], [], ["db_pool"]),
    "requests wait for a connection": (
        probe(orders=bad()), running(), DATABASE, 9, "problem", ["pool_exhausted"], [], ["db_pool"],
    ),
    "requests wait, and all is answered": (probe(), running(), DATABASE, 9, "healthy", [], [], []),
    "crash loop": (all_("refused"), crashing(), DATABASE, 0, "problem", ["crash_loop"], [], ["crash_loop"]),
    "given up by its manager": (
        all_("refused"), crashing(state="fatal"), DATABASE, 0, "problem", ["crash_loop"], [], ["crash_loop"],
    ),
    "no container": (all_("refused"), running(**GONE), DATABASE, 0, "problem", ["not_running"], ["start_service"], []),
    "ended once": (all_("refused"), running(**EXITED), DATABASE, 0, "problem", ["not_running"], ["start_service"], []),
    "starting": (all_("refused"), running(health="starting", uptime_seconds=3), DATABASE, 0, "problem", ["starting"], [], []),
    "starting, without a health check": (
        all_("refused"), running(health="none", uptime_seconds=3), DATABASE, 0, "problem", ["starting"], [], [],
    ),
    "just started, and silent": (
        all_("timeout"), running(health="none", uptime_seconds=3), DATABASE, 0, "problem", ["hangs"], ["restart_service"], [],
    ),
    "started a while ago, and refuses": (
        all_("refused"), running(health="none", uptime_seconds=300), DATABASE, 0,
        "problem", ["hangs"], ["restart_service"], [],
    ),
    "unhealthy by its own check, and fails": (
        all_("bad_status"), running(health="unhealthy", health_output="503"), DATABASE, 0,
        "problem", ["hangs"], ["restart_service"], [],
    ),
    "unhealthy by its own check, and all is answered": (
        probe(), running(health="unhealthy", health_output="curl: not found"), DATABASE, 0,
        "problem", ["health_check_fails"], [], [],
    ),
    "unhealthy by its own check, and one endpoint cannot be asked": (
        probe(orders=UNKNOWN), running(health="unhealthy"), DATABASE, 0, "unknown", [], [], [],
    ),
    "its port is taken": (
        all_("refused"), running(**EXITED, error=PORT_TAKEN), DATABASE, 0, "problem", ["port_taken"], [], ["port_conflict"],
    ),
    "it has just started, and tries a taken port again": (
        all_("refused"), running(health=None, uptime_seconds=3, log_tail=GUNICORN), DATABASE, 0,
        "problem", ["port_taken"], [], ["port_conflict"],
    ),
    "it runs for long, and tries a taken port again and again": (
        all_("refused"), running(health=None, uptime_seconds=900, log_tail=GUNICORN), DATABASE, 0,
        "problem", ["port_taken"], [], ["port_conflict"],
    ),
    "its port was taken at its start, and it hangs now": (
        all_("timeout"), running(health=None, uptime_seconds=900, log_tail=[*GUNICORN, *["[7] [INFO] GET /orders"] * 12]), DATABASE, 0,
        "problem", ["hangs"], ["restart_service"], [],
    ),
    "its port is taken, and it was killed for want of memory before": (
        all_("refused"), running(**EXITED, error=PORT_TAKEN, oom_killed=True), DATABASE, 0,
        "problem", ["port_taken"], [], ["port_conflict"],
    ),
    "ended once, and the login at the database is refused": (
        all_("refused"), running(**EXITED), NO_LOGIN, 0, "problem", ["not_running"], ["start_service"], [],
    ),
    "ended once, and the database cannot be asked": (
        all_("refused"), running(**EXITED), NO_DRIVER, 0, "problem", ["not_running"], ["start_service"], [],
    ),
    "it crashes, and the login at the database is refused": (
        all_("refused"), crashing(), NO_LOGIN, 0, "problem", ["crash_loop"], [], ["crash_loop"],
    ),
    "it fails, and the login at the database is refused": (all_("bad_status"), running(), NO_LOGIN, 0, "unknown", [], [], []),
    "it fails, and the database is too busy for a question": (all_("bad_status"), running(), BUSY, 0, "unknown", [], [], []),
    "ended once, and its database is down": (all_("refused"), running(**EXITED), NO_DATABASE, 0, "problem", ["database_down"], [], ["db_down"]),
    "all endpoints are silent": (
        all_("timeout"), running(health="none"), DATABASE, 0, "problem", ["hangs"], ["restart_service"], [],
    ),
    "one endpoint is silent": (probe(orders=bad("timeout")), running(), DATABASE, 0, "problem", ["part_hangs"], [], []),
    "one endpoint is refused": (probe(orders=bad("refused")), running(), DATABASE, 0, "problem", ["part_hangs"], [], []),
    "one endpoint fails": (probe(orders=bad()), running(), DATABASE, 0, "problem", ["errors"], [], ["error_rate"]),
    "all endpoints fail, all else is well": (all_("bad_status"), running(), DATABASE, 0, "problem", ["errors"], [], ["error_rate"]),
    "certificate": (all_("tls"), running(), DATABASE, 0, "problem", ["tls"], [], []),
    "an endpoint cannot be asked": (probe(orders=UNKNOWN), running(), DATABASE, 0, "unknown", [], [], []),
    "none can be asked": (
        probe(health=UNKNOWN, orders=UNKNOWN, stats=UNKNOWN), running(), DATABASE, 0, "unknown", [], [], [],
    ),
    "the service cannot be seen, and works": (probe(), unseen(), DATABASE, 0, "unknown", [], [], []),
    "the service cannot be seen, and fails": (all_("refused"), unseen(), DATABASE, 0, "unknown", [], [], []),
    "it fails, and the database cannot be asked": (all_("bad_status"), running(), NO_DRIVER, 0, "unknown", [], [], []),
    "it works, and the database cannot be asked": (probe(), running(), NO_DRIVER, 0, "healthy", [], [], []),
}  # fmt: skip


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED)
def test_concluded(diagnose, measured):
    endpoints, service, database, waiting, *expected = MEASURED_CONCLUDED[measured]
    result = diagnose(
        "api_down",
        {
            "http_probe": endpoints,
            "service": observed({"api": service}),
            "postgres_activity": database,
            "metrics": {**POOL, "value": {"waiting": waiting}},
        },
        **SYSTEM,
        api_down_platform_status_url="https://status.example.com" if "platform" in endpoints["endpoints"] else "",
    )
    assert list(concluded(result)) == expected


@pytest.mark.parametrize(
    ("uptime", "value", "cause"),
    [
        # A pool that still grows lets some wait for a moment; one that is full, or is old, does not grow.
        (5, {"waiting": 1, "in_use": 2, "max": 25}, "hangs"),
        (5, {"waiting": 1, "in_use": 25, "max": 25}, "pool_exhausted"),
        (500, {"waiting": 1, "in_use": 2, "max": 25}, "pool_exhausted"),
        (5, {"waiting": 1}, "pool_exhausted"),
        (None, {"waiting": 1, "in_use": 2, "max": 25}, "pool_exhausted"),
    ],
)
def test_a_pool_that_still_grows_is_not_exhausted(diagnose, uptime, value, cause):
    seen = measure(
        http_probe=probe(orders=bad()),
        service=observed({"api": running(health="unhealthy", uptime_seconds=uptime)}),
        metrics={"available": True, "value": value},
    )
    assert concluded(diagnose("api_down", seen, **SYSTEM))[1] == [cause]


def measure(**changes: Any) -> dict[str, Any]:
    whole = {
        "http_probe": probe(),
        "service": observed({"api": running()}),
        "postgres_activity": DATABASE,
        "metrics": POOL,
    }
    return {**whole, **changes}


def test_a_stack_without_a_database(diagnose):
    observations = measure(http_probe=probe(orders=bad()))
    del observations["postgres_activity"]
    system = {key: value for key, value in SYSTEM.items() if key != "system_database"}
    assert concluded(diagnose("api_down", observations, **system))[1] == ["errors"]


def test_without_metrics_the_pool_is_no_cause(diagnose):
    observations = measure(http_probe=probe(orders=bad()))
    del observations["metrics"]
    assert concluded(diagnose("api_down", observations, **SYSTEM, api_down_pool_metrics={}))[1] == ["errors"]


RISKS = {
    "it ended, and no person did it": ({**EXITED, "stopped_by_person": False}, "low"),
    # A person or a deployment removed it.
    "no container": (GONE, "high"),
    "no container, and its manager says that nobody stopped it": ({**GONE, "stopped_by_person": False}, "high"),
    "whether a person ended it cannot be told": ({**EXITED, "stopped_by_person": None}, "high"),
}


@pytest.mark.parametrize("measured", RISKS)
def test_risk_of_a_start(diagnose, measured):
    changes, risk = RISKS[measured]
    observations = measure(http_probe=all_("refused"), service=observed({"api": running(**changes)}))
    (step,) = diagnose("api_down", observations, **SYSTEM)["plan"]["steps"]
    assert (step["remedy"], step["risk"], step["targets"]) == ("start_service", risk, [{"service": "api"}])


def test_that_the_database_cannot_be_told_about_is_said(diagnose):
    observations = measure(
        http_probe=all_("refused"), service=observed({"api": running(**EXITED)}), postgres_activity=NO_LOGIN
    )
    findings = diagnose("api_down", observations, **SYSTEM)["findings"]
    assert next(one["status"] for one in findings if one["cause"] == "database_down") == "unknown"


def test_the_errors_of_its_log_are_advice(diagnose):
    api = running(log_tail_errors=[{"count": 9, "line": "KeyError: #", "last": "KeyError: 'discount_percent'"}])
    result = diagnose("api_down", measure(http_probe=probe(orders=bad()), service=observed({"api": api})), **SYSTEM)
    advice = next(one["advice"] for one in result["findings"] if one["cause"] == "errors")
    assert advice == ["The last errors in its log:", "KeyError: 'discount_percent'"]
    assert result["evidence"]["endpoints"]["orders"]["error"] == "bad_status"


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[nothing]"
WRONG_CAUSE_ROW = "test_concluded[its database is down]"
NO_TELEMETRY_ROW = "test_concluded[none can be asked]"

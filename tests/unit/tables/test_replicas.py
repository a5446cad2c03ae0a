"""A service of several containers, programs or units: it is as well as the weakest, that is named, and only that is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.docker.container_summary import summary
from ansible_collections.oncall.runbooks.plugins.module_utils.services.group import as_one
from ansible_collections.oncall.runbooks.tests.support.observed_services import concluded, crashing, observed, running

OK: dict[str, Any] = {"available": True, "ok": True, "error": "", "reason": ""}
BAD = {"available": True, "ok": False, "error": "bad_status", "reason": "GET http://h/: 502"}
SYSTEM = {
    "system_services": {
        "web": {"manager": "compose", "project": "/srv/shop", "health_url": "http://127.0.0.1:1/health"}
    },
    "api_down_service": "web",
    "api_down_endpoints": {"health": "http://127.0.0.1:1/health"},
    "crash_loop_services": ["web"],
    "crash_loop_ready_urls": {},
}
EXITED = {
    "state": "exited", "health": None, "exit_code": 1, "uptime_seconds": None, "pid": None, "memory_ratio": None, "cpu_ratio": None,
}  # fmt: skip
STOPPED = {**EXITED, "exit_code": 143, "stopped_by_person": True}
UNHEALTHY = {"health": "unhealthy", "health_output": "pool: 0 of 8"}


def compose(*replicas: dict[str, Any]) -> dict[str, Any]:
    """What service_info tells of a service of Compose with these containers."""
    own = [
        {**replica, "container": f"shop-web-{number}", "container_id": f"{number}" * 12}
        for number, replica in enumerate(replicas, 1)
    ]
    logs = {one["container_id"]: {"text": "\n".join(one["log_tail"]), "reason": None} for one in own}
    return summary(own, logs, 50, 50)


def group(*programs: dict[str, Any], name: str = "web:web_{:02}") -> dict[str, Any]:
    """What it tells of a group of supervisor with these programs."""
    own = [{**program, "name": name.format(number)} for number, program in enumerate(programs)]
    return {**as_one(own, is_group=True), "manager": "supervisor", "health": None}


def units(*some: dict[str, Any]) -> dict[str, Any]:
    """What it tells of a unit of systemd that stands for these of a template."""
    return {**group(*some, name="web@{}.service"), "manager": "systemd"}


MEASURED_CONCLUDED = {
    # name: (the service, whether its URL answers, then of api_down and of crash_loop: causes, targets of what would be done)
    "all containers run": (compose(running(), running()), True, ([], []), ([], [])),
    "one container has ended": (
        compose(running(), running(**EXITED)), True,
        (["not_running"], [{"service": "web", "members": ["shop-web-2"]}]),
        (["unexplained"], [{"service": "web", "members": ["shop-web-2"]}]),
    ),
    "all containers have ended": (
        compose(running(**EXITED), running(**EXITED)), False,
        (["not_running"], [{"service": "web"}]),
        (["unexplained"], [{"service": "web"}]),
    ),
    "one container ends again and again": (
        compose(crashing("bye"), running()), True,
        (["crash_loop"], []),
        (["unexplained"], [{"service": "web", "members": ["shop-web-1"]}]),
    ),
    "two of three containers end again and again": (
        compose(crashing("bye"), running(), crashing("bye")), True,
        (["crash_loop"], []),
        (["unexplained"], [{"service": "web", "members": ["shop-web-1", "shop-web-3"]}]),
    ),
    "a person stopped one container": (
        compose(running(), running(**STOPPED)), True, (["stopped_by_person"], []), ([], []),
    ),
    "one container is unhealthy": (
        compose(running(), running(**UNHEALTHY)), False,
        (["hangs"], [{"service": "web", "members": ["shop-web-2"]}]), (["does_not_answer"], []),
    ),
    "both containers are unhealthy": (
        compose(running(**UNHEALTHY), running(**UNHEALTHY)), False, (["hangs"], [{"service": "web"}]), (["does_not_answer"], []),
    ),
    "one container is unhealthy, and the other answers": (
        compose(running(), running(**UNHEALTHY)), True, (["health_check_fails"], []), (["does_not_answer"], []),
    ),
    "all programs run": (group(running(), running()), True, ([], []), ([], [])),
    "one program was given up": (
        group(running(), crashing("bye", state="fatal")), True,
        (["crash_loop"], []), (["unexplained"], [{"service": "web", "members": ["web:web_01"]}]),
    ),
    "one program has ended": (
        group(running(**EXITED), running()), True,
        (["not_running"], [{"service": "web", "members": ["web:web_00"]}]),
        (["unexplained"], [{"service": "web", "members": ["web:web_00"]}]),
    ),
    "one unit of a template failed": (
        units(running(), crashing("bye", state="fatal")), True,
        (["crash_loop"], []), (["unexplained"], [{"service": "web", "members": ["web@1.service"]}]),
    ),
    # It goes on to be named where its reason is known.
    "one unit of a template wants a variable": (
        units(running(), crashing("KeyError: 'DATABASE_URL'", state="fatal")), True, (["crash_loop"], []), (["missing_variable"], []),
    ),
    "the unit of the only cluster failed": (
        units(crashing("bye", state="fatal")), False, (["crash_loop"], []), (["unexplained"], [{"service": "web"}]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED)
def test_concluded(diagnose, measured):
    service, answers, *expected = MEASURED_CONCLUDED[measured]
    looked = {
        "api_down": {
            "service": observed({"web": service}),
            "http_probe": {
                "available": True, "endpoints": {"health": OK if answers else BAD}, "failing": [] if answers else ["health"],
                "unknown": [], "limits": [],
            },
        },
        "crash_loop": {"service": observed({"web": service})},
    }  # fmt: skip
    for (runbook, seen), (causes, targets) in zip(looked.items(), expected, strict=True):
        result = diagnose(runbook, seen, **SYSTEM)
        status, problems, _acts, _handed = concluded(result)
        assert problems == causes, (runbook, result["msg"])
        assert [target for step in result["plan"]["steps"] for target in step["targets"]] == targets, runbook
        sick = {name for target in targets for name in target.get("members", [])}
        assert [name for name in sick if name not in result["msg"]] == [], result["msg"]
        # The one that is down is named, also where nothing is done about it.
        is_one_down = 0 < service["replicas_running"] < service["replicas"]
        assert status == "healthy" or not is_one_down or service["weakest"] in result["msg"], result["msg"]


def test_a_unit_that_only_started_something_is_not_known_to_run(diagnose):
    reason = "service web: shop.service is active (exited), which says that it started something and not that this runs"
    shell = running(state="unknown", pid=None, uptime_seconds=None, manager="systemd", health=None, reason=reason)
    seen = {
        "service": observed({"web": shell}),
        "http_probe": {"available": True, "endpoints": {"health": OK}, "failing": [], "unknown": [], "limits": []},
    }
    for runbook in ("api_down", "crash_loop"):
        result = diagnose(runbook, seen, **SYSTEM)
        assert (concluded(result)[0], result["plan"]["steps"]) == ("unknown", []), result["msg"]
    assert "active (exited)" in str(diagnose("crash_loop", seen, **SYSTEM))

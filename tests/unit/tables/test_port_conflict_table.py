# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook port_conflict."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import KEYS
from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, steps_that_act

MANAGERS = {
    "supervisor": {"manager": "supervisor", "name": "api", "config": "/etc/s.conf"},
    "systemd": {"manager": "systemd", "name": "api.service"},
    "compose": {"manager": "compose", "project": "/srv/app"},
    "command": {"manager": "command", "commands": {"status": ["true"], "restart": ["true"], "start": ["true"]}},
}
IN_USE = [{"count": 3, "line": "OSError", "last": "OSError: [Errno 98] Address already in use"}]
OTHER_ERROR = [{"count": 3, "line": "KeyError", "last": "KeyError: 'DATABASE_URL'"}]
STARTED = 1_800_000_000
CONTAINER = {"id": "c" * 64, "name": "grafana", "labels": {}, "published": [8080]}


def holder(pid: int = 700, **changes: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "ppid": 1,
        "ancestors": [1],
        "program": "python3",
        "command": "python3 -m http.server 8080",
        "description": f"pid {pid} of user app, started 2027-01-15 08:00:00 UTC: python3 -m http.server 8080",
        "user": "app",
        "uid": 1000,
        "start_ticks": 5000 + pid,
        "started_at_seconds": STARTED - 1000,
        "is_kernel_thread": False,
        "unit": None,
        "container": None,
        "service": None,
        "addresses": ["0.0.0.0"],
        "listening": True,
        "why_not_end": "",
    } | changes


def unseen(**changes: Any) -> dict[str, Any]:
    return {"pid": None, "uid": 0, "user": "root", "addresses": ["::"], "listening": True, "reason": "become"} | changes


def port(*holders: dict[str, Any]) -> dict[str, Any]:
    complete = all(one["pid"] for one in holders)
    state = "held" if holders else "free"
    return {
        "available": True,
        "complete": complete,
        "limits": [] if complete else ["port 8080 on ::, user root: its owner cannot be seen: run with become"],
        "ports": {"service": {"port": 8080, "address": "", "state": state, "holders": list(holders)}},
    }


def service(state: str = "fatal", manager: str = "supervisor", **changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = dict.fromkeys(KEYS)
    known |= {"available": True, "manager": manager, "state": state, "log_tail_errors": [], "stopped_by_person": False}
    if state == "running":
        known |= {"pid": 600, "started_at_seconds": STARTED, "uptime_seconds": 500.0}
    return {"available": True, "services": {"api": known | changes}}


OWN = holder(600, service="api", started_at_seconds=STARTED)
WORKER = holder(601, service="api", ppid=600, ancestors=[600, 50, 1], started_at_seconds=STARTED + 1)
OLD = holder(service="api")
NO_PORT = {"available": False, "reason": "/proc/net/tcp cannot be read: Permission denied"}
NO_SERVICE = {
    "available": False,
    "reason": "supervisord does not answer",
    "services": {"api": {"available": False, "manager": "supervisor", "reason": "supervisord does not answer"}},
}
OF_CONTAINER = holder(program="docker-proxy", container=CONTAINER)

# what was measured about the service and the port -> cause, remedy, risk
CONCLUDED = {
    "orphan": (service(), port(OLD), "own_old_process", "end_process", "medium"),
    "orphan while the new one retries": (
        service("running"), port(OLD), "own_old_process", "end_process", "medium"
    ),
    "orphan of a unit": (service("backoff", "systemd"), port(OLD), "own_old_process", "end_process", "medium"),
    "orphan of what a person stopped": (
        service("stopped", stopped_by_person=True), port(OLD), "own_old_process", "end_process", "high"
    ),
    "stranger": (service(), port(holder()), "stranger", "end_process", "high"),
    "stranger while the service retries": (service("running"), port(holder()), "stranger", "end_process", "high"),
    "stranger before a container": (
        service("created", "compose", error="address already in use"), port(holder()), "stranger", "end_process", "high"
    ),
    "nobody may end it": (service(), port(holder(1, why_not_end="it is process 1")), "stranger", None, "none"),
    "container": (service(), port(OF_CONTAINER), "other_container", "stop_container", "high"),
    "container before a container": (
        service("exited", "compose", error="port is already allocated"),
        port(OF_CONTAINER), "other_container", "stop_container", "high"
    ),
    "service of the same stack": (service(), port(holder(service="worker")), "other_service", None, "none"),
    "connection": (service(), port(holder(listening=False)), "connection", None, "none"),
    "free again": (
        service(log_tail_errors=IN_USE), port(), "port_free_but_service_down", "start_service", "low"
    ),
    "free again, says Go": (
        service(log_tail=["2026/01/01 00:00:00 listen tcp :8080: bind: address already in use"]),
        port(), "port_free_but_service_down", "start_service", "low",
    ),
    "free again, says .NET": (
        service(log_tail=[
            "crit: Microsoft.AspNetCore.Server.Kestrel[0]",
            "System.IO.IOException: Failed to bind to address http://0.0.0.0:8080: address already in use.",
        ]),
        port(), "port_free_but_service_down", "start_service", "low",
    ),
    "free again, says Rust": (
        service(log_tail=['Error: Os { code: 98, kind: AddrInUse, message: "Address already in use" }']),
        port(), "port_free_but_service_down", "start_service", "low",
    ),
    "an INFO line says it, and something else ended it": (
        service(log_tail=["INFO trying again: address already in use", "KeyError: 'DATABASE_URL'"]),
        port(), "down_for_another_reason", None, "none",
    ),
    "free again, says the engine": (
        service("created", "compose", error="Bind for 0.0.0.0:8080 failed: port is already allocated"),
        port(), "port_free_but_service_down", "start_service", "low",
    ),
    "free again, or stopped by a person since": (
        service("exited", "compose", exit_code=0, stopped_by_person=None, log_tail_errors=IN_USE),
        port(), "port_free_but_service_down", "start_service", "high",
    ),
    "does not listen": (service("running"), port(), "not_listening", None, "none"),
    "stopped by a person": (
        service("exited", "compose", stopped_by_person=True, log_tail_errors=IN_USE), port(), "stopped", None, "none"
    ),
    "stopped": (service("stopped", "systemd", stopped_by_person=None), port(), "stopped", None, "none"),
    "down for another reason": (
        service(log_tail_errors=OTHER_ERROR), port(), "down_for_another_reason", None, "none"
    ),
    "down, though its own container has the port": (
        service("restarting", "compose"),
        port(holder(container=CONTAINER, service="api")), "down_for_another_reason", None, "none",
    ),
}  # fmt: skip


PUBLISHED = [{"container_port": 80, "protocol": "tcp", "host_address": "127.0.0.1", "host_port": 8080}]
ELSEWHERE = holder(701, addresses=["127.0.0.2"])
HELD = "driver failed: failed to bind host port 127.0.0.1:8080/tcp: address already in use"
REFUSED = service("exited", "compose", error=HELD, ports=PUBLISHED)

# what was measured about the service and the port -> status, problems, who would be ended
ADDRESSES = {
    "another address, and it is down": (REFUSED, [ELSEWHERE], "problem", ["port_free_but_service_down"], []),
    "another address, and it runs": (service("running", "compose", ports=PUBLISHED), [ELSEWHERE], "healthy", [], []),
    "the same address": (REFUSED, [holder(addresses=["127.0.0.1"]), ELSEWHERE], "problem", ["stranger"], [700]),
    "every address": (REFUSED, [holder(addresses=["::"]), ELSEWHERE], "problem", ["stranger"], [700]),
    "it publishes on every address": (
        service("exited", "compose", error=HELD, ports=[PUBLISHED[0] | {"host_address": None}]),
        [ELSEWHERE], "problem", ["stranger"], [701],
    ),
    "a container that publishes it on another address": (
        REFUSED, [OF_CONTAINER | {"addresses": ["127.0.0.2"]}], "problem", ["port_free_but_service_down"], [],
    ),
    "it publishes another port: not the one that was looked at": (
        service("exited", "compose", error=HELD, ports=[PUBLISHED[0] | {"host_port": 9090}]),
        [holder()], "unknown", [], [],
    ),
    "there is no container to tell the address": (service("absent", "compose"), [ELSEWHERE], "unknown", [], []),
    "there is no container, and every address is held": (
        service("absent", "compose"), [holder()], "problem", ["stranger"], [700],
    ),
    "a program of an unknown address that ends for another reason": (
        service(log_tail_errors=OTHER_ERROR), [ELSEWHERE], "unknown", [], [],
    ),
    "a program of an unknown address that says so": (
        service(log_tail_errors=IN_USE), [ELSEWHERE], "problem", ["stranger"], [701],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ADDRESSES)
def test_only_who_holds_its_address_is_in_its_way(conclude, case):
    seen, holders, status, problems, ended = ADDRESSES[case]
    diagnosis = conclude(seen, port(*holders))
    assert (diagnosis["status"], causes_that_are(diagnosis, "problem")) == (status, problems), diagnosis["findings"]
    targets = [target for step in diagnosis["plan"]["steps"] for target in step["targets"]]
    assert [target["pid"] for target in targets if "pid" in target] == ended
    assert not [target for target in targets if "id" in target]


@pytest.fixture
def conclude(diagnose):
    def run(seen: dict[str, Any], ports: dict[str, Any]) -> dict[str, Any]:
        manager = seen["services"]["api"]["manager"]
        services = {"api": {**MANAGERS[manager], "port": 8080}, "worker": MANAGERS["supervisor"]}
        looked = {"service": seen, "port": ports}
        return diagnose("port_conflict", looked, system_services=services)

    return run


@pytest.mark.parametrize("case", CONCLUDED)
def test_cause(conclude, case):
    seen, ports, cause, remedy, risk = CONCLUDED[case]
    diagnosis = conclude(seen, ports)
    assert causes_that_are(diagnosis, "problem") == [cause], diagnosis["findings"]
    assert causes_that_are(diagnosis, "unknown") == [], diagnosis["findings"]
    assert steps_that_act(diagnosis) == ([remedy] if remedy else []), diagnosis["plan"]
    assert diagnosis["plan"]["risk"] == risk
    assert "not available" not in diagnosis["msg"]


def test_the_plan_names_exactly_what_would_be_ended(conclude):
    diagnosis = conclude(service(), port(holder(700), holder(701, ppid=700, ancestors=[700, 1])))
    (step,) = diagnosis["plan"]["steps"]
    assert step["targets"] == [
        {
            "service": "api",
            "port": 8080,
            "pid": pid,
            "start_ticks": 5000 + pid,
            "user": "app",
            "command": "python3 -m http.server 8080",
        }
        for pid in (700, 701)
    ]
    assert "pid 700 of user app, started 2027-01-15 08:00:00 UTC: python3 -m http.server 8080" in diagnosis["msg"]
    (step,) = conclude(service(), port(OF_CONTAINER))["plan"]["steps"]
    assert step["targets"] == [{"service": "api", "port": 8080, "id": "c" * 64, "name": "grafana"}]
    assert step["undo"] == {"container_ids": ["c" * 64]}


def test_the_plan_is_another_where_the_number_belongs_to_another_process(conclude):
    plans = [conclude(service(), port(one))["plan"]["hash"] for one in (holder(), holder(), holder(start_ticks=1))]
    assert plans[0] == plans[1] != plans[2]


def test_no_process_is_ended_where_one_of_them_may_not_be(conclude):
    (step,) = conclude(service(), port(holder(), holder(2, why_not_end="sshd holds up the host")))["plan"]["steps"]
    assert (step["available"], step["why_not"]) == (False, "there is nothing it may touch")


@pytest.mark.parametrize(
    ("seen", "ports"),
    [
        (service("running"), port(OWN)),
        (service("running"), port(OWN, WORKER)),
        (service("running", "systemd"), port(WORKER)),
        # The environment of a worker can be cleaned; its parents tell.
        (service("running"), port(WORKER | {"service": None})),
        # A unit whose processes systemd does not follow.
        (service("running", "systemd", pid=None, started_at_seconds=None, uptime_seconds=None), port(OLD)),
        (service("running", "compose"), port(holder(container=CONTAINER, service="api"))),
        # The port of a container that publishes none is another one than the host's.
        (service("running", "compose"), port(holder())),
        (service("running", "compose"), port(unseen())),
        (service("running", "command", pid=None, uptime_seconds=None), port(holder())),
        # A stranger on another address is in nobody's way.
        (service("running"), port(OWN, holder())),
    ],
)
def test_healthy(conclude, seen, ports):
    diagnosis = conclude(seen, ports)
    assert diagnosis["status"] == "healthy", diagnosis["findings"]
    assert diagnosis["plan"]["steps"] == []


@pytest.mark.parametrize(
    ("seen", "ports", "reason"),
    [
        (service(), NO_PORT, "/proc/net/tcp cannot be read"),
        (NO_SERVICE, port(), "supervisord does not answer"),
        (NO_SERVICE, port(holder()), "supervisord does not answer"),
        (service(), port(unseen()), "run with become"),
        (service("running"), port(unseen()), "run with become"),
        (service("starting"), port(), "not everything could be seen"),
        (service("unknown"), port(), "not everything could be seen"),
        (service("running", uptime_seconds=2.0), port(), "not everything could be seen"),
        (service(log_tail_errors=None), port(), ""),
    ],
)
def test_what_cannot_be_told_is_unknown_and_touches_nothing(conclude, seen, ports, reason):
    diagnosis = conclude(seen, ports)
    assert diagnosis["status"] == "unknown", diagnosis["findings"]
    assert reason in diagnosis["msg"]
    assert diagnosis["plan"]["steps"] == []


def test_the_service_that_was_handed_over_is_looked_at(diagnose):
    services = {"api": MANAGERS["compose"] | {"port": 8080}, "worker": MANAGERS["compose"]}
    seen = {"available": True, "services": {"worker": REFUSED["services"]["api"]}}
    looked = {"service": seen, "port": port(holder(addresses=["127.0.0.1"]))}
    subject = {"service": "worker", "port": 8080}
    diagnosis = diagnose("port_conflict", looked, system_services=services, run_subject=subject)
    assert causes_that_are(diagnosis, "problem") == ["stranger"]
    (step,) = diagnosis["plan"]["steps"]
    assert (step["targets"][0]["service"], step["targets"][0]["port"]) == ("worker", 8080)
    assert "port 8080 of worker is held by" in diagnosis["msg"]


@pytest.mark.parametrize(
    ("listens", "health_url", "problems"),
    [
        (["::1"], "http://127.0.0.1:8080/health", ["listens_elsewhere"]),
        (["127.0.0.1"], "http://[::1]:8080/health", ["listens_elsewhere"]),
        (["10.0.0.5"], "http://127.0.0.1:8080/health", ["listens_elsewhere"]),
        (["127.0.0.1"], "http://10.0.0.5:8080/health", ["listens_elsewhere"]),
        # It is asked where it listens, at least with one of its sockets, or at every address.
        (["127.0.0.1"], "http://127.0.0.1:8080/health", []),
        (["::1", "127.0.0.1"], "http://127.0.0.1:8080/health", []),
        (["0.0.0.0"], "http://10.0.0.5:8080/health", []),
        (["::"], "http://127.0.0.1:8080/health", []),
        # What a name stands for, and what another port is, is not known here.
        (["::1"], "http://shop.example:8080/health", []),
        (["::1"], "http://localhost:8080/health", []),
        (["::1"], "http://127.0.0.1:80/health", []),
        (["::1"], "http://127.0.0.1:no/health", []),
        (["::1"], "", []),
    ],
)
def test_it_listens_where_it_is_asked(diagnose, listens, health_url, problems):
    api = {**MANAGERS["supervisor"], "port": 8080, "health_url": health_url}
    seen = {"service": service("running"), "port": port({**OWN, "addresses": listens})}
    result = diagnose(
        "port_conflict", seen, system_services={"api": api}, port_conflict_service="api", port_conflict_port=8080
    )
    assert (causes_that_are(result, "problem"), result["plan"]["steps"]) == (problems, []), result["msg"]
    assert result["status"] == ("problem" if problems else "healthy")


@pytest.mark.parametrize("variable", [{"ansible_connection": "winrm"}, {"ansible_shell_type": "powershell"}])
def test_windows_host(diagnose, variable):
    services = {"api": {"manager": "command", "commands": {}, "port": 8080}}
    not_looked = {"port": {"available": False, "reason": "this is a Windows host"}}
    diagnosis = diagnose("port_conflict", not_looked, system_services=services, **variable)
    assert causes_that_are(diagnosis, "problem") == ["windows_host"]
    assert diagnosis["plan"]["steps"] == []
    (finding,) = (one for one in diagnosis["findings"] if one["cause"] == "windows_host")
    assert "netstat -ano | findstr :8080" in finding["advice"][0]
    assert "taskkill /F /PID <pid>" in finding["advice"][2]
    assert {one["reason"] for one in diagnosis["findings"] if one["status"] == "unknown"} == {"this is a Windows host"}


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_healthy[seen0-ports0]"
WRONG_CAUSE_ROW = "test_cause[down for another reason]"
NO_TELEMETRY_ROW = "test_what_cannot_be_told_is_unknown_and_touches_nothing[seen8-ports8-]"

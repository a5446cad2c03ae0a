# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl said -> what a unit does. Texts of a real systemd 252."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.services import systemd as service_systemd
from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.services.systemd import (
    cores_of,
    describe,
    parse_show,
    state_of,
)

SHOWN = """Type=simple
Restart=no
NRestarts=0
Result=success
MainPID=92
ExecMainCode=0
ExecMainStatus=0
ExecMainStartTimestampMonotonic=9000000
ExecMainExitTimestampMonotonic=0
MemoryMax=67108864
CPUQuotaPerSecUSec=1.500s
ControlGroup=/system.slice/good.service
LoadState=loaded
LoadError=
ActiveState=active
SubState=running

Type=simple
Restart=always
NRestarts=3
Result=oom-kill
MainPID=0
ExecMainCode=2
ExecMainStatus=9
ExecMainStartTimestampMonotonic=5000000
ExecMainExitTimestampMonotonic=6000000
MemoryMax=33554432
CPUQuotaPerSecUSec=infinity
ControlGroup=
LoadState=loaded
LoadError=
ActiveState=failed
SubState=failed
"""


def unit(number: int = 1, **changes: str) -> dict[str, str]:
    return parse_show(SHOWN)[number] | changes


def test_a_unit_that_runs():
    found = describe(unit(0), now=1000.0, now_monotonic=10.0)
    assert (found["state"], found["pid"], found["exit_code"], found["signal"]) == ("running", 92, None, None)
    assert (found["started_at_seconds"], found["uptime_seconds"], found["finished_at_seconds"]) == (999.0, 1.0, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"state": "fatal", "signal": "SIGKILL", "oom_killed": True, "restarts": 3, "finished_at_seconds": 996.0}),
        # Version 1 of cgroups: killed by whom, systemd does not know.
        ({"Result": "signal"}, {"signal": "SIGKILL", "oom_killed": None}),
        ({"Result": "signal", "ExecMainStatus": "11"}, {"signal": "SIGSEGV", "oom_killed": False}),
        ({"Result": "signal", "ExecMainStatus": "64"}, {"signal": "SIGRTMAX"}),
        ({"Result": "signal", "ExecMainStatus": "50"}, {"signal": "SIG50"}),
        ({"Result": "core-dump", "ExecMainCode": "3", "ExecMainStatus": "6"}, {"signal": "SIGABRT", "error": None}),
        (
            {"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "203"},
            {"exit_code": 203, "signal": None, "oom_killed": False},
        ),
        (
            {"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "143"},
            {"state": "fatal", "stopped_by_person": None},
        ),
        (
            {"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "1"},
            {"state": "fatal", "stopped_by_person": False},
        ),
        ({"Result": "start-limit-hit"}, {"error": "systemd gave it up: start-limit-hit"}),
        ({"Result": "success", "LoadState": "masked"}, {"error": "the unit is masked"}),
        (
            {"Result": "success", "ActiveState": "inactive", "SubState": "dead", "ExecMainStatus": "15"},
            {"state": "stopped", "stopped_by_person": True},
        ),
        (
            {"Result": "success", "ActiveState": "inactive", "ExecMainCode": "1", "ExecMainStatus": "0"},
            {"state": "stopped", "stopped_by_person": None, "exit_code": 0},
        ),
    ],
)
def test_a_unit_that_does_not(changes, expected):
    found = describe(unit(**changes), now=1000.0, now_monotonic=10.0)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("active", "sub", "kind", "has_processes", "state"),
    [
        ("active", "running", "notify", True, "running"),
        # What it started is elsewhere, such as in containers, or it never started anything.
        ("active", "exited", "oneshot", False, "unknown"),
        # It left something running behind.
        ("active", "exited", "oneshot", True, "running"),
        # An init script whose daemon is gone.
        ("active", "exited", "forking", False, "exited"),
        ("active", "exited", "simple", False, "exited"),
        ("reloading", "reload", "notify", True, "running"),
        ("activating", "start", "oneshot", True, "starting"),
        ("activating", "start-pre", "simple", True, "starting"),
        ("activating", "auto-restart", "simple", False, "backoff"),
        ("deactivating", "stop-sigterm", "simple", True, "stopped"),
        ("inactive", "dead", "simple", False, "stopped"),
        ("inactive", "dead", "oneshot", False, "stopped"),
        ("failed", "failed", "simple", False, "fatal"),
        ("failed", "failed", "oneshot", False, "fatal"),
        ("maintenance", "", "simple", False, "unknown"),
    ],
)
def test_state(active, sub, kind, has_processes, state):
    assert state_of(active, sub, kind, has_processes) == state


# Debian's postgresql.service and the unit of its cluster, after that was killed.
CLUSTER_KILLED = """Type=oneshot
Restart=no
NRestarts=0
Result=success
MainPID=0
ExecMainCode=1
ExecMainStatus=0
ExecMainStartTimestampMonotonic=52196520680
ExecMainExitTimestampMonotonic=52196572608
ControlGroup=
CPUQuotaPerSecUSec=infinity
MemoryMax=infinity
ConsistsOf=postgresql@15-main.service
LoadState=loaded
ActiveState=active
SubState=exited
LoadError=

Type=simple
Restart=no
NRestarts=0
Result=signal
MainPID=0
ExecMainCode=2
ExecMainStatus=9
ExecMainStartTimestampMonotonic=52199961659
ExecMainExitTimestampMonotonic=52201867004
ControlGroup=
CPUQuotaPerSecUSec=infinity
MemoryMax=infinity
ConsistsOf=
LoadState=loaded
ActiveState=failed
SubState=failed
LoadError=
"""
SHELL, DEAD = parse_show(CLUSTER_KILLED)
LIVES = DEAD | {
    "Result": "success", "MainPID": "236", "ExecMainCode": "0", "ExecMainStatus": "0", "ControlGroup": "/system.slice/x",
    "ActiveState": "active", "SubState": "running",
}  # fmt: skip
STOPPED = DEAD | {"Result": "success", "ExecMainStatus": "15", "ActiveState": "inactive", "SubState": "dead"}
PARTS = {"web@1.service": LIVES, "web@2.service": LIVES}
PAIR = SHELL | {"ConsistsOf": " ".join(PARTS)}


def shown(unit: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in unit.items())


@pytest.fixture
def look(monkeypatch):
    def ask(units: dict[str, dict[str, str]], *names: str):
        def answer(argv, _seconds):
            asked = argv[argv.index("--") + 1 :] if argv[1] == "show" else []
            text = "\n".join(shown(units[name]) for name in asked)
            return {"exit_code": 0, "signal": None, "stdout": text, "stderr": "", "error": ""}

        monkeypatch.setattr(service_systemd, "run", answer)
        services = {name: {"manager": "systemd", "name": name} for name in names}
        limits = {
            "timeout_seconds": 5,
            "log_lines": 10,
            "log_tail_lines": 0,
            "window_seconds": 0,
            "samples": 2,
            "top_processes": 0,
            "variables": [],
            "numbers": [],
            "compared": {},
        }
        return observe({"services": services, **limits})["services"]

    return ask


@pytest.mark.parametrize(
    ("units", "state", "weakest", "running"),
    [
        # A shell is as well as what is part of it.
        ({"a.service": SHELL, "postgresql@15-main.service": DEAD}, "fatal", "postgresql@15-main.service", 0),
        ({"a.service": SHELL, "postgresql@15-main.service": LIVES}, "running", "postgresql@15-main.service", 1),
        ({"a.service": SHELL, "postgresql@15-main.service": STOPPED}, "stopped", "postgresql@15-main.service", 0),
        # Two replicas of a template: the one that is down is named, and the service does not run.
        ({"a.service": PAIR, **PARTS}, "running", "web@1.service", 2),
        ({"a.service": PAIR, **PARTS, "web@2.service": DEAD}, "fatal", "web@2.service", 1),
        ({"a.service": PAIR, **PARTS, "web@2.service": STOPPED}, "stopped", "web@2.service", 1),
        # A part that is a shell itself proves nothing.
        ({"a.service": PAIR, **PARTS, "web@2.service": SHELL | {"ConsistsOf": ""}}, "unknown", "web@2.service", 1),
        # A timer or a socket is no part that runs.
        ({"a.service": PAIR | {"ConsistsOf": "a.timer web@1.service"}, **PARTS}, "running", "web@1.service", 1),
    ],
)
def test_a_unit_that_only_stands_for_others_is_as_well_as_the_weakest_of_them(look, units, state, weakest, running):
    seen = look(units, "a")["a"]
    assert (seen["state"], seen["weakest"], seen["replicas_running"]) == (state, weakest, running)
    assert seen["replicas"] == len(seen["members"])


@pytest.mark.parametrize("more", [{}, {"ConsistsOf": "a.timer"}])
def test_active_is_not_running(look, more):
    seen = look({"shop.service": SHELL | {"ConsistsOf": "", **more}}, "shop")["shop"]
    assert (seen["available"], seen["state"], seen["pid"], seen["members"]) == (True, "unknown", None, None)
    assert seen["reason"].startswith(
        "service shop: shop.service is active (exited), which says that it started something"
    )


def test_a_oneshot_that_left_a_process_behind_runs(look):
    seen = look(
        {"firewall.service": SHELL | {"ConsistsOf": "", "ControlGroup": "/system.slice/firewall.service"}}, "firewall"
    )
    assert (seen["firewall"]["state"], seen["firewall"].get("reason")) == ("running", None)


def test_units_of_a_template_as_services_of_their_own(look):
    seen = look({**PARTS, "web@2.service": DEAD}, "web@1", "web@2")
    assert (seen["web@1"]["state"], seen["web@2"]["state"], seen["web@2"]["signal"]) == ("running", "fatal", "SIGKILL")


def test_a_systemd_that_does_not_show_what_is_empty(look):
    older = {key: value for key, value in LIVES.items() if key != "ConsistsOf"}
    assert look({"api.service": older}, "api")["api"]["state"] == "running"


@pytest.mark.parametrize(
    ("quota", "cores"), [("1.500s", 1.5), ("500ms", 0.5), ("infinity", None), ("", None), ("1min 30s", 90.0)]
)
def test_cores(quota, cores):
    assert cores_of(quota) == cores


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (
            {"exit_code": 1, "stderr": "System has not been booted with systemd as init system (PID 1).\n"},
            "service api: systemctl ended with exit code 1: System has not been booted with systemd as init system",
        ),
        ({"error": "No such file or directory"}, "service api: systemctl cannot be run: No such file or directory"),
        ({"error": "timeout"}, "service api: systemctl was killed: it had not ended within"),
        (
            {"exit_code": 0, "stdout": "Unbelievable\n"},
            "service api: systemctl show does not tell what it is asked for",
        ),
    ],
)
def test_what_systemctl_does_not_tell_is_not_available(monkeypatch, ended, reason):
    nothing = {"exit_code": None, "signal": None, "stdout": "", "stderr": "", "error": ""}
    monkeypatch.setattr(service_systemd, "run", lambda argv, seconds: nothing | ended)
    found = observe(
        {
            "services": {"api": {"manager": "systemd", "name": "api"}},
            "timeout_seconds": 1,
            "log_lines": 10,
            "log_tail_lines": 0,
            "window_seconds": 0,
            "samples": 2,
            "top_processes": 0,
            "variables": [],
            "numbers": [],
            "compared": {},
        }
    )
    assert found["available"] is False
    assert found["reason"].startswith(reason)
    assert "\n" not in found["reason"]

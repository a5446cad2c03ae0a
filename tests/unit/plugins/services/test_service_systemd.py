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
    ("active", "sub", "kind", "state"),
    [
        ("active", "running", "notify", "running"),
        ("active", "exited", "oneshot", "running"),
        # An init script whose daemon is gone.
        ("active", "exited", "forking", "exited"),
        ("reloading", "reload", "notify", "running"),
        ("activating", "start-pre", "simple", "starting"),
        ("activating", "auto-restart", "simple", "backoff"),
        ("deactivating", "stop-sigterm", "simple", "stopped"),
        ("inactive", "dead", "simple", "stopped"),
        ("failed", "failed", "simple", "fatal"),
        ("maintenance", "", "simple", "unknown"),
    ],
)
def test_state(active, sub, kind, state):
    assert state_of(active, sub, kind) == state


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
        }
    )
    assert found["available"] is False
    assert found["reason"].startswith(reason)
    assert "\n" not in found["reason"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager systemd, in a container that systemd has booted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.service_role import play, step
from ansible_collections.oncall.runbooks.tests.support.systemd_host import SystemdHost

MIB = 1024 * 1024
SLEEP = "import time; time.sleep(1000)"


def unit(code: str, *more: str, service: str = "simple") -> str:
    return "\n".join(["[Service]", f"Type={service}", f'ExecStart=/usr/bin/python3 -uc "{code}"', *more, ""])


UNITS = {
    "api": unit(
        f"print('ERROR pool exhausted after 31 ms'); {SLEEP}", "MemoryMax=64M", "EnvironmentFile=-/etc/api.env"
    ),
    # Keeps the other in systemd's memory, which forgets what nobody refers to.
    "bystander": "[Unit]\nAfter=stopped.service\n" + unit(SLEEP),
    "broken": unit("import sys; sys.exit(3)"),
    "greedy": unit(
        "kept = []\nwhile True: kept.append(bytearray(b'1' * 1000000))".replace("\n", "\\n"), "MemoryMax=32M"
    ),
    # Refused to be started again after three failures, for as long as /run/trouble is there.
    "flaky": unit(
        f"import os, sys; os.path.exists('/run/trouble') and sys.exit(4); {SLEEP}",
        *("Restart=always", "RestartSec=20ms"),
    ).replace("[Service]", "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1000\n[Service]"),
    "again": unit("import sys; sys.exit(5)", "Restart=always", "RestartSec=1000"),
    "idle": unit(SLEEP),
    "once": unit("0", "RemainAfterExit=yes", service="oneshot"),
    # As Debian's postgresql.service is to its clusters.
    "shell": unit("0", "RemainAfterExit=yes", service="oneshot"),
    "left": unit("0", "RemainAfterExit=yes"),
    "stopped": unit(SLEEP),
    "renewal": unit("import time; time.sleep(2); open('/run/renewed', 'w').close()", service="oneshot"),
    "renewal_fails": unit("import sys; sys.exit('FATAL no account')", service="oneshot"),
    "renewal_hangs": unit(SLEEP, service="oneshot"),
    "unready": unit("import sys; sys.exit(6)", service="notify"),
}
# What shell stands for: of two, one ends.
PART = "[Unit]\nPartOf=shell.service\n" + unit(f"import sys, time; '%i' == '1' and sys.exit(3); {SLEEP}")
SERVICES: dict[str, Any] = {name: {"manager": "systemd", "name": f"{name}.service"} for name in UNITS}
SERVICES["api"]["environment_file"] = "/etc/api.env"


@pytest.fixture(scope="module")
def host() -> Iterator[SystemdHost]:
    running = SystemdHost({**UNITS, "part@": PART})
    try:
        running.run("touch /run/trouble; echo 'OTHER=kept' > /etc/api.env")
        running.run(
            "systemctl start --no-block api bystander broken greedy flaky again once left stopped shell part@1 part@2"
        )
        running.run("systemctl stop stopped")
        wait_for(running, flaky="failed", greedy="failed", broken="failed", again="auto-restart", once="exited")
        wait_for(
            running, api="running", bystander="running", left="exited", **{"part@1": "failed", "part@2": "running"}
        )
        yield running
    finally:
        running.remove()


def wait_for(host: SystemdHost, **sub_states: str) -> None:
    end = time.monotonic() + 90
    while (found := {name: host.show(name, "SubState") for name in sub_states}) != sub_states:
        assert time.monotonic() < end, found
        time.sleep(0.1)


def state_of(host: SystemdHost) -> str:
    """What nobody may change who only looks."""
    return host.run(
        "systemctl show --property=Id,ActiveState,MainPID,NRestarts,Result,MemoryMax,ExecMainStartTimestampMonotonic "
        + " ".join(UNITS)
    )


def test_what_units_do(host, tmp_path):
    before = state_of(host)
    odd = {"typo": "bystandr", "glob": "by*", "option": "--version", "socket": "dbus.socket"}
    asked = {**SERVICES, **{key: {"manager": "systemd", "name": name} for key, name in odd.items()}}
    answer = host.module(
        "service_info",
        tmp_path,
        services=asked,
        log_tail_lines=5,
        timeout_seconds=60,
        variables=["OTHER", "PG_POOL_MAX"],
    )
    assert answer["changed"] is False
    seen = answer["services"]

    def told(name: str, *keys: str) -> tuple[Any, ...]:
        return tuple(seen[name][key] for key in keys)

    assert all(seen[name]["available"] for name in UNITS), seen
    assert told("api", "state", "exit_code", "signal", "oom_killed") == ("running", None, None, False)
    assert told("api", "variables")[0] == ["OTHER"]
    assert told("stopped", "variables")[0] is None
    assert told("api", "pid", "restarts", "stopped_by_person") == (int(host.show("api", "MainPID")), 0, False)
    assert told("api", "memory_limit_bytes", "log_tail") == (
        64 * MIB,
        ["Started api.service.", "ERROR pool exhausted after 31 ms"],
    )
    assert 1 * MIB < seen["api"]["memory_used_bytes"] < 64 * MIB
    assert 0 < seen["api"]["uptime_seconds"] < 60
    assert abs(seen["api"]["started_at_seconds"] + seen["api"]["uptime_seconds"] - time.time()) < 20
    assert [group["line"] for group in seen["api"]["log_tail_errors"]] == ["ERROR pool exhausted after # ms"]
    assert told("bystander", "state", "memory_limit_bytes") == ("running", None)
    assert told("broken", "state", "exit_code", "pid", "uptime_seconds") == ("fatal", 3, None, None)
    assert told("greedy", "state", "exit_code", "signal") == ("fatal", None, "SIGKILL")
    # With version 1 of cgroups systemd cannot know.
    by_kernel = host.show("greedy", "Result") == "oom-kill"
    assert seen["greedy"]["oom_killed"] is (True if by_kernel else None)
    assert told("flaky", "state", "exit_code", "restarts", "restart_policy") == ("fatal", 4, 3, "always")
    assert told("again", "state", "exit_code") == ("backoff", 5)
    assert told("idle", "state", "started_at_seconds", "stopped_by_person") == ("stopped", None, None)
    assert told("stopped", "state", "signal", "stopped_by_person") == ("stopped", "SIGTERM", True)
    assert told("once", "state", "pid") == ("unknown", None)
    assert told("shell", "state", "weakest", "replicas", "replicas_running") == ("fatal", "part@1.service", 2, 1)
    assert told("left", "state", "pid", "exit_code") == ("exited", None, 0)
    reason = seen["typo"]["reason"]
    assert reason.startswith("service typo: there is no unit bystandr.service; the nearest names are bystander.service")
    assert seen["glob"]["reason"] == "service glob: 'by*' cannot be a unit's name"
    assert seen["option"]["reason"] == "service option: '--version' cannot be a unit's name"
    assert "no unit dbus.socket.service" in seen["socket"]["reason"]
    assert state_of(host) == before


VERBS = [
    step("restart"),
    step("set_environment", service_variable="PG_POOL_MAX", service_value="35"),
    step("set_memory_limit", service_memory_limit_bytes=96 * MIB),
    step("restart", "flaky"),
]


def test_check_mode_changes_nothing(host, tmp_path):
    before = state_of(host)
    found, _output = play(tmp_path, SERVICES, VERBS, "--check", *host.variables())
    assert found == [{"failed": None, "changed": True}] * 4
    assert state_of(host) == before
    assert host.run("cat /etc/api.env") == "OTHER=kept"


def test_verbs(host, tmp_path):
    pids = {name: host.show(name, "MainPID") for name in ("api", "bystander", "part@2")}
    started_bystander = host.show("bystander", "ExecMainStartTimestampMonotonic")
    host.run("rm /run/trouble")
    steps = [
        *VERBS,
        step("set_memory_limit", service_memory_limit_bytes=96 * MIB),
        step("start", "idle"),
        step("stop", "idle"),
        step("start"),
        step("restart", "broken"),
        step("set_memory_limit", service_memory_limit_bytes=1024),
        step("scale", service_replicas=2),
        # One of the units that a shell stands for, while another of them is down.
        step("restart", "shell", service_members=["part@2.service"]),
    ]
    found, _output = play(tmp_path, SERVICES, steps, *host.variables())

    assert [one["changed"] for one in found[:8]] == [True, True, True, True, False, True, True, False]
    failed = [one["failed"] for one in found]
    assert failed[:8] == [None] * 8
    assert failed[8].startswith("service broken does not run after restart")
    assert "exit code 3" in failed[8]
    assert "bytes of memory: a limit of 1024 bytes would end it" in failed[9]
    assert failed[10].startswith("service api: the manager systemd has no scale; it can: restart,")
    assert found[11] == {"failed": None, "changed": True}
    assert host.show("part@2", "MainPID") not in ("0", pids["part@2"])
    assert host.show("part@1", "SubState") == "failed"
    assert host.show("api", "MainPID") != pids["api"]
    assert host.run("cat /etc/api.env").splitlines() == ["OTHER=kept", "PG_POOL_MAX=35"]
    environment = host.run(f"tr '\\0' '\\n' < /proc/{host.show('api', 'MainPID')}/environ").splitlines()
    assert {"OTHER=kept", "PG_POOL_MAX=35"} <= set(environment)
    assert host.show("api", "MemoryMax") == str(96 * MIB)
    group = host.show("api", "ControlGroup")
    limit = host.run(
        f"cat /sys/fs/cgroup/memory{group}/memory.limit_in_bytes /sys/fs/cgroup{group}/memory.max 2>&- || true"
    )
    assert limit == str(96 * MIB)
    assert [host.show(name, "SubState") for name in ("flaky", "idle", "api")] == ["running", "dead", "running"]
    assert host.show("bystander", "MainPID") == pids["bystander"]
    assert host.show("bystander", "ExecMainStartTimestampMonotonic") == started_bystander


def test_what_runs_once_is_waited_for_until_it_has_ended(host, tmp_path):
    steps = [step("start", name, service_runs_once=True) for name in ("renewal", "renewal_fails", "bystander")]
    pid = host.show("bystander", "MainPID")
    steps += [step("start", "renewal_hangs", service_runs_once=True, service_wait_seconds=3), step("start", "unready")]
    steps.append(step("restart", "bystander", service_runs_once=True, service_wait_seconds=2))
    found, _output = play(tmp_path, SERVICES, steps, *host.variables())

    failed = [one["failed"] for one in found]
    assert failed[0] is None
    assert host.run("ls /run/renewed")
    assert failed[5].startswith("service bystander has not ended well after restart")
    assert host.show("bystander", "MainPID") != pid
    assert failed[1].startswith(
        "service renewal_fails has not ended well after start, waited up to 15 s: fatal, exit code 1:"
    )
    assert "FATAL no account" in failed[1]
    assert failed[2].startswith("service bystander has not ended well after start, waited up to 15 s: running")
    assert failed[3].startswith("service renewal_hangs: systemctl ")
    assert "3 s" in failed[3]
    assert failed[4].startswith("service unready does not run after start, waited up to 15 s: fatal, exit code 6:")
    assert all("\n" not in line for line in failed[1:])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services do that are real containers."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.docker.engine import Engine
from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import observe
from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SLEEP = "import time; time.sleep(1000)"
# Process 1 of a container ignores signals that it does not handle; a child of --init does not.
INIT = "--init"
LINES = """
import sys, time
for number in range(20):
    print(f"2026-01-01 00:00:{number:02} ERROR no route to {number}", flush=True)
"""
STARTED = {
    "healthy": (SLEEP, INIT, "--health-cmd", "echo fine", "--health-interval", "1s", "-m", "64m", "--cpus", "0.5"),
    "unhealthy": (
        SLEEP,
        INIT,
        "--health-cmd",
        "echo trying; echo no postgres://app:s3cret@db; exit 1",
        *("--health-interval", "1s", "--health-retries", "1"),
    ),
    "plain": (SLEEP, INIT, "--env", "PG_POOL_MAX=4711", "--env", "DATABASE_URL=postgres://app:s3cret@db"),
    "paused": (SLEEP, INIT),
    "code3": ("import sys; print('FATAL: PG_URL is not set', file=sys.stderr); sys.exit(3)",),
    "code0": ("print('done')",),
    "segfault": ("import os; os.kill(os.getpid(), 11)", INIT),
    "failing": ("import sys; print('ERROR cannot bind: address in use'); sys.exit(1)", "--restart", "always"),
    "few": ("import sys; sys.exit(4)", "--restart", "on-failure:2"),
    "oom": ("print('growing'); x = [bytearray(1000000) for _ in range(1000)]", "-m", "32m", "--memory-swap", "32m"),
    "stopped": (SLEEP, INIT, "--restart", "unless-stopped"),
    "killed": (SLEEP, INIT, "--restart", "always"),
    "growing": ("import time\nx = []\nwhile True: x.append(bytearray(200_000)); time.sleep(0.05)", "-m", "256m"),
    "flat": ("import time\nx = bytearray(20_000_000)\nwhile True: time.sleep(0.1)", "-m", "256m"),
    "busy": ("while True: pass", "--cpus", "0.1"),
    "binary": ("import sys; sys.stdout.buffer.write(b'ERROR \\xff\\xfe caf\\xc3\\xa9 \\x1b[31m\\n' + b'\\x80\\n')",),
    "terminal": (LINES, "--tty"),
    "mixed": (LINES + "print('password=s3cret', file=sys.stderr)",),
    "one_line": ("import sys; [sys.stdout.write('x' * 1000000) for _ in range(20)]; print(); print('ERROR last')",),
    "silent": (LINES, "--log-driver", "none"),
}


@pytest.fixture(scope="module")
def containers():
    some = Containers()
    try:
        some.run_all(STARTED)
        docker("pause", some.prefix + "paused")
        docker("stop", "--time", "1", some.prefix + "stopped")
        docker("kill", some.prefix + "killed")
        for name in ("code3", "code0", "segfault", "oom", "one_line", "binary", "terminal", "mixed", "silent", "few"):
            until(lambda name=name: some.state(name)["Status"] == "exited")
        until(lambda: some.state("unhealthy")["Health"]["Status"] == "unhealthy")
        until(lambda: some.state("healthy")["Health"]["Status"] == "healthy")
        until(lambda: int(docker("inspect", "--format", "{{.RestartCount}}", some.prefix + "failing")) > 2)
        yield some
    finally:
        some.remove()


def look(services, **params):
    defaults = {"log_lines": 200, "log_tail_lines": 0, "window_seconds": 0, "samples": 5, "top_processes": 0}
    none = {"variables": [], "numbers": [], "compared": {}}
    return observe({"services": services, **defaults, **none, "timeout_seconds": 30, **params})


@pytest.fixture(scope="module")
def seen(containers):
    """All of them, in one look."""
    began = time.monotonic()
    found = look({name: containers.service(name) for name in STARTED}, log_tail_lines=30)["services"]
    assert time.monotonic() - began < 30
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy", {"state": "running", "health": "healthy", "exit_code": None, "oom_killed": False, "replicas": 1}),
        ("healthy", {"memory_limit_bytes": 64 * 1024**2, "cpu_limit_cores": 0.5, "restart_policy": "no"}),
        ("healthy", {"health_output": "fine", "stopped_by_person": False, "restarts": 0, "restarts_per_hour": 0}),
        ("unhealthy", {"state": "running", "health": "unhealthy", "health_output": "no postgres://********@db"}),
        ("plain", {"state": "running", "health": "none", "memory_limit_bytes": None, "cpu_limit_cores": None}),
        ("paused", {"state": "paused", "stopped_by_person": False, "exit_code": None}),
        ("code3", {"state": "exited", "exit_code": 3, "signal": None, "oom_killed": False, "stopped_by_person": False}),
        ("code0", {"state": "exited", "exit_code": 0, "exit_meaning": "0: ended without an error"}),
        ("code0", {"stopped_by_person": False, "pid": None, "uptime_seconds": None, "health": None}),
        ("segfault", {"exit_code": 139, "signal": "SIGSEGV", "stopped_by_person": False}),
        ("segfault", {"exit_meaning": "139 = 128 + 11, SIGSEGV: a segmentation fault"}),
        ("failing", {"exit_code": 1, "restart_policy": "always", "stopped_by_person": False, "oom_killed": False}),
        ("few", {"state": "exited", "exit_code": 4, "restarts": 2, "stopped_by_person": False}),
        ("oom", {"state": "exited", "exit_code": 137, "signal": "SIGKILL", "oom_killed": True}),
        ("oom", {"exit_meaning": "137 = 128 + 9, SIGKILL: killed by the kernel: it was out of memory"}),
        ("oom", {"stopped_by_person": False}),
        ("stopped", {"state": "exited", "exit_code": 143, "signal": "SIGTERM", "stopped_by_person": True}),
        ("killed", {"state": "exited", "exit_code": 137, "oom_killed": False, "stopped_by_person": True}),
    ],
)
def test_state(seen, name, expected):
    assert {key: seen[name][key] for key in expected} == expected
    assert (seen[name]["available"], seen[name]["manager"]) == (True, "docker")


def test_names_of_its_variables_are_seen_and_no_values(containers):
    found = look({"it": containers.service("plain")}, variables=["PG_POOL_MAX", "POOL"])["services"]["it"]
    assert found["variables"] == ["PG_POOL_MAX"]
    assert "4711" not in str(found)


def test_a_restart_loop_is_counted(seen):
    failing = seen["failing"]
    assert failing["state"] in ("restarting", "running")
    assert failing["restarts"] > 2
    assert failing["restarts_per_hour"] >= failing["restarts"]
    assert len(failing["restart_times"]) >= 3
    assert failing["restart_times"] == sorted(failing["restart_times"])
    assert time.time() - failing["restart_times"][0] < 600


@pytest.mark.covers("LP-6-2")
def test_what_a_running_container_uses(seen, containers):
    healthy = seen["healthy"]
    assert healthy["pid"] == containers.state("healthy")["Pid"]
    assert 1024**2 < healthy["memory_used_bytes"] < 64 * 1024**2
    assert healthy["memory_ratio"] == round(healthy["memory_used_bytes"] / healthy["memory_limit_bytes"], 4)
    assert 0 < healthy["cpu_seconds"] < 60
    assert 0 < healthy["uptime_seconds"] < 600
    assert healthy["log_bytes"] == 0
    # What an engine gives, which only root sees.
    assert healthy["shared_memory_bytes"] == (64 * 1024**2 if os.geteuid() == 0 else None)
    assert healthy["growth"] == "unknown"


@pytest.mark.parametrize(
    ("name", "errors", "tail"),
    [
        ("code3", [("FATAL: PG_URL is not set", 1)], ["FATAL: PG_URL is not set"]),
        ("binary", [("ERROR \ufffd\ufffd café", 1)], ["ERROR \ufffd\ufffd café", "\ufffd"]),
        ("terminal", [("2026-01-01 00:00:19 ERROR no route to 19", 20)], None),
        ("mixed", [("2026-01-01 00:00:19 ERROR no route to 19", 20)], None),
        ("one_line", [("ERROR last", 1)], None),
        ("plain", [], []),
    ],
)
def test_logs(seen, name, errors, tail):
    assert [(group["last"], group["count"]) for group in seen[name]["log_tail_errors"]] == errors
    if tail is not None:
        assert seen[name]["log_tail"] == tail
    assert "s3cret" not in json.dumps(seen[name])


def test_a_log_that_nobody_keeps_has_a_reason(seen):
    assert seen["silent"]["log_tail_errors"] is None
    assert "logging driver does not support reading" in seen["silent"]["log_reason"]


@pytest.mark.covers("LP-6-3")
def test_growing_flat_and_busy(containers):
    names = ("growing", "flat", "busy")
    found = look({name: containers.service(name) for name in names}, window_seconds=2, top_processes=1, log_lines=0)[
        "services"
    ]
    growing, flat, busy = (found[name] for name in names)
    assert (growing["growth"], flat["growth"], busy["growth"]) == ("growing", "flat", "flat")
    assert 1_000_000 < growing["memory_slope_bytes_per_second"] < 6_000_000
    left = growing["memory_limit_bytes"] - growing["memory_used_bytes"]
    assert growing["seconds_to_limit"] == pytest.approx(left / growing["memory_slope_bytes_per_second"], rel=0.01)
    assert flat["seconds_to_limit"] is None
    assert flat["cpu_ratio"] < 0.2
    assert 0.5 < busy["cpu_ratio"] < 1.3
    assert busy["cpu_cores"] == pytest.approx(busy["cpu_ratio"] * 0.1, abs=0.001)
    (process,) = busy["top_processes"]
    assert (process["pid"], process["command"]) == (busy["pid"], "python3")
    assert process["rss_bytes"] > 1024**2
    assert growing["window_seconds"] == pytest.approx(2, abs=0.5)


def test_names_that_no_container_has(containers):
    services = {
        "typo": containers.service("healthi"),
        "odd": {"manager": "docker", "name": "a b; rm -rf / $(id) {{ 1 }} é\n"},
        "dash": {"manager": "docker", "name": "--help"},
        "up": {"manager": "docker", "name": ".."},
        # The engine itself would take the beginning of an id for a name.
        "id": {"manager": "docker", "name": docker("ps", "-q", "--filter", f"name={containers.prefix}plain")},
        "fine": containers.service("healthy"),
    }
    found = look(services)["services"]
    assert (found["typo"]["state"], found["id"]["state"]) == ("absent", "absent")
    assert found["typo"]["reason"].startswith(f"service typo: there is no container {containers.prefix}healthi; ")
    assert f"{containers.prefix}healthy" in found["typo"]["reason"]
    for key in ("odd", "dash", "up"):
        assert found[key]["available"] is False
        assert "a container's name is made of letters" in found[key]["reason"]
        assert "\n" not in found[key]["reason"]
    assert found["fine"]["state"] == "running"


def test_a_log_of_100_mb_costs_little_memory_and_time(containers, tmp_path):
    code = """
import sys
line = b"2026-01-01 00:00:00 ERROR boom " + b"y" * 9000 + b"\\n"
for _ in range(11000):
    sys.stdout.buffer.write(line)
"""
    containers.run("big", code)
    until(lambda: containers.state("big")["Status"] == "exited")
    big = containers.service("big")
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = look({"big": big}, log_lines=10000)["services"]["big"]
    assert time.monotonic() - began < 30
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 16 * 1024  # KiB
    assert found["log_bytes"] > 99_000_000
    (group,) = found["log_tail_errors"]
    assert group["line"].startswith("<time> ERROR boom yyy")
    assert group["count"] > 40
    code, saved = run_module(
        "service_log", tmp_path, name="big", service=big, directory=str(tmp_path / "e"), max_bytes=100_000
    )
    assert (code, saved["saved"]) == (0, True)
    assert 80_000 < saved["bytes"] < 110_000


def test_a_container_that_is_removed_midway_is_absent(containers, monkeypatch):
    containers.run("brief", SLEEP, INIT)
    look_at = Engine.get

    def get(self, path, **query):
        if path.endswith("/json") and len(path) > 64:
            docker("rm", "--force", containers.prefix + "brief", check=False)
        return look_at(self, path, **query)

    monkeypatch.setattr(Engine, "get", get)
    found = look({"brief": containers.service("brief")})
    assert found["services"]["brief"]["state"] == "absent"
    assert found["services"]["brief"]["reason"] == "service brief: its container was removed just now"


def test_a_container_that_is_removed_while_it_is_watched_is_absent(containers):
    containers.run("watched", SLEEP, INIT)
    name = containers.prefix + "watched"
    # Within the window, as it would happen.
    remover = subprocess.Popen(
        [sys.executable, "-c", f"import time, os; time.sleep(0.6); os.execlp('docker', 'docker', 'rm', '-f', '{name}')"]
    )
    found = look({"watched": containers.service("watched")}, window_seconds=6)["services"]["watched"]
    assert remover.wait() == 0
    assert (found["available"], found["state"]) == (True, "absent")


@pytest.mark.parametrize(
    ("docker_host", "reason"),
    [
        (
            "unix:///none/docker.sock",
            "cannot be reached at /none/docker.sock (No such file or directory): start it, or",
        ),
        ("tcp://127.0.0.1:2375", "asked through its socket on its own host, not at tcp://127.0.0.1:2375"),
        ("unix://" + "/x" * 100, "AF_UNIX path too long"),
    ],
)
def test_an_engine_that_cannot_be_asked(docker_host, reason):
    found = look({"api": {"manager": "docker", "name": "api", "docker_host": docker_host}})
    assert found["available"] is False
    assert reason in found["reason"]
    assert "\n" not in found["reason"]


def test_a_user_without_the_right_to_ask_is_told_what_to_do():
    code = f"""
import http.client, os, sys, urllib.parse
sys.path[:0] = {sys.path!r}
from ansible_collections.oncall.runbooks.plugins.module_utils.services import states as service
from ansible_collections.oncall.runbooks.plugins.module_utils.services import docker as service_docker
if os.geteuid() == 0:  # whom nothing is denied
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
params = {{"log_lines": 1, "log_tail_lines": 0, "window_seconds": 0, "samples": 5, "top_processes": 0, "variables": [], "numbers": []}}
api = {{"manager": "docker", "name": "api", "docker_host": "unix://" + sys.argv[1]}}
print(service.observe({{"services": {{"api": api}}, "timeout_seconds": 5, **params}})["reason"])
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listening:
        Path(folder).chmod(0o755)
        path = Path(folder, "docker.sock")
        listening.bind(str(path))
        listening.listen(1)
        path.chmod(0)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert "(Permission denied): become root, or put the user" in done.stdout, done.stderr


def test_the_module_is_the_function(containers, tmp_path):
    services = {name: containers.service(name) for name in ("code3", "stopped", "plain")}
    code, result = run_module("service_info", tmp_path, check=True, services=services)
    assert (code, result["changed"]) == (0, False)
    observed = look(services)["services"]
    assert {name: result["services"][name] for name in ("code3", "stopped")} == {
        name: observed[name] for name in ("code3", "stopped")
    }
    assert result["services"]["plain"]["container_id"] == observed["plain"]["container_id"]


def test_a_log_is_saved_as_evidence_for_its_owner_only(containers, tmp_path):
    folder = tmp_path / "evidence"
    params = {"name": "m/i x", "service": containers.service("mixed"), "directory": str(folder), "keep_files": 2}
    code, result = run_module("service_log", tmp_path, check=True, **params)
    assert (code, result["saved"], result["changed"], folder.exists()) == (0, True, True, False)
    paths = []
    for _ in range(3):
        code, result = run_module("service_log", tmp_path, **params)
        assert (code, result["saved"], result["changed"], result["lines"]) == (0, True, True, 21)
        paths.append(result["path"])
    text = Path(paths[-1]).read_text()
    assert text.splitlines()[0] == f"==> {containers.prefix}mixed <=="
    assert "password=********" in text
    assert result["bytes"] == len(text.encode())
    assert Path(paths[-1]).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(str(path) for path in folder.iterdir()) == paths[1:]
    assert Path(paths[0]).name.startswith("m_i_x-")


@pytest.mark.parametrize(
    ("name", "directory", "reason"),
    [
        ("silent", "e", "logging driver does not support reading"),
        ("none", "e", "there is no container"),
        ("plain", "file/e", "cannot save the log in "),
    ],
)
def test_no_evidence_is_no_failure(containers, tmp_path, name, directory, reason):
    (tmp_path / "file").write_text("")
    params = {"service": containers.service(name), "directory": str(tmp_path / directory)}
    code, result = run_module("service_log", tmp_path, name="api", **params)
    assert (code, result["saved"], result["changed"]) == (0, False, False)
    assert reason in result["reason"]

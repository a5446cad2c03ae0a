# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine, cgroups and the kernel say, as captured, and what is made of it."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.plugins.module_utils.docker import compose_project, container_usage
from ansible_collections.oncall.runbooks.plugins.module_utils.docker.container_log import end_of_log
from ansible_collections.oncall.runbooks.plugins.module_utils.docker.container_state import (
    described,
    out_of_memory,
    remembered,
    seconds_of,
    stopped_by_person,
    worst,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.docker.engine import (
    Engine,
    EngineError,
    end_of,
    payloads,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.host.exit_code import meaning, signal_of
from ansible_collections.oncall.runbooks.plugins.module_utils.host.kernel_log import parse_record
from ansible_collections.oncall.runbooks.plugins.module_utils.host.process_usage import shown_command
from ansible_collections.oncall.runbooks.plugins.module_utils.host.usage_window import over_window, readings_over
from ansible_collections.oncall.runbooks.plugins.module_utils.services.docker import _states_of_services, current_ones

ID = "387fe7e809bebb100bf1abdd009ed240ba9844ae1e4ebf32a53271a0eaa75835"
MIB = 1024**2


def event(action, at=0, **attributes):
    return {"Action": action, "timeNano": at * 10**9, "Actor": {"ID": ID, "Attributes": attributes}}


DIED = event("die", exitCode="3")
STARTED = event("start", 5)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {"restart_times": [], "exit_code": None, "oom_killed": False, "ended_by_person": None}),
        (
            [DIED, STARTED, DIED, event("start", 9)],
            {"restart_times": [5.0, 9.0], "exit_code": 3, "ended_by_person": None},
        ),
        ([DIED], {"ended_by_person": False, "exit_code": 3, "restart_times": []}),
        ([event("kill", signal="15"), event("die", exitCode="143"), event("stop")], {"ended_by_person": True}),
        ([event("kill", signal="9"), event("die", exitCode="137")], {"ended_by_person": True}),
        # The engine may tell of the end before it tells that it was asked for.
        ([event("die", exitCode="0"), event("stop")], {"ended_by_person": True, "exit_code": 0}),
        # A signal to reload ends nothing.
        ([event("kill", signal="12"), event("die", exitCode="1")], {"ended_by_person": False}),
        # A restart by a person is no automatic one.
        ([event("kill", signal="15"), DIED, event("stop"), STARTED], {"restart_times": [], "ended_by_person": None}),
        ([event("oom"), event("die", exitCode="137"), STARTED], {"oom_killed": True, "exit_code": 137}),
        ([event("die", exitCode="")], {"exit_code": None, "ended_by_person": False}),
    ],
)
def test_remembered(events, expected):
    found = remembered(events)
    assert {key: found[key] for key in expected} == expected


NOTHING = remembered([])
ALWAYS, NO, FAILURE = {"Name": "always"}, {"Name": "no"}, {"Name": "on-failure", "MaximumRetryCount": 3}


@pytest.mark.parametrize(
    ("state", "policy", "restarts", "history", "expected"),
    [
        ({"Status": "running"}, ALWAYS, 0, NOTHING, False),
        ({"Status": "restarting", "ExitCode": 1}, ALWAYS, 9, NOTHING, False),
        ({"Status": "exited", "ExitCode": 143}, ALWAYS, 0, NOTHING, True),
        ({"Status": "exited", "ExitCode": 0}, {"Name": "unless-stopped"}, 0, NOTHING, True),
        ({"Status": "exited", "ExitCode": 128, "Error": "port is already allocated"}, ALWAYS, 0, NOTHING, False),
        # Somebody had stopped it, and its start failed since.
        (
            {"Status": "exited", "ExitCode": 128, "Error": "port is already allocated"},
            ALWAYS,
            0,
            remembered([DIED, event("stop")]),
            False,
        ),
        ({"Status": "exited", "ExitCode": 1}, FAILURE, 3, NOTHING, False),
        ({"Status": "exited", "ExitCode": 1}, FAILURE, 1, NOTHING, True),
        ({"Status": "exited", "ExitCode": 0}, FAILURE, 0, NOTHING, None),
        ({"Status": "exited", "ExitCode": 1}, NO, 0, NOTHING, False),
        ({"Status": "exited", "ExitCode": 0}, NO, 0, NOTHING, None),
        ({"Status": "exited", "ExitCode": 137}, NO, 0, NOTHING, None),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, NO, 0, NOTHING, False),
        ({"Status": "exited", "ExitCode": 0}, NO, 0, remembered([DIED]), False),
        ({"Status": "exited", "ExitCode": 0}, NO, 0, remembered([DIED, event("stop")]), True),
    ],
)
def test_stopped_by_person(state, policy, restarts, history, expected):
    assert stopped_by_person(state, policy, restarts, history) is expected


KILL = {"cgroup": f"/docker/{ID}", "at_seconds": 1000.0}


@pytest.mark.parametrize(
    ("kernel", "exit_code", "expected"),
    [
        ({"kills": [KILL], "since_seconds": 10}, 137, True),
        ({"kills": [KILL], "since_seconds": 10}, 1, True),  # a child was killed, and it gave up
        ({"kills": [dict(KILL, at_seconds=100.0)], "since_seconds": 10}, 137, False),
        ({"kills": [dict(KILL, cgroup="/docker/other")], "since_seconds": 10}, 137, False),
        ({"kills": [], "since_seconds": 2000}, 137, None),
        (None, 137, None),
        (None, None, False),
    ],
)
def test_out_of_memory(kernel, exit_code, expected):
    assert out_of_memory({"Id": ID}, exit_code, kernel, 1001.5) is expected


def test_a_record_of_the_kernel():
    text = (
        "4,968,14559944000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        f"oom_memcg=/docker/{ID},task_memcg=/docker/{ID},task=python3 (a, b),pid=15923,uid=0\n SUBSYSTEM=x\n"
    )
    assert parse_record(text, 100) == (
        14659.944,
        {"at_seconds": 14659.944, "cgroup": f"/docker/{ID}", "task": "python3 (a, b)", "pid": 15923},
    )
    assert parse_record("6,1,5000000,-;Linux version 6\n", 100) == (105.0, None)
    assert parse_record("garbage", 100) == (100, None)


def container(**more):
    return {"state": "running", "health": "none", "restarts": 0, **more}


def inspected(**state):
    """What the engine of Debian 12 says about a container that ended, in part."""
    return {
        "Id": ID,
        "Name": "/app-api-1",
        "Created": "2026-11-21T04:00:00Z",
        "RestartCount": 0,
        "State": {"Status": "exited", "Pid": 0, "ExitCode": 137, "OOMKilled": True, "Error": "", **state},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "Memory": 512 * MIB},
        "Config": {"Image": "api"},
        "NetworkSettings": {},
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # The kernel had killed a child of it before; the engine keeps that for the end of its life.
        ([event("kill", signal="15"), event("die", exitCode="143"), event("stop")], (True, True)),
        ([event("oom"), event("die", exitCode="137")], (True, False)),
    ],
)
def test_out_of_memory_and_stopped_by_a_person(events, expected):
    found = described(inspected(), events, None, 2000.0)
    assert (found["oom_killed"], found["stopped_by_person"]) == expected


@pytest.mark.parametrize(
    ("containers", "index"),
    [
        ([container(), container(state="exited")], 1),
        ([container(state="restarting"), container()], 0),
        ([container(health="healthy"), container(health="unhealthy")], 1),
        ([container(health="starting"), container(health="healthy")], 0),
        ([container(restarts=1), container(restarts=4)], 1),
        ([container(state="paused"), container(state="dead")], 1),
        ([container(), container(state="of a later engine")], 1),
    ],
)
def test_worst(containers, index):
    assert worst(containers) is containers[index]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T04:49:04.88108724Z", 1795236544.881),
        ("1970-01-01T00:00:10Z", 10),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_seconds_of(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("exit_code", "signal_name", "words"),
    [
        (0, None, "0: ended without an error"),
        (77, None, "77: ended with an error of its own"),
        (127, None, "127: its program was not found"),
        (137, "SIGKILL", "137 = 128 + 9, SIGKILL: killed, by the kernel for lack of memory or by somebody"),
        (None, "SIGTERM", "SIGTERM: told to end"),
        (None, None, None),
    ],
)
def test_exit_code_in_words(exit_code, signal_name, words):
    assert meaning(exit_code, signal_name) == words
    assert exit_code is None or signal_of(exit_code) == signal_name


@pytest.mark.parametrize("exit_code", [128, 255, 300])
def test_not_every_code_above_128_is_a_signal(exit_code):
    assert signal_of(exit_code) is None


# Memory and processor time


def test_cgroups_of_version_1_as_captured():
    mountinfo = (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "broken\n"
    )
    mounts = container_usage.cgroup_mounts(mountinfo)
    assert mounts["memory"] == "/sys/fs/cgroup/memory"
    assert mounts["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert mounts[""] == "/sys/fs/cgroup/unified"
    text = f"9:name=systemd:/docker/{ID}\n4:memory:/docker/{ID}\n2:cpu,cpuacct:/docker/{ID}/init\n0::/docker/{ID}\n"
    paths = container_usage.cgroup_paths(text, ID)
    assert (paths["memory"], paths["cpuacct"], paths[""]) == (f"docker/{ID}",) * 3
    assert container_usage.from_v1(
        "14045184\n",
        "cache 10792960\nrss 2670592\ninactive_file 1\ntotal_rss 2670592\ntotal_inactive_file 9199616\n",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        "69651901\n",
    ) == {"memory_used_bytes": 4845568, "rss_bytes": 2670592, "cpu_seconds": 0.07, "oom_kills": 2}


def test_cgroups_of_version_2_as_captured():
    mountinfo = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert container_usage.cgroup_mounts(mountinfo) == {"": "/sys/fs/cgroup"}
    paths = container_usage.cgroup_paths(f"0::/system.slice/docker-{ID}.scope/init.scope\n", ID)
    assert paths == {"": f"system.slice/docker-{ID}.scope"}
    assert container_usage.from_v2(
        "471859200\n",
        "anon 440401920\nfile 20971520\ninactive_file 10485760\nactive_file 10485760\n",
        "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n",
        "usage_usec 7250000\nuser_usec 7000000\nsystem_usec 250000\nnr_periods 0\n",
    ) == {"memory_used_bytes": 461373440, "rss_bytes": 440401920, "cpu_seconds": 7.25, "oom_kills": 1}


@pytest.mark.parametrize("text", ["0::/../../docker/x", "0::/user.slice", "", "1:memory"])
def test_a_path_that_does_not_name_the_container_is_not_taken(text):
    assert container_usage.cgroup_paths(text, ID) == {}


def test_files_that_are_gone_are_not_known():
    assert container_usage.from_v1("", "", "", "") == container_usage.NOTHING
    assert container_usage.from_v2("", "", "", "") == container_usage.NOTHING
    assert container_usage.from_statistics({"memory_stats": {}, "cpu_stats": {}}) == container_usage.NOTHING


def taken(*values, seconds=1.0, cpu=0.5):
    return [
        (100 + seconds * number, {"memory_used_bytes": value, "cpu_seconds": 10 + cpu * number})
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "growth"),
    [
        ((100 * MIB, 102 * MIB, 104 * MIB, 106 * MIB, 108 * MIB), "growing"),
        ((100 * MIB, 101 * MIB, 104 * MIB), "growing"),
        ((100 * MIB, 108 * MIB, 108 * MIB, 108 * MIB, 108 * MIB), "flat"),  # a cache that filled up
        ((100 * MIB, 100 * MIB, 100 * MIB, 100 * MIB, 108 * MIB), "flat"),  # one step so far
        ((100 * MIB, 100 * MIB + 9000, 100 * MIB + 18000), "flat"),  # noise
        # A health check runs while a reading is taken, as in a container of Docker.
        ((105 * MIB, 102 * MIB, 104 * MIB, 106 * MIB, 108 * MIB), "growing"),
        ((100 * MIB, 102 * MIB, 109 * MIB, 106 * MIB, 108 * MIB), "growing"),
        ((100 * MIB, 102 * MIB, 104 * MIB, 106 * MIB, 118 * MIB), "growing"),
        ((110 * MIB, 102 * MIB, 114 * MIB, 106 * MIB, 118 * MIB), "growing"),
        ((100 * MIB, 100 * MIB, 108 * MIB, 100 * MIB, 100 * MIB), "flat"),
        ((100 * MIB, 100 * MIB, 108 * MIB, 100 * MIB, 108 * MIB), "flat"),
        ((108 * MIB, 104 * MIB, 100 * MIB), "flat"),
        ((100 * MIB, 110 * MIB), "unknown"),
        ((100 * MIB,), "unknown"),
        ((100 * MIB, 110 * MIB, None), "unknown"),
    ],
)
def test_growth(values, growth):
    found = over_window(taken(*values), 512 * MIB, None)
    assert found["growth"] == growth
    assert (found["seconds_to_limit"] is not None) == (growth == "growing")


def test_a_window_in_numbers():
    found = over_window(taken(100 * MIB, 110 * MIB, 120 * MIB), 220 * MIB, 0.5)
    assert found["memory_slope_bytes_per_second"] == 10 * MIB
    assert (found["seconds_to_limit"], found["window_seconds"]) == (10, 2)
    assert (found["cpu_cores"], found["cpu_ratio"]) == (0.5, 1.0)
    assert found["memory_ratio"] == round(120 / 220, 4)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ((430, 430, 430), 430),
        # A health check runs while the last reading is taken, or an earlier one.
        ((430, 430, 450), 430),
        ((430, 450, 430), 430),
        ((450, 430, 450), 430),
        # It may have grown on as fast as before.
        ((410, 420, 430), 430),
        ((410, 420, 450), 430),
        # Too few to tell.
        ((430, 450), 450),
        ((450,), 450),
    ],
)
def test_what_is_there_for_a_moment_is_not_kept(values, kept):
    found = over_window(taken(*(value * MIB for value in values)), 512 * MIB, None)
    assert (found["memory_ratio"], found["memory_kept_ratio"]) == (round(values[-1] / 512, 4), round(kept / 512, 4))


def test_readings_before_a_restart_do_not_count():
    readings = taken(400 * MIB, 410 * MIB) + [
        (110 + number, {"memory_used_bytes": (20 + number) * MIB, "cpu_seconds": 0.1 * number}) for number in range(3)
    ]
    found = over_window(readings, None, 1)
    assert (found["window_seconds"], found["cpu_cores"]) == (2, 0.1)
    assert (found["growth"], found["seconds_to_limit"], found["memory_ratio"]) == ("growing", None, None)


def test_without_a_window_there_is_one_reading():
    assert [reading for _at, reading in readings_over(lambda: 1, 0, 5)] == [1]
    assert len(readings_over(lambda: 1, 0.02, 3)) == 3


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/usr/bin/python3", "-u", "/srv/worker.py", "--token", "s3cret"], "python3 /srv/worker.py"),
        (["python3", "-m", "lab.api", "s3cret"], "python3 -m lab.api"),
        (["node", "--max-old-space-size=400", "server.js"], "node server.js"),
        (["curl", "-u", "app:s3cret", "https://app:s3cret@host/x.py"], "curl"),
        (["python3", "-c", "password = 's3cret'"], "python3"),
        (["postgres: app s3cret 10.0.0.1(5) idle"], "postgres: app"),
        (["redis-server *:6379"], "redis-server"),
        (["mysql", "-ps3cret", "db"], "mysql"),
        ([], ""),
    ],
)
def test_a_shown_command_holds_no_secret(arguments, shown):
    assert shown_command(arguments) == shown


# The engine and its streams


def frame(text, stream=1):
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize("size", [1, 3, 8, 11, 1000])
def test_frames_are_put_together_wherever_they_are_cut(size):
    stream = frame(b"one\n") + frame(b"two\n", 2) + frame(b"") + frame(b"x" * 300)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert b"".join(payloads(pieces)) == b"one\ntwo\n" + b"x" * 300


def test_the_end_of_a_stream_is_kept():
    assert end_of([b"ab", b"cd", b"ef"], 3) == (b"def", True)
    assert end_of([b"ab"], 3) == (b"ab", False)
    kept, is_cut = end_of((b"x" * 1000 for _ in range(1000)), 1500)
    assert (len(kept), is_cut) == (1500, True)


class FakeEngine:
    """Answers one request after the other on a socket."""

    def __init__(self, answer):
        self.folder = tempfile.TemporaryDirectory(dir="/tmp")
        self.path = str(Path(self.folder.name, "s"))
        self.requests = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(5)
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536).decode().split(" ")[1])
                with contextlib.suppress(OSError):  # the other side may have had enough
                    self._answer(connection)

    def close(self):
        self._socket.close()
        self.folder.cleanup()


@pytest.fixture
def engine_that():
    fakes = []

    def make(answer, seconds=5.0):
        fakes.append(FakeEngine(answer))
        return Engine("unix://" + fakes[-1].path, Deadline(seconds)), fakes[-1]

    yield make
    for fake in fakes:
        fake.close()


def http(body, status="200 OK"):
    return lambda connection: connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode() + body)


def never(connection):
    threading.Event().wait(3)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(b"SSH-2.0"), "does not answer as a Docker Engine does: check docker_host"),
        (http(b'{"message":"no\\nsuch thing"}', "404 Not Found"), "HTTP 404: no such thing"),
        (http(b"<html>", "502 Bad"), "HTTP 502: <html>"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), "cannot be reached"),
        (lambda connection: None, "cannot be reached"),
        (never, "gave no complete answer within 0.5 s: see whether docker ps hangs too"),
    ],
)
def test_an_engine_that_gives_no_answer(engine_that, answer, reason):
    # Only one that never answers is to be given up.
    engine, _fake = engine_that(answer, 0.5 if answer is never else 30)
    with pytest.raises(EngineError) as caught:
        engine.get("/info")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fewer_lines_are_asked_for_where_they_are_too_much(engine_that):
    def answer(connection):
        lines = int(fake.requests[-1].rpartition("tail=")[2])
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for number in range(lines):
            connection.sendall(frame(b"%d " % number + b"y" * 100_000 + b"\n"))
        connection.sendall(frame(b"ERROR the last\n"))

    engine, fake = engine_that(answer)
    text = end_of_log(engine, {"Id": ID, "Config": {"Tty": False}}, 1000, 300_000)
    assert [request.rpartition("=")[2] for request in fake.requests] == ["1000", "50"]
    assert text.splitlines()[-1] == "ERROR the last"
    assert len(text) <= 300_000


STATISTICS = {
    "cpu_stats": {"cpu_usage": {"total_usage": 69651901}, "online_cpus": 2},
    "memory_stats": {
        "usage": 14045184,
        "stats": {"inactive_file": 1, "total_inactive_file": 9199616, "total_rss": 2670592},
    },
}


def test_the_statistics_of_the_engine_say_the_same(engine_that):
    engine, fake = engine_that(http(json.dumps(STATISTICS).encode()))
    found = container_usage.from_statistics(engine.get(f"/containers/{ID}/stats", stream="false"))
    assert found == {"memory_used_bytes": 4845568, "rss_bytes": 2670592, "cpu_seconds": 0.07, "oom_kills": None}
    assert fake.requests == [f"/containers/{ID}/stats?stream=false"]


# Compose


@pytest.mark.parametrize(
    ("folder", "environment", "compose_file", "name"),
    [
        ("/srv/My Shop.2", "", "services: {}\n", "myshop2"),
        ("/srv/_shop", "", "", "shop"),
        ("/srv/shop", "", "services: {}\nname: 'store'  # ours\n", "store"),
        ("/srv/shop", 'A=1\nCOMPOSE_PROJECT_NAME="market"\n', "name: store\n", "market"),
        ("/srv/shop", "# COMPOSE_PROJECT_NAME=x\n", "name: ${NAME}\nservices:\n  a:\n    name: b\n", "shop"),
    ],
)
def test_derived_name(folder, environment, compose_file, name):
    assert compose_project.derived_name(folder, environment, compose_file) == name


def labels(project, folder):
    return {"com.docker.compose.project": project, "com.docker.compose.project.working_dir": str(folder)}


def test_the_project_is_the_one_that_was_started_from_the_folder(tmp_path):
    (tmp_path / "compose.yaml").write_text("name: store\n")
    (tmp_path / "link").symlink_to(tmp_path)
    service = {"project": str(tmp_path / "link")}
    paths = compose_project.files_of(service)
    assert compose_project.project_of(service, [], paths) == "store"
    assert compose_project.project_of(service, [labels("market", tmp_path), labels("x", "/y")], paths) == "market"
    assert compose_project.project_of(service, [labels("a", tmp_path), labels("store", tmp_path)], paths) == "store"
    assert compose_project.project_of(dict(service, project_name="mine"), [labels("a", tmp_path)], paths) == "mine"
    with pytest.raises(compose_project.ProjectError, match=r"several projects run from .*: a, b: set project_name"):
        compose_project.project_of(service, [labels("b", tmp_path), labels("a", tmp_path)], paths)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", []),
        ("db:service_healthy:false,redis", [("db", "service_healthy"), ("redis", "service_started")]),
    ],
)
def test_dependencies(text, expected):
    label = {} if text is None else {"com.docker.compose.depends_on": text}
    assert compose_project.dependencies(label) == expected


def listed(name: str, state: str, created: int, number: str | None = "1") -> dict[str, Any]:
    labels = {"com.docker.compose.container-number": number} if number else {}
    return {"Id": name, "Names": [f"/{name}"], "State": state, "Created": created, "Labels": labels}


OLD = listed("8e4ed551c6dd_shop-api-1", "exited", 1)
CURRENT = [
    ([OLD, listed("shop-api-1", "running", 2)], ["shop-api-1"]),
    # Compose 2 gives the new one the name in front until the old one is gone.
    ([listed("shop-api-1", "running", 1), listed("8e4ed551c6dd_shop-api-1", "created", 2)], ["shop-api-1"]),
    ([listed("shop-api-1", "exited", 1), listed("8e4ed551c6dd_shop-api-1", "created", 2)], ["8e4ed551c6dd_shop-api-1"]),
    ([OLD, listed("shop-api-1", "restarting", 2)], ["shop-api-1"]),
    ([OLD, listed("shop-api-1", "running", 2), listed("shop-api-2", "exited", 2, "2")], ["shop-api-1", "shop-api-2"]),
    ([listed("a", "exited", 1, None), listed("b", "running", 2, None)], ["a", "b"]),
    ([listed("shop-api-1", "exited", 1)], ["shop-api-1"]),
]


@pytest.mark.parametrize(("some", "current"), CURRENT)
def test_what_an_interrupted_recreate_left_behind_is_no_part_of_the_service(some, current):
    found, left_over = current_ones(some)
    assert sorted(one["Id"] for one in found) == current
    assert sorted(one["Id"] for one in [*found, *left_over]) == sorted(one["Id"] for one in some)


def test_what_others_need_is_told_by_its_weakest_current_replica():
    def of_service(one: dict[str, Any], name: str, status: str = "", **more: str) -> dict[str, Any]:
        labels = {
            f"com.docker.compose.{key}": value for key, value in {"project": "shop", "service": name, **more}.items()
        }
        return {**one, "Status": status, "Labels": {**one["Labels"], **labels}}

    some = [
        of_service(listed("shop-api-1", "running", 2), "api", "Up 2 minutes (healthy)"),
        of_service(OLD, "api"),
        of_service(listed("shop-db-1", "running", 2), "db", "Up 2 minutes (healthy)"),
        of_service(listed("shop-db-2", "running", 2, "2"), "db", "Up 2 minutes (unhealthy)"),
        of_service(listed("shop-api-run-1", "exited", 3), "api", oneoff="True"),
    ]
    for order in (some, some[::-1]):
        assert _states_of_services(order) == {
            ("shop", "api"): ("running", "healthy"),
            ("shop", "db"): ("running", "unhealthy"),
        }

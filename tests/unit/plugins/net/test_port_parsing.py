# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc and the Docker Engine say about ports and their holders, from real texts."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.host import process_identity as processes
from ansible_collections.oncall.runbooks.plugins.module_utils.net import sockets
from ansible_collections.oncall.runbooks.plugins.module_utils.net.port_owners import (
    behind_proxy,
    is_of_compose_service,
    is_of_program,
    parse_container,
)

ID = "e364fd92ed796ff09bfe6a5d29f03fd9afa0600dce9a9a53bebafd9d7340cd46"
TABLE = """   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1081 1 0000 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000
   3: cut off
"""
TABLE6 = """   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  33        0 7 1 0
   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:9C40 01 0:0 00:0 0  33        0 8 1 0
   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  33        0 9 1 0
"""


def test_sockets(monkeypatch):
    monkeypatch.setattr(sys, "byteorder", "little")  # of the machine these texts are from
    found = list(sockets.parse_table(TABLE.splitlines(), {8080}))
    assert [(one["address"], one["listening"], one["uid"], one["inode"]) for one in found] == [
        ("127.0.0.1", True, 1000, 4242),
        ("127.0.0.1", False, 0, 0),
    ]
    found = list(sockets.parse_table(TABLE6.splitlines(), {8080}))
    assert [(one["address"], one["listening"]) for one in found] == [("::", True), ("127.0.0.1", False), ("::1", True)]
    (any_address,) = sockets.parse_table(TABLE.splitlines(), {2024})
    assert any_address["address"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("127.0.0.1", "", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("0.0.0.0", "10.0.0.1", True),
        ("10.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "::1", False),
        ("::1", "0.0.0.0", False),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "::", True),
        ("::1", "::1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_what_is_in_the_way(held, wanted, expected):
    assert sockets.are_in_the_way(held, wanted) is expected


@pytest.mark.parametrize(
    ("text", "unit", "container"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service", None),
        ("0::/system.slice/nginx.service/workers\n", "nginx.service", None),
        ("9:name=systemd:/system.slice/api.service\n4:memory:/\n0::/\n", "api.service", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", "user@1000.service", None),
        (f"0::/system.slice/docker-{ID}.scope\n", None, ID),
        (f"4:memory:/docker/{ID}\n1:cpu:/docker/{ID}\n", None, ID),
        (f"0::/kubepods.slice/cri-containerd-{ID}.scope\n", None, ID),
        ("4:memory:/process_api/f430bcd2ef26864c1c98106745dba628\n0::/\n", None, None),
        ("garbage\n", None, None),
    ],
)
def test_cgroup(text, unit, container):
    assert processes.parse_cgroup(text) == {"unit": unit, "container_id": container}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["python3", "-m", "http.server", "8080"], "python3 -m http.server 8080"),
        (["x", "--db-password", "s3cret", "run"], "x --db-password ******** run"),
        (["x", "--api-token=s3cret"], "x --api-token=********"),
        (["x", "PGPASSWORD=s3cret"], "x PGPASSWORD=********"),
        (["x", "postgres://app:s3cret@db/app"], "x postgres://********@db/app"),
        (["x", "a\x1b[31m\nb"], "x a [31m b"),
    ],
)
def test_command_line(arguments, shown):
    assert processes.command_line(arguments) == shown


def test_stat_of_an_odd_name():
    text = "700 (a) b (c)) S 1 700 700 0 -1 4194560 " + " ".join("0" * 12) + " 1378397 0 0"
    found = processes.parse_stat(text)
    assert (found["program"], found["state"], found["ppid"], found["start_ticks"]) == ("a) b (c)", "S", 1, 1378397)


@pytest.mark.parametrize(
    ("process", "why"),
    [
        ({"pid": 1}, "it is process 1"),
        ({"is_kernel_thread": True}, "it is a kernel thread"),
        ({"pid": os.getpid()}, "this run hangs on it"),
        ({"pid": os.getppid()}, "this run hangs on it"),
        ({"program": "sshd"}, "sshd holds up the host"),
        ({"program": "containerd-shim"}, "containerd-shim holds up the host"),
        ({"program": "dockerd"}, "dockerd holds up the host"),
        ({}, ""),
    ],
)
def test_what_nobody_may_end(process, why):
    known = {"pid": 2**22 + 1, "program": "python3", "is_kernel_thread": False}
    assert processes.why_not_end(known | process) == why


def test_container_of_the_engine():
    ports = [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"},
        {"PrivatePort": 443, "Type": "tcp"},
    ]
    found = parse_container({"Id": ID, "Names": ["/grafana"], "Labels": None, "Ports": ports})
    on = [["0.0.0.0", 8080], ["::", 8080]]
    assert found == {"id": ID, "name": "grafana", "labels": {}, "published": [8080], "published_on": on}


@pytest.mark.parametrize(
    ("address", "name"),
    [("127.0.0.1", "one"), ("127.0.0.2", "two"), ("10.0.0.1", "any"), ("0.0.0.0", "any"), ("::1", None)],
)
def test_of_containers_that_publish_one_port_the_one_of_the_address(address, name):
    on = {"one": "127.0.0.1", "two": "127.0.0.2", "other port": "10.0.0.1", "any": "0.0.0.0"}
    containers = [
        {"name": one, "published_on": [[own, 8081 if one == "other port" else 8080]]} for one, own in on.items()
    ]
    found = behind_proxy(containers, 8080, {address})
    assert (found["name"] if found else None) == name


def test_container_of_a_service(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {api: {image: x}}\n")
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "api",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": str(tmp_path),
    }
    service = {"manager": "compose", "project": str(tmp_path)}
    assert is_of_compose_service(labels, "api", service)
    assert is_of_compose_service(labels, "backend", dict(service, name="api"))
    assert not is_of_compose_service(labels, "worker", service)
    assert not is_of_compose_service({**labels, "com.docker.compose.oneoff": "True"}, "api", service)
    assert not is_of_compose_service(labels, "api", dict(service, project_name="other"))
    assert not is_of_compose_service(labels, "api", dict(service, project=str(tmp_path / "none")))


def test_process_of_a_program(tmp_path):
    config = tmp_path / "s.conf"
    config.write_text("[unix_http_server]\nfile=/run/s.sock\n")
    service = {"manager": "supervisor", "name": "api", "config": str(config)}
    environment = {
        "SUPERVISOR_GROUP_NAME": "api",
        "SUPERVISOR_PROCESS_NAME": "api",
        "SUPERVISOR_SERVER_URL": "unix:///run/s.sock",
    }
    assert is_of_program(environment, service)
    assert not is_of_program({}, service)
    assert not is_of_program({**environment, "SUPERVISOR_PROCESS_NAME": "worker"}, service)
    # Another stack's supervisord has a program of the same name.
    assert not is_of_program({**environment, "SUPERVISOR_SERVER_URL": "unix:///run/other.sock"}, service)
    grouped = {**environment, "SUPERVISOR_GROUP_NAME": "web"}
    assert not is_of_program(grouped, service)
    assert is_of_program(grouped, dict(service, name="web:api"))
    assert not is_of_program(environment, dict(service, config=str(tmp_path / "none.conf")))

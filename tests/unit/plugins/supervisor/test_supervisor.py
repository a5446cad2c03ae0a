# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a supervisor configuration says about how to ask supervisord, and what comes back when that fails."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.plugins.module_utils.services.group import as_one
from ansible_collections.oncall.runbooks.plugins.module_utils.services.supervisor import (
    describe,
    last_end,
    members_of,
    restarts_in,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.supervisor.server import (
    Supervisor,
    SupervisorError,
    server_from_config,
)

UNIX = "[unix_http_server]\nfile=%(here)s/s.sock ; where it listens\n"
HASHED = "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d"


def config(tmp_path, text):
    path = tmp_path / "supervisord.conf"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UNIX, ("unix://{here}/s.sock", None, None, "unix_http_server")),
        ("[unix_http_server]\nfile=run/s.sock\n", ("unix://{here}/run/s.sock", None, None, "unix_http_server")),
        (UNIX + "username=u\npassword=p%%w\n", ("unix://{here}/s.sock", "u", "p%w", "unix_http_server")),
        (
            UNIX + f"username=u\npassword={HASHED}\n[supervisorctl]\nusername=u\npassword=clear\n",
            ("unix://{here}/s.sock", "u", "clear", "supervisorctl"),
        ),
        ("[inet_http_server]\nport=9001\n", ("http://127.0.0.1:9001", None, None, "inet_http_server")),
        ("[inet_http_server]\nport=*:9001\n", ("http://127.0.0.1:9001", None, None, "inet_http_server")),
        ("[inet_http_server]\nport=10.1.2.3:9001\n", ("http://10.1.2.3:9001", None, None, "inet_http_server")),
        (
            "[supervisorctl]\nserverurl=unix://%(here)s/s.sock\n",
            ("unix://{here}/s.sock", None, None, "supervisorctl"),
        ),
        (UNIX + "[inet_http_server]\nport=9001\n", ("unix://{here}/s.sock", None, None, "unix_http_server")),
    ],
)
def test_server(tmp_path, text, expected):
    server = server_from_config(config(tmp_path, text))
    url, username, password, section = expected
    assert server == {
        "url": url.format(here=tmp_path),
        "username": username,
        "password": password,
        "section": section,
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no [unix_http_server], no [inet_http_server] and no serverurl"),
        ("[supervisord]\n", "has no [unix_http_server]"),
        ("password=s3cret\n[supervisord]\n", "is not a supervisor configuration (MissingSectionHeaderError)"),
        ("[supervisord]\ns3cret\n", "is not a supervisor configuration (ParsingError)"),
        ("[unix_http_server]\nfile=%(ENV_NOT_SET_ANYWHERE)s/s.sock\n", "file in [unix_http_server] holds a %(...)s"),
    ],
)
def test_unusable_configuration(tmp_path, text, reason):
    with pytest.raises(SupervisorError) as caught:
        server_from_config(config(tmp_path, text))
    assert reason in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_configuration(tmp_path):
    with pytest.raises(SupervisorError, match=r"cannot read the supervisor configuration .*: No such file"):
        server_from_config(str(tmp_path / "none.conf"))


@contextlib.contextmanager
def answering(answer):
    """A server on 127.0.0.1 that has ``answer(connection)`` talk to whoever connects; yields its port."""
    stopped = threading.Event()

    def serve():
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                connection, _address = server.accept()
                with connection:
                    answer(connection, stopped)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def read_request(connection):
    request = b""
    while b"</methodCall>" not in request:
        request += connection.recv(65536)


def hangs(_connection, stopped):
    stopped.wait(60)


def drips(connection, stopped):
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    while not stopped.wait(0.05):
        connection.sendall(b" ")


def says(*lines, body=b""):
    def answer(connection, _stopped):
        read_request(connection)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def floods(connection, stopped):
    read_request(connection)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    while not stopped.is_set():
        connection.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (hangs, "gave no complete answer within 0.5 s"),
        (drips, "gave no complete answer within 0.5 s"),
        (floods, "answered something that is not supervisord's"),
        (says("HTTP/1.0 401 Unauthorized"), "refused the user name and password of [inet_http_server] (HTTP 401)"),
        (says("HTTP/1.0 404 Not Found"), "has no XML-RPC interface (HTTP 404)"),
        (says("HTTP/1.0 500 Oops"), "answered HTTP 500 to system.listMethods"),
        (says("SSH-2.0-OpenSSH_9.2"), "answered something that is not supervisord's"),
        (says("HTTP/1.0 200 OK", body=b"<html>hello"), "answered something that is not supervisord's"),
        (says("HTTP/1.0 200 OK", body=b"\x00\xff\xfe"), "answered something that is not supervisord's"),
        (says("HTTP/1.0 200 OK"), "answered something that is not supervisord's"),
    ],
)
def test_something_else_answers(tmp_path, answer, reason):
    with answering(answer) as port:
        path = config(tmp_path, f"[inet_http_server]\nport={port}\nusername=u\npassword=s3cret\n")
        # Only those that never end an answer are to be given up.
        deadline = Deadline(0.5 if "within 0.5 s" in reason else 30)
        supervisor = Supervisor(server_from_config(path), path, deadline)
        began = time.monotonic()
        with pytest.raises(SupervisorError) as caught:
            supervisor.call("system.listMethods")
    assert time.monotonic() - began < 20
    text = str(caught.value)
    assert f"supervisord at http://127.0.0.1:{port} (config {path}) {reason}" in text
    assert "s3cret" not in text
    assert "\n" not in text


def leave_socket(path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda _path: None, "cannot be reached (No such file or directory)"),
        (leave_socket, "cannot be reached (Connection refused)"),
    ],
)
def test_nothing_listens(tmp_path, monkeypatch, prepare, reason):
    prepare(tmp_path / "s.sock")
    path = config(tmp_path, UNIX)
    with pytest.raises(SupervisorError) as caught:
        Supervisor(server_from_config(path), path, Deadline(5)).call("supervisor.getPID")
    assert reason in str(caught.value)


MAIN_LOG = """\
2026-11-21 01:38:10,330 WARN exited: api (exit status 3; not expected)
2026-11-21 01:38:11,330 WARN exited: api (terminated by SIGKILL (core dumped); not expected)
2026-11-21 01:38:12,330 INFO exited: worker (exit status 0; expected)
2026-11-21 01:38:13,330 WARN stopped: queue (terminated by SIGTERM)
2026-11-21 01:38:14,330 INFO exited: api-2 (exit status 9; expected)
"""


@pytest.mark.parametrize(
    ("name", "exit_code", "signal"),
    [
        ("api", None, "SIGKILL"),
        ("worker", 0, None),
        ("queue", None, "SIGTERM"),
        ("api-2", 9, None),
        ("none", None, None),
    ],
)
def test_last_end(name, exit_code, signal):
    assert last_end(name, MAIN_LOG) == {"exit_code": exit_code, "signal": signal}


@pytest.mark.parametrize(
    ("program", "main_log", "expected"),
    [
        ({"state": 20, "pid": 5, "start": 100, "now": 160}, "", ("running", 5, None, None, 60)),
        ({"state": 20, "pid": 5, "start": 100, "now": 40}, "", ("running", 5, None, None, 0)),
        ({"state": 10, "pid": 5, "start": 100, "now": 100}, "", ("starting", 5, None, None, 0)),
        ({"state": 40, "pid": 5, "start": 100, "now": 160}, "", ("stopped", 5, None, None, 60)),
        ({"state": 0, "pid": 0, "start": 0, "now": 160}, MAIN_LOG, ("stopped", None, None, None, None)),
        ({"state": 30, "pid": 0, "start": 100, "now": 160}, MAIN_LOG, ("backoff", None, None, "SIGKILL", None)),
        ({"state": 200, "pid": 0, "start": 100, "now": 160}, "", ("fatal", None, None, None, None)),
        (
            {"state": 100, "pid": 0, "start": 100, "now": 160, "exitstatus": 7},
            "",
            ("exited", None, 7, None, None),
        ),
        (
            {"state": 100, "pid": 0, "start": 100, "now": 160, "exitstatus": -1},
            "",
            ("exited", None, None, None, None),
        ),
        ({"state": 1000, "pid": 0, "start": 0, "now": 160}, "", ("unknown", None, None, None, None)),
    ],
)
def test_describe(program, main_log, expected):
    found = describe({"name": "api", "group": "api", "exitstatus": 0, "stop": 0, **program}, main_log)
    names = ("state", "pid", "exit_code", "signal", "uptime_seconds")
    assert tuple(found[name] for name in names) == expected


# A program that ends every 1.2 s with startsecs=1: its state is RUNNING whenever somebody looks.
LOOPS = """\
2026-11-28 14:00:00,100 INFO spawned: 'api' with pid 10
2026-11-28 14:00:01,101 INFO success: api entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)
2026-11-28 14:00:01,300 WARN exited: api (exit status 1; not expected)
2026-11-28 14:00:02,300 INFO spawned: 'api' with pid 11
2026-11-28 14:00:03,500 WARN exited: api (exit status 1; not expected)
2026-11-28 14:00:03,600 INFO spawned: 'api-2' with pid 12
2026-11-28 14:00:04,500 INFO spawned: 'api' with pid 13
2026-11-28 14:00:05,700 INFO exited: api (exit status 0; expected)
2026-11-28 14:00:06,700 INFO spawned: 'api' with pid 14
"""
BY_HAND = """\
2026-11-28 14:00:00,100 INFO spawned: 'api' with pid 10
2026-11-28 14:00:01,300 INFO waiting for api to stop
2026-11-28 14:00:01,400 WARN stopped: api (terminated by SIGTERM)
2026-11-28 14:00:02,300 INFO spawned: 'api' with pid 11
"""


def test_how_often_it_was_started_again():
    # Its log is in another zone than UTC.
    assert restarts_in(LOOPS, "api", 1000) == pytest.approx([995.6, 997.8, 1000.0])
    assert restarts_in(BY_HAND, "api", 1000) == []
    assert restarts_in(LOOPS, "none", 1000) is None
    # It was stopped after the loop, and started: what was before is over.
    stopped = "2026-11-28 14:01:00,000 WARN stopped: api (terminated by SIGTERM)\n"
    assert restarts_in(LOOPS + stopped, "api", 1000) is None
    started = "2026-11-28 14:01:01,000 INFO spawned: 'api' with pid 15\n"
    assert restarts_in(LOOPS + stopped + started, "api", 1000) == []
    # supervisord gave it up, and a person started it.
    given_up = "2026-11-28 14:01:00,000 INFO gave up: api entered FATAL state, too many start retries too quickly\n"
    assert len(restarts_in(LOOPS + given_up, "api", 1000)) == 3
    assert restarts_in(LOOPS + given_up + started, "api", 1000) == []
    later = LOOPS.replace("14:00:", "14:02:")
    assert restarts_in(LOOPS + stopped + started + later, "api", 1000) == pytest.approx([995.6, 997.8, 1000.0])
    # With loglevel=warn.
    warnings = "".join(line for line in LOOPS.splitlines(keepends=True) if "exited: api " in line)
    assert restarts_in(warnings, "api", 1000) == pytest.approx([995.6, 997.8, 1000.0])


def test_one_that_runs_at_the_moment_and_loops():
    program = {
        "name": "api",
        "group": "api",
        "exitstatus": 0,
        "stop": 0,
        "state": 20,
        "pid": 14,
        "start": 1000,
        "now": 1001,
    }
    found = describe(program, LOOPS)
    assert (found["state"], found["restarts"], found["restarts_per_hour"], found["exit_code"]) == ("running", 3, 3, 0)
    found = describe(program, "")
    assert (found["restarts"], found["restart_times"]) == (None, None)


def test_a_group_is_as_well_as_its_worst_program():
    def member(name, **changes):
        return {
            "name": name,
            "state": "running",
            "restarts": 0,
            "memory_used_bytes": 10,
            "growth": "flat",
            "pid": 5,
            "variables": ["POOL"],
            "numbers": {"POOL": 5.0},
            "compared": {"MAIL": "first"},
            **changes,
        }

    assert as_one([member("api")]) == {
        "state": "running",
        "restarts": 0,
        "memory_used_bytes": 10,
        "growth": "flat",
        "pid": 5,
        "variables": ["POOL"],
        "numbers": {"POOL": 5.0},
        "compared": {"MAIL": "first"},
    }
    group = as_one(
        [member("w:1"), member("w:2", state="fatal", pid=None), member("w:3", memory_used_bytes=99, growth="growing")]
    )
    assert (group["state"], group["pid"], group["replicas"], group["replicas_running"]) == ("fatal", None, 3, 2)
    assert (group["memory_used_bytes"], group["growth"], len(group["members"])) == (99, "growing", 3)
    assert (group["weakest"], group["variables"]) == ("w:2", ["POOL"])
    # What one has and another has not, the service has not; what is not known of one is not known.
    assert as_one([member("w:1"), member("w:2", variables=[])])["variables"] == []
    assert as_one([member("w:1"), member("w:2", variables=None)])["variables"] is None
    assert as_one([member("w:1"), member("w:2", numbers={"POOL": 6.0})])["numbers"] == {}
    assert as_one([member("w:1"), member("w:2", numbers=None)])["numbers"] is None
    assert group["compared"] == {"MAIL": "first"}
    assert as_one([member("w:1"), member("w:2", compared={"MAIL": ""})])["compared"] == {}
    assert as_one([member("w:1"), member("w:2", compared=None)])["compared"] is None
    assert as_one([member("w:1"), member("w:2", restarts=7)])["restarts"] == 7


def test_which_programs_a_name_stands_for():
    programs = {"api": {"group": "api"}, "w:w_01": {"group": "w"}, "w:w_00": {"group": "w"}}
    assert list(members_of("api", programs)) == ["api"]
    assert list(members_of("w:*", programs)) == ["w:w_00", "w:w_01"]
    assert list(members_of("w:w_01", programs)) == ["w:w_01"]
    assert (members_of("w", programs), members_of("none:*", programs)) == ({}, {})

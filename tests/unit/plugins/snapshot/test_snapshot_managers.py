# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs and environments of services by what manages them: containers, units, and programs of a supervisord elsewhere."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import DeadlineExceeded
from ansible_collections.oncall.runbooks.plugins.module_utils.docker.engine import EngineError
from ansible_collections.oncall.runbooks.plugins.module_utils.services import docker, states, supervisor, systemd
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.gather import gather, validated
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.logs import look
from ansible_collections.oncall.runbooks.plugins.module_utils.supervisor.server import SupervisorError
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.secrets import Redaction

SECRET = "planted4711value"


def frames(text: bytes) -> list[bytes]:
    """A log as an engine sends it: each piece with its stream and length before it."""
    return [b"\1\0\0\0" + len(text).to_bytes(4, "big") + text]


class Engine:
    """An engine with two containers of web, and one that was removed just now."""

    asked: list[str] = []

    def __init__(self, docker_host: Any, deadline: Any) -> None:
        if docker_host == "unix:///nowhere":
            raise EngineError("the Docker Engine cannot be reached at /nowhere (No such file or directory): start it")
        self.deadline, self.socket_path = deadline, "/run/docker.sock"

    def get(self, path: str, **_query: Any) -> Any:
        Engine.asked.append(path)
        if path == "/containers/json":
            return [{"Id": name, "Names": [f"/{name}"], "Labels": {}} for name in ("web", "gone", "mute")]
        name = path.split("/")[2]
        if name == "gone":
            raise EngineError("HTTP 404", 404)
        return {"Id": name, "Name": f"/{name}", "Config": {"Tty": False, "Env": [f"DB_PASSWORD={SECRET}", "PORT=8080"]}}

    def chunks(self, path: str, _limit_bytes: int, **_query: Any) -> Any:
        if path.split("/")[2] == "mute":
            raise EngineError("HTTP 500: the log driver does not support reading", 500)
        return iter(frames(f"GET /?token={SECRET} 200\nlast\n".encode()))


@pytest.fixture
def engine(monkeypatch):
    Engine.asked = []
    monkeypatch.setattr(docker, "Engine", Engine)


def of_docker(*names: str, **more: Any) -> dict[str, Any]:
    return {name: {"manager": "docker", "name": name, **more} for name in names}


def logs_of(services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return look(validated("logs", {"services": services, "max_bytes": 1_000_000, **more}))


def test_logs_of_containers_with_one_list_for_all_of_them(engine):
    services = {
        **of_docker("web", "gone", "mute", "never-there"),
        "far": {"manager": "docker", "name": "x", "docker_host": "unix:///nowhere"},
    }
    told = logs_of(services)
    (file,) = told["files"]
    assert (file["name"], file["text"], file["of_bytes"]) == (
        "web",
        "GET /?token=******** 200\nlast\n",
        file["kept_bytes"],
    )
    assert Engine.asked.count("/containers/json") == 1
    limits = "\n".join(told["limits"])
    assert len(told["limits"]) == 4
    for reason in (
        "service gone: its container was removed",
        "does not support reading",
        "there is no container never-there",
        "service far: the Docker Engine cannot be reached",
    ):
        assert reason in limits


def test_environments_of_containers(engine):
    told = gather({"e": {"look": "environment", "parameters": {"services": of_docker("web", "gone")}}}, 20)["e"]
    assert [(one["service"], one["process"], one["variable"], one["value"]) for one in told["variables"]] == [
        ("web", "web", "DB_PASSWORD", "********"),
        ("web", "web", "PORT", "8080"),
    ]
    assert told["limits"] == ["service gone: its container was removed just now"]


def test_a_log_that_may_go_on_before_what_was_given_is_told_as_such(engine):
    told = logs_of(of_docker("web"), lines=2)
    (file,) = told["files"]
    assert file["of_bytes"] is None, "as many lines as were asked for: nobody says whether there were more"
    assert file["text"] == "last\n", "and the first of them may be cut anywhere"


SHOWN = {
    "LoadState": "loaded", "LoadError": "", "ActiveState": "active", "SubState": "running", "Type": "simple", "Result": "success",
    "NRestarts": "0", "Restart": "no", "ExecMainCode": "0", "ExecMainStatus": "0", "ExecMainStartTimestampMonotonic": "1",
    "ExecMainExitTimestampMonotonic": "0", "MemoryMax": "infinity", "CPUQuotaPerSecUSec": "infinity", "ControlGroup": "", "ConsistsOf": "",
}  # fmt: skip


@pytest.fixture
def units(monkeypatch):
    def run(argv: list[str], _seconds: float) -> dict[str, Any]:
        nothing = {"exit_code": 0, "signal": None, "stdout": "", "stderr": "", "error": ""}
        if argv[0] == "journalctl":
            lines = (
                "" if "--unit=quiet.service" in argv else f"2026-11-30T12:00:00+0000 host web[1]: password={SECRET}\n"
            )
            return {**nothing, "stdout": lines}
        names = argv[argv.index("--") + 1 :]
        pid = {"web.service": str(os.getpid()), "quiet.service": "0"}
        return {
            **nothing,
            "stdout": "\n\n".join(
                "\n".join(f"{k}={v}" for k, v in {**SHOWN, "MainPID": pid[name]}.items()) for name in names
            ),
        }

    monkeypatch.setattr(systemd, "run", run)


def test_journals_and_environments_of_units(units, monkeypatch):
    services = {name: {"manager": "systemd", "name": name} for name in ("web", "quiet", "no unit/name")}
    told = logs_of(services)
    (file,) = told["files"]
    assert file["text"].endswith("web[1]: password=********\n") and file["source"] == "the log of web"
    assert "the journal has no entry of quiet.service" in "\n".join(told["limits"])
    assert "'no unit/name' cannot be a unit's name" in "\n".join(told["limits"])

    told = gather({"e": {"look": "environment", "parameters": {"services": services}}}, 20)["e"]
    assert {one["process"] for one in told["variables"]} == {"web.service"}
    assert "PATH" in {one["variable"] for one in told["variables"]}
    assert "the environment of quiet.service cannot be seen" in "\n".join(told["limits"])


class Elsewhere:
    """A supervisord of another host, which hands out its logs."""

    def __init__(self, server: Any, config: str, deadline: Any) -> None:
        self.server, self.config, self.is_local, self.deadline = server, config, False, deadline

    def multicall(self, *calls: Any) -> list[Any]:
        if calls[0][0] == "supervisor.getAllProcessInfo":
            program = {"group": "web", "pid": 77, "stdout_logfile": "/var/log/web.log", "stderr_logfile": ""}
            return [[{**program, "name": name} for name in ("web", "mute", "down")]]
        if calls[0][1] == "web:down":
            raise SupervisorError("supervisord at http://10.0.0.5:9001 cannot be reached (refused)")
        text = f"a line that is cut anywhere\npassword={SECRET}\nlast\n"
        return [[text, 5_000_000, True] if calls[0][1] == "web" else None]


def test_logs_that_a_supervisord_elsewhere_hands_out(monkeypatch):
    monkeypatch.setattr(supervisor, "Supervisor", Elsewhere)
    monkeypatch.setattr(supervisor, "server_from_config", lambda config: {"url": "http://10.0.0.5:9001"})
    services = {
        name: {"manager": "supervisor", "name": name, "config": "/etc/supervisord.conf"}
        for name in ("web", "web:mute", "web:down", "absent")
    }
    told = logs_of(services)
    (file,) = told["files"]
    assert (file["name"], file["text"], file["of_bytes"]) == ("web-stdout", "password=********\nlast\n", 5_000_000)
    limits = "\n".join(told["limits"])
    assert (
        "has no program absent; it has: " in limits
        and "does not hand it out" in limits
        and "cannot be reached (refused)" in limits
    )
    told = gather({"e": {"look": "environment", "parameters": {"services": services}}}, 20)["e"]
    assert not told["available"], "the processes are on another host"


def test_a_manager_that_hangs_leaves_the_others_their_logs(monkeypatch, tmp_path):
    monkeypatch.setattr(docker, "log_readers", lambda services, seconds: time.sleep(60))
    (tmp_path / "a.log").write_text("a\n")
    began = time.monotonic()
    told = logs_of(of_docker("web"), timeout_seconds=2.0, folders={"app": {"path": str(tmp_path)}})
    assert time.monotonic() - began < 20
    assert [file["text"] for file in told["files"]] == ["a\n"]
    assert "service web could not be asked: no complete answer within" in told["limits"][0]


def test_what_is_asked_of_all_managers_tells_of_every_service():
    told = states.environments({"a": {"manager": "command", "commands": {}}, "b": 3, "c": {"manager": "docker"}}, 5)
    assert sorted(one["key"] for one in told) == ["a", "b", "c"] and all(one["reason"] for one in told)


def test_the_action_gives_up_where_nothing_comes_back():
    from ansible_collections.oncall.runbooks.plugins.action.snapshot import at_most

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"), at_most(0.2):
        time.sleep(30)
    assert time.monotonic() - began < 20
    with at_most(0.2):
        pass
    time.sleep(0.3)  # nothing is left that would end this
    assert Redaction(()).text("as it is") == "as it is"

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's gunicorn under a real supervisord, broken as it breaks: what is seen of it, and what follows."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from debian_programs import program

from ansible_collections.oncall.runbooks.plugins.module_utils.net import ports as net_ports
from ansible_collections.oncall.runbooks.plugins.module_utils.observers import port as port_observer
from ansible_collections.oncall.runbooks.plugins.module_utils.observers import service as service_observer
from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import observe
from ansible_collections.oncall.runbooks.tests.support import tables
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord, free_port, until
from lab.tools.debian import ensure

APP = """
import os, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(60)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\\n"]
"""
# What a user's application does at its import.
APPS = {
    "works": APP,
    "unset": 'import os\nos.environ["DATABASE_URL"]\n' + APP,
    "raises": 'raise RuntimeError("no such feature flag: checkout_v2")\n',
    "typo": "import flsk\n" + APP,
}
PROGRAMS = {
    # name: (the application, options)
    "works": ("works", ""),
    "reloads": ("works", "--reload"),
    "taken": ("works", ""),
    "taken_and_reloads": ("works", "--reload"),
    "unset": ("unset", ""),
    "unset_and_reloads": ("unset", "--reload"),
    "raises": ("raises", "--workers 2"),
    "typo": ("typo", ""),
    "hangs": ("works", "--timeout 1"),
}
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


class Stack(Supervisord):
    """A supervisord with a gunicorn for each of ``PROGRAMS``, each with a port of its own."""

    def __init__(self) -> None:
        found = Path(
            program(
                lambda cache: ensure("gunicorn", "gunicorn", cache, "python3-gunicorn", "python3-pkg-resources"),
                "gunicorn",
            )
        )
        super().__init__()
        for name, text in APPS.items():
            (self.home / f"app_{name}.py").write_text(text)
        self.ports = {name: free_port() for name in PROGRAMS}
        self.taken = [socket.create_server(("127.0.0.1", port)) for name, port in self.ports.items() if "taken" in name]
        # The program is a script of Debian's Python, and its library lies beside it.
        library = found.parents[1] / "lib" / "python3" / "dist-packages"
        sections = [self.program_config.read_text()]
        for name, (app, options) in PROGRAMS.items():
            command = (
                f"{PYTHON} {found} --chdir {self.home} --bind 127.0.0.1:{self.ports[name]} {options} app_{app}:app"
            )
            sections.append(
                f'[program:{name}]\ncommand={command}\nenvironment=PYTHONPATH="{library}",HOME="{self.home}"\nredirect_stderr=true\n'
            )
        self.wait_for(api="RUNNING")
        self.program_config.write_text("\n".join(sections))
        self.rpc("reloadConfig")
        for name in PROGRAMS:
            self.rpc("addProcessGroup", name)

    def services(self) -> dict[str, Any]:
        return {name: self.service(name) | {"port": self.ports[name]} for name in PROGRAMS}

    def look(self, name: str) -> dict[str, Any]:
        """What the observers tell of a program and its port."""
        services = self.services()
        defaults = {key: dict(option).get("default") for key, option in service_observer.SPEC.items()}  # type: ignore[call-overload]
        seen = observe({**defaults, "services": {name: services[name]}, "log_lines": 200, "log_tail_lines": 200})
        more = {key: dict(option).get("default") for key, option in port_observer.SPEC.items()}  # type: ignore[call-overload]
        port = {"service": {"port": self.ports[name], "address": ""}}
        return {"service": seen, "port": net_ports.observe({**more, "ports": port, "services": services})}

    def judged(self, runbook: str, name: str, seen: dict[str, Any]) -> dict[str, Any]:
        """What a runbook concludes of it, where its URL does not answer."""
        variables = {
            "api_down": {
                "api_down_service": name,
                "api_down_endpoints": {"health": f"http://127.0.0.1:{self.ports[name]}/"},
            },
            "crash_loop": {"crash_loop_services": [name]},
            "port_conflict": {"port_conflict_service": name, "port_conflict_port": self.ports[name]},
        }[runbook]
        bad = {
            "available": True,
            "ok": False,
            "error": "refused",
            "reason": f"GET http://127.0.0.1:{self.ports[name]}/: refused",
        }
        probe = {"available": True, "endpoints": {"health": bad}, "failing": ["health"], "unknown": [], "limits": []}
        looked = {
            "api_down": {"service": seen["service"], "http_probe": probe},
            "crash_loop": {"service": seen["service"]},
            "port_conflict": seen,
        }[runbook]
        if runbook == "port_conflict":
            variables["__port_conflict_looked"] = seen
        return tables.diagnose(runbook, looked, system_services=self.services(), **variables)

    def stop(self) -> None:
        for one in self.taken:
            one.close()
        super().stop()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    running = Stack()
    try:
        until(lambda: all(restarted(running, name) >= 2 for name in ("unset", "unset_and_reloads", "raises", "typo")))
        until(lambda: all("in use" in str(running.look(name)["service"]) for name in ("taken", "taken_and_reloads")))
        yield running
    finally:
        running.stop()


def restarted(running: Stack, name: str) -> int:
    return running.look(name)["service"]["services"][name]["restarts"] or 0


def causes(stack: Stack, runbook: str, name: str) -> tuple[list[str], str]:
    """The causes that a runbook finds, and its line; once more where the program was just between two states."""
    end = time.monotonic() + 60
    while True:
        result = stack.judged(runbook, name, stack.look(name))
        found = tables.causes_that_are(result, "problem")
        if found or time.monotonic() > end:
            return found, result["msg"]
        time.sleep(0.3)


@pytest.mark.parametrize("name", ["taken", "taken_and_reloads"])
def test_a_port_that_is_taken(stack, name):
    # It tries for five seconds while supervisor says RUNNING, ends, and is started again.
    found, line = causes(stack, "port_conflict", name)
    assert found == ["stranger"], line
    assert f"port {stack.ports[name]} of {name} is held by pid {os.getpid()} " in line
    found, line = causes(stack, "api_down", name)
    assert found == ["port_taken"] and str(stack.ports[name]) in line, line
    until(lambda: restarted(stack, name) >= 3)
    found, line = causes(stack, "crash_loop", name)
    assert found == ["port_in_use"] and f"port {stack.ports[name]} is taken" in line, line


@pytest.mark.parametrize("name", ["unset", "unset_and_reloads"])
def test_a_worker_that_wants_a_variable(stack, name):
    until(lambda: restarted(stack, name) >= 3)
    found, line = causes(stack, "crash_loop", name)
    assert found == ["missing_variable"] and "DATABASE_URL" in line, line
    found, line = causes(stack, "api_down", name)
    assert found == ["crash_loop"], line


@pytest.mark.parametrize(
    ("name", "says"), [("raises", "no such feature flag: checkout_v2"), ("typo", "No module named 'flsk'")]
)
def test_a_worker_that_dies_at_boot(stack, name, says):
    until(lambda: restarted(stack, name) >= 3)
    seen = stack.look(name)
    assert says in str([error["last"] for error in seen["service"]["services"][name]["log_tail_errors"]])
    found, line = causes(stack, "crash_loop", name)
    assert found == ["unexplained"], line


@pytest.mark.parametrize("name", ["works", "reloads"])
def test_one_that_works(stack, name):
    until(lambda: socket.create_connection(("127.0.0.1", stack.ports[name]), timeout=5).close() is None)
    seen = stack.look(name)
    told = seen["service"]["services"][name]
    assert (told["state"], told["restarts"], told["log_tail_errors"]) == ("running", 0, [])
    result = stack.judged("port_conflict", name, seen)
    assert (result["status"], tables.causes_that_are(result, "problem")) == ("healthy", []), result["msg"]


def test_a_worker_that_is_ended_because_it_hangs(stack):
    url = f"http://127.0.0.1:{stack.ports['hangs']}"
    until(lambda: socket.create_connection(("127.0.0.1", stack.ports["hangs"]), timeout=5).close() is None)
    subprocess.run(
        [sys.executable, "-c", f"import urllib.request as u\ntry: u.urlopen('{url}/slow')\nexcept OSError: pass"],
        timeout=60,
    )
    told = stack.look("hangs")["service"]["services"]["hangs"]
    # The program of the manager goes on: only a worker was ended.
    assert (told["state"], told["restarts"]) == ("running", 0)
    assert any("WORKER TIMEOUT" in error["last"] for error in told["log_tail_errors"]), told["log_tail"]
    result = stack.judged("crash_loop", "hangs", stack.look("hangs"))
    assert "looping" not in str(tables.causes_that_are(result, "problem")) and not result["plan"]["steps"]

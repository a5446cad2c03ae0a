# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compose lab's faults are made with. They are in ``lab/compose/faults``, found by their folder."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..database import connect
from ..layout import LabError
from ..measure import ask
from ..rights import Rights
from .project import Project


class Target:
    """One compose lab, and short ways to break and to measure it. Every method raises LabError."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.layout = project.layout
        self.docker = project.docker
        self.compose = project.compose
        self.container = project.container

    def request(self, service: str, path: str, method: str = "GET", seconds: float = 3) -> tuple[int, str]:
        """Status and body of a request to a service's published port; status 0 and why when there is no answer."""
        return ask(self.project.port(service), path, method, seconds)

    def api(self, path: str, method: str = "GET", seconds: float = 3) -> tuple[int, str]:
        return self.request("api", path, method, seconds)

    def begin(self, fault: str) -> None:
        """Turn a fault of the API on, such as ``latency?route=/orders&seconds=2`` (see lab/programs/fault_routes.py)."""
        self._must("api", f"/debug/{fault}", "POST")

    def end(self, fault: str) -> None:
        """Turn a fault of the API off, by its name."""
        self._must("api", f"/debug/{fault}", "DELETE")

    def provider(self, status: int = 200, seconds: float = 0) -> None:
        """Tell the provider how to answer."""
        self._must("provider", f"/debug/behave?status={status}&seconds={seconds}", "POST")

    def ask_provider(self, path: str, method: str) -> Any:
        """What the provider answers."""
        status, body = self.request("provider", path, method, seconds=30)
        if status != 200:
            raise LabError(f"provider answers {method} {path} with {status}: {body[:200]}")
        return json.loads(body)

    def load(self, per_second: float, route: str = "") -> None:
        """How often users ask the API, and for what; 5 times a second, for everything, is the baseline."""
        chosen = f"&route={route}" if route else ""
        self._must("frontend", f"/debug/load?per_second={per_second}{chosen}", "POST")

    def _must(self, service: str, path: str, method: str) -> None:
        status, body = self.request(service, path, method, seconds=30)
        if status != 200:
            raise LabError(f"{service} answers {method} {path} with {status}: {body[:200]}")

    def metric(self, name: str, service: str = "api") -> float | None:
        """The sum of a family's samples, or of those with exactly the labels in the name; None without any."""
        status, text = self.request(service, "/metrics", seconds=30)
        samples = [
            float(line.rsplit(" ", 1)[1])
            for line in (text.splitlines() if status == 200 else [])
            if re.match(re.escape(name) + (r" " if "{" in name else r"[{ ]"), line)
        ]
        return sum(samples) if samples else None

    def sql(self, statement: str, *values: Any, role: str = "postgres", seconds: int = 30) -> list[tuple[Any, ...]]:
        """The rows of one statement, in a session that is to be had within ``seconds``."""
        with connect(self.layout, role, seconds) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def redis(self, *command: str) -> Any:
        """The answer to one Redis command."""
        import redis

        port = self.project.port("redis")
        try:
            with redis.Redis(port=port, socket_timeout=20, socket_connect_timeout=20, decode_responses=True) as client:
                return client.execute_command(*command)
        except redis.RedisError as error:
            raise LabError(f"Redis on port {port} does not do {command[0]}: {error}") from None

    def run_in(self, service: str, *argv: str, user: str = "") -> str:
        """What a command in a service's container prints."""
        chosen = ("--user", user) if user else ()
        return self.docker("exec", *chosen, self.container(service)["Id"], *argv)

    def log(self, service: str, lines: int = 200) -> str:
        """The end of a service's log."""
        return self.compose("logs", "--no-log-prefix", f"--tail={lines}", service)

    def environment_file(self, service: str) -> Path:
        return self.project.folder / f"{service}.env"

    def set_environment(self, service: str, **values: str | None) -> None:
        """Set variables in the file of ``api`` or ``worker``, or take them out with None. ``recreate`` follows."""
        file = self.environment_file(service)
        lines = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in values]
        lines += [f"{name}={value}" for name, value in values.items() if value is not None]
        file.write_text("".join(f"{line}\n" for line in lines))

    def recreate(self, *services: str) -> None:
        """Containers as the project's files say now. Does not wait until they are healthy."""
        self.compose("up", "--detach", "--no-deps", "--force-recreate", "--timeout", "5", *services)

    @staticmethod
    def wait(condition: Callable[[], object], seconds: float = 90, what: str = "it") -> None:
        """Ask until the condition holds; LabError when it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise LabError(f"{what} is not there after {seconds:.0f} s")
            time.sleep(0.1)


def _nothing(target: Target) -> None:
    """What ``heal`` puts back by itself needs no undo."""


@dataclass(frozen=True)
class Fault:
    """One way to break the compose lab.

    Attributes:
        summary: one line for people.
        make: breaks it.
        there: whether it is measurably there now, and what was seen.
        samples: how many samples in a row must say so.
        undo: takes back what ``heal`` does not put back by itself. It puts back: the files of the project, containers
            that are stopped, paused, removed, changed or scaled, Redis' configuration, ALTER SYSTEM, sessions and
            replication slots of others, the API's debug faults, the provider's answers and the load.
        undone_first: ``undo`` needs no container, and while the fault is there some cannot start.
        rights: what is right for each runbook that it is for. For the others it is well, or has another name there.
    """

    summary: str
    make: Callable[[Target], object]
    there: Callable[[Target], tuple[bool, str]]
    undo: Callable[[Target], object] = _nothing
    undone_first: bool = False
    samples: int = 1
    rights: Rights = field(default_factory=dict)

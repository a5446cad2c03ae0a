# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab: bring it up, break it, mend it, take it down."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import database, measure
from ..base import BaseLab
from ..layout import LabError
from ..measure import GaveUp, wait
from ..ports import choose_ports
from ..shape import shape
from . import processes
from .assemble import configure, service_program
from .supervise import Supervisor, program
from .target import Fault, Target

PORTS = ("api", "database", "redis", "provider")
# For what never comes: a busy machine takes its time.
READY_SECONDS = 120


class Lab(BaseLab):
    """A stack under supervisord: processes of this user, on loopback.

    Args:
        system: the system of ``inventories`` whose shape it takes; "" is its own.
    """

    kind = "embedded"

    def __init__(
        self, home: str | Path | None = None, say: Callable[[str], None] = lambda line: None, system: str = ""
    ) -> None:
        super().__init__(home, say)
        self.system = system
        self.supervisor = Supervisor(self.layout)
        self.target = Target(self.layout, self.supervisor)

    @property
    def _programs(self) -> tuple[str, ...]:
        return self.layout.shape.all_programs

    # ------------------------------------------------------------------ up and down
    def up(self) -> None:
        self.layout.require_kind(self.kind)
        self.layout.require_system(self.system)
        with self.layout.locked():
            if self.layout.exists() and self.supervisor.alive():
                for name in set() if self.active() else self._programs:
                    self.supervisor.start(name)
            else:
                self._start()
            if self.active():
                self._say(f"already up; active faults: {', '.join(self.active())}")
            else:
                self._wait_ready()
                self._say(f"ready: {self.url} ({self.home})")
                if self.layout.shape.name:
                    self._say(f"its inventory: {self.home / 'inventory'}")

    def _start(self) -> None:
        first = not self.layout.exists()
        self._say(f"making a lab in {self.home}" if first else f"starting the lab in {self.home}")
        if orphans := processes.of_lab(self.layout):
            self._say(f"ending {len(orphans)} processes that an earlier run left behind")
            processes.end(orphans)
        shape(self.system)
        self.layout.prepare(self.system)
        choose_ports(self.layout, (*PORTS, *self.layout.shape.programs))
        if not self.layout.data.exists():
            self._say("making the database")
        database.initialise(self.layout)
        configure(self.layout, self.supervisor)
        self._say("starting supervisord with " + ", ".join(self._programs))
        self.supervisor.launch()

    def _wait_ready(self) -> None:
        def ready() -> tuple[bool, str]:
            states = measure.states_of(self.supervisor.states(), self._programs)
            late = [self._excuse(name, state) for name, state in states.items() if state != "RUNNING"]
            if "FATAL" in states.values():
                raise GaveUp(f"supervisord gave up: {'; '.join(late)}; see {self.layout.logs}")
            status, body = measure.request(self.layout, "/readyz")
            if status != 200:
                late.append(f"/readyz says {status} {body[:200]}")
            return not late, "; ".join(late)

        if problem := wait(ready, READY_SECONDS):
            raise LabError(f"not ready within {READY_SECONDS} s: {problem}; {self._where_to_look}")

    def _excuse(self, name: str, state: str) -> str:
        """A program's state, with the last line of its log where it does not even start."""
        file = self.layout.logs / f"{name}.log"
        if state not in ("BACKOFF", "FATAL", "EXITED") or not file.exists():
            return f"{name} is {state}"
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - 2000))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return f"{name} is {state} ({lines[-1].strip()[:200] if lines else 'its log is empty'})"

    def down(self, purge: bool = False) -> None:
        if not self.home.is_dir():
            self._say(f"no lab in {self.home}")
            return
        with self.layout.locked():
            if not self.layout.exists():
                self._say(f"no lab in {self.home}")
                return
            if "database_hang" in self.active():
                for process in processes.database_processes(self.layout):
                    process.resume()
            if self.supervisor.alive():
                self._say("stopping the lab")
                self.supervisor.call("shutdown")
                wait(lambda: (not processes.of_lab(self.layout), ""), 20)
            processes.end(processes.of_lab(self.layout))
            self._forget_faults()
            if purge:
                self.layout.purge()
                self._say(f"removed {self.home}")

    # ------------------------------------------------------------------ looking
    def pool(self) -> dict[str, int]:
        """The API's pool: ``max``, ``size``, ``in_use``, ``idle`` and ``waiting``."""
        return measure.pool(self.layout)

    def measure(self) -> measure.Measured:
        """The pool and the database's client sessions, seen as the superuser."""
        return measure.measure(self.layout)

    def request(self, path: str, method: str = "GET", seconds: float = 10) -> tuple[int, str]:
        return measure.request(self.layout, path, method, seconds)

    def status(self) -> dict[str, Any]:
        """``{"up", "home", "kind", "services": {name: {"state", "pid", "port"}}, "faults": [name], "pool": {}}``."""
        status: dict[str, Any] = {
            "up": False,
            "home": str(self.home),
            "kind": self.kind,
            "services": {},
            "faults": [],
            "pool": {},
        }
        if not self.layout.exists() or not self.supervisor.alive():
            return status
        ports = self.layout.ports
        infos = self.supervisor.states()
        for name, state in measure.states_of(infos, self._programs).items():
            pid = infos.get(name, {}).get("pid") or None
            status["services"][name] = {"state": state, "pid": pid, "port": ports.get(name)}
        try:
            status["pool"] = self.pool()
        except LabError as error:
            status["pool_error"] = str(error)
        return {**status, "up": True, "faults": self.active()}

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "LAB_SUPERVISOR_CONFIG": str(self.layout.config),
            "LAB_REDIS_PORT": str(self.layout.ports["redis"]),
        }

    # ------------------------------------------------------------------ breaking and mending
    def _make(self, name: str, fault: Fault) -> None:
        if self.active() == [name]:
            self._restore_settings()
        if fault.small_pool and self.pool()["size"] > 4:
            self._restart("api")
        if fault.program:
            argv = [sys.executable, "-m", "lab.programs.trouble", "--home", str(self.home), "--fault", name]
            text = program(self.layout, f"fault-{name}", argv, autorestart="false", startsecs=0)
            self.supervisor.program_file(f"fault-{name}").write_text(text)
            self.supervisor.load(f"fault-{name}")
        super()._make(name, fault)

    @property
    def _where_to_look(self) -> str:
        return f"see {self.layout.logs}"

    def heal_all(self) -> list[str]:
        with self.layout.locked():
            self._require_up()
            active = self.active()
            for name in sorted(active, key=lambda name: not self.faults[name].blind):
                self._heal(name)
            if not active:
                self._settle()
            return active

    def _heal(self, name: str) -> None:
        fault = self.faults[name]
        others = set(self.active()) - {name}
        first = sorted(other for other in others if self.faults[other].blind)
        if first and not fault.blind:
            raise LabError(f"{name} cannot be undone while {', '.join(first)} lasts; run: python -m lab heal --all")
        file = self.supervisor.program_file(f"fault-{name}")
        if file.exists():
            file.unlink()
            self.supervisor.load(f"fault-{name}")
        fault.undo(self.target)
        (self.layout.faults / f"{name}.json").unlink(missing_ok=True)
        if not others:
            self._settle()

    def _settle(self) -> None:
        """As after `up`: everything runs, nothing that remedies change is changed, nobody waits."""
        self._restore_settings()
        if problem := wait(self._calm, READY_SECONDS):
            raise LabError(f"healed, but the lab is not calm again: {problem}; run: python -m lab down")

    def _calm(self) -> tuple[bool, str]:
        numbers = self.pool()
        return numbers["waiting"] == 0 and numbers["in_use"] == 0, str(numbers)

    def _restore_settings(self) -> None:
        file = self.supervisor.program_file("api")
        baseline = service_program(self.layout, "api")
        if file.read_text() != baseline:
            file.write_text(baseline)
            self.supervisor.load("api")
        for name in self._programs:
            self.supervisor.start(name)
        self._wait_ready()
        if database.reset_max_connections(self.layout):
            self._restart("database")

    def _restart(self, name: str) -> None:
        self.supervisor.restart(name)
        self._wait_ready()

    def _require_up(self) -> None:
        if not (self.layout.exists() and self.supervisor.alive()):
            raise LabError(f"the lab in {self.home} is not up; run: python -m lab up")

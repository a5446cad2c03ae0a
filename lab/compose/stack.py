# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab in containers: bring it up, break it, mend it, take it down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import inventory
from ..base import BaseLab
from ..layout import LabError
from ..measure import wait
from ..ports import choose_ports
from ..release import Release
from . import engine
from .baseline import back_up, restore_state, snapshot, strays
from .images import images, packages
from .project import PORTS, SERVICES, Project
from .target import Target

# For what never comes: a busy machine takes its time.
READY_SECONDS = 180


class ComposeLab(BaseLab):
    """A stack in containers of its own."""

    kind = "compose"

    def __init__(self, home: str | Path | None = None, say: Callable[[str], None] = lambda line: None) -> None:
        super().__init__(home, say)
        self.project = Project(self.layout)
        self.target = Target(self.project)

    # ------------------------------------------------------------------ up and down
    def up(self) -> None:
        self.layout.require_kind(self.kind)
        with self.layout.locked():
            if self.layout.exists() and self.active() and self.project.containers():
                return self._say(f"already up; active faults: {', '.join(self.active())}")
            engine.ensure(self._say)
            if not self.layout.exists():
                self._say(f"making a compose lab in {self.home}")
                self.layout.begin()
                self.layout.save({"kind": self.kind, "ports": {}})
            self._start()
            self._say(f"ready: {self.url} ({self.home})")
        return None

    def _start(self) -> None:
        for folder in (self.layout.faults, self.home / "oncall"):
            folder.mkdir(mode=0o755, exist_ok=True)
        self._forget_faults()
        record = self.layout.record()
        if "baseline" not in record:
            # Nothing is worth keeping of a start that never came to its end.
            self.project.remove()
        running = self.project.containers()
        if not running:
            choose_ports(self.layout, tuple(PORTS.values()))
            record = {**self.layout.record(), "files": self.project.baseline(images(self._say), packages(self._say))}
            self.layout.save(record)
        self.project.write(record["files"])
        if not running:
            Release(self.project.folder).begin()
        self._say("starting " + ", ".join(SERVICES))
        self._compose_up()
        self._wait_ready()
        if not running:
            self.layout.save({**record, "baseline": snapshot(self.target)})
            back_up(self.target)
        inventory.write(self.layout, _variables(self.project))

    def _compose_up(self) -> None:
        self.project.compose("up", "--detach", "--wait", "--remove-orphans", "--timeout", "5", "--quiet-pull")

    def _wait_ready(self) -> None:
        if problem := wait(self._ready, READY_SECONDS):
            raise LabError(f"not ready within {READY_SECONDS} s: {problem}; {self._where_to_look}")

    def _ready(self) -> tuple[bool, str]:
        found = self.project.containers()
        late = [f"{name} is {_state(found[name][0]) if name in found else 'missing'}" for name in SERVICES
                if name not in found or _state(found[name][0]) != "healthy"]  # fmt: skip
        if not late:
            status, body = self.target.api("/readyz")
            late = [] if status == 200 else [f"/readyz says {status} {body[:200]}"]
            # Somebody who is not logged in: the API's log shows that it has requests.
            self.target.api("/me")
        return not late, "; ".join(late)

    def down(self, purge: bool = False) -> None:
        """Remove every container, network and volume; with ``purge`` also the lab's folder."""
        if not self.layout.exists():
            return self._say(f"no lab in {self.home}")
        with self.layout.locked():
            self._say("removing the lab's containers")
            self.project.remove()
            self._forget_faults()
            if purge:
                self.layout.purge()
                self._say(f"removed {self.home}")
        return None

    # ------------------------------------------------------------------ looking
    def request(self, path: str, method: str = "GET", seconds: float = 10) -> tuple[int, str]:
        return self.target.api(path, method, seconds)

    def status(self) -> dict[str, Any]:
        """``{"up", "home", "kind", "project", "services": {name: {"state", "container", ...}}, "faults": [name]}``."""
        status: dict[str, Any] = {
            "up": False, "home": str(self.home), "kind": self.kind, "project": self.project.name, "services": {},
            "faults": [],
        }  # fmt: skip
        found = self.project.containers() if self.layout.exists() else {}
        if not found:
            return status
        for name in (*SERVICES, *sorted(set(found) - {*SERVICES})):
            same = found.get(name, [])
            status["services"][name] = {
                "state": _state(same[0]) if same else "missing",
                "container": same[0]["Name"].removeprefix("/") if same else None,
                "containers": [container["Name"].removeprefix("/") for container in same],
                "id": same[0]["Id"] if same else None,
                "started_at": same[0]["State"]["StartedAt"] if same else None,
                "restarts": same[0]["RestartCount"] if same else None,
                "pid": (same[0]["State"]["Pid"] or None) if same else None,
                "port": self.project.port(name) if name in PORTS else None,
            }
        return {**status, "up": True, "faults": self.active()}

    def environment(self) -> dict[str, str]:
        ports = self.layout.ports
        containers = {
            f"LAB_{name.upper()}_CONTAINER": service["container"] or ""
            for name, service in self.status()["services"].items()
        }
        return {
            **super().environment(),
            "LAB_PROJECT": self.project.name,
            "LAB_PROJECT_FOLDER": str(self.project.folder),
            **containers,
            **{f"LAB_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        }

    # ------------------------------------------------------------------ breaking and mending
    def heal_all(self) -> list[str]:
        with self.layout.locked():
            self._require_up()
            active = self.active()
            self._heal(*active)
            return active

    def _heal(self, *names: str) -> None:
        known = self.faults
        for name in names:
            if name in known and known[name].undone_first:
                known[name].undo(self.target)
        # A database that is frozen, and whatever else nothing works without, comes back before the rest is undone.
        self._settle_containers()
        for name in names:
            if name in known and not known[name].undone_first:
                known[name].undo(self.target)
            (self.layout.faults / f"{name}.json").unlink(missing_ok=True)
        if not self.active():
            self._settle_containers()
            restore_state(self.target, self.layout.record()["baseline"])
            self._wait_ready()

    def _settle_containers(self) -> None:
        """As after ``up``: the project's files, and one sound container of each service."""
        record = self.layout.record()
        files_changed = self.project.write(record["files"])
        found = self.project.containers()
        for container in [one for same in found.values() for one in same if one["State"]["Paused"]]:
            self.project.docker("unpause", container["Id"])
        gone = strays(found, record["baseline"]["containers"])
        if gone:
            self.project.docker("rm", "--force", *gone)
        if gone or files_changed or any(name not in found for name in SERVICES):
            self._compose_up()

    @property
    def _where_to_look(self) -> str:
        return f"run: docker compose logs in {self.project.folder}"

    def _require_up(self) -> None:
        if not (self.layout.exists() and self.project.containers()):
            raise LabError(f"the lab in {self.home} is not up; run: python -m lab up --compose")


def _state(container: dict[str, Any]) -> str:
    """``healthy``, ``unhealthy`` or ``starting`` of what runs; else ``exited``, ``paused``, ``restarting``, ..."""
    state = container["State"]
    return state["Health"]["Status"] if state["Status"] == "running" and "Health" in state else state["Status"]


def _in_api(project: Project) -> list[str]:
    """What brings a command into the application's container."""
    return ["docker", "compose", "--file", str(project.folder / "compose.yaml"), "exec", "--no-TTY", "api"]


def _control(project: Project, *arguments: str) -> list[str]:
    """The application's own command, in its container."""
    return [*_in_api(project), "python3", "-m", "lab.programs.control", *arguments]


def _variables(project: Project) -> dict[str, object]:
    """What the contract of roles/system asks for, of a lab in containers."""
    layout = project.layout
    ports = layout.ports
    services: dict[str, dict[str, object]] = {
        name: {
            "manager": "compose",
            "project": str(project.folder),
            "project_name": project.name,
            "name": name,
            "port": project.port(name),
        }
        for name in SERVICES
    }
    for name in ("api", "worker", "frontend", "provider"):
        services[name]["health_url"] = f"http://127.0.0.1:{project.port(name)}/health"
    for name in ("api", "worker"):
        services[name] |= {"environment_file": str(project.folder / f"{name}.env"), "depends_on": ["db", "redis"]}
    services["frontend"]["depends_on"] = ["api"]
    return {
        "system_state_directory": str(layout.home / "oncall"),
        "system_services": services,
        "system_endpoints": {
            name: f"http://127.0.0.1:{project.port(name)}/metrics" for name in ("api", "worker", "frontend")
        },
        "provider_url": f"http://127.0.0.1:{project.port('provider')}",
        "system_redis": {"host": "127.0.0.1", "port": ports["redis"], "service": "redis"},
        "system_database": inventory.of_database(layout, "db"),
        "release_path": str(project.folder / "release"),
        "system_backups": inventory.of_backups(layout, f"{project.name}-db-1"),
        "system_payment_webhook": inventory.of_payments(layout),
        "system_notification_providers": inventory.of_mail(layout),
        "system_auth": inventory.of_auth(layout),
        "system_break_glass": inventory.of_break_glass(layout),
        "queue_commands": {verb: _control(project, verb) for verb in ("pause", "resume")},
        "validate_command": _control(project, "validate", "{ids}"),
        "migration_commands": inventory.of_migrations(_in_api(project), "python3"),
    }

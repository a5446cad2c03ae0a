# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a lab: its own, or that of a system of ``inventories``, which ``lab/systems/<name>.yml`` declares.

The programs are the same for all of them. A shape says how this system calls what they have: its database, tables, metrics and
paths, and which program plays which of its services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from .layout import DATABASE, REPOSITORY, SERVICES, LabError

FOLDER = Path(__file__).parent / "systems"
INVENTORIES = REPOSITORY / "inventories"
# How a service of the inventory is operated; all else that the inventory says of it counts in the lab too.
OPERATED_BY = {
    "manager", "project", "name", "project_name", "files", "environment_file", "docker_host", "config", "program_config", "commands",
    "supervisorctl", "port",
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What a lab is like.

    Attributes:
        name: of the system; "" for the lab's own.
        database: its name.
        application: the application_name of the API's sessions.
        services: which program plays a service of the system's inventory.
        programs: what runs besides the lab's own four, and has a port.
        metrics: the system's name of a family, by the lab's; None: the lab's own names.
        labels: the system's name of a label, by the lab's.
        routes: by program, the system's ``METHOD /path`` and the lab's route that answers it.
        tables: SQL, run as the application's role after the lab's own.
        environment: more variables, by program; ``$name`` is a fact, see :func:`filled`.
        files: what is written into the lab's folder, by name, such as a file that a command of the inventory reads.
        memory_limits: in bytes, by program.
        variables: of the host in the lab's inventory, where they differ from the system's group_vars; ``$name`` is a fact.
        values: what else its programs need to know.
    """

    name: str = ""
    database: str = DATABASE
    application: str = "lab-api"
    services: dict[str, str] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)
    metrics: dict[str, str] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    routes: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: str = ""
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    memory_limits: dict[str, int] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def metrics_path(self) -> str:
        """Where the API tells its metrics by the lab's own names."""
        return "/metrics" if self.metrics is None else "/debug/metrics"

    @property
    def all_programs(self) -> tuple[str, ...]:
        return (*SERVICES, *self.programs)

    def told(self) -> dict[str, Any]:
        """What the programs are told of it, as JSON."""
        return {"metrics": self.metrics, "labels": self.labels, "routes": self.routes, **self.values}


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


@cache
def shape(name: str) -> Shape:
    """The shape of a system; "" is the lab's own."""
    if not name:
        return Shape()
    if name not in names():
        raise LabError(f"no system {name!r}; the known ones are {', '.join(names())}")
    said = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    try:
        return Shape(name=name, **said)
    except TypeError as error:
        raise LabError(f"lab/systems/{name}.yml: {error}") from None


def filled(value: Any, facts: dict[str, object]) -> Any:
    """A value in which ``$name`` is replaced by what the running lab knows under this name."""
    if isinstance(value, dict):
        return {key: filled(one, facts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, facts) for one in value]
    if not isinstance(value, str):
        return value
    try:
        return Template(value).substitute(facts)
    except (KeyError, ValueError) as error:
        raise LabError(f"lab/systems: {value!r}: {error}; the facts are {', '.join(sorted(facts))}") from None


def group_vars(system: str) -> dict[str, Any]:
    """What the inventory of a system says, its files as one, untemplated."""
    found: dict[str, Any] = {}
    for path in sorted((INVENTORIES / system / "group_vars" / system).glob("*.yml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return found


def operated(said: dict[str, Any], services: dict[str, str], by: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The services of an inventory, operated by the lab's means.

    Args:
        said: ``system_services`` of the inventory.
        services: which program plays each.
        by: how the lab operates each of its programs.
    """
    if strangers := sorted(set(said) - set(services)):
        raise LabError(f"lab/systems does not say which program plays {', '.join(strangers)}")
    return {
        name: {**{key: value for key, value in one.items() if key not in OPERATED_BY}, **by[services[name]]}
        for name, one in said.items()
    }

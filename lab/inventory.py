# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of inventories/lab: written at every start, read by that inventory when a play needs them."""

from __future__ import annotations

import json

from .compose.project import SERVICES as SERVICES_OF_COMPOSE
from .compose.project import Project
from .layout import DATABASE, SERVICES, Layout, write_private


def of_embedded(layout: Layout) -> dict[str, object]:
    """What the contract of roles/system asks for, of a lab under supervisord."""
    ports = layout.ports
    api = f"http://127.0.0.1:{ports['api']}"
    services: dict[str, dict[str, str]] = {
        name: {
            "manager": "supervisor",
            "name": name,
            "config": str(layout.config),
            "program_config": str(layout.programs / f"{name}.conf"),
        }
        for name in SERVICES
    }
    services["api"]["health_url"] = f"{api}/health"
    return {
        "system_state_directory": str(layout.home / "oncall"),
        "system_services": services,
        "system_endpoints": {"api": f"{api}/metrics"},
        "system_redis": {"host": "127.0.0.1", "port": ports["redis"], "service": "redis"},
        "system_database": _database(layout, "database"),
    }


def of_compose(project: Project) -> dict[str, object]:
    """The same of a lab in containers."""
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
        for name in SERVICES_OF_COMPOSE
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
        "system_redis": {"host": "127.0.0.1", "port": ports["redis"], "service": "redis"},
        "system_database": _database(layout, "db"),
    }


def _database(layout: Layout, service: str) -> dict[str, object]:
    return {
        "transport": "psycopg",
        "host": "127.0.0.1",
        "port": layout.ports["database"],
        "name": DATABASE,
        "user": "oncall",
        "password": layout.secrets()["oncall"],
        "service": service,
    }


def write(layout: Layout, values: dict[str, object]) -> None:
    write_private(layout.home / "inventory.json", json.dumps(values, indent=2) + "\n")

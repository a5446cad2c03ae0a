# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of inventories/lab: written at every start, read by that inventory when a play needs them."""

from __future__ import annotations

import json

from .layout import DATABASE, SERVICES, Layout, write_private


def variables(layout: Layout) -> dict[str, object]:
    """What the contract of roles/system asks for."""
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
        "system_database": {
            "transport": "psycopg",
            "host": "127.0.0.1",
            "port": ports["database"],
            "name": DATABASE,
            "user": "oncall",
            "password": layout.secrets()["oncall"],
            "service": "database",
        },
    }


def write(layout: Layout) -> None:
    write_private(layout.home / "inventory.json", json.dumps(variables(layout), indent=2) + "\n")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of inventories/lab: written at every start, read by that inventory when a play needs them."""

from __future__ import annotations

import json

from .layout import DATABASE, Layout, write_private


def of_database(layout: Layout, service: str) -> dict[str, object]:
    return {
        "transport": "psycopg",
        "host": "127.0.0.1",
        "port": layout.ports["database"],
        "name": DATABASE,
        "user": "oncall",
        "password": layout.secrets()["oncall"],
        "service": service,
    }


def of_backups(layout: Layout, container: str) -> dict[str, object]:
    """The backups of the database, which is dumped and restored in its container."""
    return {
        "nightly": {
            "path": str(layout.backups),
            "pattern": "lab_*.sql",
            "tables": ["events", "jobs", "payments"],
            "database": {"transport": "docker", "container": container, "name": DATABASE, "user": "postgres"},
            "services": ["api", "worker"],
        }
    }


def of_payments(layout: Layout) -> dict[str, object]:
    """The payments of the API; its service and its statements are in inventories/lab."""
    ports, payments = layout.ports, layout.payments()
    return {
        "url": payment_url(layout),
        "provider_url": f"http://127.0.0.1:{ports['provider']}",
        "api_key": payments["key"],
        "secrets": [payments["secret"]],
        "event_types": ["payment_intent.succeeded"],
    }


def payment_url(layout: Layout) -> str:
    """Where the provider knows the API's endpoint to be."""
    return f"http://127.0.0.1:{layout.ports['api']}/webhooks/payments"


def write(layout: Layout, values: dict[str, object]) -> None:
    write_private(layout.home / "inventory.json", json.dumps(values, indent=2) + "\n")

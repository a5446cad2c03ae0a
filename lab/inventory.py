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


def issuer(layout: Layout) -> str:
    """The name of the identity provider, which tokens have in them."""
    return f"http://127.0.0.1:{layout.ports['provider']}"


def of_auth(layout: Layout) -> dict[str, object]:
    """How users get into the API; its services are in inventories/lab."""
    api = f"http://127.0.0.1:{layout.ports['api']}"
    canary = {"email": "canary@lab.example", "password": layout.entry_keys()["CANARY_PASSWORD"]}
    login = {"url": f"{api}/auth/login", "body": canary, "token": "access_token", "route": f"{api}/me"}
    return {"login": login, "issuer": issuer(layout), "audience": "lab"}


def of_break_glass(layout: Layout) -> dict[str, object]:
    """How somebody writes while the API is read-only."""
    api = f"http://127.0.0.1:{layout.ports['api']}"
    admin = {"auth": {"bearer": layout.entry_keys()["ADMIN_KEY"]}}
    notice = "Orders are late."
    return {
        "start": {
            "url": f"{api}/admin/break-glass",
            **admin,
            "body": {"reason": "{reason}", "ttl_seconds": "{ttl_seconds}"},
        },
        "id": "id",
        "expires": "expires",
        "revoke": {"url": f"{api}/admin/break-glass/{{id}}", "method": "DELETE", **admin},
        "open": {"url": f"{api}/admin/break-glass", **admin, "rows": "tokens"},
        "read_only": {"url": f"{api}/admin/state", "field": "read_only"},
        "writes": {
            "notice": {
                "url": f"{api}/admin/notice",
                **admin,
                "body": {"text": notice},
                "why": "tells users that orders are late",
                "done": {"url": f"{api}/admin/state", "field": "notice", "equals": notice},
            }
        },
    }


def payment_url(layout: Layout) -> str:
    """Where the provider knows the API's endpoint to be."""
    return f"http://127.0.0.1:{layout.ports['api']}/webhooks/payments"


def write(layout: Layout, values: dict[str, object]) -> None:
    write_private(layout.home / "inventory.json", json.dumps(values, indent=2) + "\n")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of inventories/lab, and the inventory of a lab with a system's shape: written at every start."""

from __future__ import annotations

import json
from typing import Any

from .layout import Layout, write_private
from .shape import INVENTORIES, filled, group_vars, operated


def of_database(layout: Layout, service: str) -> dict[str, object]:
    return {
        "transport": "psycopg",
        "host": "127.0.0.1",
        "port": layout.ports["database"],
        "name": layout.shape.database,
        "user": "oncall",
        "password": layout.secrets()["oncall"],
        "service": service,
    }


def of_migrations(run: list[str], python: str) -> dict[str, list[str]]:
    """How the API's migrations are asked for and applied; their statement is in inventories/lab.

    Args:
        run: what brings a command to where the API runs.
        python: its interpreter there.
    """
    program = [python, "-m", "lab.programs.migrations"]
    return {"run": run, "status": [*program, "list"], "migrate": [*program, "migrate"]}


def of_backups(layout: Layout, container: str) -> dict[str, object]:
    """The backups of the database, which is dumped and restored in its container."""
    return {
        "nightly": {
            "path": str(layout.backups),
            "pattern": "lab_*.sql",
            "tables": ["customers", "orders"],
            "database": {
                "transport": "docker",
                "container": container,
                "name": layout.shape.database,
                "user": "postgres",
            },
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


# Nobody waits in a lab for as long as in earnest, and it is broken again and again.
QUICK = {
    "db_pool_blocked_seconds": 2,
    "db_pool_unused_seconds": 3,
    "db_down_timeout_seconds": 2,
    "db_down_reconnect_seconds": 4,
    "error_rate_window_seconds": 2,
    "error_rate_min_answers": 8,
    "latency_window_seconds": 2,
    "latency_min_requests": 8,
    "cache_window_seconds": 1,
    "cache_min_lookups": 5,
    "cache_reconnect_seconds": 5,
    "circuit_breaker_probe_seconds": 2,
    "crash_loop_settled_seconds": 5,
    "api_down_settled_seconds": 5,
    "worker_queue_window_seconds": 1,
    "stalled_workflow_window_seconds": 1,
    "stalled_workflow_settled_seconds": 0,
    "sync_lag_window_seconds": 1,
    "notification_provider_window_seconds": 1,
    "notification_provider_check_window_seconds": 1,
    "resource_usage_window_seconds": 2,
    "resource_usage_host_reserve_bytes": 0,
    "resource_usage_host_cpu_ratio": 2,
    "run_confirm_seconds": 0,
    "run_verify_seconds": 1,
    "run_verify_every_seconds": 1,
    "run_verify_timeout_seconds": 60,
    "run_cooldown_seconds": 0,
    "run_budget_count": 1000,
}


def system_host(layout: Layout, by: dict[str, dict[str, str]], facts: dict[str, object]) -> dict[str, Any]:
    """The variables of the one host: where its parts are, who operates them, and how long is waited. All else say the group_vars."""
    shape = layout.shape
    said = group_vars(shape.name)
    host: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "system_state_directory": str(layout.home / "oncall"),
        "system_services": operated(said["system_services"], shape.services, by),
        **QUICK,
        **filled(shape.variables, facts),
    }
    if "system_database" in said:
        service = said["system_database"].get("service")
        host["system_database"] = of_database(layout, service) if service else _without_service(layout)
    if "system_redis" in said:
        host["system_redis"] = {
            "host": "127.0.0.1", "port": layout.ports["redis"], "service": said["system_redis"].get("service", "redis"),
        }  # fmt: skip
    return host


def _without_service(layout: Layout) -> dict[str, object]:
    return {key: value for key, value in of_database(layout, "").items() if key != "service"}


def write_system(layout: Layout, by: dict[str, dict[str, str]], facts: dict[str, object]) -> None:
    """The inventory of a lab with a system's shape: one host of its own, and the group_vars of ``inventories``, the very same files."""
    name = layout.shape.name
    folder = layout.home / "inventory"
    folder.mkdir(mode=0o700, exist_ok=True)
    link = folder / "group_vars"
    link.unlink(missing_ok=True)
    link.symlink_to(INVENTORIES / name / "group_vars")
    host = system_host(layout, by, facts)
    inventory = {"all": {"children": {name: {"hosts": {f"{name}-lab": host}}}}}
    write_private(folder / "hosts.json", json.dumps(inventory, indent=2) + "\n")

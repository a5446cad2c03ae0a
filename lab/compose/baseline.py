# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sound compose lab is, and what is done about whatever is not so."""

from __future__ import annotations

from typing import Any

from ..layout import DATABASE
from ..measure import wait
from .target import Target

LIMITS = ("Memory", "MemorySwap", "NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares", "PidsLimit", "RestartPolicy")
OWN_SESSIONS = "application_name IN ('lab-api', 'lab-worker')"


def snapshot(target: Target) -> dict[str, Any]:
    """What is compared at the next ``heal``."""
    return {
        "containers": {service: _traits(same[0]) for service, same in target.project.containers().items()},
        "redis": _redis_settings(target),
    }


def strays(found: dict[str, list[dict[str, Any]]], baseline: dict[str, Any]) -> list[str]:
    """The ids of the containers that are not as they were: stopped, changed, cut off, or one too many."""
    gone = []
    for service, same in found.items():
        sound = [one for one in same if one["State"]["Running"] and _traits(one) == baseline.get(service)]
        gone += [one["Id"] for one in same if one not in sound[:1]]
    return gone


def _traits(container: dict[str, Any]) -> dict[str, Any]:
    host = container["HostConfig"]
    return {
        "hash": container["Config"]["Labels"].get("com.docker.compose.config-hash"),
        "networks": sorted(container["NetworkSettings"]["Networks"]),
        **{name: host[name] for name in LIMITS},
    }


def _redis_settings(target: Target) -> dict[str, str]:
    flat = target.redis("CONFIG", "GET", "*")
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


def restore_state(target: Target, baseline: dict[str, Any]) -> None:
    """Put back what faults and remedies change inside of the services."""
    for service, path, method in (
        ("api", "/debug", "DELETE"),
        ("worker", "/debug/batch?mb=0", "POST"),
        ("provider", "/debug/behave", "POST"),
        ("frontend", "/debug/load", "POST"),
    ):
        # A service that starts or is busy with a fault may take a moment.
        def asked(service: str = service, path: str = path, method: str = method) -> tuple[bool, str]:
            status, body = target.request(service, path, method, seconds=10)
            return status == 200, f"{service} {path}: {status} {body}"

        wait(asked, 60)
    now = _redis_settings(target)
    for name, value in baseline["redis"].items():
        if now.get(name) != value:
            target.redis("CONFIG", "SET", name, value)
    _restore_database(target)


def _restore_database(target: Target) -> None:
    target.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        f"AND pid <> pg_backend_pid() AND NOT {OWN_SESSIONS}"
    )
    target.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    if target.sql("SELECT 1 FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'"):
        target.sql("ALTER SYSTEM RESET ALL")
        target.sql("SELECT pg_reload_conf()")
        # What is read at the start only shows as pending a moment after the reload.
        if target.sql("SELECT 1 FROM pg_file_settings WHERE NOT applied") or target.sql(
            "SELECT 1 FROM pg_settings WHERE pending_restart"
        ):
            target.compose("restart", "--timeout", "5", "db")
    back_up(target)


def back_up(target: Target) -> None:
    """The backup of last night, where there is none."""
    target.layout.backups.mkdir(exist_ok=True)
    if not any(target.layout.backups.glob("lab_*.sql")):
        text = target.run_in("db", "pg_dump", "--username=postgres", DATABASE)
        (target.layout.backups / "lab_last_night.sql").write_text(text)

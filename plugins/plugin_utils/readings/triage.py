# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of triage about the stack itself. What was not seen is said so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_RUNNING = "running"


def services_in_words(service: Row) -> str:
    """Those that do not run or are not well first, and what each says of itself; then those that run."""
    rows = service["services"]
    unseen = [
        f"{name} not seen ({row.get('reason', 'no reason')})" for name, row in rows.items() if not row["available"]
    ]
    bad = [f"{name} {_in_words(row)}" for name, row in rows.items() if row["available"] and not _is_well(row)]
    well = [name + _usage(row) for name, row in rows.items() if row["available"] and _is_well(row)]
    run = f"{_listed(well)} {'runs' if len(well) == 1 else 'run'}" if well else ""
    return "; ".join([*bad, *unseen, *filter(None, [run])])


def _is_well(row: Row) -> bool:
    return row.get("state") == _RUNNING and row.get("health") not in ("unhealthy", "starting")


def _in_words(row: Row) -> str:
    state = str(row.get("state") or "unknown")
    health = f", {row['health']}" if row.get("health") in ("unhealthy", "starting") else ""
    why = next((str(row[key]) for key in ("exit_meaning", "error", "health_output") if row.get(key)), "")
    return f"is {state}{health}{f' ({why})' if why else ''}"


def _usage(row: Row) -> str:
    ratio, restarts = row.get("memory_ratio"), row.get("restarts") or 0
    said = [f"{ratio * 100:.0f} % of its memory"] if isinstance(ratio, (int, float)) else []
    said += [f"{restarts} restarts"] if restarts else []
    return f" ({', '.join(said)})" if said else ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def answers_in_words(http_probe: Row) -> str:
    """Those that do not answer well first."""
    rows = http_probe["endpoints"]
    bad = [f"{name}: {row['reason']}" for name, row in rows.items() if not row.get("ok")]
    well = [f"{name} {row['status']} in {row['seconds'] * 1000:.0f} ms" for name, row in rows.items() if row.get("ok")]
    return "; ".join([*bad, *([", ".join(well)] if well else [])])


def logs_in_words(service: Row, triage_log_lines: int) -> str:
    """The errors in the ends of all logs, the most first, each with the last of the most frequent; then those without any."""
    logs = {name: row.get("log_tail_errors") for name, row in service["services"].items()}
    counts = {name: sum(error["count"] for error in errors) for name, errors in logs.items() if errors}
    loud = [
        f"{name} {counts[name]} ({logs[name][0]['last']})" for name in sorted(counts, key=lambda name: -counts[name])
    ]
    silent = [name for name, errors in logs.items() if errors is not None and not errors]
    unread = [name for name, errors in logs.items() if errors is None]
    parts = [f"errors in the last {triage_log_lines} lines: {'; '.join(loud)}"] if loud else []
    parts += [f"{'none' if loud else 'no errors'} in {', '.join(silent)}"] if silent else []
    parts += [f"not read: {', '.join(unread)}"] if unread else []
    return "; ".join(parts)


def deployed_in_words(deployment: Row) -> str:
    """What is checked out, since when, and what the last commits are about."""
    if not deployment["available"]:
        return f"not seen: {deployment['reason']}"
    newest, at = deployment["commits"][0], deployment.get("deployed_at_seconds")
    since = f", checked out {_ago(time.time() - at)}" if at is not None else ", nobody knows since when"
    before = [commit["subject"] for commit in deployment["commits"][1:3]]
    return f"{newest['revision'][:12]} ({newest['subject']}){since}" + (
        f"; before it {', '.join(before)}" if before else ""
    )


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def database_in_words(postgres_activity: Row) -> str:
    """Version, connections and who waits."""
    if not postgres_activity["available"]:
        return f"not seen: {postgres_activity['reason']}"
    connections = postgres_activity["connections"]
    number = postgres_activity["server"].get("version_num")
    version = f" {number // 10000}.{number % 10000}" if number else ""
    said = f"PostgreSQL{version}, {connections['used']} of {connections['usable']} connections"
    blockers = postgres_activity.get("blockers") or []
    return said + (f", {len(blockers)} hold others up" if blockers else "")


def apis_in_words(api: Row) -> str:
    """How many things each API tells of."""
    rows = api["apis"]
    return "; ".join(
        f"{name}: {_counted(row['things'])}" if row["available"] else f"{name} not seen ({row['reason']})"
        for name, row in rows.items()
    )


def _counted(things: Sequence[Row]) -> str:
    if len(things) != 1:
        return f"{len(things)} entries"
    return ", ".join(f"{key} {value}" for key, value in things[0].items())

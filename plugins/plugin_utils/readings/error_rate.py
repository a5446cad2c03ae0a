# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of error_rate reads in the logs and the numbers of several replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

# Requests go to any of them: so many errors of one kind are in the log of one of two by chance in 6 of 100 cases, at most.
_NO_CHANCE = 5


def sick_replicas(service: Row, error_rate_service: str) -> list[dict[str, Any]]:
    """The replicas that have an error in their log which no other has, where some have none of it.

    What the code does wrong is in the log of each. A replica whose log cannot be read may have it as well.

    Returns:
        For each its ``name`` and the ``line`` that is most frequent.
    """
    told = service["services"][error_rate_service]
    replicas = (told.get("containers") or told.get("members") or []) if told["available"] else []
    logs = {str(one.get("container") or one.get("name")): one.get("log_tail_errors") for one in replicas}
    if len(logs) < 2 or None in logs.values():
        return []
    with_line: dict[str, list[str]] = {}
    for name, errors in logs.items():
        for error in errors:
            with_line.setdefault(error["line"], []).append(name)
    found = []
    for name, errors in logs.items():
        own = [one for one in errors if one["count"] >= _NO_CHANCE and len(with_line[one["line"]]) == 1]
        if own:
            found.append({"name": name, "line": max(own, key=lambda one: one["count"])["last"]})
    return found if len(found) < len(logs) else []


def replicas_in_words(sick_replicas: list[Row]) -> str:
    return "; ".join(f"{one['name']} ({one['line']})" for one in sick_replicas)


def failing_replicas(metrics: Row) -> list[str]:
    """The replicas that have all errors, while each of the others has answered as often without one as chance does not explain."""
    errors, answers = ((metrics["metric"].get(name) or {}).get("by_endpoint") or {} for name in ("errors", "answers"))
    failing = [name for name, number in errors.items() if number >= 2 * _NO_CHANCE]
    others = [name for name in answers if name not in failing]
    well = all(answers[name] >= 2 * _NO_CHANCE and not errors.get(name) for name in others)
    return failing if others and well else []

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How quickly people were there, and what came of it: rows of incidents -> numbers. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

# Name -> the column in which it ends; each begins when the incident was opened.
SPANS = {"acknowledge": "first_acknowledged_at", "mitigate": "mitigated_at", "resolve": "resolved_at"}
MOST_GROUPS = 200
BY: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "system": lambda row: str(row["system"]),
    "severity": lambda row: str(row["severity"]),
    "runbook": lambda row: str(row["runbook"]),
    "week": lambda row: week(row["opened_at"]),
}


def week(at: float) -> str:
    """The week of a time, as ISO 8601 counts them, in UTC."""
    return _week(int(at // 86400)) if math.isfinite(at) else ""


@lru_cache(4096)
def _week(day: int) -> str:
    try:
        year, number, _day = datetime.fromtimestamp(day * 86400, UTC).isocalendar()
    except (OverflowError, OSError, ValueError):
        return ""
    return f"{year}-W{number:02}"


def quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest of the values that so much of them do not exceed; None of nothing."""
    return values[max(0, math.ceil(part * len(values)) - 1)] if values else None


def figures(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All of it, of all rows together and by system, severity, runbook and week.

    What has no time yet, such as an incident that nobody acknowledged, is not counted as quick: ``count`` of a span says of how many it is.
    """
    told = [*rows]
    outcomes: Counter[str] = Counter()
    woken: Counter[str] = Counter()
    for row in told:
        # Not update(), which takes as long as all the rest.
        for name, count in row["outcomes"].items():
            outcomes[name] += count
        for name, count in row["woken"].items():
            woken[name] += count
    keys = {name: [*map(key, told)] for name, key in BY.items()}
    spans = {name: _span(told, column, keys) for name, column in SPANS.items()}
    helped, not_helped = sum(row["helped"] for row in told), sum(row["not_helped"] for row in told)
    return {
        "incidents": len(told),
        "states": dict(sorted(Counter(row["state"] for row in told).items())),
        **{name: _told(one[0]) for name, one in spans.items()},
        "by": {name: _grouped(name, of_rows, spans) for name, of_rows in keys.items()},
        "runs": dict(sorted(outcomes.items())),
        "fixes": {
            "helped": helped,
            "not_helped": not_helped,
            "share": round(helped / (helped + not_helped), 4) if helped + not_helped else None,
        },
        "reopened": sum(row["reopenings"] > 0 for row in told),
        "alerts": sum(row["alerts"] for row in told),
        "recurs": [{"what": what, "count": count} for what, count in _recurs(told)],
        "woken": [{"who": who, "count": count} for who, count in woken.most_common(MOST_GROUPS)],
    }


Span = tuple[list[float], dict[str, dict[str, list[float]]]]


def _span(rows: Sequence[Mapping[str, Any]], column: str, keys: Mapping[str, Sequence[str]]) -> Span:
    """The seconds of all, and of each group, in order: sorted once, as that is what takes long."""
    found = sorted(
        (max(0.0, row[column] - row["opened_at"]), place) for place, row in enumerate(rows) if row[column] is not None
    )
    groups: dict[str, dict[str, list[float]]] = {}
    for name, of_rows in keys.items():
        lists: dict[str, list[float]] = {key: [] for key in set(of_rows)}
        for seconds, place in found:
            lists[of_rows[place]].append(seconds)
        groups[name] = lists
    return [seconds for seconds, _place in found], groups


def _grouped(by: str, of_rows: Sequence[str], spans: Mapping[str, Span]) -> dict[str, Any]:
    most = sorted(Counter(of_rows).items(), key=lambda one: (-one[1], one[0]))[:MOST_GROUPS]
    return {
        key: {"incidents": count, **{name: _told(one[1][by][key]) for name, one in spans.items()}}
        for key, count in sorted(most)
    }


def _told(seconds: Sequence[float]) -> dict[str, Any]:
    return {"count": len(seconds), "median": quantile(seconds, 0.5), "p90": quantile(seconds, 0.9)}


def _recurs(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    counts = Counter(" ".join(filter(None, (row["system"], row["runbook"] or row["title"]))) for row in rows)
    return [(what, count) for what, count in counts.most_common(20) if count > 1]

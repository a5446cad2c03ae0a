# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers over incidents: times, outcomes, what recurs, who was woken. Pure over rows, so that a database can tell them.

from oncall.incidents.stats import row, stats

stats([row(document) for document in documents])
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

# Of the JSON document; raised when something in it changes its meaning or goes away.
SCHEMA = 1
# The messages that call somebody, and whether one has arrived that came to an end; of any other nobody knows.
CALLING = ("initial", "escalation")
ARRIVED = {"sent": True, "dead": False, "dropped": False}
# What came to no end of its own: its times would say nothing.
NOT_COUNTED = ("merged", "cancelled")


@dataclass(frozen=True)
class Call:
    """Somebody was called by the escalation: when, or so many times where the times are not known.

    Attributes:
        arrived: whether a message of it did; None where nobody knows, such as of a role, or while it is being sent.
    """

    who: str
    at: float | None = None
    count: int = 1
    arrived: bool | None = None


class Row(NamedTuple):
    """One incident.

    Attributes:
        acknowledged_at: the first time.
        causes: what was found to be wrong; where that is not known, its runbook or its title.
        outcomes: how many of its runs came to each.
        fixes: how many there were, those that nobody looked at afterwards among them.
        verified: after how many of them somebody saw that it helped.
    """

    id: str
    system: str
    severity: str
    state: str
    opened_at: float
    acknowledged_at: float | None = None
    mitigated_at: float | None = None
    resolved_at: float | None = None
    runbooks: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    outcomes: Mapping[str, int] = MappingProxyType({})
    fixes: int = 0
    verified: int = 0
    reopenings: int = 0
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Times:
    """Seconds since detection. ``measured`` of ``of`` incidents say them; the others did not come to it, or a clock was set back."""

    median: float | None
    p90: float | None
    measured: int
    of: int


@dataclass(frozen=True)
class Group:
    """Incidents that have something in common: all of them, a system, a severity, a runbook or an ISO week."""

    name: str
    incidents: int
    acknowledge: Times
    mitigate: Times
    resolve: Times


@dataclass(frozen=True)
class Recurring:
    """A cause that came back in a system. ``every_seconds`` is the median time between two."""

    system: str
    cause: str
    incidents: int
    first_at: float
    last_at: float
    every_seconds: float


@dataclass(frozen=True)
class Woken:
    """How often somebody was called, and how often of these outside service hours: None where these are not known.

    Attributes:
        reached: of these, how often a message arrived; ``missed``: how often none did. Of the others nobody knows.
    """

    who: str
    calls: int
    reached: int
    missed: int
    outside_hours: int | None
    last_at: float | None


@dataclass(frozen=True)
class Stats:
    """The numbers.

    Attributes:
        incidents: how many there were.
        not_counted: how many of these were merged or cancelled; the times leave them out.
        outcomes: outcome -> runs.
        verified_ratio: fixes that were seen to help, of all fixes; None without fixes.
        reopenings: how often one was opened again.
    """

    incidents: int
    not_counted: int
    all: Group
    by_system: tuple[Group, ...]
    by_severity: tuple[Group, ...]
    by_runbook: tuple[Group, ...]
    by_week: tuple[Group, ...]
    outcomes: dict[str, int]
    fixes: int
    verified: int
    verified_ratio: float | None
    reopenings: int
    recurring: tuple[Recurring, ...]
    woken: tuple[Woken, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document, as ``stats.schema.json`` beside this file describes it."""
        return {"schema": SCHEMA, **asdict(self)}


def stats(rows: Iterable[Row], in_service: Callable[[str, float], bool | None] | None = None) -> Stats:
    """The numbers over some incidents.

    Args:
        rows: the incidents.
        in_service: system and time -> whether that was within service hours; None where nobody knows.
    """
    rows = list(rows)
    counted = [one for one in rows if one.state not in NOT_COUNTED]
    outcomes: Counter[str] = Counter()
    for one in rows:
        for outcome, count in one.outcomes.items():
            outcomes[outcome] += count
    fixes, verified = sum(one.fixes for one in rows), sum(one.verified for one in rows)
    seconds = [_seconds(one) for one in counted]
    return Stats(
        incidents=len(rows),
        not_counted=len(rows) - len(counted),
        all=_group("all", seconds),
        by_system=_groups(counted, seconds, lambda one: (one.system,)),
        by_severity=_groups(counted, seconds, lambda one: (one.severity,)),
        by_runbook=_groups(counted, seconds, lambda one: one.runbooks),
        by_week=_groups(counted, seconds, lambda one: (week(one.opened_at),)),
        outcomes=dict(sorted(outcomes.items())),
        fixes=fixes,
        verified=verified,
        verified_ratio=round(verified / fixes, 4) if fixes else None,
        reopenings=sum(one.reopenings for one in rows),
        recurring=_recurring(counted),
        woken=_woken(rows, in_service),
    )


def week(at: float) -> str:
    """The ISO week of a time, in UTC: ``2026-W49``."""
    return _week_of_day(math.floor(at / 86400))


@lru_cache(maxsize=10_000)
def _week_of_day(day: int) -> str:
    year, number, _day = datetime.fromtimestamp(day * 86400, UTC).isocalendar()
    return f"{year}-W{number:02d}"


def p90(values: Sequence[float]) -> float | None:
    """The value that nine of ten do not exceed: one of them, and none in between. None where there are none."""
    return _ninth_tenth(sorted(values)) if values else None


def _ninth_tenth(ordered: Sequence[float]) -> float:
    # In whole numbers: 0.9 * 10 is more than 9 to some.
    return ordered[(9 * len(ordered) + 9) // 10 - 1]


_Seconds = tuple[float | None, float | None, float | None]


def _seconds(one: Row) -> _Seconds:
    return (
        _since(one.opened_at, one.acknowledged_at),
        _since(one.opened_at, one.mitigated_at),
        _since(one.opened_at, one.resolved_at),
    )


def _since(begin: float, end: float | None) -> float | None:
    return end - begin if end is not None and end >= begin else None


def _groups(
    rows: Sequence[Row], seconds: Sequence[_Seconds], names: Callable[[Row], Iterable[str]]
) -> tuple[Group, ...]:
    found: dict[str, list[_Seconds]] = defaultdict(list)
    for one, told in zip(rows, seconds, strict=True):
        for name in names(one):
            found[name].append(told)
    return tuple(_group(name, found[name]) for name in sorted(found))


def _group(name: str, seconds: Sequence[_Seconds]) -> Group:
    acknowledge, mitigate, resolve = (
        _times(sorted(told[place] for told in seconds if told[place] is not None), len(seconds))  # type: ignore[type-var]
        for place in range(3)
    )
    return Group(name, len(seconds), acknowledge, mitigate, resolve)


def _times(ordered: Sequence[Any], of: int) -> Times:
    if not ordered:
        return Times(None, None, 0, of)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Times(round(median, 3), round(_ninth_tenth(ordered), 3), len(ordered), of)


def _recurring(rows: Iterable[Row]) -> tuple[Recurring, ...]:
    """What was the cause more than once, the most frequent first."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in rows:
        for cause in one.causes:
            found[one.system, cause].append(one.opened_at)
    told = []
    for (system, cause), times in found.items():
        if len(times) > 1:
            times.sort()
            every = statistics.median([later - earlier for earlier, later in zip(times, times[1:], strict=False)])
            told.append(Recurring(system, cause, len(times), times[0], times[-1], round(every, 3)))
    return tuple(sorted(told, key=lambda one: (-one.incidents, one.system, one.cause)))


def _woken(rows: Iterable[Row], in_service: Callable[[str, float], bool | None] | None) -> tuple[Woken, ...]:
    calls: dict[str, list[tuple[Call, bool | None]]] = defaultdict(list)
    for one in rows:
        for call in one.calls:
            within = in_service(one.system, call.at) if in_service and call.at is not None else None
            calls[call.who].append((call, within))
    found = []
    for who, told in calls.items():
        known = all(within is not None for _call, within in told)
        outside = sum(within is False for _call, within in told) if known else None
        last_at = max((call.at for call, _within in told if call.at is not None), default=None)
        reached, missed = (sum(call.count for call, _within in told if call.arrived is did) for did in (True, False))
        found.append(Woken(who, sum(call.count for call, _within in told), reached, missed, outside, last_at))
    return tuple(sorted(found, key=lambda one: (-(one.outside_hours or 0), -one.calls, one.who)))


def calls_of(
    called: Iterable[tuple[str, float]], letters: Iterable[tuple[str, float, bool | None]]
) -> tuple[Call, ...]:
    """The calls, with whether they arrived.

    Args:
        called: who, and when.
        letters: to whom a message was written, when, and whether it arrived; None where nobody knows.
    """
    found = sorted(called, key=lambda one: one[1])
    of: dict[int, list[bool | None]] = defaultdict(list)
    for who, at, arrived in letters:
        # A message is written with its call, or soon after it.
        before = [place for place, one in enumerate(found) if one[0] == who and one[1] <= at]
        if before:
            of[before[-1]].append(arrived)
    return tuple(Call(who, at, arrived=_arrived(of[place])) for place, (who, at) in enumerate(found))


def _arrived(letters: Sequence[bool | None]) -> bool | None:
    if True in letters:
        return True
    return None if not letters or None in letters else False


def row_of_incident(told: Mapping[str, Any]) -> Row:
    """The row of an incident without its timeline, as ``show --json`` has it, or a table with one runbook each."""
    get = told.get
    acknowledged_at = get("first_acknowledged_at")
    helped, runbook = int(get("helped") or 0), str(get("runbook") or "")
    runbooks = tuple(filter(None, map(str, get("runbooks") or ()))) or ((runbook,) if runbook else ())
    title = str(get("title") or "")
    calls: tuple[Call, ...] = ()
    if at := get("calls"):
        calls = calls_of(at, get("letters") or ())
    elif woken := get("woken"):
        calls = tuple(Call(str(who), None, int(count)) for who, count in woken.items())
    # By place: there may be ten thousand of them.
    return Row(
        str(told["id"]),
        str(get("system") or ""),
        str(get("severity") or ""),
        str(get("state") or ""),
        told["opened_at"],
        get("acknowledged_at") if acknowledged_at is None else acknowledged_at,
        get("mitigated_at"),
        get("resolved_at"),
        runbooks,
        runbooks[:1] or ((title,) if title else ()),
        get("outcomes") or {},
        helped + int(get("not_helped") or 0),
        helped,
        int(get("reopenings") or 0),
        calls,
    )


def row(document: Mapping[str, Any]) -> Row:
    """The row of an incident, of the document that ``oncall incident show --json`` prints."""
    timeline = document["timeline"]
    known = row_of_incident(document["incident"])
    causes = dict.fromkeys(
        str(one["data"].get("cause"))
        for one in timeline
        if one["kind"] == "finding" and one["data"].get("status") == "problem"
    )
    runs = [one for one in timeline if one["kind"] == "run"]
    runbooks = dict.fromkeys((*known.runbooks, *map(_runbook, runs)))
    fixes, verified = _fixes(timeline)
    return known._replace(
        runbooks=tuple(name for name in runbooks if name),
        causes=tuple(causes) or known.causes,
        outcomes=Counter(str(one["data"].get("outcome")) for one in runs),
        fixes=fixes,
        verified=verified,
        calls=calls_of(
            [
                (str(who), one["at"])
                for one in timeline
                if one["kind"] == "escalated"
                for who in one["data"].get("targets") or ()
            ],
            _letters(timeline),
        ),
    )


def _letters(timeline: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, bool | None]]:
    """The messages that call somebody: to whom, when, and whether they arrived."""
    results: dict[str, str] = {}
    for one in timeline:
        if one["kind"] in ("delivery", "suppressed") and one["data"].get("message"):
            results[str(one["data"]["message"])] = str(one["data"].get("result") or "dropped")
    return [
        (str(one["data"].get("to")), one["at"], ARRIVED.get(results.get(str(one["data"].get("message")), "")))
        for one in timeline
        if one["kind"] == "message" and one["data"].get("template") in CALLING
    ]


def _runbook(one: Mapping[str, Any]) -> str:
    return str(one["data"].get("runbook") or "")


def _fixes(timeline: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """How many actions there were, and after how many a verification of the same run and runbook saw that it helped."""
    waiting: Counter[tuple[str, str]] = Counter()
    fixes = verified = 0
    for one in timeline:
        key = (str(one.get("run") or ""), _runbook(one))
        if one["kind"] == "action":
            fixes += 1
            waiting[key] += 1
        elif one["kind"] == "verification":
            done = waiting.pop(key, 0)
            verified += done if one["data"].get("helped") is True else 0
    return fixes, verified

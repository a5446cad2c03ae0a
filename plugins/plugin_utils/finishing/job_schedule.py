# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each job was due, out of what the observer ``job_schedule`` fetched: managed hosts need no time zones for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoneinfo import ZoneInfo

from ..cron import Cron, Due, due_after, due_before, parsed

NOTHING: dict[str, Any] = {"schedules": {}, "complete": False, "limits": []}
# Times at which a job was due that are told.
MOST_DUE = 3
# A start this much before its time is one of that time: clocks differ by a little.
_EARLY_SECONDS = 5.0
# Of a job that is due more often, nobody can say by how much a start is off.
_OFTEN_SECONDS = 3600.0


def why_not(params: Mapping[str, Any]) -> str:
    """Nothing: what is wrong with a schedule is told of it alone."""
    return ""


def finish(params: Mapping[str, Any], fetched: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the observer.

    Args:
        params: of the observer.
        fetched: what it fetched.
    """
    schedules = {
        name: _finished(params, params["schedules"].get(name) or {}, one) for name, one in fetched["schedules"].items()
    }
    complete = fetched["complete"] and all(one.get("complete") for one in schedules.values())
    return {**fetched, "schedules": schedules, "complete": complete}


def _finished(params: Mapping[str, Any], given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    if not found["available"]:
        return dict(found)
    limits = list(found["limits"])
    jobs = []
    for job in found["jobs"]:
        grace = job.get("grace_seconds", given.get("grace_seconds"))
        told = {**job, "grace_seconds": float(params["grace_seconds"] if grace is None else grace)}
        try:
            told |= _dues(told, given.get("time_zone"), found["now_seconds"])
        except ValueError as error:
            limits.append(f"when {job['name']} is due is not known: {error}")
        jobs.append(told)
    return {**found, "jobs": jobs, "limits": limits, "complete": not limits}


def _dues(job: Mapping[str, Any], time_zone: Any, now_seconds: float) -> dict[str, Any]:
    """What is known of when a job is due.

    Raises:
        ValueError: its expression or its time zone cannot be read.
    """
    if job.get("schedule") is None:
        if "period_seconds" not in job:
            raise ValueError("it has neither a schedule nor a period_seconds")
        return {"interval_seconds": job["period_seconds"]}
    zone = _zone(str(job.get("time_zone") or time_zone or "UTC"))
    cron = parsed(job["schedule"])
    dues = _last(cron, zone, now_seconds - job["grace_seconds"])
    coming = due_after(cron, zone, now_seconds)
    if not dues and not coming:
        raise ValueError(f"no day is ever due by {job['schedule']!r}")
    found: dict[str, Any] = {"time_zone": zone.key}
    if coming:
        found["due_in_seconds"] = round(coming.first - now_seconds, 3)
    if dues:
        found["due_since_seconds"] = round(now_seconds - dues[0].first, 3)
        found["due_ages_seconds"] = [round(now_seconds - due.last, 3) for due in dues]
    if len(dues) > 1:
        found["interval_seconds"] = round(dues[0].first - dues[1].first, 3)
        if "starts" in job and min(_gaps(dues)) >= _OFTEN_SECONDS:
            found["starts"] = [_placed(start, cron, zone, now_seconds) for start in job["starts"]]
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"there is no time zone {name[:50]!r} on this controller") from None


def _last(cron: Cron, zone: ZoneInfo, at_seconds: float) -> list[Due]:
    """The last times that were due, the latest first."""
    found: list[Due] = []
    while len(found) < MOST_DUE:
        due = due_before(cron, zone, at_seconds)
        if due is None:
            break
        found.append(due)
        at_seconds = due.first - 1
    return found


def _gaps(dues: list[Due]) -> list[float]:
    return [later.first - earlier.first for later, earlier in zip(dues, dues[1:])]


def _placed(start: Mapping[str, Any], cron: Cron, zone: ZoneInfo, now_seconds: float) -> dict[str, Any]:
    """A start, and by how many seconds it was after the time at which it was due that is nearest; below 0 where before."""
    at = now_seconds - start["age_seconds"] + _EARLY_SECONDS
    near = [due for due in (due_before(cron, zone, at), due_after(cron, zone, at)) if due]
    offsets = sorted((at - _EARLY_SECONDS - one for due in near for one in (due.first, due.last)), key=abs)
    return {**start, "offset_seconds": round(offsets[0], 3)} if offsets else dict(start)

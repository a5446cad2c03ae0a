# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service works, and whether it ends by itself again and again, of what M(oncall.runbooks.service_info) tells. No I/O.

A service that loops runs for most of the time: its state alone shows the loop in some looks only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AGAIN_AND_AGAIN = ("restarting", "backoff")
_ENDED = ("exited", "dead", "fatal", "created")
_UP = ("running", "starting", "paused")
# Of a service that works, or soon will, and of one that does not.
WORKING = ("running", "starting")
_NOT_WORKING = (
    "stopped",
    "exited",
    "fatal",
    "backoff",
    "restarting",
    "paused",
    "dead",
    "created",
    "removing",
    "absent",
)
_GAPS_TO_BE_SURE = 3
_HOUR_SECONDS = 3600
# As crash_loop has them by default, for those that hand over to it.
_RESTARTS = 3
_SETTLED_SECONDS = 30.0


def crashes(service: Mapping[str, Any]) -> bool:
    """Whether a service that was seen ends by itself again and again, also where it runs at this moment, or is not started any more.

    Of replicas, whether one does.
    """
    return service["state"] in (*_AGAIN_AND_AGAIN, "fatal") or any(map(_was_often_started, replicas_of(service)))


def works(service: Mapping[str, Any]) -> bool | None:
    """Whether a service that was seen works, or soon will; None where its state says nothing.

    What ends again and again runs for a moment, and does nothing in time.
    """
    state = service.get("state")
    if state not in (*WORKING, *_NOT_WORKING):
        return None
    return state in WORKING and not crashes(service)


def _was_often_started(one: Mapping[str, Any]) -> bool:
    rate = one.get("restarts_per_hour")
    often = (one.get("restarts") if rate is None else rate) or 0
    return often >= _RESTARTS and loops(one, _RESTARTS, _SETTLED_SECONDS) is True


def replicas_of(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each container of a service, or program of a group, the most often restarted first: the worst off may be another.

    A service that is neither is one by itself.
    """
    containers = sorted(
        one.get("containers") or one.get("members") or [], key=lambda container: -(container.get("restarts") or 0)
    )
    return [{**one, **container} for container in containers] or [one]


def loops(one: Mapping[str, Any], restarts: float, settled_seconds: float) -> bool | str:
    """True, False, or why nothing shows it."""
    if not one.get("available"):
        return str(one.get("reason") or "it could not be observed")
    state, count = one["state"], one.get("restarts") or 0
    if state in _AGAIN_AND_AGAIN:
        return True
    if state in _ENDED:
        return _ended(one, restarts)
    if state == "unknown":
        return str(one.get("reason") or "what it does is not known")
    if state in _UP and one.get("restarts") is None and _is_young(one, settled_seconds):
        return f"it was started {one['uptime_seconds']:.0f} s ago, and nothing shows how often before"
    if state not in _UP or not count or one.get("uptime_seconds") is None:
        return False
    return _still_loops(one, count, restarts, settled_seconds)


def _still_loops(one: Mapping[str, Any], count: int, restarts: float, settled_seconds: float) -> bool | str:
    """Whether a service that runs, and was started again by itself, will end again."""
    uptime, rate = one["uptime_seconds"], one.get("restarts_per_hour")
    times = sorted(one.get("restart_times") or [])[-(_GAPS_TO_BE_SURE + 1) :]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    # An engine remembers few events, and health checks push them out. Without two starts nobody knows how long it lives;
    # what still loops that often lives no longer than this.
    life = _GAPS_TO_BE_SURE * max(gaps) if gaps else _HOUR_SECONDS / max(restarts, 1)
    if count < restarts or uptime >= max(settled_seconds, life):
        return False
    is_often = rate is None or rate >= restarts
    if uptime < settled_seconds or (gaps and is_often):
        return is_often
    # It was restarted often some time, and what is remembered of the last hour is the least that happened in it.
    return f"it was restarted {count} times, the last time {uptime:.0f} s ago, and when before that is not remembered"


def _is_young(one: Mapping[str, Any], settled_seconds: float) -> bool:
    uptime = one.get("uptime_seconds")
    return uptime is not None and uptime < settled_seconds


def was_started_again(one: Mapping[str, Any], settled_seconds: float) -> bool:
    """Whether it runs, and its manager started it just now."""
    return one["state"] in _UP and bool(one.get("restarts")) and _is_young(one, settled_seconds)


def _ended(one: Mapping[str, Any], restarts: float) -> bool | str:
    # An error of its start is newer than the stop that a person may have begun with.
    if one.get("error"):
        return True
    if one.get("stopped_by_person") is True:
        return False
    if one.get("oom_killed"):
        return True
    if one["state"] == "created":
        return False
    if one.get("exit_code") == 0 and one["state"] != "fatal":
        # Between two lives of a program that ends without an error, and is started again each time.
        return (one.get("restarts_per_hour") or 0) >= restarts
    if one.get("stopped_by_person") is None:
        return "it ended, and nothing shows whether a person stopped it"
    if one["state"] == "fatal" or one.get("exit_code") is not None or one.get("signal"):
        return True
    return "it ended, and how is not known"

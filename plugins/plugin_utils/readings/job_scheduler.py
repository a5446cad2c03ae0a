# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jobs were not started at their time, and what starts them. What is not known is None.

A row of a job has ``schedule`` and ``job`` (names), ``label`` (both in words), what ``job_schedule_info`` tells of it, ``begun_seconds`` (how
long ago it was started), ``sign_seconds`` (the same, or how long ago it ended where that is later), ``missed`` (whether it should have been
started since), ``missed_while_up`` (whether so since what starts it runs) and ``unended`` (whether it was started after it last ended).

A row of a schedule has ``schedule``, ``engine``, ``service``, ``state`` (of the service, as ``service_info`` tells it), ``up`` (whether what
starts the jobs runs; None where that is not known), ``ended_seconds`` (how long ago it ended), ``named`` (whether the inventory says what that
is), ``up_seconds`` (for how long, when the database was asked), ``within_seconds`` (how exact that is), ``heartbeat_seconds`` (its last sign
of life, where it gives any), ``jobs``, ``missed`` and ``missed_while_up`` (rows of jobs), and ``alive`` (whether it has started a job, or
given a sign, since it runs).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.queues.answer import name_of
from ..looping import crashes, works

Row = Mapping[str, Any]

# Two clocks that are kept may differ by so much, and a start be this much early.
_CLOCKS_SECONDS = 5.0
# Managers tell times rounded by so much at most, where not in whole seconds.
_ROUNDED_SECONDS = 0.1
# What programs write that have nobody to talk to, such as a database or a pooler in front of it.
_OUT_OF_REACH = re.compile(
    r"connection (?:to \S.{0,80} )?(?:failed|refused|reset|timed out|timeout)|(?:could not|cannot|can't|failed to|unable to) connect"
    r"|server login failed|server conn crashed|query_wait_timeout|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND"
    r"|name resolution|no route to host|too many (?:clients|connections)",
    re.IGNORECASE,
)
# Jobs that a line tells.
_TOLD = 6
# Zones differ by whole and half hours, and by no more than these.
_HALF_HOUR = 1800.0
_MOST_HALF_HOURS = 28


def jobs(
    job_schedule: Row, system_schedules: Mapping[str, Row], schedules: Sequence[Row], job_scheduler_period_ratio: float
) -> list[dict[str, Any]]:
    """Every job that counts: those that the inventory names, or all that are enabled where it names none."""
    found = []
    for schedule in schedules:
        seen = job_schedule["schedules"][schedule["schedule"]]
        # As what was read shows names.
        wanted = [name_of(name) for name in system_schedules[schedule["schedule"]].get("jobs") or []]
        for job in seen["jobs"]:
            if job["name"] in wanted or (not wanted and job.get("enabled") is not False):
                given = system_schedules[schedule["schedule"]]
                found.append(_job(job, schedule, given, len(system_schedules) > 1, job_scheduler_period_ratio))
    return found


def _by_hand(written: str | None, name: str) -> str | None:
    """What a person types to start a job, with its name as one word of a shell. It is shown, and never run."""
    return written.replace("{job}", shlex.quote(name)) if written else None


def _job(job: Row, schedule: Row, given: Row, several: bool, ratio: float) -> dict[str, Any]:
    begun = [job[key] for key in ("started_age_seconds", "running_seconds") if job.get(key) is not None]
    begun += [start["age_seconds"] for start in job.get("starts") or ()]
    ended = [job[key] for key in ("succeeded_age_seconds", "failed_age_seconds") if job.get(key) is not None]
    sign = min(begun + ended) if begun or ended else None
    unended = bool(begun and ended and min(begun) < min(ended) - _CLOCKS_SECONDS)
    return {
        **job,
        "schedule": schedule["schedule"],
        "expression": job.get("schedule"),
        "job": job["name"],
        "label": f"{job['name']} of {schedule['schedule']}" if several else job["name"],
        "begun_seconds": min(begun) if begun else None,
        "sign_seconds": sign,
        "unended": unended,
        "by_hand": _by_hand(given.get("by_hand"), job["name"]),
        "missed": _is_missed(job, sign if sign is not None else job.get("created_age_seconds"), ratio),
        "missed_while_up": _is_missed_while_up(job, sign, schedule["up_seconds"], ratio),
    }


def _is_missed(job: Row, since: float | None, ratio: float) -> bool | None:
    """Whether it should have been started within so many seconds, by its expression or its period."""
    # A time that has not come yet tells that clocks differ, and not when it was.
    if since is None or since < -_CLOCKS_SECONDS:
        return None
    if job.get("schedule") is not None:
        due = job.get("due_since_seconds")
        return None if due is None else bool(since > due + _CLOCKS_SECONDS)
    if not job.get("period_seconds", 0) > 0:
        return None
    return bool(since > job["period_seconds"] * ratio + job["grace_seconds"])


def _is_missed_while_up(job: Row, sign: float | None, up: float | None, ratio: float) -> bool | None:
    return None if up is None else _is_missed(job, up if sign is None else min(sign, up), ratio)


def schedules(
    job_schedule: Row, system_schedules: Mapping[str, Row], service_states: Mapping[str, Row]
) -> list[dict[str, Any]]:
    """Every schedule that was seen, with what starts its jobs."""
    found = []
    for name, seen in job_schedule["schedules"].items():
        if not seen["available"]:
            continue
        service = system_schedules[name].get("service")
        state = service_states.get(service, {}) if service else {}
        beats = [job["owner_age_seconds"] for job in seen["jobs"] if job.get("owner_age_seconds") is not None]
        is_launched = seen["engine"] == "pg_cron"
        ended = state.get("finished_at_seconds")
        found.append(
            {
                "schedule": name,
                "engine": seen["engine"],
                "service": service,
                "state": state,
                "named": bool(service) or is_launched,
                "up": seen.get("launcher") if is_launched else _is_up(state),
                "up_seconds": seen.get("launcher_age_seconds") if is_launched else _up_seconds(state, seen),
                "within_seconds": 0.0 if is_launched else seen["clock_within_seconds"] + _ROUNDED_SECONDS,
                "ended_seconds": None if ended is None else _ago_seconds(ended, seen),
                "heartbeat_seconds": min(beats) if beats else None,
            }
        )
    return found


def _ago_seconds(at_seconds: float, seen: Row) -> float:
    """How long ago that was, on the clock of the host, which its manager has, when the database was asked."""
    ago: float = seen["now_seconds"] + seen["clock_ahead_seconds"] - at_seconds
    return ago


def _up_seconds(state: Row, seen: Row) -> float | None:
    up, started_at = state.get("uptime_seconds"), state.get("started_at_seconds")
    if up is None or started_at is None:
        return up
    # What the database tells is measured against it, and the manager was asked at another moment. A start is told in whole seconds by
    # some: before it began, never after. Where that disagrees, its manager has another clock, such as a supervisord elsewhere.
    ago = _ago_seconds(started_at, seen)
    return ago if abs(ago - up) <= _CLOCKS_SECONDS else up


def _is_up(state: Row) -> bool | None:
    if state.get("available") is not True:
        return None
    return works(state)


def judged(schedules: Sequence[Row], jobs: Sequence[Row], job_schedule: Row) -> list[dict[str, Any]]:
    """The schedules with their jobs, and with the holders of their locks that may not be what runs now (``not_its_own``)."""
    found = []
    for schedule in schedules:
        own = [row for row in jobs if row["schedule"] == schedule["schedule"] and row.get("enabled") is not False]
        up = schedule["up_seconds"]
        # From after it began: what it did as the one before is no sign of it.
        signs = [
            age for age in (schedule["heartbeat_seconds"], *(row["begun_seconds"] for row in own)) if age is not None
        ]
        held = [one for one in job_schedule["schedules"][schedule["schedule"]].get("holders") or () if one["granted"]]
        found.append(
            {
                **schedule,
                "jobs": own,
                "held": held,
                "not_its_own": [
                    one for one in held if up is not None and _is_older(one, up + schedule["within_seconds"])
                ],
                "missed": [row for row in own if row["missed"]],
                "missed_while_up": [row for row in own if row["missed_while_up"]],
                "alive": None if up is None else any(age < up for age in signs),
            }
        )
    return found


def _is_older(one: Row, seconds: float) -> bool:
    """Whether a session may be older than that: so it is where nothing tells its age."""
    return one.get("age_seconds") is None or bool(one["age_seconds"] > seconds)


def not_judged(jobs: Sequence[Row]) -> list[Row]:
    """Jobs of which it is not known whether they were started in time."""
    return [row for row in jobs if row["missed"] is None and row.get("enabled") is not False]


def absent(job_schedule: Row, system_schedules: Mapping[str, Row]) -> list[str]:
    """Jobs that the inventory names and that are not there, with their schedules."""
    return [
        f"{name} of {schedule}"
        for schedule, seen in job_schedule["schedules"].items()
        if seen["available"]
        for name in system_schedules[schedule].get("jobs") or ()
        if name_of(name) not in [job["name"] for job in seen["jobs"]]
    ]


def disabled(jobs: Sequence[Row]) -> list[Row]:
    """Those that somebody has turned off though the inventory names them."""
    return [row for row in jobs if row.get("enabled") is False]


# What starts them.


def stopped(not_up: Sequence[Row]) -> list[Row]:
    """Schedules whose service a person stopped."""
    return [row for row in not_up if row["state"].get("stopped_by_person")]


def crashing(not_up: Sequence[Row]) -> list[Row]:
    """Those whose service ends by itself again and again."""
    return [row for row in not_up if row["state"].get("state") and crashes(row["state"])]


def not_up(judged: Sequence[Row]) -> list[Row]:
    """Those whose service, or whose pg_cron, does not run."""
    return [row for row in judged if row["up"] is False]


def elsewhere(not_up: Sequence[Row]) -> list[dict[str, Any]]:
    """Those of them of which a job was started after what should start it had ended, with ``last_seconds``."""
    found = []
    for row in not_up:
        begun = [job["begun_seconds"] for job in row["jobs"] if job["begun_seconds"] is not None]
        if begun and row["ended_seconds"] is not None and min(begun) < row["ended_seconds"] - _CLOCKS_SECONDS:
            found.append({**row, "last_seconds": min(begun)})
    return found


def down(not_up: Sequence[Row], stopped: Sequence[Row], crashing: Sequence[Row], elsewhere: Sequence[Row]) -> list[Row]:
    """Those of them that no person stopped, that do not end again and again, and whose jobs nobody else starts.

    To start one beside another would start each job twice: a job is late, or it is known that it ended after the last start.
    """
    others = [row["schedule"] for row in [*stopped, *crashing, *elsewhere]]
    return [
        row
        for row in not_up
        if row["schedule"] not in others and (row["missed"] or row["ended_seconds"] is not None or not row["jobs"])
    ]


def standing_still(judged: Sequence[Row], job_scheduler_owner_seconds: float) -> list[Row]:
    """Those of whose jobs none was started at its time.

    One job alone says nothing of what starts it, unless that gives no sign of life either.
    """
    found = []
    for row in judged:
        quiet = row["heartbeat_seconds"] is not None and row["heartbeat_seconds"] > job_scheduler_owner_seconds
        if 0 < len(row["missed"]) == len(row["jobs"]) and (len(row["jobs"]) > 1 or quiet):
            found.append(row)
    return found


def hanging(standing_still: Sequence[Row], dead_owners: Sequence[Row], overlaps: Sequence[Row]) -> list[Row]:
    """Those of them that run and have started none of their jobs since, with nothing to wait for: no lock of another, and no job that runs."""
    held = {row["schedule"] for row in [*dead_owners, *overlaps]}
    return [
        row
        for row in standing_still
        if row["up"] is not False
        and row["schedule"] not in held
        and not row["not_its_own"]
        # Where nothing says what starts them, that all are late is all there is to see.
        and (not row["named"] or len(row["missed_while_up"]) == len(row["jobs"]))
    ]


def just_started_ones(judged: Sequence[Row]) -> list[Row]:
    """Those that have run for too short a time to have started all of their late jobs, and have started none."""
    return [
        row
        for row in judged
        if row["up"] and row["alive"] is False and len(row["missed_while_up"]) < len(row["missed"])
    ]


def missed_before(jobs: Sequence[Row]) -> list[Row]:
    """Jobs whose time passed before what starts them began to run."""
    return [row for row in jobs if row["missed"] and row["missed_while_up"] is False]


def waiting_for_next(missed_before: Sequence[Row], judged: Sequence[Row]) -> list[Row]:
    """Those of them whose scheduler starts others since, or gives signs of life."""
    lives = {row["schedule"] for row in judged if row["up"] and row["alive"]}
    return [row for row in missed_before if row["schedule"] in lives and row.get("enabled") is not False]


def waiting_in_words(waiting_for_next: Sequence[Row]) -> str:
    """Those with when they were due and will be, in a few words."""
    return _some(
        [
            _words(row) + (f", next in {_time(row['due_in_seconds'])}" if "due_in_seconds" in row else "")
            for row in waiting_for_next
        ]
    )


def by_hand_in_words(waiting_for_next: Sequence[Row]) -> str:
    """What starts those that cannot wait."""
    known = [row["by_hand"] for row in waiting_for_next if row["by_hand"]]
    unknown = [row["label"] for row in waiting_for_next if not row["by_hand"]]
    return "; ".join([*known, *([f"{' and '.join(unknown)} as its scheduler does it"] if unknown else [])])


def idle(judged: Sequence[Row]) -> list[str]:
    """Schedules in which no job is there that counts."""
    return [row["schedule"] for row in judged if not row["jobs"]]


def missed(jobs: Sequence[Row]) -> list[Row]:
    """Jobs that were not started at their time, for whatever reason."""
    return [row for row in jobs if row["missed"] and row["sign_seconds"] is not None]


def late(jobs: Sequence[Row], waiting_for_next: Sequence[Row]) -> list[Row]:
    """Jobs that were not started at their time, and are not only waiting for their next one."""
    return [row for row in jobs if row["missed"] and row.get("enabled") is not False and row not in waiting_for_next]


def late_alone(
    late: Sequence[Row],
    judged: Sequence[Row],
    hanging: Sequence[Row],
    just_started_ones: Sequence[Row],
    overlaps: Sequence[Row],
    dead_owners: Sequence[Row],
) -> list[Row]:
    """Late jobs of schedules that start others, or that have no other, each with a reason of its own."""
    whole = {row["schedule"] for row in [*hanging, *just_started_ones]} | {
        row["schedule"] for row in overlaps if row["holds_up"]
    }
    whole |= {row["schedule"] for row in judged if 1 < len(row["jobs"]) == len(row["missed"])}
    told = {(row["schedule"], row.get("job")) for row in [*overlaps, *dead_owners]}
    # A lock holds up all of them.
    whole |= {schedule for schedule, job in told if job is None}
    return [
        row
        for row in late
        if row["schedule"] not in whole
        and (row["schedule"], row["job"]) not in told
        and row["sign_seconds"] is not None
    ]


def never_started(late: Sequence[Row], hanging: Sequence[Row]) -> list[Row]:
    """Jobs that have never been started, though they were due since they are there."""
    whole = {row["schedule"] for row in hanging}
    return [row for row in late if row["sign_seconds"] is None and row["schedule"] not in whole]


def runs_on(judged: Sequence[Row]) -> list[dict[str, Any]]:
    """Jobs that still run at the time at which they are due again, or while all others are late; ``holds_up`` has the labels of those.

    Where nothing tells what runs, one that was started and has not ended may run on, and may be what the others wait for.
    """
    found = []
    for schedule in judged:
        running = [row for row in schedule["jobs"] if row.get("running_seconds") is not None or _may_run(row, schedule)]
        others = [row for row in schedule["jobs"] if row not in running]
        holds_up = [row["label"] for row in others] if all(row["missed"] for row in others) else []
        found += [{**row, "holds_up": holds_up} for row in running if holds_up or _is_due_again(row)]
    return found


def _may_run(row: Row, schedule: Row) -> bool:
    up = schedule["up_seconds"]
    # What began before what runs now was cut off with the one before.
    return bool(row["unended"] and schedule["up"] is not False and (up is None or row["begun_seconds"] < up))


def overlaps(runs_on: Sequence[Row], job_scheduler_owner_seconds: float) -> list[Row]:
    """Those of them whose owner is not quiet: that one may be gone, or hang."""
    return [row for row in runs_on if not _is_quiet(row, job_scheduler_owner_seconds)]


def overlaps_in_words(overlaps: Sequence[Row]) -> str:
    """What runs on, and what waits for it, in a few words."""
    said = [
        f"{row['label']} still runs at its next time"
        if row.get("running_seconds") is not None
        else f"{row['label']} was started {_time(row['begun_seconds'])} ago, and has not ended as far as is told"
        for row in overlaps
    ]
    held_up = overlaps[0]["holds_up"]
    return " and ".join(said) + (f", and the others wait: {', '.join(held_up)}" if held_up else "")


def _is_due_again(row: Row) -> bool:
    if row.get("running_seconds") is None:
        return False
    if row["expression"] is None:
        return bool(row["running_seconds"] > row.get("period_seconds", float("inf")) + _CLOCKS_SECONDS)
    return bool(row["running_seconds"] > row.get("due_since_seconds", float("inf")) + _CLOCKS_SECONDS)


def _is_quiet(row: Row, owner_seconds: float) -> bool:
    return row.get("owner_age_seconds") is not None and row["owner_age_seconds"] > owner_seconds


def suspects(judged: Sequence[Row], job_scheduler_owner_seconds: float) -> list[str]:
    """Schedules in which a job is said to run by an owner that is quiet, or no job was started while a session holds the lock."""
    return [
        row["schedule"]
        for row in judged
        if any(
            job.get("running_seconds") is not None and _is_quiet(job, job_scheduler_owner_seconds)
            for job in row["jobs"]
        )
        or (0 < len(row["missed"]) == len(row["jobs"]) and row["held"])
    ]


def dead_owners(judged: Sequence[Row], job_scheduler_owner_seconds: float) -> list[dict[str, Any]]:
    """What belongs to a scheduler that is gone, with ``what`` in words.

    - A job that is said to run, whose owner gave its last sign before what runs now began, or while another gives them.
    - The lock of a session older than what runs now, so not its own, where all jobs are late.
    """
    found: list[dict[str, Any]] = []
    for schedule in judged:
        for row in schedule["jobs"]:
            if row.get("running_seconds") is not None and _is_gone(row, schedule, job_scheduler_owner_seconds):
                who = f"{row.get('owner', 'an owner without a name')}, last seen {_time(row['owner_age_seconds'])} ago"
                found.append({**row, "what": f"{row['label']}, said to run by {who}"})
        if 0 < len(schedule["missed"]) == len(schedule["jobs"]):
            # Both were not measured at the same moment.
            sure = [
                one
                for one in schedule["not_its_own"]
                if one.get("age_seconds", 0.0) > schedule["up_seconds"] + _CLOCKS_SECONDS
            ]
            found += [
                {"schedule": schedule["schedule"], "holder": one, "what": f"the lock, held by {_session(one)}"}
                for one in sure
            ]
    return found


def _is_gone(row: Row, schedule: Row, owner_seconds: float) -> bool:
    if not _is_quiet(row, owner_seconds):
        return False
    another_lives = schedule["heartbeat_seconds"] is not None and schedule["heartbeat_seconds"] <= owner_seconds
    up = schedule["up_seconds"]
    # What runs now may be its owner, and hang.
    return bool(another_lives or schedule["up"] is False or (up is not None and row["owner_age_seconds"] > up))


def _session(one: Row) -> str:
    who = f"process {one['pid']} of the database ({one.get('application_name', 'unnamed')}"
    return f"{who} from {one.get('client', 'a local socket')}, connected for {_time(one['age_seconds'])})"


# Clocks, zones and doubles.


def clocks(job_schedule: Row) -> list[dict[str, Any]]:
    """Of each schedule that was seen how far the clock that was compared is ahead of its database."""
    return [
        {"schedule": name, "ahead_seconds": seen["clock_ahead_seconds"], "within_seconds": seen["clock_within_seconds"]}
        for name, seen in job_schedule["schedules"].items()
        if seen["available"]
    ]


def off(clocks: Sequence[Row], job_scheduler_clock_seconds: float) -> list[Row]:
    """Clocks that differ by more than they may, however exact that is."""
    return [one for one in clocks if abs(one["ahead_seconds"]) - one["within_seconds"] > job_scheduler_clock_seconds]


def in_the_future(jobs: Sequence[Row], job_scheduler_clock_seconds: float) -> list[Row]:
    """Jobs that were started at a time that has not come yet, by more than clocks may differ."""
    return [
        row for row in jobs if row["sign_seconds"] is not None and -row["sign_seconds"] > job_scheduler_clock_seconds
    ]


def off_in_words(off: Sequence[Row], in_the_future: Sequence[Row], clock_of: str) -> str:
    """What is wrong with the clocks."""
    said = [
        f"the clock of {clock_of} is {_time(abs(one['ahead_seconds']))} {'before' if one['ahead_seconds'] > 0 else 'behind'} "
        f"that of the database of {one['schedule']}"
        for one in off
    ]
    said += [f"{row['label']} was started {_time(-row['sign_seconds'])} in the future" for row in in_the_future[:_TOLD]]
    return "; ".join(said)


def zoned(jobs: Sequence[Row]) -> list[dict[str, Any]]:
    """Jobs whose last two starts or more were off by the same number of half hours, as in another time zone; with ``hours``."""
    found = []
    for row in jobs:
        starts = sorted(row.get("starts") or (), key=lambda one: one["age_seconds"])
        offsets = [start["offset_seconds"] for start in starts if "offset_seconds" in start]
        halves = [round(offset / _HALF_HOUR) for offset in offsets[:2]]
        near = all(
            abs(offset - half * _HALF_HOUR) <= max(60.0, row["grace_seconds"] / 2)
            for offset, half in zip(offsets, halves)
        )
        if len(halves) > 1 and near and halves[0] == halves[1] and 0 < abs(halves[0]) <= _MOST_HALF_HOURS:
            found.append({**row, "hours": halves[0] / 2})
    return found


def zones_told(jobs: Sequence[Row]) -> bool:
    """Whether one of the last starts of each job that has an expression was at its time."""
    return all(
        any(abs(start.get("offset_seconds", _HALF_HOUR)) <= _HALF_HOUR / 2 for start in row.get("starts") or ())
        for row in jobs
        if row["expression"] is not None
    )


def doubles(
    jobs: Sequence[Row], job_scheduler_lately_seconds: float, job_scheduler_doubles: int
) -> list[dict[str, Any]]:
    """Jobs that two owners started within one run, more than once lately; with ``owners`` and ``count``."""
    found = []
    for row in jobs:
        starts = [
            one
            for one in row.get("starts") or ()
            if "owner" in one and one["age_seconds"] <= job_scheduler_lately_seconds
        ]
        starts.sort(key=lambda one: one["age_seconds"])
        near = (row.get("interval_seconds") or 0) / 2
        pairs = [
            (one["owner"], other["owner"])
            for one, other in zip(starts, starts[1:])
            if one["owner"] != other["owner"] and abs(other["age_seconds"] - one["age_seconds"]) < near
        ]
        if len(pairs) >= job_scheduler_doubles:
            found.append({**row, "owners": sorted({name for pair in pairs for name in pair}), "count": len(pairs)})
    return found


def owners_told(jobs: Sequence[Row]) -> bool:
    """Whether it is told of each job who started it."""
    return all(any("owner" in start for start in row.get("starts") or ()) for row in jobs)


def failing(jobs: Sequence[Row], job_scheduler_failures: int) -> list[Row]:
    """Jobs that are started and fail again and again: so often in a row, or without a success for so many of their times."""
    return [row for row in jobs if _fails(row, job_scheduler_failures)]


def _fails(row: Row, failures: int) -> bool:
    failed, succeeded = row.get("failed_age_seconds"), row.get("succeeded_age_seconds")
    if row.get("failures") is not None:
        return bool(row["failures"] >= failures)
    if failed is None or succeeded is None or failed >= succeeded:
        return False
    dues = row.get("due_ages_seconds") or ()
    if row["expression"] is not None:
        return len(dues) >= failures and bool(succeeded > dues[failures - 1])
    return bool(succeeded > row.get("period_seconds", float("inf")) * failures + row["grace_seconds"])


def successes_told(jobs: Sequence[Row]) -> bool:
    """Whether it is told of each job how its last runs ended."""
    return all(row.get("succeeded_age_seconds") is not None or row.get("failures") == 0 for row in jobs)


# Dead letters.


def dead_letters_found(dead_queues: Mapping[str, Row], job_scheduler_dead: int) -> list[dict[str, Any]]:
    """Queues with so many dead letters, with their errors."""
    return [
        {"queue": name, "dead": one["dead"], "errors": one.get("errors") or []}
        for name, one in dead_queues.items()
        if one["available"] and one.get("dead") is not None and one["dead"] >= job_scheduler_dead
    ]


def replays(dead_letters_found: Sequence[Row]) -> list[dict[str, str]]:
    """The queues that are replayed."""
    return [{"queue": row["queue"]} for row in dead_letters_found]


# What is restarted, and words.


def restarts_down(down: Sequence[Row]) -> list[dict[str, str]]:
    """The services that are started where they do not run."""
    return _restarts(down)


def restarts_hanging(hanging: Sequence[Row]) -> list[dict[str, str]]:
    """The services that are restarted where they run and start nothing."""
    return _restarts(hanging)


def _restarts(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"service": one} for one in dict.fromkeys(row["service"] for row in rows if row["service"])]


def out_of_reach(hanging: Sequence[Row], service_states: Mapping[str, Row]) -> str:
    """What those that run and start nothing wrote last of somebody whom they do not reach; "" where they wrote nothing of the kind.

    A restart does not bring them nearer.
    """
    logs = [service_states.get(row["service"] or "", {}).get("log_tail_errors") or [] for row in hanging]
    lines = [str(error["last"]) for log in logs for error in log]
    return next((line for line in reversed(lines) if _OUT_OF_REACH.search(line)), "")


def why_not_restarted(down: Sequence[Row], hanging: Sequence[Row]) -> str:
    """Why nothing can be restarted, and what to change; "" where something can."""
    row = next((row for row in [*down, *hanging] if not row["service"]), None)
    if row is None:
        return ""
    if row["engine"] == "pg_cron":
        return (
            "pg_cron is a part of the database, which is not restarted for it; see that shared_preload_libraries and "
            "cron.database_name name it, and read the database's log"
        )
    return f"system_schedules.{row['schedule']}.service does not say what starts the jobs"


def late_in_words(late: Sequence[Row]) -> str:
    """The jobs that are late, in a few words."""
    return _some([_words(row) for row in late])


def late_alone_in_words(late_alone: Sequence[Row]) -> str:
    """Those with a reason of their own, in a few words."""
    return _some([_words(row) for row in late_alone])


def figures(jobs: Sequence[Row]) -> str:
    """Every job with what is known of it, in a few words."""
    return _some([_words(row) for row in jobs])


def _some(said: Sequence[str]) -> str:
    more = len(said) - _TOLD
    return "; ".join([*said[:_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _words(row: Row) -> str:
    if row.get("running_seconds") is not None:
        seen = f"runs for {_time(row['running_seconds'])}"
    elif row["sign_seconds"] is None:
        seen = "never started"
    elif row["begun_seconds"] is None:
        seen = f"ended {_time(row['sign_seconds'])} ago"
    else:
        seen = f"started {_time(row['begun_seconds'])} ago"
    if row["expression"] is None:
        return (
            f"{row['label']} {seen}, every {_time(row['period_seconds'])}"
            if "period_seconds" in row
            else f"{row['label']} {seen}"
        )
    due = row.get("due_since_seconds")
    last = "" if due is None else f", due {_time(due)} ago"
    return f"{row['label']} {seen}{last} by {row['expression']}" + (
        f" ({row['time_zone']})" if row.get("time_zone") else ""
    )


def _time(seconds: float) -> str:
    """A time in the unit in which a person says it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

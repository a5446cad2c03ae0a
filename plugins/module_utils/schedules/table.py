# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of the application's own: the inventory has the statements, and their columns have the names of the answer."""

from __future__ import annotations

from ..queues.answer import kind_of_error, name_of, number_of
from ..queues.statement import is_name, wrapped
from .answer import MOST_JOBS, NoMoment, age, latest
from .locks import HELD, holders, key_of

OPTIONS = {
    "statements": {
        "type": "dict",
        "required": True,
        "options": {"jobs": {"type": "str", "required": True}, "starts": {"type": "str"}},
    },
    "parameters": {"type": "dict", "default": {}},
    "lock": {"type": "list", "elements": "int", "default": []},
}

# Column of a job -> what it is called in the answer.
_TIMES = {
    "created_at": "created_age_seconds",
    "last_started_at": "started_age_seconds",
    "last_succeeded_at": "succeeded_age_seconds",
    "last_failed_at": "failed_age_seconds",
    "running_since": "running_seconds",
    "owner_seen_at": "owner_age_seconds",
}
_NUMBERS = ("period_seconds", "grace_seconds", "failures")
_TEXTS = ("schedule", "time_zone", "owner")
_ROWS = f"SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT * FROM rows LIMIT {MOST_JOBS + 1}) AS t"
_MOST_STARTS = 5000
_STARTS = (
    "SELECT coalesce(json_agg(t), '[]')::text FROM "
    f"(SELECT name, started_at, to_jsonb(rows)->>'owner' AS owner FROM rows ORDER BY started_at DESC LIMIT {_MOST_STARTS}) AS t"
)
_BOUNDS = ("lately_seconds",)


def check(place, schedule):
    """Raises ValueError where a statement cannot be asked."""
    for parameter in schedule["parameters"]:
        if not is_name(parameter) or parameter in _BOUNDS:
            raise ValueError(f"{place}: a parameter cannot have the name {parameter!r}")
    for which, statement in schedule["statements"].items():
        try:
            wrapped(statement or "", _names(schedule), "")
        except ValueError as error:
            raise ValueError(f"{place}: statements.{which}: {error}") from None
    try:
        key_of(schedule["lock"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _names(schedule):
    return {*schedule["parameters"], *_BOUNDS}


def look(client, partly, schedule, lately_seconds, now_seconds):
    """What is told of one schedule: ``jobs``, ``absent``, ``starts_told``, ``holders`` and ``limits``.

    Args:
        client: a :class:`postgres.client.Client`.
        partly: a :class:`queues.in_database.Partly` for what may be missing.
        schedule: as :data:`OPTIONS` say.
        lately_seconds: what counts as lately.
        now_seconds: by the database's clock.
    """
    statements, names = schedule["statements"], _names(schedule)
    parameters = {**schedule["parameters"], "lately_seconds": lately_seconds}
    rows = client.query(wrapped(statements["jobs"], names, _ROWS), parameters)
    starts = held = None
    if statements["starts"]:
        starts = partly.query("starts are not known", wrapped(statements["starts"], names, _STARTS), parameters, None)
    if schedule["lock"]:
        held = partly.query("who holds the lock is not known", HELD, key_of(schedule["lock"]), None)
    return answer(rows, starts, held, schedule, now_seconds)


def answer(rows, starts, held, schedule, now_seconds):
    """What the statements tell, in the words of all schedules. Pure.

    Args:
        rows: a dictionary for each job, by column.
        starts: dictionaries with ``name``, ``started_at`` and ``owner``; None where they are not told.
        held: sessions that hold or want the lock; None where they are not told.
        schedule: as :data:`OPTIONS` say.
        now_seconds: by the database's clock.
    """
    limits = []
    if len(rows) > MOST_JOBS:
        limits.append(f"more than {MOST_JOBS} jobs are there, and {MOST_JOBS} were read")
    jobs = [job for row in rows[:MOST_JOBS] for job in [_job(row, now_seconds, limits)] if job]
    of_job = _starts_by_name(starts or [], now_seconds, limits)
    if starts is not None:
        jobs = [dict(job, starts=latest(of_job.get(job["name"], []))) for job in jobs]
    names = {job["name"] for job in jobs}
    twice = sorted(name for name in names if sum(job["name"] == name for job in jobs) > 1)
    if twice:
        limits.append(f"statements.jobs gives several rows for {twice[0]}: it gives one for each job")
    sessions = None if held is None else holders(held)
    if any(one["granted"] and "age_seconds" not in one for one in sessions or ()):
        limits.append(
            "since when the session that holds the lock is there is not known: grant pg_monitor to the role that asks"
        )
    return {
        "jobs": jobs,
        "absent": sorted(name for name in set(schedule["jobs"]) if name_of(name) not in names),
        "holders": sessions,
        "limits": list(dict.fromkeys(limits)),
    }


def _job(row, now_seconds, limits):
    name = name_of(row.get("name"))
    if name is None:
        limits.append("statements.jobs gives a row without a name")
        return None
    found = {"name": name}
    for column, value in row.items():
        if value is None or column == "name":
            continue
        number = None if isinstance(value, bool) else number_of(value)
        if column in _TIMES:
            try:
                found[_TIMES[column]] = age(value, now_seconds)
            except NoMoment as error:
                limits.append(f"statements.jobs: {column} {error}")
        elif column in _NUMBERS and number is not None and number >= (0 if column != "period_seconds" else 0.001):
            found[column] = int(number) if column == "failures" else number
        elif column in _TEXTS and isinstance(value, str):
            found[column] = name_of(value)
        elif column == "enabled" and isinstance(value, bool):
            found["enabled"] = value
        elif column == "error" and isinstance(value, str):
            found["error"] = kind_of_error(value)
        else:
            limits.append(f"statements.jobs has a column that cannot be read: {name_of(column)}")
    return found


def _starts_by_name(starts, now_seconds, limits):
    found = {}
    for one in starts:
        try:
            start = {"age_seconds": age(one["started_at"], now_seconds)}
        except NoMoment as error:
            limits.append(f"statements.starts: started_at {error}")
            continue
        owner = name_of(one["owner"])
        found.setdefault(name_of(one["name"]), []).append(start if owner is None else dict(start, owner=owner))
    return found

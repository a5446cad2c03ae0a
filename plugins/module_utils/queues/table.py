# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of the application's own: the inventory has the statements, and their columns have the names of the answer."""

from __future__ import annotations

import time

from .answer import errors, job, name_of, number_of, seconds, settled
from .in_database import ERROR_CHARACTERS
from .statement import is_name, wrapped

OPTIONS = {
    "statements": {
        "type": "dict",
        "required": True,
        "options": {
            "counts": {"type": "str", "required": True},
            "running": {"type": "str"},
            "names": {"type": "str"},
            "errors": {"type": "str"},
        },
    },
    "parameters": {"type": "dict", "default": {}},
    "actions": {"type": "dict", "default": {}},
}

# What a column of the one row of counts may be called, and what it is.
_NUMBERS = ("ready", "delayed", "overdue", "blocked", "running", "abandoned", "dead", "dead_lately", "workers")
_RATES = ("throughput_per_second", "arrivals_per_second")
_FLAGS = ("paused", "rate_limited")
_AGE = "oldest_ready_age_seconds"

_COUNTS = "SELECT coalesce(json_agg(rows), '[]')::text FROM (SELECT * FROM rows LIMIT 2) AS rows"
_RUNNING = """SELECT json_build_object(
  'late', (SELECT count(*) FROM rows, asked WHERE age_seconds > (p->>'limit_seconds')::float),
  'list', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT id::text AS id, name::text AS name, age_seconds FROM rows, asked WHERE age_seconds > (p->>'limit_seconds')::float
    ORDER BY age_seconds DESC LIMIT (SELECT (p->>'most_running')::int FROM asked)) t))::text"""
_NAMES = """SELECT json_build_object('jobs', (SELECT coalesce(sum(count), 0) FROM rows), 'list', (
  SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT name::text AS name, count FROM rows ORDER BY count DESC, name LIMIT (SELECT (p->>'top')::int FROM asked)) t))::text"""
_ERRORS = f"""SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT left(text::text, {ERROR_CHARACTERS}) AS error, name::text AS name FROM rows LIMIT (SELECT (p->>'sample')::int FROM asked)) t"""
_BOUNDS = ("lately_seconds", "limit_seconds", "most_running", "top", "sample")
# An action changes rows and returns their ids; which are there is not known otherwise.
_DONE = "SELECT json_build_object('done', (SELECT coalesce(json_agg(id::text), '[]') FROM rows))::text"
_OF_ACTIONS = ("jobs", "reason")


def check(name, queue):
    """Raises ValueError where a statement cannot be asked."""
    for parameter in queue["parameters"]:
        if not is_name(parameter) or parameter in (*_BOUNDS, *_OF_ACTIONS):
            raise ValueError(f"queue {name}: a parameter cannot have the name {parameter!r}")
    for kind, names in (("statements", _names(queue)), ("actions", _names(queue, _OF_ACTIONS))):
        for which, statement in queue[kind].items():
            try:
                wrapped(statement or "", names, "")
            except ValueError as error:
                raise ValueError(f"queue {name}: {kind}.{which}: {error}") from None


def _names(queue, others=_BOUNDS):
    return {*queue["parameters"], *others}


def act(client, queue, verb, jobs, reason):
    """Do something with jobs, by a statement of the inventory: those it was done with, by their ids.

    Args:
        client: a :class:`postgres.client.Client` that may write.
        queue: as :data:`OPTIONS` say.
        verb: a key of its ``actions``.
        jobs: ids.
        reason: why.
    """
    statement = wrapped(queue["actions"][verb], _names(queue, _OF_ACTIONS), _DONE)
    return client.query(statement, {**queue["parameters"], "jobs": jobs, "reason": reason})


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`in_database.Database`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    parameters = {**queue["parameters"], **{name: bounds[name] for name in _BOUNDS}}
    statements, names = queue["statements"], _names(queue)
    with store.session(bounds["share_seconds"]) as client:
        counts = client.query(wrapped(statements["counts"], names, _COUNTS), parameters)
        partly = store.partly(client, bounds["share_seconds"])
        found = {"counts": counts}
        for which, what, form in (
            ("running", "running jobs are not known", _RUNNING),
            ("names", "names are not known", _NAMES),
            ("errors", "errors are not known", _ERRORS),
        ):
            if statements[which]:
                found[which] = partly.query(what, wrapped(statements[which], names, form), parameters, None)
    return answer(found, bounds, partly.limits)


def count(store, queue):
    """How many wait, and when; None where the statement does not say how many."""
    # Only what waits is read; a statement may divide by the others.
    parameters = {**queue["parameters"], **dict.fromkeys(_BOUNDS, 1)}
    with store.session(store.left_seconds()) as client:
        at_seconds = time.monotonic()
        rows = client.query(wrapped(queue["statements"]["counts"], _names(queue), _COUNTS), parameters)
    return {"ready": number_of(rows[0].get("ready")) if len(rows) == 1 else None, "at_seconds": at_seconds}


def between(before, after, seconds):
    """Nothing but by how much it has grown, which is worked out for every engine."""
    return {}


def answer(found, bounds, limits):
    """What the statements tell, in the words of all queues. Pure.

    Args:
        found: the answers to the statements; None where one failed.
        bounds: how much to tell.
        limits: what could not be seen.
    """
    rows = found["counts"]
    limits = list(limits)
    if len(rows) != 1:
        limits.append(f"statements.counts gave {len(rows) or 'no'} rows where it should give one")
    told, running, names = (rows[0] if len(rows) == 1 else {}), found.get("running"), found.get("names")
    answered = {}
    for name, value in told.items():
        if value is None:
            continue
        number = None if isinstance(value, bool) else number_of(value)
        if name in _FLAGS and isinstance(value, bool):
            answered[name] = value
        elif name in _NUMBERS and number is not None and number >= 0:
            answered[name] = int(number)
        elif name in _RATES and number is not None and number >= 0:
            answered[name] = round(number, 4)
        elif name == _AGE and number is not None:
            answered[name] = seconds(number)
        else:
            limits.append(f"statements.counts has a column that cannot be read: {name_of(name)}")
    if running is not None:
        answered["running_over_limit"] = [
            job(one["id"], name_of(one["name"]), one["age_seconds"]) for one in running["list"]
        ]
        answered["running_over_limit_count"] = running["late"]
    if names is not None:
        answered["by_name"] = [
            {"name": name_of(one["name"]), "count": int(one["count"])} for one in names["list"] if one["name"]
        ]
        answered["by_name_of"] = int(names["jobs"])
    if found.get("errors") is not None:
        answered["errors"] = errors([(one["error"], name_of(one["name"])) for one in found["errors"]], bounds["top"])
        answered["errors_of"] = len(found["errors"])
    return settled(answered, limits)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of the application's own: the inventory has the statements, and their columns have the names of the answer."""

from __future__ import annotations

import time

from ..postgres.client import PARAMETERS
from .answer import errors, job, name_of, number_of, oldest, settled
from .in_database import ERROR_CHARACTERS
from .statement import bound, is_name, wrapped

OPTIONS = {
    "statements": {
        "type": "dict",
        "required": True,
        "options": {
            "counts": {"type": "str", "required": True},
            "running": {"type": "str"},
            "names": {"type": "str"},
            "errors": {"type": "str"},
            "dead": {"type": "str"},
            "whereabouts": {"type": "str"},
        },
    },
    "gone_is_done": {"type": "bool", "default": False},
    "parameters": {"type": "dict", "default": {}},
    "actions": {"type": "dict", "default": {}},
}

# What a column of the one row of counts may be called, and what it is.
_NUMBERS = (
    "ready",
    "delayed",
    "retrying",
    "overdue",
    "blocked",
    "running",
    "abandoned",
    "dead",
    "dead_lately",
    "workers",
)
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
# What a statement tells beside what the others tell.
_OF_STATEMENTS = {"dead": ("most",), "whereabouts": ("jobs",)}
# A column that a statement does not have is NULL: its name is then that of the row beside it.
_ABSENT = """(SELECT NULL::text AS name, NULL::text AS error, NULL::text AS payload, NULL::text AS payload_sha256, NULL::text AS mark,
  NULL::timestamptz AS at, NULL::timestamptz AS dead_at, NULL::timestamptz AS expires_at) AS absent"""
_MARK = "coalesce(mark::text, extract(epoch FROM dead_at::timestamptz)::text) AS mark"
# A payload may be of any type, and is never read: its bytes as they are, or its text.
_BYTES = r"""CASE WHEN pg_typeof(payload) = 'bytea'::regtype AND left(payload::text, 2) = '\x'
  THEN decode(substr(payload::text, 3), 'hex') ELSE convert_to(payload::text, getdatabaseencoding()) END"""
_DEAD_ONES = f"""SELECT coalesce(json_agg(told), '[]')::text FROM {_ABSENT}, LATERAL (
  SELECT id::text AS id, name::text AS name, left(error::text, {ERROR_CHARACTERS}) AS error, {_MARK},
         coalesce(payload_sha256::text, encode(sha256({_BYTES}), 'hex')) AS sha256,
         extract(epoch FROM coalesce(at::timestamptz, dead_at::timestamptz)) AS at_seconds,
         extract(epoch FROM expires_at::timestamptz) AS expires_at_seconds
  FROM rows LIMIT (SELECT (p->>'most')::int FROM asked)) AS told"""
_PLACED = f"""{_ABSENT}, LATERAL (
  SELECT id::text AS id, place::text AS place, {_MARK}, left(error::text, {ERROR_CHARACTERS}) AS error FROM {{rows}}) AS placed"""
_PLACES = f"SELECT coalesce(json_agg(placed), '[]')::text FROM {_PLACED}".format(rows="rows")
# In one statement: only what is dead with the mark of its copy at that moment is what the action is told of. Where it returns anything
# else, the statement fails with these words, which are no number, and nothing was sent.
_REPLAY = f"""WITH asked AS (SELECT {PARAMETERS}::jsonb AS p), here AS (
{{whereabouts}}
), fit AS (
  SELECT p || jsonb_build_object('jobs', (
    SELECT coalesce(jsonb_agg(placed.id), '[]') FROM jsonb_each_text(p->'marks') AS of_copy, {_PLACED.format(rows="here")}
    WHERE placed.id = of_copy.key AND placed.mark = of_copy.value AND placed.place = 'dead')) AS p
  FROM asked), rows AS (
{{replay}}
), strangers AS (SELECT id::text AS id FROM rows WHERE id::text NOT IN (SELECT jsonb_array_elements_text(p->'jobs') FROM fit))
SELECT CASE WHEN EXISTS (SELECT FROM strangers)
  THEN (SELECT ('actions.replay has to leave alone what :jobs does not name, such as message ' || min(id))::int::text FROM strangers)
  ELSE (SELECT coalesce(json_agg(id::text), '[]')::text FROM rows) END"""


def check(name, queue):
    """Raises ValueError where a statement cannot be asked."""
    for parameter in queue["parameters"]:
        if not is_name(parameter) or parameter in (*_BOUNDS, *_OF_ACTIONS, *_OF_STATEMENTS["dead"]):
            raise ValueError(f"queue {name}: a parameter cannot have the name {parameter!r}")
    for kind in ("statements", "actions"):
        for which, statement in queue[kind].items():
            others = _OF_ACTIONS if kind == "actions" else _OF_STATEMENTS.get(which, _BOUNDS)
            try:
                bound(statement or "", _names(queue, others))
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


def dead_ones(client, queue, most):
    """The dead messages that the inventory's statement tells, in its order, each as :func:`replay.choice.chosen` takes it.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        most: how many to tell.
    """
    names = _names(queue, _OF_STATEMENTS["dead"])
    return client.query(wrapped(queue["statements"]["dead"], names, _DEAD_ONES), {**queue["parameters"], "most": most})


def places(client, queue, jobs):
    """Where messages are: a list with ``id``, ``place``, ``mark`` and ``error`` of those that are there.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        jobs: ids.
    """
    names = _names(queue, _OF_STATEMENTS["whereabouts"])
    statement = wrapped(queue["statements"]["whereabouts"], names, _PLACES)
    return client.query(statement, {**queue["parameters"], "jobs": jobs})


def replay(client, queue, marks, reason):
    """Have dead messages sent again, by the action of the inventory; the ids of those that will.

    Args:
        client: a :class:`postgres.client.Client` that may write.
        queue: as :data:`OPTIONS` say.
        marks: by id, the mark that a message had when it was copied. One that has another by now is left alone.
        reason: why.
    """
    statement = _REPLAY.format(
        parameters=PARAMETERS,
        whereabouts=bound(queue["statements"]["whereabouts"], _names(queue, _OF_STATEMENTS["whereabouts"])),
        replay=bound(queue["actions"]["replay"], _names(queue, _OF_ACTIONS), "fit"),
    )
    return client.query(statement, {**queue["parameters"], "jobs": list(marks), "marks": marks, "reason": reason})


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


def count(store, queue, lately_seconds):
    """How many wait, when, and how many were done lately; None where the statement does not tell it.

    Args:
        store: a :class:`in_database.Database`.
        queue: as :data:`OPTIONS` say.
        lately_seconds: for what was done.
    """
    # No more than these is read; a statement may divide by the others.
    parameters = {**queue["parameters"], **dict.fromkeys(_BOUNDS, 1), "lately_seconds": lately_seconds}
    with store.session(store.left_seconds()) as client:
        at_seconds = time.monotonic()
        rows = client.query(wrapped(queue["statements"]["counts"], _names(queue), _COUNTS), parameters)
    row = rows[0] if len(rows) == 1 else {}
    told = {"ready": row.get("ready"), "done_per_second": row.get("throughput_per_second")}
    counts = {name: number_of(value) for name, value in told.items()}
    return {**counts, "at_seconds": at_seconds, "lately_seconds": lately_seconds}


def between(before, after, _seconds):
    """Whether anything was done. By how much it has grown is worked out for every engine."""
    first, done = before["done_per_second"], after["done_per_second"]
    # Less than one job in a moment is none of that moment: the statement counts a time of its own, which may be long before the window.
    if first is None or done is None or 0 < first * before["lately_seconds"] < 0.99:
        return {}
    return {"done_in_window": done > 0}


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
            answered[name] = oldest([number], limits)
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

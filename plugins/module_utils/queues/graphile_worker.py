# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graphile Worker: a view of jobs. Its table shows no row to a role that does not own it, so that is not asked."""

from __future__ import annotations

from ..postgres.client import PARAMETERS
from .answer import settled
from .in_database import ASKED, ERROR_CHARACTERS, TOLD_OF_RUNNING, counted, identifier, missing, told

OPTIONS = {
    "schema": {"type": "str", "default": "graphile_worker"},
    "queue": {"type": "str"},
    "task": {"type": "str"},
}

# After so long a lock is taken from a worker that does not come back.
_LOCK_HOURS = 4

_SHAPE = (
    ASKED
    + """SELECT json_build_object('is_there', to_regclass(quote_ident(p->>'schema') || '.jobs') IS NOT NULL)::text FROM asked"""
)
_OWN_TABLE = (
    ASKED
    + """SELECT json_build_object('is_there', to_regclass(quote_ident(p->>'schema') || '._private_jobs') IS NOT NULL)::text FROM asked"""
)
_OPEN = (
    ASKED
    + """, counted AS (
  SELECT task_identifier AS name, count(*) FILTER (WHERE run_at <= now()) AS ready, count(*) FILTER (WHERE run_at > now()) AS delayed,
         count(*) FILTER (WHERE run_at > now() AND attempts > 0) AS retrying,
         min(run_at) FILTER (WHERE run_at <= now()) AS oldest
  FROM {source} GROUP BY task_identifier)
SELECT json_build_object(
  'at_seconds', extract(epoch FROM clock_timestamp()), 'ready', coalesce(sum(ready), 0), 'delayed', coalesce(sum(delayed), 0),
  'retrying', coalesce(sum(retrying), 0),
  'oldest_seconds', extract(epoch FROM now() - min(oldest)),
  'by_name', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT name, ready AS count FROM counted WHERE ready > 0 ORDER BY ready DESC, name LIMIT (SELECT (p->>'top')::int FROM asked)) t)
)::text FROM counted"""
)
_WAITING = "{schema}.jobs WHERE locked_at IS NULL AND attempts < max_attempts {mine}"
_RUNNING = (
    ASKED
    + f""", running AS (
  SELECT id::text AS id, task_identifier AS name, extract(epoch FROM now() - locked_at) AS age_seconds,
         locked_at < now() - interval '{_LOCK_HOURS} hours' AS abandoned
  FROM {{schema}}.jobs WHERE locked_at IS NOT NULL {{mine}})
"""
    + TOLD_OF_RUNNING
)
# A failure moves run_at on by so many seconds and leaves updated_at; what a person gives up has it the other way round.
_DEAD = (
    ASKED
    + """
SELECT json_build_object('dead', count(*), 'lately', count(*) FILTER (
  WHERE greatest(updated_at, run_at - make_interval(secs => exp(least(10, attempts)))) >
    now() - make_interval(secs => (SELECT (p->>'lately_seconds')::float FROM asked))))::text
FROM {schema}.jobs WHERE locked_at IS NULL AND attempts >= max_attempts {mine}"""
)
_ERRORS = (
    ASKED
    + f"""
SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT task_identifier AS name, left(last_error, {ERROR_CHARACTERS}) AS error FROM {{schema}}.jobs
  WHERE last_error IS NOT NULL {{mine}} ORDER BY run_at DESC LIMIT (SELECT (p->>'sample')::int FROM asked)) t"""
)
# Each pool of workers waits for word of new jobs in a session of its own. Whoever may not see that, sees no statement at all.
_WORKERS = """
SELECT json_build_object('workers', CASE WHEN bool_or(query = '<insufficient privilege>') THEN NULL
  ELSE count(*) FILTER (WHERE query LIKE 'LISTEN "jobs:insert"' || chr(37)) END)::text
FROM pg_stat_activity WHERE datname = current_database() AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()"""
_CHANGES = (
    ASKED
    + """
SELECT json_build_object('at_seconds', extract(epoch FROM clock_timestamp()), 'removed', n_tup_del, 'added', n_tup_ins,
  'ready', (SELECT count(*) FROM {schema}.jobs WHERE locked_at IS NULL AND attempts < max_attempts AND run_at <= now() {mine})
)::text FROM pg_stat_user_tables, asked WHERE schemaname = p->>'schema' AND relname IN ('_private_jobs', 'jobs')"""
)

# Its own functions, which leave alone what a worker holds. Of the jobs asked for, those of this queue alone.
_ACT = (
    ASKED
    + """, mine AS (
  SELECT id, locked_by, locked_at FROM {schema}.jobs, asked WHERE id::text IN (SELECT jsonb_array_elements_text(p->'jobs')) {mine}),
done AS (SELECT id FROM {schema}.{function})
SELECT json_build_object('there', (SELECT coalesce(json_agg(id::text), '[]') FROM mine),
                         'done', (SELECT coalesce(json_agg(id::text), '[]') FROM done))::text"""
)
_IDS = "(SELECT coalesce(array_agg(id), ARRAY[]::bigint[]) FROM mine)"
# Those that have run for too long. Their locks are those of workers that are gone by then, and would be kept for hours.
_UNLOCKED = """(SELECT coalesce(array_agg(late.id), ARRAY[]::bigint[]) FROM (
  SELECT id, locked_by FROM mine, asked WHERE locked_at < now() - make_interval(secs => (p->>'limit_seconds')::float)) AS late,
  LATERAL (SELECT {schema}.force_unlock_workers(ARRAY[late.locked_by])) AS unlocked)"""
_FUNCTIONS = {
    "cancel": f"permanently_fail_jobs({_UNLOCKED}, (SELECT p->>'reason' FROM asked))",
    "retry": f"reschedule_jobs({_IDS}, run_at := now(), attempts := 0)",
    "set_aside": f"permanently_fail_jobs({_IDS}, (SELECT p->>'reason' FROM asked))",
}


# A job that has failed again has another mark than before: a replay changes the one time, and a failure the other.
_MARK = """concat_ws('-', attempts, (extract(epoch FROM run_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint)"""
# The view does not show what a job carries, and the role that may have it run again may read that. It is not taken out of the database.
_DEAD_ONES = (
    ASKED
    + f"""
SELECT coalesce(json_agg(json_build_object(
  'id', id::text, 'name', task_identifier, 'error', left(last_error, {ERROR_CHARACTERS}), 'mark', {_MARK},
  'at_seconds', extract(epoch FROM created_at), 'sha256', (
    SELECT encode(sha256(convert_to(payload::text, getdatabaseencoding())), 'hex') FROM {{schema}}.{{own}} AS own WHERE own.id = dead.id)
  ) ORDER BY created_at, id), '[]')::text
FROM (SELECT * FROM {{schema}}.jobs WHERE locked_at IS NULL AND attempts >= max_attempts {{mine}}
      ORDER BY created_at, id LIMIT (SELECT (p->>'most')::int FROM asked)) AS dead"""
)
_PLACES = (
    ASKED
    + f"""
SELECT coalesce(json_agg(json_build_object(
  'id', id::text, 'mark', {_MARK}, 'error', left(last_error, {ERROR_CHARACTERS}), 'place',
  CASE WHEN locked_at IS NOT NULL THEN 'running' WHEN attempts >= max_attempts THEN 'dead' ELSE 'waiting' END)), '[]')::text
FROM {{schema}}.jobs WHERE id IN (SELECT jsonb_array_elements_text(p->'jobs')::bigint FROM asked)"""
)
# Tried once: a replay that fails is seen to have failed at once, and not after hours of tries.
_REPLAY = (
    ASKED
    + f""", mine AS (
  SELECT id, max_attempts FROM {{schema}}.jobs, (SELECT key::bigint AS asked_id, value AS asked_mark FROM asked, jsonb_each_text(p->'marks')) AS of_copy
  WHERE id = asked_id AND {_MARK} = asked_mark AND locked_at IS NULL AND attempts >= max_attempts {{mine}}),
alike AS (SELECT max_attempts, array_agg(id ORDER BY id) AS ids FROM mine GROUP BY max_attempts)
SELECT coalesce(json_agg(done.id::text), '[]')::text
FROM alike, LATERAL {{schema}}.reschedule_jobs(alike.ids, run_at := now(), attempts := alike.max_attempts - 1) AS done"""
)
# What is done is not there any more.
GONE_IS_DONE = True


def dead_ones(client, queue, most):
    """The oldest dead jobs, each as :func:`replay.choice.chosen` takes it.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        most: how many to tell.
    """
    has_own = client.query(_OWN_TABLE, _parameters(queue))["is_there"]
    words = dict(_words(queue), own="_private_jobs" if has_own else "jobs")
    return client.query(_DEAD_ONES.format(**words), _parameters(queue, most=most))


def places(client, queue, jobs):
    """Where jobs are: a list with ``id``, ``place``, ``mark`` and ``error`` of those that are there.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        jobs: ids.
    """
    return client.query(_PLACES.format(**_words(queue)), _parameters(queue, jobs=jobs))


def replay(client, queue, marks, _reason):
    """Have dead jobs run again, once each; the ids of those that will.

    Args:
        client: a :class:`postgres.client.Client` that may write.
        queue: as :data:`OPTIONS` say.
        marks: by id, the mark that a job had when it was copied. One that has another by now is left alone.
    """
    return client.query(_REPLAY.format(**_words(queue)), _parameters(queue, marks=marks))


def act(client, queue, verb, jobs, reason):
    """Do something with jobs: those that are there, and those it was done with, by their ids.

    Args:
        client: a :class:`postgres.client.Client` that may write.
        queue: as :data:`OPTIONS` say.
        verb: one of its ``verbs.yml``.
        jobs: ids.
        reason: why.
    """
    words = _words(queue)
    statement = _ACT.format(function=_FUNCTIONS[verb].format(**words), **words)
    return client.query(statement, _parameters(queue, jobs=jobs, reason=reason, limit_seconds=queue["limit_seconds"]))


def check(name, queue):
    """Raises ValueError where the schema has a name that cannot be one."""
    identifier(f"queue {name}: schema", queue["schema"])


def look(store, queue, bounds):
    """What is told of one queue or task, or of all of a schema.

    Args:
        store: a :class:`in_database.Database`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    parameters = _parameters(queue, most=bounds["most_running"])
    parameters.update({name: bounds[name] for name in ("lately_seconds", "limit_seconds", "top", "sample")})
    words = _words(queue)
    with store.session(bounds["share_seconds"]) as client:
        if not client.query(_SHAPE, parameters)["is_there"]:
            raise missing(store.reach, f"no view {queue['schema']}.jobs of Graphile Worker that this role may look up")
        opened = counted(client, _OPEN, words, _WAITING, parameters)
        partly = store.partly(client, bounds["share_seconds"])
        found = {
            "open": opened,
            "running": partly.query("running jobs are not known", _RUNNING.format(**words), parameters, None),
            "dead": partly.query("dead jobs are not known", _DEAD.format(**words), parameters, {}),
            "failed": partly.query("errors are not known", _ERRORS.format(**words), parameters, None),
            **partly.query("workers are not known", _WORKERS, parameters, {}),
        }
    return answer(found, bounds, partly.limits)


def _parameters(queue, **more):
    return {"schema": queue["schema"], "queue": queue["queue"], "task": queue["task"], **more}


def _words(queue):
    mine = ""
    if queue["queue"] is not None:
        mine += " AND queue_name = (SELECT p->>'queue' FROM asked)"
    if queue["task"] is not None:
        mine += " AND task_identifier = (SELECT p->>'task' FROM asked)"
    return {"parameters": PARAMETERS, "schema": identifier("schema", queue["schema"]), "mine": mine}


def answer(found, bounds, limits):
    """What the view tells, in the words of all queues. Pure.

    Args:
        found: the answers to the statements; empty, or None, where one failed.
        bounds: how much to tell.
        limits: what could not be seen.
    """
    return settled(told(found, bounds, limits), limits)


def count(store, queue, _lately_seconds):
    """How many jobs could run, and how many the table gained and lost since its statistics began."""
    with store.session(store.left_seconds()) as client:
        found = client.query(_CHANGES.format(**_words(queue)), _parameters(queue))
    return dict(found, is_all=queue["queue"] is None and queue["task"] is None)


def between(before, after, seconds):
    """Jobs that came and that went: one that is done is removed. Nobody counts them for each task.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    changes = {name: after[name] - before[name] for name in ("removed", "added")}
    if not before["is_all"] or min(changes.values()) < 0:
        return {}
    return {
        "throughput_per_second": round(changes["removed"] / seconds, 4),
        "arrivals_per_second": round(changes["added"] / seconds, 4),
    }

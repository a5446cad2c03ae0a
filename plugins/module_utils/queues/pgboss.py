# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg-boss: one table of jobs, whose columns have other names before version 10."""

from __future__ import annotations

from ..postgres.client import PARAMETERS
from . import application
from .answer import settled
from .in_database import ASKED, ERROR_CHARACTERS, TOLD_OF_RUNNING, counted, identifier, missing, told

OPTIONS = {"queue": {"type": "str"}, "schema": {"type": "str", "default": "pgboss"}, **application.LIBRARY}

# Queues that pg-boss has for itself.
_OWN = "__pgboss__"

_SHAPE = (
    ASKED
    + """
SELECT json_build_object(
  'columns', (SELECT json_agg(attname) FROM pg_attribute
              WHERE attrelid = to_regclass(quote_ident(p->>'schema') || '.job') AND attnum > 0 AND NOT attisdropped),
  'has_queues', to_regclass(quote_ident(p->>'schema') || '.queue') IS NOT NULL,
  'has_instances', to_regclass(quote_ident(p->>'schema') || '.instance') IS NOT NULL)::text FROM asked"""
)
_KNOWN = (
    ASKED
    + "SELECT json_build_object('known', EXISTS (SELECT FROM {schema}.queue, asked WHERE name = p->>'queue'))::text"
)
_KNOWN_BY_JOBS = (
    ASKED + "SELECT json_build_object('known', EXISTS (SELECT FROM {schema}.job, asked WHERE name = p->>'queue'))::text"
)
_OPEN = (
    ASKED
    + """, counted AS (
  SELECT name, count(*) FILTER (WHERE {due} <= now() AND NOT {blocked}) AS ready, count(*) FILTER (WHERE {blocked}) AS blocked,
         count(*) FILTER (WHERE {due} > now() AND NOT {blocked}) AS delayed,
         count(*) FILTER (WHERE {due} > now() AND NOT {blocked} AND state = 'retry') AS retrying,
         min({due}) FILTER (WHERE {due} <= now() AND NOT {blocked}) AS oldest
  FROM {source} GROUP BY name)
SELECT json_build_object(
  'ready', coalesce(sum(ready), 0), 'blocked', coalesce(sum(blocked), 0), 'delayed', coalesce(sum(delayed), 0),
  'retrying', coalesce(sum(retrying), 0),
  'oldest_seconds', extract(epoch FROM now() - min(oldest)),
  'by_name', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT name, ready AS count FROM counted, asked WHERE ready > 0 ORDER BY ready DESC, name LIMIT (SELECT (p->>'top')::int FROM asked)) t)
)::text FROM counted"""
)
_WAITING = "{schema}.job WHERE {mine} AND state < 'active'"
_RUNNING = (
    ASKED
    + """, running AS (
  SELECT id, name, extract(epoch FROM now() - {started}) AS age_seconds, {started} + {expires} < now() AS abandoned
  FROM {schema}.job WHERE {mine} AND state = 'active')
"""
    + TOLD_OF_RUNNING
)
_DEAD = (
    ASKED
    + """
SELECT json_build_object('dead', count(*), 'lately', count(*) FILTER (
  WHERE {ended} > now() - make_interval(secs => (SELECT (p->>'lately_seconds')::float FROM asked))))::text
FROM {schema}.job WHERE {mine} AND {dead}"""
)
_LATELY = (
    ASKED
    + """, since AS (SELECT now() - make_interval(secs => (p->>'lately_seconds')::float) AS at FROM asked)
SELECT json_build_object(
  'ended', (SELECT count(*) FROM {schema}.job WHERE {mine} AND {ended} > (SELECT at FROM since)
            AND (state = 'completed' OR {dead})),
  'added', (SELECT count(*) FROM {schema}.job WHERE {mine} AND {created} > (SELECT at FROM since)))::text"""
)
_ERRORS = (
    ASKED
    + f"""
SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT name, left(coalesce(output->>'message', output#>>'{{{{value,message}}}}', output->>'value', ''), {ERROR_CHARACTERS}) AS error
  FROM {{schema}}.job WHERE {{mine}} AND {{dead}}
  ORDER BY {{ended}} DESC NULLS LAST LIMIT (SELECT (p->>'sample')::int FROM asked)) t"""
)
# An instance that has not been heard of for three of its heartbeats is gone. Its first one comes before it has any worker,
# and one may keep itself out of this table: then nobody knows.
_WORKERS = (
    ASKED
    + """, alive AS (
  SELECT workers, heartbeat_on > started_on + interval '1 second' AS has_told FROM {schema}.instance
  WHERE stopped_on IS NULL AND heartbeat_on > now() - 3 * make_interval(secs => heartbeat_seconds))
SELECT json_build_object('workers', CASE WHEN EXISTS (SELECT FROM {schema}.instance) AND
  coalesce((SELECT bool_and(has_told) FROM alive), true) THEN (
  SELECT count(*) FROM alive, asked, jsonb_array_elements(workers) AS worker
  WHERE p->>'queue' IS NULL OR worker->>'queue' = p->>'queue') END)::text"""
)

# A job that has failed again has been tried more often than before.
_MARK = "concat_ws('-', {retries}, (extract(epoch FROM {ended}) * 1000000)::bigint)"
_ERROR = (
    f"left(coalesce(output->>'message', output#>>'{{{{value,message}}}}', output->>'value', ''), {ERROR_CHARACTERS})"
)
_DEAD_ONES = (
    ASKED
    + f"""
SELECT coalesce(json_agg(json_build_object(
  'id', id::text, 'name', name, 'error', {_ERROR}, 'mark', {_MARK}, 'at_seconds', extract(epoch FROM {{created}}),
  'expires_at_seconds', extract(epoch FROM {{kept}}),
  'sha256', encode(sha256(convert_to(coalesce(data::text, ''), getdatabaseencoding())), 'hex')
  ) ORDER BY {{created}}, id), '[]')::text
FROM (SELECT * FROM {{schema}}.job WHERE {{mine}} AND {{dead}} ORDER BY {{created}}, id LIMIT (SELECT (p->>'most')::int FROM asked)) AS dead"""
)
_PLACES = (
    ASKED
    + f"""
SELECT coalesce(json_agg(json_build_object('id', id::text, 'mark', {_MARK}, 'error', {_ERROR}, 'place',
  CASE WHEN state < 'active' THEN 'waiting' WHEN state = 'active' THEN 'running' WHEN state = 'completed' THEN 'done' ELSE 'dead' END
  )), '[]')::text
FROM {{schema}}.job WHERE {{mine}} AND id IN (SELECT jsonb_array_elements_text(p->'jobs')::uuid FROM asked)"""
)


def dead_ones(client, queue, most):
    """The oldest jobs that failed, each as :func:`replay.choice.chosen` takes it.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        most: how many to tell.
    """
    return _told(client, queue, _DEAD_ONES, most=most)


def places(client, queue, jobs):
    """Where jobs are: a list with ``id``, ``place``, ``mark`` and ``error`` of those that are there.

    Args:
        client: a :class:`postgres.client.Client`.
        queue: as :data:`OPTIONS` say.
        jobs: ids.
    """
    return _told(client, queue, _PLACES, jobs=jobs)


def _told(client, queue, statement, **more):
    parameters = {"schema": queue["schema"], "queue": queue["queue"], **more}
    columns = client.query(_SHAPE, parameters)["columns"]
    if not columns:
        raise missing(queue["reach"], f"no table {queue['schema']}.job of pg-boss that this role may look up")
    return client.query(statement.format(**_words(queue, columns)), parameters)


def check(name, queue):
    """Raises ValueError where the schema has a name that cannot be one."""
    identifier(f"queue {name}: schema", queue["schema"])


def look(store, queue, bounds):
    """What is told of one queue, or of all of a schema.

    Args:
        store: a :class:`in_database.Database`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    parameters = {"schema": queue["schema"], "queue": queue["queue"], "most": bounds["most_running"]}
    parameters.update({name: bounds[name] for name in ("lately_seconds", "limit_seconds", "top", "sample")})
    with store.session(bounds["share_seconds"]) as client:
        shape = client.query(_SHAPE, parameters)
        if not shape["columns"]:
            raise missing(store.reach, f"no table {queue['schema']}.job of pg-boss that this role may look up")
        words = _words(queue, shape["columns"])
        known = _KNOWN if shape["has_queues"] else _KNOWN_BY_JOBS
        if queue["queue"] and not client.query(known.format(**words), parameters)["known"]:
            raise missing(store.reach, f"no queue {queue['queue']!r} of pg-boss in the schema {queue['schema']}")
        opened = counted(client, _OPEN, words, _WAITING, parameters)
        partly = store.partly(client, bounds["share_seconds"])
        running = partly.query("running jobs are not known", _RUNNING.format(**words), parameters, None)
        dead = partly.query("dead jobs are not known", _DEAD.format(**words), parameters, {})
        failed = partly.query("errors are not known", _ERRORS.format(**words), parameters, None)
        lately = partly.query("throughput is not known", _LATELY.format(**words), parameters, {})
        workers = {}
        if shape["has_instances"]:
            workers = partly.query("workers are not known", _WORKERS.format(**words), parameters, {})
    return answer(
        {"open": opened, "running": running, "dead": dead, "failed": failed, "lately": lately, **workers},
        bounds,
        partly.limits,
    )


def _words(queue, columns):
    """The names of columns and the conditions that a version has."""
    old = "createdon" in columns
    return {
        "parameters": PARAMETERS,
        "schema": identifier("schema", queue["schema"]),
        "mine": "name = (SELECT p->>'queue' FROM asked)" if queue["queue"] else f"left(name, {len(_OWN)}) <> '{_OWN}'",
        # The type of its states has to have a word before it can be compared.
        "dead": "state IN ('failed', 'expired')" if old else "state = 'failed'",
        "due": "startafter" if old else "start_after",
        "started": "startedon" if old else "started_on",
        "ended": "completedon" if old else "completed_on",
        "created": "createdon" if old else "created_on",
        "kept": "keepuntil" if old else "keep_until",
        "retries": "retrycount" if old else "retry_count",
        "expires": "expirein"
        if old
        else "expire_in"
        if "expire_in" in columns
        else "make_interval(secs => expire_seconds)",
        "blocked": "blocked" if "blocked" in columns else "false",
    }


def answer(found, bounds, limits):
    """What the tables tell, in the words of all queues. Pure.

    Args:
        found: the answers to the statements; empty, or None, where one failed.
        bounds: how much to tell.
        limits: what could not be seen.
    """
    opened, lately, span = found["open"], found["lately"], bounds["lately_seconds"]
    return settled(
        {
            **told(found, bounds, limits),
            "blocked": None if opened.get("is_part") else opened["blocked"],
            "throughput_per_second": round(lately["ended"] / span, 4) if lately else None,
            "arrivals_per_second": round(lately["added"] / span, 4) if lately else None,
        },
        limits,
    )

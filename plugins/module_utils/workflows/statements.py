# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table of records is asked. The names in it are checked, every value is a parameter. Pure."""

from __future__ import annotations

from ..postgres.client import PARAMETERS, DatabaseError, where
from ..queues.in_database import ASKED
from ..queues.statement import bound
from ..text.one_line import one_line

# States that are told at most.
STATES = 50
# Scopes that are named at most.
SCOPES = 20
# Seconds would be some thousand years from now.
_MILLISECONDS = "1e11"
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")

SHAPE = (
    ASKED
    + f""", found AS (SELECT to_regclass(p->>'source') AS oid, p->>'name' AS name FROM asked)
SELECT json_build_object(
  'columns', (SELECT json_object_agg(attname, format_type(atttypid, NULL)) FROM pg_attribute
              WHERE attrelid = found.oid AND attnum > 0 AND NOT attisdropped),
  'near', (SELECT coalesce(json_agg(t.name), '[]') FROM (
    SELECT nspname || '.' || relname AS name FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND lower(relname) = lower(found.name) ORDER BY 1 LIMIT {SCOPES}) AS t))::text FROM found"""
)
# What is switched off, by scope: every value that does not mean on.
SWITCHES = (
    "{asked}, {switched} SELECT json_build_object('scopes', (SELECT count(DISTINCT scope::text) FROM rows), "
    "'off', (SELECT count(*) FROM off), 'list', (SELECT coalesce(json_agg(t.scope), '[]') FROM ("
    + f"SELECT scope FROM off ORDER BY scope LIMIT {SCOPES}) AS t))::text"
)
_SWITCHED = """rows AS (
{statement}
), off AS (
  SELECT DISTINCT scope::text AS scope FROM rows
  WHERE coalesce(value::text, '') NOT IN (SELECT jsonb_array_elements_text(p->'switched_on') FROM asked))"""
_NOTHING_OFF = "off AS (SELECT NULL::text AS scope WHERE false)"
_AGE = "extract(epoch FROM now() - ({since}))::float"
_LIMIT = "(SELECT (p->>'limit_seconds')::float FROM asked)"
_WAITING = "{state} = ANY (ARRAY(SELECT jsonb_array_elements_text(p->'waiting') FROM asked)::{state_type}[])"
_OFF = "coalesce({scope}::text IN (SELECT scope FROM off), false)"

# Where the records come from that wait.
WAITING = "{table} WHERE " + _WAITING
# Times are compared as they are, and ages worked out of what is told alone: of a million records that is a second.
COUNTS = (
    "{asked}, {switched} SELECT json_build_object('waiting', count(*), 'oldest_seconds', extract(epoch FROM now() - min(since))::float, "
    "'youngest_seconds', extract(epoch FROM now() - max(since))::float, 'timeless', count(*) - count(since), "
    "'stuck', count(*) FILTER (WHERE since < late), 'off', count(*) FILTER (WHERE since < late AND off))::text "
    f"FROM (SELECT {{since}} AS since, {_OFF} AS off FROM {{source}}) AS waits, (SELECT now() - make_interval(secs => {_LIMIT}) AS late) AS of_limit"
)
# Those that have something to wait for come last.
OLDEST = (
    "{asked}, {switched} SELECT coalesce(json_agg(t), '[]')::text FROM ("
    "SELECT id::text AS id, state::text AS state, extract(epoch FROM now() - since)::float AS age_seconds, scope::text AS scope, off FROM ("
    f"SELECT {{id}} AS id, {{state}} AS state, {{since}} AS since, {{scope}} AS scope, {_OFF} AS off FROM {{table}} WHERE {_WAITING} "
    "ORDER BY 5, 3 LIMIT (SELECT (p->>'watched')::int FROM asked)) AS first ORDER BY off, since) AS t"
)
BY_STATE = (
    "{asked} SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT state::text AS state, count, "
    "extract(epoch FROM now() - oldest)::float AS oldest_seconds, extract(epoch FROM now() - newest)::float AS newest_seconds "
    "FROM (SELECT {state} AS state, count(*) AS count, min({since}) AS oldest, max({since}) AS newest FROM {table} GROUP BY 1) AS found "
    f"ORDER BY 2 DESC, 1 LIMIT {STATES}) AS t"
)
# The column is asked for its greatest value as it is, so that an index helps.
NEWEST = (
    "{asked} SELECT json_build_object('age_seconds', extract(epoch FROM now() - ({newest}))::float)::text "
    "FROM (SELECT max({created}) AS newest FROM {table}) AS found"
)
LEFT = (
    f"{{asked}} SELECT json_build_object('left', count(*))::text FROM {{table}} WHERE NOT ({_WAITING}) "
    "AND {since} > now() - make_interval(secs => (SELECT (p->>'lately_seconds')::float FROM asked))"
)
# Sessions that wait for a lock, on whatever, and hold or want one on this table.
LOCKS = (
    ASKED
    + """SELECT json_build_object('waits', count(DISTINCT waits.pid))::text FROM pg_locks AS waits WHERE NOT waits.granted AND EXISTS (
  SELECT FROM pg_locks AS own, asked WHERE own.pid = waits.pid AND own.locktype = 'relation' AND own.relation = to_regclass(p->>'source')
  AND own.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""
)
RECORD = (
    f"{{asked}} SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT {{id}}::text AS id, {{state}}::text AS state, {_AGE} AS age_seconds, "
    "{scope}::text AS scope FROM {table} WHERE {id} = (SELECT CAST(p->>'record' AS {id_type}) FROM asked) LIMIT 2) AS t"
)
STILL = (
    "{asked} SELECT coalesce(json_agg({id}::text), '[]')::text FROM {table} "
    f"WHERE {{id}} = ANY (ARRAY(SELECT jsonb_array_elements_text(p->'ids') FROM asked)::{{id_type}}[]) AND {_WAITING}"
)
# Where records are, and since when: both ways to ask after a request.
PLACES = (
    f"{{asked}} SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT {{id}}::text AS id, {{state}}::text AS state, "
    f"extract(epoch FROM {{since}})::text AS mark, coalesce({_WAITING}, false) AS waits FROM {{table}} "
    "WHERE {id} = ANY (ARRAY(SELECT jsonb_array_elements_text(p->'ids') FROM asked)::{id_type}[])) AS t"
)
# Exactly one, and only from the state in which it was seen. What changes it later gives it another version.
MOVE = (
    "{asked}, mine AS (SELECT count(*) AS count FROM {table} WHERE {id} = (SELECT CAST(p->>'record' AS {id_type}) FROM asked)), "
    "done AS (UPDATE {table} SET {state} = (SELECT CAST(p->>'to' AS {state_type}) FROM asked) "
    "WHERE {id} = (SELECT CAST(p->>'record' AS {id_type}) FROM asked) AND (SELECT count FROM mine) = 1 "
    "AND {state} = (SELECT CAST(p->>'from' AS {state_type}) FROM asked){same} RETURNING {id}::text AS id, xmin::text AS version) "
    "SELECT json_build_object('done', (SELECT coalesce(json_agg(done), '[]') FROM done))::text"
)
# Where nobody has changed it since.
SAME = " AND xmin::text = (SELECT p->>'version' FROM asked)"


def shape_parameters(workflow):
    """What :data:`SHAPE` and :data:`LOCKS` are asked with."""
    return {"source": workflow["source"], "name": workflow["table"].split(".")[-1]}


def words(workflow, shape, with_switches):
    """What to fill into the statements.

    Args:
        workflow: of :func:`spec.described`.
        shape: the answer to :data:`SHAPE`.
        with_switches: whether what is switched off is looked at.

    Raises:
        DatabaseError: there is no such table, or no such column, or one is no time.
    """
    columns = shape["columns"]
    if not columns:
        near = f"; its schemas have {', '.join(map(one_line, shape['near']))}" if shape["near"] else ""
        raise _missing(workflow, f"no table {workflow['table']} that this role may look up{near}")
    for option in ("id_column", "status_column", "since_column", "created_column", "scope_column"):
        if workflow[option] and workflow[option] not in columns:
            raise _missing(
                workflow,
                f"no column {workflow[option]} ({option}) in {workflow['table']}, which has {', '.join(sorted(columns))}",
            )
    times = [_time(workflow, columns, one) for one in ("since_column", "created_column") if workflow[one]]
    statement = bound(workflow["switches"], set(workflow["parameters"])) if with_switches else ""
    return {
        "asked": ASKED.rstrip(" ").format(parameters=PARAMETERS),
        "switched": _SWITCHED.format(statement=statement) if statement else _NOTHING_OFF,
        "table": workflow["source"],
        "id": _quoted(workflow["id_column"]),
        "id_type": columns[workflow["id_column"]],
        "state": _quoted(workflow["status_column"]),
        "state_type": columns[workflow["status_column"]],
        "scope": _quoted(workflow["scope_column"]) if workflow["scope_column"] else "NULL",
        "since": f"coalesce({', '.join(times)})" if len(times) > 1 else times[0],
        "created": _quoted(workflow["created_column"]) if workflow["created_column"] else "NULL",
        "newest": _time(workflow, columns, "created_column", "newest") if workflow["created_column"] else "NULL",
    }


def zoneless(workflow, shape):
    """The columns of times of which nobody says in which zone they are."""
    named = [workflow[option] for option in ("since_column", "created_column") if workflow[option]]
    kinds = {one: shape["columns"][one] for one in named}
    return [] if workflow["time_zone"] else [one for one in kinds if kinds[one] == "timestamp without time zone"]


def _missing(workflow, what):
    return DatabaseError(
        "no_table",
        f"{where(workflow['reach'])} has {what}; check the names in system_workflows, and USAGE on the schema",
    )


def _quoted(name):
    return f'"{name}"'


def _time(workflow, columns, option, called=None):
    """A column as a time with a zone, whatever type it has."""
    kind, column = columns[workflow[option]], called or _quoted(workflow[option])
    if kind == "timestamp with time zone":
        return column
    if kind == "timestamp without time zone" and workflow["time_zone"]:
        return f"({column} AT TIME ZONE (SELECT p->>'time_zone' FROM asked))"
    if kind in ("timestamp without time zone", "date"):
        return f"{column}::timestamptz"
    if kind in _NUMBERS:
        return f"to_timestamp(CASE WHEN {column} > {_MILLISECONDS} THEN {column} / 1000.0 ELSE {column} END)"
    raise _missing(workflow, f"a column {workflow[option]} ({option}) of the type {kind}, which is no time")

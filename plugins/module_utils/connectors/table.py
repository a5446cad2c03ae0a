# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors in a table of the application, or in the rows of a statement."""

from __future__ import annotations

from ..postgres.client import PARAMETERS, Client
from ..postgres.spec import DATABASE
from ..queues.in_database import ERROR_CHARACTERS, identifier
from ..queues.statement import bound, is_name
from .answer import KEYS, MOST
from .failures import SourceError

OPTIONS = {
    "database": dict(DATABASE, required=False),
    "table": {"type": "str"},
    "statement": {"type": "str"},
    "parameters": {"type": "dict", "default": {}},
    "columns": {"type": "dict", "default": {}},
}
LOOKS = 2
TABLE = "connector_sync_state"
# What is not called otherwise is called as the answer calls it.
_COLUMNS = {**{key: key for key in KEYS}, "name": "connector"}

# Columns are keys of a document and no part of the text; one that is not there is not told. Only those named leave the database.
_ROWS = f"""SELECT json_build_object(
  'now_seconds', extract(epoch FROM clock_timestamp()),
  'is_utc', (SELECT now() AT TIME ZONE reset_val = now() AT TIME ZONE 'UTC' FROM pg_settings WHERE name = 'TimeZone'),
  'there', (SELECT coalesce(jsonb_agg(key), '[]') FROM asked, jsonb_each_text(p->'columns')
            WHERE EXISTS (SELECT 1 FROM (SELECT to_jsonb(rows) AS j FROM rows LIMIT 1) one WHERE jsonb_exists(j, value))),
  'rows', (SELECT coalesce(jsonb_agg(told), '[]') FROM (
    SELECT (SELECT jsonb_object_agg(c.key, CASE jsonb_typeof(j->c.value) WHEN 'string' THEN to_jsonb(left(j->>c.value, {ERROR_CHARACTERS}))
                                           WHEN 'object' THEN to_jsonb(left(j->>c.value, {ERROR_CHARACTERS}))
                                           WHEN 'array' THEN to_jsonb(left(j->>c.value, {ERROR_CHARACTERS})) ELSE j->c.value END)
            FROM jsonb_each_text(p->'columns') c WHERE jsonb_exists(j, c.value)) AS told
    FROM (SELECT to_jsonb(rows) AS j FROM rows) found, asked
    WHERE p->'only' = '[]' OR j->>(p->'columns'->>'name') IN (SELECT jsonb_array_elements_text(p->'only'))
    LIMIT {MOST + 1}) t WHERE told IS NOT NULL)
)::text"""


def check(place, entry):
    """Raises ValueError where it cannot be asked."""
    if entry["table"] and entry["statement"]:
        raise ValueError(f"{place}: give it table or statement, and not both")
    for key in entry["columns"]:
        if key not in KEYS:
            raise ValueError(f"{place}.columns.{key}: there is no such thing to tell; known are {', '.join(KEYS)}")
    for parameter in entry["parameters"]:
        if not is_name(parameter) or parameter in ("columns", "only"):
            raise ValueError(f"{place}.parameters: a parameter cannot have the name {parameter!r}")
    try:
        _statement(entry)
    except ValueError as error:
        raise ValueError(f"{place}.{'statement' if entry['statement'] else 'table'}: {error}") from None


def columns_of(entry):
    """What each thing is called in the table; one that the inventory calls nothing is not looked for."""
    named = {**_COLUMNS, **entry["columns"]}
    return {key: str(column) for key, column in named.items() if column}


def _statement(entry):
    if entry["statement"]:
        rows = bound(entry["statement"], entry["parameters"])
    else:
        rows = "SELECT * FROM " + ".".join(identifier("a name", part) for part in (entry["table"] or TABLE).split("."))
    return f"WITH asked AS (SELECT {PARAMETERS}::jsonb AS p), rows AS (\n{rows}\n) {_ROWS}"


def look(entry, seconds, deadline):
    """One look.

    Args:
        entry: as :data:`OPTIONS` say.
        seconds: the most that this look may take.
        deadline: for all looks.

    Raises:
        DatabaseError: it could not be asked.
        SourceError: it has no names of connectors.
    """
    columns = columns_of(entry)
    parameters = {**entry["parameters"], "columns": columns, "only": entry["only"]}
    with Client(entry["database"], min(seconds, deadline.remaining_seconds())) as client:
        found = client.query(_statement(entry), parameters)
    # What a database in UTC writes without a zone is in UTC, and so is what those write who choose it for all their times.
    return {
        "now_seconds": float(found["now_seconds"]),
        "is_utc": found["is_utc"] is True,
        "rows": found["rows"],
        "limits": missing(entry, columns, found),
    }


def missing(entry, columns, found):
    """What the inventory names and the table does not have, a line each. Pure.

    Raises:
        SourceError: nothing names the connectors.
    """
    if not found["rows"]:
        return []
    if "name" not in found["there"]:
        raise SourceError(
            "no_column",
            f"{entry['place']}: there is no column {columns['name']} with the names; say it in columns.name",
        )
    named = [key for key, column in entry["columns"].items() if column and key not in found["there"]]
    return [f"there is no column {columns[key]} for {key}" for key in sorted(named)]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of a PostgreSQL database: the slowest ever, those of a window, their plans and the indexes at hand.

Source: pg_stat_statements, EXPLAIN, pg_indexes.
"""

from __future__ import annotations

import re
import time

from .client import PARAMETERS, DatabaseError
from .redaction import redacted

# What works on data, and is not how somebody looks at the server. Read by Python and by the server.
_DATA_TEXT = r"^\s*(/\*.*?\*/\s*)*(select|with|insert|update|delete|merge|copy|call|refresh)(?![a-z_])"
_OURS_TEXT = r"pg_stat_(activity|statements)"
# The view's own name comes from the server, quoted by it; times are in milliseconds since version 8.
SLOWEST = """
SELECT coalesce(json_agg(row_to_json(t)), '[]')::text FROM (
  SELECT calls, {mean} AS mean_milliseconds, {maximum} AS max_milliseconds, query
  FROM {view}
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query ~* '{data}' AND query !~* '{ours}'
  ORDER BY {mean} DESC LIMIT 10) t
"""
# Without the texts, which the server keeps in a file.
COUNTS = """
SELECT coalesce(json_object_agg(key, json_build_array(calls, milliseconds)), '{{}}')::text FROM (
  SELECT queryid || '.' || userid AS key, sum(calls)::bigint AS calls, sum({total}) AS milliseconds
  FROM {view}(false)
  WHERE queryid IS NOT NULL AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  GROUP BY 1) t
"""
TEXTS = """
SELECT coalesce(json_object_agg(key, json_build_object('query', query, 'mine', mine)), '{{}}')::text FROM (
  SELECT queryid || '.' || userid AS key, min(query) AS query,
         userid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS mine
  FROM {view}
  WHERE queryid || '.' || userid IN (SELECT jsonb_array_elements_text({parameters}::jsonb->'keys'))
  GROUP BY queryid, userid) t
"""
INDEXES = (
    """
SELECT coalesce(json_agg(row_to_json(t)), '[]')::text FROM (
  SELECT schemaname AS schema, tablename AS "table", indexname AS name, indexdef AS definition
  FROM pg_indexes, (SELECT """
    + PARAMETERS
    + """::jsonb AS p) asked
  WHERE p->'tables' @> jsonb_build_array(tablename) OR p->'tables' @> jsonb_build_array(schemaname || '.' || tablename)
  ORDER BY 1, 2, 3 LIMIT 50) t
"""
)

_PRELOAD = "shared_preload_libraries = 'pg_stat_statements' and a restart of PostgreSQL"
WINDOW_LIMIT = 10
PLAN_LIMIT = 3
_PLAN_LINES = 30
_DATA = re.compile(_DATA_TEXT, re.IGNORECASE | re.DOTALL)
_OURS = re.compile(_OURS_TEXT, re.IGNORECASE)
_READS = re.compile(r"\s*(?:/\*[^*]*\*/\s*)*(select|with)\b", re.IGNORECASE)
_TABLE = re.compile(r"\b(?:from|join|update|into)\s+(?:only\s+)?([\w.\"]+)", re.IGNORECASE)
_PARAMETER = re.compile(r"\$\d")
# More than one statement, a command of psql, or a placeholder of our own: never part of what is explained.
_UNSAFE = re.compile(r"[;\\\x00]|" + re.escape(PARAMETERS))
_CALL = re.compile(r"([\w.\"]+)\s*\(")
_HARMLESS_CALL = re.compile(
    "count|sum|avg|min|max|coalesce|nullif|greatest|least|lower|upper|length|trim|substring|round|abs|floor|ceil|"
    "date_trunc|extract|now|array_agg|string_agg|json_agg|jsonb_agg|row_number|rank|over|filter|in|exists|any|all|and|or|"
    "not|as|on|using|values|select|from|where|by|join|then|else|when|cast|between|union|except|intersect|with"
)


def statements(client, server, window_seconds=0, explain="none"):
    """The slowest statements and, with a window, what ran during it.

    Args:
        client: a ``postgres.Client``.
        server: the part ``server`` of what :data:`activity_query.ACTIVITY` answers.
        window_seconds: 0 for no window.
        explain: ``none``, ``plan`` or ``analyze``, for the statements of the window that took the most time.

    Returns:
        What the module ``postgres_activity_info`` documents as ``statements``.
    """
    view = server.get("statements")
    if not view or not server.get("statements_loaded"):
        return {
            "available": False,
            "reason": "pg_stat_statements is not installed in this database: CREATE EXTENSION pg_stat_statements in "
            f"{server.get('database', 'it')}" + ("" if server.get("statements_loaded") else f", after {_PRELOAD}")
            if not view
            else f"pg_stat_statements is not in shared_preload_libraries: {_PRELOAD}",
        }
    times = ("mean_exec_time", "max_exec_time", "total_exec_time")
    if server["version_num"] < 130000:
        times = ("mean_time", "max_time", "total_time")
    names = dict(zip(("mean", "maximum", "total"), times), view=view, parameters=PARAMETERS)
    names.update(data=_DATA_TEXT, ours=_OURS_TEXT)
    try:
        began, before = time.monotonic(), client.query(COUNTS.format(**names)) if window_seconds else None
        rows = client.query(SLOWEST.format(**names))
        found = {"available": True, "slowest": [dict(row, query=redacted(row["query"], 300)) for row in rows]}
        if window_seconds:
            time.sleep(max(0.0, began + window_seconds - time.monotonic()))
            seconds = time.monotonic() - began
            chosen = busiest(before, client.query(COUNTS.format(**names)), seconds)
            texts = client.query(TEXTS.format(**names), {"keys": [row["key"] for row in chosen]})
            found["window"] = _window(client, server, chosen, texts, seconds, explain)
    except DatabaseError as error:
        return {"available": False, "reason": str(error)}
    return found


def busiest(before, after, seconds):
    """The statements that ran most often and those that took the most time between two counts, the latter first.

    A statement whose counts went down was forgotten by the server meanwhile, and counts from 0.
    """
    grown = []
    for key, (calls, milliseconds) in after.items():
        had_calls, had_milliseconds = before.get(key, (0, 0))
        if calls < had_calls:
            had_calls, had_milliseconds = 0, 0
        if calls > had_calls:
            spent = max(0.0, milliseconds - had_milliseconds)
            grown.append(
                {
                    "key": key,
                    "calls": calls - had_calls,
                    "calls_per_second": round((calls - had_calls) / seconds, 3),
                    "total_milliseconds": round(spent, 3),
                    "mean_milliseconds": round(spent / (calls - had_calls), 3),
                }
            )
    by_time = sorted(grown, key=lambda row: -row["total_milliseconds"])
    often = sorted(grown, key=lambda row: -row["calls"])[:WINDOW_LIMIT]
    return by_time[:WINDOW_LIMIT] + [row for row in often if row not in by_time[:WINDOW_LIMIT]]


def _window(client, server, chosen, texts, seconds, explain):
    rows = []
    for row in chosen:
        known = texts.get(row["key"], {"query": "", "mine": False})
        # Transaction control is in every request, and our own looking in none.
        if not _DATA.match(known["query"] or "") or _OURS.search(known["query"]):
            continue
        row = dict(row, query=redacted(known["query"], 300))
        if explain != "none" and len([one for one in rows if "plan" in one]) < PLAN_LIMIT:
            row["plan"] = _plan(client, server, known, explain)
            row["indexes"] = client.query(INDEXES, {"tables": tables_of(known["query"])})
        rows.append(row)
    return {"seconds": round(seconds, 3), "complete": bool(server["sees_all"]), "statements": rows}


def tables_of(query):
    """The names that a statement reads from or writes to, as far as its text tells. Pure."""
    names = (name.replace('"', "") if '"' in name else name.lower() for name in _TABLE.findall(query))
    return sorted(set(names))


def _plan(client, server, known, explain):
    """The plan of a statement, or why there is none."""
    command, why_not = explain_command(known, server, explain)
    if why_not:
        return {"available": False, "reason": why_not}
    try:
        lines, read_in_full = described(client.query(command)[0]["Plan"])
    except DatabaseError as error:
        not_allowed = "the observing role may not read its tables: grant it pg_read_all_data, or EXPLAIN it by hand"
        return {"available": False, "reason": not_allowed if error.kind == "not_allowed" else str(error)}
    except (LookupError, TypeError, AttributeError):
        return {"available": False, "reason": "the server's plan is not understood"}
    return {"available": True, "lines": lines, "read_in_full": read_in_full}


def explain_command(known, server, explain):
    """The EXPLAIN of a statement as ``(command, "")``, or ``("", why there is none)``. Pure.

    The client wrote the text of a statement. It is explained only where it is a single query, in a
    session that is read-only. Planning alone may run functions, so a superuser explains nobody else's. It is run
    (``analyze``) only where it needs no values and calls nothing but functions known to change nothing.
    """
    query = known["query"].strip().rstrip(";")
    if not _READS.match(query):
        return "", "only a SELECT is explained"
    if _UNSAFE.search(query) or len(query) > 20000:
        return "", "its text is too long, or holds a semicolon or a backslash: explain it by hand"
    if server["is_superuser"] and not known["mine"]:
        return "", "the observing role is a superuser, who explains only statements of its own: use one with pg_monitor"
    options = "VERBOSE, FORMAT JSON"
    if _PARAMETER.search(query):
        if server["version_num"] < 160000:
            return "", "it takes values, and only PostgreSQL 16 explains without them: EXPLAIN it by hand with some"
        return f"EXPLAIN (GENERIC_PLAN, {options}) {query}", ""
    if explain == "analyze" and all(_HARMLESS_CALL.fullmatch(name.lower()) for name in _CALL.findall(query)):
        options = f"ANALYZE, {options}"
    return f"EXPLAIN ({options}) {query}", ""


def described(plan):
    """A plan as lines, and the tables it reads in full. Pure."""
    lines, read_in_full, stack = [], set(), [(0, plan)]
    while stack:
        depth, node = stack.pop()
        text = "  " * depth + node["Node Type"]
        if "Relation Name" in node:
            name = f"{node.get('Schema', 'public')}.{node['Relation Name']}"
            text += f" on {name}"
            if node["Node Type"] == "Seq Scan":
                read_in_full.add(name)
        if "Index Name" in node:
            text += f" using {node['Index Name']}"
        text += f", {node.get('Plan Rows', 0):g} rows, cost {node.get('Total Cost', 0):g}"
        if "Actual Total Time" in node:
            text += f", took {node['Actual Total Time']:g} ms in {node.get('Actual Loops', 1):g} loops"
        for key in ("Filter", "Index Cond", "Hash Cond"):
            if key in node:
                text += f", {key.lower()} {redacted(node[key], 100)}"
        lines.append(text)
        stack += [(depth + 1, child) for child in reversed(node.get("Plans", []))]
    return lines[:_PLAN_LINES], sorted(read_in_full)

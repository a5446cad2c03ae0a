# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's queue of events, told as Inngest documents it: GraphQL counts, a run that is cancelled, an event that is sent.

It is the documented shape and not the product: the runs are the rows of the table ``events``, which the worker takes. DATABASE_URL,
DATABASE_PASSWORD_FILE and PORT are required; with SIGNING_KEY and EVENT_KEY it wants them, as the product does.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from .application import database_parameters
from .settings import number, shape, start_log
from .web import Handler, Refused, Route, Server, as_shaped, metrics

STATUSES = {
    "QUEUED": "pending",
    "RUNNING": "running",
    "FAILED": "failed",
    "COMPLETED": "done",
    "CANCELLED": "cancelled",
}
TIMES = {"QUEUED_AT": "created_at", "STARTED_AT": "began_at", "ENDED_AT": "ended_at"}
ASKED = re.compile(
    r"(\w+): runs\(first: (\d+), orderBy: \[\{field: (\w+), direction: (ASC|DESC)\}\], filter: \$(\w+)\)"
)


class Engine:
    """What it is reached with."""

    metrics_off: Path | None = None

    def __init__(self) -> None:
        self.database = database_parameters("inngest")
        self.signing_key = os.environ.get("SIGNING_KEY", "")
        self.event_key = os.environ.get("EVENT_KEY", "")

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(**self.database, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def allow(self, request: Handler) -> None:
        """Refuse a request without the signing key, where there is one."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.signing_key and given != self.signing_key:
            raise Refused(401, {"error": "Authentication failed"})


def health(engine: Engine, request: Handler) -> Any:
    # Of the process alone, as the product's.
    return {"status": 200, "message": "OK"}


def functions(engine: Engine, request: Handler) -> Any:
    kinds = engine.rows("SELECT kind, count(*) AS runs FROM events GROUP BY kind ORDER BY kind")
    return [{"slug": f"app-{one['kind']}", "name": one["kind"], "runs": one["runs"]} for one in kinds]


def graphql(engine: Engine, request: Handler) -> Any:
    """The runs that each part of a query asks for, under its own name."""
    asked = json.loads(request.body())
    if "apps {" in asked.get("query", ""):
        return {"data": {"apps": _apps(engine)}}
    parts = ASKED.findall(asked.get("query", ""))
    if not parts:
        return {"errors": [{"message": "Cannot query field"}], "data": None}
    variables = asked.get("variables") or {}
    return {
        "data": {
            name: _runs(engine, int(first), TIMES[field], direction, variables[given])
            for name, first, field, direction, given in parts
        }
    }


def _apps(engine: Engine) -> list[dict[str, Any]]:
    """The one application, and a function for each kind of event that it is registered for or that there was."""
    seen = engine.rows("SELECT DISTINCT kind FROM events")
    kinds = sorted({*shape().get("events", {}).values(), *(one["kind"] for one in seen)})
    told = [{"slug": f"app-{kind}", "name": kind} for kind in kinds]
    return [{"id": "1", "externalID": "app", "name": "app", "url": None, "connected": True, "error": None,
             "functionCount": len(told), "functions": told}]  # fmt: skip


def _runs(engine: Engine, first: int, order: str, direction: str, wanted: dict[str, Any]) -> dict[str, Any]:
    statuses = [STATUSES[status] for status in wanted["status"] if status in STATUSES]
    where = f"status = ANY(%s) AND {TIMES[wanted['timeField']]} >= %s"
    values = (statuses, wanted["from"])
    (total,) = engine.rows(f"SELECT count(*) AS runs FROM events WHERE {where}", *values)
    rows = engine.rows(f"SELECT * FROM events WHERE {where} ORDER BY {order} {direction} LIMIT {first:d}", *values)
    return {"totalCount": total["runs"], "edges": [{"node": _node(row)} for row in rows]}


def _node(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "queuedAt": _at(row["created_at"]),
        "startedAt": _at(row["began_at"]),
        "endedAt": _at(row["ended_at"]),
        "function": {"name": row["kind"], "slug": f"app-{row['kind']}"},
    }


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def cancel(engine: Engine, request: Handler) -> Any:
    engine.allow(request)
    if not request.last.isdecimal() or not engine.rows("SELECT 1 FROM events WHERE id = %s", int(request.last)):
        raise Refused(404, {"error": "no such run", "data": None, "status": 404})
    statement = (
        "UPDATE events SET status = 'cancelled', ended_at = now() WHERE id = %s AND status IN ('pending', 'running')"
    )
    engine.rows(statement, int(request.last))
    return {"data": None, "status": 200}


def send(engine: Engine, request: Handler) -> Any:
    """Take an event: what it is called is the system's own word for a kind of the lab's."""
    if engine.event_key and request.last != engine.event_key:
        raise Refused(401, {"error": "Event key not found", "status": 401})
    event = json.loads(request.body())
    kind = shape().get("events", {}).get(event.get("name"), event.get("name"))
    ids: list[str | None] = [one for one in str(event.get("data", {}).get("ids", "")).split(",") if one.isdecimal()]
    rows = engine.rows(
        "INSERT INTO events (kind, proposal) SELECT %s, unnest(%s::bigint[]) RETURNING id", kind, ids or [None]
    )
    return {"ids": [str(row["id"]) for row in rows], "status": 200}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/health"): health,
    ("GET", "/metrics"): metrics,
    ("GET", "/functions"): functions,
    ("POST", "/v0/gql"): graphql,
    ("DELETE", "/v1/runs/*"): cancel,
    ("POST", "/e/*"): send,
}


def main() -> None:
    start_log()
    Server(Engine(), as_shaped("inngest", ROUTES), number("PORT")).serve_forever()


if __name__ == "__main__":
    main()

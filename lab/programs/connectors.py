# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors that bring data of others, of systems that have such: the worker starts them, and the API tells of them.

What they have come to is in the table ``connector_sync_state``. Their provider is asked for something; what it brings is nobody's.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from .settings import shape
from .sync_table import note, trouble_of_provider
from .web import Handler, Refused, Route

if TYPE_CHECKING:
    import psycopg

    from .application import Api

ALL = "SELECT connector, status, last_success_at, retry_count, last_error FROM connector_sync_state ORDER BY connector"
FAILURES = "SELECT connector, last_error AS error FROM connector_sync_state WHERE status = 'failed' ORDER BY connector"


class Schedule:
    """Starts those connectors that there were when the worker started, each at its time."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._names = [row[0] for row in connection.execute("SELECT connector FROM connector_sync_state")]
        self._every = float(shape()["connectors"]["every_seconds"])
        self._next = 0.0

    def run_due(self, connection: psycopg.Connection[Any]) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        for name in self._names:
            self._run(connection, name)

    @staticmethod
    def _run(connection: psycopg.Connection[Any], name: str) -> None:
        if shape()["connectors"].get("records"):
            from . import sync_engine

            sync_engine.run(connection, name)
        else:
            note(connection, name, trouble_of_provider())


def _allow(request: Handler) -> None:
    session = os.environ.get("SESSION", "")
    if session and f"sid={session}" not in request.headers.get("Cookie", ""):
        raise Refused(401, "no session")


def sync_state(api: Api, request: Handler) -> Any:
    _allow(request)
    return {"connectors": api.rows(ALL)}


def errors(api: Api, request: Handler) -> Any:
    _allow(request)
    return {"errors": api.rows(FAILURES)}


def sync(api: Api, request: Handler) -> Any:
    """One connector now, through the circuit breaker as every call to its provider."""
    _allow(request)
    name = request.path.split("/")[-2]
    _sync(api, name)
    return {"connector": name, "status": "success"}


def sync_all(api: Api, request: Handler) -> Any:
    _allow(request)
    names = [row["connector"] for row in api.rows(ALL)]
    for name in names:
        _sync(api, name)
    return {"connectors": names}


def _sync(api: Api, name: str) -> None:
    trouble = ""
    try:
        api.ask_provider("/rates")
    except OSError as error:
        trouble = str(error)
    with api.pool.connection() as connection:
        if not note(connection, name, trouble):
            raise Refused(404, "no such connector")
    if trouble:
        raise Refused(502, trouble)


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/connectors"): sync_state,
    ("GET", "/connectors/errors"): errors,
    ("POST", "/connectors/*/sync"): sync,
    ("POST", "/connectors/sync"): sync_all,
}

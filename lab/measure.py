# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the lab from outside: the API's answers and gauges, the database's sessions."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .database import connect
from .layout import LabError, Layout

SESSIONS = """
SELECT pid, application_name, coalesce(state, '') AS state, coalesce(query, '') AS query,
       coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::float8 AS state_seconds,
       coalesce(extract(epoch FROM clock_timestamp() - query_start), 0)::float8 AS query_seconds,
       wait_event_type = 'Lock' AS waits_for_lock
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Session:
    pid: int
    application: str
    state: str
    query: str
    state_seconds: float
    query_seconds: float
    waits_for_lock: bool


@dataclass(frozen=True)
class Measured:
    """The pool's gauges and the database's client sessions at one moment."""

    pool: dict[str, int]
    sessions: list[Session] = field(default_factory=list)
    # The application_name of the API.
    api: str = "lab-api"

    def of(self, application: str, state: str, query: str = "") -> list[Session]:
        return [
            session
            for session in self.sessions
            if session.application.startswith(application) and session.state == state and query in session.query
        ]

    def blocked(self, seconds: float) -> int:
        # A session that waits for nothing has no kind of wait: NULL, not false.
        return sum(bool(session.waits_for_lock and session.query_seconds >= seconds) for session in self.sessions)

    def __str__(self) -> str:
        states: dict[str, int] = {}
        for session in self.sessions:
            name = "app-NN" if session.application.startswith("app-") else session.application
            key = f"{name} {session.state}"
            states[key] = states.get(key, 0) + 1
        pool = ", ".join(f"{name} {value}" for name, value in self.pool.items())
        sessions = ", ".join(f"{key} {states[key]}" for key in sorted(states))
        return f"pool: {pool}" + (f"; sessions: {sessions}" if sessions else "")


def ask(port: int, path: str, method: str = "GET", seconds: float = 3) -> tuple[int, str]:
    """Status and body of one request to a port on loopback; status 0 and the reason when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()


def request(layout: Layout, path: str, method: str = "GET", seconds: float = 3) -> tuple[int, str]:
    """The same of a request to the API."""
    return ask(layout.ports["api"], path, method, seconds)


def pool(layout: Layout) -> dict[str, int]:
    """The API's ``app_db_pool_*`` gauges without that prefix; LabError when it does not tell them."""
    status, body = request(layout, layout.shape.metrics_path, seconds=30)
    found = {}
    for line in body.splitlines() if status == 200 else ():
        if line.startswith("app_db_pool_"):
            name, value = line.removeprefix("app_db_pool_").split()
            found[name] = int(float(value))
    if "waiting" not in found:
        raise LabError(f"the API on port {layout.ports['api']} does not tell its pool: {status or body}")
    return found


def measure(layout: Layout, sessions: bool = True) -> Measured:
    """What the conditions of the faults look at."""
    numbers = pool(layout)
    if not sessions:
        return Measured(numbers)
    with connect(layout) as connection:
        seen = [Session(*row) for row in connection.execute(SESSIONS)]
    return Measured(numbers, seen, layout.shape.application)


def listens(port: int) -> bool:
    """Whether anybody takes connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def states_of(infos: dict[str, dict[str, Any]], names: tuple[str, ...]) -> dict[str, str]:
    return {name: infos[name]["statename"] if name in infos else "UNKNOWN" for name in names}


class GaveUp(LabError):
    """Waiting longer does not help."""


def wait(condition: Callable[[], tuple[bool, str]], seconds: float) -> str:
    """Ask until the condition holds; "" when it does, else what was seen last."""
    end = time.monotonic() + seconds
    while True:
        try:
            holds, seen = condition()
        except GaveUp:
            raise
        except LabError as error:
            holds, seen = False, str(error)
        if holds:
            return ""
        if time.monotonic() > end:
            return seen or "no change"
        time.sleep(0.1)

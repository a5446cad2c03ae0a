# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest of all limits on a real server, and a pool that is not in the database at all."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from postgres_servers import Server, Sessions, server, until

from ansible_collections.oncall.runbooks.tests.support import tables

SYSTEM = {
    "system_services": {"api": {"manager": "command", "commands": {"restart": ["x"], "set_environment": ["y"]}}},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {"db_pool_waiting": "w", "db_pool_in_use": "u", "db_pool_max": "m", "responses": "r"},
    "system_database": {"name": "shop", "user": "oncall"},
    "db_pool_applications": ["api"],
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture
def sessions(postgres: Server) -> Iterator[Sessions]:
    with contextlib.ExitStack() as stack:
        yield Sessions(postgres, stack)
    until(lambda: not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE usename = 'app'"))


@contextlib.contextmanager
def limited(postgres: Server, what: str, limit: int) -> Iterator[None]:
    postgres.execute(f"ALTER {what} CONNECTION LIMIT {limit}")
    try:
        yield
    finally:
        postgres.execute(f"ALTER {what} CONNECTION LIMIT -1", dbname="postgres")


def pool(in_use: float, size: float, waiting: float) -> dict[str, Any]:
    return {
        "available": True, "value": {"waiting": waiting, "in_use": in_use, "max": size}, "metric": {"max": {"series": 1}},
    }  # fmt: skip


def judged(runbook: str, seen: dict[str, Any], **more: Any) -> dict[str, Any]:
    unseen = {"available": False, "reason": "no log", "services": {}}
    result = tables.diagnose(runbook, {"postgres_activity": seen, "service": unseen, **more}, **SYSTEM)
    # Nothing that these runbooks change would give room below such a limit.
    assert tables.steps_that_act(result) == [], result["plan"]
    return result


def test_the_limit_of_the_database_keeps_everybody_out(postgres, sessions):
    for _ in range(3):
        sessions.open("api")
    with limited(postgres, "DATABASE shop", 3):
        seen = postgres.look()
        assert (seen["available"], seen["error"]) == (False, "database_limit")
        for runbook, cause in (("db_pool", "connections_refused"), ("db_down", "database_limit")):
            result = judged(runbook, seen, metrics=pool(3, 8, 5))
            assert tables.causes_that_are(result, "problem") == [cause], result["msg"]
            assert 'too many connections for database "shop"' in result["msg"], result["msg"]
            assert "pg_use_reserved_connections" not in str(result)


def test_the_limit_of_the_role_keeps_the_application_out(postgres, sessions):
    for _ in range(3):
        sessions.open("api", "SELECT 1")
    with limited(postgres, "ROLE app", 3):
        seen = postgres.look()
        (limit,) = [one for one in seen["connections"]["limits"] if one["what"] == "role"]
        assert (limit["role"], limit["limit"], limit["free"]) == ("app", 3, 0)
        result = judged("db_pool", seen, metrics=pool(3, 8, 5))
        assert result["status"] == "problem" and "role app has all of its 3" in result["msg"], result["msg"]
        result = judged("db_down", seen, metrics=pool(3, 8, 5))
        assert "role app has all of its 3" in str(result["findings"]), result["findings"]


def test_a_pool_that_hangs_on_its_way_is_not_raised(postgres):
    # What stands between accepts and never answers: 8 of 8 in use, 14 wait, and the database has none of them.
    seen = postgres.look()
    result = judged("db_pool", seen, metrics=pool(8, 8, 14))
    assert tables.causes_that_are(result, "problem") == ["way_hangs"], result["msg"]


def test_what_stands_between_accepts_and_never_answers(postgres):
    # Where this look goes the same way as the application, nothing is known of the database, and nothing is done.
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        reached = {**postgres.reach(), "port": silent.getsockname()[1]}
        seen = postgres.look(database=reached, timeout_seconds=1.0)
    assert (seen["available"], seen["error"]) == (False, "timeout")
    for runbook in ("db_pool", "db_down"):
        result = judged(runbook, seen, metrics=pool(8, 8, 14))
        assert result["status"] in ("unknown", "problem"), (runbook, result["msg"])
        assert "does not answer in time" in str(result), runbook


def test_handlers_that_hold_connections_while_a_partner_takes_long_are_no_leak(postgres, sessions):
    # Without a transaction, as with autocommit.
    for _ in range(8):
        sessions.open("api", "SELECT 1")
    seen = postgres.look(unused_seconds=0)
    result = judged("db_pool", seen, metrics=pool(8, 8, 14))
    assert tables.causes_that_are(result, "problem") == ["held_without_work"], result["msg"]


def test_there_is_room_and_nobody_waits(postgres, sessions):
    sessions.open("api")
    result = judged("db_pool", postgres.look(), metrics=pool(1, 8, 0))
    assert (result["status"], tables.causes_that_are(result, "problem")) == ("healthy", []), result["msg"]

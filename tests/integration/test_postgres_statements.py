# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of statements and rights of roles on real servers, as they are found: what is said where they are not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from postgres_servers import Server, Sessions, server, until

from ansible_collections.oncall.runbooks.tests.support import tables

PRELOAD = "shared_preload_libraries = 'pg_stat_statements'"
SYSTEM = {
    "system_services": {"api": {"manager": "command", "commands": {"restart": ["x"], "set_environment": ["y"]}}},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {
        "db_pool_waiting": "w", "db_pool_in_use": "u", "db_pool_max": "m", "http_request_duration": "d",
    },
    "system_database": {"name": "shop"},
    "db_pool_idle_in_transaction_seconds": 0,
    "db_pool_blocked_seconds": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    with server() as running:
        running.execute("CREATE TABLE orders (n int)", user="app")
        running.execute("CREATE ROLE owner SUPERUSER LOGIN", dbname="postgres")
        yield running


@pytest.fixture(scope="module")
def preloaded() -> Iterator[Server]:
    with server(PRELOAD) as running:
        yield running


@pytest.fixture
def sessions(plain: Server) -> Iterator[Sessions]:
    with contextlib.ExitStack() as stack:
        yield Sessions(plain, stack)


def slow(seen: dict[str, Any]) -> dict[str, Any]:
    """What latency concludes where every route is slow."""
    value = {
        "p50": {"/orders": 2.0}, "p95": {"/orders": 2.0}, "p99": {"/orders": 2.0}, "p95_of_all": 2.0,
        "buckets": {"1.0": 10.0, "5.0": 100.0, "+Inf": 100.0}, "requests": {"/orders": 100.0}, "requests_per_second": 20.0,
        "requests_ever": 100000.0, "pool_waiting": 0, "provider_requests": {}, "query_execution_duration": 0.01,
    }  # fmt: skip
    metrics = {"available": True, "value": value, "metric": {"requests": {"available": True, "seconds": 5.0}}}
    unseen = {"available": False, "reason": "a status command tells no processor time", "services": {}}
    return tables.diagnose("latency", {"metrics": metrics, "postgres_activity": seen, "service": unseen}, **SYSTEM)


def pressed(seen: dict[str, Any]) -> dict[str, Any]:
    """What db_pool concludes where the pool is used up."""
    pool = {"available": True, "value": {"waiting": 9, "in_use": 8, "max": 8}, "metric": {"max": {"series": 1}}}
    return tables.diagnose("db_pool", {"metrics": pool, "postgres_activity": seen}, **SYSTEM)


def test_what_to_run_where_there_are_no_statistics(plain, preloaded):
    seen = plain.look()
    assert seen["available"] and seen["complete"] and not seen["statements"]["available"]
    create = "CREATE EXTENSION pg_stat_statements in shop"
    assert create in seen["statements"]["reason"] and PRELOAD in seen["statements"]["reason"]
    result = slow(seen)
    # The reason and what to run come first, in one line without an object of Python.
    assert create in result["msg"] and "object" not in result["msg"] and "\n" not in result["msg"]
    assert not result["plan"]["steps"]
    # Where the library is loaded, no restart is asked for.
    reason = preloaded.look()["statements"]["reason"]
    assert create in reason and "shared_preload" not in reason


def test_what_to_set_where_it_is_not_loaded(plain):
    plain.execute("CREATE EXTENSION pg_stat_statements")
    try:
        reason = plain.look()["statements"]["reason"]
        assert (
            reason.startswith("pg_stat_statements is not in shared_preload_libraries")
            and "CREATE EXTENSION" not in reason
        )
        assert reason in slow(plain.look())["msg"]
    finally:
        plain.execute("DROP EXTENSION pg_stat_statements")


@pytest.mark.covers("SY-4-3")
@pytest.mark.parametrize("schema", ["public", "tools"])
def test_they_are_found_wherever_the_extension_is(preloaded, schema):
    preloaded.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    preloaded.execute(f"GRANT USAGE ON SCHEMA {schema} TO oncall")
    preloaded.execute(f"CREATE EXTENSION pg_stat_statements SCHEMA {schema}")
    try:
        preloaded.execute("SELECT count(*) FROM pg_class, generate_series(1, 1000)", user="app")
        seen = preloaded.look()
        assert seen["statements"]["available"], seen["statements"]
        assert any("generate_series" in row["query"] for row in seen["statements"]["slowest"])
    finally:
        preloaded.execute("DROP EXTENSION pg_stat_statements")


def test_who_may_not_see_them_is_told_the_right_that_is_missing(preloaded):
    preloaded.execute("CREATE EXTENSION pg_stat_statements")
    try:
        preloaded.execute("SELECT count(*) FROM pg_proc, generate_series(1, 100)")
        seen = preloaded.look("app", window_seconds=0.2)
        # It looks like a server where nobody else runs anything, and is not taken for one.
        assert not any("pg_proc" in row["query"] for row in seen["statements"]["slowest"])
        assert not seen["statements"]["window"]["complete"]
        assert (
            "what other roles run is hidden from app in pg_stat_statements too: grant it pg_monitor" in seen["limits"]
        )
        result = slow(seen)
        assert {"n_plus_one", "slow_statement"} <= set(tables.causes_that_are(result, "unknown")), result["findings"]
        assert "hidden from app in pg_stat_statements" in result["msg"], result["msg"]
        seen = preloaded.look(window_seconds=0.2)
        assert seen["statements"]["window"]["complete"] and seen["limits"] == []
    finally:
        preloaded.execute("DROP EXTENSION pg_stat_statements")


def test_why_nothing_is_done_about_an_application_that_is_a_superuser(plain, sessions):
    # As the role POSTGRES_USER of the official image is.
    pids = [sessions.open("api", "BEGIN", "SELECT 1", user="owner").info.backend_pid for _ in range(3)]
    until(lambda: plain.execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")[0][0] == 3)
    result = pressed(plain.look(idle_in_transaction_seconds=0))
    (step,) = [step for step in result["plan"]["steps"] if step["cause"] == "idle_in_transaction"]
    assert (step["available"], step["targets"]) == (False, [])
    assert "its role owner is a superuser" in step["why_not"] and "ALTER ROLE owner NOSUPERUSER" in step["why_not"]
    assert any(f"pg_cancel_backend({pid})" in step["why_not"] for pid in pids) and "\n" not in step["why_not"]


def test_why_nothing_is_done_by_a_role_that_may_not(plain, sessions):
    sessions.open("api", "BEGIN", "SELECT 1")
    until(lambda: plain.execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")[0][0] == 1)
    plain.execute("CREATE ROLE looker LOGIN")
    plain.execute("GRANT pg_monitor TO looker")
    (step,) = [
        step
        for step in pressed(plain.look("looker", idle_in_transaction_seconds=0))["plan"]["steps"]
        if step["cause"] == "idle_in_transaction"
    ]
    assert (step["available"], step["targets"]) == (False, [])
    assert "may not end sessions of app: GRANT pg_signal_backend" in step["why_not"]
    # Nobody has to be told so who may.
    (step,) = [
        step
        for step in pressed(plain.look(idle_in_transaction_seconds=0))["plan"]["steps"]
        if step["cause"] == "idle_in_transaction"
    ]
    assert step["available"] and len(step["targets"]) == 1


@pytest.mark.covers("LP-3-7", "JO-2-4")
def test_slow_statements_and_tables_without_an_index_are_told_with_what_holds_the_pool(preloaded):
    preloaded.execute("CREATE EXTENSION pg_stat_statements")
    preloaded.execute(
        "CREATE TABLE contacts AS SELECT n, md5(n::text) AS mail FROM generate_series(1, 20000) n", user="app"
    )
    try:
        for _ in range(60):
            preloaded.execute("SELECT count(*) FROM contacts WHERE mail = 'x'", user="app")
        preloaded.execute("SELECT pg_sleep(0.3), count(*) FROM contacts", user="app")
        preloaded.execute("ANALYZE contacts", user="app")
        with contextlib.ExitStack() as stack:
            sessions = Sessions(preloaded, stack)
            pids = [sessions.send("api", "SELECT pg_sleep(60)", waits="") for _ in range(8)]
            # A session tells of its reads when it ends.
            seen = until(
                lambda: next(
                    (found for found in [preloaded.look(long_query_seconds=0)] if found["tables_without_index_use"]),
                    None,
                )
            )
            result = pressed(seen)
            preloaded.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'api'")
        assert tables.causes_that_are(result, "problem") == ["long_queries"], result["findings"]
        (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
        assert {one["pid"] for one in finding["evidence"]} == set(pids)
        advice = str(finding["advice"])
        assert "table public.contacts (20000 rows) was read in full" in advice and "an index may be missing" in advice
        assert "ms over 1 calls: SELECT pg_sleep($1), count(*) FROM contacts" in advice
        shown = result["evidence"]
        assert [one["table"] for one in shown["tables_without_index_use"]] == ["contacts"]
        means = [one["mean_milliseconds"] for one in shown["slow_statements"]["slowest"]]
        assert len(means) <= 10 and means == sorted(means, reverse=True)
        assert {"query", "calls", "mean_milliseconds", "max_milliseconds"} <= set(
            shown["slow_statements"]["slowest"][0]
        )
    finally:
        preloaded.execute("DROP TABLE contacts", user="app")
        preloaded.execute("DROP EXTENSION pg_stat_statements")

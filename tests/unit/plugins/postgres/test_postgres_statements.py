# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements over a window, and what may be explained of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.statements import (
    busiest,
    described,
    explain_command,
    tables_of,
)


def test_what_ran_between_two_counts():
    before = {"a": [100, 50.0], "idle": [7, 7.0], "forgotten": [500, 900.0]}
    after = {"a": [110, 80.0], "idle": [7, 7.0], "new": [5, 100.0], "forgotten": [2, 4.0]}
    assert busiest(before, after, 2.0) == [
        {"key": "new", "calls": 5, "calls_per_second": 2.5, "total_milliseconds": 100.0, "mean_milliseconds": 20.0},
        {"key": "a", "calls": 10, "calls_per_second": 5.0, "total_milliseconds": 30.0, "mean_milliseconds": 3.0},
        {"key": "forgotten", "calls": 2, "calls_per_second": 1.0, "total_milliseconds": 4.0, "mean_milliseconds": 2.0},
    ]


def test_those_that_run_often_are_kept_beside_those_that_take_long():
    after = {f"slow{number}": [1, 1000.0 + number] for number in range(20)} | {"often": [900, 1.0]}
    keys = [row["key"] for row in busiest({}, after, 1.0)]
    assert keys[:10] == [f"slow{number}" for number in range(19, 9, -1)]
    assert "often" in keys[10:]
    assert len(keys) == len(set(keys)) <= 20


PG15, PG16 = 150000, 160000
SQL = "SELECT count(*) FROM orders"
EXPLAINED = [
    (SQL, PG15, "plan", f"EXPLAIN (VERBOSE, FORMAT JSON) {SQL}"),
    (f"{SQL};", PG15, "plan", f"EXPLAIN (VERBOSE, FORMAT JSON) {SQL}"),
    (f"/* a */ {SQL}", PG15, "plan", f"EXPLAIN (VERBOSE, FORMAT JSON) /* a */ {SQL}"),
    ("WITH a AS (SELECT 1) TABLE a", PG15, "plan", "EXPLAIN (VERBOSE, FORMAT JSON) WITH a AS (SELECT 1) TABLE a"),
    ("SELECT $1", PG16, "plan", "EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) SELECT $1"),
    # Only what takes no values and calls nothing unknown is ever run.
    (SQL, PG15, "analyze", f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {SQL}"),
    ("SELECT $1", PG16, "analyze", "EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) SELECT $1"),
    *(
        (f"SELECT {call} FROM orders", PG16, "analyze", f"EXPLAIN (VERBOSE, FORMAT JSON) SELECT {call} FROM orders")
        for call in ("pg_terminate_backend(pid)", "nextval ('s')", "public.count(x)", '"Count"(x)', "dblink(a, b)")
    ),
]


@pytest.mark.parametrize(("query", "version", "explain", "command"), EXPLAINED)
def test_a_query_is_explained(query, version, explain, command):
    server = {"is_superuser": False, "version_num": version}
    assert explain_command({"query": query, "mine": False}, server, explain) == (command, "")


NOT_EXPLAINED = [
    ("UPDATE orders SET status = 'x'", "only a SELECT is explained"),
    ("TRUNCATE orders", "only a SELECT is explained"),
    ("selection()", "only a SELECT is explained"),
    ("", "only a SELECT is explained"),
    ("SELECT 1; DROP TABLE orders", "holds a semicolon or a backslash"),
    ("SELECT 1\n\\! touch /tmp/x", "holds a semicolon or a backslash"),
    ("SELECT '{parameters}'", "holds a semicolon or a backslash"),
    ("SELECT 1 -- " + "x" * 20000, "too long"),
    ("SELECT * FROM orders WHERE id = $1", "it takes values, and only PostgreSQL 16"),
]


@pytest.mark.parametrize(("query", "reason"), NOT_EXPLAINED)
def test_what_could_be_more_than_a_query_is_not_explained(query, reason):
    server = {"is_superuser": False, "version_num": PG15}
    command, why_not = explain_command({"query": query, "mine": True}, server, "analyze")
    assert command == ""
    assert reason in why_not


def test_a_superuser_explains_nobody_elses():
    server = {"is_superuser": True, "version_num": PG15}
    assert explain_command({"query": SQL, "mine": True}, server, "plan")[0]
    assert "is a superuser" in explain_command({"query": SQL, "mine": False}, server, "plan")[1]


def test_a_plan_becomes_lines_and_the_tables_read_in_full():
    orders: dict[str, Any] = {
        "Node Type": "Seq Scan", "Schema": "public", "Relation Name": "orders", "Plan Rows": 6000, "Total Cost": 145.5,
        "Filter": "(status = 'secret'::text)", "Actual Total Time": 2.5, "Actual Loops": 1,
    }  # fmt: skip
    customers = {
        "Node Type": "Index Scan", "Schema": "public", "Relation Name": "customers", "Index Name": "customers_pkey",
        "Plan Rows": 1, "Total Cost": 0.3, "Index Cond": "(id = orders.customer_id)",
    }  # fmt: skip
    plan = {"Node Type": "Nested Loop", "Plan Rows": 6000, "Total Cost": 1500, "Plans": [orders, customers]}
    assert described(plan) == (
        [
            "Nested Loop, 6000 rows, cost 1500",
            "  Seq Scan on public.orders, 6000 rows, cost 145.5, took 2.5 ms in 1 loops, filter (status = '?'::text)",
            "  Index Scan on public.customers using customers_pkey, 1 rows, cost 0.3, index cond (id = orders.customer_id)",
        ],
        ["public.orders"],
    )


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT * FROM Orders o JOIN public.customers c ON true", ["orders", "public.customers"]),
        ('SELECT * FROM "Orders" LEFT JOIN only x ON true', ["Orders", "x"]),
        ("UPDATE a SET b = (SELECT 1 FROM c)", ["a", "c"]),
        ("INSERT INTO a VALUES ($1)", ["a"]),
        ("SELECT extract(year FROM now())", ["now"]),
        ("SELECT 1", []),
    ],
)
def test_the_tables_of_a_statement(query, tables):
    assert tables_of(query) == tables

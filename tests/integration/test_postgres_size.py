# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a database and its largest tables on a real server, also while a session keeps others away from one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from modules import run_module
from postgres_servers import Server, Sessions, server

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.postgres_size import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.size import observe

PLANTED = "geheim-4711-kennwort"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server("log_min_duration_statement = 1234", f"primary_conninfo = 'host=db password={PLANTED}'") as running:
        for number in range(1, 13):
            running.execute(
                f"CREATE TABLE t{number} AS SELECT repeat('x', 500) AS x FROM generate_series(1, {number * 1000})"
            )
        running.execute("CREATE INDEX ON t12 (x)")
        running.execute('CREATE SCHEMA "Büro \' 1"')
        running.execute(
            'CREATE TABLE "Büro \' 1"."Ordner "" 2" AS SELECT repeat(\'y\', 800) FROM generate_series(1, 30000)'
        )
        running.execute("ANALYZE")
        yield running


@pytest.fixture
def sessions(postgres: Server) -> Iterator[Sessions]:
    with contextlib.ExitStack() as stack:
        yield Sessions(postgres, stack)


def look(postgres: Server, **changes: Any) -> dict[str, Any]:
    defaults = {name: dict(option).get("default") for name, option in SPEC.items()}
    return observe({**defaults, "database": postgres.reach(), **changes})


def test_the_ten_largest_tables(postgres):
    seen = look(postgres)
    assert (seen["available"], seen["complete"], seen["limits"]) == (True, True, [])
    names = [one["name"] for one in seen["tables"]]
    assert names[:2] == ['Ordner " 2', "t12"]
    assert len(names) == 10
    assert [one["bytes"] for one in seen["tables"]] == sorted((one["bytes"] for one in seen["tables"]), reverse=True)
    ((whole,),) = postgres.execute("SELECT pg_database_size('shop')")
    assert abs(seen["bytes"] - whole) < 1024 * 1024
    ((exact,),) = postgres.execute("SELECT pg_total_relation_size('t12')")
    (t12,) = (one for one in seen["tables"] if one["name"] == "t12")
    assert (t12["bytes"], t12["is_estimate"], t12["rows_estimate"]) == (exact, False, 12000)
    assert 0 < t12["index_bytes"] < exact
    assert look(postgres, tables=2)["tables"] == seen["tables"][:2]


def test_changed_settings_without_a_password(postgres):
    settings = {one["name"]: one for one in look(postgres, database=postgres.reach("postgres"))["settings"]}
    assert (settings["log_min_duration_statement"]["value"], settings["log_min_duration_statement"]["unit"]) == (
        "1234",
        "ms",
    )
    assert settings["primary_conninfo"]["value"].startswith("host=db password=***")
    assert "work_mem" not in settings, "it is the default"
    assert PLANTED not in str(settings)


def test_a_table_that_an_alter_table_keeps_away_is_estimated_and_nothing_waits(postgres, sessions):
    ((exact,),) = postgres.execute("SELECT pg_total_relation_size('t12')")
    sessions.open("migration", "BEGIN", "LOCK TABLE t12 IN ACCESS EXCLUSIVE MODE", user="postgres")
    seen = look(postgres, timeout_seconds=20.0)
    (t12,) = (one for one in seen["tables"] if one["name"] == "t12")
    assert t12["is_estimate"]
    assert 0.5 * float(exact) < t12["bytes"] < 2 * float(exact)
    assert (seen["complete"], len(seen["limits"])) == (False, 1)
    assert "public.t12" in seen["limits"][0]


def test_an_index_that_is_rebuilt_leaves_estimates_of_all(postgres, sessions):
    # Its own lock is on the index, and the size of the table asks for that as well.
    ((index,),) = postgres.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 't12'::regclass")
    sessions.open(
        "rebuild", "BEGIN", f"ALTER INDEX {index} SET (fillfactor = 90)", f"REINDEX INDEX {index}", user="postgres"
    )
    seen = look(postgres, timeout_seconds=20.0)
    assert seen["available"] and not seen["complete"]
    assert seen["tables"][0]["name"] == 'Ordner " 2'
    assert "t12" in [one["name"] for one in seen["tables"]]
    assert "estimate" in seen["limits"][0]


def test_a_server_that_does_not_answer_is_no_failure(postgres, tmp_path):
    code, result = run_module("postgres_size_info", tmp_path, database={"host": "127.0.0.1", "port": 1, "name": "shop"})
    assert (code, result["available"], result["error"]) == (0, False, "refused")
    code, result = run_module("postgres_size_info", tmp_path, database=postgres.reach(), tables=0)
    assert (code, result["msg"]) == (1, "tables must be 1 or more")

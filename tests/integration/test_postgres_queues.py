"""Queues for locks on a real server that nobody here configured: who is seen, and who is to be cancelled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from postgres_servers import Server, Sessions, burn_transaction_ids, server
from waiting import until

from ansible_collections.oncall.runbooks.tests.support import tables

SLOW_VACUUM = "vacuum_cost_delay = 100"
SYSTEM = {
    "system_services": {"api": {"manager": "command", "commands": {"restart": ["x"], "set_environment": ["y"]}}},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {"db_pool_waiting": "w", "db_pool_in_use": "u", "db_pool_max": "m"},
    "system_database": {"name": "shop"},
    "db_pool_blocked_seconds": 0,
}
# One whose blocker ends before it may come to its end, and the server is that of all tests here.
ALTER = "ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text"
READ = "SELECT count(*) FROM orders"
WRITE = "UPDATE orders SET pad = 'y' WHERE n = 1"


def orders(running: Server) -> None:
    running.execute(
        # An ordinary autovacuum would come first where this takes a moment; that against wraparound comes in any case.
        "CREATE TABLE orders (n int, pad text)"
        " WITH (autovacuum_enabled = false, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)",
        user="app",
    )
    running.execute("INSERT INTO orders SELECT n, repeat('x', 400) FROM generate_series(1, 20000) n", user="app")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server("max_prepared_transactions = 5") as running:
        orders(running)
        yield running


@pytest.fixture
def sessions(postgres: Server) -> Iterator[Sessions]:
    with contextlib.ExitStack() as stack:
        yield Sessions(postgres, stack)
        # At once: what waited must not begin, and a server goes on with what runs though its client has gone.
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> 'test'")
        until(lambda: not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE usename = 'app'"))


def readers(sessions: Sessions, number: int = 5, statement: str = READ) -> None:
    for _ in range(number):
        sessions.send("api", statement)


def judged(seen: dict[str, Any], **variables: Any) -> dict[str, Any]:
    pool = {"available": True, "value": {"waiting": 0, "in_use": 5, "max": 8}, "metric": {"max": {"series": 1}}}
    return tables.diagnose("db_pool", {"metrics": pool, "postgres_activity": seen}, **{**SYSTEM, **variables})


def test_anti_wraparound_autovacuum_an_alter_and_everybody_behind_it():
    settings = ("autovacuum_freeze_max_age = 100000", "autovacuum_naptime = 1")
    with server(*settings) as postgres, contextlib.ExitStack() as stack:
        orders(postgres)
        burn_transaction_ids(postgres)
        found = until(
            lambda: postgres.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query LIKE '%orders (to prevent%'"
            )
        )
        sessions = Sessions(postgres, stack)
        alter = sessions.send("migrate", ALTER)
        readers(sessions)
        seen = postgres.look()
        assert seen["complete"] and [one["pid"] for one in seen["blockers"]] == [found[0][0]]
        (queue,) = seen["lock_chains"]
        assert (queue["kind"], queue["blocks"], queue["cancel"]["pid"], queue["frees"]) == ("wraparound", 6, alter, 5)
        assert "loses nothing" in queue["costs"] and "must not be cancelled" in queue["head_costs"]
        result = judged(seen)
        assert tables.causes_that_are(result, "problem") == ["blocker"]
        (step,) = result["plan"]["steps"]
        assert step["available"] and [target["pid"] for target in step["targets"]] == [alter]
        assert "migrate of app: ALTER TABLE orders" in result["msg"] and "to prevent wraparound" in result["msg"]
        # A role without pg_monitor sees that something holds it, and nothing of what it is.
        assert not postgres.look("app")["complete"]


def test_a_persons_vacuum_a_migration_and_everybody_behind_it(postgres, sessions):
    vacuum = sessions.send(
        "psql",
        "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) orders",
        "SET vacuum_cost_delay = 100",
        "SET vacuum_cost_limit = 1",
        waits="",
    )
    alter = sessions.send("migrate", ALTER, "BEGIN", "SELECT 1")
    readers(sessions)
    (queue,) = postgres.look()["lock_chains"]
    assert (queue["head"], queue["kind"], queue["cancel"]["pid"]) == (vacuum, "maintenance", alter)
    assert "loses nothing" in queue["costs"] and queue["frees_all"]
    assert queue["chain"][1].startswith(f"process {alter} (migrate of app: ALTER") and "orders" in queue["chain"][1]


def test_an_alter_that_has_done_something_before_is_told_with_what_it_costs(postgres, sessions):
    sessions.send("psql", "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) orders", "SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1",
                  waits="")  # fmt: skip
    alter = sessions.send("migrate", ALTER, "BEGIN", "CREATE TABLE fresh (n int)")
    readers(sessions)
    (queue,) = postgres.look()["lock_chains"]
    assert queue["cancel"]["pid"] == alter and "rolled back" in queue["costs"]


def test_an_idle_transaction_before_an_alter(postgres, sessions):
    sessions.open("api", "BEGIN", READ)
    alter = sessions.send("migrate", ALTER)
    readers(sessions)
    (queue,) = postgres.look()["lock_chains"]
    assert (queue["kind"], queue["cancel"]["pid"], queue["frees"]) == ("idle_transaction", alter, 5)


def test_who_holds_the_lock_itself_is_the_one_to_cancel(postgres, sessions):
    holder = sessions.open("migrate", "BEGIN", ALTER).info.backend_pid
    sessions.send("other", "ALTER TABLE orders ADD COLUMN IF NOT EXISTS more text")
    readers(sessions)
    (queue,) = postgres.look()["lock_chains"]
    # The second ALTER waits as well, and without it the same would wait.
    assert (queue["head"], queue["cancel"]["pid"], queue["frees"]) == (holder, holder, 6)
    (step,) = judged(postgres.look())["plan"]["steps"]
    assert [target["pid"] for target in step["targets"]] == [holder] and "query_start" not in step["targets"][0]


def test_writers_of_one_row_wait_for_who_wrote_it_and_not_for_each_other(postgres, sessions):
    holder = sessions.open("api", "BEGIN", WRITE).info.backend_pid
    for _ in range(5):
        sessions.send("api", WRITE)
    (queue,) = postgres.look()["lock_chains"]
    assert (queue["head"], queue["cancel"]["pid"], queue["frees"]) == (holder, holder, 5)


def test_a_prepared_transaction_an_alter_and_everybody_behind_it(postgres, sessions):
    sessions.open("transfer", "BEGIN", WRITE, "PREPARE TRANSACTION 'order-17'")
    try:
        alter = sessions.send("migrate", ALTER)
        readers(sessions)
        (queue,) = postgres.look()["lock_chains"]
        assert (queue["head"], queue["kind"], queue["cancel"]["pid"]) == (0, "prepared", alter)
        assert "order-17" in queue["chain"][0]
    finally:
        postgres.execute("ROLLBACK PREPARED 'order-17'")


def test_an_advisory_lock(postgres, sessions):
    holder = sessions.open("worker", "SELECT pg_advisory_lock(7)").info.backend_pid
    for _ in range(4):
        sessions.send("worker", "SELECT pg_advisory_lock(7)")
    (queue,) = postgres.look()["lock_chains"]
    assert (queue["head"], queue["blocks"], queue["cancel"]["pid"]) == (holder, 4, holder)


def test_the_holder_is_a_superuser(postgres, sessions):
    holder = sessions.open("psql", "BEGIN", "LOCK TABLE orders", user="postgres").info.backend_pid
    readers(sessions)
    result = judged(postgres.look())
    (step,) = result["plan"]["steps"]
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert not step["available"]
    assert "superuser" in str(finding["advice"]) and f"pg_cancel_backend({holder})" in str(finding["advice"])


def test_nobody_waits(postgres, sessions):
    sessions.open("api", "BEGIN", READ)
    seen = postgres.look()
    assert (seen["lock_chains"], seen["blockers"], seen["complete"]) == ([], [], True)

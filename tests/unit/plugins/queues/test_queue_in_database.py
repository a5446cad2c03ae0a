# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What queue_info tells of jobs in a real PostgreSQL, as pg-boss and Graphile Worker wrote them."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.captured_queues import look, restore_database
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def databases(server):
    """A function: name of a capture -> how its database is reached."""
    restored = {}

    def reach(capture):
        if capture not in restored:
            restored[capture] = restore_database(server, capture, capture)
            schema = capture.split("_1")[0].split("_9")[0]
            for statement in (
                f"GRANT USAGE ON SCHEMA {schema} TO oncall",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO oncall",
            ):
                server.execute(statement, dbname=capture)
        return restored[capture]

    return reach


@pytest.fixture(params=["pgboss_9", "pgboss_10", "pgboss_12"])
def pgboss(request, databases):
    """A function: options of the queue -> what is told."""
    reach = databases(request.param)
    return lambda **options: look({"engine": "pgboss", "database": reach, "limit_seconds": 60.0, **options})


def test_pgboss_jobs_that_wait_and_that_failed(pgboss):
    found = pgboss(queue="email")
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["delayed"], found["running"], found["dead"], found["dead_lately"]) == (3, 1, 0, 3, 3)
    assert 100 < found["oldest_ready_age_seconds"] < 500
    assert found["errors"] == [{"text": "550 no mailbox for <address>", "count": 3, "names": ["email"]}]
    assert found["by_name"] == [{"name": "email", "count": 3}]
    # Four came to an end and eight came, in ten minutes.
    assert (found["throughput_per_second"], found["arrivals_per_second"]) == (
        pytest.approx(4 / 600, abs=1e-4),
        pytest.approx(8 / 600, abs=1e-4),
    )
    assert "paused" not in found, "it has no such thing"


def test_pgboss_jobs_that_run_for_too_long(pgboss):
    found = pgboss(queue="slow")
    assert (found["running"], found["running_over_limit_count"], found["abandoned"], found["ready"]) == (2, 2, 1, 0)
    assert [(one["name"], 100 < one["age_seconds"] < 500) for one in found["running_over_limit"]] == [
        ("slow", True)
    ] * 2
    assert len({one["id"] for one in found["running_over_limit"]}) == 2
    assert "oldest_ready_age_seconds" not in found, "nothing waits, so nothing has an age"
    assert pgboss(queue="slow", limit_seconds=3600.0)["running_over_limit"] == []


def test_pgboss_all_queues_of_a_schema(pgboss):
    found = pgboss()
    assert (found["ready"], found["running"], found["dead"]) == (3, 2, 3), "its own queues do not count"


@pytest.mark.parametrize("name", ["'; DROP TABLE x; --", "../x", "emai", ""])
def test_pgboss_no_such_queue(pgboss, name):
    found = pgboss(queue=name)
    # The oldest version has no list of queues, but an empty name is none either.
    assert (found["available"], found["error"]) == ((True, "") if name == "" else (False, "no_queue"))


def test_pgboss_workers_only_where_they_register(server, databases):
    told = {"engine": "pgboss", "queue": "empty"}
    assert "workers" not in look({**told, "database": databases("pgboss_10")})
    reach = databases("pgboss_12")
    assert look({**told, "database": reach})["workers"] == 0, "their last heartbeat is minutes ago"
    server.execute("UPDATE pgboss.instance SET heartbeat_on = now() WHERE workers <> '[]'", dbname="pgboss_12")
    assert look({**told, "database": reach})["workers"] == 2
    assert look({**told, "database": reach, "queue": "slow"})["workers"] == 0
    server.execute("UPDATE pgboss.instance SET started_on = heartbeat_on", dbname="pgboss_12")
    assert "workers" not in look({**told, "database": reach}), "it has not told yet what it works at"


def test_graphile_worker(databases):
    queue = {"engine": "graphile_worker", "database": databases("graphile_worker"), "limit_seconds": 60.0}
    found = look(queue)
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["delayed"], found["running"], found["dead"], found["dead_lately"]) == (4, 1, 1, 3, 3)
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [("5", "hang")]
    assert found["by_name"] == [{"name": "fine2", "count": 3}, {"name": "retrying", "count": 1}]
    assert found["errors"] == [{"text": "550 no mailbox for <address>", "count": 3, "names": ["welcome"]}]
    assert (found["workers"], found["abandoned"]) == (0, 0)
    assert "throughput_per_second" not in found, "what is done is removed: only two looks tell"
    assert look({**queue, "task": "retrying"})["ready"] == 1
    assert look({**queue, "queue": "q2"})["ready"] == 3
    assert look(queue, lately_seconds=10.0)["dead_lately"] == 0


def test_graphile_worker_that_listens(server, databases):
    reach = databases("graphile_worker")
    with server.connect("worker", user="app", dbname="graphile_worker") as session:
        session.execute('LISTEN "jobs:insert"; LISTEN "worker:migrate"')
        assert look({"engine": "graphile_worker", "database": reach})["workers"] == 1
        blind = {**reach, "user": "blind"}
        for statement in ("CREATE ROLE blind LOGIN", "GRANT USAGE ON SCHEMA graphile_worker TO blind"):
            server.execute(statement, dbname="graphile_worker")
        server.execute("GRANT SELECT ON graphile_worker.jobs TO blind", dbname="graphile_worker")
        found = look({"engine": "graphile_worker", "database": blind})
    assert (found["ready"], "workers" in found) == (4, False), (
        "who may not see sessions does not see that there are none"
    )


def test_graphile_worker_in_a_window(server, databases):
    queue = {"engine": "graphile_worker", "database": databases("graphile_worker")}
    found = look(queue, window_seconds=0.3)
    assert (found["ready_growth_per_second"], found["throughput_per_second"], found["arrivals_per_second"]) == (0, 0, 0)
    assert "throughput_per_second" not in look({**queue, "task": "hang"}, window_seconds=0.1)


def test_what_the_role_may_not_see(server, databases):
    reach = databases("pgboss_10")
    stranger = look({"engine": "pgboss", "queue": "email", "database": {**reach, "user": "stranger"}})
    assert not stranger["available"]
    server.execute("CREATE ROLE stranger LOGIN", dbname="postgres")
    found = look({"engine": "pgboss", "queue": "email", "database": {**reach, "user": "stranger"}})
    assert (found["available"], found["error"]) == (False, "not_allowed")
    columns = "id, name, state, start_after, started_on, completed_on, created_on, expire_in"
    for statement in (
        "GRANT USAGE ON SCHEMA pgboss TO stranger",
        f"GRANT SELECT ({columns}) ON pgboss.job TO stranger",
        "GRANT SELECT ON pgboss.queue TO stranger",
    ):
        server.execute(statement, dbname="pgboss_10")
    found = look({"engine": "pgboss", "queue": "email", "database": {**reach, "user": "stranger"}})
    assert (found["available"], found["ready"], found["dead"], found["complete"]) == (True, 3, 3, False)
    assert "errors" not in found
    assert found["limits"][0].startswith("errors are not known: ")


def test_no_such_schema(databases):
    for engine in ("pgboss", "graphile_worker"):
        found = look({"engine": engine, "schema": "other", "database": databases("pgboss_10")})
        assert (found["available"], found["error"]) == (False, "no_queue")


def test_a_schema_that_is_none():
    with pytest.raises(ValueError, match="schema must be letters"):
        look({"engine": "pgboss", "schema": "x; DROP TABLE x", "database": {"name": "x"}})

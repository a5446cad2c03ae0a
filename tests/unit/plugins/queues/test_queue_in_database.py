# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What queue_info tells of jobs in a real PostgreSQL, as pg-boss and Graphile Worker wrote them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.client import Client
from ansible_collections.oncall.runbooks.plugins.module_utils.queues import in_database
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
    assert found["retrying"] == 0, "its time has come"
    assert look({**queue, "queue": "q2"})["ready"] == 3
    assert look(queue, lately_seconds=10.0)["dead_lately"] == 0


def test_graphile_worker_jobs_that_wait_to_be_tried_again(server, databases):
    queue = {"engine": "graphile_worker", "task": "retrying", "database": databases("graphile_worker")}
    move = """UPDATE graphile_worker._private_jobs SET attempts = 1, run_at = now() + interval '{}'
              WHERE task_id = (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'retrying')"""
    server.execute(move.format("1 hour"), dbname="graphile_worker")
    found = look(queue)
    assert (found["ready"], found["delayed"], found["retrying"]) == (0, found["retrying"], found["delayed"])
    assert found["retrying"] > 0
    server.execute(move.format("-1 minute"), dbname="graphile_worker")
    assert look(queue)["retrying"] == 0


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


@pytest.mark.parametrize(
    ("capture", "queue"), [("pgboss_10", {"queue": "email"}), ("graphile_worker", {"task": "fine2"})]
)
def test_there_is_no_time_to_count_it_all(databases, monkeypatch, capture, queue):
    """The first count runs into its time, as of a million jobs on a slow disk; one of some of them does not."""
    asked = Client.query

    def slow(self, statement, parameters=None):
        if "AS oldest" in statement and "LIMIT 2)" not in statement:
            statement = "SELECT pg_sleep(60)::text"
        return asked(self, statement, parameters)

    monkeypatch.setattr(Client, "query", slow)
    monkeypatch.setattr(in_database, "COUNTED", 2)
    engine = capture.split("_10")[0]
    found = look({"engine": engine, "database": databases(capture), **queue}, timeout_seconds=2.0)
    assert found["available"], found["reason"]
    assert (found["ready"], found["complete"]) == (2, False)
    assert found["limits"] == ["at least 2 jobs wait: there was no time to count more"]
    assert "oldest_ready_age_seconds" not in found
    assert 100 < found["oldest_ready_age_at_least_seconds"] < 500


@pytest.fixture(scope="module")
def table(server):
    """A function: options of the queue -> what is told of a table of events."""
    server.execute("CREATE DATABASE events OWNER app", dbname="postgres")
    for statement in (
        "CREATE TABLE events (id serial, kind text, status text, added timestamptz DEFAULT now(), began timestamptz, said text)",
        "INSERT INTO events (kind, status, added) SELECT 'sync%', 'pending', now() - interval '90 s' FROM generate_series(1, 4)",
        "INSERT INTO events (kind, status, began) VALUES ('mail', 'running', now() - interval '400 s'), ('mail', 'running', now())",
        "INSERT INTO events (kind, status, said) SELECT 'mail', 'dead', 'no user' || n || '@example.com' FROM generate_series(1, 3) n",
        "GRANT SELECT ON events TO oncall",
    ):
        server.execute(statement, dbname="events", user="app")
    reach = server.reach(name="events")

    def told(statements, timeout_seconds=30.0, window_seconds=0.0, **options):
        queue = {"engine": "table", "database": reach, "statements": statements, **options}
        return look(queue, timeout_seconds=timeout_seconds, window_seconds=window_seconds)

    return told


COUNTS = """
-- What waits; a ; or :x in a comment is none
SELECT count(*) FILTER (WHERE status = 'pending') AS ready, count(*) FILTER (WHERE status = 'running') AS running,
  count(*) FILTER (WHERE status = 'dead') AS dead, false AS paused, NULL AS delayed,
  extract(epoch FROM now() - min(added) FILTER (WHERE status = 'pending'))::float AS oldest_ready_age_seconds
FROM events WHERE kind LIKE :like OR kind = 'mail' AND said IS DISTINCT FROM ':x;%';
"""


def test_table(table):
    found = table(
        {
            "counts": COUNTS,
            "running": "SELECT id, kind AS name, extract(epoch FROM now() - began) AS age_seconds FROM events WHERE status = 'running'",
            "names": "SELECT kind AS name, count(*) AS count FROM events WHERE status = :status GROUP BY 1",
            "errors": "SELECT said AS text, kind AS name FROM events WHERE said IS NOT NULL",
        },
        parameters={"like": "sync%", "status": "pending"},
    )
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["running"], found["dead"], found["paused"]) == (4, 2, 3, False)
    assert 89 < found["oldest_ready_age_seconds"] < 200
    assert (
        len(found["running_over_limit"]),
        found["running_over_limit_count"],
        found["running_over_limit"][0]["name"],
    ) == (1, 1, "mail")
    assert (found["by_name"], found["by_name_of"]) == ([{"name": "sync%", "count": 4}], 4)
    assert found["errors"] == [{"text": "no <address>", "count": 3, "names": ["mail"]}]
    assert not {"delayed", "workers", "throughput_per_second"} & set(found), "what it does not tell is absent"


def test_a_table_is_looked_at_twice_where_there_is_time(table):
    counts = "SELECT (extract(epoch FROM clock_timestamp()) * 100)::bigint AS ready, 7 / :lately_seconds::float AS arrivals_per_second"
    found = table({"counts": counts}, window_seconds=0.5)
    assert found["ready_growth_per_second"] == pytest.approx(100, rel=0.2)
    assert "ready_growth_per_second" not in table({"counts": "SELECT 0.5 AS throughput_per_second"}, window_seconds=0.1)


@pytest.mark.parametrize(("ended", "done"), [("+ interval '0.8 s'", True), ("- interval '30 s'", False)])
def test_what_a_table_says_was_done_in_the_window_and_before_it(table, server, ended, done):
    counts = """SELECT 5 AS ready, 0 AS running, count(*) FILTER (WHERE began > now() - make_interval(secs => :lately_seconds::float))
      / :lately_seconds::float AS throughput_per_second FROM events"""
    server.execute(f"UPDATE events SET began = clock_timestamp() {ended}", dbname="events", user="app")
    found = table({"counts": counts}, window_seconds=1.0)
    assert found["throughput_per_second"] > 0, "of the last minute"
    assert found["done_in_window"] is done
    assert "done_in_window" not in table({"counts": "SELECT 5 AS ready"}, window_seconds=0.1)


def test_a_statement_that_counts_a_time_of_its_own_tells_nothing_of_the_window(table, server):
    """Workers that have hung since were at work within it."""
    server.execute("UPDATE events SET began = clock_timestamp() - interval '30 s'", dbname="events", user="app")
    done = "count(*) FILTER (WHERE began > now() - interval '5 min')"
    for rate in (f"{done} / 300.0", f"{done} / 60.0"):
        found = table({"counts": f"SELECT 5 AS ready, {rate} AS throughput_per_second FROM events"}, window_seconds=0.5)
        assert found["throughput_per_second"] > 0
        assert "done_in_window" not in found


@pytest.fixture
def in_container(server, tmp_path, monkeypatch):
    """A function: name of the database -> how it is reached by the real psql as if it were in a container."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nwhile [ "$1" != box ]; do shift; done\nshift\nexec "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lambda name: {**server.reach(name=name), "transport": "docker", "container": "box"}


def test_through_a_container(table, databases, in_container):
    databases("pgboss_12")
    found = look({"engine": "pgboss", "queue": "email", "database": in_container("pgboss_12")})
    assert (found["ready"], found["dead"], found["complete"]) == (3, 3, True)
    parameters = {"like": "sync%", "kind": "'; \\! touch x; :x"}
    statement = COUNTS.replace("'mail'", ":kind")
    found = table({"counts": statement}, parameters=parameters, database=in_container("events"))
    assert (found["ready"], found["running"], found["complete"]) == (4, 0, True)


@pytest.mark.parametrize("value", ["'; DROP TABLE events; --", "../x", ") OR true --", "%", None])
def test_table_a_value_is_never_a_part_of_the_statement(table, server, value):
    found = table({"counts": "SELECT count(*) AS ready FROM events WHERE kind = :kind"}, parameters={"kind": value})
    assert (found["ready"], found["complete"]) == (0, True)
    assert server.execute("SELECT count(*) FROM events", dbname="events") == [(9,)]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT 1 AS ready; DROP TABLE events", "may not hold ';'"),
        ("SELECT 1 AS ready \\! touch x", r"may not hold '\\\\'"),
        ("SELECT 1 AS ready WHERE 'open", 'may not hold "\'"'),
        ("SELECT :other AS ready", "nothing is given for its parameter :other"),
        ("SELECT {parameters} AS ready", "may not hold"),
    ],
)
def test_table_a_statement_is_one_query(table, statement, told):
    with pytest.raises(ValueError, match="queue it: statements.counts: .*" + told):
        table({"counts": statement})


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events RETURNING 1 AS ready",
        "SELECT nextval('events_id_seq') AS ready",
        "SELECT 1 AS ready) x, (SELECT 1",
    ],
)
def test_table_a_statement_that_writes(table, server, statement):
    found = table({"counts": statement}, database=server.reach(user="app", name="events"))
    assert not found["available"]
    assert server.execute("SELECT count(*) FROM events", dbname="events") == [(9,)]


def test_table_a_statement_that_hangs(table):
    queue = {"counts": "SELECT 3 AS ready", "names": "SELECT pg_sleep(60)::text AS name, 1 AS count"}
    found = table(queue, timeout_seconds=2.0)
    assert found["ready"] == 3
    assert found["limits"][0].startswith("names are not known: ")


@pytest.mark.parametrize(
    ("statement", "limits"),
    [
        ("SELECT 1 AS ready, 2 AS raedy", ["statements.counts has a column that cannot be read: raedy"]),
        ("SELECT 'many' AS ready", ["statements.counts has a column that cannot be read: ready"]),
        ("SELECT 'Infinity'::float8 AS ready", ["statements.counts has a column that cannot be read: ready"]),
        ("SELECT 'NaN'::numeric AS running", ["statements.counts has a column that cannot be read: running"]),
        # A local time without a zone that was taken for one in UTC.
        (
            "SELECT -600 AS oldest_ready_age_seconds",
            [
                "how long jobs wait is not known: some began to 600 s in the future, so the clocks of the application and of the store differ"
            ],
        ),
        ("SELECT 1 AS ready FROM generate_series(1, 3)", ["statements.counts gave 2 rows where it should give one"]),
        ("SELECT 1 AS ready WHERE false", ["statements.counts gave no rows where it should give one"]),
    ],
)
def test_table_columns_that_cannot_be_read(table, statement, limits):
    found = table({"counts": statement})
    assert (found["limits"], found["complete"]) == (limits, False)

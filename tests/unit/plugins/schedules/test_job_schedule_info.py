# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What job_schedule_info tells of jobs in a real PostgreSQL."""

from __future__ import annotations

import contextlib
import time

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.oncall.runbooks.plugins.module_utils.schedules.answer import NoMoment, moment
from ansible_collections.oncall.runbooks.plugins.module_utils.schedules.locks import key_of
from ansible_collections.oncall.runbooks.tests.support.observing import observed
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres

ROWS = """SELECT * FROM (VALUES
  ('digest', 600, NULL, now() - interval '5 min', now() - interval '4 min', NULL::timestamptz, true, 'web-1', now() - interval '2 s'),
  ('nightly', NULL, '30 2 * * *', now() - interval '1 day', NULL, now() - interval '1 day', false, NULL, NULL)
) AS t (name, period_seconds, schedule, last_started_at, last_succeeded_at, last_failed_at, enabled, owner, owner_seen_at)"""


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture
def look(server):
    """A function: options of the schedule -> what is told of it."""

    def told(jobs=ROWS, starts=None, reach=None, **options):
        given = {"engine": "table", "statements": {"jobs": jobs, **({"starts": starts} if starts else {})}, **options}
        found = observed(
            "job_schedule_info", schedules={"app": given}, database=reach or server.reach(), timeout_seconds=20
        )
        return found["schedules"].get("app", found) if found["available"] else found

    return told


def test_jobs_of_a_table(look):
    found = look(jobs=ROWS, time_zone="Europe/Berlin", grace_seconds=60)
    digest, nightly = found["jobs"]
    assert (found["available"], found["complete"], found["limits"], found["absent"]) == (True, True, [], [])
    assert (digest["name"], digest["interval_seconds"], digest["grace_seconds"]) == ("digest", 600, 60.0)
    ages = [digest[f"{what}_age_seconds"] for what in ("started", "succeeded", "owner")]
    assert ages == [pytest.approx(300, abs=5), pytest.approx(240, abs=5), pytest.approx(2, abs=5)]
    assert (nightly["enabled"], nightly["time_zone"], nightly["schedule"]) == (False, "Europe/Berlin", "30 2 * * *")
    # Every day, which has an hour more or less where the clock changes.
    assert nightly["interval_seconds"] in (23 * 3600, 24 * 3600, 25 * 3600)
    assert 60 <= nightly["due_since_seconds"] <= 25 * 3600 + 60
    assert "succeeded_age_seconds" not in nightly, "what is not known is absent"


def test_the_clocks_are_compared(look):
    found = look()
    assert abs(found["clock_ahead_seconds"]) <= found["clock_within_seconds"] + 0.1
    assert abs(found["now_seconds"] - time.time()) < 20


def test_starts_and_by_how_much_each_was_off(look, server):
    server.execute("DROP TABLE IF EXISTS runs; CREATE TABLE runs (name text, started_at timestamptz, host text)")
    server.execute("GRANT SELECT ON runs TO oncall")
    server.execute(
        "INSERT INTO runs SELECT 'nightly', date_trunc('day', now()) - make_interval(days => n, hours => -3, mins => -30), 'web-' || n "
        "FROM generate_series(1, 12) AS n"
    )
    found = look(starts="SELECT name, started_at, host AS owner FROM runs")
    digest, nightly = found["jobs"]
    # Of twelve starts the last ten, at 3:30 of UTC where they are due at 2:30.
    assert [start["owner"] for start in nightly["starts"]] == [f"web-{n}" for n in range(1, 11)]
    assert {start["offset_seconds"] for start in nightly["starts"]} == {3600.0}
    assert digest["starts"] == []


def test_who_holds_the_lock(look, server):
    assert look(lock=[4711])["holders"] == []
    with contextlib.closing(server.connect("scheduler", user="app")) as one, contextlib.closing(
        server.connect("other", user="app")
    ) as two:
        one.execute("SELECT pg_advisory_lock(4711)")
        two.execute("SELECT pg_advisory_lock(-3, 7)")
        pids = [session.info.backend_pid for session in (one, two)]
        (first,), (second,) = look(lock=[4711])["holders"], look(lock=[-3, 7])["holders"]
    assert [first["pid"], second["pid"]] == pids
    assert (first["application_name"], first["client"], second["application_name"]) == (
        "scheduler",
        "127.0.0.1",
        "other",
    )
    assert first["granted"] and first["age_seconds"] < 60


def test_who_holds_the_lock_where_the_role_may_not_see_that(look, server):
    server.execute("CREATE ROLE little LOGIN")
    with contextlib.closing(server.connect("scheduler", user="app")) as one:
        one.execute("SELECT pg_advisory_lock(4711)")
        pid = one.info.backend_pid
        found = look(lock=[4711], reach=server.reach(user="little"))
    assert found["holders"] == [{"pid": pid, "granted": True, "application_name": "scheduler"}]
    assert found["limits"] == [
        "since when the session that holds the lock is there is not known: grant pg_monitor to the role that asks"
    ]


@pytest.mark.parametrize("value", ["'; DROP TABLE kept; --", "../x", ":name", "%s", '"', "\\", "{parameters}", "$1"])
def test_a_value_is_never_a_part_of_the_statement(look, server, value):
    server.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    found = look(
        jobs="SELECT :what AS name, 60 AS period_seconds, now() AS last_started_at", parameters={"what": value}
    )
    assert [job["name"] for job in found["jobs"]] == [value]
    assert server.execute("SELECT count(*) FROM kept") == [(0,)]


@pytest.mark.parametrize(
    ("jobs", "limit"),
    [
        ("SELECT 'a' AS name, 60 AS period_seconds, now()::timestamp AS last_started_at", "last_started_at is a time without a zone"),
        ("SELECT 'a' AS name, 60 AS period_seconds, 'soon' AS last_started_at", "last_started_at is no time"),
        ("SELECT 'a' AS name, 60 AS period_seconds, 'infinity'::timestamptz AS last_started_at", "last_started_at is no time"),
        (
            "SELECT 'a' AS name, 60 AS period_seconds, extract(epoch FROM now()) * 1000 AS last_started_at",
            "last_started_at is no time: a number is in seconds since 1970",
        ),
        ("SELECT 'a' AS name, 'Infinity'::float8 AS period_seconds", "a column that cannot be read: period_seconds"),
        ("SELECT 'a' AS name, 60 AS period_seconds, 'Infinity'::float8 AS failures", "a column that cannot be read: failures"),
        ("SELECT 'a' AS name, 0 AS period_seconds", "a column that cannot be read: period_seconds"),
        ("SELECT 'a' AS name, 60 AS period_seconds, 'yes' AS enabled", "a column that cannot be read: enabled"),
        ("SELECT 'a' AS name, 60 AS period_seconds, 1 AS what", "a column that cannot be read: what"),
        ("SELECT NULL AS name", "a row without a name"),
        ("SELECT 'a' AS name", "when a is due is not known: it has neither a schedule nor a period_seconds"),
        ("SELECT 'a' AS name, '61 * * * *' AS schedule", "when a is due is not known: the minute of a cron expression is 0 to 59"),
        ("SELECT 'a' AS name, '0 0 30 2 *' AS schedule", "no day is ever due by '0 0 30 2 *'"),
        ("SELECT 'a' AS name, '@daily' AS schedule, 'Mars/Olympus' AS time_zone", "there is no time zone 'Mars/Olympus'"),
        ("SELECT 'a' AS name, '@daily' AS schedule, '../../etc/passwd' AS time_zone", "there is no time zone"),
        ("SELECT 'a' AS name, 60 AS period_seconds FROM generate_series(1, 2)", "several rows for a"),
        ("SELECT 'n' || n AS name, 60 AS period_seconds FROM generate_series(1, 501) AS n", "more than 500 jobs are there"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_limit(look, jobs, limit):
    found = look(jobs=jobs)
    assert not found["complete"]
    assert any(limit in line for line in found["limits"]), found["limits"]


def test_a_million_starts_cost_little(look):
    begun = time.monotonic()
    found = look(
        jobs="SELECT 'a' AS name, 60 AS period_seconds, now() AS last_started_at",
        starts="SELECT 'a' AS name, now() - make_interval(secs => n) AS started_at FROM generate_series(1, 1000000) AS n",
    )
    assert len(found["jobs"][0].get("starts", [])) == 10, found["limits"]
    assert time.monotonic() - begun < 10


def test_a_statement_that_writes_changes_nothing(look, server):
    server.execute("CREATE TABLE IF NOT EXISTS written (n int); GRANT ALL ON written TO oncall")
    found = look(jobs="INSERT INTO written VALUES (1) RETURNING 'a' AS name")
    assert found["available"] is False
    assert "read-only transaction" in found["reason"]
    assert server.execute("SELECT count(*) FROM written") == [(0,)]


def test_no_pg_cron(server):
    found = observed(
        "job_schedule_info", schedules={"db": {"engine": "pg_cron"}}, database=server.reach(), timeout_seconds=20
    )
    assert (found["available"], found["schedules"]) == (False, {})
    assert "has no table cron.job, so no pg_cron" in found["reason"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "schedule app must be a dict with at least the key engine"),
        ({"engine": "crontab"}, "schedule app: unknown engine crontab; known engines: pg_cron, table"),
        ({"engine": "table"}, "missing required arguments: statements"),
        ({"engine": "table", "statements": {"jobs": "SELECT 1; SELECT 2"}}, "statements.jobs: a statement is one query"),
        ({"engine": "table", "statements": {"jobs": "SELECT :who"}}, "nothing is given for its parameter :who"),
        ({"engine": "table", "statements": {"jobs": "SELECT 1"}, "parameters": {"a b": 1}}, "cannot have the name 'a b'"),
        ({"engine": "table", "statements": {"jobs": "SELECT 1"}, "lock": [1, 2, 3]}, "lock must be the key of an advisory lock"),
        ({"engine": "table", "statements": {"jobs": "SELECT 1"}, "lock": [2**63]}, "lock must be the key of an advisory lock"),
        ({"engine": "pg_cron", "grace_seconds": -1}, "grace_seconds must not be below 0"),
        ({"engine": "pg_cron", "colour": "red"}, "schedule app: colour. Supported parameters include: by_hand, database"),
        ({"engine": "pg_cron", "database": {"name": "a", "password": "s3cret", "port": "s3cret"}}, "schedule app:"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_used_is_told_in_one_line(given, told):
    with pytest.raises(AnsibleActionFail) as caught:
        observed("job_schedule_info", schedules={"app": given}, database={"name": "shop"}, timeout_seconds=5)
    said = str(caught.value)
    assert told in said
    assert "\n" not in said and "s3cret" not in said


def test_no_database(look):
    with pytest.raises(AnsibleActionFail, match="nothing says how its database is reached"):
        observed("job_schedule_info", schedules={"app": {"engine": "pg_cron"}})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10+00:00", 10.0),
        ("1970-01-01T00:00:10.25+00", 10.25),
        ("1970-01-01T02:00:00+02:00", 0.0),
        ("1969-12-31T18:30:00-05:30", 0.0),
        ("1970-01-01T00:00:00.123456Z", 0.123456),
        (12, 12.0),
    ],
)
def test_moments(text, seconds):
    assert moment(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "now", True, None, [], "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "-infinity"]
)
def test_no_moments(value):
    with pytest.raises(NoMoment):
        moment(value)


def test_keys_of_locks():
    assert key_of([-1]) == {"classid": str(2**32 - 1), "objid": str(2**32 - 1), "objsubid": "1"}
    assert key_of([2**32 + 5]) == {"classid": "1", "objid": "5", "objsubid": "1"}
    assert key_of([1, -1]) == {"classid": "1", "objid": str(2**32 - 1), "objsubid": "2"}

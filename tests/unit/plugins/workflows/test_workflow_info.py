# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workflow_info tells of records in a real PostgreSQL, whatever types their columns have."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.workflow import SPEC, needs_host
from ansible_collections.oncall.runbooks.plugins.module_utils.queues import in_database
from ansible_collections.oncall.runbooks.plugins.module_utils.workflows import look as look_module
from ansible_collections.oncall.runbooks.plugins.module_utils.workflows.look import observe
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, Sessions
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres

DEFAULTS: dict[str, Any] = {name: dict(option).get("default") for name, option in SPEC.items()}  # type: ignore[call-overload]
SCHEMA = """
CREATE TYPE state AS ENUM ('pending', 'validating', 'validated');
CREATE TABLE workspaces (id int PRIMARY KEY, settings jsonb);
INSERT INTO workspaces VALUES (1, '{"ai": {"auto": true}}'), (2, '{"ai": {"auto": false}}'), (3, '{}');
CREATE TABLE proposals (id bigserial PRIMARY KEY, workspace_id int, kind text, status state, at timestamptz, naive timestamp, epoch bigint, made timestamptz);
INSERT INTO proposals (workspace_id, status, at, naive, epoch, made)
  SELECT n % 3 + 1, s.name::state, t.at, t.at AT TIME ZONE 'UTC', extract(epoch FROM t.at) * 1000, t.at - interval '1 hour'
  FROM (VALUES ('pending', 3600, 30), ('validating', 10, 2), ('validated', 60, 40), ('validated', 7200, 28)) AS s (name, seconds, many),
  generate_series(1, s.many) AS n, LATERAL (SELECT now() - make_interval(secs => s.seconds) AS at) AS t;
CREATE SCHEMA "Other";
CREATE TABLE "Other"."Proposal" (uid uuid PRIMARY KEY DEFAULT gen_random_uuid(), "state" text, "createdAt" timestamptz);
INSERT INTO "Other"."Proposal" ("state", "createdAt") VALUES ('pending', now()), ('pending', NULL);
CREATE TABLE twice (id int, status text, at timestamptz);
INSERT INTO twice VALUES (1, 'pending', now()), (1, 'pending', now());
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO oncall;
GRANT USAGE ON SCHEMA "Other" TO oncall;
GRANT SELECT ON "Other"."Proposal" TO oncall
"""
PROPOSALS = {"table": "proposals", "since_column": "at", "created_column": "made", "waiting": ["pending", "validating"]}
SWITCHES = {
    "scope_column": "workspace_id",
    "switches": "SELECT id AS scope, settings#>>'{ai,auto}' AS value FROM workspaces WHERE id < :most_scopes::int",
    "parameters": {"most_scopes": 4},
    "switched_on": ["true"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres("timezone = 'Europe/Berlin'") as running:
        for statement in SCHEMA.split(";\n"):
            running.execute(statement, user="app")
        yield running


@pytest.fixture(scope="module")
def look(server):
    """A function: options of the workflow and of the observer -> what is told of it."""

    def told(workflow: dict[str, Any], **params: Any) -> dict[str, Any]:
        more = {"timeout_seconds": 30.0, "database": server.reach(), **params}
        found = observe({**DEFAULTS, "workflows": {"it": workflow}, **more})["workflows"]["it"]
        assert isinstance(found, dict)
        return found

    return told


def test_how_many_wait_and_for_how_long(look):
    found = look({**PROPOSALS, **SWITCHES}, most_stuck=25)
    assert (found["available"], found["limits"], found["is_part"]) == (True, [], False)
    assert (found["waiting"], found["stuck_count"], found["timeless"], found["left_lately"]) == (32, 30, 0, 40)
    assert 3600 < found["oldest_seconds"] < 3700
    # By the newest that came to be, which is not the one whose state is the newest.
    assert 3610 < found["newest_age_seconds"] < 3710
    assert {one["state"]: one["count"] for one in found["states"]} == {"pending": 30, "validating": 2, "validated": 68}
    assert (found["switches"], found["switched_off_count"], found["switched_off"]) == (3, 2, ["2", "3"])
    # Ten of each workspace; a setting that is not there is not on. Those that nothing holds come first.
    assert (found["stuck_off_count"], len(found["stuck"])) == (20, 25)
    assert [one["switched_off"] for one in found["stuck"]] == [False] * 10 + [True] * 15
    assert {one["scope"] for one in found["stuck"][:10]} == {"1"}
    assert "window_seconds" not in found and "record" not in found


@pytest.mark.parametrize(
    ("workflow", "ages"),
    [
        ({"since_column": "naive", "time_zone": "UTC"}, (3600, 3700)),
        ({"since_column": "epoch"}, (3600, 3700)),
    ],
)
def test_a_time_of_any_type(look, workflow, ages):
    found = look({**PROPOSALS, **workflow})
    assert ages[0] < found["oldest_seconds"] < ages[1]


def test_a_clock_that_is_ahead_makes_no_age(look):
    found = look({**PROPOSALS, "since_column": "naive", "time_zone": "America/New_York"})
    assert found["waiting"] == 32 and not {"oldest_seconds", "stuck_count", "stuck"} & set(found)
    assert "in the future" in found["limits"][0] and "time_zone" in found["limits"][0]


def test_a_time_of_which_nobody_says_the_zone_makes_no_age(server, look):
    """The database's own zone is another one, so that a record which has just come looks an hour or two old."""
    naive = {**PROPOSALS, "since_column": "naive"}
    found = look(naive)
    assert found["waiting"] == 32 and not {
        "oldest_seconds",
        "stuck_count",
        "stuck",
        "left_lately",
        "newest_age_seconds",
    } & set(found)
    assert "naive has no time zone" in found["limits"][0] and "give the workflow time_zone" in found["limits"][0]
    # Nobody waits, so that it is no matter.
    assert look({**naive, "waiting": ["nothing"], "status_column": "kind"})["stuck_count"] == 0
    # What has just changed shows that it is the database's.
    server.execute("INSERT INTO proposals (id, status, naive) VALUES (1001, 'validated', localtimestamp)")
    found = look(naive)
    server.execute("DELETE FROM proposals WHERE id = 1001")
    assert (found["stuck_count"], found["complete"]) == (32, True)


def test_a_record_that_waits_no_more_shows_that_a_clock_is_ahead(server, look):
    server.execute("INSERT INTO proposals (id, status, at) VALUES (1002, 'validated', now() + interval '1 hour')")
    found = look(PROPOSALS)
    server.execute("DELETE FROM proposals WHERE id = 1002")
    assert re.search(r"some began 3\d\d\d s in the future", found["limits"][0]) and "stuck_count" not in found


def test_names_with_capital_letters_and_a_record_without_a_time(look):
    found = look(
        {
            "table": "Other.Proposal",
            "id_column": "uid",
            "status_column": "state",
            "created_column": "createdAt",
            "waiting": ["pending"],
        }
    )
    assert (found["waiting"], found["timeless"], found["complete"]) == (2, 1, False)
    # Nothing tells when a record left.
    assert "left_lately" not in found


def test_two_looks(server, look, monkeypatch):
    late = "INSERT INTO proposals (id, workspace_id, status, at) VALUES (1000, 1, 'pending', now() - interval '1 day')"
    server.execute(late)

    def between(_seconds: float) -> None:
        server.execute("UPDATE proposals SET status = 'validated', at = now() WHERE id = 1000")

    # What happens between the two looks, and neither before the first nor after the second.
    monkeypatch.setattr(look_module, "time", SimpleNamespace(sleep=between, monotonic=time.monotonic))
    found = look({**PROPOSALS, **SWITCHES}, window_seconds=1.0)
    server.execute("DELETE FROM proposals WHERE id = 1000")
    assert (found["watched"], found["watched_left"], found["stuck_watched"], found["stuck_left"]) == (33, 1, 11, 1)
    monkeypatch.undo()
    again = look(PROPOSALS, window_seconds=0.2, watched=5)
    assert (again["watched"], again["watched_left"], again["stuck_watched"]) == (5, 0, 5)


def test_a_session_that_waits_for_a_lock(server, look):
    with contextlib.ExitStack() as stack:
        sessions = Sessions(server, stack)
        touch = "UPDATE proposals SET workspace_id = 1 WHERE id = 1"
        holder = sessions.open("holder", "BEGIN", touch)
        sessions.send("waits", touch)
        assert look(PROPOSALS)["lock_waits"] == 1
        # It has nothing to do with another table.
        assert look({"table": "twice", "since_column": "at", "waiting": ["pending"]})["lock_waits"] == 0
        holder.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("1", {"count": 1, "id": "1", "state": "pending"}),
        ("01", {"count": 1, "id": "1"}),
        ("9999", {"count": 0}),
        ("'; DROP TABLE twice; --", {"count": 0}),
    ],
)
def test_one_record(look, identity, told):
    found = look(PROPOSALS, record={"workflow": "it", "id": identity})["record"]
    assert told.items() <= found.items()
    assert ("reason" in found) == ("DROP" in identity)


def test_an_id_that_two_records_have(look):
    found = look({"table": "twice", "since_column": "at", "waiting": ["pending"]}, record={"workflow": "it", "id": "1"})
    assert found["record"] == {"count": 2}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"table": "Proposals"},
            "has no table Proposals that this role may look up; its schemas have public.proposals",
        ),
        ({"status_column": "state"}, "has no column state (status_column) in proposals, which has at, epoch, id, "),
        ({"since_column": "status"}, "has a column status (since_column) of the type state, which is no time"),
        ({"waiting": ["pendign"]}, 'invalid input value for enum state: "pendign"'),
        ({"time_zone": "Mars/Olympus", "since_column": "naive"}, 'time zone "Mars/Olympus" not recognized'),
    ],
)
def test_what_is_not_there_is_told(look, wrong, reason):
    found = look({**PROPOSALS, **wrong})
    assert not found["available"] and reason in found["reason"] and "PostgreSQL shop at 127.0.0.1" in found["reason"]


def test_switches_that_cannot_be_asked_hide_no_record(look):
    found = look(
        {
            **PROPOSALS,
            **SWITCHES,
            "switches": "SELECT id AS scope, colour AS value FROM workspaces WHERE id < :most_scopes::int",
        }
    )
    assert (found["stuck_count"], found["complete"]) == (30, False)
    assert "switches" not in found and "stuck_off_count" not in found
    assert (
        "switches are not known: PostgreSQL shop at 127.0.0.1" in found["limits"][0] and "colour" in found["limits"][0]
    )


def test_what_there_is_no_time_to_count_is_a_part(server, look, monkeypatch):
    monkeypatch.setattr(in_database, "COUNTED", 50)
    # Of each row it takes a moment to tell whether it is there.
    server.execute(
        "CREATE TABLE many AS SELECT n AS id, 'pending' AS status, now() - interval '1 hour' AS at FROM generate_series(1, 100000) AS n"
    )
    server.execute("CREATE VIEW slowly AS SELECT * FROM many WHERE pg_sleep(0.0001) IS NOT NULL")
    server.execute("GRANT SELECT ON slowly, many TO oncall")
    found = look({"table": "slowly", "since_column": "at", "waiting": ["pending"]}, timeout_seconds=6.0)
    assert (found["is_part"], found["waiting_at_least"], found["stuck_count"]) == (True, 50, 50), found
    assert not {"waiting", "states", "left_lately"} & set(found) and not found["complete"]
    assert "at least 50 records wait: there was no time to count more" in found["limits"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"table": "proposals; DROP TABLE x"}, "workflow it: table must be letters, digits and underscores"),
        ({"table": "a.b.c"}, "workflow it: table must be a name, or schema.name"),
        ({"status_column": 'status" --'}, "workflow it: status_column must be letters"),
        ({"waiting": []}, "workflow it: waiting names no state"),
        ({"since_column": None, "created_column": None}, "nothing tells how old a record is"),
        ({"limit_seconds": 0}, "limit_seconds must be above 0"),
        ({"switches": "SELECT 1"}, "switches needs scope_column, and switched_on"),
        ({**SWITCHES, "switches": "SELECT 1; DROP TABLE x"}, "switches: a statement is one query"),
        ({**SWITCHES, "parameters": {"record": 1}}, "a parameter cannot have the name 'record'"),
        ({**SWITCHES, "parameters": {}}, "nothing is given for its parameter :most_scopes"),
        ({"request": ["app", "emit"]}, "request has no {ids}"),
        ({"approve": {"to": "validated", "from": ["pending"], "command": ["app"]}}, "approve.command has no {id}"),
        ({"approve": {"to": "pending", "from": ["pending"]}}, "approve.to is one of approve.from"),
        ({"approve": {"to": "validated"}}, "missing required arguments: from"),
        ({"tabel": "x"}, "workflow it: tabel. Supported parameters include: "),
        ({"database": {"name": 1, "password": "s3cret", "colour": "s3cret"}}, "workflow it: database.colour. Supported"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told_before_anything_is_asked(wrong, said):
    with pytest.raises(ValueError, match=r"^workflow it: ") as error:
        observe({**DEFAULTS, "workflows": {"it": {**PROPOSALS, **wrong}}, "database": {"name": "nowhere"}})
    assert said in str(error.value) and "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"workflows": {"it": "proposals"}}, "workflow it must be a dict"),
        ({"database": None}, "nothing says how its database is reached"),
        ({"record": {"workflow": "other", "id": "1"}}, "record.workflow is 'other', which is none of workflows: it"),
        ({"timeout_seconds": 0}, "must be above 0"),
        ({"window_seconds": -1}, "window_seconds must not be below 0"),
    ],
)
def test_parameters_that_cannot_be_used(params, said):
    with pytest.raises(ValueError, match=said):
        observe({**DEFAULTS, "workflows": {"it": PROPOSALS}, "database": {"name": "nowhere"}, **params})


def test_a_database_that_does_not_answer_hides_no_other(server):
    workflows = {"here": PROPOSALS, "gone": {**PROPOSALS, "database": server.reach(port=1)}}
    found = observe({**DEFAULTS, "workflows": workflows, "database": server.reach()})
    assert (found["available"], found["complete"], found["workflows"]["here"]["waiting"]) == (True, False, 32)
    assert found["workflows"]["gone"]["error"] == "refused" and "workflow gone is not seen: " in found["limits"][0]
    nothing = observe({**DEFAULTS, "workflows": {}, "database": None})
    assert (nothing["available"], nothing["reason"]) == (
        False,
        "no workflow to observe: add one to system_workflows, or name one that is there",
    )


@pytest.mark.parametrize(
    ("params", "needed"),
    [
        ({"workflows": {"it": {"table": "x"}}}, False),
        ({"workflows": {"it": {"database": {"transport": "docker"}}}}, True),
        ({"workflows": {"it": "x"}, "database": {"transport": "docker"}}, True),
    ],
)
def test_a_database_in_a_container_is_asked_on_its_host(params, needed):
    assert needs_host(params) is needed

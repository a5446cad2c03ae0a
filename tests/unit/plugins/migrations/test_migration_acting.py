# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``migration_action`` refuses, and what its commands run with; what an inventory may say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.act import (
    _output,
    objection_to_migrate,
    objection_to_unlock,
    reason_of,
    variables,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.backup import known
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.look import with_environment
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.sessions import state
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.spec import described
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.tools import TOOLS

ROOT = Path(__file__).parents[4]
SESSION = {
    "pid": 7,
    "user": "app",
    "application_name": "report",
    "client": "local",
    "seconds": 40.0,
    "does": "ALTER TABLE",
    "waits": False,
}
OURS = {**SESSION, "does": "holds the lock under which oncall.runbooks migrates"}
BEFORE: dict[str, Any] = {
    "complete": True, "limits": [], "in_recovery": False, "disagrees": "", "is_new": False, "failed": [], "unknown": [], "drifted": [],
    "out_of_order": [], "refusal": "", "heads": [], "pending": ["b"], "lock": None, "working": [OURS], "busy": [], "invalid_indexes": [], "long_transactions": [],
}  # fmt: skip
PARAMS: dict[str, Any] = {
    "migration": {}, "pending": ["b"], "accept_invalid_indexes": [], "without_backup": "a test", "backup": None,
    "lock_timeout_seconds": 5.0, "statement_timeout_seconds": 900.0,
}  # fmt: skip


def test_nothing_is_in_the_way():
    assert objection_to_migrate(BEFORE, PARAMS) == ""


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (
            {"complete": False, "limits": ["3 sessions are hidden"]},
            "not everything could be seen: 3 sessions are hidden",
        ),
        ({"in_recovery": True}, "standby"),
        ({"disagrees": "the tool is at a, and the table at b"}, "another database"),
        ({"is_new": True}, "no migration was ever applied there"),
        ({"failed": [{"name": "x", "error": ""}]}, "x ended in the midst"),
        ({"unknown": ["x"]}, "x is applied and not in the image"),
        ({"drifted": ["x"]}, "x was changed after it was applied"),
        ({"out_of_order": ["x"]}, "x is older than what is applied"),
        ({"refusal": "no"}, "the tool refuses: no"),
        ({"heads": ["x", "y"]}, "several heads: x, y"),
        ({"lock": {"locked": True, "by": ""}}, "a lock row was left behind"),
        ({"working": [OURS, SESSION]}, "process 7 (report of app) ALTER TABLE"),
        ({"invalid_indexes": [{"name": "public.i", "table": "t"}]}, "the index public.i is invalid"),
        ({"long_transactions": [SESSION]}, "has been in a transaction for 40 s"),
        ({"long_transactions": [{**SESSION, "pid": None}]}, "the prepared transaction (report of app)"),
        ({"pending": ["b", "c"]}, "other migrations are pending by now (b, c), and not those of the plan (b)"),
        ({"pending": []}, "other migrations are pending by now (none)"),
    ],
)
def test_what_is_in_the_way(seen, says):
    assert says in objection_to_migrate({**BEFORE, **seen}, PARAMS)


SAID = """\
INFO  [alembic.runtime.migration] Running upgrade 0001 -> 0002
Traceback (most recent call last):
  File "/app/x.py", line 1, in <module>
psycopg.errors.LockNotAvailable: canceling statement due to lock timeout

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/x.py", line 1, in <module>
sqlalchemy.exc.OperationalError: (psycopg.errors.LockNotAvailable) canceling statement due to lock timeout
[SQL: UPDATE users SET password = 'hunter2secret']
(Background on this error at: https://errors.example.com/e3q8)
"""


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [
        ("", SAID, "canceling statement due to lock timeout"),
        ("Migrations: Running\n", "error: column exists\nhint: none\n", "error: column exists"),
        ("all went well\n", "", "all went well"),
        ("", "", "it printed nothing"),
    ],
)
def test_the_reason_of_a_failure_is_no_hint_and_no_statement(stdout, stderr, reason):
    found = reason_of({"stdout": stdout, "stderr": stderr})
    assert reason in found
    assert "hunter2secret" not in found


def test_what_is_kept_of_the_output_has_no_statement_and_no_row():
    detail = "DETAIL:  Key (email)=(someone@example.com) is duplicated.\n"
    found = _output({"stdout": "Applying 0002\n", "stderr": SAID + detail})
    assert found[0] == "Applying 0002"
    assert "(Background on this error at: https://errors.example.com/e3q8)" in found
    assert [line for line in found if "SQL" in line or "someone" in line] == []
    assert len(_output({"stdout": "x\n" * 100, "stderr": ""})) == 20


def test_what_may_be_there():
    invalid = {**BEFORE, "invalid_indexes": [{"name": "public.i", "table": "t"}]}
    assert objection_to_migrate(invalid, {**PARAMS, "accept_invalid_indexes": ["public.i"]}) == ""
    assert objection_to_migrate({**BEFORE, "heads": ["x", "y"]}, {**PARAMS, "migration": {"migrate": ["up"]}}) == ""


def test_a_path_that_is_none():
    assert known("/var/lib/\x00", 60.0)["is_recent"] is False


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"lock": {"locked": True, "by": ""}}, ""),
        ({"lock": {"locked": False, "by": ""}}, "there is no lock row any more"),
        ({"lock": {"locked": True, "by": ""}, "working": [SESSION]}, "process 7"),
        (
            {"lock": {"locked": True, "by": ""}, "limits": ["3 sessions of others are hidden"]},
            "who migrates is not known",
        ),
        ({"lock": {"locked": True, "by": ""}, "in_recovery": True}, "standby"),
        ({"lock": {"locked": True, "by": ""}, "busy": [SESSION]}, "may be the one"),
    ],
)
def test_when_a_lock_row_may_go(seen, says):
    found = objection_to_unlock({**BEFORE, **seen})
    assert says in found
    assert bool(found) == bool(says)


def entry(**given: Any) -> dict[str, Any]:
    return described("shop", {"tool": "alembic", **given}, {"name": "shop"})


def test_limits_are_set_where_the_command_runs(monkeypatch):
    monkeypatch.delenv("PGOPTIONS", raising=False)
    inside = entry(run=["docker", "exec", "api"], pgoptions="-c search_path=tenant")
    found = variables(inside, PARAMS)
    assert found[0] == "PGOPTIONS=-c search_path=tenant -c lock_timeout=5000 -c statement_timeout=900000"
    assert with_environment(inside["run"], found, inside["migrate"]) == [
        "docker",
        "exec",
        "api",
        "env",
        *found,
        "alembic",
        "upgrade",
        "head",
    ]
    assert with_environment(["x"], [], ["y"]) == ["x", "y"]
    # Here it is what this process has.
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1MB")
    assert variables(entry(), PARAMS)[0].startswith("PGOPTIONS=-c work_mem=1MB -c lock_timeout=5000")
    assert variables(inside, PARAMS) == found
    assert variables(entry(timeouts_in_command=True), PARAMS) == []
    assert variables(entry(tool="prisma"), PARAMS) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("alembic", "must be a dict"),
        ({}, "missing required arguments: tool"),
        ({"tool": "hibernate"}, "value of tool must be one of"),
        ({"tool": "alembic", "taable": "x"}, "taable. Supported"),
        ({"tool": "alembic", "table": 'x"; DROP TABLE y; --'}, "table must be letters, digits and underscores"),
        ({"tool": "alembic", "schema": "a b"}, "schema must be letters"),
        ({"tool": "alembic", "status": ["x"]}, "status and statements are for the tool query"),
        ({"tool": "golang_migrate"}, "folder has to say where the files"),
        ({"tool": "knex", "folder": "--help"}, "folder must not begin with a dash"),
        ({"tool": "query", "status": ["x"]}, "statements.applied has to ask"),
        ({"tool": "query", "statements": {"applied": "SELECT 1 AS name"}}, "status has to be a command"),
        (
            {"tool": "query", "status": ["x"], "statements": {"applied": "SELECT 1; DROP TABLE x"}},
            "it may not hold ';'",
        ),
        (
            {"tool": "query", "status": ["x"], "statements": {"applied": "SELECT :a"}},
            "nothing is given for its parameter :a",
        ),
        (
            {"tool": "query", "status": ["x"], "statements": {"applied": "SELECT 1"}, "parameters": {"a-b": 1}},
            "a parameter cannot have the name",
        ),
        ({"tool": "alembic", "database": {"name": "x", "password": "hunter2secret", "portt": 1}}, "portt"),
    ],
)
def test_what_an_inventory_may_not_say(given, says):
    with pytest.raises(ValueError, match=r"system_migrations\.shop") as raised:
        described("shop", given, {"name": "shop"})
    assert says in str(raised.value)
    assert "hunter2secret" not in str(raised.value)


def test_a_database_has_to_be_named():
    with pytest.raises(ValueError, match="nothing says how its database is reached"):
        described("shop", {"tool": "alembic"}, None)


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_every_tool_says_how_it_is_asked(tool):
    more: dict[str, Any] = (
        {"status": ["x"], "statements": {"applied": "SELECT 1 AS name"}} if tool == "query" else {"folder": "/m"}
    )
    found = described("shop", {"tool": tool, **more}, {"name": "shop"})
    assert found["asks"]
    assert not any("{folder}" in part for argv in found["asks"].values() for part in argv)
    if tool == "prisma":
        assert found["asks"]["files"] == ["find", "/m", "-name", "migration.sql", "-exec", "sha256sum", "{}", "+"]


def test_who_is_at_work():
    document = {
        "database": "shop", "in_recovery": False, "replay_lag_seconds": None, "pid": 1, "hidden": 0, "busy": [], "long": [], "prepared": [], "invalid": [],
        "advisory": [
            # Of an application, of Prisma, and one that waits for that.
            {**SESSION, "pid": 1, "class": 0, "object": 42, "sub": 1, "granted": True},
            {**SESSION, "pid": 2, "class": 0, "object": 72707369, "sub": 1, "granted": True},
            {**SESSION, "pid": 3, "class": 0, "object": 72707369, "sub": 1, "granted": False},
        ],
        "working": [
            {**SESSION, "pid": 2, "query": "CREATE TABLE x", "writes_table": True, "locks_table": True, "waits": False, "builds_index": False},
            {**SESSION, "pid": 4, "query": "LOCK TABLE x", "writes_table": False, "locks_table": True, "waits": False, "builds_index": False},
            {**SESSION, "pid": 5, "query": "/* up */ create unique index concurrently i on x", "writes_table": False, "locks_table": False,
             "waits": True, "builds_index": True},
        ],
    }  # fmt: skip
    found = state(document, TOOLS["prisma"], "public", "_prisma_migrations")["working"]
    assert [(one["pid"], one["does"], one["waits"]) for one in found] == [
        (2, "holds the lock of its tool", False),
        (3, "holds the lock of its tool", True),
        (5, "CREATE UNIQUE INDEX CONCURRENTLY", True),
    ]


def module(which: str, /, **arguments: Any) -> dict[str, Any]:
    """What a module answers, as Ansible runs it."""
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.oncall.runbooks.plugins.modules.{which}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


NOWHERE = {"name": "shop", "host": "127.0.0.1", "port": 1}


def test_a_look_at_a_database_that_is_nowhere():
    shop = {"tool": "query", "status": ["true"], "statements": {"applied": "SELECT 1 AS name"}}
    told = module("migrations_info", migrations={"shop": shop}, database=NOWHERE)
    assert (told["available"], told["changed"], told["backup"]["shop"]["is_recent"]) == (False, False, None)
    assert "nothing listens there" in told["reason"]
    assert told["migrations"]["shop"]["error"] == "refused"


def test_a_look_with_a_wrong_inventory_fails():
    told = module("migrations_info", migrations={"shop": {"tool": "hibernate"}}, database=NOWHERE)
    assert told["failed"] is True
    assert told["msg"].startswith("system_migrations.shop: value of tool must be one of")


def test_the_module_in_check_mode_runs_nothing(tmp_path):
    ran = tmp_path / "ran"
    migration = {"tool": "alembic", "program": ["touch", str(ran)]}
    arguments = {"name": "shop", "migration": migration, "verb": "migrate", "database": NOWHERE}
    assert module("migration_action", **arguments, _ansible_check_mode=True)["changed"] is True
    told = module("migration_action", **arguments)
    assert told["failed"] is True
    assert "nothing listens there" in told["msg"]
    assert not ran.exists()

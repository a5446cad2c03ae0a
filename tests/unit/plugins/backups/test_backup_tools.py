# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools of backups, crontabs, Redis and the comments of databases tell."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.backups import facts, schedule, tools
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.look import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.snapshot import summarize
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.spec import described, pg_restore_of
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.restores import compared, mark_of, name_for
from ansible_collections.oncall.runbooks.tests.support.backups import PARAMS, stanza

BASE = {"backup_name": "base_000000010000000000000003", "finish_time": "2026-11-30T01:00:12Z", "compressed_size": 12}


def test_pgbackrest():
    found = tools.pgbackrest(stanza(60))
    assert (found["troubles"], found["backups"][0]["name"], found["backups"][0]["size_bytes"]) == (
        [],
        "20261130-010002F",
        8_000_000,
    )
    locked = stanza(60)
    locked[0]["status"]["lock"]["backup"]["held"] = True
    assert tools.pgbackrest(locked)["in_progress"]


@pytest.mark.parametrize(
    ("document", "name", "says"),
    [
        ([], None, "nothing is configured"),
        ({}, None, "another shape"),
        (["x"], None, "another shape"),
        (stanza(60), "other", "stanza other is not there; pgbackrest has main"),
        ([*stanza(60), {"name": "second"}], None, "pgbackrest has main, second"),
    ],
)
def test_what_pgbackrest_does_not_tell(document, name, says):
    with pytest.raises(tools.NotTold, match=says):
        tools.pgbackrest(document, name)


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"status": {"code": 6, "message": ""}}, "status 6: the backup set is not there"),
        ({"status": {}}, "it tells no status"),
        ({"repo": [{"key": 2, "status": {"code": 99, "message": "other\n"}}]}, "repository 2: status 99: other"),
    ],
)
def test_pgbackrest_in_trouble(change, trouble):
    assert tools.pgbackrest([{**stanza(60)[0], **change}])["troubles"] == [trouble]


def test_wal_g():
    found = tools.wal_g([BASE, {**BASE, "backup_name": "base_2", "finish_time": "2026-11-29T01:00:12.123+02:00"}])
    assert [one["name"] for one in found["backups"]] == [BASE["backup_name"], "base_2"]
    assert found["backups"][0]["stopped_seconds"] - found["backups"][1]["stopped_seconds"] == 26 * 3600
    with pytest.raises(tools.NotTold, match="tells no time"):
        tools.wal_g([{"backup_name": "x"}])


@pytest.mark.parametrize(
    ("document", "troubles", "is_well"),
    [
        ({"integrity": {"status": "OK"}, "timeline": {"status": "OK"}}, [], True),
        ({"integrity": {"status": "WARNING"}, "timeline": {"status": "OK"}}, [], None),
        ({"integrity": {"status": "FAILURE"}}, ["wal-verify integrity: FAILURE"], False),
        # What nobody knows is not well.
        ({"integrity": {"status": "FINE"}}, ["wal-verify integrity: FINE"], False),
        ({"integrity": {"status": "OK"}, "timeline": None}, ["wal-verify timeline: None"], False),
    ],
)
def test_wal_verify(document, troubles, is_well):
    assert tools.wal_verified(document) == (troubles, is_well)


@pytest.mark.parametrize("document", [None, [], {}, {"x": {}}, "OK"])
def test_wal_verify_without_a_status(document):
    with pytest.raises(tools.NotTold):
        tools.wal_verified(document)


def told(script: str, **given: Any) -> dict[str, Any]:
    """What is told of a tool that is this program."""
    backup = {"kind": "pgbackrest", "info": [sys.executable, "-c", script], **given}
    params: dict[str, Any] = {**PARAMS, "backups": {"cluster": backup}, "state_directory": "/nowhere"}
    return observe(params)["backups"]["cluster"]


def test_a_tool_that_ends_well_and_tells_a_failure():
    document = json.dumps(stanza(60, code=2, message="no valid backups"))
    seen = told(f"print({document!r})")
    assert (seen["available"], seen["troubles"]) == (True, ["status 2: no valid backups"])


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("print('stanza: main')", "printed no JSON"),
        ("import sys; sys.exit('cannot lock')", "ended with exit code 1: cannot lock"),
        ("import time; time.sleep(600)", "was killed"),
    ],
)
def test_a_tool_that_tells_nothing(script, says):
    params: dict[str, Any] = {**PARAMS, "timeout_seconds": 3.0 if "sleep" in script else 60.0}
    backup = {"kind": "pgbackrest", "info": [sys.executable, "-c", script]}
    seen = observe({**params, "backups": {"cluster": backup}, "state_directory": "/nowhere"})["backups"]["cluster"]
    assert (seen["available"], says in seen["reason"]) == (False, True), seen


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "kind files needs path and pattern"),
        ({"path": "/b"}, "kind files needs pattern"),
        ({"path": "/b", "pattern": "a/*.sql"}, "without a folder"),
        ({"path": "/b", "pattern": "*", "min_ratio": -1}, "must not be below 0"),
        ({"path": "/b", "pattern": "*", "tables": [{}]}, "each of tables"),
        ({"kind": "barman"}, "value of kind must be one of"),
        ({"kind": "redis"}, "nothing says how its Redis is reached"),
        ({"path": "/b", "pattern": "*", "colour": 1}, "colour"),
        ({"path": "/b", "pattern": "*", "database": {"password": "geheim1"}}, "name"),
        ("/b", "must be a dict"),
        (
            {
                "path": "/b",
                "pattern": "*",
                "schedule": {"cron_file": "/etc/cron.d/b.cron", "at": "0 3 * * *", "command": ["/b"]},
            },
            "has a dot in its name",
        ),
    ],
)
def test_backups_that_are_not_described_right(given, says):
    with pytest.raises(ValueError, match=says) as error:
        described("nightly", given, PARAMS)
    assert "backup nightly" in str(error.value)
    assert "geheim" not in str(error.value)


def test_the_programs_of_a_container_are_run_in_it():
    inside = {"transport": "docker", "container": "pg", "name": "shop"}
    backup = described("nightly", {"path": "/b", "pattern": "*", "database": inside}, PARAMS)
    assert pg_restore_of(backup) == ["docker", "exec", "-i", "pg", "pg_restore"]


# Crontabs.
CRONTAB = """
# 0 1 * * * root /app/scripts/off.sh
SHELL=/bin/bash
MAILTO = ops@example.com
0 3 * * * root /app/scripts/backup.sh >> /var/log/backup.log 2>&1
@daily root cd /srv && '/opt/my backup/run' --keep 90\\%
"""


@pytest.mark.parametrize(
    ("argv", "there"),
    [
        (["/app/scripts/backup.sh"], True),
        (["/app/scripts/backup"], False),
        (["scripts/backup.sh"], False),
        (["/app/scripts/off.sh"], False),
        (["/opt/my backup/run", "--keep", "90%"], True),
        (["/app/scripts/backup.sh", "--full"], False),
        (["/bin/bash"], False),
    ],
)
def test_what_a_crontab_starts(argv, there):
    assert schedule.names_it(schedule.commands_in(CRONTAB), argv) is there


def test_the_entry_that_is_written_is_found():
    for argv in (["/app/b.sh"], ["/a b/c", "it's", "90%", "$HOME;x"]):
        line = f"0 3 * * * root {schedule.entry_of({'command': argv, 'log': '/var/log/b.log'})}"
        assert "\n" not in line
        assert schedule.names_it(schedule.commands_in(line), argv)


def test_no_crontab(tmp_path):
    asked = {"command": ["/app/b.sh"], "cron_file": str(tmp_path / "entry")}
    assert schedule.look(asked, 5)["present"] is not True
    (tmp_path / "entry").write_text("0 3 * * * root /app/b.sh\n")
    assert schedule.look(asked, 5)["present"] is True


# Redis.
@pytest.mark.parametrize(
    ("info", "age", "troubles"),
    [
        ({"rdb_last_save_time": "1000", "rdb_changes_since_last_save": "3", "rdb_last_bgsave_status": "ok"}, 500.0, 0),
        ({"rdb_last_save_time": "1000", "rdb_changes_since_last_save": "0"}, 0.0, 0),
        ({"rdb_last_save_time": "1000", "rdb_last_bgsave_status": "err"}, 500.0, 1),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, None, 1),
        ({}, None, 0),
        (
            {"rdb_last_save_time": "1400", "rdb_changes_since_last_save": "1", "server_time_usec": "1600000000"},
            200.0,
            0,
        ),
    ],
)
def test_snapshots(info, age, troubles):
    found = summarize(info, 1500.0)
    assert (found["age_seconds"], len(found["troubles"])) == (age, troubles)


# What restores leave, and what they compare.
@pytest.mark.parametrize("comment", [None, "", "a shop", "{", "[]", "{}", '{"by": "me"}', "1"])
def test_a_comment_of_somebody_else_marks_nothing(comment):
    assert facts.marked(comment) is None


def test_the_mark_of_a_restore_is_read():
    assert facts.marked(mark_of("new", 'we"ird', state="made"))["of"] == 'we"ird'
    assert name_for("new", 'we"ird') == name_for("new", 'we"ird') != name_for("new", "weird")
    assert name_for("old", "shop", 0).endswith("_19700101_000000")


def table(**more: Any) -> dict[str, Any]:
    return {"rows": 3, "owner": "app", "acl": None, "kind": "r", "columns": ["id"], **more}


def content(**more: Any) -> dict[str, Any]:
    schemas = {"public": {"owner": "app", "acl": None}}
    return {
        "tables": {"public.users": table()},
        "extensions": ["plpgsql"],
        "schemas": schemas,
        "invalid_indexes": [],
        "unset_sequences": [],
        "others": [],
        **more,
    }


USERS = {"rows": 3, "columns": ["id"], "is_made": True, "has_data": True}
BACKUP = {"public.users": USERS}


@pytest.mark.parametrize(
    ("new", "live", "says"),
    [
        (content(), content(), []),
        (content(), None, []),
        (content(tables={}), None, ["public.users is in the backup, and was not restored"]),
        (content(tables={"public.users": table(rows=2)}), None, ["public.users has 2 rows, and the backup 3"]),
        (content(invalid_indexes=["i"]), None, ["index i is not valid"]),
        (content(unset_sequences=["s"]), None, ["sequence s was not set: the next id is there already"]),
        (content(), content(extensions=["plpgsql", "pg_trgm"]), ["extension pg_trgm is missing"]),
        (content(), content(tables={"public.users": table(), "public.new": table()}), ["public.new is in the database in use, and not in the backup"]),
        (content(), content(tables={"public.users": table(columns=["id", "email"])}), ["public.users.email is in the database in use, and not in the backup"]),
        (content(), content(tables={"public.users": table(owner="root")}), ["public.users belongs to app, and to root in the database in use"]),
        (content(), content(tables={"public.users": table(acl=["app=arwd/app", "oncall=r/app"])}), ["the privileges on public.users differ from those in the database in use"]),
        (content(), content(tables={"public.users": table(acl=["app=arwd/app"])}), []),
        (content(), content(tables={}), []),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_restored_database(new, live, says):
    assert compared(BACKUP, new, live)[:2] == (says, [])


def test_rows_that_the_backup_has_not_are_missed():
    backup = {"public.users": dict(USERS, rows=None, has_data=False)}
    says = "the backup has no rows of public.users"
    assert compared(backup, content(), content()) == ([says], [], ["public.users"])
    assert compared(backup, content(), content(), ["public.users"]) == ([], [says], [])


def test_a_table_that_an_extension_makes_is_not_missed():
    backup = {**BACKUP, "cron.job": {"rows": 2, "columns": ["id"], "is_made": False, "has_data": True}}
    assert compared(backup, content(), content()) == ([], [], [])


def test_what_was_given_up_is_only_told():
    live = content(tables={"public.users": table(columns=["id", "email"]), "public.new": table()})
    wrong, notes, names = compared(BACKUP, content(), live, ["public.users.email", "public.new"])
    assert (wrong, len(notes), names) == ([], 2, [])


def test_what_differs_has_a_name_by_which_it_is_let_be():
    live = content(
        tables={"public.users": table(owner="root", acl=["root=arwd/root", "oncall=r/root"]), "public.new": table()},
        schemas={"public": {"owner": "root", "acl": None}, "more": {"owner": "app", "acl": None}},
        others=["function public.f(int4)", "index public.users_name of public.users", "policy mine of public.users", "trigger t of public.new"],
    )  # fmt: skip
    wrong, notes, names = compared(BACKUP, content(others=["policy mine of public.users"]), live)
    assert (len(wrong), notes) == (len(names), [])
    assert names == [
        "public.new", "owner of public.users", "privileges on public.users", "schema more", "owner of schema public",
        "function public.f(int4)", "index public.users_name of public.users",
    ]  # fmt: skip
    assert "index public.users_name of public.users is in the database in use, and not in the backup" in wrong
    assert compared(BACKUP, content(), live, [*names, "policy mine of public.users"])[::2] == ([], [])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each tool prints -> what is read of it, and what that means beside its table.

Alembic, Django and Knex are as their releases print; integration tests ask the real ones. The others are as their documentation and their
sources have it, and no program of theirs was run.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.compare import ancestors, compared
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.prisma import error_in
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.told import NotUnderstood, row
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.tools import TOOLS, whose


def ended(stdout: str = "", exit_code: int = 0, stderr: str = "") -> dict[str, Any]:
    return {"stdout": stdout, "stderr": stderr, "exit_code": exit_code, "signal": None, "error": ""}


def together(tool: str, rows: list[dict[str, Any]], **printed: Any) -> dict[str, Any]:
    """What a table and an image say together."""
    module = TOOLS[tool]
    told = {name: one if isinstance(one, dict) else ended(one) for name, one in printed.items()}
    return compared(module, module.rows(rows, []), module.read(told))


# ---------------------------------------------------------------------- Alembic
MERGED = """\
Rev: mm (head) (mergepoint)
Merges: aa01, 0003
Path: /app/versions/mm_merged.py

    merged

    Revision ID: mm
    Revises: aa01, 0003

Rev: aa01
Parent: 0002
Also depends on: 0001
Path: /app/versions/aa01_other.py

Rev: 0003
Parent: 0002
Path: /app/versions/0003_step_3.py

Rev: 0002 (branchpoint)
Parent: 0001
Branches into: 0003, aa01
Path: /app/versions/0002_step_2.py

Rev: 0001
Parent: <base>
Path: /app/versions/0001_step_1.py
"""


@pytest.mark.parametrize(
    ("table", "pending"),
    [
        (["mm"], []),
        (["aa01", "0003"], ["mm"]),
        (["aa01"], ["0003", "mm"]),
        (["0002"], ["0003", "aa01", "mm"]),
        ([], ["0001", "0002", "0003", "aa01", "mm"]),
    ],
)
def test_alembic_reads_the_graph(table, pending):
    found = together("alembic", [{"version_num": one} for one in table], history=MERGED, current="\n".join(table))
    assert found["pending"] == pending
    assert (found["unknown"], found["heads"], found["disagrees"]) == ([], [], "")
    assert found["applied_count"] + len(pending) == 5


def test_alembic_in_a_loop_of_parents_comes_to_an_end():
    assert ancestors(["a"], {"a": ["b"], "b": ["a"]}) == {"a", "b"}


def test_alembic_has_a_revision_that_the_image_has_not():
    lost = ended("", 255, "FAILED: Can't locate revision identified by 'zz'")
    found = together("alembic", [{"version_num": "zz"}], history=MERGED, current=lost)
    assert (found["unknown"], found["disagrees"]) == (["zz"], "")
    # Nobody knows what comes before it.
    assert "pending" not in found
    assert TOOLS["alembic"].excuses("current", lost)
    assert not TOOLS["alembic"].excuses("history", lost)
    assert not TOOLS["alembic"].excuses("current", ended("", 1, "connection refused"))


def test_alembic_sees_another_table():
    found = together("alembic", [{"version_num": "mm"}], history=MERGED, current="0003\n")
    assert found["disagrees"] == "the tool is at 0003, and the table at mm"


# ---------------------------------------------------------------------- Django
PLAN = """\
System check identified no issues (0 silenced).
[X]  contenttypes.0001_initial
[X]  shop.0001_initial
[ ]  shop.0002_notes ... (1 squashed migrations)
"""
CONFLICT = (
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph: (0002_one, 0002_two in shop).\n"
    "To fix them run 'python manage.py makemigrations --merge'\n"
)


def django(*names: str) -> list[dict[str, Any]]:
    return [{"app": name.split(".")[0], "name": name.split(".")[1], "age_seconds": 60.0} for name in names]


def test_django():
    found = together(
        "django", django("contenttypes.0001_initial", "shop.0001_initial"), plan=PLAN, dry="Planned operations:"
    )
    assert (found["pending"], found["applied_count"], found["heads"], found["refusal"]) == (
        ["shop.0002_notes"],
        2,
        [],
        "",
    )
    assert found["newest_applied_seconds"] == 60.0


def test_django_has_two_leaves():
    found = together("django", django("shop.0001_initial"), plan=PLAN, dry=ended("", 1, CONFLICT))
    assert (found["heads"], found["refusal"]) == (["shop.0002_one", "shop.0002_two"], "")


def test_django_has_squashed_migrations():
    """What one stands for is applied or not, whether it has a row of its own or not; and what it replaced is not unknown."""
    plan = "[X]  shop.0001_squashed\n[X]  shop.0003_more\n"
    told = ended(
        "12 objects imported automatically.\nreplaces shop.0001_squashed shop.0001_initial\nreplaces shop.0001_squashed shop.0002_notes\n"
    )
    old = ("shop.0001_initial", "shop.0002_notes", "shop.0003_more")
    for rows in (old, (*old, "shop.0001_squashed")):
        found = together("django", django(*rows), plan=plan, dry="", replaces=told)
        assert (found["pending"], found["unknown"], found["disagrees"], found["applied_count"]) == ([], [], "", 2)
    # One that is of another image is, as ever.
    found = together("django", django(*old, "shop.0004_newer"), plan=plan, dry="", replaces=told)
    assert found["unknown"] == ["shop.0004_newer"]
    # Where the loader is not asked, nothing is known of what was replaced.
    assert together("django", django(*old), plan=plan, dry="")["disagrees"]
    assert together("django", django(*old), plan=plan, dry="", replaces=ended("", 1))["disagrees"]


def test_django_has_rows_of_an_application_that_was_taken_out():
    rows = django("contenttypes.0001_initial", "shop.0001_initial", "gone.0001_initial")
    assert together("django", rows, plan=PLAN, dry="")["unknown"] == []


def test_django_sees_another_table():
    found = together("django", django("contenttypes.0001_initial"), plan=PLAN, dry="")
    assert found["disagrees"] == "the tool has shop.0001_initial applied, and the table has not"
    found = together(
        "django", django("contenttypes.0001_initial", "shop.0001_initial", "shop.0002_notes"), plan=PLAN, dry=""
    )
    assert found["disagrees"] == "the table has shop.0002_notes applied, and the tool has not"


# ---------------------------------------------------------------------- Rails
STATUS = """
database: shop_production

 Status   Migration ID    Migration Name
--------------------------------------------------
   up     20260101000000  Create orders
   up     20260102000000  ********** NO FILE **********
  down    20260103000000  Add note
"""


def test_rails():
    found = together("rails", [{"version": "20260101000000"}, {"version": "20260102000000"}], status=STATUS)
    assert (found["pending"], found["unknown"], found["disagrees"]) == (["20260103000000"], ["20260102000000"], "")


def test_rails_with_several_databases_is_not_understood():
    # As Rails 7 and later print one after the other.
    several = STATUS + STATUS.replace("shop", "shop_queue")
    with pytest.raises(NotUnderstood, match="tells of several databases"):
        together("rails", [{"version": "20260101000000"}], status=several)


def test_rails_lock_is_that_of_its_database():
    # Of these nine digits everybody knows the CRC-32.
    assert TOOLS["rails"].advisory_key("123456789", "public", "schema_migrations") == 2053462845 * 0xCBF43926


def test_golang_migrate_lock_is_that_of_its_database_schema_and_table():
    key = TOOLS["golang_migrate"].advisory_key("shop", "public", "schema_migrations")
    assert 0 <= key < 2**32
    assert key != TOOLS["golang_migrate"].advisory_key("shop", "other", "schema_migrations")


# ---------------------------------------------------------------------- Prisma
def prisma(name: str, *, finished: bool = True, checksum: str = "a") -> dict[str, Any]:
    return {
        "migration_name": name, "checksum": checksum * 64, "finished": finished, "steps": 0, "age_seconds": 5.0,
        "logs": None if finished else "A migration failed\nERROR: column note exists, password=hunter2secret",
    }  # fmt: skip


def test_prisma():
    files = "".join(f"{'a' * 64}  prisma/migrations/{name}/migration.sql\n" for name in ("2_b", "1_a", "3_c"))
    found = together("prisma", [prisma("1_a", checksum="b"), prisma("2_b", finished=False)], files=files)
    assert (found["pending"], found["drifted"], found["applied_count"], found["expected_count"]) == (
        ["3_c"],
        ["1_a"],
        1,
        3,
    )
    (failed,) = found["failed"]
    assert failed["name"] == "2_b"
    assert "hunter2secret" not in failed["error"]


BY_RUST = """\
A migration failed to apply. New migrations cannot be applied before the error is recovered from. Read more about how to resolve this.

Migration name: 2_b

Database error code: 42701

Database error:
ERROR: column "note" of relation "orders" already exists

Position:
\x1b[1m  0\x1b[0m
\x1b[1m  1\x1b[1;31m ALTER TABLE orders ADD note text;\x1b[0m

DbError { severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E42701), position: None, line: Some(7478) }

   0: sql_schema_connector::apply_migration::apply_script
           with migration_name="2_b"
             at schema-engine/connectors/sql-schema-connector/src/apply_migration.rs:113
"""
BY_WEBASSEMBLY = """\
external connector error
No such table: nowhere
   0: sql_schema_connector::apply_migration::apply_script
           with migration_name="2_b"
             at schema-engine/connectors/sql-schema-connector/src/apply_migration.rs:113
"""


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        (BY_RUST, 'ERROR: column "note" of relation "orders" already exists'),
        (BY_WEBASSEMBLY, "No such table: nowhere"),
        ("   0: sql_schema_connector::apply_migration", "   0: sql_schema_connector::apply_migration"),
        ("Database error:", "Database error:"),
        ("", ""),
    ],
)
def test_what_the_database_said_of_a_migration_of_prisma(logs, said):
    assert error_in(logs) == said


# ---------------------------------------------------------------------- Knex
LIST = """\
Using environment: development
\x1b[32mFound 1 Completed Migration file/files.\x1b[39m
\x1b[36m20260101_a.js\x1b[39m
\x1b[33mFound 1 Pending Migration file/files.\x1b[39m
\x1b[36m20260102_b.js \x1b[39m
"""


def knex(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "age_seconds": 1.0} for name in names]


def test_knex():
    found = together("knex", knex("20260101_a.js"), list=LIST, files="20260101_a.js\n20260102_b.js\nREADME.md\n")
    assert (found["pending"], found["unknown"], found["disagrees"]) == (["20260102_b.js"], [], "")


def test_knex_has_a_row_without_a_file():
    corrupt = ended("", 1, "The migration directory is corrupt, the following files are missing: 20260102_b.js")
    found = together(
        "knex", knex("20260101_a.js", "20260102_b.js"), list=corrupt, files="20260101_a.js\n20260103_c.js\n"
    )
    assert (found["unknown"], found["pending"], found["disagrees"]) == (["20260102_b.js"], ["20260103_c.js"], "")
    assert TOOLS["knex"].excuses("list", corrupt)
    assert not TOOLS["knex"].excuses("list", ended("", 1, "connect ECONNREFUSED"))


# ---------------------------------------------------------------------- Flyway
def flyway(*states: tuple[str, str], **more: Any) -> dict[str, Any]:
    info = {
        "migrations": [
            {"version": "1", "type": "SQL", "state": state, "filepath": f"/flyway/sql/{script}"}
            for script, state in states
        ]
    }
    return {
        "info": json.dumps(info),
        "validate": json.dumps({"validationSuccessful": True, "invalidMigrations": [], **more}),
    }


def scripts(*names: str, failed: str = "") -> list[dict[str, Any]]:
    return [{"script": name, "version": "1", "type": "SQL", "success": name != failed} for name in names]


def test_flyway():
    found = together(
        "flyway",
        scripts("V1__a.sql", "R__v.sql"),
        **flyway(("V1__a.sql", "Success"), ("V2__b.sql", "Pending"), ("R__v.sql", "Outdated")),
    )
    assert (found["pending"], found["disagrees"], found["out_of_order"]) == (["V2__b.sql", "R__v.sql"], "", [])


def test_flyway_tells_what_it_leaves_out_what_was_changed_and_what_failed():
    changed = {"filepath": "/flyway/sql/V1__a.sql", "errorDetails": {"errorCode": "CHECKSUM_MISMATCH"}}
    printed = flyway(
        ("V1__a.sql", "Success"), ("V2__b.sql", "Ignored"), ("V3__c.sql", "Failed"), ("V9__z.sql", "Future"), ("U1__a.sql", "Available"),
        validationSuccessful=False, invalidMigrations=[changed],
    )  # fmt: skip
    found = together("flyway", scripts("V1__a.sql", "V3__c.sql", "V9__z.sql", failed="V3__c.sql"), **printed)
    assert (found["out_of_order"], found["drifted"], found["unknown"]) == (["V2__b.sql"], ["V1__a.sql"], ["V9__z.sql"])
    assert found["failed"] == [{"name": "V3__c.sql", "error": ""}]


# ---------------------------------------------------------------------- golang-migrate, Goose, Liquibase
def test_golang_migrate():
    files = "1_a.up.sql\n1_a.down.sql\n000002_b.up.sql\n10_c.up.sql\n"
    found = together("golang_migrate", [{"version": "2", "dirty": False}], files=files)
    assert (found["pending"], found["unknown"], found["failed"], found["applied_count"]) == (["10"], [], [], 2)
    found = together("golang_migrate", [{"version": "2", "dirty": True}], files=files)
    assert (found["pending"], found["failed"], found["applied_count"]) == (["10"], [{"name": "2", "error": ""}], 1)
    assert together("golang_migrate", [{"version": "11", "dirty": False}], files=files)["unknown"] == ["11"]


GOOSE = """\
2026/11/30 05:00:00     Applied At                  Migration
2026/11/30 05:00:00     =======================================
2026/11/30 05:00:00     Mon Nov 30 04:00:00 2026 -- 00001_a.sql
2026/11/30 05:00:00     Pending                  -- 00002_b.sql
2026/11/30 05:00:00     Mon Nov 30 04:00:00 2026 -- 00003_c.go
"""


def test_goose_prints_a_log():
    found = together("goose", [{"version": "1"}, {"version": "3"}], status=ended("", 0, GOOSE))
    assert (found["pending"], found["out_of_order"], found["disagrees"]) == (["2"], ["2"], "")


def liquibase(**printed: Any) -> dict[str, Any]:
    return {
        "status": "app@jdbc:postgresql://db/shop is up to date\n", "unexpected": "app@jdbc:postgresql://db/shop contains no unexpected changes!\n",
        "validate": "No validation errors found.\n", **printed,
    }  # fmt: skip


def changeset(number: int, exectype: str = "EXECUTED") -> dict[str, Any]:
    return {"id": str(number), "author": "ann", "filename": "db/changelog.xml", "exectype": exectype}


def test_liquibase():
    assert together("liquibase", [changeset(1)], **liquibase())["pending"] == []
    status = "2 changesets have not been applied to app@jdbc:postgresql://db/shop\n     db/changelog.xml::2::ann\n     db/changelog.xml::3::ann\n"
    lost = "1 unexpected changesets were found in app@jdbc:postgresql://db/shop\n     db/changelog.xml::9::ann\n"
    found = together("liquibase", [changeset(1), changeset(9, "FAILED")], **liquibase(status=status))
    assert (found["pending"], found["expected_count"]) == (["db/changelog.xml::2::ann", "db/changelog.xml::3::ann"], 3)
    assert found["failed"] == [{"name": "db/changelog.xml::9::ann", "error": ""}]
    assert together("liquibase", [changeset(9)], **liquibase(unexpected=lost))["unknown"] == [
        "db/changelog.xml::9::ann"
    ]


def test_liquibase_tells_a_checksum():
    said = "Validation Failed:\n     1 changesets check sum\n          db/changelog.xml::1::ann was: 9:aa but is now: 9:bb\n"
    found = together("liquibase", [changeset(1)], **liquibase(validate=ended("", 1, said)))
    assert (found["drifted"], found["refusal"]) == (["db/changelog.xml::1::ann"], "")


# ---------------------------------------------------------------------- what is not understood
@pytest.mark.parametrize(
    "text",
    ["", "\x00\x01garbage", "Error: connection refused", "{}", "[]", '{"migrations": 3}', "No such container: shop\n"],
)
@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_what_is_no_list_is_not_read_as_an_empty_one(tool, text):
    module = TOOLS[tool]
    with pytest.raises(NotUnderstood):
        module.read({name: ended(text) for name in module.ASKS or {"status": ()}})


@pytest.mark.parametrize(
    ("tool", "printed"),
    [
        ("alembic", {"history": MERGED.rsplit("Rev: 0001", 1)[0], "current": ""}),
        ("alembic", {"history": MERGED.replace(" (head)", ""), "current": ""}),
        (
            "knex",
            {"list": LIST.replace("Found 1 Pending", "Found 2 Pending"), "files": "20260101_a.js\n20260102_b.js\n"},
        ),
        ("knex", {"list": LIST, "files": "20260101_a.js\n"}),
        ("flyway", flyway(("V1__a.sql", "Something new"))),
        ("flyway", {**flyway(("V1__a.sql", "Success")), "validate": "{}"}),
        ("golang_migrate", {"files": "1_a.up.sql\n01_b.up.sql\n"}),
        (
            "liquibase",
            liquibase(status="2 changesets have not been applied to app@db\n     db/changelog.xml::2::ann\n"),
        ),
        ("query", {"status": "a\nb\na\n"}),
    ],
)
def test_what_is_cut_off_or_contradicts_itself_is_not_read(tool, printed):
    with pytest.raises(NotUnderstood):
        TOOLS[tool].read({name: ended(text) for name, text in printed.items()})


def test_an_image_that_is_not_known_has_nothing_pending_and_nothing_applied():
    found = compared(TOOLS["knex"], [row("a"), row("b", failed=True)], None)
    assert "pending" not in found
    assert (found["failed"], found["is_new"]) == ([{"name": "b", "error": ""}], False)


@pytest.mark.parametrize(
    ("columns", "has_metadata", "owner"),
    [
        (["version", "dirty"], True, "golang-migrate"),
        (["version", "inserted_at"], False, "Ecto"),
        (["version"], True, "Rails"),
        (["version"], False, "dbmate"),
        (["id"], False, "none that is known"),
    ],
)
def test_whose_table_it_is(columns, has_metadata, owner):
    assert whose(columns, has_metadata) == owner

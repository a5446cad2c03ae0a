# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook migrations on real Alembic, Django, Prisma and Knex, in a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.act import Failed, Refused, act
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.backup import known
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.holding import Taken
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.look import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.migrations import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.client import DatabaseError
from ansible_collections.oncall.runbooks.tests.support.migrating import (
    TOOLS,
    Alembic,
    Application,
    Django,
    Knex,
    Prisma,
)
from ansible_collections.oncall.runbooks.tests.support.observing import answering
from ansible_collections.oncall.runbooks.tests.support.plays import QUICK, Play, Player, Started
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server
from ansible_collections.oncall.runbooks.tests.support.standbys import standby
from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, diagnose, steps_that_act
from ansible_collections.oncall.runbooks.tests.support.waiting import until

DEFAULTS: dict[str, Any] = {name: dict(option).get("default") for name, option in SPEC.items()}
ACT: dict[str, Any] = {
    "pending": [], "backup": None, "without_backup": "a test", "accept_invalid_indexes": [], "long_transaction_seconds": 30.0,
    "lock_timeout_seconds": 5.0, "statement_timeout_seconds": 60.0, "migrate_timeout_seconds": 300.0, "read_seconds": 60.0, "timeout_seconds": 300.0,
}  # fmt: skip
HIGH = {"run_max_risk": "high"}
TABLE = "CREATE TABLE orders (id int)"
SLOW = "SELECT pg_sleep(8)"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


class Judged:
    """A diagnosis."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.status, self.msg, self.plan = result["status"], result["msg"], result["plan"]
        self.causes, self.unknown = causes_that_are(result, "problem"), causes_that_are(result, "unknown")
        self.acts, self.text = steps_that_act(result), json.dumps(result)


class Stack:
    """An application with a database of its own, and plays on it."""

    def __init__(self, app: Application, folder: Path) -> None:
        self.app, self.folder, self._players = app, folder, 0
        self.verified = folder / "verified"
        self.verified.write_text("shop.dump: 41 tables\n")

    def grant(self) -> None:
        """Who looks may read what there is."""
        self.app.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO oncall")

    def begin(self) -> None:
        """One migration is applied."""
        self.app.add(TABLE)
        self.app.migrate()
        self.grant()

    def variables(self, **more: Any) -> dict[str, Any]:
        return {
            "system_migrations": {"shop": self.app.entry()},
            "system_database": self.app.server.reach(name=self.app.database),
            "migrations_backup": {"file": str(self.verified)},
            "migrations_timeout_seconds": 300,
            "run_verify_timeout_seconds": 300,
            **more,
        }

    def start(self, *arguments: str, as_program: bool = False, state: str = "oncall", **more: Any) -> Started:
        """Begin a play; another ``state`` is another controller, with a ledger of its own."""
        self._players += 1
        folder = self.folder / f"player-{self._players}"
        folder.mkdir()
        (self.folder / state).mkdir(exist_ok=True)
        host = {**QUICK, "system_state_directory": str(self.folder / state), **self.variables()}
        inventory = folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"stack": host}}}))
        return Player(folder, folder).start(
            "-i", str(inventory), *arguments, playbook="playbooks/migrations.yml", as_program=as_program, run_hosts="stack", **more,
        )  # fmt: skip

    def play(self, *arguments: str, **more: Any) -> Play:
        return self.start(*arguments, **more).wait()

    def look(self, **more: Any) -> dict[str, Any]:
        """What the observer tells of everything."""
        variables = self.variables(**more)
        asked = {
            "migrations": variables["system_migrations"], "database": variables["system_database"],
            "backup": {
                "backups": variables.get("system_backups", {}),
                "state_directory": str(self.folder / "oncall"),
                **variables["migrations_backup"],
            },
            "timeout_seconds": variables["migrations_timeout_seconds"],
            "long_transaction_seconds": more.get("migrations_long_transaction_seconds", 30.0),
        }  # fmt: skip
        return observe({**DEFAULTS, **asked})

    def seen(self, **more: Any) -> dict[str, Any]:
        """What the observer tells."""
        return self.look(**more)["migrations"]["shop"]

    def judged(self, **more: Any) -> Judged:
        """What the runbook concludes of a look at the real thing."""
        return Judged(diagnose("migrations", {"migrations": self.look(**more)}, **self.variables(**more)))

    def at_work(self) -> bool:
        """Whether a migration sleeps in the database."""
        return bool(
            self.app.sql(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
                user="postgres",
            )
        )


@pytest.fixture
def make(postgres, tmp_path) -> Iterator[Callable[..., Stack]]:
    """A function: a tool -> a stack with a database of its own, which is gone afterwards."""
    made = []

    def of(tool: type[Application], database: str = "") -> Stack:
        name = database or f"of_{tool.tool}_{len(made)}"
        quoted = '"' + name.replace('"', '""') + '"'
        postgres.execute(f"CREATE DATABASE {quoted} OWNER app", dbname="postgres")
        made.append(quoted)
        return Stack(tool(postgres, tmp_path / f"app-{len(made)}", name), tmp_path)

    yield of
    for quoted in made:
        postgres.execute(f"DROP DATABASE {quoted} WITH (FORCE)", dbname="postgres")


def columns(stack: Stack, name: str = "orders") -> list[str]:
    return [
        row[0]
        for row in stack.app.sql(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{name}' ORDER BY 1"
        )
    ]


# ---------------------------------------------------------------------- pending, and applied


@pytest.mark.covers("PD-2-1", "PD-2-2")
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_what_is_pending_is_named_and_applied(make, tool):
    stack = make(tool)
    stack.begin()
    first = stack.app.add("ALTER TABLE orders ADD note text")
    second = stack.app.add("CREATE INDEX CONCURRENTLY orders_note ON orders (note)", transaction=False)

    def flag(_headers: Any) -> tuple[int, bytes, dict[str, str]]:
        current = "note" in columns(stack)
        return 200 if current else 503, json.dumps({"migrations_current": current}).encode(), {}

    with answering(readyz=flag) as api:
        flags = {"migrations_flags": {"api": {"url": f"{api.url}/readyz", "json": {"migrations_current": True}}}}
        checked = stack.play("--check", **flags, **HIGH)
        assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["pending"]), checked.output
        assert f"{first}, {second}" in checked.run["summary"]
        assert columns(stack) == ["id"]

        # Nobody has approved it.
        blocked = stack.play(**flags)
        assert (blocked.code, blocked.outcome) == (2, "blocked"), blocked.output
        assert columns(stack) == ["id"]

        fixed = stack.play(**flags, **HIGH)
        assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["pending"]), fixed.output
        (action,) = fixed.run["actions"]
        assert (action["remedy"], action["helped"]) == ("migrate", True)
        assert action["targets"] == [
            {"set": "shop", "tool": tool.tool, "pending": [first, second], "backup": str(stack.verified)}
        ]
        assert action["details"]["shop"]["applied"] == [first, second]
        assert columns(stack) == ["id", "note"]

        again = stack.play(**flags, **HIGH)
        assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
        assert "shop: 3 of 3 applied" in again.run["summary"]


def test_a_database_whose_name_has_quotes_and_spaces(make):
    stack = make(Alembic, """it's "my" shop""")
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    assert acted(stack, pending=[name])["applied"] == [name]
    assert columns(stack) == ["id", "note"]


# ---------------------------------------------------------------------- the backup


def test_nothing_is_applied_without_a_backup(make):
    stack = make(Alembic)
    stack.begin()
    stack.app.add("ALTER TABLE orders ADD note text")
    unnamed = stack.judged(migrations_backup={})
    assert (unnamed.causes, unnamed.acts) == (["pending"], []), unnamed.msg
    assert (
        "no backup of system_backups is of the database of_alembic_0, and migrations_backup names no file"
        in unnamed.text
    )

    two_days_ago = time.time() - 2 * 86400
    os.utime(stack.verified, (two_days_ago, two_days_ago))
    old = stack.play(**HIGH)
    assert (old.outcome, old.run["actions"]) == ("advised", []), old.output
    assert "the last verified backup is 48.0 h old" in str(old.run["plan"])
    assert columns(stack) == ["id"]

    said = stack.play(**HIGH, migrations_without_backup="the table is empty")
    assert (said.code, said.outcome) == (0, "resolved"), said.output
    assert said.run["actions"][0]["targets"][0]["without_backup"] == "the table is empty"


@pytest.mark.parametrize("kind", ["folder", "fifo", "empty", "link to nothing"])
def test_what_is_no_backup(make, kind):
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    stack.verified.unlink()
    if kind == "folder":
        stack.verified.mkdir()
    elif kind == "fifo":
        os.mkfifo(stack.verified)
    elif kind == "empty":
        stack.verified.touch()
    else:
        stack.verified.symlink_to("nowhere")
    with pytest.raises(Refused, match=r"no regular file|is empty|No such file"):
        acted(stack, pending=[name], without_backup="", backup={"file": str(stack.verified), "max_age_seconds": 60.0})
    assert columns(stack) == ["id"]


NO_BACKUP = {
    "cut off": "is not proven: its last line is not that of a whole dump",
    "of another database": "is of the database postgres, and should be of",
    "old": "is 48.0 h old, and may be 26.0 h old",
    "without its tables": "is not proven: not in it: public.orders",
    "only in its name": "is not proven: it does not begin as a dump of PostgreSQL does",
}


def test_a_backup_counts_as_the_runbook_backup_proves_it(make):
    stack = make(Alembic)
    stack.app.sql("CREATE TABLE orders (id int)")
    stack.app.sql("CREATE TABLE applied AS SELECT 'one' AS name")
    stack.grant()
    psql = ["psql", "-h", "127.0.0.1", "-p", str(stack.app.server.port), "-U", "app", "-d", stack.app.database, "-c"]
    # What is quick to ask, as it is the backup that is looked at.
    entry = {
        "tool": "query", "status": ["printf", "one\\ntwo\\n"], "statements": {"applied": "SELECT name FROM applied"},
        "migrate": [*psql, "INSERT INTO applied VALUES ('two')"],
    }  # fmt: skip
    folder = stack.folder / "backups"
    folder.mkdir()
    backups = {"nightly": {"path": str(folder), "pattern": "shop_*.sql", "tables": ["orders"]}}
    given: dict[str, Any] = {
        "system_migrations": {"shop": entry},
        "system_backups": backups,
        "migrations_backup": {},
    }
    dump = folder / "shop_1.sql"
    asked = {
        "backups": backups,
        "names": [],
        "max_age_seconds": None,
        "file": None,
        "state_directory": str(stack.folder / "oncall"),
    }
    for is_it, says in NO_BACKUP.items():
        dumped(stack, dump, is_it)
        told = stack.judged(**given)
        assert (told.causes, told.acts) == (["pending"], []), (is_it, told.msg)
        assert says in told.text, is_it
        with pytest.raises(Refused, match=says):
            acted(stack, pending=["two"], migration=entry, without_backup="", backup=asked)
    assert stack.app.sql("SELECT name FROM applied") == [("one",)]

    dumped(stack, dump, "whole")
    # The dump itself is no sign that it was verified.
    assert "is a backup itself" in known(str(dump), 86400.0)["reason"]
    fixed = stack.play(**HIGH, **given)
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert fixed.run["actions"][0]["targets"] == [
        {"set": "shop", "tool": "query", "pending": ["two"], "backup": "nightly"}
    ]
    assert stack.app.sql("SELECT name FROM applied ORDER BY 1") == [("one",), ("two",)]


def dumped(stack: Stack, dump: Path, is_it: str) -> None:
    """A dump of the application's database, or something else in its place."""
    stack.app.sql("INSERT INTO orders VALUES (1)")
    argv = ["pg_dump", "-h", "127.0.0.1", "-p", str(stack.app.server.port), "-U", "postgres", "--create"]
    argv += ["--exclude-table=orders"] if is_it == "without its tables" else []
    database = "postgres" if is_it == "of another database" else stack.app.database
    if is_it == "of another database":
        stack.app.server.execute("CREATE TABLE IF NOT EXISTS orders AS SELECT 1 AS id", dbname="postgres")
    subprocess.run([*argv, "--file", str(dump), database], check=True, timeout=300)
    if is_it == "cut off":
        dump.write_bytes(dump.read_bytes()[:-100])
    elif is_it == "old":
        os.utime(dump, (time.time() - 2 * 86400,) * 2)
    elif is_it == "only in its name":
        dump.write_text("41 tables\n")


def acted(stack: Stack, **more: Any) -> dict[str, Any]:
    """What the module ``migration_action`` does."""
    return act(
        {
            **ACT, "name": "shop", "verb": "migrate", "migration": stack.app.entry(),
            "database": stack.app.server.reach(name=stack.app.database), **more,
        }
    )  # fmt: skip


# ---------------------------------------------------------------------- it fails halfway


def test_one_that_fails_in_a_transaction_is_told(make):
    stack = make(Alembic)
    stack.begin()
    good = stack.app.add("ALTER TABLE orders ADD note text")
    bad = stack.app.add("ALTER TABLE orders ADD half text", "ALTER TABLE nowhere ADD x int")
    told = stack.play(**HIGH)
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert f"applied: {good}; still pending: {bad}" in told.run["summary"]
    # The half of it is rolled back by the database.
    assert columns(stack) == ["id", "note"]
    assert told.run["actions"][0]["helped"] is False

    again = stack.judged()
    assert (again.causes, again.acts) == (["pending"], ["migrate"]), again.msg


@pytest.mark.parametrize("tool", [Alembic, Django, Knex])
def test_one_that_leaves_an_invalid_index(make, tool):
    stack = make(tool)
    stack.begin()
    stack.app.sql("INSERT INTO orders VALUES (1), (1)")
    name = stack.app.add("CREATE UNIQUE INDEX CONCURRENTLY orders_id ON orders (id)", transaction=False)
    with pytest.raises(Failed, match=r"left behind an invalid index.*DROP INDEX CONCURRENTLY public\.orders_id"):
        acted(stack, pending=[name])

    # It would fail again, of the name.
    again = stack.judged()
    assert (again.causes, again.acts) == (["index_not_valid", "pending"], []), again.msg

    stack.app.sql("DELETE FROM orders")
    stack.app.sql("DROP INDEX orders_id")
    assert acted(stack, pending=[name])["applied"] == [name]


def test_one_that_prisma_marks_as_failed(make):
    stack = make(Prisma)
    stack.begin()
    first, bad = stack.app.steps[0], stack.app.add("ALTER TABLE nowhere ADD note text")
    with pytest.raises(Failed, match=rf"applied: none; still pending: none; marked as failed: {bad}"):
        acted(stack, pending=[bad])
    later = stack.app.add("CREATE TABLE later (id int)")
    told = stack.judged()
    assert (told.causes, told.acts) == (["failed", "pending"], []), told.msg
    assert f"{bad} of shop: No such table: nowhere" in told.text

    # As the advice says: the file is mended, and prisma migrate resolve --rolled-back does this. That command knows the other engine only.
    stack.app.file(bad).write_text("ALTER TABLE orders ADD note text;\n")
    stack.app.sql(f"UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '{bad}'")
    assert acted(stack, pending=[bad, later])["applied"] == [bad, later]
    assert columns(stack) == ["id", "note"]

    # Its table has the checksum of each file.
    stack.app.file(first).write_text("CREATE TABLE orders (id bigint);\n")
    told = stack.judged()
    assert (told.causes, told.acts) == (["changed_afterwards"], []), told.msg
    assert first in told.text


def test_one_that_waits_for_a_lock_gives_up_and_holds_nobody_up(make):
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    with stack.app.server.connect("report", "app", dbname=stack.app.database, autocommit=False) as reader:
        reader.execute("SELECT * FROM orders")
        began = time.monotonic()
        with pytest.raises(Failed, match=r"lock timeout.*; applied: none; still pending: " + name):
            acted(stack, pending=[name], lock_timeout_seconds=1.0)
        assert time.monotonic() - began < 60
    assert columns(stack) == ["id"]


def test_one_statement_that_takes_too_long_is_cut_off(make):
    stack = make(Django)
    stack.begin()
    name = stack.app.add("SELECT pg_sleep(600)")
    with pytest.raises(Failed, match="canceling statement due to statement timeout"):
        acted(stack, pending=[name], statement_timeout_seconds=1.0)


def test_limits_that_do_not_reach_the_migration(make):
    """A driver that is given options by the settings reads no PGOPTIONS."""
    stack = make(Django)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    settings = stack.app.folder / "settings.py"
    text = settings.read_text()
    settings.write_text(text + 'DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=public"}\n')
    with pytest.raises(
        Refused, match=r"lock_timeout does not reach the migration.*timeouts_in_command.*nothing was done"
    ):
        acted(stack, pending=[name])
    assert columns(stack) == ["id"]
    # As it says.
    both = "-c search_path=public -c lock_timeout=5s -c statement_timeout=60s"
    settings.write_text(text + f'DATABASES["default"]["OPTIONS"] = {{"options": "{both}"}}\n')
    assert acted(stack, pending=[name], migration=stack.app.entry(timeouts_in_command=True))["applied"] == [name]


# ---------------------------------------------------------------------- what is in the way


def test_a_long_transaction_is_waited_for(make):
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    with stack.app.server.connect("report", "app", dbname=stack.app.database, autocommit=False) as reader:
        reader.execute("SELECT * FROM orders")
        time.sleep(1.5)
        told = stack.judged(migrations_long_transaction_seconds=1)
        assert (told.causes, told.acts) == (["held_up", "pending"], []), told.msg
        assert "(report of app from 127.0.0.1" in told.text
        with pytest.raises(Refused, match="would hold the migration up; nothing was done"):
            acted(stack, pending=[name], long_transaction_seconds=1.0)


def test_two_heads_are_no_matter_of_a_runbook(make):
    stack = make(Alembic)
    stack.begin()
    one = stack.app.add("ALTER TABLE orders ADD a text", name="0002_one", down="0001_step")
    two = stack.app.add("ALTER TABLE orders ADD b text", name="0002_two", down="0001_step")
    told = stack.judged()
    assert (told.causes, told.acts) == (["several_heads", "pending"], []), told.msg
    assert one in told.text
    assert two in told.text
    # Somebody who wants both says so.
    entry = stack.app.entry(migrate=[*stack.app.program(), "upgrade", "heads"])
    assert sorted(acted(stack, pending=[one, two], migration=entry)["applied"]) == [one, two]
    assert columns(stack) == ["a", "b", "id"]


def test_two_leaves_of_django(make):
    stack = make(Django)
    stack.begin()
    for name in ("0002_one", "0002_two"):
        stack.app.add("SELECT 1", name=name, after="0001_step")
    told = stack.judged()
    assert (told.causes, told.acts) == (["several_heads", "pending"], []), told.msg
    assert "shop.0002_one, shop.0002_two" in told.text


def test_migrations_that_django_has_squashed(make):
    """What was squashed has no row, and what it replaced has no file: the database is neither behind nor ahead."""
    stack = make(Django)
    stack.begin()
    stack.app.add("SELECT 1")
    stack.app.migrate()
    (folder,) = stack.app.folder.glob("*/migrations")
    squashed = "0001_squashed_0002"
    text = (folder / "0001_step.py").read_text()
    replaces = [("shop", name) for name in ("0001_step", "0002_step")]
    (folder / f"{squashed}.py").write_text(
        text.replace("    operations", f"    replaces = {replaces!r}\n    operations")
    )
    assert stack.judged().status == "healthy"
    name = stack.app.add("ALTER TABLE orders ADD note text", after=squashed)
    assert (stack.seen()["pending"], stack.judged().causes) == ([name], ["pending"])
    assert acted(stack, pending=[name])["applied"] == [name]
    # Now it has a row of its own.
    assert stack.judged().status == "healthy"


def test_a_history_that_django_finds_inconsistent(make):
    stack = make(Django)
    stack.begin()
    stack.app.add("SELECT 1")
    stack.app.add("SELECT 1")
    stack.app.migrate()
    stack.app.sql("DELETE FROM django_migrations WHERE name = '0002_step'")
    told = stack.judged()
    assert (told.causes, told.acts) == (["tool_refuses", "pending"], []), told.msg
    assert "InconsistentMigrationHistory" in told.text


# ---------------------------------------------------------------------- somebody else migrates, or did


def test_two_controllers_do_not_both_migrate(make):
    stack = make(Alembic)
    stack.begin()
    stack.app.add(SLOW, "CREATE TABLE IF NOT EXISTS times (id serial)", "INSERT INTO times DEFAULT VALUES")
    started = [stack.start(state=f"controller-{number}", **HIGH) for number in (1, 2)]
    plays = [one.wait() for one in started]
    helped = [play for play in plays if any(action["helped"] for action in play.run["actions"])]
    assert len(helped) == 1, [play.output for play in plays]
    (other,) = [play for play in plays if play not in helped]
    # It saw the other at work, or was kept away by its lock, or came when all was done.
    assert other.outcome in ("advised", "unresolved", "healthy"), other.output
    assert all(
        "; nothing was done" in str(one) or "another one migrates" in str(one) for one in other.run["actions"]
    ), other.output
    assert stack.app.sql("SELECT count(*) FROM times") == [(1,)]


def test_the_second_is_kept_away_by_the_lock(make):
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    with stack.app.server.connect("other", dbname=stack.app.database) as other:
        other.execute("SELECT pg_advisory_lock(1869505377, 1835624306)")
        with pytest.raises(Taken, match=r"another one migrates under the lock of oncall\.runbooks"):
            acted(stack, pending=[name])
        told = stack.judged()
        assert (told.causes, told.acts) == (["migrating_now"], []), told.msg
    assert columns(stack) == ["id"]


@pytest.mark.parametrize("also_the_module", [False, True], ids=["the play", "the play and its module"])
def test_kill_9_in_the_midst(make, also_the_module):
    """What is in progress comes to its end, and nobody else begins meanwhile."""
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add(SLOW, "ALTER TABLE orders ADD note text")
    started = stack.start(as_program=True, **HIGH)
    until(stack.at_work, 300)
    play = psutil.Process(started.process.pid)
    family = [
        play,
        *(one for one in play.children(recursive=True) if also_the_module and "alembic" not in " ".join(one.cmdline())),
    ]
    for one in family:
        one.kill()
    started.process.wait()
    assert stack.at_work()
    with pytest.raises(Taken):
        acted(stack, pending=[name])
    seen = stack.seen()
    assert [row["does"] for row in seen["working"]][:1] == ["holds the lock under which oncall.runbooks migrates"]

    until(lambda: "note" in columns(stack), 300)
    until(lambda: not stack.seen()["working"], 300)
    again = stack.play(**HIGH)
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output


def test_a_lock_row_that_survived(make):
    stack = make(Knex)
    stack.begin()
    # In a transaction, its lock row would be gone with it.
    name = stack.app.add("SELECT pg_sleep(600)", transaction=False)
    argv = [*stack.app.run_prefix(), *stack.app.program(), *stack.app.migrate_argv()]
    migrating = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(stack.at_work, 300)
    # It is at work, in no transaction: its lock is no left-over.
    until(lambda: stack.seen()["busy"], 300)
    busy = stack.judged(migrations_long_transaction_seconds=3600.0)
    assert (busy.causes, busy.acts) == (["lock_left", "pending"], []), busy.msg
    assert "may be the one" in busy.text
    with pytest.raises(Refused, match="may be the one; nothing was done"):
        acted(stack, verb="unlock")

    migrating.kill()
    migrating.wait()
    stack.app.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        user="postgres",
    )
    # Its mended file.
    (stack.app.folder / "migrations" / name).write_text(
        (stack.app.folder / "migrations" / name)
        .read_text()
        .replace("SELECT pg_sleep(600)", "ALTER TABLE orders ADD note text")
    )
    until(lambda: not stack.seen()["working"], 300)
    checked = stack.judged()
    assert (checked.causes, checked.acts) == (["lock_left", "pending"], ["unlock", "migrate"]), checked.msg
    assert stack.app.sql("SELECT is_locked FROM knex_migrations_lock") == [(1,)]

    fixed = stack.play(**HIGH)
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [
        ("unlock", True),
        ("migrate", True),
    ]
    assert stack.app.sql("SELECT is_locked FROM knex_migrations_lock") == [(0,)]
    assert columns(stack) == ["id", "note"]


# ---------------------------------------------------------------------- what looks the same and is something else


def test_an_application_that_was_rolled_back_has_nothing_pending(make):
    """Its errors say that a column does not exist: the database is newer than it."""
    stack = make(Alembic)
    stack.begin()
    newer = stack.app.add("ALTER TABLE orders DROP COLUMN id")
    stack.app.migrate()
    stack.app.remove(newer)
    told = stack.judged()
    assert (told.causes, told.acts) == (["database_ahead"], []), told.msg
    assert f"The database has what the image has not: shop: {newer}" in told.text


def test_an_application_of_knex_that_was_rolled_back(make):
    stack = make(Knex)
    stack.begin()
    newer = stack.app.add("ALTER TABLE orders ADD note text")
    stack.app.migrate()
    (stack.app.folder / "migrations" / newer).unlink()
    told = stack.judged()
    assert (told.causes, told.acts) == (["database_ahead"], []), told.msg


def test_a_standby_that_lags_has_nothing_pending(make):
    stack = make(Alembic)
    stack.begin()
    with standby(stack.app.server) as follower:
        follower.stand_still()
        stack.app.add("ALTER TABLE orders ADD note text")
        stack.app.migrate()
        assert follower.execute("SELECT version_num FROM alembic_version", dbname=stack.app.database) == [
            ("0001_step",)
        ]
        told = stack.judged(system_database=follower.reach(name=stack.app.database))
        assert (told.causes, told.acts) == (["asks_a_replica"], []), told.msg
    assert stack.judged().status == "healthy"


def test_a_tool_that_looks_at_another_database(make):
    stack, other = make(Alembic), make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    other.app.add(TABLE)
    other.app.add("ALTER TABLE orders ADD note text")
    other.app.migrate()
    entry = {
        **stack.app.entry(),
        "run": ["env", *(f"{key}={value}" for key, value in other.app.variables.items()), *stack.app.run_prefix()[:3]],
    }
    told = stack.judged(system_migrations={"shop": entry})
    assert (told.causes, told.acts) == (["another_database"], []), told.msg
    assert f"the tool is at {name}, and the table at 0001_step" in told.text


def test_settings_of_the_application_are_not_lost(make):
    """It finds its schema by PGOPTIONS, which limits for the migration would replace."""
    stack = make(Alembic)
    own = "-c search_path=tenant"
    stack.app.sql("CREATE SCHEMA tenant")
    stack.app.sql(f'ALTER ROLE app IN DATABASE "{stack.app.database}" RESET ALL', user="postgres")
    entry = {**stack.app.entry(), "run": [*stack.app.run_prefix(), f"PGOPTIONS={own}"]}
    stack.app.add(TABLE)
    argv = [*entry["run"], *stack.app.program(), *stack.app.migrate_argv()]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    stack.app.sql("GRANT USAGE ON SCHEMA tenant TO oncall")
    stack.app.sql("GRANT SELECT ON ALL TABLES IN SCHEMA tenant TO oncall")
    name = stack.app.add("ALTER TABLE orders ADD note text")
    with pytest.raises(Refused, match="the command sees another database than the one that is asked"):
        acted(stack, pending=[name], migration=entry)
    assert columns(stack) == ["id"]
    assert acted(stack, pending=[name], migration={**entry, "pgoptions": own})["applied"] == [name]
    assert stack.app.sql("SELECT table_schema FROM information_schema.columns WHERE column_name = 'note'") == [
        ("tenant",)
    ]


def test_a_database_in_which_nothing_was_ever_applied(make):
    stack = make(Alembic)
    stack.app.add(TABLE)
    told = stack.judged()
    assert (told.causes, told.acts) == (["never_applied"], []), told.msg
    assert columns(stack) == []


# ---------------------------------------------------------------------- bad input


PRINTS = {
    "it hangs": (["sleep", "600"], "had not ended within 20 s"),
    "garbage": (["head", "-c", "20000", "/dev/urandom"], "one name a line"),
    "an error": (["sh", "-c", "echo 'connection refused' >&2; exit 1"], "ended with exit code 1: connection refused"),
    "an error, and exit code 0": (["echo", "Error: Cannot find module 'knex'"], "one name a line"),
    "nothing": (["true"], "status names no migration"),
    "it is not there": (["/nowhere/status"], "No such file or directory"),
    "50 MB": (["head", "-c", "50000000", "/dev/zero"], "prints more than 1024 KiB"),
    "50 MB of names": (["sh", "-c", "yes 20260101_step | head -c 50000000"], "prints more than 1024 KiB"),
    "a name twice": (["printf", "a\\na\\n"], "it names a twice"),
    "a secret": (["sh", "-c", "echo 'FATAL: password=hunter2secret refused' >&2; exit 2"], "password=********"),
}


@pytest.mark.parametrize("which", PRINTS)
def test_a_command_that_tells_nothing_hides_nothing(make, which):
    argv, says = PRINTS[which]
    stack = make(Alembic)
    stack.app.sql("CREATE TABLE applied (name text)")
    stack.app.sql("INSERT INTO applied VALUES ('a')")
    stack.grant()
    entry = {
        "tool": "query",
        "status": argv,
        "statements": {"applied": "SELECT name FROM applied"},
        "migrate": ["true"],
    }
    told = stack.judged(
        system_migrations={"shop": entry}, migrations_timeout_seconds=20 if which == "it hangs" else 300
    )
    assert (told.status, told.acts) == ("unknown", []), told.msg
    assert says in told.text, told.msg
    assert "hunter2secret" not in told.text


def test_a_query_of_ones_own(make):
    stack = make(Alembic)
    stack.app.sql(
        "CREATE TABLE applied (name text, applied_at timestamptz DEFAULT now(), failed boolean DEFAULT false)"
    )
    stack.app.sql("INSERT INTO applied (name) VALUES ('one')")
    stack.grant()
    psql = ["psql", "-h", "127.0.0.1", "-p", str(stack.app.server.port), "-U", "app", "-d", stack.app.database, "-c"]
    entry = {
        "tool": "query", "status": ["printf", "one\\ntwo\\n"], "statements": {"applied": "SELECT name, applied_at, failed FROM applied WHERE name <> :but"},
        "parameters": {"but": "'; DROP TABLE applied; --"}, "migrate": [*psql, "INSERT INTO applied (name) VALUES ('two')"],
    }  # fmt: skip
    assert acted(stack, pending=["two"], migration=entry)["applied"] == ["two"]
    assert stack.app.sql("SELECT name FROM applied ORDER BY 1") == [("one",), ("two",)]

    stack.app.sql("UPDATE applied SET failed = true WHERE name = 'two'")
    told = stack.judged(system_migrations={"shop": entry})
    assert (told.causes, told.acts) == (["failed"], []), told.msg


SHAPES = {
    "golang-migrate": ("version bigint, dirty boolean", ""),
    "Ecto": ("version bigint, inserted_at timestamp", ""),
    "Rails": ("version varchar", "CREATE TABLE ar_internal_metadata (key varchar, value varchar)"),
    "dbmate": ("version varchar", ""),
    "none that is known": ("id int", ""),
}


@pytest.mark.parametrize("owner", SHAPES)
def test_four_tools_have_a_table_of_this_name(make, owner):
    stack = make(Alembic)
    shape, beside = SHAPES[owner]
    for statement in filter(None, (f"CREATE TABLE schema_migrations ({shape})", beside)):
        stack.app.sql(statement)
    stack.grant()
    for tool, called in (("rails", "Rails"), ("golang_migrate", "golang-migrate")):
        seen = stack.seen(system_migrations={"shop": {"tool": tool, "program": ["true"], "folder": "/nowhere"}})
        if called == owner:
            assert (seen["available"], seen["is_new"]) == (True, True)
        else:
            assert seen["available"] is False
            assert f"the table public.schema_migrations is that of {owner}, and not of {called}" in seen["reason"]


def test_a_table_without_its_columns_and_one_that_is_there_twice(make):
    stack = make(Alembic)
    stack.app.add(TABLE)
    stack.app.sql("CREATE TABLE alembic_version (id int)")
    stack.grant()
    assert "has no column version_num, so it is none of Alembic" in stack.seen()["reason"]
    stack.app.sql("CREATE SCHEMA other")
    stack.app.sql("CREATE TABLE other.alembic_version (version_num varchar(32))")
    assert "in several schemas (other, public); name one in schema" in stack.seen()["reason"]
    told = stack.judged()
    assert (told.status, told.acts) == ("unknown", []), told.msg


def test_a_role_that_may_not_read(make):
    stack = make(Alembic)
    stack.app.add(TABLE)
    stack.app.migrate()
    told = stack.judged()
    assert (told.status, told.acts) == ("unknown", []), told.msg
    assert "permission denied for table alembic_version" in told.text


def test_others_are_pending_by_now(make):
    stack = make(Alembic)
    stack.begin()
    name = stack.app.add("ALTER TABLE orders ADD note text")
    stack.app.add("DROP TABLE orders")
    with pytest.raises(Refused, match="other migrations are pending by now"):
        acted(stack, pending=[name])
    assert columns(stack) == ["id"]


def test_the_lock_in_a_container(make, tmp_path, monkeypatch):
    """The docker command stands in for one: it runs psql here, as docker runs it there."""
    stack = make(Alembic)
    stack.begin()
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\nshift\nwhile [ "$1" != database ]; do case $1 in -e) case $2 in *=*) export "$2";; esac; shift 2;; *) shift;; esac; done\nshift\nexec "$@"\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reach = {**stack.app.server.reach(name=stack.app.database), "transport": "docker", "container": "database"}
    name = stack.app.add("ALTER TABLE orders ADD note text")
    with stack.app.server.connect("other", dbname=stack.app.database) as other:
        other.execute("SELECT pg_advisory_lock(1869505377, 1835624306)")
        with pytest.raises(Taken):
            acted(stack, pending=[name], database=reach)
    assert acted(stack, pending=[name], database=reach)["applied"] == [name]
    until(lambda: not stack.seen()["working"], 300)
    with pytest.raises(DatabaseError):
        acted(stack, pending=[], database={**reach, "name": "nowhere"})

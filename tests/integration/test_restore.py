# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook restore on a real PostgreSQL, with a real application that has its sessions there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from modules import run_module

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.facts import facts, name_for
from ansible_collections.oncall.runbooks.tests.support.backup_stack import KEEPER, PASSWORD, Shop, quoted
from ansible_collections.oncall.runbooks.tests.support.plays import Player, on_host
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord, unload
from ansible_collections.oncall.runbooks.tests.support.waiting import until

HOUR = 3600
# It cannot run without its tables, and keeps a session as applications do.
APPLICATION = """
import sys, time, psycopg
connection = psycopg.connect(sys.argv[1], autocommit=True, application_name="shop-api")
connection.execute("SELECT count(*) FROM users")
if len(sys.argv) > 2:
    connection.execute(f"SELECT 1 FROM {sys.argv[2]}")
while True:
    connection.execute("SELECT 1")
    time.sleep(0.2)
"""
PROGRAM = """[program:api]
command={command}
startsecs=2
startretries=0
autorestart=false
stopwaitsecs=5
redirect_stderr=true
stdout_logfile={log}
"""
CONFIRMED = {"restore_from": "newest", "restore_confirm": "shop", "run_max_risk": "high"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        for statement in KEEPER:
            running.execute(statement, dbname="postgres")
        yield running


@pytest.fixture(scope="module")
def supervisord() -> Iterator[Supervisord]:
    running = Supervisord()
    try:
        running.wait_for(idle="STOPPED")
        yield running
    finally:
        running.stop()


class Stack(Shop):
    """The shop with its application."""

    def __init__(self, postgres: Server, folder: Path, supervisord: Supervisord) -> None:
        super().__init__(postgres, folder)
        self.supervisord = supervisord
        self.program = supervisord.home / "api.py"
        self.program.write_text(APPLICATION)
        self.fill()
        self.run_application()

    def run_application(self, *needs: str) -> None:
        """Have supervisord run the application, which may need one more table."""
        place = f"host=127.0.0.1 port={self.postgres.port} dbname=shop user=app"
        command = shlex.join([sys.executable, str(self.program), place, *needs])
        settings = self.supervisord.home / "conf.d" / "api.conf"
        settings.write_text(PROGRAM.format(command=command, log=self.supervisord.home / "api.log"))
        self.supervisord.rpc("reloadConfig")
        if any(one["name"] == "api" for one in self.supervisord.rpc("getAllProcessInfo")):
            unload(self.supervisord.rpc, "api")
        self.supervisord.rpc("addProcessGroup", "api")
        self.supervisord.wait_for(api="RUNNING")

    def variables(self, **more: Any) -> dict[str, Any]:
        services = {"api": self.supervisord.service("api")}
        return {**super().variables(services=["api"], **more), "system_services": services}

    def users(self, database: str | None = None) -> int:
        ((count,),) = self.sql("SELECT count(*) FROM users", database=database)
        return count


@pytest.fixture
def stack(postgres, supervisord, tmp_path) -> Iterator[Stack]:
    found = Stack(postgres, tmp_path, supervisord)
    yield found
    found.clear()


@pytest.fixture
def play(stack, tmp_path):
    return on_host(tmp_path, "restore", stack.variables())


@pytest.mark.covers("PD-9-1")
def test_what_was_lost_comes_back_and_the_way_back_is_there(stack, play):
    stack.sql("ALTER DATABASE shop SET work_mem = '8MB'; COMMENT ON DATABASE shop IS 'the shop'")
    stack.dump("shop_1.pgc", "-Fc", age_seconds=HOUR)
    stack.sql(
        "DELETE FROM orders; DELETE FROM users WHERE id > 10; INSERT INTO users (name) VALUES ('after the backup')"
    )
    pid = stack.supervisord.rpc("getProcessInfo", "api")["pid"]

    asked = play(restore_from="newest")
    assert (asked.code, asked.outcome, asked.causes()) == (0, "advised", ["not_confirmed"]), asked.output
    assert "how long it takes is not known" in asked.run["summary"]
    checked = play("--check", **CONFIRMED)
    assert (checked.outcome, checked.causes()) == ("planned", ["restore_requested"]), checked.output
    # Its risk is high: without a word on that nothing is done.
    blocked = play(**{**CONFIRMED, "run_max_risk": "medium"})
    assert (blocked.code, blocked.outcome) == (2, "blocked"), blocked.output
    assert (stack.users(), stack.databases(), len(stack.files())) == (11, [], 1)
    assert stack.supervisord.rpc("getProcessInfo", "api")["pid"] == pid

    done = play(**CONFIRMED)
    assert (done.code, done.outcome) == (0, "resolved"), done.output
    (action,) = done.run["actions"]
    assert (action["remedy"], action["helped"], action["details"]["rows"]) == ("restore", True, 600)
    assert stack.users() == 300
    assert PASSWORD not in done.output + stack.log.read_text()
    (kept,) = stack.databases()
    assert kept == action["details"]["kept_as"]
    assert stack.users(kept) == 11
    # A dump of what was there is kept as well.
    (safety,) = [name for name in stack.files() if name.startswith("oncall_before_restore_")]
    assert action["details"]["safety_dump"].endswith(safety)
    # Owners, privileges, settings and sequences are those of before.
    assert stack.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'users'") == [("app",)]
    assert stack.sql("SELECT has_table_privilege('oncall', 'users', 'SELECT')") == [(True,)]
    assert stack.sql("SHOW work_mem") == [("8MB",)]
    assert stack.sql("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'") == [
        ("the shop",)
    ]
    assert stack.sql("INSERT INTO users (name) VALUES ('next') RETURNING id") == [(301,)]
    assert stack.supervisord.state("api") == "RUNNING"

    again = play(**CONFIRMED)
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    assert kept in again.run["summary"]

    back = play(restore_back=True, restore_confirm="shop", run_max_risk="high")
    assert (back.code, back.outcome, back.causes()) == (0, "resolved", ["take_back"]), back.output
    assert stack.users() == 11
    assert stack.supervisord.state("api") == "RUNNING"
    (put_aside,) = stack.databases()
    assert (put_aside.startswith("oncall_failed_"), stack.users(put_aside)) == (True, 301)


def test_an_application_that_does_not_start_gets_its_database_back(stack, play):
    stack.dump("shop_1.pgc", "-Fc")
    # A table of a later release, without which the application does not start.
    stack.sql("CREATE TABLE later (id serial PRIMARY KEY); CREATE INDEX ON later ((id + 1))")
    stack.run_application("later")
    told = play(**CONFIRMED)
    assert (told.outcome, told.causes()) == ("advised", ["would_lose"]), told.output
    assert "public.later" in told.run["summary"]

    undone = play(**CONFIRMED, restore_accepted=["public.later"])
    assert (undone.code, undone.outcome) == (2, "unresolved"), undone.output
    assert stack.sql("SELECT count(*) FROM later") == [(0,)]
    assert stack.supervisord.state("api") == "RUNNING"
    assert [name[:14] for name in stack.databases()] == ["oncall_failed_"]


@pytest.mark.parametrize("damage", ["rows", "owner"])
def test_what_was_not_restored_right_is_not_put_to_use(stack, play, damage):
    stack.dump("shop_1.pgc", "-Fc")
    # A pg_restore that leaves something out, and ends well.
    option = "--no-owner" if damage == "owner" else "--exclude-schema=nothing"
    real = stack.programs / "pg_restore"
    text = real.read_text().replace('"$@"', f'{option} "$@"')
    if damage == "rows":
        text = text.replace("exec ", 'case "$*" in *--dbname*) set -- --table=users "$@";; esac\nexec ')
    real.write_text(text)
    failed = play(**CONFIRMED)
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    said = "was not restored" if damage == "rows" else "belongs to keeper"
    assert said in failed.output
    assert (stack.users(), stack.databases()) == (300, [])
    assert stack.supervisord.state("api") == "RUNNING"
    # It was not the fault of the backup, so that it is no worse for it.
    stack.wrap("pg_restore")
    again = play("--check", **CONFIRMED)
    assert (again.outcome, again.causes()) == ("planned", ["restore_requested"]), again.output


def test_a_run_that_is_killed_has_changed_nothing(stack, tmp_path, play):
    stack.dump("shop_1.pgc", "-Fc")
    stack.sql("DELETE FROM orders")
    stack.wrap("pg_restore", before='case "$*" in *--dbname*) sleep 60;; esac')
    player = Player(tmp_path, tmp_path / "killed")
    (tmp_path / "killed").mkdir()
    inventory = tmp_path / "inventory.json"
    started = player.start(
        "-i", str(inventory), playbook="playbooks/restore.yml", as_program=True, run_hosts="stack", **CONFIRMED
    )
    until(stack.databases, 240)
    until(lambda: "--dbname" in stack.log.read_text(), 120)
    whole = [psutil.Process(started.process.pid), *psutil.Process(started.process.pid).children(recursive=True)]
    for process in whole:
        process.kill()
    started.process.wait(30)
    assert (stack.sql("SELECT count(*) FROM orders"), stack.users()) == ([(0,)], 300)
    assert stack.supervisord.state("api") == "RUNNING"
    stack.wrap("pg_restore")

    told = play("--check")
    assert (told.outcome, told.causes()) == ("planned", ["left_over"]), told.output
    assert "shop was not touched; no service was stopped" in told.run["summary"]
    # The ledger does not know that it is dead: a person says so.
    refused = play(**CONFIRMED)
    assert (refused.code, refused.outcome) == (2, "blocked"), refused.output
    run_id = re.search(r"state: release and run_id: (\w+)", refused.output)
    assert run_id, refused.output
    ledger = str(tmp_path / "oncall" / "ledger.sqlite3")
    assert run_module("ledger", tmp_path, path=ledger, state="release", run_id=run_id[1])[0] == 0
    done = play(**CONFIRMED, run_override="it was killed")
    assert (done.code, done.outcome) == (0, "resolved"), done.output
    assert stack.sql("SELECT count(*) FROM orders") == [(300,)]
    assert len(stack.databases()) == 1


def test_what_is_left_is_cleaned_up_without_a_restore(stack, play, tmp_path):
    stack.dump("shop_1.pgc", "-Fc")
    made = {"database": stack.reach(), "backup": "nightly", "identity": "1", "file": "shop_1.pgc"}
    assert run_module("postgres_restore", tmp_path, state="created", **made)[0] == 0
    assert run_module("postgres_restore", tmp_path, state="marked", stage="stopping", database=stack.reach())[0] == 0
    stack.supervisord.rpc("stopProcess", "api")
    done = play()
    assert (done.code, done.outcome, done.causes()) == (0, "resolved", ["left_over"]), done.output
    assert (stack.databases(), stack.supervisord.state("api")) == ([], "RUNNING")


def test_of_two_restores_at_once_one_is_refused(stack, tmp_path):
    made = {"state": "created", "database": stack.reach(), "backup": "nightly", "identity": "1", "file": "shop_1.pgc"}
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _number: run_module("postgres_restore", tmp_path, **made), range(4)))
    assert sorted(code for code, _ in ended) == [0, 1, 1, 1], ended
    assert all("another restore of shop" in result["msg"] for code, result in ended if code)
    assert len(stack.databases()) == 1


def test_a_run_that_was_killed_before_it_marked_its_database_is_no_dead_end(stack, tmp_path):
    stack.sql(f"CREATE DATABASE {name_for('new', 'shop')} OWNER app", "postgres", "postgres")
    told = facts(stack.reach(transport="psycopg"), 60)
    assert [(one["is"], one["of"], one["name"]) for one in told["restores"]] == [
        ("new", "shop", name_for("new", "shop"))
    ]
    drop = {"state": "dropped", "name": name_for("new", "shop"), "database": stack.reach()}
    assert run_module("postgres_restore", tmp_path, **drop)[0] == 0
    assert facts(stack.reach(transport="psycopg"), 60)["restores"] == []


def test_applications_that_connect_again_at_once_do_not_hold_it_up(stack, tmp_path):
    """They are in no service of the inventory, so nobody stops them."""
    made = {"database": stack.reach(), "backup": "nightly", "identity": "1", "file": "shop_1.pgc"}
    assert run_module("postgres_restore", tmp_path, state="created", **made)[0] == 0
    over, seen = threading.Event(), []

    def again_and_again() -> None:
        while not over.is_set():
            try:
                with stack.postgres.connect("another", "app", dbname="shop") as connection:
                    while not over.is_set():
                        connection.execute("SELECT 1")
            except psycopg.Error as error:
                seen.append(str(error))

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(again_and_again) for _number in range(8)]
        try:
            until(
                lambda: stack.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'another'")[0][0] == 8
            )
            code, result = run_module("postgres_restore", tmp_path, state="swapped", database=stack.reach())
        finally:
            over.set()
    assert code == 0, result
    assert [client.result() for client in clients] == [None] * 8
    assert seen, "nobody was ended"
    assert result["name"] in stack.databases()


def test_a_superuser_in_the_database_is_named_and_not_ended(stack, tmp_path):
    made = {"database": stack.reach(), "backup": "nightly", "identity": "1", "file": "shop_1.pgc"}
    assert run_module("postgres_restore", tmp_path, state="created", **made)[0] == 0
    with stack.postgres.connect("psql", "postgres") as person:
        code, result = run_module("postgres_restore", tmp_path, state="swapped", database=stack.reach())
        assert (code, "postgres (psql)" in result["msg"]) == (1, True), result
        assert person.execute("SELECT 1").fetchone() == (1,)
    assert stack.users() == 300


def test_only_what_a_restore_made_is_dropped(stack, tmp_path):
    for name in ("shop", "postgres", "oncall_new_000000000000"):
        if name.startswith("oncall"):
            stack.sql(f"CREATE DATABASE {name} OWNER app", "postgres", "postgres")
        code, result = run_module("postgres_restore", tmp_path, state="dropped", name=name, database=stack.reach())
        assert (code, "is left alone" in result["msg"]) == (1, True), result
    assert stack.users() == 300


def test_no_room_for_the_dump_for_safety(stack, play, tmp_path):
    stack.dump("shop_1.pgc", "-Fc")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        (disk / "filler").write_bytes(b"\0" * 60 * 1024)
        failed = play(**CONFIRMED, restore_safety_folder=str(disk))
        assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
        assert "there is no room for a dump" in failed.output
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert (stack.users(), stack.databases()) == (300, [])


OF_ITS_OWN = (
    "ALTER DATABASE {name} SET work_mem = '8MB'",
    "ALTER DATABASE {name} SET search_path = public, 'a b'",
    "ALTER DATABASE {name} CONNECTION LIMIT 40",
    "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {name} TO oncall WITH GRANT OPTION",
)


def dressed(shop: Shop) -> None:
    """What belongs to the database itself is otherwise than by default."""
    for statement in OF_ITS_OWN:
        shop.sql(statement.format(name=quoted(shop.name)), "postgres", "postgres")


def belongs(shop: Shop) -> dict[str, Any]:
    """What belongs to the database itself."""
    given = "(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)"
    columns = f"pg_get_userbyid(datdba), datconnlimit, {given}, pg_encoding_to_char(encoding), datcollate, datctype"
    rows = shop.sql(
        f"SELECT {columns} FROM pg_database WHERE oid = (SELECT datid FROM pg_stat_activity WHERE pid = pg_backend_pid())"
    )
    settings = "SELECT r.rolname, s.setconfig FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole"
    ours = " WHERE s.setdatabase = (SELECT datid FROM pg_stat_activity WHERE pid = pg_backend_pid()) ORDER BY 1"
    owners = "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    rights = "SELECT relname, relacl::text FROM pg_class WHERE relname IN ('users', 'users_id_seq') ORDER BY 1"
    return {
        "database": rows,
        "settings": shop.sql(settings + ours),
        "tables": shop.sql(owners),
        "rights": shop.sql(rights),
        "extensions": shop.sql("SELECT extname FROM pg_extension ORDER BY 1"),
    }


def test_a_database_that_was_dropped(stack, play):
    dressed(stack)
    stack.dump("shop_1.pgc", "-Fc")
    before = belongs(stack)
    assert before["database"][0][0] == "app"
    stack.supervisord.rpc("stopProcess", "api")
    stack.sql("DROP DATABASE shop", "postgres", "postgres")
    checked = play("--check", **CONFIRMED)
    assert checked.outcome == "planned" and "it gets the owner app, by the backup" in checked.run["summary"], (
        checked.output
    )
    done = play(**CONFIRMED)
    assert (done.code, done.outcome) == (0, "resolved"), done.output
    assert (stack.users(), stack.databases()) == (300, [])
    assert belongs(stack) == before
    assert stack.sql("INSERT INTO users (name) VALUES ('next') RETURNING id") == [(301,)]
    assert stack.supervisord.state("api") == "RUNNING"
    again = play(**CONFIRMED)
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output


def test_a_database_that_was_dropped_and_cannot_be_restored_leaves_all_as_it_was(stack, play):
    stack.dump("shop_1.pgc", "-Fc")
    stack.supervisord.rpc("stopProcess", "api")
    stack.sql("DROP DATABASE shop", "postgres", "postgres")
    stack.wrap("pg_restore", before='case "$*" in *--dbname*) echo "pg_restore: error: no luck" >&2; exit 1;; esac')
    failed = play(**CONFIRMED)
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    (action,) = failed.run["actions"]
    # What did not run before is not started: without its database it cannot.
    assert (action["state"], stack.supervisord.state("api"), stack.databases()) == ("rolled_back", "STOPPED", [])
    assert "the restore of shop_1.pgc into oncall_new_" in failed.run["summary"] and "no luck" in failed.run["summary"]


def test_a_database_with_a_name_of_its_own(postgres, tmp_path):
    """It is restored beside itself, and once more when it is gone."""
    strange = Shop(postgres, tmp_path, "we\"ird 'db' a=b")
    strange.fill()
    dressed(strange)
    strange.dump("shop_1.pgc", "-Fc")
    before = belongs(strange)
    confirmed = {**CONFIRMED, "restore_confirm": strange.name}
    played = on_host(tmp_path, "restore", strange.variables())
    try:
        strange.sql("DELETE FROM orders")
        done = played(**confirmed)
        assert (done.code, done.outcome) == (0, "resolved"), done.output
        assert (strange.sql("SELECT count(*) FROM orders"), belongs(strange)) == ([(300,)], before)
        strange.sql(f"DROP DATABASE {quoted(strange.name)} WITH (FORCE)", "postgres", "postgres")
        again = played(**confirmed)
        assert (again.code, again.outcome) == (0, "resolved"), again.output
        assert (strange.sql("SELECT count(*) FROM orders"), belongs(strange)) == ([(300,)], before)
    finally:
        for name in (strange.name, *strange.databases()):
            strange.sql(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)", "postgres", "postgres")


def test_what_was_kept_of_a_database_tells_what_its_dump_does_not(stack, tmp_path):
    """A dump in SQL has its tables, and nothing of the database itself."""
    dressed(stack)
    before = belongs(stack)["database"]
    state = str(tmp_path / "state")
    made = {"backup": "nightly", "identity": "1", "file": "shop_1.sql", "state_directory": state}

    def asked(state: str, **more: Any) -> tuple[int, dict[str, Any]]:
        return run_module("postgres_restore", tmp_path, state=state, database=stack.reach(), **{**made, **more})

    stack.supervisord.rpc("stopProcess", "api")
    assert asked("kept")[0] == 0
    stack.sql("DROP DATABASE shop", "postgres", "postgres")
    # What is not there is not kept, and what was kept stays.
    code, nothing_there = asked("kept")
    assert (code, nothing_there["changed"], nothing_there["why"]) == (0, False, "there is no database shop")
    code, refused = asked("created", backup="another")
    assert (code, "whose it was; give its backup an owner in system_backups" in refused["msg"]) == (1, True), refused
    assert stack.databases() == []
    for state_of_it in ("created", "dressed", "swapped"):
        code, result = asked(state_of_it)
        assert code == 0, result
    assert belongs(stack)["database"] == before

    stack.sql("DROP DATABASE shop", "postgres", "postgres")
    code, result = asked("created", backup="another", owner="oncall")
    assert code == 1 and "oncall" in result["msg"], (
        "keeper is no member of that role, so it cannot make a database of its"
    )
    assert asked("created", backup="another", owner="app")[0] == 0
    (name,) = stack.databases()
    assert stack.sql(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'", database=name) == [
        ("app",)
    ]


def test_what_a_role_may_not_give_is_named(stack, tmp_path):
    stack.sql("ALTER ROLE oncall IN DATABASE shop SET work_mem = '9MB'", "postgres", "postgres")
    made = {"backup": "nightly", "identity": "1", "file": "shop_1.pgc", "database": stack.reach()}
    assert run_module("postgres_restore", tmp_path, state="created", **made)[0] == 0
    code, result = run_module("postgres_restore", tmp_path, state="dressed", **made)
    assert code == 1, result
    assert "does not get the setting work_mem of oncall, which shop had: " in result["msg"]
    assert "9MB" not in result["msg"]


def test_what_others_may_write_to_is_not_restored(stack, play):
    path = stack.dump("shop_1.pgc", "-Fc")
    path.chmod(0o666)
    failed = play(**CONFIRMED)
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    assert "it is not restored from there" in failed.output
    assert (stack.users(), stack.databases()) == (300, [])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of earlier and later versions, on SQLite and on a real PostgreSQL: what was found -> what becomes of it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.stores import RELEASED, as_released, connected, content, execute
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall import OncallError
from oncall.cli import main
from oncall.incidents.store.tables import INCIDENTS
from oncall.serve.store import schema
from oncall.serve.store.engine import FILE, url_of
from oncall.serve.store.statements import Store
from oncall.serve.store.tables import METADATA

ROOT = Path(__file__).resolve().parents[2]
LATER = ROOT / "tests" / "support" / "migrations" / "v0004_one_that_comes_later.py"
NOBODY = 65534


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """An empty database."""
    return url_of(request.getfixturevalue("database") if request.param == "postgresql" else "", str(tmp_path / "state"))


@pytest.fixture
def sqlite(tmp_path) -> str:
    """An empty database, of SQLite."""
    return url_of("", str(tmp_path / "state"))


@pytest.fixture
def later(tmp_path, monkeypatch) -> Callable[..., Path]:
    """A function that makes this program one that knows a later schema, whose migration ends as it is told."""

    def know(end: str = "", folder: Path = tmp_path / "migrations") -> Path:
        folder.mkdir(exist_ok=True)
        (folder / LATER.name).write_text(f"{LATER.read_text()}    {end}\n")
        monkeypatch.setattr(schema, "SCRIPT_FOLDERS", [schema.MIGRATIONS / "versions", folder])
        monkeypatch.setattr(schema, "VERSION", "0004")
        return folder

    return know


def migrating(url: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    """Another process that migrates to the later schema."""
    program = (
        "import sys; from pathlib import Path; from oncall.serve.store import schema\n"
        "schema.SCRIPT_FOLDERS.append(Path(sys.argv[2])); schema.VERSION = '0004'\n"
        "print(schema.migrate(sys.argv[1]).done())"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, url, str(folder)], cwd=ROOT, **pipes, **options)


def copies(url: str) -> list[Path]:
    """The backups beside the file of SQLite."""
    return sorted(Path(sa.make_url(url).database or "").parent.glob(f"{FILE}.schema-*"))


def says(url: str) -> str:
    """Why the database is refused, in one line, by a start, by its check and by every other command alike."""
    told = set()
    for refused in (schema.migrate, schema.look):
        with pytest.raises(OncallError) as raised:
            refused(url)
        told.add(str(raised.value))
    (line,) = told
    assert "\n" not in line and "password" not in line
    return line


# ---------------------------------------------------------------------- models and migrations
def test_every_change_of_a_table_has_its_migration(url):
    schema.migrate(url)
    with connected(url) as connection:
        assert INCIDENTS.metadata is METADATA
        assert schema.differences(connection, METADATA) == []
    scripts = ScriptDirectory.from_config(schema._config())
    assert scripts.get_heads() == [schema.VERSION]
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"v{script.revision}_")


CHANGES: dict[str, tuple[Callable[[sa.MetaData], Any], str]] = {
    "a new table": (lambda tables: sa.Table("oncall_new", tables, sa.Column("id", sa.Text)), "oncall_new is missing"),
    "a new column": (
        lambda tables: tables.tables["oncall_runs"].append_column(sa.Column("more", sa.Text)),
        "oncall_runs.more is missing",
    ),
    "one column less": (
        lambda tables: tables.tables["oncall_control"]._columns.remove(tables.tables["oncall_control"].c.value),
        "oncall_control.value is too much",
    ),
    "another type": (
        lambda tables: setattr(tables.tables["oncall_runs"].c.node, "type", sa.Integer()),
        "oncall_runs.node is another one",
    ),
    "may be empty": (
        lambda tables: setattr(tables.tables["oncall_runs"].c.node, "nullable", True),
        "oncall_runs.node is another one",
    ),
    "a new index": (
        lambda tables: sa.Index("oncall_new_index", tables.tables["oncall_runs"].c.node),
        "oncall_runs.oncall_new_index is missing",
    ),
    "one index less": (
        lambda tables: tables.tables["oncall_runs"].indexes.clear(),
        "oncall_runs.oncall_runs_open is too much",
    ),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
def test_a_forgotten_migration_is_noticed(sqlite, change, told):
    schema.migrate(sqlite)
    tables = sa.MetaData()
    for table in METADATA.tables.values():
        table.to_metadata(tables)
    change(tables)
    with connected(sqlite) as connection:
        assert told in schema.differences(connection, tables)


SQLITE_INBOX = (
    "CREATE TABLE oncall_inbox (id INTEGER NOT NULL PRIMARY KEY, received_at FLOAT NOT NULL, alerts BLOB NOT NULL)"
)
SQLITE_REMEDIES = (
    "CREATE TABLE oncall_remedies (run TEXT NOT NULL, runbook TEXT NOT NULL, host TEXT NOT NULL, helped BOOLEAN NOT NULL,"
    " at FLOAT NOT NULL, PRIMARY KEY (run))"
)


@pytest.mark.parametrize(
    ("on_sqlite", "on_postgresql", "told"),
    [
        (
            f"DROP TABLE oncall_inbox; {SQLITE_INBOX}",
            "ALTER TABLE oncall_inbox ALTER COLUMN id DROP DEFAULT",
            "oncall_inbox does not number its rows",
        ),
        (
            f"DROP TABLE oncall_remedies; {SQLITE_REMEDIES}",
            "ALTER TABLE oncall_remedies DROP CONSTRAINT oncall_remedies_pkey, ADD PRIMARY KEY (run)",
            "the primary key of oncall_remedies is not run, runbook",
        ),
    ],
    ids=["numbers", "key"],
)
def test_what_alembic_does_not_compare_is_compared_too(url, on_sqlite, on_postgresql, told):
    as_released(url)
    execute(url, on_sqlite if url.startswith("sqlite") else on_postgresql)
    assert told in says(url)


def test_nothing_migrates_back(sqlite, later):
    later()
    schema.migrate(sqlite)
    assert not [
        one
        for one in ScriptDirectory.from_config(schema._config()).walk_revisions()
        if hasattr(one.module, "downgrade")
    ]


# ---------------------------------------------------------------------- from every released version
def test_every_released_version_has_a_database_here():
    released = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert sorted(RELEASED) == sorted(released)


@pytest.mark.parametrize("released", RELEASED)
def test_what_a_released_version_kept_is_there(url, released):
    as_released(url, released)
    before = content(url)
    assert all(table["rows"] for table in before.values())
    told = schema.look(url)
    assert str(told) == "the database is one of oncall 0.1.0 (schema 0001); a start migrates it to schema 0003"
    assert content(url) == before
    assert schema.migrate(url) == told
    after = content(url)
    assert after.pop("oncall_schema")["rows"] == ["('0003',)"]
    new = (
        "oncall_nodes",
        "oncall_shares",
        "oncall_timeline",
        "oncall_incidents",
        "oncall_incident_terms",
        "oncall_incident_parts",
        "oncall_outbox",
    )
    assert [after.pop(name)["rows"] for name in new] == [[]] * len(new)
    assert after == before
    assert len(copies(url)) == url.startswith("sqlite")
    assert str(schema.look(url)) == "the database has schema 0003, as this oncall needs"

    store = Store(url)
    try:
        states = {one["host"]: one["state"] for one in store.episodes()}
        assert states == {"h000": "ended", "h001": "waiting", "h002": "running", "h003": "queued"}
        assert store.controls()["paused"][0] == "storage is moved (ann)"
        store.keep([b"one more"])
        # The number of a row that is gone is not given again.
        assert [row[0] for row in store.inbox(9)] == [2, 3, 4]
        assert store.change("b" * 20, "waiting", {"state": "queued"})
    finally:
        store.close()


@pytest.mark.parametrize("released", RELEASED)
def test_and_moves_along_to_what_comes_later(url, released, later):
    as_released(url, released)
    before = content(url)
    later()
    assert (
        str(schema.look(url)) == "the database is one of oncall 0.1.0 (schema 0001); a start migrates it to schema 0004"
    )
    assert content(url) == before
    assert schema.migrate(url).done() == "the database is migrated from schema 0001 to 0004"
    after = content(url)
    assert after["oncall_schema"]["rows"] == ["('0004',)"]
    assert [name for name, _type, _nullable in after["oncall_runs"]["columns"]][-1] == "attempt"
    assert "oncall_runs_open" not in dict(after["oncall_runs"]["indexes"])
    assert [row.count("'moved h00") for row in after["oncall_episodes"]["rows"]] == [1] * 4
    assert len(after["oncall_pages"]["rows"]) == 4
    untouched = ("oncall_control", "oncall_inbox", "oncall_quarantine", "oncall_remedies")
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    if url.startswith("sqlite"):
        (copy,) = copies(url)
        assert re.fullmatch(re.escape(FILE) + r"\.schema-0001\.\d{8}T\d{6}\.\d{6}Z", copy.name)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert content(f"sqlite:///{copy}") == before
    assert schema.migrate(url).is_needed is False
    assert content(url) == after


def test_what_is_new_is_made_at_once(url, later):
    later()
    assert str(schema.look(url)) == "the database is empty; a start makes its tables (schema 0004)"
    assert schema.migrate(url).done() == "the tables of the database are made (schema 0004)"
    assert content(url)["oncall_schema"]["rows"] == ["('0004',)"]
    assert copies(url) == []


def test_tables_of_others_are_left_alone(database):
    execute(
        database, "CREATE TABLE oncall_shifts (id integer); CREATE SCHEMA dbos; CREATE TABLE dbos.oncall_runs (x text)"
    )
    as_released(database)
    schema.migrate(database)
    with connected(database) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM dbos.oncall_runs, oncall_shifts")) == 0


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE oncall_runs ADD COLUMN more TEXT", "oncall_runs.more is too much"),
        (
            "ALTER TABLE oncall_runs RENAME COLUMN node TO place",
            "oncall_runs.node is missing; oncall_runs.place is too much",
        ),
        ("DROP INDEX oncall_runs_open", "oncall_runs.oncall_runs_open is missing"),
        ("DROP TABLE oncall_control", "oncall_control is missing"),
        ("CREATE INDEX more ON oncall_runs (node)", "oncall_runs.more is too much"),
    ],
    ids=["column", "name", "index", "table", "more"],
)
def test_tables_that_nobody_knows_are_refused(url, statement, told):
    as_released(url)
    execute(url, statement)
    before = content(url)
    line = says(url)
    assert "has no schema version, and its tables are not those of oncall 0.1.0" in line and told in line, line
    assert content(url) == before


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("0004", "has schema 0004, and this oncall knows schemas up to 0003; use the newer oncall that migrated it"),
        ("deadbeef", "has schema 'deadbeef', which is none of oncall"),
    ],
)
def test_a_version_that_is_not_known_is_refused(url, version, told):
    schema.migrate(url)
    execute(url, f"UPDATE oncall_schema SET version_num = '{version}'")
    before = content(url)
    assert told in says(url)
    with pytest.raises(OncallError) as raised:
        Store(url)
    assert told in str(raised.value)
    assert content(url) == before


def test_what_runs_stops_when_another_node_has_migrated(url, later):
    schema.migrate(url)
    store = Store(url)
    try:
        later()
        schema.migrate(url)
        schema.VERSION = "0003"
        with pytest.raises(OncallError, match="has schema 0004, and this oncall knows schemas up to 0003"):
            store.check_schema()
    finally:
        store.close()


COMMANDS = {
    "episodes": [], "episode": ["bbbb"], "approve": ["bbbb"], "reject": ["bbbb", "--reason", "x"], "cancel": ["bbbb"],
    "pause": ["--reason", "x"], "resume": [], "quarantine": [], "proven": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("", "has no schema version"),
        (
            "UPDATE oncall_schema SET version_num = '0000'",
            "has schema 0000, and this oncall needs 0003; restart oncall serve",
        ),
        ("UPDATE oncall_schema SET version_num = '0004'", "knows schemas up to 0003"),
    ],
    ids=["as 0.1.0 made it", "older", "newer"],
)
def test_every_other_command_says_so_and_changes_nothing(tmp_path, made, told):
    serving = Serving(tmp_path)
    url = url_of("", str(tmp_path / "state"))
    as_released(url)
    if made:
        schema.migrate(url)
        execute(url, made)
    before = content(url)
    for name, arguments in COMMANDS.items():
        ended = CliRunner().invoke(main, [name, *arguments, "-c", str(serving.file)])
        assert (ended.exit_code, ended.stdout, len(ended.stderr.splitlines())) == (64, "", 1), (name, ended)
        assert told in ended.stderr, name
    assert content(url) == before


# ---------------------------------------------------------------------- what fails
def test_a_migration_that_fails_leaves_all_as_it_was(url, later):
    as_released(url)
    before = content(url)
    later("raise ValueError('no such luck')")
    with pytest.raises(OncallError) as raised:
        schema.migrate(url)
    line = str(raised.value)
    assert "from schema 0001 to 0004: no such luck; it is as it was" in line and "\n" not in line
    assert content(url) == before
    assert copies(url) == []
    later()
    assert schema.migrate(url).found == "0001"


def test_one_that_is_killed_in_the_midst_leaves_all_as_it_was(url, later, tmp_path):
    as_released(url)
    before = content(url)
    reached = tmp_path / "reached"
    folder = later(f"import pathlib, time; pathlib.Path({str(reached)!r}).touch(); time.sleep(60)")
    with migrating(url, folder) as process:
        until(reached.exists, seconds=60)
        process.kill()
    assert content(url) == before
    later()
    schema.migrate(url)
    assert content(url)["oncall_schema"]["rows"] == ["('0004',)"]


def test_several_at_once_do_it_once(url, later):
    as_released(url)
    folder = later("import time; time.sleep(0.5)")
    several = [migrating(url, folder) for _ in range(4)]
    told = [process.communicate(timeout=60) for process in several]
    assert [process.returncode for process in several] == [0] * 4, told
    assert sorted(out.strip() for out, _ in told).count("the database is migrated from schema 0001 to 0004") == 1
    assert len(content(url)["oncall_pages"]["rows"]) == 4
    assert len(copies(url)) == url.startswith("sqlite")


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A folder that also a user without rights can reach."""
    folder = Path(tempfile.mkdtemp(prefix="oncall-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def in_a_child(attempt: Callable[[], Any], before: Callable[[], None]) -> str:
    """What an attempt says in a process that may do less than this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before()
            told = str(attempt())
        except OncallError as error:
            told = str(error)
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def given_to_nobody(folder: Path) -> None:
    for path in (folder, *folder.iterdir()):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("read_only", ["file", "folder", "copy"])
def test_without_rights_nothing_is_changed(nobodys_folder, sqlite, later, read_only):
    url = f"sqlite:///{nobodys_folder / FILE}"
    as_released(url)
    before = content(url)
    later(folder=nobodys_folder / "migrations")
    # What Python imports late has to be there before the rights are gone.
    as_released(sqlite)
    schema.migrate(sqlite)
    with closing(sqlite3.connect(nobodys_folder / FILE)) as reader:
        if read_only == "copy":
            # With the files of the WAL there, it can be written to, and nothing be put beside it.
            reader.execute("SELECT count(*) FROM oncall_runs").fetchone()
        given_to_nobody(nobodys_folder)
        (nobodys_folder / FILE).chmod(0o400 if read_only == "file" else 0o600)
        nobodys_folder.chmod(0o755 if read_only == "file" else 0o555)
        told = in_a_child(lambda: schema.migrate(url), as_nobody)
        nobodys_folder.chmod(0o755)
    expected = {
        "file": "attempt to write a readonly database",
        "folder": "attempt to write a readonly database",
        "copy": "before its migration: Permission denied; nothing was migrated",
    }
    assert expected[read_only] in told and "\n" not in told, told
    assert content(url) == before
    assert copies(url) == []


def test_without_room_for_the_copy_nothing_is_changed(sqlite, later):
    as_released(sqlite)
    before = content(sqlite)
    later()

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    told = in_a_child(lambda: schema.migrate(sqlite), little_room)
    assert "cannot copy the database to" in told and "nothing was migrated. Make room there" in told, told
    assert "\n" not in told
    assert content(sqlite) == before
    assert copies(sqlite) == []


def test_a_database_that_can_only_be_read_is_one_line(database, later):
    as_released(database)
    before = content(database)
    later()
    name = database.rpartition("/")[2]
    execute(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(OncallError) as raised:
        schema.migrate(database)
    assert "cannot execute" in str(raised.value) and "read-only transaction" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert content(database) == before


# ---------------------------------------------------------------------- the service
def test_a_start_takes_over_what_0_1_0_left(tmp_path):
    serving = Serving(tmp_path, runbooks={"cache": {"mode": "suggest"}})
    url = url_of("", str(tmp_path / "state"))
    as_released(url)
    before = content(url)
    checked = serving.command("serve", "--check")
    assert checked.returncode == 0, checked
    assert checked.stdout.splitlines()[1:] == [
        "the database is one of oncall 0.1.0 (schema 0001); a start migrates it to schema 0003"
    ]
    assert content(url) == before
    try:
        serving.start()
        assert "the database is migrated from schema 0001 to 0003" in serving.log.read_text()
        assert serving.send(alert("h000", number=1)) == 202
        listed = serving.command("episodes", "--json")
        assert listed.returncode == 0 and "b" * 20 in listed.stdout
        again = serving.command("serve", "--check")
        assert again.stdout.splitlines()[1:] == ["the database has schema 0003, as this oncall needs"]
    finally:
        serving.stop()


def test_two_nodes_that_start_at_once_take_it_over_once(tmp_path, database):
    as_released(database)
    folders = [tmp_path / name for name in ("north", "south")]
    for folder in folders:
        folder.mkdir()
    north = Serving(folders[0], database=database, node="north")
    both = [north, north.beside(folders[1], node="south")]
    try:
        with ThreadPoolExecutor(2) as threads:
            [*threads.map(Serving.start, both)]
        told = [node.log.read_text().count("is migrated from schema 0001 to 0003") for node in both]
        assert sorted(told) == [0, 1]
        assert [node.get("/readyz")[0] for node in both] == [200, 200]
    finally:
        for node in both:
            node.stop()


def test_a_start_on_a_newer_database_is_one_line(tmp_path):
    serving = Serving(tmp_path)
    url = url_of("", str(tmp_path / "state"))
    schema.migrate(url)
    execute(url, "UPDATE oncall_schema SET version_num = '0004'")
    for arguments in (["serve"], ["serve", "--check"]):
        ended = serving.command(*arguments)
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (64, "", 1), ended
        assert "knows schemas up to 0003; use the newer oncall" in ended.stderr

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook backup on real dumps of a real PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.backup_stack import KEEPER, PASSWORD, Shop
from ansible_collections.oncall.runbooks.tests.support.plays import Play, on_host
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server

HOUR = 3600
ODD_NAME = "shop_\n\"quoted\" 'name' $(touch never) .pgc"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        for statement in KEEPER:
            running.execute(statement, dbname="postgres")
        yield running


@pytest.fixture
def shop(postgres, tmp_path) -> Shop:
    found = Shop(postgres, tmp_path)
    found.fill()
    return found


@pytest.fixture
def play(shop, tmp_path):
    return on_host(tmp_path, "backup", shop.variables())


def no_secret_is_shown(played: Play, shop: Shop) -> None:
    assert PASSWORD not in played.output
    assert played.record and PASSWORD not in played.record.read_text()
    assert PASSWORD not in shop.log.read_text()


@pytest.mark.covers("LP-8-1", "LP-8-2", "PD-4-1")
def test_one_is_made_where_the_newest_is_too_old(shop, play):
    old = shop.dump("shop_old.pgc", "-Fc", age_seconds=30 * HOUR)
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["stale"]), checked.output
    assert shop.files() == [old.name]

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["stale"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"]) == ("make_backup", True)
    (new,) = set(shop.files()) - {old.name}
    assert (shop.folder / new).stat().st_mode & 0o777 == 0o600
    assert "pg_dump" in shop.log.read_text() and "a password" in shop.log.read_text()
    no_secret_is_shown(fixed, shop)

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert f"{new} is " in again.run["summary"]
    assert "proven: tables, 600 rows in 3 tables" in again.run["summary"]
    assert len(shop.files()) == 2


@pytest.mark.parametrize(
    ("pattern", "begins"), [("shop_*.sql", b"--"), ("shop_*.sql.gz", b"\x1f\x8b"), ("shop_*.dump", b"PGDMP")]
)
def test_it_is_made_in_the_format_of_its_name(shop, play, pattern, begins):
    fixed = play(**shop.variables(pattern=pattern))
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["stale"]), fixed.output
    (new,) = shop.files()
    assert (shop.folder / new).read_bytes().startswith(begins)
    assert Path(new).match(pattern)


@pytest.mark.covers("LP-8-3")
def test_one_that_is_cut_off_is_no_backup(shop, play):
    for number in range(3):
        shop.dump(f"shop_{number}.pgc", "-Fc", age_seconds=(26 + number) * HOUR)
    broken = shop.dump("shop_9.pgc", "-Fc")
    broken.write_bytes(broken.read_bytes()[:-600])
    fixed = play()
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["broken_backup"]), fixed.output
    assert "end of file" in fixed.run["summary"] or any("end of file" in str(one) for one in fixed.run["findings"])
    # It is kept: what is deleted is decided elsewhere.
    assert broken.exists() and len(shop.files()) == 5


@pytest.mark.covers("LP-8-4")
def test_tables_that_fail_are_named_and_nothing_is_made(shop, play):
    shop.dump("shop_1.pgc", "-Fc", "--exclude-table=orders")
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["tables_missing"]), told.output
    assert "public.orders" in told.run["summary"]
    assert shop.files() == ["shop_1.pgc"]


def test_data_that_was_truncated_is_for_a_person(shop, play):
    shop.sql("INSERT INTO users (name) SELECT md5(n::text) FROM generate_series(1, 20000) n")
    for number in range(3):
        shop.dump(f"shop_{number}.pgc", "-Fc", age_seconds=(26 + number) * HOUR)
    shop.sql("DELETE FROM orders; DELETE FROM users WHERE id > 5")
    shop.dump("shop_9.pgc", "-Fc")
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["shrunk"]), told.output
    assert len(shop.files()) == 4


def test_a_fresh_one_of_another_database(shop, play):
    shop.dump("shop_1.pgc", "-Fc", database="postgres")
    told = play()
    assert (told.outcome, told.causes()) == ("advised", ["of_another_database"]), told.output
    assert "of the database postgres, and should be of shop" in told.run["summary"]


def test_a_dump_that_fails_leaves_nothing_under_a_name_that_counts(shop, play):
    shop.wrap("pg_dump", before="echo 'pg_dump: error: out of disk' >&2; exit 3")
    failed = play()
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    assert "out of disk" in failed.output
    assert shop.files() == []
    told = play("--check")
    assert "the last one that was made from here failed: pg_dump: error: out of disk" in told.run["summary"], (
        told.output
    )


def test_a_dump_that_ends_well_and_is_not_whole_gets_no_name(shop, play):
    real = "head -c 2000 /dev/zero; exit 0"
    shop.wrap("pg_dump", before=real)
    failed = play()
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    assert "it does not begin as a dump of PostgreSQL does" in failed.output
    assert shop.files() == []


@pytest.mark.covers("LP-8-2", "LP-8-3")
def test_the_script_of_the_system(shop, play, tmp_path):
    script = tmp_path / "backup.sh"
    script.write_text("#!/bin/sh\necho 'could not connect to server' >&2\nexit 0\n")
    script.chmod(0o755)
    variables = shop.variables(command=[str(script)])
    # Exit code 0 is no backup.
    failed = play(**variables)
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output

    target = shop.folder / "shop_by_script.pgc"
    pg_dump = f"pg_dump -Fc -h 127.0.0.1 -p {shop.postgres.port} -U keeper -d shop"
    script.write_text(f"#!/bin/sh\nset -e\n{pg_dump} > '{target}'\n")
    fixed = play(**variables)
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert shop.files() == [target.name]


@pytest.mark.covers("LP-8-5")
def test_a_schedule_that_is_missing_is_put_in_place(shop, play, tmp_path):
    shop.dump("shop_1.pgc", "-Fc")
    cron_file = tmp_path / "oncall-backup"
    command = ["/app/scripts/backup.sh", "--keep", "90%"]
    schedule = {"command": command, "at": "0 3 * * *", "cron_file": str(cron_file), "log": "/var/log/backup.log"}
    variables = shop.variables(schedule=schedule)
    checked = play("--check", **variables)
    assert (checked.outcome, checked.causes()) == ("planned", ["not_scheduled"]), checked.output
    assert not cron_file.exists()

    # What comes after it fails, so it is taken back.
    bogus = {"backup": "nightly", "name": "x", "path": str(tmp_path / "x"), "identity": "x"}
    later: dict[str, Any] = {
        "later": {
            "when": "true",
            "conclusive": "true",
            "summary": "later",
            "remedy": "try_restore",
            "risk": "low",
            "targets": [bogus],
        }
    }
    undone = play(backup_extra_causes=later, **variables)
    assert (undone.outcome, undone.causes()) == ("unresolved", ["not_scheduled", "later"]), undone.output
    assert next((one["remedy"], one["state"]) for one in undone.run["actions"]) == (
        "put_schedule_in_place",
        "rolled_back",
    )
    assert cron_file.read_text() == ""

    fixed = play(**variables)
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["not_scheduled"]), fixed.output
    written = cron_file.read_text()
    assert written == "0 3 * * * root /app/scripts/backup.sh --keep 90\\% >> /var/log/backup.log 2>&1\n"

    again = play(**variables)
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    assert cron_file.read_text() == written


@pytest.mark.covers("LP-8-1")
@pytest.mark.parametrize("form", [["-Fc"], ["-Ft"], ["-Fp"], ["-Fp", "-Z6"]], ids=["archive", "tar", "plain", "packed"])
def test_it_is_restored_as_a_test_whatever_its_format_and_its_name(shop, play, form):
    shop.dump(ODD_NAME, *form)
    fixed = play(backup_drill_days=7)
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["not_tried"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["details"]["rows"], action["details"]["tables"]) == (600, 3)
    assert shop.databases() == []
    no_secret_is_shown(fixed, shop)

    again = play(backup_drill_days=7)
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    assert "proven: restored" in again.run["summary"]


def test_one_that_cannot_be_restored_is_found_by_trying(shop, play):
    # Whole, and of a role that is not here: nothing but a restore tells.
    shop.sql("CREATE ROLE gone NOLOGIN; GRANT SELECT ON users TO gone", "postgres")
    shop.dump("shop_1.pgc", "-Fc")
    shop.sql("DROP OWNED BY gone; DROP ROLE gone", "postgres")
    failed = play(backup_drill_days=7)
    assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
    assert shop.databases() == []
    told = play(backup_drill_days=7)
    assert (told.outcome, told.causes()) == ("advised", ["restore_failed"]), told.output
    assert 'role "gone" does not exist' in told.run["summary"]


def test_a_database_that_is_down_is_another_runbooks(shop, play, postgres):
    shop.dump("shop_1.pgc", "-Fc", age_seconds=30 * HOUR)
    postgres.stop()
    try:
        told = play("--check")
        assert "backup" in [run["runbook"] for run in told.runs], told.output
        (own,) = [run for run in told.runs if run["runbook"] == "backup"]
        assert [one["cause"] for one in own["findings"] if one["status"] == "problem"] == ["database_down"]
    finally:
        postgres.start()


def test_a_database_with_a_name_of_its_own(postgres, tmp_path):
    strange = Shop(postgres, tmp_path, "we\"ird 'db' a=b")
    strange.fill()
    played = on_host(tmp_path, "backup", strange.variables())
    try:
        fixed = played()
        assert (fixed.outcome, fixed.causes()) == ("resolved", ["stale"]), fixed.output
        assert len(strange.files()) == 1
        tried = played(backup_drill_days=7)
        assert (tried.outcome, tried.causes()) == ("resolved", ["not_tried"]), tried.output
    finally:
        postgres.execute('DROP DATABASE "we""ird \'db\' a=b" WITH (FORCE)', dbname="postgres")


def test_a_dump_that_fills_the_disk_leaves_nothing_on_it(shop, play, tmp_path):
    """What is kept of the failure is on the same disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        shop.wrap("pg_dump", before="cat /dev/zero; exit 1")
        variables = {**shop.variables(path=str(disk)), "system_state_directory": str(disk / "state")}
        failed = play(**variables)
        assert (failed.code, failed.outcome) == (2, "unresolved"), failed.output
        assert sorted(path.name for path in disk.iterdir()) == ["state"]
        shop.wrap("pg_dump")
        fixed = play(**variables)
        assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_room(shop, play, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        (disk / "filler").write_bytes(b"\0" * 1000 * 1000)
        told = play(**shop.variables(path=str(disk)))
        assert (told.outcome, told.causes()) == ("advised", ["no_room"]), told.output
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)

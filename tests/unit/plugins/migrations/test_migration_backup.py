# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup counts before a migration, and what shows that it is verified."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.spec import described
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.backup import is_of, known, standing
from ansible_collections.oncall.runbooks.tests.support.backups import END, dump

SHOP = {"host": "10.0.0.5", "name": "shop"}
DAY = 86400.0


def of(tmp_path: Path, **backup: Any) -> dict[str, Any]:
    """What is known of a set, with these options of ``backup``."""
    given = {"backups": {}, "names": [], "state_directory": str(tmp_path / "oncall"), **backup}
    params = {"backup": given, "database": None, "read_seconds": 20.0, "timeout_seconds": 5.0}
    return standing({"one": {"reach": SHOP}}, params)["one"]


def folder(tmp_path: Path, content: bytes, age_seconds: float = 60.0, **more: Any) -> dict[str, Any]:
    """A backup of shop whose newest file has this in it."""
    path = tmp_path / "backups"
    path.mkdir(exist_ok=True)
    file = path / "shop.sql"
    file.write_bytes(content)
    os.utime(file, (file.stat().st_mtime - age_seconds,) * 2)
    # Its database is not asked: it has the port of nobody.
    return {"path": str(path), "pattern": "*.sql", "database": {**SHOP, "host": "127.0.0.1", "port": 1}, **more}


@pytest.mark.parametrize(
    ("backup", "reach", "is_it"),
    [
        ({"database": SHOP}, SHOP, True),
        ({"database": {**SHOP, "port": 5432}}, SHOP, True),
        ({"database": {**SHOP, "port": 5433}}, SHOP, False),
        ({"database": {**SHOP, "name": "billing"}}, SHOP, False),
        ({"database": {**SHOP, "host": "10.0.0.6"}}, SHOP, False),
        ({"database": {"name": "shop"}}, {"host": "127.0.0.1", "name": "shop"}, True),
        # The same server has one name for docker and another for a driver.
        ({"database": {"transport": "docker", "container": "db", "name": "shop"}}, SHOP, True),
        ({"database": {"transport": "docker", "container": "db", "name": "billing"}}, SHOP, False),
        (
            {"database": {"transport": "docker", "container": "db", "name": "shop"}},
            {"transport": "docker", "container": "db-2", "name": "shop"},
            False,
        ),
        # A copy of a whole server has every database of it.
        ({"kind": "pgbackrest", "database": {**SHOP, "name": "postgres"}}, SHOP, True),
        ({"kind": "pgbackrest", "database": {**SHOP, "host": "10.0.0.6"}}, SHOP, False),
        ({"kind": "wal_g"}, SHOP, False),
    ],
)
def test_which_backup_is_of_a_database(backup, reach, is_it):
    if "kind" not in backup:
        backup = {**backup, "path": "/backups", "pattern": "*.sql"}
    assert is_of(described("nightly", backup, {}), reach) is is_it


def test_a_whole_one_counts(tmp_path):
    told = of(tmp_path, backups={"nightly": folder(tmp_path, dump(orders=2))}, names=["nightly"])
    assert (told["is_recent"], told["reason"], told["by"]) == (True, "", "nightly")
    assert told["age_seconds"] == pytest.approx(60, abs=30)


@pytest.mark.parametrize(
    ("content", "more", "says"),
    [
        (dump(end="", orders=2), {}, "is not proven: its last line is not that of a whole dump"),
        (b"", {}, "is not proven: it is empty (0 bytes)"),
        (dump(orders=2), {"tables": ["users"]}, "is not proven: not in it: public.users"),
        (dump(orders=0), {"tables": ["orders"]}, "has no row where some should be"),
        (dump(database="billing", orders=2), {}, "is of the database billing"),
        (dump(orders=2), {"age_seconds": 2 * DAY}, "is 48.0 h old, and may be 26.0 h old"),
        (dump(orders=2), {"age_seconds": 7200, "max_age_seconds": 3600}, "is 2.0 h old, and may be 1.0 h old"),
        (dump(orders=2), {"age_seconds": -7200}, "is from the future"),
    ],
)
def test_any_other_does_not(tmp_path, content, more, says):
    told = of(tmp_path, backups={"nightly": folder(tmp_path, content, **more)}, names=["nightly"])
    assert (told["is_recent"], told["by"]) == (False, "")
    assert told["reason"].startswith("no backup is verified: nightly: shop.sql ") or says.startswith("is of")
    assert says in told["reason"]
    assert told["reason"].endswith("run the runbook backup")


def test_one_of_two_is_enough_and_one_of_another_database_is_not_asked(tmp_path):
    whole = folder(tmp_path, dump(orders=2))
    other = {"path": str(tmp_path / "nowhere"), "pattern": "*.sql", "database": whole["database"]}
    assert of(tmp_path, backups={"a": other, "b": whole}, names=["a", "b"])["by"] == "b"
    found = of(tmp_path, backups={"a": {**whole, "database": {"host": "10.0.0.9", "name": "billing"}}})
    assert found["reason"].startswith("no backup of system_backups is of the database shop")


@pytest.mark.parametrize(
    ("backup", "says"),
    [
        ({}, "no backup of system_backups is of the database shop, and migrations_backup names no file"),
        ({"names": ["weekly"]}, "migrations_backup names weekly, which is not in system_backups"),
        ({"backups": {"nightly": {"path": "/backups"}}}, "backup nightly: kind files needs pattern"),
        ({"backups": {"nightly": "yes"}}, "backup nightly must be a dict"),
        ({"backups": {"cache": {"kind": "redis"}}}, "no backup of system_backups is of the database shop"),
    ],
)
def test_what_is_not_described_shows_nothing(tmp_path, backup, says):
    told = of(tmp_path, **backup)
    assert told["is_recent"] is False
    assert says in told["reason"]


ITSELF = {
    "custom": b"PGDMP\x01\x0e",
    "gzip": gzip.compress(b"x", mtime=0),
    "plain": dump(orders=1),
    "only its end": END.encode(),
    "encrypted": b"\xc3\x0d\x04\x09",
}


@pytest.mark.parametrize("content", ITSELF.values(), ids=ITSELF)
def test_the_time_of_a_backup_itself_shows_nothing(tmp_path, content):
    file = tmp_path / "shop.dump"
    file.write_bytes(content)
    told = of(tmp_path, file=str(file))
    assert told["is_recent"] is False
    assert "is a backup itself" in told["reason"]


@pytest.mark.parametrize("content", ["41 tables\n", "Übersicht: 41 Tabellen\n", "{}"])
def test_what_a_verification_leaves_behind(tmp_path, content):
    file = tmp_path / "verified"
    assert "No such file" in known(str(file), DAY)["reason"]
    file.write_text(content)
    assert known(str(file), DAY) == {
        "is_recent": True,
        "age_seconds": pytest.approx(0, abs=30),
        "reason": "",
        "by": str(file),
    }
    os.utime(file, (1, 1))
    assert "h old" in of(tmp_path, file=str(file))["reason"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite has to be able to do: the version that Python has -> whether the service starts."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from oncall import OncallError
from oncall.serve.play import workflows
from oncall.serve.store.engine import check_sqlite


@pytest.mark.parametrize(
    ("version", "database", "starts"),
    [
        ((3, 34, 1), "", False),
        ((3, 34, 1), "postgresql://db.example/oncall", True),
        ((3, 35, 0), "", True),
        ((3, 40, 1), "", True),
        ((3, 53, 0), "", True),
    ],
    ids=["RHEL 9", "RHEL 9 with PostgreSQL", "the oldest", "Debian 12", "a new one"],
)
def test_a_sqlite_that_is_too_old_is_one_line(monkeypatch, version, database, starts):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))
    if starts:
        check_sqlite(database)
        return
    with pytest.raises(OncallError) as raised:
        check_sqlite(database)
    line = str(raised.value)
    assert "has SQLite 3.34.1, and oncall serve needs 3.35 or later; name a PostgreSQL" in line and "\n" not in line


def test_every_sqlite_knows_the_time_that_dbos_asks_for():
    with closing(sqlite3.connect(":memory:", factory=workflows._Connection)) as connection:
        connection.execute("CREATE TABLE runs (at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))")
        connection.execute("INSERT INTO runs DEFAULT VALUES")
        ((at,),) = connection.execute("SELECT at FROM runs")
    assert abs(at / 1000 - time.time()) < 60

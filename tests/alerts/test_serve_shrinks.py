# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of what was dropped is given back, and what comes meanwhile is acknowledged as ever."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.serve.store import schema, shrink
from oncall.serve.store.engine import FILE, WORKFLOWS_FILE, engine, url_of
from oncall.serve.store.watched import Database

MEBIBYTE = 1024 * 1024
SPARE = shrink.SPARE_BYTES // MEBIBYTE


def mebibytes(file: Path) -> float:
    return file.stat().st_size / MEBIBYTE


def fill(folder: Path, size: int, name: str = FILE) -> Path:
    """Put so many mebibytes into a table, and take them out again."""
    file = folder / name
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE large (content)")
        for _ in range(size):
            connection.execute("INSERT INTO large VALUES (zeroblob(?))", [MEBIBYTE])
        connection.execute("DELETE FROM large")
        connection.execute("DROP TABLE large")
    return file


def test_a_service_gives_back_what_has_ended_and_answers_meanwhile(tmp_path):
    serving = Serving(tmp_path)
    try:
        url = url_of("", str(tmp_path / "state"))
        schema.migrate(url)
        # As a version before this one has left it behind.
        file = fill(tmp_path / "state", 64)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
        assert mebibytes(file) > 60
        serving.start()
        assert mebibytes(file) < SPARE
        # And while it runs.
        fill(tmp_path / "state", 36)
        waited: list[float] = []
        assert mebibytes(file) > 34

        def shrunk() -> bool:
            began = time.monotonic()
            assert serving.send(alert("nobody", len(waited))) == 202
            waited.append(time.monotonic() - began)
            return mebibytes(file) < SPARE + 2

        until(shrunk)
        # As long as a busy machine takes, and much less than to write all of it anew for each.
        assert max(waited) < 2
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        serving.stop()


@pytest.mark.parametrize("name", [FILE, WORKFLOWS_FILE])
@pytest.mark.parametrize("new", [True, False])
def test_a_file_shrinks_new_or_old(tmp_path, name, new):
    url_of("", str(tmp_path))
    if not new:
        fill(tmp_path, 1, name)
    shrink.prepare(str(tmp_path))
    file = fill(tmp_path, 40, name)
    assert mebibytes(file) > 38
    until(lambda: shrink.shrink(str(tmp_path), 0.5) or mebibytes(file) < SPARE + 1)
    size = mebibytes(file)
    shrink.shrink(str(tmp_path), 0.5)
    assert mebibytes(file) == size > SPARE - 1


def test_a_log_that_was_large_is_cut(tmp_path):
    url = url_of("", str(tmp_path))
    made = engine(url)
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE large (content)")
        connection.exec_driver_sql("INSERT INTO large VALUES (zeroblob(40000000))")
    log = tmp_path / f"{FILE}-wal"
    assert mebibytes(log) > 30
    database = Database(tmp_path / FILE)
    assert database.checkpoint()
    for number in range(2):
        with made.begin() as connection:
            connection.exec_driver_sql("INSERT INTO large VALUES (?)", (number,))
    assert mebibytes(log) <= 17
    made.dispose()
    database.close(is_sound=True)


def test_what_cannot_be_written_anew_stays_as_it_is(tmp_path, monkeypatch, caplog):
    url_of("", str(tmp_path))
    file = fill(tmp_path, 3)
    before = file.read_bytes()
    room = os.statvfs_result((4096, 4096, 100, 10, 10, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: room)
    shrink.prepare(str(tmp_path))
    shrink.shrink(str(tmp_path), 0.1)
    assert file.read_bytes() == before
    assert "has no room to write its 3 MiB anew" in caplog.text


def test_somebody_who_writes_is_not_kept_waiting(tmp_path):
    url_of("", str(tmp_path))
    shrink.prepare(str(tmp_path))
    file = fill(tmp_path, 40)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        shrink.shrink(str(tmp_path), 0.2)
        other.execute("ROLLBACK")
    assert mebibytes(file) > 38


def test_where_there_is_no_file_none_is_made(tmp_path):
    shrink.prepare(str(tmp_path))
    shrink.shrink(str(tmp_path), 0.1)
    assert [*tmp_path.iterdir()] == []

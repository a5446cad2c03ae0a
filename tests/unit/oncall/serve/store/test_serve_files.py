# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody does to the files of the state directory -> whether anything is still acknowledged, and what the next start finds."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from oncall import OncallError
from oncall.serve.store import engine as engine_module
from oncall.serve.store import schema, shrink, wal, watched
from oncall.serve.store.engine import FILE, LOCK_FILE, WORKFLOWS_FILE, _next, engine, sqlite_url, url_of
from oncall.serve.store.files import LARGE_LOG_BYTES, Files
from oncall.serve.store.statements import Store
from oncall.serve.store.written import WRITTEN_FILE, check_before_start, lost

LOG = f"{FILE}-wal"
# Of each notification; a few fill a page.
BODY = b"x" * 1000


class Kept:
    """A store and its files, as a service has them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count, self.is_open = folder, 0, True
        url = url_of("", str(folder))
        schema.migrate(url)
        shrink.prepare(str(folder))
        self.files = Files(str(folder))
        self.store = Store(url, self.files)

    def keep(self, count: int = 20) -> None:
        for _ in range(count):
            self.store.keep([BODY])
            self.count += 1

    def refuses(self, match: str) -> None:
        """Nothing is acknowledged, however often it is tried and whoever asks first."""
        for _ in range(2):
            with pytest.raises(OncallError, match=match):
                self.store.keep([BODY])
            with pytest.raises(OncallError, match=match):
                self.files.look()
        assert self.files.alarm and "\n" not in self.files.alarm and str(self.folder) not in self.files.alarm

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.store.close()
            self.files.close()


@pytest.fixture
def kept(tmp_path) -> Iterator[Kept]:
    made = Kept(tmp_path / "state")
    try:
        yield made
    finally:
        made.close()


def as_after_a_kill(folder: Path) -> Path:
    """The files as they are under their names."""
    copy = folder.with_name("killed")
    shutil.copytree(folder, copy)
    (copy / f"{FILE}-shm").unlink(missing_ok=True)
    return copy


def found(folder: Path, name: str = FILE) -> int:
    """How many notifications a start would find."""
    with closing(sqlite3.connect(folder / name)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM oncall_inbox").fetchone()[0])


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}


def cut(file: Path, size: int) -> None:
    os.truncate(file, size)


def overwrite(file: Path, at: int, what: bytes = b"\xa5" * 512) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(what)


def older(kept: Kept) -> Path:
    """A whole copy of what is there now."""
    copy = kept.folder.with_name("older.sqlite3")
    with closing(sqlite3.connect(kept.folder / FILE)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def test_what_nobody_touches_is_kept_and_looked_at(kept):
    kept.keep(300)
    kept.files.turn()
    kept.keep(5)
    kept.files.tidy()
    kept.keep(5)
    with closing(sqlite3.connect(kept.folder / FILE)) as connection:
        # Somebody looks.
        connection.execute("SELECT * FROM oncall_inbox").fetchall()
    kept.keep(5)
    killed = as_after_a_kill(kept.folder)
    check_before_start(str(killed))
    assert found(killed) == 315 == kept.count


# ---------------------------------------------------------------------------- names
@pytest.mark.parametrize("name", [LOG, f"{FILE}-shm", FILE, WORKFLOWS_FILE, LOCK_FILE])
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_name_that_is_gone_or_of_another_file_ends_it(kept, name, how):
    kept.keep()
    file = kept.folder / name
    other = file.with_name("other")
    shutil.copyfile(file, other)
    file.unlink()
    if how == "replaced":
        other.rename(file)
    kept.refuses(f"{name} was {how}.*see who did it, then restart the service")


def test_of_a_log_without_a_name_all_is_in_the_file(kept):
    kept.keep()
    (kept.folder / LOG).unlink()
    lost_without = as_after_a_kill(kept.folder)
    with pytest.raises(OncallError, match=f"{FILE} lacks the last 20 of 2. writes"):
        check_before_start(str(lost_without))
    assert found(lost_without) == 0
    shutil.rmtree(lost_without)
    kept.refuses(f"{LOG} was removed; all is saved in {FILE};")
    killed = as_after_a_kill(kept.folder)
    check_before_start(str(killed))
    assert found(killed) == 20


def test_an_older_log_in_its_place_is_put_aside(kept):
    kept.keep()
    log = kept.folder / LOG
    shutil.copyfile(log, log.with_name("older"))
    kept.keep()
    log.with_name("older").rename(log)
    kept.refuses(f"{LOG} was replaced; all is saved in {FILE}, and the other {LOG} is {LOG}.foreign.* now")
    assert [*kept.folder.glob(f"{LOG}.foreign.*")]
    killed = as_after_a_kill(kept.folder)
    check_before_start(str(killed))
    assert found(killed) == 40


def test_of_a_file_without_a_name_there_is_a_copy(kept):
    kept.keep()
    kept.files.tidy()
    kept.keep()
    (kept.folder / FILE).unlink()
    kept.refuses(f"{FILE} was removed; all is saved in {FILE}.rescued")
    (copy,) = kept.folder.glob(f"{FILE}.rescued.*")
    assert copy.stat().st_mode & 0o077 == 0
    killed = as_after_a_kill(kept.folder)
    with pytest.raises(OncallError, match=f"{FILE} is missing, and {LOG} and {WRITTEN_FILE} of it are there"):
        check_before_start(str(killed))
    # As the line says.
    (killed / LOG).unlink()
    (killed / copy.name).rename(killed / FILE)
    check_before_start(str(killed))
    assert found(killed) == 40


# ---------------------------------------------------------------------------- contents
@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        (LOG, lambda file: cut(file, 0), f"{LOG} was emptied"),
        (LOG, lambda file: cut(file, 32), f"{LOG} was cut"),
        (LOG, lambda file: cut(file, file.stat().st_size - 5000), f"{LOG} was cut"),
        (LOG, lambda file: cut(file, file.stat().st_size - 1), f"{LOG} was cut"),
        (LOG, lambda file: overwrite(file, 0), f"{LOG} was overwritten"),
        (LOG, lambda file: overwrite(file, 20_000), f"{LOG} was overwritten"),
        (LOG, lambda file: overwrite(file, file.stat().st_size - 4120), f"{LOG} was overwritten"),
        (FILE, lambda file: cut(file, 0), f"{FILE} was emptied"),
        (FILE, lambda file: cut(file, 8192), f"{FILE} was changed by another program and is damaged"),
        (FILE, lambda file: overwrite(file, 0), f"{FILE} was overwritten"),
        (WORKFLOWS_FILE, lambda file: cut(file, 0), f"{WORKFLOWS_FILE} was emptied"),
        (WORKFLOWS_FILE, lambda file: overwrite(file, 0), f"{WORKFLOWS_FILE} was overwritten"),
    ],
)  # fmt: skip
def test_what_was_changed_behind_its_back_ends_it(kept, name, what: Callable[[Path], None], said):
    kept.keep()
    if name != LOG:
        kept.files.tidy()
    time.sleep(0.02)
    what(kept.folder / name)
    with suppress(OncallError):
        # As the next notification does.
        kept.store.keep([BODY])
    kept.refuses(said)
    killed = as_after_a_kill(kept.folder)
    kept.close()
    if name == LOG:
        for folder in (killed, kept.folder):
            before = contents(folder)
            with pytest.raises(OncallError, match=f"{FILE} lacks the last [0-9]+ of 2. writes"):
                check_before_start(str(folder))
            assert contents(folder) == before
        # Nothing of a damaged log goes into the file.
        assert (kept.folder / FILE).read_bytes() == (killed / FILE).read_bytes()


def test_pages_in_the_middle_of_the_file_are_missed(kept):
    kept.keep(100)
    kept.files.tidy()
    time.sleep(0.02)
    with (kept.folder / FILE).open("r+b") as opened:
        opened.seek(4096)
        opened.write(bytes((kept.folder / FILE).stat().st_size - 4096))
    kept.refuses(f"{FILE} was changed by another program and is damaged")


def test_a_log_that_was_cut_and_written_on_has_a_hole(kept):
    kept.keep()
    log = kept.folder / LOG
    before = log.stat().st_size
    cut(log, 32)
    # Without a look: whoever has the pages in memory does not miss them.
    connection = kept.store._engine.raw_connection()
    connection.execute("INSERT INTO oncall_control (name, value, at) VALUES ('a', 'b', 1)")
    connection.close()
    assert log.stat().st_size > before
    kept.refuses(f"{LOG} was cut|{LOG} was overwritten")


def test_each_frame_of_a_log_counts(kept):
    kept.keep(50)
    with (kept.folder / LOG).open("rb") as log, (kept.folder / f"{FILE}-shm").open("rb") as shm:
        index = wal.index(shm.fileno())
        assert index and index.frames > 50 and wal.is_whole(log.fileno(), index)
        assert not wal.problem(log.fileno(), index)
        overwrite(kept.folder / LOG, 60_000, b"\x5a")
        assert not wal.problem(log.fileno(), index)
        assert not wal.is_whole(log.fileno(), index)


# ---------------------------------------------------------------------------- older states
def test_a_copy_that_another_program_restores_is_noticed(kept):
    kept.keep(50)
    copy = older(kept)
    kept.keep(100)
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", script, str(copy), str(kept.folder / FILE)], check=True)
    with closing(sqlite3.connect(kept.folder / FILE)) as connection:
        assert connection.execute("SELECT count(*) FROM oncall_inbox").fetchone() == (50,)
    kept.refuses(f"{FILE} was put back to an older state by another program: it lacks 100 writes")
    killed = as_after_a_kill(kept.folder)
    with pytest.raises(OncallError, match=f"{FILE} lacks the last 100 of 1.. writes"):
        check_before_start(str(killed))


def test_an_older_file_that_is_copied_over_it_is_noticed(kept):
    kept.keep(50)
    copy = older(kept)
    kept.keep(100)
    kept.files.tidy()
    time.sleep(0.02)
    with (kept.folder / FILE).open("r+b") as opened:
        opened.write(copy.read_bytes())
        opened.truncate()
    kept.refuses(f"{FILE} was overwritten with an older one")


def test_a_copy_of_now_takes_nothing_away(kept):
    kept.keep()
    copy = older(kept)
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", script, str(copy), str(kept.folder / FILE)], check=True)
    kept.keep()


# ---------------------------------------------------------------------------- no damage
def test_a_new_time_is_no_damage(kept):
    kept.keep()
    for name in (FILE, LOG, f"{FILE}-shm", WORKFLOWS_FILE, LOCK_FILE, WRITTEN_FILE):
        time.sleep(0.01)
        (kept.folder / name).touch()
        kept.files.turn()
        kept.keep(1)
    kept.files.tidy()
    kept.keep(1)


def test_commands_and_programs_that_write_as_sqlite_does_are_no_damage(kept):
    kept.keep()
    command = Store(sqlite_url(str(kept.folder)))
    command.set("paused", "the storage is moved")
    kept.keep()
    command.unset("paused")
    command.close()
    kept.files.turn()
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(FULL)"):
        with closing(sqlite3.connect(kept.folder / FILE, isolation_level=None)) as other:
            other.execute(statement).fetchall()
        kept.keep(3)
        kept.files.turn()
    with closing(sqlite3.connect(kept.folder / WORKFLOWS_FILE, isolation_level=None)) as other:
        other.execute("CREATE TABLE large AS SELECT zeroblob(300000)")
        kept.files.turn()
        other.execute("DROP TABLE large")
        other.execute("VACUUM")
    kept.files.turn()
    kept.keep()


def test_a_mark_that_was_removed_is_written_again(kept):
    kept.keep()
    (kept.folder / WRITTEN_FILE).unlink()
    kept.keep(1)
    with kept.store._engine.connect() as connection:
        number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    assert int((kept.folder / WRITTEN_FILE).read_text()) == number


def test_a_log_does_not_grow_for_ever(kept):
    large = b"x" * 300_000
    for _ in range(60):
        kept.store.keep([large])
        kept.files.turn()
    assert (kept.folder / LOG).stat().st_size < 2 * LARGE_LOG_BYTES
    kept.files.tidy()
    assert kept.files._store.unsaved_bytes() == 0


def test_a_disk_that_is_full_is_no_damage_when_there_is_room_again(tmp_path):
    """A limit on the size of a file has the same effect at the same places as a disk that is full."""
    kept = Kept(tmp_path / "state")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        kept.keep()
        kept.files.tidy()
        kept.keep()
        size = (kept.folder / FILE).stat().st_size
        large = b"x" * 200_000
        kept.store.keep([large])
        # The log has it, and the file has no room for it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, limits[1]))
        kept.files._store.checkpoint()
        assert kept.files._store.unsaved_bytes() > 0
        with pytest.raises(Exception, match=r"full|disk I/O error"):
            kept.store.keep([large * 3])
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        kept.keep()
        kept.files.turn()
        kept.files.tidy()
        assert kept.files._store.unsaved_bytes() == 0
        kept.keep()
        assert found(as_after_a_kill(kept.folder)) == 81
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        kept.close()


# ---------------------------------------------------------------------------- rights
@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("", 0o777, r"the state_directory or a folder above it may be changed by others now \(mode 0777\)"),
        ("", 0o1777, "the state_directory"),
        (FILE, 0o666, rf"{FILE} may be changed by others now \(mode 0666\)"),
        (LOG, 0o622, f"{LOG} may be changed by others"),
    ],
)
def test_what_others_may_write_to_ends_it(kept, name, mode, said, caplog):
    kept.keep()
    (kept.folder / name).chmod(mode)
    kept.refuses(said)
    (kept.folder / name).chmod(0o700)
    # Somebody may have been quick.
    kept.refuses(said)
    assert len([record for record in caplog.records if record.levelname == "CRITICAL"]) == 1
    assert str(kept.folder) in caplog.text


def test_rights_that_let_nobody_else_in_are_no_damage(kept):
    kept.keep()
    kept.folder.chmod(0o750)
    (kept.folder / FILE).chmod(0o640)
    kept.keep()


# ---------------------------------------------------------------------------- a start
@pytest.mark.parametrize("left", [None, b""], ids=["missing", "empty"])
def test_no_start_begins_anew_beside_what_is_left(tmp_path, left):
    (tmp_path / LOG).write_bytes(b"x" * 4000)
    if left is not None:
        (tmp_path / FILE).write_bytes(left)
    before = contents(tmp_path)
    with pytest.raises(OncallError, match=f"{FILE} is (missing|empty), and {LOG} of it is there"):
        check_before_start(str(tmp_path))
    assert contents(tmp_path) == before


def test_a_first_start_and_one_after_an_older_version_are_let_through(tmp_path):
    check_before_start(str(tmp_path / "none"))
    check_before_start(str(tmp_path))
    url_of("", str(tmp_path))
    check_before_start(str(tmp_path))
    schema.migrate(sqlite_url(str(tmp_path)))
    check_before_start(str(tmp_path))
    (tmp_path / WRITTEN_FILE).write_bytes(bytes(13))
    check_before_start(str(tmp_path))


def test_a_stop_leaves_all_in_one_file(tmp_path):
    kept = Kept(tmp_path / "state")
    kept.keep()
    kept.close()
    assert not (kept.folder / LOG).exists()
    check_before_start(str(kept.folder))
    assert found(kept.folder) == 20


def test_a_file_that_is_no_database_is_one_line(tmp_path):
    (tmp_path / FILE).write_bytes(b"x" * 8192)
    (tmp_path / WRITTEN_FILE).write_text("5\n")
    with pytest.raises(OncallError, match=f"{FILE} cannot be read .*; put back a copy of it"):
        check_before_start(str(tmp_path))


@pytest.mark.parametrize(
    ("found", "known", "missing"),
    [
        (5, 5, 0),
        (7, 5, 0),
        (5, 7, 2),
        (0, 1000, 1000),
        (-(1 << 31), (1 << 31) - 1, 0),
        ((1 << 31) - 1, -(1 << 31), 1),
    ],
)
def test_numbers_begin_anew_after_the_last(found, known, missing):
    assert lost(found, known) == missing


def test_the_number_after_the_last_is_the_first():
    assert (_next(0), _next(-1), _next((1 << 31) - 1)) == (1, 0, -(1 << 31))


def test_only_what_writes_is_counted(tmp_path):
    url = url_of("", str(tmp_path))
    made = engine(url)

    def number() -> int:
        with made.execution_options(reads=True).connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE one (a)")
    before = number()
    for statement, counted in (("INSERT INTO one VALUES (1)", 1), ("SELECT * FROM one", 0), ("DELETE FROM one", 1)):
        with made.begin() as connection:
            connection.exec_driver_sql(statement)
        assert number() == before + counted
        before = number()
    with suppress(ZeroDivisionError), made.begin() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES (1)")
        raise ZeroDivisionError
    assert number() == before
    made.dispose()


def test_a_look_costs_little(kept):
    kept.keep(200)
    # Of this process alone, as others take the processor from it.
    began = time.process_time()
    for _ in range(200):
        kept.files.look()
    # 0.1 ms of it.
    assert (time.process_time() - began) / 200 < 0.005


def test_a_number_that_cannot_be_written_is_said_once_and_written_later(kept, caplog):
    kept.keep(3)
    beside = kept.folder / WRITTEN_FILE
    beside.unlink()
    beside.mkdir()
    kept.keep(5)
    assert [record.getMessage() for record in caplog.records] == [f"cannot write {WRITTEN_FILE}: Is a directory"]
    beside.rmdir()
    kept.files.look()
    with closing(sqlite3.connect(kept.folder / FILE)) as connection:
        assert int(beside.read_text()) == connection.execute("PRAGMA user_version").fetchone()[0]


def test_what_cannot_be_opened_leaves_nothing_open(tmp_path):
    """A Python of 3.13 says so too, whenever it comes to it."""
    url = url_of("", str(tmp_path / "state"))
    file = tmp_path / "state" / FILE
    file.write_bytes(b"x" * 8192)
    opened = len([*Path("/proc/self/fd").iterdir()])
    kept_errors = []
    for made in (engine(url), engine_module.read_only(url)):
        with pytest.raises(sa.exc.DatabaseError) as error, made.connect() as connection:
            connection.exec_driver_sql("SELECT * FROM sqlite_master")
        kept_errors.append(error)
        made.dispose()
    with pytest.raises(OncallError, match="cannot use the database") as error:
        watched.Database(file)
    kept_errors.append(error)
    # Their tracebacks hold what they did not close.
    assert len([*Path("/proc/self/fd").iterdir()]) == opened, kept_errors


def test_readers_that_hold_up_a_rescue_cost_nothing(kept, monkeypatch):
    monkeypatch.setattr(watched, "SAVE_SECONDS", 0.2)
    kept.keep()
    with closing(sqlite3.connect(kept.folder / FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM oncall_inbox").fetchall()
        kept.keep()
        (kept.folder / LOG).unlink()
        kept.refuses(f"all is saved in {FILE}.rescued")
    (copy,) = kept.folder.glob(f"{FILE}.rescued.*")
    assert found(kept.folder, copy.name) == 40

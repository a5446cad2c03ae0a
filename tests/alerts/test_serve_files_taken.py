# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody takes the files of a running service away, cuts or replaces them: it acknowledges nothing more, and loses nothing in silence."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert, notification
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.serve.service import Service
from oncall.serve.store.engine import FILE, LOCK_FILE, WORKFLOWS_FILE
from oncall.serve.store.written import WRITTEN_FILE

LOG = f"{FILE}-wal"
COUNT = 20
# What is in the state directory, whether sorted already or not: each of these alerts is one of a stranger.
KEPT = "SELECT (SELECT count(*) FROM oncall_quarantine) + (SELECT count(*) FROM oncall_inbox)"


@pytest.fixture
def serving(tmp_path) -> Iterator[Serving]:
    made = Serving(tmp_path)
    try:
        yield made.start()
    finally:
        made.stop()


def send(serving: Serving, count: int = COUNT, first: int = 0) -> None:
    for number in range(first, first + count):
        assert serving.send(alert(f"stranger{number}", number)) == 202


def state(serving: Serving) -> Path:
    return serving.folder / "state"


def kept(serving: Serving) -> int:
    with closing(sqlite3.connect(state(serving) / FILE)) as connection:
        return int(connection.execute(KEPT).fetchone()[0])


def refuses(serving: Serving, said: str) -> str:
    """It is not ready, says why in one line, and acknowledges nothing; the line."""
    until(lambda: serving.get("/readyz")[0] == 503)
    line = serving.get("/readyz")[1]
    assert said in line and line.count("\n") == 1 and str(serving.folder) not in line, line
    status, answer = serving.request("POST", "/alerts", notification([alert("late")]))
    assert status == 503 and said in answer
    assert serving.get("/healthz")[0] == 200
    assert serving.log.read_text().count('"level": "critical"') == 1
    return line


def refused_start(serving: Serving) -> str:
    """What a start says that is refused."""
    done = serving.command("serve")
    assert done.returncode != 0
    line = done.stderr.strip()
    assert "\n" not in line and "Traceback" not in line, line
    return line


def older(serving: Serving) -> Path:
    """What the database is now."""
    copy = serving.folder / "older.sqlite3"
    with closing(sqlite3.connect(state(serving) / FILE)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def test_the_database_stumbles_over_a_cut_file_before_anybody_looks_at_it(tmp_path):
    made = Serving(tmp_path)
    service = Service(made.file)
    with closing(service._membership), closing(service._store), service._socket:
        assert asyncio.run(service._crowded()) == ""
        os.truncate(state(made) / FILE, 100)
        service._inbox_size = (0, 0.0)
        why = asyncio.run(service._crowded())
    assert why.startswith(f"{FILE} was changed by another program and is damaged"), why


# ---------------------------------------------------------------------------- what is saved
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_log_that_is_taken_away_costs_nothing(serving, how):
    send(serving)
    log = state(serving) / LOG
    shutil.copyfile(log, serving.folder / "older")
    send(serving, first=COUNT)
    log.unlink()
    if how == "replaced":
        shutil.move(serving.folder / "older", log)
    assert f"all is saved in {FILE}" in refuses(serving, f"{LOG} was {how}")
    serving.kill()
    serving.start()
    assert serving.get("/readyz")[0] == 200
    assert kept(serving) == 2 * COUNT
    send(serving, 1, 2 * COUNT)


def test_a_database_that_is_taken_away_is_beside_it(serving):
    send(serving)
    (state(serving) / FILE).unlink()
    line = refuses(serving, f"{FILE} was removed; all is saved in {FILE}.rescued.")
    serving.kill()
    # Where it would have begun with an empty one.
    assert f"{FILE} is missing, and {LOG} and {WRITTEN_FILE} of it are there" in refused_start(serving)
    (copy,) = state(serving).glob(f"{FILE}.rescued.*")
    assert copy.name in line
    for end in ("-wal", "-shm"):
        (state(serving) / f"{FILE}{end}").unlink(missing_ok=True)
    copy.rename(state(serving) / FILE)
    serving.start()
    assert kept(serving) == COUNT


@pytest.mark.parametrize("ends", ["killed", "terminated"])
def test_what_came_of_a_run_that_went_on_meanwhile_is_told_after_a_restart(serving, ends):
    (host,) = serving.hosts
    host.restart_takes(5)
    assert serving.send(alert(host.name)) == 202
    until(lambda: host.effects() == 1)
    (state(serving) / LOG).unlink()
    refuses(serving, f"{LOG} was removed; all is saved in {FILE}")
    until(lambda: not serving.processes())
    # Its end is to be written down, and cannot be.
    until(lambda: any(said in serving.log.read_text() for said in ("asked again", "background workflow")))
    assert serving.get("/readyz")[0] == 503
    if ends == "killed":
        serving.kill()
    else:
        serving.terminate()
    serving.start()
    (episode,) = serving.ended()
    assert (episode["outcome"], host.effects()) == ("resolved", 1)


# ---------------------------------------------------------------------------- what is told
def cut(serving: Serving) -> None:
    os.truncate(state(serving) / LOG, 32)


def restore(serving: Serving) -> None:
    shell = shutil.which("sqlite3")
    copy, file = serving.folder / "older.sqlite3", state(serving) / FILE
    if shell:
        subprocess.run([shell, str(file), f".restore {copy}"], check=True, capture_output=True)
        return
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (cut, f"{LOG} was cut"),
        (restore, f"{FILE} was put back to an older state"),
    ],
)
def test_what_cannot_be_saved_is_told_now_and_at_the_next_start(serving, what: Callable[[Serving], None], said):
    send(serving)
    older(serving)
    with closing(sqlite3.connect(state(serving) / FILE, isolation_level=None)) as reader:
        # What comes from now on stays in the log, however long this takes.
        reader.execute("BEGIN")
        reader.execute(KEPT).fetchall()
        send(serving, first=COUNT)
        what(serving)
    refuses(serving, said)
    serving.kill()
    line = refused_start(serving)
    assert f"{FILE} lacks the last " in line and f"remove {WRITTEN_FILE} to go on without" in line
    # As it says.
    (state(serving) / WRITTEN_FILE).unlink()
    serving.start()
    assert serving.get("/readyz")[0] == 200


def test_a_database_that_was_emptied_is_not_begun_anew(serving):
    send(serving)
    os.truncate(state(serving) / FILE, 0)
    refuses(serving, f"{FILE} was emptied")
    serving.kill()
    assert f"{FILE} is empty, and {LOG} and {WRITTEN_FILE} of it are there" in refused_start(serving)


def test_the_workflows_are_looked_at_as_well(serving):
    send(serving)
    (state(serving) / WORKFLOWS_FILE).unlink()
    refuses(serving, f"{WORKFLOWS_FILE} was removed; all is saved in {WORKFLOWS_FILE}.rescued.")
    serving.kill()
    serving.start()
    assert kept(serving) == COUNT


def test_a_folder_that_others_may_write_to_is_told(serving):
    send(serving)
    state(serving).chmod(0o777)
    refuses(serving, "the state_directory or a folder above it may be changed by others now (mode 0777)")
    serving.kill()
    assert "may be written to by everybody" in refused_start(serving)
    state(serving).chmod(0o700)
    serving.start()
    assert kept(serving) == COUNT


# ---------------------------------------------------------------------------- what is no damage
def test_a_full_disk_is_over_when_there_is_room_again(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        left_out("only root can mount a file system; a limit on files does the same in test_serve_files")
    serving = Serving(tmp_path, state_directory=str(disk / "state"))
    try:
        serving.start()
        send(serving)
        with (disk / "other").open("ab", buffering=0) as other, suppress(OSError):
            while True:
                other.write(b"x" * 4096)
        numbers = iter(range(COUNT, 10_000))
        until(lambda: serving.send(alert(f"stranger{(number := next(numbers))}", number)) == 503)
        assert serving.get("/readyz")[1] == "notifications cannot be kept; the log says why\n"
        (disk / "other").unlink()
        until(lambda: serving.send(alert("stranger", 10_000)) == 202)
        until(lambda: serving.get("/readyz")[0] == 200)
        send(serving, 5, 10_001)
        assert '"level": "critical"' not in serving.log.read_text()
    finally:
        serving.stop()
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_looking_and_touching_is_no_damage(serving):
    send(serving, 3)
    for file in state(serving).iterdir():
        file.touch()
    assert serving.command("pause", "--reason", "storage is moved").returncode == 0
    older(serving)
    send(serving, 3, 3)
    # A turn of the dispatcher later.
    time.sleep(3)
    assert serving.get("/readyz")[0] == 200
    assert serving.terminate() == 0
    assert sorted(file.name for file in state(serving).iterdir()) == sorted(
        [FILE, WRITTEN_FILE, WORKFLOWS_FILE, LOCK_FILE]
    )
    serving.start()
    assert kept(serving) == 6

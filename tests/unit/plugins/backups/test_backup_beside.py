# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen beside a backup: what starts it, the archiver of a real PostgreSQL, and the snapshots of a real Redis."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.backups import schedule
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.facts import facts
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.look import observe
from ansible_collections.oncall.runbooks.tests.support.backups import PARAMS
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server as Redis
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SCRIPT = "/app/scripts/backup.sh"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that puts a program in the place of systemctl or docker; it gives the file that has its arguments, one a line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, prints: str = "", stderr: str = "", code: int = 0):
        called = tmp_path / f"{name}.called"
        (tmp_path / f"{name}.out").write_text(prints)
        (tmp_path / f"{name}.err").write_text(stderr)
        path = folder / name
        path.write_text(
            f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {called}\ncat {tmp_path}/{name}.out\ncat {tmp_path}/{name}.err >&2\nexit {code}\n"
        )
        path.chmod(0o755)
        return called

    return put


# Timers, in the words of a systemd 252.
@pytest.mark.parametrize(
    ("prints", "present", "why"),
    [
        (
            "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
            True,
            "nightly-backup.timer is active, enabled",
        ),
        (
            "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n",
            False,
            "nightly-backup.timer is inactive, disabled",
        ),
        # It comes with the next start of the host, and starts nothing until then.
        ("LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\n", False, "is inactive, enabled"),
        ("LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\n", False, "is failed, enabled"),
        ("LoadState=loaded\nActiveState=active\nUnitFileState=\n", True, "is active, static"),
        (
            "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n",
            False,
            "there is no nightly-backup.timer",
        ),
    ],
)
@pytest.mark.parametrize("name", ["nightly-backup", "nightly-backup.timer"])
def test_a_timer_of_systemd(program, name, prints, present, why):
    called = program("systemctl", prints)
    seen = schedule.look({"timer": name}, 5)
    assert (seen["kind"], seen["present"], why in seen["why"]) == ("timer", present, True), seen
    # The name is data, whatever it begins with.
    assert called.read_text().split("\n")[-3:-1] == ["--", "nightly-backup.timer"]


@pytest.mark.parametrize(
    ("stderr", "code", "why"),
    [
        ("System has not been booted with systemd as init system (PID 1). Can't operate.", 1, "has not been booted"),
        ("", 1, "ended with exit code 1"),
    ],
)
def test_a_timer_that_nobody_can_be_asked_about(program, stderr, code, why):
    program("systemctl", "", stderr, code)
    seen = schedule.look({"timer": "nightly-backup"}, 5)
    assert (seen["present"], why in seen["why"]) == (None, True), seen


# Crontabs in containers.
@pytest.mark.parametrize(
    ("prints", "stderr", "code", "present", "why"),
    [
        (f"# made by hand\n0 3 * * * {SCRIPT} >> /var/log/backup.log 2>&1\n", "", 0, True, "in a crontab of shop-db"),
        (f"0 3 * * * root {SCRIPT}\n", "sh: 5: crontab: not found", 127, True, "in a crontab of shop-db"),
        (f"#0 3 * * * {SCRIPT}\n0 4 * * * /app/other.sh\n", "", 0, False, "no crontab in shop-db"),
        ("", "no crontab for root", 1, False, "no crontab in shop-db"),
        ("", "Error response from daemon: No such container: shop-db", 1, None, "No such container: shop-db"),
        ("", "Error response from daemon: container 4a5b is not running", 1, None, "is not running"),
        ("", 'exec: "crontab": executable file not found in $PATH', 127, None, "executable file not found"),
    ],
)
def test_the_crontab_of_a_container(program, prints, stderr, code, present, why):
    called = program("docker", prints, stderr, code)
    seen = schedule.look({"container": "shop-db", "command": [SCRIPT]}, 5)
    assert (seen["kind"], seen["present"], why in seen["why"]) == ("container", present, True), seen
    assert called.read_text().split()[:4] == ["exec", "shop-db", "sh", "-c"]


def test_what_starts_a_backup_is_told_beside_it(program, tmp_path):
    program("systemctl", "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n")
    backup = {"path": str(tmp_path), "pattern": "*.sql", "schedule": {"timer": "nightly"}}
    seen = observe({**PARAMS, "backups": {"nightly": backup}, "state_directory": str(tmp_path)})["backups"]["nightly"]
    assert seen["schedule"] == {"kind": "timer", "present": False, "why": "there is no nightly.timer"}, seen


# Heartbeats, and logs of what makes a backup.
def nightly(folder, **more: Any) -> dict[str, Any]:
    backup = {"path": str(folder), "pattern": "*.sql", **more.pop("backup")}
    params = {**PARAMS, "timeout_seconds": 60.0, **more}
    seen: dict[str, Any] = observe({**params, "backups": {"nightly": backup}, "state_directory": str(folder)})
    assert seen["backups"]["nightly"]["available"] is True, seen
    return seen["backups"]["nightly"]


def test_a_heartbeat_that_is_a_file(tmp_path):
    beat = tmp_path / "heartbeat"
    told = nightly(tmp_path, backup={"heartbeat": {"file": str(beat)}})["heartbeat"]
    assert (told["age_seconds"], "No such file" in told["why"]) == (None, True), told
    beat.touch()
    os.utime(beat, (time.time() - 27 * 3600, time.time() - 27 * 3600))
    told = nightly(tmp_path, backup={"heartbeat": {"file": str(beat)}})["heartbeat"]
    assert (told["age_seconds"] == pytest.approx(27 * 3600, abs=120), told["why"]) == (True, ""), told
    # Nobody waits for who writes into a pipe.
    beat.unlink()
    os.mkfifo(beat)
    told = nightly(tmp_path, backup={"heartbeat": {"file": str(beat)}})["heartbeat"]
    assert (told["age_seconds"], "a FIFO, and no file" in told["why"]) == (None, True), told


@pytest.fixture(scope="module")
def postgres():
    with server() as running:
        running.execute("CREATE TABLE beats (at timestamptz, local timestamp)")
        running.execute("GRANT SELECT ON beats TO oncall")
        yield running


@pytest.mark.parametrize(
    ("statement", "age_seconds", "why"),
    [
        ("SELECT now() - interval '27 hours'", 27 * 3600, ""),
        ("SELECT extract(epoch FROM now()) - 60;", 60, ""),
        ("SELECT max(at) FROM beats", None, "gives no time"),
        ("SELECT at FROM beats", None, "gives no time"),
        ("SELECT localtimestamp", None, "is a time without a zone"),
        ("SELECT 'yesterday'", None, "is no time"),
        ("SELECT at FROM nowhere", None, 'relation "nowhere" does not exist'),
        ("DELETE FROM beats RETURNING at", None, ""),
    ],
)
def test_a_heartbeat_that_a_database_tells(postgres, tmp_path, statement, age_seconds, why):
    seen = nightly(tmp_path, backup={"heartbeat": {"statement": statement}}, database=postgres.reach())
    told = seen["heartbeat"]
    assert told["age_seconds"] == (None if age_seconds is None else pytest.approx(age_seconds, abs=120)), told
    assert why in told["why"] and bool(told["why"]) is (age_seconds is None), told


def test_a_heartbeat_without_a_database(tmp_path):
    told = nightly(tmp_path, backup={"heartbeat": {"statement": "SELECT now()"}})["heartbeat"]
    assert (told["age_seconds"], "neither a file nor a statement with a database" in told["why"]) == (None, True), told


def test_the_log_of_what_makes_a_backup(tmp_path):
    log = tmp_path / "backup.log"
    log.write_text(
        "dumping\n" * 20_000 + "pg_dump: error: permission denied for table invoices (password=s3cretpassword)\ndone\n"
    )
    seen = nightly(tmp_path, backup={"log": str(log)})
    (line,) = seen["log_errors"]
    assert "permission denied for table invoices" in line and "s3cretpassword" not in line
    log.unlink()
    seen = nightly(tmp_path, backup={"log": str(log)})
    assert (seen["log_errors"], seen["complete"]) == (None, False)
    assert any("log_errors is not seen" in one and "No such file" in one for one in seen["limits"]), seen["limits"]


# The archiver.
def test_an_archiver_that_fails_and_then_does_not():
    with server("archive_mode = on", "archive_command = 'false'") as postgres:

        def archiver() -> dict[str, Any]:
            seen = facts(postgres.reach(), 60)
            assert (seen["available"], seen["archive_mode"]) == (True, "on"), seen
            return seen["archiver"]

        def switch(*statements: str) -> None:
            for statement in (*statements, "CREATE TABLE IF NOT EXISTS t (x int)", "INSERT INTO t VALUES (1)"):
                postgres.execute(statement)
            postgres.execute("SELECT pg_switch_wal()")

        assert archiver()["failing"] is False
        switch()
        until(lambda: archiver()["failing"])
        found = archiver()
        assert (found["failed_count"] > 0, len(found["last_failed_wal"]), found["last_archived_wal"]) == (
            True,
            24,
            None,
        ), found

        switch("ALTER SYSTEM SET archive_command = 'true'", "SELECT pg_reload_conf()")
        until(lambda: not archiver()["failing"])
        assert archiver()["last_archived_wal"], archiver()


# Redis.
@pytest.fixture
def redis(tmp_path):
    folder = tmp_path / "redis"
    folder.mkdir()
    running = Redis(folder).wait()
    yield running
    running.stop()


def snapshot(redis: Redis) -> dict[str, Any]:
    backup = {"kind": "redis", "redis": redis.reach()}
    params = {**PARAMS, "timeout_seconds": 60.0, "backups": {"cache": backup}, "state_directory": "/nowhere"}
    seen: dict[str, Any] = observe(params)["backups"]["cache"]
    assert seen["available"] is True, seen
    return seen


def test_the_snapshots_of_a_redis(redis):
    with redis.client() as client:
        # The moment of its start is another one than that of its save.
        until(lambda: client.info("server")["uptime_in_seconds"] > 3)
        client.set("a", 1)
        client.save()
        saved = time.time()
        found = snapshot(redis)
        # Nothing was changed since: it is as new as the data.
        assert (found["newest"]["age_seconds"], found["troubles"], found["in_progress"]) == (0, [], None), found

        client.set("a", 2)
        until(lambda: time.time() > saved + 2)
        found = snapshot(redis)
        assert found["newest"]["age_seconds"] >= 1, found
        assert found["newest"]["age_seconds"] < time.time() - saved + 5, found


def test_a_redis_that_cannot_save(redis):
    with redis.client() as client:
        client.config_set("dbfilename", "dump.rdb")
        client.set("a", 1)
        # Not even root makes a file where a folder is.
        (redis.folder / "dump.rdb").mkdir()
        client.bgsave()
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        found = snapshot(redis)
    assert "the last snapshot failed (rdb_last_bgsave_status is err)" in found["troubles"], found


def test_a_redis_that_is_gone(redis):
    redis.stop()
    backup = {"kind": "redis", "redis": redis.reach()}
    seen = observe({**PARAMS, "backups": {"cache": backup}, "state_directory": "/nowhere"})["backups"]["cache"]
    assert (seen["available"], "refused" in seen["reason"]) == (False, True), seen


def test_a_redis_that_has_never_saved(redis):
    # It tells the moment of its start as that of its last save.
    assert not list(redis.folder.glob("*.rdb"))
    with redis.client() as client:
        client.set("a", 1)
        found = snapshot(redis)
        assert (found["newest"]["age_seconds"], found["complete"]) == (None, False), found
        assert "has saved no snapshot since it was started" in found["limits"][0]
        until(lambda: client.info("server")["uptime_in_seconds"] > 3)
        client.save()
        client.set("a", 2)
        assert snapshot(redis)["newest"]["age_seconds"] is not None


def test_a_heartbeat_from_the_future(tmp_path):
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (time.time() + 864_000, time.time() + 864_000))
    told = nightly(tmp_path, backup={"heartbeat": {"file": str(beat)}})["heartbeat"]
    assert (told["age_seconds"], "in the future" in told["why"]) == (None, True), told

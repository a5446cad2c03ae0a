# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems that are really full, and what really fills them: mounted for the test, as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ansible_collections.oncall.runbooks.plugins.filter.disk_space import picked
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import filesystems as filesystem
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.filesystem import SPEC
from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY, Play, Player
from ansible_collections.oncall.runbooks.tests.support.systemd_host import SystemdHost
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.layout import Layout, as_unprivileged
from lab.ports import free_port

MIB = 1024 * 1024
DEFAULTS = {key: value["default"] for key, value in SPEC.items()}


class Disk:
    """A small filesystem of its own."""

    def __init__(self, options: str) -> None:
        # Not below pytest's folder, which only root can pass.
        self.path = Path(tempfile.mkdtemp(prefix="oncall-disk-", dir="/var/tmp"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=755", "oncall-test", str(self.path)], check=True)

    def old(self, name: str, mib: float, days: float = 30) -> Path:
        """A file that was written a while ago."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * int(mib * MIB))
        os.utime(path, (time.time(), time.time() - days * 86400))
        return path

    def used_ratio(self) -> float:
        usage = shutil.disk_usage(self.path)
        return usage.used / usage.total

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=False, capture_output=True)

    def remove(self) -> None:
        self.unmount()
        self.path.rmdir()


@pytest.fixture
def disk() -> Iterator[Disk]:
    some = Disk("size=16m")
    yield some
    some.remove()


@pytest.fixture
def play(tmp_path):
    """A function: variables -> the ended play of the runbook on this host."""

    home = tmp_path / "home"
    home.mkdir()
    always = {
        "run_hosts": "disk",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "system_state_directory": str(home),
        "run_confirm_seconds": 0.1,
        "run_verify_seconds": 0,
        "run_verify_every_seconds": 1,
        "run_verify_timeout_seconds": 30,
        "run_cooldown_seconds": 1,
        "disk_full_timeout_seconds": 30,
    }
    player = Player(home, tmp_path)

    def run(*arguments: str, **variables: Any) -> Play:
        started = player.start("-i", "disk,", *arguments, playbook="playbooks/disk_full.yml", **{**always, **variables})
        return started.wait()

    return run


def expired(disk: Disk, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The files that a plan would name."""
    files = observe(paths=[str(disk.path)], rotated_logs=rules)["use"]["rotated_logs"]["files"]
    return picked(files, ["path", "device", "inode", "modified", "bytes"])


def observe(**params: Any) -> dict[str, Any]:
    return filesystem.observe({**DEFAULTS, "timeout_seconds": 30, **params})


def rule(disk: Disk, *patterns: str, **changes: Any) -> dict[str, Any]:
    return {"path": str(disk.path / "log"), "patterns": list(patterns or ("*.gz",)), "older_than_days": 7, **changes}


@pytest.mark.covers("PD-1-4", "PD-1-6")
def test_rotated_logs_go_until_there_is_room_enough_and_no_further(disk, play, tmp_path):
    for number in range(5):
        disk.old(f"log/app.{number}.gz", 2.5, days=40 - number)
    disk.old("data/table", 1.8)
    victim = tmp_path / "victim.gz"
    victim.write_text("outside")
    os.utime(victim, (1, 1))
    (disk.path / "log" / "link.gz").symlink_to(victim)
    known = {"disk_full_paths": [str(disk.path)], "disk_full_rotated_logs": [rule(disk)]}

    planned = play("--check", **known)
    assert (planned.outcome, planned.causes()) == ("planned", ["rotated_logs"])
    assert len(list(disk.path.glob("log/app*"))) == 5, "check mode takes nothing"

    fixed = play(**known)
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["rotated_logs"])
    # 14.3 of 16 MiB were used; two files less are below 80 %, and the oldest go first.
    assert sorted(path.name for path in disk.path.glob("log/app*")) == ["app.1.gz", "app.2.gz", "app.3.gz", "app.4.gz"]
    assert disk.used_ratio() < 0.8
    assert (disk.path / "data/table").exists()
    assert victim.read_text() == "outside"


@pytest.mark.covers("PD-1-6")
def test_expired_backups_go_and_the_newest_stay(disk, play):
    for number in range(5):
        disk.old(f"backup/shop-{number}.sql.gz", 2.8, days=40 - number)
    disk.old("data/table", 0.5)
    rules = [{"path": str(disk.path / "backup"), "patterns": ["*.sql.gz"], "older_than_days": 7, "keep": 3}]
    known = {"disk_full_paths": [str(disk.path)], "disk_full_rotated_logs": [], "disk_full_backups": rules}

    planned = play("--check", **known)
    assert (planned.outcome, planned.causes()) == ("planned", ["expired_backups"])
    assert len(list(disk.path.glob("backup/*"))) == 5, "check mode takes nothing"

    fixed = play(**known)
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["expired_backups"]), fixed.output
    assert [action["remedy"] for action in fixed.run["actions"]] == ["delete_expired_backups"]
    left = sorted(path.name for path in disk.path.glob("backup/*"))
    # As few as make room enough, the oldest first, and never one of the newest three.
    assert left[-3:] == ["shop-2.sql.gz", "shop-3.sql.gz", "shop-4.sql.gz"] and "shop-0.sql.gz" not in left
    assert disk.used_ratio() < 0.8
    assert (disk.path / "data/table").exists()


@pytest.mark.covers("PD-1-5", "PD-1-6")
def test_data_that_nobody_may_delete_is_named_and_left(disk, play):
    disk.old("data/base/16384.1", 15)
    (disk.path / "data/PG_VERSION").write_text("17")
    done = play(disk_full_paths=[str(disk.path)], disk_full_rotated_logs=[rule(disk, "*.[0-9]", path=str(disk.path))])
    assert "growth" in done.causes()
    assert str(disk.path / "data/base") in done.output
    assert (disk.path / "data/base/16384.1").stat().st_size == 15 * MIB
    assert done.outcome == "advised"


@pytest.mark.covers("PD-1-5")
def test_inodes_are_used_up_though_there_is_room():
    disk = Disk("size=16m,nr_inodes=200")
    try:
        for number in range(190):
            disk.old(f"sessions/{number}", 0)
        found = observe(paths=[str(disk.path)])
        (one,) = found["filesystems"]
        assert one["full"] == ["inodes"]
        assert one["used_ratio"] < 0.1
        (largest,) = found["use"]["largest"]
        assert largest["entries"][0] == {"path": str(disk.path / "sessions"), "bytes": 0, "entries": 190}
        for number in range(190):
            os.utime(disk.path / f"sessions/{number}", (1, 1))
        rules = [rule(disk, "[0-9]*", path=str(disk.path / "sessions"))]
        files = expired(disk, rules)
        _code, result = run_module("disk_reclaim", disk.path, files=files, rotated_logs=rules, check=True)
        assert 30 < len(result["reclaimed"]) < 40, "check mode stops where the real thing would"
        _code, done = run_module("disk_reclaim", disk.path, files=files, rotated_logs=rules)
        assert abs(len(done["reclaimed"]) - len(result["reclaimed"])) <= 3
        assert done["left_alone"][-1]["why"] == "there is room enough"
    finally:
        disk.remove()


def test_inodes_that_are_not_short_are_no_reason_to_go_on(tmp_path):
    disk = Disk("size=16m,nr_inodes=50")
    try:
        for number in range(40):
            disk.old(f"log/{number}.gz", 0.35, days=60 - number)
        rules = [rule(disk)]
        files = expired(disk, rules)
        (one,) = observe(paths=[str(disk.path)])["filesystems"]
        assert (one["full"], one["inodes_used_ratio"] > 0.8) == (["bytes"], True)
        _code, result = run_module("disk_reclaim", tmp_path, files=files, rotated_logs=rules)
        assert 2 <= len(result["reclaimed"]) <= 5
        assert result["reclaimed"][0]["what"].endswith("/0.gz"), "the oldest go first"
    finally:
        disk.remove()


def test_a_file_replaced_between_plan_and_act_stays(disk, tmp_path):
    wanted, other = disk.old("log/a.gz", 7), disk.old("log/b.gz", 7)
    rules = [rule(disk)]
    files = expired(disk, rules)
    assert len(files) == 2
    stamp = other.stat().st_mtime_ns
    other.unlink()
    disk.old("log/b.gz", 7)
    os.utime(other, ns=(stamp, stamp))
    _code, result = run_module("disk_reclaim", tmp_path, files=files, rotated_logs=rules, target_ratio=0.1)
    assert [one["what"] for one in result["reclaimed"]] == [str(wanted)]
    assert other.exists()


def test_a_filesystem_that_is_unmounted_midway(disk, tmp_path):
    disk.old("log/a.gz", 14)
    rules = [rule(disk)]
    files = expired(disk, rules)
    disk.unmount()
    code, result = run_module("disk_reclaim", tmp_path, files=files, rotated_logs=rules)
    assert (code, result["changed"], result["reclaimed"]) == (1, False, [])
    assert "No such file" in result["msg"]
    found = observe(paths=[str(disk.path / "log")])
    assert (found["available"], found["complete"]) == (True, False)
    assert found["not_looked_at"][0]["reason"] == "it is not there (any more)"


@pytest.fixture
def containers() -> Iterator[Containers]:
    some = Containers()
    yield some
    some.remove()


HOLDS = """
import os, time
log = open('/disk/api.log', 'wb')
log.write(b'x' * 14 * 1024 * 1024)
log.flush()
os.unlink('/disk/api.log')
print('holds', flush=True)
time.sleep(1000)
"""


@pytest.mark.covers("PD-1-5")
def test_a_container_that_holds_a_deleted_file_is_restarted(disk, containers, play):
    containers.run("api", f"import os\nif not os.path.exists('/disk/done'):\n  open('/disk/done', 'w').close()\n  exec({HOLDS!r})\n"
                          "import time; time.sleep(1000)", "-v", f"{disk.path}:/disk")  # fmt: skip
    containers.run("bystander", "import time; time.sleep(1000)")
    until(lambda: disk.used_ratio() > 0.85)
    begun = containers.state("bystander")["StartedAt"]
    done = play(
        system_services={"api": containers.service("api"), "other": containers.service("bystander")},
        disk_full_paths=[str(disk.path)],
        disk_full_deleted_bytes=MIB,
    )
    assert done.causes() == ["deleted_open_files"]
    assert done.outcome == "resolved"
    assert disk.used_ratio() < 0.1
    assert containers.state("bystander")["StartedAt"] == begun


WRITES = """
import itertools, sys, time
line = 'x' * 100_000
for number in range(600):
    print(number, line)
print('written')
for number in itertools.count():
    print('still', number, flush=True)
    time.sleep(0.05)
"""


@pytest.mark.covers("PD-1-5", "PD-1-6")
def test_a_log_is_cut_while_its_container_goes_on_writing(containers, tmp_path):
    containers.run("web", WRITES, "--log-driver", "json-file")
    until(lambda: "still" in docker("logs", "--tail", "1", containers.prefix + "web"))
    begun = containers.state("web")
    # The engine's own filesystem is not full: here it counts as such.
    found = observe(paths=["/var/lib/docker"], used_ratio=0.0, target_ratio=0.0)
    (log,) = [one for one in found["use"]["docker"]["logs"] if one["name"] == containers.prefix + "web"]
    assert log["bytes"] >= 60_000_000
    target = {key: log[key] for key in ("container", "name", "path", "device", "inode")}
    options = {"container_logs": [target], "target_ratio": 0.0, "min_log_bytes": MIB, "keep_log_bytes": 4096}

    _code, planned = run_module("disk_reclaim", tmp_path, check=True, **options)
    assert planned["freed_bytes"] >= 60_000_000 - MIB
    assert Path(log["path"]).stat().st_size >= 60_000_000 - MIB

    code, done = run_module("disk_reclaim", tmp_path, **options)
    assert (code, done["changed"]) == (0, True), done
    assert Path(log["path"]).stat().st_size < MIB
    assert Path(log["path"]).stat().st_ino == log["inode"]

    def last() -> int:
        return int(docker("logs", "--tail", "1", containers.prefix + "web").split()[1])

    before = last()
    until(lambda: last() > before)
    lines = docker("logs", containers.prefix + "web").splitlines()
    numbers = [int(line.split()[1]) for line in lines if line.startswith("still")]
    assert min(numbers) < before
    assert len(numbers) == len(set(numbers))
    # What the engine writes in the very moment may come before what stays, or be lost.
    assert len(set(range(min(numbers), max(numbers))) - set(numbers)) <= 2
    assert all(json.loads(line) for line in Path(log["path"]).read_text().splitlines())
    assert containers.state("web")["StartedAt"] == begun["StartedAt"]

    _code, again = run_module("disk_reclaim", tmp_path, **options)
    assert (again["changed"], again["left_alone"][0]["why"]) == (False, "it is small by now")
    stranger = dict(
        target, container=docker("inspect", "--format", "{{.Id}}", containers.prefix + "web"), path="/etc/passwd"
    )
    _code, refused = run_module("disk_reclaim", tmp_path, **dict(options, container_logs=[stranger]))
    assert refused["left_alone"][0]["why"] == "it is not this container's json-file log"


@pytest.fixture
def images(containers, tmp_path) -> Iterator[dict[str, str]]:
    """Three images without a name, one of which a stopped container uses, and one with a name."""
    made = {}
    for name in ("unused", "used", "named"):
        (tmp_path / name).write_text(name + containers.prefix)
        subprocess.run(["tar", "-cf", tmp_path / "t.tar", "-C", tmp_path, name], check=True)
        made[name] = docker(
            "import", str(tmp_path / "t.tar"), *([containers.prefix + "kept:1"] if name == "named" else [])
        )
    docker("create", "--name", containers.prefix + "stopped", "--label", containers.label, made["used"], "nothing")
    yield made
    containers.remove()
    docker("image", "rm", *made.values(), check=False)


@pytest.mark.covers("PD-1-5", "PD-1-6")
def test_a_dangling_image_goes_and_a_used_one_stays(images, tmp_path):
    found = observe(paths=["/var/lib/docker"], used_ratio=0.0, target_ratio=0.0, image_hours=0)
    listed = {one["id"] for one in found["use"]["docker"]["images"]}
    assert images["unused"] in listed
    assert not {images["used"], images["named"]} & listed
    young = observe(paths=["/var/lib/docker"], used_ratio=0.0, target_ratio=0.0)
    assert images["unused"] not in {one["id"] for one in young["use"]["docker"]["images"]}
    options: dict[str, Any] = {"images": list(images.values()), "target_ratio": 0.0}
    _code, planned = run_module("disk_reclaim", tmp_path, check=True, **options)
    code, done = run_module("disk_reclaim", tmp_path, **options)
    assert code == 0
    assert (
        [one["what"] for one in done["reclaimed"]]
        == [one["what"] for one in planned["reclaimed"]]
        == [images["unused"]]
    )
    assert {one["what"]: one["why"] for one in done["left_alone"]} == {
        images["used"]: "a container uses it",
        images["named"]: "it has a name by now",
    }
    left = docker("images", "--all", "--quiet", "--no-trunc").split()
    assert {images["used"], images["named"]} <= set(left)
    assert images["unused"] not in left


JOURNAL = """
import json, sys
sys.path.insert(0, "/collections")
from ansible_collections.oncall.runbooks.plugins.module_utils.disk.reclaim import Reclaim
reclaim = Reclaim({"journal_bytes": 20000000, "target_ratio": 0.0, "inodes_ratio": 0.85, "timeout_seconds": 30}, False)
reclaim.journal()
print(json.dumps([reclaim.reclaimed, reclaim.left_alone, reclaim.errors]))
"""


@pytest.mark.covers("PD-1-6")
def test_a_real_journal_is_vacuumed():
    host = SystemdHost({})
    try:
        flood = "head -c 9000000 /dev/urandom | base64 -w 2000 | systemd-cat; journalctl --sync --rotate"
        host.run(f"mkdir -p /var/log/journal && systemctl restart systemd-journald; {'; '.join([flood] * 3)}")
        # The file that is written next has its size before we measure.
        host.run("echo full | systemd-cat; journalctl --sync")
        folder = "/collections/ansible_collections/oncall/runbooks"
        host.run(f"mkdir -p {folder}")
        docker("cp", str(REPOSITORY / "plugins"), f"{host.name}:{folder}/plugins")
        before = int(host.run("du --summarize --block-size=1 /var/log/journal").split()[0])
        reclaimed, left_alone, errors = json.loads(host.run("python3 -", JOURNAL))
        after = int(host.run("du --summarize --block-size=1 /var/log/journal").split()[0])
        assert (left_alone, errors) == ([], [])
        assert before > 40_000_000
        assert after < 30_000_000
        assert abs(reclaimed[0]["bytes"] - (before - after)) < MIB
    finally:
        host.remove()


class Postgres:
    """A small server of its own, on a filesystem of its own, whose write-ahead log is kept."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        with layout.locked():
            layout.prepare()
        self._programs = Path(layout.record()["postgres"])
        self.data = disk.path / "data"
        self.data.mkdir(mode=0o700)
        layout.give_away(self.data)
        self.port = free_port()
        self._run(
            "initdb",
            "-D",
            self.data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-locale",
            "-E",
            "UTF8",
            "--no-sync",
            "--wal-segsize=1",
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": self.port,
            "wal_level": "replica",
            "archive_mode": "on",
            "archive_command": "false",
            "max_wal_size": "4MB",
            "min_wal_size": "2MB",
            "fsync": "off",
            "shared_buffers": "8MB",
            "autovacuum": "off",
        }
        (self.data / "postgresql.auto.conf").write_text(
            "".join(f"{key} = '{value}'\n" for key, value in settings.items())
        )
        self._run("pg_ctl", "-D", self.data, "-l", self.data / "log", "-w", "start")

    def _run(self, program: str, *arguments: object) -> None:
        argv = [str(self._programs / program), *map(str, arguments)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=240, cwd="/", **as_unprivileged())

    @property
    def database(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "name": "postgres", "user": "postgres", "service": "database"}

    def ask(self, *statements: str) -> list[Any]:
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres", autocommit=True
        ) as session:
            return [session.execute(statement) for statement in statements]

    def one(self, statement: str) -> Any:
        (cursor,) = self.ask(statement)
        row = cursor.fetchone()
        return row[0] if row else None

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


@pytest.fixture
def postgres(tmp_path_factory) -> Iterator[Postgres]:
    disk, layout = Disk("size=100m"), Layout(tmp_path_factory.mktemp("pg") / "home")
    server = None
    try:
        server = Postgres(disk, layout)
        server.ask(
            "SELECT pg_create_physical_replication_slot('old_standby', true)",
            "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) FROM generate_series(1, 45)",
        )
        yield server
    finally:
        if server:
            server.stop()
        disk.remove()
        layout.purge()


@pytest.mark.covers("PD-1-5")
def test_a_write_ahead_log_that_is_kept_and_why(postgres, play, tmp_path):
    known = {
        "system_database": postgres.database,
        "disk_full_paths": [str(postgres.data)],
        "disk_full_rotated_logs": [],
        "disk_full_wal_bytes": 10 * MIB,
        "disk_full_used_ratio": 0.6,
        "disk_full_target_ratio": 0.6,
    }
    until(lambda: postgres.one("SELECT failed_count FROM pg_stat_archiver") > 0)
    named = play(run_until="plan", **known)
    assert named.causes()[:2] == ["stuck_replication_slot", "archiver_failing"]
    found = {finding["cause"]: finding for finding in named.run["findings"]}
    assert "old_standby" in found["stuck_replication_slot"]["summary"]
    failed = postgres.one("SELECT last_failed_wal FROM pg_stat_archiver")
    assert failed in found["archiver_failing"]["summary"]
    assert "SELECT pg_drop_replication_slot('old_standby');" in str(found["stuck_replication_slot"]["advice"])

    # Dropped only where it stands, and by a person's word.
    assert named.run["plan"]["risk"] == "high"
    stands = postgres.one("SELECT restart_lsn::text FROM pg_replication_slots")
    slot = {"database": postgres.database, "name": "old_standby", "restart_lsn": stands}
    _code, result = run_module("postgres_replication_slot", tmp_path, **dict(slot, restart_lsn="0/1"))
    assert (result["changed"], result["why_not"]) == (False, f"it was used meanwhile and stands at {stands} now")
    _code, result = run_module("postgres_replication_slot", tmp_path, check=True, **slot)
    assert result["changed"] is True
    assert postgres.one("SELECT count(*) FROM pg_replication_slots") == 1

    postgres.ask("ALTER SYSTEM SET archive_command = 'true'", "SELECT pg_reload_conf()", "SELECT pg_switch_wal()")
    until(lambda: postgres.one("SELECT last_archived_time > last_failed_time FROM pg_stat_archiver"))
    fixed = play(run_max_risk="high", **known)
    assert (fixed.outcome, fixed.causes()) == ("resolved", ["stuck_replication_slot"])
    assert postgres.one("SELECT count(*) FROM pg_replication_slots") == 0
    assert postgres.one("SELECT sum(size) FROM pg_ls_waldir()") < 10 * MIB
    code, result = run_module("postgres_replication_slot", tmp_path, **slot)
    assert (code, result["changed"]) == (0, False)


def test_what_a_role_without_rights_may_not_see_is_said(postgres, tmp_path):
    postgres.ask("CREATE ROLE nobody LOGIN")
    asked = dict(postgres.database, user="nobody")
    code, result = run_module("postgres_wal_info", tmp_path, database=asked)
    assert (code, result["available"], result["wal_bytes"]) == (0, True, None)
    assert "pg_monitor" in result["limits"][0]
    code, result = run_module("postgres_wal_info", tmp_path, database=postgres.database)
    assert result["wal_bytes"] > 40 * MIB
    (server,) = observe(paths=[str(postgres.data)], used_ratio=0.3)["use"]["postgres"]["servers"]
    assert server["system_identifier"] == result["system_identifier"]
    assert server["data_directory"] == str(postgres.data)
    assert abs(server["bytes"] - result["wal_bytes"]) <= 2 * MIB

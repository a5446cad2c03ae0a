# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of a real stack, with secrets planted in it, of hosts that are not there, and onto a disk that is full."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plays import QUICK, REPOSITORY, Play, Player, environment_of_a_play

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.html_pages import of_itself
from ansible_collections.oncall.runbooks.tests.support.lab_parts import pids, session
from ansible_collections.oncall.runbooks.tests.support.planted_secrets import PLANTED, TEXT, left_in

PLAYBOOK = "playbooks/snapshot.yml"
UNREACHABLE = {
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
    "ansible_port": 1,
    "ansible_ssh_common_args": "-o ConnectTimeout=5",
}
KNOWN = "a kennwort nobody names 4711"


class Archive:
    """An archive as somebody reads it later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with tarfile.open(path) as members:
            self.files: dict[str, bytes] = {}
            for member in members:
                assert member.isfile() and member.mode == 0o600 and ".." not in member.name.split("/")
                file = members.extractfile(member)
                assert file is not None
                self.files[member.name.partition("/")[2]] = file.read()
        self.manifest = json.loads(self.files["manifest.json"])
        sums = {one["path"]: one["sha256"] for one in self.manifest["files"]}
        assert sums == {
            name: hashlib.sha256(content).hexdigest() for name, content in self.files.items() if name != "manifest.json"
        }
        self.page = of_itself(self.files["index.html"])
        beside = path.with_name(path.name.removesuffix(".tar.gz") + ".html")
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
        of_itself(beside.read_bytes())

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    @property
    def reasons(self) -> dict[str, str]:
        """Why something of a part is not there."""
        return {one["part"]: one["reason"] for one in self.manifest["missing"]}


def archives(folder: Path) -> dict[str, Archive]:
    """The archives of a folder, by their hosts; and every one of them is in the overview."""
    found = {(read := Archive(path)).manifest["host"]: read for path in sorted(folder.glob("*.tar.gz"))}
    assert not [path.name for path in folder.iterdir() if path.name.endswith(".new")]
    overview = of_itself((folder / "index.html").read_bytes())
    assert all(one.path.name in overview.words for one in found.values())
    return found


def only(folder: Path) -> Archive:
    (one,) = archives(folder).values()
    return one


@pytest.fixture
def take(player: Player, tmp_path: Path) -> Any:
    """A function that takes a snapshot of the lab, or of the hosts given, into the folder "kept"."""

    def taken(*arguments: str, hosts: dict[str, Any] | None = None, into: Path | None = None, **variables: Any) -> Play:
        if hosts is not None:
            inventory = tmp_path / "inventory.json"
            all_hosts = {
                name: {**QUICK, "system_state_directory": str(tmp_path), **said} for name, said in hosts.items()
            }
            inventory.write_text(json.dumps({"all": {"hosts": all_hosts}}))
            arguments = ("-i", str(inventory), *arguments)
            variables["run_hosts"] = ",".join(hosts)
        return player.play(
            *arguments, playbook=PLAYBOOK, snapshot_directory=str(into or tmp_path / "kept"), **variables
        )

    return taken


def snapshot_of(play: Play) -> dict[str, Any]:
    """What the record says of the only snapshot."""
    assert play.record is not None, play.output
    (one,) = json.loads(play.record.read_text())["snapshots"]
    return dict(one)


@pytest.mark.covers("SY-7-1")
def test_all_of_a_sound_stack_and_nothing_is_changed(healthy_lab, take, tmp_path):
    lab = healthy_lab
    before, state = pids(lab), sorted(path.name for path in Path(lab.layout.home).iterdir())
    lab.request("/customers")
    play = take()
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    told = snapshot_of(play)
    assert told["archive"] == str(kept.path)
    assert told["sha256"] == hashlib.sha256(kept.path.read_bytes()).hexdigest()

    # What the embedded lab has not: a checkout, and the provider of messages.
    assert set(kept.reasons) <= {"deployments", "providers"}, kept.reasons
    assert {"services", "health", "logs", "metrics", "database", "redis", "queues", "schedules", "disk", "host"} <= set(
        kept.manifest["had"]
    )
    services = kept.json("services/states.json")["services"]
    assert {name: one["state"] for name, one in services.items()} == dict.fromkeys(
        ("database", "redis", "api", "worker"), "running"
    )
    size = kept.json("database/size.json")
    assert size["bytes"] > 1_000_000 and len(size["tables"]) == 10
    assert "orders" in [one["name"] for one in size["tables"]]
    assert any(one["application_name"] == "lab-api" for one in kept.json("database/activity.json")["applications"])
    assert b"app_response_status_total" in kept.files["metrics/api.prom"]
    assert b"serves on port" in kept.files["logs/api-stdout.log"]
    assert kept.json("queues/queues.json")["queues"]["events"]["dead"] == 0
    assert kept.json("settings/settings.json")["system"]["system_database"]["name"] == "labpics"
    assert kept.manifest["versions"]["PostgreSQL"] and kept.manifest["versions"]["Redis"]
    assert "payments" in {one["part"] for one in kept.manifest["absent"]}
    assert len(kept.page.captions) > 20

    assert pids(lab) == before
    assert sorted(path.name for path in Path(lab.layout.home).iterdir()) == state
    assert "changed=1" in play.output, "the archive is new; nothing else is"


def test_secrets_of_every_kind_are_in_no_archive_and_in_no_output(healthy_lab, take, tmp_path):
    lab = healthy_lab
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "app.log").write_text(TEXT + f"and what has no name: {KNOWN}\n")
    own_log = Path(lab.layout.home, "log", "worker.log")
    size = own_log.stat().st_size
    with own_log.open("a") as file:
        file.write(TEXT)
    statement = f"SELECT set_config('app.jwt', '{PLANTED[0].secrets[0]}', false), '{PLANTED[1].secrets[0]}'"
    try:
        with contextlib.closing(session(lab, "victim", "app")) as connection:
            connection.execute(statement.encode())
            play = take(
                "-vvv",
                snapshot_log_folders={"app": {"path": str(folder)}},
                vault_provider_password=KNOWN,
                system_apis={
                    "own": {
                        "url": "http://127.0.0.1:1/state",
                        "fields": {"a": "b"},
                        "auth": {"bearer": PLANTED[2].secrets[0]},
                    }
                },
                system_status_pages={
                    "x": {
                        "url": f"http://u:{PLANTED[3].secrets[0]}@127.0.0.1:1/",
                        "kind": "statuspage",
                        "component": "y",
                    }
                },
            )
    finally:
        os.truncate(own_log, size)
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    assert (
        b"INFO 0 before" in kept.files["logs/app-app.log"] and b"INFO 0 before" in kept.files["logs/worker-stdout.log"]
    )
    secrets = lab.layout.secrets()
    records = "".join(path.read_text() for path in play.record.parent.iterdir())
    everything = {
        **{name: content.decode() for name, content in kept.files.items()},
        **{path.name: path.read_text() for path in (tmp_path / "kept").glob("*.html")},
        "output": play.output,
        "records": records,
    }
    for name, text in everything.items():
        assert left_in(text) == [], name
        assert KNOWN not in text, name
        assert [role for role in ("oncall", "app") if secrets[role] in text] == [], name


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_database_that_does_not_answer_takes_nothing_else_away(healthy_lab, take, tmp_path):
    with stopped(pids(healthy_lab)["database"]):
        began = time.monotonic()
        play = take(snapshot_look_seconds=6, snapshot_timeout_seconds=60)
        assert time.monotonic() - began < 240
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    assert kept.reasons["database"].startswith("PostgreSQL labpics at 127.0.0.1:")
    assert kept.reasons["database"].endswith("the server is there but does not answer in time")
    assert {"database", "queues", "schedules"} <= set(kept.reasons)
    assert {"services", "logs", "redis", "disk", "host"} <= set(kept.manifest["had"])
    assert "not there: sessions, locks, connections and statements: PostgreSQL" in play.output
    assert "does not answer in time" in kept.page.words


def test_a_log_of_ten_gigabytes_and_one_with_anything_in_it(healthy_lab, take, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    with (folder / "huge.log").open("wb") as file:
        file.truncate(10_000_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe end\n")
    (folder / "größe <b>.log").write_bytes(
        b"\x1b[31m<script>alert(1)</script>\x1b[0m\n" + os.urandom(20_000) + b"\n</pre></main>\n"
    )
    (folder / "link.log").symlink_to("/etc/hostname")
    play = take(
        snapshot_parts=["logs"], snapshot_log_folders={"app": {"path": str(folder)}}, snapshot_max_bytes=1 << 20
    )
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    assert sum(map(len, kept.files.values())) <= 1 << 20
    (cut,) = (one for one in kept.manifest["cut"] if one["file"] == "logs/app-huge.log")
    assert cut["of_bytes"] > 10_000_000_000 and cut["kept_bytes"] < 1 << 20
    assert kept.files["logs/app-huge.log"].endswith(b"the end\n")
    assert "cut: the last" in kept.page.words and "of 10 GB" in kept.page.words
    assert "<script>alert(1)</script>" in kept.page.words and "</pre></main>" in kept.page.words
    assert "is a symbolic link to /etc/hostname, which is not followed" in kept.reasons["logs"]


def test_several_hosts_and_one_of_them_is_not_there(take, tmp_path):
    service = {"system_services": {"api": {"manager": "command", "commands": {"status": ["true"]}}}}
    hosts = {
        "eins": service,
        "zwei-ü": {**service, "system_services": "no dictionary"},
        "gone": {**service, **UNREACHABLE},
    }
    play = take(hosts=hosts, snapshot_parts=["services", "host", "settings"])
    assert play.code == 2, play.output
    kept = archives(tmp_path / "kept")
    assert set(kept) == set(hosts)
    assert "host" in kept["eins"].manifest["had"]
    # A mistake in the inventory is told, and takes nothing else away.
    assert kept["zwei-ü"].reasons["services"].startswith("system_services cannot be used: ")
    assert "host" in kept["zwei-ü"].manifest["had"]
    gone = kept["gone"]
    assert (gone.manifest["reachable"], gone.manifest["had"]) == (False, ["settings"])
    assert all(reason.startswith("host unreachable: ") for reason in gone.reasons.values())
    # What ssh says, or Ansible, which had more to say to it.
    assert re.search("Connection refused|Broken pipe", gone.reasons["host"])
    assert "gone   : snapshot   host unreachable: " in play.output
    assert "eins   : snapshot   2 of 3 parts whole, 1 things not there" in play.output, (
        "a status command shows no environment"
    )


def test_two_at_once_and_both_are_in_the_overview(player, tmp_path):
    inventory = tmp_path / "inventory.json"
    inventory.write_text(
        json.dumps(
            {"all": {"hosts": {name: {**QUICK, "system_state_directory": str(tmp_path)} for name in ("a", "b")}}}
        )
    )
    started = [
        player.start(
            "-i", str(inventory), playbook=PLAYBOOK, run_hosts="a,b", snapshot_directory=str(tmp_path / "kept"), snapshot_parts=["host"]
        )
        for _ in range(2)
    ]  # fmt: skip
    plays = [one.wait() for one in started]
    assert [play.code for play in plays] == [0, 0], plays
    assert len(list((tmp_path / "kept").glob("*.tar.gz"))) == 4
    overview = of_itself((tmp_path / "kept" / "index.html").read_bytes())
    assert [row[0] for row in sorted(overview.rows[1:])] == ["a", "a", "b", "b"]


def test_a_thousand_services_one_of_which_has_a_name_that_leads_elsewhere(take, tmp_path):
    true = {"manager": "command", "commands": {"status": ["true"]}}
    gone = {"manager": "docker", "name": "none", "docker_host": "unix:///nowhere"}
    services: dict[str, Any] = {f"dienst-{number}-ü": gone for number in range(996)}
    services |= {"../x": true, "日本": true, "<i>": gone, "a b": {"manager": "nothing"}}
    play = take(
        hosts={"big": {"system_services": services}},
        snapshot_parts=["services", "logs"],
        snapshot_timeout_seconds=90,
        snapshot_look_seconds=30,
    )
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    states = kept.json("services/states.json")["services"]
    assert len(states) == 999 and (states["../x"]["state"], states["日本"]["state"]) == ("running", "running")
    reasons = [one["reason"] for one in kept.manifest["missing"] if one["look"] == "states"]
    assert any("service a b: unknown manager nothing" in reason for reason in reasons)
    assert any("service <i>: the Docker Engine cannot be reached" in reason for reason in reasons)
    assert len([one for one in kept.manifest["missing"] if one["part"] == "logs"]) == 1000
    assert [name for name in kept.files if not name.startswith(("services/", "logs/")) and "/" in name] == []


def test_a_disk_that_is_full_leaves_nothing_behind_and_is_told(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    mounted = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=4k tmpfs "$1" && shift && exec "$@"',
        "sh",
    ]
    if subprocess.run([*mounted, str(full), "true"], check=False, capture_output=True).returncode:
        left_out("this user may mount nothing in a namespace of its own")
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"host": {**QUICK, "system_state_directory": str(tmp_path)}}}}))
    script = 'ansible-playbook -i "$1" playbooks/snapshot.yml -e snapshot_directory="$2" -e "{snapshot_parts: [host, disk]}"; code=$?; ls -A "$2"; exit $code'
    ran = subprocess.run(
        [*mounted, str(full), "sh", "-c", script, "sh", str(inventory), str(full)],
        cwd=REPOSITORY, env=environment_of_a_play(tmp_path), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "No space left on device; set snapshot_directory to a folder with room" in ran.stdout
    assert "host : snapshot   " in ran.stdout
    assert [line for line in ran.stdout.splitlines() if line.endswith((".new", ".gz", ".html"))] == []


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"snapshot_parts": ["servces"]},
            "snapshot_parts has no part servces; did you mean services? there are services, health, ",
        ),
        ({"snapshot_max_bytes": 1000}, "snapshot_max_bytes is 1000; it must be 1048576 or more"),
        ({"snapshot_timeout_seconds": 0}, "snapshot_timeout_seconds is 0; it must be above 0"),
        ({"snapshot_directory": "relative/folder"}, "snapshot_directory must be absolute"),
        (
            {"snapshot_directory": "", "awx_job_id": 7},
            "snapshot_directory is not set, and an execution environment of AWX is thrown away",
        ),
        ({"snapshot_log_bytes": "many"}, "snapshot_log_bytes"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_looked_at(player, tmp_path, variables, line):
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"host": {**QUICK, "system_state_directory": str(tmp_path)}}}}))
    given = {"snapshot_directory": str(tmp_path / "kept"), **variables}
    play = player.play("-i", str(inventory), playbook=PLAYBOOK, run_hosts="host", **given)
    assert play.code == 2 and line in play.output, play.output
    assert not (tmp_path / "kept").exists() or not list((tmp_path / "kept").glob("*.tar.gz"))


def test_check_mode_looks_and_writes_nothing(take, tmp_path):
    play = take("--check", hosts={"host": {}}, snapshot_parts=["host", "disk", "redis"])
    assert play.code == 0, play.output
    assert not (tmp_path / "kept").exists()
    assert "host : snapshot   2 of 3 parts whole" in play.output


def test_from_the_controller_where_the_host_has_no_python(take, tmp_path):
    host = {
        "ansible_python_interpreter": "/nowhere/python",
        "system_observe_from": "controller",
        "system_services": {"api": {"manager": "command", "commands": {"status": ["true"]}}},
    }
    play = take(hosts={"hosted": host}, snapshot_parts=["services", "host"])
    assert play.code == 0, play.output
    kept = only(tmp_path / "kept")
    assert kept.json("services/states.json")["services"]["api"]["state"] == "running"
    assert "the module could not run on the managed host" in kept.reasons["host"]
    assert "python" in kept.reasons["host"].lower()


def test_the_interpreter_of_these_tests_is_the_one_of_the_plays():
    assert QUICK["ansible_python_interpreter"] == sys.executable

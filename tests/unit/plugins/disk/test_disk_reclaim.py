"""disk_reclaim: only what was named, looked at again when it acts, in check mode nothing at all."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import expired_files
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import filesystems as filesystem
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import reclaim as disk_reclaim
from ansible_collections.oncall.runbooks.plugins.module_utils.docker import space as docker_space
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

# No filesystem is ever below it, so that room is always wanted.
NEVER_ENOUGH = 0.0


def rule(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"path": str(folder), "patterns": ["*.gz"], "older_than_days": 7, **changes}


def old(path: Path, size: int = 5000, days: float = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time(), time.time() - days * 86400))
    return path


def seen(folder: Path, **changes: Any) -> list[dict[str, Any]]:
    return expired_files.expired(rule(folder, **changes), Deadline(5))


def reclaim(tmp_path: Path, files: list[dict[str, Any]], folder: Path, **params: Any) -> tuple[int, dict[str, Any]]:
    params = {"rotated_logs": [rule(folder)], "target_ratio": NEVER_ENOUGH, **params}
    return run_module("disk_reclaim", tmp_path, files=files, **params)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.gz", "sub/b.gz"):
        old(tmp_path / "log" / name)
    return tmp_path / "log"


def why(result: dict[str, Any]) -> list[str]:
    return [one["why"] for one in result["left_alone"]]


def test_check_mode_says_what_would_go_and_takes_nothing(tmp_path, folder):
    code, result = reclaim(tmp_path, seen(folder), folder, check=True, diff=True)
    assert (code, result["changed"]) == (0, True)
    assert [one["what"] for one in result["reclaimed"]] == [str(folder / "a.gz"), str(folder / "sub/b.gz")]
    assert result["freed_bytes"] == sum(one["bytes"] for one in seen(folder)) > 0
    assert str(folder / "a.gz") in result["diff"]["before"]
    assert (folder / "a.gz").exists()


def test_it_takes_them_once(tmp_path, folder):
    targets = seen(folder)
    code, result = reclaim(tmp_path, targets, folder)
    assert (code, result["changed"], len(result["reclaimed"])) == (0, True, 2)
    assert list(folder.rglob("*.gz")) == []
    code, result = reclaim(tmp_path, targets, folder)
    assert (code, result["changed"], result["reclaimed"]) == (0, False, [])
    assert why(result) == ["it is gone, or no rule lets it go now"] * 2


def test_room_enough_takes_nothing(tmp_path, folder):
    code, result = reclaim(tmp_path, seen(folder), folder, target_ratio=1.0)
    assert (code, result["changed"]) == (0, False)
    assert why(result) == ["there is room enough"] * 2


def replace_content(path: Path) -> None:
    stamp = path.stat().st_mtime_ns
    path.unlink()
    path.with_name("placeholder").write_text("takes the inode")
    path.write_bytes(b"y" * 5000)
    os.utime(path, ns=(stamp, stamp))


def touch(path: Path) -> None:
    path.write_bytes(b"z" * 5000)


def become_link(path: Path) -> None:
    victim = old(path.parent.parent / "outside" / "victim.gz")
    path.unlink()
    path.symlink_to(victim)


def move_folder(path: Path) -> None:
    outside = path.parents[1] / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


def link_again(path: Path) -> None:
    os.link(path, path.with_name("again"))


def shorten_age(path: Path) -> None:
    os.utime(path)


@pytest.mark.parametrize("change", [replace_content, touch, become_link, move_folder, link_again, shorten_age])
def test_what_changed_since_it_was_looked_at_stays(tmp_path, change):
    path = old(tmp_path / "log" / "a.gz")
    targets = seen(tmp_path / "log")
    assert len(targets) == 1
    change(path)
    _code, result = reclaim(tmp_path, targets, tmp_path / "log")
    assert (result["changed"], result["reclaimed"]) == (False, [])
    assert path.exists()
    outside = tmp_path / "outside"
    assert not outside.exists() or list(outside.glob("*.gz"))


def test_nothing_outside_the_configured_folders_is_touched(tmp_path, folder):
    elsewhere = old(tmp_path / "elsewhere" / "a.gz")
    (target,) = seen(elsewhere.parent)
    sneaky = dict(target, path=f"{folder}/../elsewhere/a.gz")
    _code, result = reclaim(tmp_path, [target, sneaky], folder)
    assert why(result) == ["it is gone, or no rule lets it go now"] * 2
    assert elsewhere.exists()


def test_an_open_file_stays(tmp_path, folder):
    targets = seen(folder)
    with open(folder / "a.gz", "rb"):
        _code, result = reclaim(tmp_path, targets, folder)
    assert (folder / "a.gz").exists()
    assert not (folder / "sub/b.gz").exists()
    assert "a process has it open" in why(result)[0]


def test_the_newest_backups_stay_although_they_were_targets(tmp_path):
    for number in range(4):
        old(tmp_path / "backup" / f"{number}.gz", days=20 + number)
    targets = seen(tmp_path / "backup")
    assert len(targets) == 4
    _code, result = reclaim(tmp_path, targets, tmp_path, rotated_logs=[], backups=[rule(tmp_path / "backup", keep=3)])
    assert [one["what"] for one in result["reclaimed"]] == [str(tmp_path / "backup" / "3.gz")]


def test_a_folder_that_is_gone_is_a_failure_and_stops_no_other(tmp_path, folder):
    rules = [rule(tmp_path / "gone"), rule(folder)]
    code, result = reclaim(tmp_path, seen(folder), folder, rotated_logs=rules)
    assert (code, result["changed"]) == (1, True)
    assert result["msg"] == f"{tmp_path}/gone: No such file or directory"
    assert len(result["reclaimed"]) == 2


def test_exactly_one_kind(tmp_path):
    assert run_module("disk_reclaim", tmp_path)[0] == 1
    assert run_module("disk_reclaim", tmp_path, images=[], journal_bytes=1)[0] == 1


def test_an_engine_that_does_not_answer_is_one_line(tmp_path):
    code, result = run_module("disk_reclaim", tmp_path, build_cache=True, docker_host=f"unix://{tmp_path}/none.sock")
    assert code == 1
    assert "cannot be reached" in result["msg"]
    assert result["changed"] is False


JOURNALCTL = """#!{python}
import os, sys
open({calls!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
os.truncate({file!r}, {left})
"""


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """A function: what the fake journalctl leaves of 200 KB -> the object that reclaims, and the calls it made."""
    folder, calls = tmp_path / "journal", tmp_path / "calls"
    old(folder / "abc" / "system@1.journal", 200_000)
    monkeypatch.setattr(filesystem, "JOURNALS", (str(folder),))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(left: int, check: bool = False, **params: Any):
        program = tmp_path / "journalctl"
        file = str(folder / "abc" / "system@1.journal")
        program.write_text(JOURNALCTL.format(python=sys.executable, calls=str(calls), file=file, left=left))
        program.chmod(0o755)
        params = {
            "journal_bytes": 100_000,
            "target_ratio": NEVER_ENOUGH,
            "inodes_ratio": 0.85,
            "timeout_seconds": 10,
            **params,
        }
        reclaiming = disk_reclaim.Reclaim(params, check)
        reclaiming.journal()
        return reclaiming, calls.read_text() if calls.exists() else ""

    return make


def test_journal(journal):
    done, calls = journal(left=50_000)
    assert calls == "--vacuum-size=100000\n"
    assert 100_000 < done.reclaimed[0]["bytes"] < 200_000
    again, calls = journal(left=50_000)
    assert calls.count("\n") == 1, "it is not run again"
    assert again.left_alone == [{"what": "journal", "why": "it is small already"}]


def test_journal_in_check_mode_and_with_room_enough(journal):
    done, calls = journal(left=0, check=True)
    assert (calls, len(done.reclaimed)) == ("", 1)
    done, calls = journal(left=0, target_ratio=1.0)
    assert (calls, done.left_alone[0]["why"]) == ("", "there is room enough")


def test_a_journal_that_is_all_in_use_is_no_change(journal):
    done, _calls = journal(left=200_000)
    assert (done.reclaimed, done.left_alone[0]["why"]) == ([], "what is there is in use")


def test_the_end_of_a_log_stays_in_whole_lines_while_it_is_appended_to(tmp_path):
    path = tmp_path / "x-json.log"
    program = (
        "import sys, time\nwith open(sys.argv[1], 'a', buffering=1) as log:\n"
        "    for number in range(200000): log.write(f'line {number:08d}\\n')\n    print('written', flush=True)\n"
        "    sys.stdin.readline()\n    log.write('after\\n')\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=pipe, stdout=pipe, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        disk_reclaim._cut_but_end(descriptor, os.fstat(descriptor).st_size, 1000)
        os.close(descriptor)
        writer.stdin.write("go\n")
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["line 00199999", "after"]
    assert len(lines) == 72
    assert all(len(line) == 13 for line in lines[:-1])


class FakeEngine(http.server.BaseHTTPRequestHandler):
    """As much of an engine as it takes to have a build cache."""

    protocol_version = "HTTP/1.1"
    cache: ClassVar[list[dict[str, Any]]] = []
    root: ClassVar[str] = ""
    pruned: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        answers = {"/info": {"DockerRootDir": self.root}, "/system/df": {"BuildCache": self.cache}}
        self._answer(next((answer for path, answer in answers.items() if self.path.endswith(path)), {}))

    def do_HEAD(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        FakeEngine.pruned.append(self.path)
        FakeEngine.cache = [one for one in self.cache if one["InUse"]]
        self._answer({"SpaceReclaimed": 3000, "CachesDeleted": ["a", "b"]})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", "1.41")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: Any) -> None:
        pass


DOCKER = """#!{python}
import http.client, os, socket, sys
assert sys.argv[1] == "--host" and sys.argv[3:] == ["builder", "prune", "--all", "--force"], sys.argv
connection = http.client.HTTPConnection("engine")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[2][len("unix://"):])
connection.request("POST", "/v1.41/build/prune?all=1")
print("Total reclaimed space:", connection.getresponse().read())
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The address of an engine with a build cache of 3000 bytes, 1000 more of which are in use."""
    FakeEngine.cache = [{"Size": size, "InUse": size == 1000} for size in (1000, 1200, 1800)]
    FakeEngine.root, FakeEngine.pruned = str(tmp_path), []
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    # A socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        path = f"{short}/e.sock"
        with socketserver.ThreadingUnixStreamServer(path, FakeEngine) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield f"unix://{path}"
            server.shutdown()
            thread.join()


def test_build_cache(engine, tmp_path):
    options = {"build_cache": True, "docker_host": engine, "target_ratio": NEVER_ENOUGH}
    _code, planned = run_module("disk_reclaim", tmp_path, check=True, **options)
    assert (planned["reclaimed"], FakeEngine.pruned) == ([{"what": "build cache", "bytes": 3000}], [])
    _code, enough = run_module("disk_reclaim", tmp_path, **dict(options, target_ratio=1.0))
    assert (enough["left_alone"][0]["why"], FakeEngine.pruned) == ("there is room enough", [])
    code, done = run_module("disk_reclaim", tmp_path, **options)
    assert (code, done["freed_bytes"], len(FakeEngine.pruned)) == (0, 3000, 1)
    _code, again = run_module("disk_reclaim", tmp_path, **options)
    assert (again["changed"], again["left_alone"][0]["why"]) == (False, "it is small already")


def test_what_an_engine_does_not_say_is_not_known(engine):
    found = docker_space.look(engine, 24, Deadline(5))
    assert (found["available"], found["absent"]) == (False, False)
    assert "does not answer as a Docker Engine does" in found["reason"]

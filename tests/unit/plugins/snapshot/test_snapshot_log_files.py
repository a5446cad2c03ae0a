# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files: only the end of each, whatever its size, and nothing outside of its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot import files
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.gather import validated
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.logs import look

COLLECTIONS = Path(__file__).parents[4] / "collections"


def looked(max_bytes: int = 1_000_000, **options: Any) -> dict[str, Any]:
    return look(validated("logs", {"max_bytes": max_bytes, **options}))


def of_folder(folder: Path, **more: Any) -> dict[str, Any]:
    return looked(folders={"app": {"path": str(folder), **more}})


def test_whole_files_of_the_names_asked_for(tmp_path):
    (tmp_path / "a.log").write_text("one\ntwo\n")
    (tmp_path / "größe ☂.log").write_text("drei\n")
    (tmp_path / "notes.txt").write_text("not asked for\n")
    told = of_folder(tmp_path)
    assert (told["available"], told["limits"]) == (True, [])
    assert {one["name"]: (one["text"], one["of_bytes"], one["kept_bytes"]) for one in told["files"]} == {
        "app-a.log": ("one\ntwo\n", 8, 8),
        "app-größe ☂.log": ("drei\n", 5, 5),
    }


def test_of_ten_gigabytes_only_the_end_is_read_and_it_is_told(tmp_path):
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.write(b"the beginning\n")
        file.truncate(10_000_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe end password=planted4711value\n")
    script = (
        "import json, resource, sys, time\n"
        "from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.gather import validated\n"
        "from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.logs import look\n"
        "before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()\n"
        "parameters = {'max_bytes': 4000000, 'folders': {'app': {'path': sys.argv[1]}}}\n"
        "(one,) = look(validated('logs', parameters))['files']\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(json.dumps([one, grown * 1024, time.process_time() - began]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}, capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip
    one, grown_bytes, seconds = json.loads(ran.stdout)
    assert one["of_bytes"] == path.stat().st_size > 10_000_000_000
    assert one["kept_bytes"] == 512 * 1024
    assert one["text"].endswith("the end password=********\n")
    assert "the beginning" not in one["text"]
    assert grown_bytes < 30_000_000
    assert seconds < 5


def test_a_log_that_grows_is_read_up_to_where_it_was(tmp_path):
    path = tmp_path / "busy.log"
    path.write_text("")
    stop = threading.Event()

    def write() -> None:
        with path.open("a") as file:
            while not stop.is_set():
                file.write("a line of a busy service\n" * 200)
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.2)
        (one,) = of_folder(tmp_path)["files"]
    finally:
        stop.set()
        writer.join()
    assert 0 < one["kept_bytes"] <= 512 * 1024
    assert set(one["text"].splitlines()) == {"a line of a busy service"}
    assert one["of_bytes"] <= path.stat().st_size


def test_a_log_that_is_emptied_meanwhile_is_no_failure(tmp_path, monkeypatch):
    path = tmp_path / "rotated.log"
    path.write_text("a line\n" * 1000)
    real = os.pread

    def emptied(*arguments: Any) -> bytes:
        path.write_text("")
        return real(*arguments)

    monkeypatch.setattr(os, "pread", emptied)
    (one,) = of_folder(tmp_path)["files"]
    assert (one["text"], one["kept_bytes"]) == ("", 0)


def test_a_link_out_of_the_folder_is_told_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.log").write_text("what nobody asked for\n")
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "good.log").write_text("good\n")
    (folder / "evil.log").symlink_to(outside / "secret.log")
    (folder / "up.log").symlink_to("../outside/secret.log")
    (folder / "dangling.log").symlink_to("nowhere")
    told = of_folder(folder)
    assert [one["text"] for one in told["files"]] == ["good\n"]
    assert len(told["limits"]) == 3
    assert all("symbolic link" in line and "not followed" in line for line in told["limits"])
    assert "nobody asked" not in str(told)


def test_a_folder_behind_a_link_is_told(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.log").write_text("x\n")
    (tmp_path / "link").symlink_to("real")
    told = of_folder(tmp_path / "link")
    assert not told["available"] and "name the folder itself" in told["reason"]


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("what nobody asked for\n")
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.log").write_text("a\n")
    (listed,), _limits = files.listed("app", {"path": str(folder), "files": ["*.log"], "newest": 5})
    (folder / "a.log").unlink()
    (folder / "a.log").symlink_to("../secret")
    with pytest.raises(OSError, match="symbolic links"):
        files.read(listed, 1000)


def test_what_is_no_log_is_told_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "old.log.gz").write_bytes(b"\x1f\x8b")
    began = time.monotonic()
    told = of_folder(tmp_path, files=["*.log", "*.gz"])
    assert time.monotonic() - began < 5
    assert not told["available"]
    lines = [told["reason"], *told["limits"]]
    assert sorted("packed" in line or "no regular file" in line for line in lines) == [True, True, True]


def test_only_the_newest_and_the_others_are_told(tmp_path):
    for number in range(15):
        (tmp_path / f"{number}.log").write_text(f"{number}\n")
        os.utime(tmp_path / f"{number}.log", (1_000_000 + number, 1_000_000 + number))
    told = of_folder(tmp_path, newest=3)
    assert sorted(one["text"] for one in told["files"]) == ["12\n", "13\n", "14\n"]
    assert told["limits"] == [f"{tmp_path}: 12 older files are left out; newest is 3"]


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (
            {"path": "/nowhere/at/all"},
            "/nowhere/at/all is not read: No such file or directory; check snapshot_log_folders",
        ),
        ({"path": "relative"}, "snapshot_log_folders.app: path must be absolute"),
        ({}, "snapshot_log_folders.app: missing required arguments: path"),
        ("/var/log", "snapshot_log_folders.app must be a dict with at least the key path"),
        ({"path": "/var/log", "newest": 0}, "snapshot_log_folders.app: newest must be 1 or more"),
    ],
)
def test_a_folder_that_cannot_be_read_is_told(folder, reason, tmp_path):
    (tmp_path / "a.log").write_text("a\n")
    told = looked(folders={"app": folder, "good": {"path": str(tmp_path)}})
    assert [one["name"] for one in told["files"]] == ["good-a.log"]
    assert told["limits"] == [reason]


def test_what_is_there_is_shared(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.log").write_text("a line of twenty one\n" * 5000)
    told = look(validated("logs", {"max_bytes": 100_000, "folders": {"app": {"path": str(tmp_path), "newest": 20}}}))
    assert {one["kept_bytes"] for one in told["files"]} == {5000}
    assert sum(len(one["text"]) for one in told["files"]) <= 100_000


def test_the_descriptors_are_closed(tmp_path):
    (tmp_path / "a.log").write_text("a\n")
    before = {*Path("/proc/self/fd").iterdir()}
    for _ in range(5):
        of_folder(tmp_path)
    assert len({*Path("/proc/self/fd").iterdir()} - before) <= 1


def test_a_thousand_services_of_which_none_can_be_read_each_have_their_reason():
    services: dict[str, Any] = {f"dienst-{number}-ü": {"manager": "command", "commands": {}} for number in range(998)}
    services["../x"] = {"manager": "nothing"}
    services["other"] = 3
    told = looked(services=services)
    assert not told["available"]
    lines = [told["reason"], *told["limits"]]
    assert len(lines) == 1000
    assert any("service ../x: unknown manager nothing" in line for line in lines)
    assert any("service other must be a dict" in line for line in lines)

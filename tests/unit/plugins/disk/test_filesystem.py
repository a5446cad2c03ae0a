"""filesystem_info: what it says of mounts, folders, open files and rules, on real files and on captured text."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.disk_space import holders, short_of_target
from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline, DeadlineExceeded
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import expired_files, open_files
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import filesystems as filesystem
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import mounts as filesystem_mounts
from ansible_collections.oncall.runbooks.plugins.module_utils.disk import usage as filesystem_usage
from ansible_collections.oncall.runbooks.plugins.module_utils.docker import space as docker_space
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.filesystem import SPEC
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

DEFAULTS = {key: value["default"] for key, value in SPEC.items()}
# From a Debian 12 with Docker, shortened.
MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334556k,nr_inodes=3083639,mode=755
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684100k
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard,errors=remount-ro
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
42 27 254:0 /var/lib/docker /var/lib/docker rw,relatime shared:1 - ext4 /dev/vda rw,discard
46 42 0:39 / /var/lib/docker/overlay2/c5/merged rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/var/lib/docker/overlay2/c5/diff,workdir=/w
50 27 0:40 / /mnt/with\040space\134x ro,relatime - nfs4 filer.example:/a\040b ro,vers=4.2
51 27 7:1 / /snap/core/1 ro,nodev,relatime - squashfs /dev/loop1 ro
52 27 0:41 / /net rw,relatime - autofs /etc/auto.net rw
53 27 8:1 / /data rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro
54 27 8:2 / /data rw,relatime - xfs /dev/sda2 rw
garbage
"""


def observe(**params: Any) -> dict[str, Any]:
    return filesystem.observe({**DEFAULTS, **params})


def test_mountinfo_keeps_what_is_real_and_on_top():
    found = {one["mount"]: one for one in filesystem_mounts.parse_mountinfo(MOUNTINFO)}
    assert list(found) == ["/", "/data", "/dev/shm", "/mnt/with space\\x", "/var/lib/docker"]
    assert found["/data"]["source"] == "/dev/sda2"
    assert found["/mnt/with space\\x"] == {
        "mount": "/mnt/with space\\x",
        "type": "nfs4",
        "source": "filer.example:/a b",
        "device": "0:40",
        "read_only": True,
    }


def test_a_filesystem_hidden_by_a_pseudo_one_is_not_there():
    over = MOUNTINFO + "60 27 0:50 / /data rw - autofs systemd-1 rw\n"
    assert "/data" not in [one["mount"] for one in filesystem_mounts.parse_mountinfo(over)]


def test_what_a_container_writes_to():
    assert list(filesystem_mounts.parse_uppers(MOUNTINFO)) == [("0:39", "/var/lib/docker/overlay2/c5/diff")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [("defaults,errors=remount-ro", True), ("ro,noauto", False), ("rw", True)],
)
def test_what_fstab_says_of_writing(options, expected):
    fstab = f"# /data of old\n/dev/sda1 /data ext4 {options} 0 2  # big\n/dev/sdb1 /other ext4 ro 0 2\n"
    assert filesystem_mounts.writable_in_fstab("/data", fstab) is expected
    assert filesystem_mounts.writable_in_fstab("/dat", fstab) is False


def statvfs(blocks: int, free: int, available: int, files: int = 100, files_free: int = 90) -> Any:
    return SimpleNamespace(
        f_frsize=4096, f_blocks=blocks, f_bfree=free, f_bavail=available, f_files=files, f_ffree=files_free
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # 5 % are root's own: df says 100 %, because nobody else can write.
        (statvfs(100, 5, 0), {"used_ratio": 1.0, "full": ["bytes"], "excess_bytes": 77824}),
        (statvfs(100, 20, 15), {"used_ratio": 0.8421, "full": [], "excess_bytes": 0}),
        (statvfs(100, 15, 15), {"used_ratio": 0.85, "full": ["bytes"], "excess_bytes": 20480}),
        (statvfs(100, 90, 90, 100, 10), {"full": ["inodes"], "excess_inodes": 10, "excess_bytes": 0}),
        (statvfs(100, 90, 90, 0, 0), {"inodes": None, "inodes_used": None, "inodes_used_ratio": None, "full": []}),
    ],
)
def test_sizes_are_those_of_df(values, expected):
    found = filesystem_mounts.sizes(values, DEFAULTS)
    assert {key: found[key] for key in expected} == expected


def test_a_filesystem_without_a_size_is_none():
    assert filesystem_mounts.sizes(statvfs(0, 0, 0), DEFAULTS) is None


def test_a_full_one_has_something_in_excess_whatever_the_target():
    found = filesystem_mounts.sizes(statvfs(100, 15, 15), {**DEFAULTS, "target_ratio": 0.99})
    assert found["excess_bytes"] > 0


def test_this_host_as_df_sees_it(tmp_path):
    (ours,) = observe(paths=[str(tmp_path)])["filesystems"]
    command = ["df", "--block-size=1", "--output=used,avail,itotal,target", str(tmp_path)]
    used, available, inodes, mount = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1].split(maxsplit=3)
    )
    assert ours["mount"] == mount
    assert abs(ours["used_bytes"] - int(used)) < 256 * 1024**2, "others write here too"
    assert abs(ours["available_bytes"] - int(available)) < 256 * 1024**2
    assert ours["inodes"] == (int(inodes) or None)


def test_a_filesystem_that_hangs_or_vanishes_is_told_and_holds_nobody_up(monkeypatch, tmp_path):
    real, hang = os.statvfs, threading.Event()

    def one_of_them_hangs(path):
        if path == "/lost/nfs":
            hang.wait(60)
        return real(path)

    monkeypatch.setattr(os, "statvfs", one_of_them_hangs)
    began = time.monotonic()
    found = observe(paths=[str(tmp_path), "/lost/nfs", str(tmp_path / "gone")], timeout_seconds=3)
    hang.set()
    assert time.monotonic() - began < 20
    assert len(found["filesystems"]) == 1
    assert found["complete"] is False
    assert {one["mount"]: one["reason"] for one in found["not_looked_at"]} == {
        "/lost/nfs": "no complete answer within 1 s; does its server answer?",
        str(tmp_path / "gone"): "it is not there (any more)",
    }
    assert len(found["limits"]) == 2


def test_one_that_vanishes_between_the_list_and_the_look(monkeypatch):
    listed = MOUNTINFO.replace("/data", "/vanished-meanwhile")
    monkeypatch.setattr(filesystem_mounts, "parse_mountinfo", lambda _text: parse(listed))
    found = observe()
    assert "/" in [one["mount"] for one in found["filesystems"]]
    assert "/vanished-meanwhile" in [one["mount"] for one in found["not_looked_at"]]


parse = filesystem_mounts.parse_mountinfo


def fill(folder: Path, **sizes: int) -> None:
    for name, size in sizes.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def test_the_largest_folders_without_those_that_stand_for_another(tmp_path):
    fill(tmp_path, a__b__c__big=400_000, a__small=1000, other__file=150_000, other__d__file=150_000)
    for number in range(30):
        fill(tmp_path, **{f"many__{number}": 1})
    (tmp_path / "link").symlink_to("/usr")
    os.link(tmp_path / "a/b/c/big", tmp_path / "other/d/again")
    usage = filesystem_usage.Usage(str(tmp_path))
    usage.walk(Deadline(10))
    largest = usage.largest()
    assert (usage.complete, usage.denied) == (True, 0)
    names = [Path(one["path"]).relative_to(tmp_path).as_posix() for one in largest["bytes"]]
    assert names[0] in ("a/b/c", "other"), "the hard link is counted once"
    assert {"a/b/c", "other", "many"} <= set(names)
    assert not {".", "a", "a/b", "link"} & set(names)
    assert Path(largest["entries"][0]["path"]).name == "many"
    assert largest["entries"][0]["entries"] == 30


def test_time_runs_out_while_folders_are_counted(tmp_path, monkeypatch):
    fill(tmp_path, a__file=5000, b__file=5000)
    real, hang = os.scandir, threading.Event()

    def hangs(path):
        if str(path).endswith("/a"):
            hang.wait(60)
        return real(path)

    monkeypatch.setattr(os, "scandir", hangs)
    usage = filesystem_usage.Usage(str(tmp_path))
    usage.walk(Deadline(0.3))
    hang.set()
    assert usage.complete is False
    assert usage.largest()


def test_deep_folders_count_for_the_one_above(tmp_path):
    deep = "__".join("abcdefghijk")
    fill(tmp_path, **{f"{deep}__file": 300_000})
    usage = filesystem_usage.Usage(str(tmp_path))
    usage.walk(Deadline(5))
    assert usage.largest()["bytes"][0]["path"] == str(tmp_path / "a/b/c/d/e/f")


@pytest.fixture
def holder(tmp_path):
    """A process that has a deleted file open, and the child of it that has another one."""
    program = (
        "import os, sys, time\n"
        "def held(name):\n"
        "    f = open(name, 'wb'); f.write(b'x' * 300000); f.flush(); os.unlink(name); return f\n"
        "first = held(sys.argv[1] + '/by the parent')\n"
        "if os.fork() == 0:\n"
        "    first.close(); second = held(sys.argv[1] + '/by the child'); print('ready', flush=True); time.sleep(60)\n"
        "os.wait()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process.pid
    (child,) = (int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    os.kill(child, 9)
    process.wait()
    process.stdout.close()


def test_deleted_files_that_are_open_and_who_holds_them(holder, tmp_path):
    kept = open(tmp_path / "kept", "w")  # noqa: SIM115
    found = open_files.scan(Deadline(10))
    kept_identity = os.fstat(kept.fileno())
    kept.close()
    ours = {Path(one["path"]).name: one for one in found["deleted"] if one["path"].startswith(str(tmp_path))}
    assert set(ours) == {"by the parent", "by the child"}
    assert all(one["bytes"] >= 300_000 and one["program"].startswith("python") for one in ours.values())
    assert ours["by the parent"]["pid"] == holder
    assert ours["by the child"]["ancestors"][0] == holder
    assert os.getpid() in ours["by the parent"]["ancestors"]
    assert (kept_identity.st_dev, kept_identity.st_ino) in found["in_use"]
    rows = holders(list(ours.values()), {"api": {"pid": holder}, "test": {"pid": os.getpid()}, "off": {"pid": None}})
    assert {row["service"] for row in rows} == {"api"}, "the nearest one, not the one above it"


def test_looking_for_open_files_ends_in_time():
    with pytest.raises(DeadlineExceeded):
        Deadline(-1).remaining_seconds()
    assert open_files.scan(Deadline(-1))["complete"] is False


OLD = time.time() - 30 * 86400


def old(folder: Path, name: str, size: int = 1000, days: float = 30) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (OLD, time.time() - days * 86400))
    return path


def rule(folder: Path, *patterns: str, **changes: Any) -> dict[str, Any]:
    return {"path": str(folder), "patterns": list(patterns or ("*.gz", "*.[0-9]")), "older_than_days": 7, **changes}


def names(folder: Path, found: list[dict[str, Any]]) -> list[str]:
    return [Path(one["path"]).relative_to(folder).as_posix() for one in found]


def test_only_old_regular_files_that_fit_and_lie_in_the_folder(tmp_path):
    folder, outside = tmp_path / "log", tmp_path / "outside"
    wanted = [old(folder, "a.log.1"), old(folder, "sub/b.gz")]
    old(folder, "young.gz", days=6)
    old(folder, "current.log")
    old(outside, "victim.gz")
    (folder / "link.gz").symlink_to(outside / "victim.gz")
    (folder / "folder").symlink_to(outside)
    (folder / "directory.gz").mkdir()
    os.mkfifo(folder / "pipe.1")
    os.link(old(folder, "twice.gz"), folder / "again.gz")
    old(folder, "database/PG_VERSION")
    old(folder, "database/base/16384.1")
    old(folder, "pg_wal/000000010000000000000001.gz")
    found = expired_files.expired(rule(folder), Deadline(5))
    assert sorted(names(folder, found)) == sorted(path.relative_to(folder).as_posix() for path in wanted)
    assert all(one["bytes"] > 0 for one in found)


def test_what_is_mounted_below_the_folder_or_is_an_engine_s_is_somewhere_else(tmp_path, monkeypatch):
    folder = tmp_path / "log"
    kept, mounted, engine = (old(folder / name, "a.gz").parent for name in ("kept", "mounted", "docker"))
    real = expired_files._mount_of

    def mount_of(descriptor):
        device, mount = real(descriptor)
        # As a bind mount shows: the same device, another mount.
        return device, "another" if os.fstat(descriptor).st_ino == mounted.stat().st_ino else mount

    monkeypatch.setattr(expired_files, "_mount_of", mount_of)
    monkeypatch.setattr(expired_files, "_ENGINES", (str(engine),))
    found = expired_files.expired(rule(folder), Deadline(5))
    assert [Path(one["path"]).parent for one in found] == [kept]


def test_a_folder_reached_through_a_symbolic_link_is_refused(tmp_path):
    old(tmp_path / "real", "a.gz")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        expired_files.expired(rule(tmp_path / "link"), Deadline(5))
    found = observe(paths=[str(tmp_path)], used_ratio=0, rotated_logs=[rule(tmp_path / "link")], timeout_seconds=4)
    assert found["use"]["rotated_logs"]["complete"] is False
    assert any(str(tmp_path / "link") in limit for limit in found["limits"])


def test_a_journal_that_cannot_be_read_is_not_an_empty_one(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystem, "JOURNALS", (str(tmp_path / "none"),))
    assert observe(paths=[str(tmp_path)], used_ratio=0, timeout_seconds=4)["use"]["journal"] == {
        "available": True,
        "folders": [],
    }
    (tmp_path / "file").touch()
    monkeypatch.setattr(filesystem, "JOURNALS", (str(tmp_path / "file" / "journal"),))
    found = observe(paths=[str(tmp_path)], used_ratio=0, timeout_seconds=4)
    assert found["use"]["journal"]["available"] is False
    assert any(limit.startswith("journal: ") for limit in found["limits"])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # by age, newest first; the numbers are what a backup takes
        ([100, 100, 100, 100, 100], [3, 4]),
        ([100, 100], []),
        # the newest were cut short by the full disk: the last good ones stay
        ([0, 4096, 0, 100000, 100000, 100000, 100000], [6]),
        ([0, 0, 0], []),
        # one failed long ago
        ([100000, 100000, 100000, 4096, 100000], [3, 4]),
    ],
)
def test_the_newest_whole_backups_stay(tmp_path, sizes, expected):
    for number, size in enumerate(sizes):
        old(tmp_path, f"b{number}.dump", size, days=20 + number)
    old(tmp_path, "sub/below.dump", days=90)
    found = expired_files.expired(rule(tmp_path, "*.dump", keep=3), Deadline(5))
    assert sorted(names(tmp_path, found)) == [f"b{number}.dump" for number in expected]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "/"}, "no absolute path"),
        ({"path": "/var"}, "no absolute path"),
        ({"path": "var/log"}, "no absolute path"),
        ({"path": "/var/log/../../etc"}, "no absolute path"),
        ({"path": "/var/lib/docker/volumes/x/_data"}, "container engine"),
        ({"path": "/srv/../var/lib/docker"}, "container engine"),
        ({"path": "/srv/db/pg_wal"}, "write-ahead log"),
        ({"path": "/srv/db/pg_wal/archive_status"}, "write-ahead log"),
        ({"patterns": ["*"]}, "more than"),
        ({"patterns": ["**"]}, "more than"),
        *(
            ({"patterns": ["*.gz", pattern]}, "more than")
            for pattern in (
                "",
                "?*",
                "*?",
                "?",
                "????",
                "*.*",
                "*.?",
                "*.???",
                ".*",
                "[!x]*",
                "[a-z]*",
                "*[A-Za-z]*",
                "*[!.]",
            )
        ),
        ({"patterns": []}, "more than"),
        ({"patterns": ["../*.gz"]}, "more than"),
        ({"older_than_days": 0}, "above 0"),
        ({"older_than_days": float("nan")}, "above 0"),
        ({"keep": 0}, "1 or more"),
    ],
)
def test_rules_that_nobody_can_have_meant(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        observe(rotated_logs=[{**rule(tmp_path), **changes}])


def test_an_engine_that_is_not_there_or_no_engine(tmp_path):
    found = docker_space.look(f"unix://{tmp_path}/none.sock", 24, Deadline(1))
    assert found["available"] is False
    assert "cannot be reached" in found["reason"]
    assert docker_space.look("tcp://10.0.0.1:2375", 24, Deadline(1))["absent"] is False


def test_images_with_a_digest_or_a_container_are_not_dangling():
    def image(number: int, **changes: Any) -> dict[str, Any]:
        return {"Id": f"i{number}", "Size": 10, "Created": 100, "RepoTags": None, "RepoDigests": None, **changes}

    images = [
        image(1),
        image(2, RepoTags=["<none>:<none>"], RepoDigests=["<none>@<none>"]),
        image(3, RepoTags=["app:1"]),
        image(4, RepoDigests=["app@sha256:abc"]),
        image(5),
        image(6, Created=900),
    ]
    found = docker_space.dangling(images, [{"ImageID": "i5"}], 500)
    assert [one["id"] for one in found] == ["i1", "i2"]


def test_only_json_files_are_logs_that_can_be_cut():
    def container(driver: str, path: str) -> dict[str, Any]:
        return {"Id": "x", "Name": "/web", "LogPath": path, "HostConfig": {"LogConfig": {"Type": driver}}}

    assert docker_space.log_of(container("json-file", "/l")) == {"container": "x", "name": "web", "path": "/l"}
    assert docker_space.log_of(container("local", "/l")) is None
    assert docker_space.log_of(container("journald", "")) is None


def test_short_of_target():
    full = [
        {"mount": "/", "excess_bytes": 100, "excess_inodes": 0},
        {"mount": "/data", "excess_bytes": 50, "excess_inodes": 2},
    ]
    assert short_of_target(full, [{"mount": "/", "bytes": 100}], [{"mount": "/data", "bytes": 60}]) == [
        {"mount": "/data", "bytes": 0, "inodes": 1}
    ]
    assert len(short_of_target(full, iter([]), iter([]))) == 2


def test_module(tmp_path):
    code, found = run_module("filesystem_info", tmp_path, paths=[str(tmp_path)], timeout_seconds=30)
    assert (code, found["available"], found["changed"]) == (0, True, False)
    code, found = run_module("filesystem_info", tmp_path, backups=[rule(tmp_path, "*", keep=1)])
    assert code == 1
    assert "more than *" in found["msg"]


def test_names_that_are_no_text(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9\n"
    os.mkdir(folder)  # noqa: PTH102
    with open(folder + b"/\xff.gz", "wb") as file:
        file.write(b"x" * 500_000)
    os.utime(folder + b"/\xff.gz", (1, 1))
    old(tmp_path, "fine.gz")
    code, found = run_module(
        "filesystem_info",
        tmp_path,
        paths=[str(tmp_path)],
        used_ratio=0,
        timeout_seconds=4,
        rotated_logs=[rule(tmp_path)],
    )
    assert code == 0
    assert names(tmp_path, found["use"]["rotated_logs"]["files"]) == ["fine.gz"]
    usage = filesystem_usage.Usage(str(tmp_path))
    usage.walk(Deadline(5))
    assert usage.largest()["bytes"][0]["path"] == f"{tmp_path}/caf\ufffd\n"

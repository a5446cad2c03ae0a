# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backup_info tells of a folder of backups: only files are opened, whatever else has a fitting name."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from modules import run_module

from ansible_collections.oncall.runbooks.plugins.module_utils.backups import act, standing
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.files import (
    HAS_BACKUPS,
    NoFile,
    growing,
    identity,
    listed,
    opened,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.look import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.record import path_of, read, write
from ansible_collections.oncall.runbooks.tests.support.backups import dump, packed
from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out

WHOLE = packed(dump(users=3))


def look(folder, **more: Any) -> dict[str, Any]:
    """What the observer tells of a folder."""
    given = {"path": str(folder), "pattern": "shop*", **more.pop("given", {})}
    params: dict[str, Any] = {"database": None, "redis": None, "file": None, "state_directory": str(folder / "state")}
    found = observe({"backups": {"nightly": given}, "read_seconds": 20.0, "timeout_seconds": 10.0, **params, **more})
    return found["backups"]["nightly"]


@pytest.fixture
def odd(tmp_path):
    """Everything that is no file, under names that fit."""
    (tmp_path / "shop_dir").mkdir()
    os.mkfifo(tmp_path / "shop_fifo")
    (tmp_path / "shop_link").symlink_to("/etc/hostname")
    (tmp_path / "shop_dangling").symlink_to("/nowhere")
    (tmp_path / "shop_device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "shop_socket"))
    return tmp_path


ODD = {
    "shop_dir": "a directory",
    "shop_fifo": "a FIFO",
    "shop_link": "a symbolic link",
    "shop_dangling": "a symbolic link",
    "shop_device": "a symbolic link",
    "shop_socket": "a socket",
}


def test_what_is_no_file_is_told_and_never_opened(odd):
    files, others = listed(str(odd), "shop*")
    assert files == []
    assert {one["name"]: one["what"] for one in others} == ODD
    for name, what in ODD.items():
        with pytest.raises(NoFile, match=what), opened(str(odd / name)):
            pytest.fail("it was opened")


def test_backups_in_one_folder_a_day_are_not_missing(tmp_path):
    """Another one is not made for them: they are there, and were not looked at."""
    for day in ("2026-11-30", "2026-12-01"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "shop.sql.gz").write_bytes(WHOLE)
    (tmp_path / "empty").mkdir()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").write_text("shop")
    seen = look(tmp_path)
    assert {one["name"]: one["what"] for one in seen["odd"]} == dict.fromkeys(("2026-11-30", "2026-12-01"), HAS_BACKUPS)
    assert standing.is_stale({"kind": "files", **seen}, 93600.0) is None
    (tmp_path / "2026-11-30" / "shop.sql.gz").unlink()
    (tmp_path / "2026-12-01" / "shop.sql.gz").unlink()
    assert standing.is_stale({"kind": "files", **look(tmp_path)}, 93600.0) is True


def test_what_a_restore_dumped_for_safety_is_no_backup(tmp_path):
    """It has what was wrong with the database, and is newer than the backup that was restored."""
    safety = "oncall_before_restore_20261130T010000Z.pgc"
    for name in ("shop.pgc", safety):
        (tmp_path / name).write_bytes(WHOLE)
    for pattern in ("*", "*.pgc"):
        assert [one["name"] for one in listed(str(tmp_path), pattern)[0]] == ["shop.pgc"]
        assert look(tmp_path, given={"pattern": pattern})["newest"]["name"] == "shop.pgc"
    # But somebody may ask for just that.
    assert look(tmp_path, given={"pattern": "*"}, file=safety)["newest"]["name"] == safety
    assert len(listed(str(tmp_path), "oncall_before_restore_*")[0]) == 1


def test_a_device_is_never_opened(tmp_path):
    try:
        os.mknod(tmp_path / "shop_null", 0o20666, os.makedev(1, 3))
    except PermissionError:
        left_out("this user may make no devices here")
    assert [one["what"] for one in listed(str(tmp_path), "shop*")[1]] == ["a device"]
    with pytest.raises(NoFile, match="a device"), opened(str(tmp_path / "shop_null")):
        pytest.fail("it was opened")


def test_a_link_to_a_neighbour_is_that_file_once_more(tmp_path):
    (tmp_path / "shop_1").write_bytes(WHOLE)
    (tmp_path / "shop_latest").symlink_to("shop_1")
    files, others = listed(str(tmp_path), "shop*")
    assert ([one["name"] for one in files], others) == (["shop_1"], [])


def test_hidden_files_and_names_that_are_not_utf_8(tmp_path):
    (tmp_path / ".shop").write_bytes(WHOLE)
    (tmp_path / os.fsdecode(b"shop_\xff\xfe")).write_bytes(WHOLE)
    files, others = listed(str(tmp_path), "*shop*")
    assert files == []
    assert [(one["name"], one["what"]) for one in others] == [("shop_\\udcff\\udcfe", "a name that is not UTF-8")]


def test_a_name_with_a_newline_and_quotes_is_data(tmp_path):
    name = "shop_\n\"a\" 'b' $(touch x) {{ 1 }}\x1b[31m"
    (tmp_path / name).write_bytes(WHOLE)
    seen = look(tmp_path)
    assert seen["newest"]["path"] == str(tmp_path / name)
    assert seen["newest"]["name"] == "shop_ \"a\" 'b' $(touch x) {{ 1 }} [31m"
    assert seen["proof"]["reached"] == "tables"


def test_a_file_that_grows_is_not_the_newest(tmp_path):
    (tmp_path / "shop_1").write_bytes(WHOLE)
    os.utime(tmp_path / "shop_1", (time.time() - 60, time.time() - 60))
    over = threading.Event()

    def write_on() -> None:
        with open(tmp_path / "shop_2", "wb", buffering=0) as file:
            while not over.wait(0.02):
                file.write(b"x" * 100)

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        while not (tmp_path / "shop_2").exists():
            time.sleep(0.01)
        assert growing(listed(str(tmp_path), "shop_2")[0][0], 5.0)
        seen = look(tmp_path)
    finally:
        over.set()
        thread.join()
    assert (seen["newest"]["name"], seen["in_progress"]["name"]) == ("shop_1", "shop_2")


def test_a_folder_that_is_not_there(tmp_path):
    seen = look(tmp_path, given={"path": str(tmp_path / "gone")})
    assert (seen["available"], seen["reason"]) == (
        False,
        f"backup nightly {tmp_path / 'gone'}: No such file or directory",
    )


def test_a_file_that_is_asked_for_by_name(tmp_path):
    for name in ("shop_1", "shop_2"):
        (tmp_path / name).write_bytes(WHOLE)
    assert look(tmp_path, file="shop_1")["newest"]["name"] == "shop_1"
    seen = look(tmp_path, file="../shop_1")
    assert (seen["newest"], seen["complete"]) == (None, False)


def test_what_was_proven_holds_for_that_file_alone(tmp_path):
    (tmp_path / "shop_1").write_bytes(WHOLE)
    assert read(str(tmp_path / "state"), "nightly") == ({"proofs": {}}, "")
    one = listed(str(tmp_path), "shop*")[0][0]
    drill = {
        "ok": True,
        "identity": one["identity"],
        "seconds": 50.0,
        "size_bytes": one["size_bytes"] * 2,
        "at_seconds": time.time(),
    }
    write(str(tmp_path / "state"), "nightly", {"drill": drill})
    seen = look(tmp_path)
    # As half as large as the one that was restored.
    assert (seen["proof"]["reached"], seen["drill"]["expected_seconds"]) == ("restored", 25.0)
    (tmp_path / "shop_1").write_bytes(WHOLE)
    assert look(tmp_path)["proof"]["reached"] == "tables"


def test_a_record_that_others_may_write_to_does_not_count(tmp_path):
    (tmp_path / "shop_1").write_bytes(WHOLE)
    write(str(tmp_path / "state"), "nightly", {"proofs": {}})
    Path(path_of(str(tmp_path / "state"), "nightly")).chmod(0o666)
    seen = look(tmp_path)
    assert (seen["complete"], "does not count" in seen["limits"][0]) == (False, True)


def test_an_archive_that_was_copied_is_as_old_as_what_it_is_a_copy_of():
    from ansible_collections.oncall.runbooks.plugins.module_utils.backups.look import _true_age

    now, day = time.time(), 86400
    assert _true_age(60.0, None) == 60.0
    assert _true_age(60.0, now - 60) == 60.0
    # Within the time zones of this world nothing is told by it.
    assert _true_age(60.0, now - 13 * 3600) == 60.0
    assert _true_age(60.0, now - 30 * day) == pytest.approx(30 * day - 14 * 3600, abs=5)


# What is done with files.


def test_a_dump_has_its_name_only_when_it_is_whole(tmp_path):
    made = act.prepare(str(tmp_path), "shop_*.sql.gz", 100)
    assert Path(made["temporary"]).stat().st_mode & 0o777 == 0o600
    assert listed(str(tmp_path), "*") == ([], [])
    with pytest.raises(act.Refused, match="another dump is under way"):
        act.prepare(str(tmp_path), "shop_*.sql.gz", 100)
    before = identity(Path(made["temporary"]).stat())
    act.publish(made["temporary"], made["path"])
    # What was proven of the one holds for the other.
    assert identity(Path(made["path"]).stat()) == before
    assert not Path(made["temporary"]).exists()


def test_a_name_that_is_taken_keeps_its_file(tmp_path):
    made = act.prepare(str(tmp_path), "shop_*.pgc", 0)
    Path(made["path"]).write_text("another")
    with pytest.raises(act.Refused, match="is there already, and stays"):
        act.publish(made["temporary"], made["path"])
    assert Path(made["path"]).read_text() == "another"


def test_what_a_killed_dump_left_goes_only_when_nobody_writes_to_it(tmp_path):
    made = act.prepare(str(tmp_path), "shop_*.pgc", 0)
    with open(made["temporary"], "a") as _held:
        os.utime(made["temporary"], (1, 1))
        # Its status was changed a moment ago.
        with pytest.raises(act.Refused, match="another dump is under way"):
            act.prepare(str(tmp_path), "shop_*.pgc", 0)
        act.QUIET_SECONDS, quiet = -1, act.QUIET_SECONDS
        try:
            with pytest.raises(act.Refused, match="another dump is under way"):
                act.prepare(str(tmp_path), "shop_*.pgc", 0)
            _held.close()
            assert act.prepare(str(tmp_path), "shop_*.pgc", 0)["removed"] is True
        finally:
            act.QUIET_SECONDS = quiet


@pytest.mark.parametrize("pattern", ["shop.pgc", "shop_*_*.pgc", "shop_?*.pgc", "shop_*.sql.xz", "shop_*.pgc.gpg"])
def test_a_pattern_that_tells_no_name(tmp_path, pattern):
    with pytest.raises(act.Refused):
        act.planned(str(tmp_path), pattern, 0)


def test_no_room(tmp_path):
    with pytest.raises(act.Refused, match="there is no room for a dump"):
        act.prepare(str(tmp_path), "shop_*.pgc", 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_only_temporary_files_of_ours_are_removed(tmp_path):
    (tmp_path / "shop_1.pgc").write_bytes(WHOLE)
    with pytest.raises(act.Refused, match="is left alone"):
        act.discard(str(tmp_path / "shop_1.pgc"))
    assert (tmp_path / "shop_1.pgc").exists()


@pytest.mark.parametrize("name", ["shop", "a=b", "postgresql://x/y", "it's", "back\\slash", 'we"ird'])
def test_the_name_of_a_database_is_nothing_else(name):
    import psycopg

    assert psycopg.conninfo.conninfo_to_dict(act.conninfo(name)) == {"dbname": name}


def test_check_mode_makes_nothing(tmp_path):
    told = {"backup": "nightly", "state_directory": str(tmp_path / "state")}
    code, result = run_module(
        "backup_file", tmp_path, check=True, state="prepared", folder=str(tmp_path), pattern="shop_*.pgc", **told
    )
    assert (code, result["changed"], [one.name for one in tmp_path.glob("*shop*")]) == (0, True, [])
    argv = ["touch", str(tmp_path / "shop_x")]
    code, result = run_module("backup_file", tmp_path, check=True, state="made", argv=argv, **told)
    assert (code, result["changed"], (tmp_path / "shop_x").exists()) == (0, True, False)


def test_exit_code_and_stderr_of_a_program_are_kept(tmp_path):
    told = {"backup": "nightly", "state_directory": str(tmp_path / "state")}
    argv = ["sh", "-c", "echo 'out of memory, password=geheim1234' >&2; exit 7"]
    code, result = run_module("backup_file", tmp_path, state="made", argv=argv, **told)
    assert (code, "ended with exit code 7" in result["msg"], "geheim" in result["msg"]) == (1, True, False)
    kept, _why = read(str(tmp_path / "state"), "nightly")
    assert (kept["run"]["ok"], kept["run"]["exit_code"], "out of memory" in kept["run"]["stderr"][0]) == (
        False,
        7,
        True,
    )
    assert "geheim" not in str(kept)

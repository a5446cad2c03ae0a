# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path is trusted where only its user and root may change what is there, and all who decide by a path ask that."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.module_utils import trusted_path
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.claims import apply
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.spec import ARGUMENT_SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.trusted_path import make_folder, objection, wrong
from lab.compose.engine import required
from oncall.errors import OncallError
from oncall.serve.checks import check
from oncall.serve.store.engine import url_of

ME, OTHER = 1000, 1001
FOLDER, FILE = stat.S_IFDIR, stat.S_IFREG


def status(kind: int, mode: int, owner: int) -> os.stat_result:
    return os.stat_result((kind | mode, 1, 1, 1, owner, owner, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("what", "more", "says"),
    [
        (status(FOLDER, 0o755, 0), {}, ""),
        (status(FOLDER, 0o700, ME), {}, ""),
        (status(FILE, 0o600, ME), {}, ""),
        (status(FILE, 0o644, 0), {}, ""),
        (status(FOLDER, 0o755, OTHER), {}, "belongs to uid 1001, and not to uid 1000 or root"),
        (status(FILE, 0o600, OTHER), {}, "belongs to uid 1001"),
        (status(FOLDER, 0o757, ME), {}, "by everybody (mode 0757), who could put other files there"),
        (status(FOLDER, 0o777, 0), {}, "by everybody"),
        (status(FILE, 0o666, ME), {}, "who could change it"),
        # umask 002, which is usual where everybody has a group of their own
        (status(FOLDER, 0o775, ME), {"is_private": True}, ""),
        (status(FILE, 0o664, ME), {"is_private": True}, ""),
        (status(FOLDER, 0o775, ME), {}, "by the group 1000"),
        (status(FOLDER, 0o777, ME), {"is_private": True}, "by everybody"),
        # as /tmp
        (status(FOLDER, 0o1777, 0), {"entry_uid": ME}, ""),
        (status(FOLDER, 0o1777, 0), {"entry_uid": 0}, ""),
        (status(FOLDER, 0o1777, 0), {"entry_uid": None}, ""),
        (
            status(FOLDER, 0o1777, 0),
            {"entry_uid": OTHER},
            "by everybody (mode 1777), and what the path goes through there",
        ),
        (status(FOLDER, 0o1777, OTHER), {"entry_uid": ME}, "belongs to uid 1001, and not to uid 1000"),
        (status(FOLDER, 0o1775, 0), {"entry_uid": ME}, ""),
        (status(FOLDER, 0o1777, 0), {"entry_uid": ME, "by_all": True}, "by everybody"),
        (status(FILE, 0o1666, ME), {"entry_uid": None}, "by everybody"),
    ],
)
def test_one_step_of_the_way(what, more, says):
    found = wrong(what, ME, **more)
    # Nobody is advised to change what is everybody's on purpose.
    does = "use a folder of your own" if what.st_mode & stat.S_ISVTX and stat.S_ISDIR(what.st_mode) else "chmod go-w"
    does = "chown 1000" if "belongs to" in says else does
    assert (says in found[0] and found[1].startswith(does)) if says else found is None


def test_root_trusts_root_alone():
    assert wrong(status(FOLDER, 0o755, ME), 0) == (
        "belongs to uid 1000, and not to root; look who made it, then",
        "chown 0",
    )


@pytest.mark.parametrize(
    ("users", "groups", "expected"),
    [
        ({"ann": (7, 7)}, {"ann": (7, [])}, True),
        ({"ann": (7, 7)}, {"ann": (7, ["ann", "root"])}, True),
        ({"ann": (7, 7)}, {"ann": (7, ["bob"])}, False),
        ({"ann": (7, 100)}, {"users": (100, [])}, False),
        # A shared group that has the name of somebody, and is not theirs.
        ({"ann": (7, 100)}, {"ann": (7, [])}, False),
        ({"ann": (7, 7)}, {"root": (0, [])}, True),
        ({"ann": (7, 7)}, {"root": (0, ["bob"])}, False),
        ({}, {"ann": (7, [])}, False),
        ({"ann": (7, 7)}, {}, False),
    ],
)
def test_a_group_of_ones_own(monkeypatch, users, groups, expected):
    def user(uid):
        ((name, (_uid, gid)),) = users.items() or [()]
        return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))

    def group(_gid):
        ((name, (gid, members)),) = groups.items()
        return grp.struct_group((name, "x", gid, members))

    monkeypatch.setattr(pwd, "getpwuid", user if users else lambda uid: {}[uid])
    monkeypatch.setattr(grp, "getgrgid", group if groups else lambda gid: {}[gid])
    gid = next(iter(groups.values()))[0] if groups else 7
    assert trusted_path._is_private_group(7, gid) is expected


def test_a_list_of_access_may_say_more_than_the_group(tmp_path, monkeypatch):
    monkeypatch.setattr(trusted_path, "_is_private_group", lambda uid, gid: True)
    tmp_path.chmod(0o775)
    assert objection(str(tmp_path)) == ""
    monkeypatch.setattr(os, "listxattr", lambda name: ["system.posix_acl_access"])
    assert "by the group" in objection(str(tmp_path))


class TestTheWay:
    @pytest.fixture
    def way(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "file").touch(mode=0o600)
        return tmp_path

    def test_is_trusted(self, way):
        assert [objection(str(way / path)) for path in ("a/b/file", "a/b", "a/./b/../b/file", "a/new/file")] == [""] * 4

    @pytest.mark.parametrize("name", ["a", "a/b", "a/b/file"])
    @pytest.mark.parametrize("mode", [0o777, 0o722])
    def test_names_what_is_wrong_and_what_mends_it(self, way, name, mode):
        (way / name).chmod(mode)
        said = objection(str(way / "a/b/file"))
        assert said.startswith(f"{way / name} may be written to by everybody (mode {mode:04o})")
        assert said.endswith(f"chmod go-w {way / name}")
        subprocess.run(said.rpartition("then ")[2].split(), check=True)
        assert objection(str(way / "a/b/file")) == ""

    @pytest.mark.parametrize("target", ["real/b", "{way}/real/b", "../{name}/real/b", "real/../real/b"])
    @pytest.mark.parametrize("open_one", ["real", "real/b", "."])
    def test_behind_a_link_and_before_it(self, way, target, open_one):
        (way / "a").rename(way / "real")
        (way / "link").symlink_to(target.format(way=way, name=way.name))
        assert objection(str(way / "link" / "file")) == ""
        (way / open_one).chmod(0o777)
        assert objection(str(way / "link" / "file")).startswith(os.path.normpath(way / open_one) + " may be")

    def test_links_without_an_end(self, way):
        (way / "loop").symlink_to("loop")
        with pytest.raises(OSError, match="levels of symbolic links"):
            objection(str(way / "loop" / "file"))

    def test_a_folder_of_temporary_files(self, way):
        (way / "a").chmod(0o1777)
        assert objection(str(way / "a/b/file")) == ""
        # Beside a file that SQLite reads, anybody could put a journal.
        assert objection(str(way / "a"), beside=True).startswith(f"{way / 'a'} may be")
        assert objection(str(way / "a" / "b"), beside=True) == ""

    def test_of_another_user(self, way):
        said = objection(str(way / "a/b/file"), uid=os.geteuid() + 1 or 1)
        assert said == "" if not os.geteuid() else "belongs to" in said

    @pytest.mark.skipif(os.geteuid() != 0 and not required(), reason="only root can give a folder away")
    @pytest.mark.parametrize("name", ["a", "a/b", "a/b/file"])
    def test_given_away(self, way, name):
        os.chown(way / name, 65534, 65534)
        assert objection(str(way / "a/b/file")).startswith(f"{way / name} belongs to uid 65534, and not to root")

    @pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077])
    def test_what_is_made_is_trusted_whatever_the_umask(self, way, umask):
        old = os.umask(umask)
        try:
            make_folder(str(way / "x" / "y" / "z"))
            make_folder(str(way / "x" / "y" / "z"))
        finally:
            os.umask(old)
        assert objection(str(way / "x" / "y" / "z"), beside=True) == ""
        assert stat.S_IMODE((way / "x" / "y" / "z").stat().st_mode) == 0o700

    def test_a_file_in_the_place_of_a_folder(self, way):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            make_folder(str(way / "a/b/file"))


def claim(path: Path, run_id: str) -> dict:
    params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    params.update(state="claim", path=str(path), run_id=run_id, runbook="r", remedies=[{"remedy": "m", "cause": "c"}])
    return apply(params, now=time.time)


class TestTheLedger:
    @pytest.fixture
    def book(self, tmp_path):
        path = tmp_path / "var" / "oncall" / "ledger.sqlite3"
        assert claim(path, "first")["granted"]
        return path

    @pytest.mark.parametrize("folder", ["oncall", "var"])
    def test_taken_away_by_somebody_who_may_write_there_grants_nothing(self, book, folder):
        next(one for one in book.parents if one.name == folder).chmod(0o777)
        book.unlink()
        told = claim(book, "second")
        assert (told["granted"], told["guard"], told["available"]) == (False, "ledger", False)
        assert f"/{folder} may be written to by everybody" in told["reason"]
        assert not book.exists()

    def test_is_as_good_as_ever_when_the_folder_is(self, book):
        book.parent.chmod(0o777)
        book.parent.chmod(0o750)
        assert claim(book, "second")["guard"] == "lock"

    def test_is_not_begun_where_others_may_write(self, tmp_path):
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o1777)
        assert not claim(tmp_path / "open" / "ledger.sqlite3", "first")["granted"]
        assert claim(tmp_path / "open" / "mine" / "ledger.sqlite3", "first")["granted"]

    @pytest.mark.skipif(os.geteuid() != 0 and not required(), reason="only root can give a file away")
    @pytest.mark.parametrize("ending", ["-journal", "-wal"])
    def test_beside_a_journal_of_somebody_else(self, book, ending):
        planted = book.with_name(book.name + ending)
        planted.write_bytes(b"x")
        os.chown(planted, 65534, 65534)
        told = claim(book, "second")
        assert (told["guard"], told["available"]) == ("ledger", False)
        assert f"{planted} belongs to uid 65534" in told["reason"]


class TestTheService:
    @pytest.fixture
    def folder(self, tmp_path):
        for name in ("settings", "state", "secrets"):
            (tmp_path / name).mkdir(mode=0o755)
        (tmp_path / "secrets" / "tokens").touch(mode=0o600)
        (tmp_path / "secrets" / "tokens").write_text("a" * 32)
        settings = {
            "inventories": ["localhost,"],
            "state_directory": str(tmp_path / "state"),
            "tokens_file": str(tmp_path / "secrets" / "tokens"),
            "runbooks": {"cache": {"mode": "suggest"}},
        }
        (tmp_path / "settings" / "serve.yml").write_text(yaml.safe_dump(settings))
        return tmp_path

    def test_starts_where_nobody_else_may_write(self, folder):
        assert check(folder / "settings" / "serve.yml")

    @pytest.mark.parametrize(
        ("name", "mode", "what"),
        [
            ("settings", 0o777, "settings"),
            ("settings/serve.yml", 0o666, "settings"),
            ("secrets", 0o777, "tokens_file"),
            ("state", 0o777, "state_directory"),
            ("state", 0o1777, "state_directory"),
            (".", 0o777, "settings"),
        ],
    )
    def test_says_in_one_line_where_others_may(self, folder, name, mode, what):
        changed = folder / name
        changed.chmod(mode)
        with pytest.raises(OncallError) as raised:
            check(folder / "settings" / "serve.yml")
        said = str(raised.value)
        assert said.startswith(f"cannot use the {what} {folder}") and "\n" not in said
        assert said.endswith(f"{os.path.normpath(changed)}") and f"(mode {mode:04o})" in said

    def test_a_state_folder_that_others_may_write_to_is_not_used(self, folder):
        (folder / "state").chmod(0o777)
        with pytest.raises(OncallError, match="cannot use the state_directory"):
            url_of("", str(folder / "state"))

    def test_on_the_command_line(self, folder):
        (folder / "settings").chmod(0o777)
        command = [sys.executable, "-m", "oncall", "serve", "-c", str(folder / "settings" / "serve.yml")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode != 0
        assert len(ended.stderr.splitlines()) == 1 and f"chmod go-w {folder / 'settings'}" in ended.stderr

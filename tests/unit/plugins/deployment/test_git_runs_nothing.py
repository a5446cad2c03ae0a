# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deployment_info runs nothing that a checkout's configuration names, and still reads it as its owner means it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deployment.deployed import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.deployment.own_view import (
    configuration,
    settings_of,
    tracking_of,
)

# Of the manual's pages on attributes, and not in what `git help` lists.
NOT_LISTED = ("filter.<driver>.process", "filter.<driver>.required", "core.virtualFilesystem")
# What a repository is, which has to be true for any git to look at it at all.
FORMAT = re.compile(r"core\.(worktree|bare|repositoryFormatVersion)$|extensions\.", re.IGNORECASE)
HOOKS = (
    "post-index-change",
    "post-checkout",
    "reference-transaction",
    "pre-commit",
    "pre-auto-gc",
    "fsmonitor-watchman",
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without settings of git."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "home"


class Checkout:
    def __init__(self, path: Path, *init: str) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *init)

    def git(self, *arguments: str, check: bool = True) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        ended = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid", *arguments],
            cwd=self.path, env=environment, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
        )  # fmt: skip
        return ended.stdout.strip()

    def commit(self, **files: str) -> str:
        for name, content in files.items():
            (self.path / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "A change")
        return self.git("rev-parse", "HEAD")

    def touch_all(self) -> None:
        """Make git look into every file: none has the time that it noted."""
        for file in self.path.iterdir():
            if file.is_file():
                os.utime(file, (1, 1))


def look(path: Path) -> dict[str, Any]:
    return observe({"path": str(path), "revision": "HEAD~1", "timeout_seconds": 20})


def listed_keys() -> list[str]:
    """Every setting that this git knows of."""
    told = subprocess.run(["git", "help", "-c"], check=True, capture_output=True, text=True).stdout
    keys = [line.strip() for line in told.splitlines() if "." in line and " " not in line.strip()]
    return [*keys, *NOT_LISTED]


def planted_name(key: str) -> str:
    """A setting with what stands in its ``<...>`` and ``*``: the last part of its name, so that one does not shadow another."""
    section, _, rest = key.partition(".")
    middle, _, last = rest.rpartition(".")
    if section == "includeIf":
        return "includeIf.gitdir:/.path"
    if section in ("remote", "branch") and middle:
        return f"{section}.{'origin' if section == 'remote' else 'main'}.{last}"
    if "<" in middle or "*" in middle:
        middle = last
    last = "status" if "<" in last or "*" in last else last
    return ".".join(filter(None, (section, middle, last)))


class Traps:
    """Programs that leave a mark when they are run, one for each setting."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.marks = folder, folder / "marks"
        self.marks.mkdir(parents=True)

    def program(self, name: str) -> str:
        file = self.folder / name.replace("/", "_")
        file.write_text(f"#!/bin/sh\n: > '{self.marks}'/\"${{0##*/}}\"\nexec cat\n")
        file.chmod(0o755)
        return str(file)

    def value_of(self, name: str) -> str:
        if name.lower() in ("include.path", "includeif.gitdir:/.path"):
            file = self.folder / f"{name.partition('.')[0]}.config"
            driver = name.partition(".")[0]
            file.write_text(f'[filter "{driver}"]\n\tclean = {self.program(f"filter.{driver}.clean")}\n')
            return str(file)
        if name == "core.hooksPath":
            hooks = self.folder / "hooks"
            hooks.mkdir(exist_ok=True)
            for hook in HOOKS:
                (hooks / hook).symlink_to(self.program(f"hook-{hook}"))
            return str(hooks)
        if name == "core.attributesFile":
            file = self.folder / "attributes"
            file.write_text("of_attributes_file filter=clean\n")
            return str(file)
        return ("!" if name.startswith("alias.") else "") + self.program(name)

    def sprung(self) -> set[str]:
        return {file.name for file in self.marks.iterdir()}


@pytest.fixture
def trapped(tmp_path, home):
    """A checkout in whose configuration every setting of this git names a trap, and files with every driver."""
    checkout, traps = Checkout(tmp_path / "shop"), Traps(tmp_path / "traps")
    drivers = ("clean", "smudge", "process", "include", "includeIf", "textconv", "command", "driver")
    files = {f"of_{driver}": f"{driver}\n" for driver in drivers}
    lines = [f"of_{driver} filter={driver} diff={driver} merge={driver}\n" for driver in drivers]
    checkout.commit(**files, of_attributes_file="x\n", **{".gitattributes": "".join(lines)})
    checkout.commit(more="x\n")
    planted = []
    for name in dict.fromkeys(map(planted_name, listed_keys())):
        value = traps.value_of(name)
        with suppress(subprocess.CalledProcessError):
            # What this git takes for no value of it, it does not run either.
            checkout.git("-c", f"{name}={value}", "rev-parse", "--show-toplevel", "HEAD", "@{0}")
            planted.append((name, value))
    planted = [(name, value) for name, value in planted if not FORMAT.match(name)]
    with (checkout.path / ".git" / "config").open("a") as file:
        file.write(configuration(planted))
    for hook in HOOKS:
        (checkout.path / ".git" / "hooks" / hook).symlink_to(traps.program(f"hook-{hook}"))
    checkout.touch_all()
    return checkout, traps, {name for name, _value in planted}


def test_no_setting_of_a_checkout_has_anything_run(trapped):
    checkout, traps, names = trapped
    assert len(names) > 300
    assert names >= {
        "core.fsmonitor",
        "core.hooksPath",
        "core.pager",
        "core.sshCommand",
        "filter.clean.clean",
        "diff.external",
    }
    seen = look(checkout.path)
    assert traps.sprung() == set()
    assert seen["available"], seen["reason"]
    assert (seen["changed_files"], seen["branch"], seen["wanted"]["given"]) == ([], "main", "HEAD~1")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("core.fsmonitor", ("status",)),
        ("filter.trap.clean", ("status",)),
        ("filter.trap.process", ("status",)),
        ("diff.trap.textconv", ("log", "-p")),
        ("diff.external", ("diff", "HEAD~1")),
        ("core.editor", ("commit", "--allow-empty")),
        ("gpg.program", ("commit", "--allow-empty", "--gpg-sign", "-m", "x")),
    ],
)
def test_such_a_trap_is_sprung_by_plain_git(tmp_path, home, name, command):
    """Or the test above would prove nothing."""
    checkout, traps = Checkout(tmp_path / "shop"), Traps(tmp_path / "traps")
    checkout.commit(**{"a": "x\n", ".gitattributes": "a filter=trap diff=trap\n"})
    checkout.commit(a="y\n")
    checkout.touch_all()
    checkout.git("-c", f"{name}={traps.program(name)}", *command, check=False)
    assert traps.sprung() == {name}


@pytest.mark.parametrize("where", ["config.worktree", "info/attributes", "an included file", "a helper that fetches"])
def test_settings_from_elsewhere_have_nothing_run_either(tmp_path, home, where):
    checkout, traps = Checkout(tmp_path / "shop"), Traps(tmp_path / "traps")
    checkout.commit(**{"app": "1\n", ".gitattributes": "app filter=x\n"})
    checkout.commit(app="2\n")
    git = checkout.path / ".git"
    clean = f'[filter "x"]\n\tclean = {traps.program("clean")}\n'
    if where == "config.worktree":
        checkout.git("config", "extensions.worktreeConfig", "true")
        (git / "config.worktree").write_text(clean)
    elif where == "an included file":
        (tmp_path / "included").write_text(clean)
        checkout.git("config", "include.path", str(tmp_path / "included"))
    elif where == "info/attributes":
        (git / "info" / "attributes").write_text("more filter=x\n")
        (checkout.path / "more").write_text("x")
        checkout.git("add", "more")
        checkout.git("commit", "--quiet", "-m", "more")
        checkout.git("config", "filter.x.clean", traps.program("clean"))
    else:
        checkout.git("config", "core.repositoryFormatVersion", "1")
        checkout.git("config", "extensions.partialClone", "origin")
        for name, value in {
            "promisor": "true", "url": "ssh://localhost/x", "uploadpack": traps.program("uploadpack"), "vcs": "trap",
        }.items():  # fmt: skip
            checkout.git("config", f"remote.origin.{name}", value)
        checkout.git("config", "core.sshCommand", traps.program("ssh"))
        tree = checkout.git("rev-parse", "HEAD^{tree}")
        (git / "objects" / tree[:2] / tree[2:]).unlink()
    checkout.touch_all()
    seen = look(checkout.path)
    assert traps.sprung() == set()
    # Without its tree nobody can say what differs.
    assert seen["available"] is (where != "a helper that fetches")


def test_a_file_that_only_its_filter_could_compare_is_neither_changed_nor_clean(tmp_path, home):
    """As git-lfs has it: what is in the repository is not what is in the tree."""
    checkout = Checkout(tmp_path / "shop")
    checkout.git("config", "filter.x.clean", "tr a-z A-Z")
    checkout.commit(
        **{"plain": "a\n", "big": "abc\n", "edited": "abc\n", ".gitattributes": "big filter=x\nedited filter=x\n"}
    )
    assert checkout.git("show", "HEAD:big") == "ABC"
    (checkout.path / "plain").write_text("b\n")
    (checkout.path / "edited").unlink()
    checkout.touch_all()
    seen = look(checkout.path)
    assert (seen["changed_files"], seen["changed_files_count"]) == (["edited", "plain"], 2)
    assert (seen["not_compared_files"], seen["not_compared_files_count"]) == (["big"], 1)


class TestReadsAsItsOwnerMeansIt:
    @pytest.fixture
    def checkout(self, tmp_path, home):
        made = Checkout(tmp_path / "shop")
        made.commit(app="1\n")
        made.commit(app="2\n")
        return made

    def test_line_endings(self, checkout):
        checkout.git("config", "core.autocrlf", "true")
        (checkout.path / "app").write_bytes(b"3\r\n")
        checkout.commit()
        checkout.touch_all()
        assert look(checkout.path)["changed_files"] == []
        checkout.git("config", "core.autocrlf", "false")
        assert look(checkout.path)["changed_files"] == ["app"]

    @pytest.mark.parametrize("mode", ["true", "false"])
    def test_modes(self, checkout, mode):
        checkout.git("config", "core.fileMode", mode)
        (checkout.path / "app").chmod(0o755)
        assert look(checkout.path)["changed_files"] == (["app"] if mode == "true" else [])

    @pytest.mark.parametrize("where", ["the checkout's", "of the user", "as usual", "exclude", ".gitignore"])
    def test_what_is_ignored(self, checkout, home, where):
        (checkout.path / "built").write_text("x")
        (checkout.path / "new").write_text("x")
        (home / "patterns").write_text("built\n")
        if where == "the checkout's":
            checkout.git("config", "core.excludesFile", str(home / "patterns"))
        elif where == "of the user":
            checkout.git("config", "--global", "core.excludesFile", "~/patterns")
        elif where == "as usual":
            (home / ".config" / "git").mkdir(parents=True)
            shutil.copy(home / "patterns", home / ".config" / "git" / "ignore")
        else:
            shutil.copy(
                home / "patterns", checkout.path / ".git/info/exclude" if where == "exclude" else checkout.path / where
            )
        expected = ["new"] if where != ".gitignore" else [".gitignore", "new"]
        assert look(checkout.path)["untracked_files"] == expected

    def test_patterns_without_an_end(self, checkout):
        checkout.git("config", "core.attributesFile", "/dev/zero")
        (checkout.path / ".git" / "info" / "attributes").symlink_to("/dev/zero")
        assert look(checkout.path)["available"]

    @pytest.mark.parametrize("branch", ["main", "release/1.x+y", "a(b)$c", 'quo"te'])
    def test_the_branch_that_is_followed(self, checkout, tmp_path, branch):
        checkout.git("checkout", "--quiet", "-B", branch)
        checkout.git("clone", "--quiet", ".", str(tmp_path / "clone"))
        assert look(tmp_path / "clone")["upstream"] == f"origin/{branch}"

    def test_a_second_work_tree(self, checkout, tmp_path):
        checkout.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"), "HEAD~1")
        (tmp_path / "other" / "app").write_text("x")
        seen = look(tmp_path / "other")
        assert (seen["branch"], seen["revision"], seen["changed_files"]) == (
            "other",
            checkout.git("rev-parse", "HEAD~1"),
            ["app"],
        )
        assert (look(checkout.path)["branch"], look(checkout.path)["changed_files"]) == ("main", [])

    def test_since_when_in_a_second_work_tree(self, checkout, tmp_path):
        checkout.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"), "HEAD~1")
        subprocess.run(["git", "-C", str(tmp_path / "other"), "reset", "--quiet", "--hard", "main"], check=True)
        assert look(tmp_path / "other")["previous"]["revision"] == checkout.git("rev-parse", "HEAD~1")

    def test_a_submodule(self, checkout, tmp_path):
        outer = Checkout(tmp_path / "outer")
        outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(checkout.path), "part")
        seen = look(tmp_path / "outer" / "part")
        assert (seen["revision"], seen["changed_files"]) == (checkout.git("rev-parse", "HEAD"), [])

    def test_names_of_sha256(self, tmp_path, home):
        checkout = Checkout(tmp_path / "other", "--object-format=sha256")
        checkout.commit(app="1\n")
        head = checkout.commit(app="2\n")
        seen = look(checkout.path)
        assert (len(head), seen["revision"], seen["changed_files"]) == (64, head, [])

    @pytest.mark.parametrize("prepare", [
        ("update-index", "--split-index"),
        ("pack-refs", "--all"),
        ("repack", "-adq"),
        ("sparse-checkout", "set", "--cone", "--sparse-index", "nowhere"),
        ("config", "core.fsmonitor", "true"),
        ("update-index", "--untracked-cache"),
    ], ids=" ".join)  # fmt: skip
    def test_kept_in_another_way(self, checkout, prepare):
        checkout.git(*prepare)
        checkout.git("status")
        seen = look(checkout.path)
        assert (seen["available"], seen["changed_files"], seen["untracked_files"]) == (True, [], [])
        assert seen["wanted"]["reason"].startswith("HEAD~1 is ")

    def test_a_head_that_is_a_link(self, checkout):
        (checkout.path / ".git" / "HEAD").unlink()
        (checkout.path / ".git" / "HEAD").symlink_to("refs/heads/main")
        assert look(checkout.path)["branch"] == "main"

    def test_borrowed_objects(self, checkout, tmp_path):
        checkout.git("clone", "--quiet", "--shared", ".", str(tmp_path / "clone"))
        assert len(look(tmp_path / "clone")["commits"]) == 2

    @pytest.mark.parametrize("path", ["", "gone"])
    def test_nothing_is_left(self, checkout, tmp_path, monkeypatch, path):
        (tmp_path / "scratch").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
        before = sorted(checkout.path.rglob("*"))
        assert look(checkout.path / path)["available"] is (path == "")
        assert [*(tmp_path / "scratch").iterdir()] == []
        assert sorted(checkout.path.rglob("*")) == before

    def test_no_room_for_it(self, checkout, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        assert "see TMPDIR" in look(checkout.path)["reason"]


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([("core.autocrlf", "INPUT")], {"core.autocrlf": "input"}),
        ([("core.filemode", "yes"), ("core.filemode", "0")], {"core.filemode": "false"}),
        ([("core.autocrlf", "touch x")], {}),
        ([("core.fsmonitor", "touch x"), ("filter.x.clean", "touch x"), ("core.hookspath", "/x")], {}),
        ([("core.excludesfile", "/dev/zero"), ("core.attributesfile", "relative")], {}),
        ([("extensions.objectformat", "sha256")], {"extensions.objectformat": "sha256", "core.repositoryformatversion": "1"}),
    ],
)  # fmt: skip
def test_only_what_is_needed_is_kept(home, found, kept):
    always = {"core.repositoryformatversion": "0", "core.bare": "false", "core.logallrefupdates": "false"}
    assert dict(settings_of(found)) == always | kept


def test_a_text_is_one_value_whatever_is_in_it(tmp_path):
    value = 'a "quoted" \\ back ; # \n\t[filter "x"]\n\tclean = touch x'
    (tmp_path / "config").write_text(configuration([('branch.a"b\\c.merge', value)]))
    told = subprocess.run(
        ["git", "config", "--file", str(tmp_path / "config"), "-z", "--list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told == f'branch.a"b\\c.merge\n{value}\0'


def test_a_branch_is_no_pattern():
    assert tracking_of("a.b(c)") == "^(branch[.]a[.]b[(]c[)][.](remote|merge)|remote[.].+[.]fetch)$"

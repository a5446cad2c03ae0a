# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer deployment_info and the module deployment, on real git repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deployment import git_checkout
from ansible_collections.oncall.runbooks.plugins.module_utils.deployment.deployed import last_move, moves_along, observe
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

NOBODY = "0" * 39 + "1"


class Repository:
    """A git repository whose every commit writes the file ``app``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.time = 1_763_600_000
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment.update(
            GIT_CONFIG_GLOBAL="/dev/null",
            GIT_AUTHOR_NAME="a",
            GIT_AUTHOR_EMAIL="a@example.invalid",
            GIT_COMMITTER_NAME="a",
            GIT_COMMITTER_EMAIL="a@example.invalid",
            GIT_AUTHOR_DATE=f"{self.time} +0000",
            GIT_COMMITTER_DATE=f"{self.time} +0000",
        )
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, subject: str = "A change") -> str:
        self.time += 100
        (self.path / "app").write_text(f"{subject} {self.time}\n")
        self.git("add", "app")
        self.git("commit", "--quiet", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "shop")


def look(repository: Repository, revision: str = "", **changes: Any) -> dict[str, Any]:
    return observe({"path": str(repository.path), "revision": revision, "timeout_seconds": 10} | changes)


def move(repository: Repository, tmp_path: Path, old: str, new: str, command: Any = ("true",), **params: Any):
    return run_module(
        "deployment",
        tmp_path,
        path=str(repository.path),
        from_revision=old,
        to_revision=new,
        command=list(command),
        **params,
    )


class TestObserve:
    def test_ten_commits_the_newest_first_without_authors(self, repository):
        commits = [repository.commit(f"Change {number}") for number in range(12)]
        seen = look(repository)
        assert seen["available"]
        assert [commit["revision"] for commit in seen["commits"]] == commits[:1:-1]
        assert seen["commits"][0] == {
            "revision": commits[-1],
            "committed_at_seconds": repository.time,
            "subject": "Change 11",
        }
        assert (seen["revision"], seen["branch"], seen["upstream"]) == (commits[-1], "main", None)

    def test_since_when_and_what_was_before(self, repository):
        old, new = repository.commit(), repository.commit()
        repository.time = 1_763_700_000
        repository.git("checkout", "--quiet", "--detach", old)
        repository.time = 1_763_800_000
        repository.git("checkout", "--quiet", "main")
        seen = look(repository)
        assert (seen["revision"], seen["deployed_at_seconds"]) == (new, 1_763_800_000)
        assert (seen["previous"]["revision"], seen["previous"]["is_ancestor"]) == (old, True)

    def test_after_a_rollback_the_revision_before_is_no_way_back(self, repository):
        old, new = repository.commit(), repository.commit()
        repository.git("reset", "--quiet", "--hard", old)
        seen = look(repository)
        assert (seen["previous"]["revision"], seen["previous"]["is_ancestor"]) == (new, False)

    def test_a_checkout_that_never_moved_knows_none_before(self, repository):
        repository.commit()
        assert look(repository)["previous"] is None

    def test_without_a_reflog_nothing_is_known_of_the_past(self, repository):
        repository.commit()
        repository.commit()
        shutil.rmtree(repository.path / ".git" / "logs")
        seen = look(repository)
        assert (seen["available"], seen["deployed_at_seconds"], seen["previous"]) == (True, None, None)

    def test_detached_with_upstream_and_a_subject_that_is_no_utf8(self, repository, tmp_path):
        repository.git("config", "i18n.commitEncoding", "ISO-8859-1")
        (repository.path / "app").write_text("x")
        repository.git("add", "app")
        (tmp_path / "subject").write_bytes(b"Gr\xfc\xdfe \x1b[31m password=hunter2\n")
        repository.git("commit", "--quiet", "-F", str(tmp_path / "subject"))
        repository.git("clone", "--quiet", ".", str(tmp_path / "clone"))
        clone = observe({"path": str(tmp_path / "clone"), "revision": "", "timeout_seconds": 10})
        assert clone["upstream"] == "origin/main"
        assert clone["commits"][0]["subject"] == "Grüße password=********"
        repository.git("checkout", "--quiet", "--detach")
        assert look(repository)["branch"] is None

    def test_a_subject_with_what_others_end_a_line_with(self, repository):
        revision = repository.commit("two\u2028three\rfour\x0bfive\x85")
        (commit,) = look(repository)["commits"]
        assert (commit["revision"], commit["subject"]) == (revision, "two three four five")

    def test_dirty_and_untracked_are_told_apart(self, repository):
        repository.commit()
        (repository.path / "app").write_text("edited here")
        (repository.path / "new file").write_text("x")
        seen = look(repository)
        assert (seen["changed_files"], seen["untracked_files"]) == (["app"], ["new file"])

    def test_a_long_list_of_files_is_counted_and_cut(self, repository):
        repository.commit()
        for number in range(30):
            (repository.path / f"file{number}").write_text("x")
        seen = look(repository)
        assert (len(seen["untracked_files"]), seen["untracked_files_count"]) == (20, 30)

    def test_a_merge_that_is_half_done(self, repository):
        base = repository.commit()
        repository.commit("ours")
        repository.git("checkout", "--quiet", "-b", "theirs", base)
        repository.commit("theirs")
        with pytest.raises(subprocess.CalledProcessError):
            repository.git("merge", "main")
        assert look(repository)["unfinished"] == "a merge"

    @pytest.mark.parametrize("name", ["v1", "v1^0", "release~1", "short", "full"])
    def test_the_revision_wanted_is_found_by_any_name(self, repository, name):
        old = repository.commit("Before")
        repository.git("tag", "v1")
        repository.commit("After")
        repository.git("branch", "release")
        wanted = look(repository, {"short": old[:10], "full": old}.get(name, name))["wanted"]
        assert (wanted["revision"], wanted["is_ancestor"], wanted["subject"]) == (old, True, "Before")

    @pytest.mark.parametrize(
        ("revision", "reason"),
        [
            ("v9", "v9 is no commit of"),
            (NOBODY, f"{NOBODY} is no commit of"),
            ("--upload-pack=touch x", "is not written like a commit"),
            ("-1", "is not written like a commit"),
            ("main..v1", "is not written like a commit"),
            ("HEAD:app", "is not written like a commit"),
            ("$(touch x)", "is not written like a commit"),
            ("main\n", "is not written like a commit"),
            ("{{ 1 }}", "is not written like a commit"),
        ],
    )
    def test_what_is_no_revision(self, repository, revision, reason):
        repository.commit()
        seen = look(repository, revision)
        assert seen["available"]
        assert seen["wanted"]["revision"] is None
        assert reason in seen["wanted"]["reason"]

    @pytest.mark.parametrize("name", ["HEAD", "HEAD~1", "HEAD^", "main", "main~1", "heads/main^", "refs/heads/main~1"])
    def test_a_revision_that_moves_along_is_refused_and_named(self, repository, name):
        old, new = repository.commit(), repository.commit()
        wanted = look(repository, name)["wanted"]
        assert wanted["revision"] is None
        assert wanted["reason"].startswith(f"{name} is {new if name in ('HEAD', 'main') else old} now and another")

    def test_a_commit_of_another_line_is_no_ancestor(self, repository):
        base = repository.commit()
        other = repository.commit()
        repository.git("checkout", "--quiet", "-b", "hotfix", base)
        repository.commit()
        assert look(repository, other)["wanted"]["is_ancestor"] is False

    def test_a_shallow_clone_cannot_tell(self, repository, tmp_path):
        for _ in range(3):
            repository.commit()
        side = repository.git("commit-tree", "HEAD^{tree}", "-m", "unrelated")
        repository.git("branch", "side", side)
        repository.git("clone", "--quiet", "--depth=1", f"file://{repository.path}", str(tmp_path / "clone"))
        repository.git("-C", str(tmp_path / "clone"), "fetch", "--quiet", "--depth=1", "origin", "side:side")
        seen = observe({"path": str(tmp_path / "clone"), "revision": "side", "timeout_seconds": 10})
        assert (seen["shallow"], len(seen["commits"])) == (True, 1)
        assert (seen["wanted"]["revision"], seen["wanted"]["is_ancestor"]) == (side, None)


class TestCannotLook:
    def test_no_folder(self, tmp_path):
        seen = observe({"path": str(tmp_path / "gone"), "revision": "", "timeout_seconds": 5})
        assert (seen["available"], "there is no folder" in seen["reason"]) == (False, True)

    def test_no_repository(self, tmp_path):
        seen = observe({"path": str(tmp_path), "revision": "", "timeout_seconds": 5})
        assert "is no git checkout" in seen["reason"]

    def test_a_folder_of_a_checkout(self, repository):
        repository.commit()
        (repository.path / "api").mkdir()
        seen = look(repository, path=str(repository.path / "api"))
        assert "is a folder inside the checkout" in seen["reason"]

    def test_bare(self, repository, tmp_path):
        repository.commit()
        repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
        assert "without a work tree" in look(repository, path=str(tmp_path / "bare"))["reason"]

    def test_empty(self, repository):
        assert "leads to no commit" in look(repository)["reason"]

    def test_broken_head(self, repository):
        repository.commit()
        (repository.path / ".git" / "refs" / "heads" / "main").write_text(f"{NOBODY}\n")
        assert "leads to no commit" in look(repository)["reason"]

    def test_damaged_head(self, repository):
        repository.commit()
        (repository.path / ".git" / "HEAD").write_bytes(b"\xff\x00garbage")
        assert "is no git checkout, or a damaged one" in look(repository)["reason"]

    def test_of_another_user(self, repository, monkeypatch):
        repository.commit()
        monkeypatch.setitem(git_checkout._ENVIRONMENT, "GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        reason = look(repository)["reason"]
        assert "belongs to another user" in reason
        assert "become_user" in reason

    def test_no_git(self, repository, monkeypatch, tmp_path):
        repository.commit()
        monkeypatch.setenv("PATH", str(tmp_path))
        assert look(repository)["reason"].startswith("git cannot be run: No such file")

    def test_a_git_that_hangs(self, repository, monkeypatch, tmp_path):
        repository.commit()
        (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
        (tmp_path / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        seen = look(repository, timeout_seconds=0.3)
        assert (seen["available"], "within 0.3 s" in seen["reason"]) == (False, True)

    def test_a_path_that_is_not_absolute_is_a_mistake(self):
        with pytest.raises(ValueError, match="absolute"):
            observe({"path": "shop", "revision": "", "timeout_seconds": 5})


def test_the_repository_runs_nothing(repository, tmp_path):
    """Neither a monitor nor a hook, nor what the environment says."""
    old, new = repository.commit(), repository.commit()
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(trap))
    repository.git("config", "core.pager", str(trap))
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        (repository.path / ".git" / "hooks" / hook).symlink_to(trap)
    assert look(repository, old)["available"]
    assert move(repository, tmp_path, new, old)[0] == 0
    assert not (tmp_path / "sprung").exists()


def test_git_variables_of_the_environment_lead_nowhere_else(repository, tmp_path, monkeypatch):
    revision = repository.commit()
    other = Repository(tmp_path / "other")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    assert look(repository)["revision"] == revision


def test_what_only_looks_like_it_does_not_move_along():
    assert [name for name in ("origin/HEAD", "main-2", "AHEAD1", "head") if moves_along(name, "main")] == []
    assert moves_along("ORIG_HEAD", "")


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], (None, None)),
        ([("b", 30)], (30, None)),
        ([("b", 30), ("a", 20)], (30, "a")),
        ([("b", 40), ("b", 30), ("a", 20), ("b", 10)], (30, "a")),
        # The reflog does not know of the commit that is checked out.
        ([("a", 20)], (None, None)),
        # Cut off: it has been there for longer than the list goes back.
        ([("b", 1000 - number) for number in range(200)], (None, None)),
    ],
)
def test_last_move(moves, expected):
    assert last_move(moves, "b") == expected


class TestMove:
    def test_moves_and_deploys_once(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        command = ["sh", "-c", "git rev-parse HEAD >> deployed && echo token=abc done"]
        code, result = move(repository, tmp_path, new, old, command, diff=True)
        assert (code, result["changed"], result["last_line"]) == (0, True, "token=******** done")
        assert result["diff"] == {"before": f"{new}\n", "after": f"{old}\n"}
        code, result = move(repository, tmp_path, new, old, command)
        assert (code, result["changed"]) == (0, False)
        assert (repository.path / "deployed").read_text() == f"{old}\n"
        # The branch went along, and where it was is still known.
        assert repository.git("rev-parse", "main") == old
        assert repository.git("rev-parse", "main@{1}") == new

    def test_a_detached_head_leaves_the_branches_alone(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        repository.git("checkout", "--quiet", "--detach")
        assert move(repository, tmp_path, new, old)[0] == 0
        assert (repository.git("rev-parse", "HEAD"), repository.git("rev-parse", "main")) == (old, new)

    def test_check_mode_does_nothing(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        code, result = move(repository, tmp_path, new, old, ["touch", "deployed"], check=True)
        assert (code, result["changed"], repository.git("rev-parse", "HEAD")) == (0, True, new)
        assert not (repository.path / "deployed").exists()

    def refused(self, repository: Repository, tmp_path: Path, old: str, new: str) -> str:
        before = repository.git("rev-parse", "HEAD")
        content = (repository.path / "app").read_bytes()
        for check in (True, False):
            code, result = move(repository, tmp_path, old, new, ["touch", "deployed"], check=check)
            assert code == 1
        assert repository.git("rev-parse", "HEAD") == before
        assert (repository.path / "app").read_bytes() == content
        assert not (repository.path / "deployed").exists()
        return result["msg"]

    def test_refuses_another_commit_than_planned(self, repository, tmp_path):
        old, new, _newest = repository.commit(), repository.commit(), repository.commit()
        assert "somebody has deployed" in self.refused(repository, tmp_path, new, old)

    def test_refuses_a_dirty_tree(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        (repository.path / "app").write_text("edited on the host")
        assert "changes that are not committed (app)" in self.refused(repository, tmp_path, new, old)

    def test_refuses_beside_another_git(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        (repository.path / ".git" / "index.lock").touch()
        assert "index.lock" in self.refused(repository, tmp_path, new, old)

    def test_refuses_what_is_not_there(self, repository, tmp_path):
        new = repository.commit()
        assert "is no commit of" in self.refused(repository, tmp_path, new, NOBODY)

    @pytest.mark.parametrize("name", ["main", "HEAD~1", "-f", "abc123"])
    def test_refuses_anything_but_full_names(self, repository, tmp_path, name):
        new = repository.commit()
        assert "write the full name" in self.refused(repository, tmp_path, new, name)

    @pytest.mark.parametrize("ignored", [[], [".gitignore"]], ids=["untracked", "ignored"])
    def test_refuses_to_touch_a_file_of_the_host_in_the_way(self, repository, tmp_path, ignored):
        (repository.path / "settings").write_text("of the old revision")
        repository.git("add", "settings")
        old = repository.commit()
        repository.git("rm", "--quiet", "settings")
        for name in ignored:
            (repository.path / name).write_text("settings\n")
            repository.git("add", name)
        new = repository.commit()
        (repository.path / "settings").write_text("written on the host")
        message = self.refused(repository, tmp_path, new, old)
        assert "(settings), which would be lost" in message
        assert (repository.path / "settings").read_text() == "written on the host"
        assert repository.git("status", "--porcelain", "-uno") == ""

    def test_refuses_other_commits_of_a_submodule(self, repository, tmp_path):
        part = Repository(tmp_path / "part")
        part.commit()
        old = repository.commit()
        repository.git("submodule", "--quiet", "add", str(part.path), "part")
        new = repository.commit()
        assert "submodules" in self.refused(repository, tmp_path, new, old)

    def test_refuses_a_submodule_before_a_thousand_other_files(self, repository, tmp_path):
        part = Repository(tmp_path / "part")
        part.commit()
        repository.git("submodule", "--quiet", "add", str(part.path), "a-part")
        old = repository.commit()
        part.commit()
        repository.git("-C", "a-part", "pull", "--quiet", str(part.path))
        for number in range(1000):
            (repository.path / f"file-{number:04}-{'x' * 60}").touch()
        repository.git("add", ".")
        new = repository.commit()
        assert "submodules" in self.refused(repository, tmp_path, new, old)

    def test_a_command_that_fails_is_told_without_its_secrets(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        command = ["sh", "-c", "echo pull of https://ci:hunter2@registry/x failed >&2; exit 3"]
        code, result = move(repository, tmp_path, new, old, command)
        assert (code, result["msg"]) == (
            1,
            f"at {old}: sh ended with exit code 3: pull of https://********@registry/x failed",
        )
        # The way forward again, as the rollback goes it.
        assert move(repository, tmp_path, old, new)[1]["changed"] is True
        assert repository.git("rev-parse", "HEAD") == new

    def test_a_command_that_hangs_is_killed(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        code, result = move(repository, tmp_path, new, old, ["sleep", "60"], timeout_seconds=0.3)
        assert (code, "sleep was killed" in result["msg"]) == (1, True)

    def test_a_command_that_pulls_is_found_out(self, repository, tmp_path):
        old, new = repository.commit(), repository.commit()
        code, result = move(repository, tmp_path, new, old, ["git", "reset", "--quiet", "--hard", new])
        assert code == 1
        assert "has to deploy what is checked out, and not pull" in result["msg"]


def test_deployment_info_as_a_module(repository, tmp_path):
    revision = repository.commit()
    code, result = run_module("deployment_info", tmp_path, path=str(repository.path))
    assert (code, result["revision"], result["changed"]) == (0, revision, False)
    code, result = run_module("deployment_info", tmp_path, path="shop")
    assert (code, "absolute" in result["msg"]) == (1, True)

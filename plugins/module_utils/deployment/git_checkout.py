# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git checkout, asked and moved by the program git: without hooks, pagers, prompts and the network.

What is asked of it is asked through a folder of ours, which has the checkout's objects, references and index, and a
configuration of ours: see :mod:`own_view`. The checkout's own configuration, which can have git run programs, is read by
two commands that run none, and has its say where the checkout is moved.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..run_command import OUTPUT_LIMIT_BYTES, last_line, run
from ..text.masking import masked
from ..text.one_line import one_line
from .own_view import SETTINGS, OwnView, settings_of, tracking_of

# Where the checkout's own configuration counts: what it could run that a move does not need, and what would change answers.
_OPTIONS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "submodule.recurse=false"),
)
_QUOTING = (*("-c", "core.quotePath=false"), *("-c", "i18n.logOutputEncoding=UTF-8"))
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/^~+-]{0,199}")
# What git leaves in its folder while something is half done, and what that is.
_UNFINISHED = (
    ("index.lock", "another git process (index.lock; if none runs, that one died: take the file away)"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or the application of patches"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisection"),
)


class GitError(Exception):
    """Why git did not answer, in one line."""


def _environment(more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return {**kept, **_ENVIRONMENT, **more}


class Checkout:
    """The work tree at a path; its ``close`` removes what was made to read it, as does the end of a ``with``.

    Args:
        path: its top folder.
        deadline: the :class:`deadline.Deadline` of everything that is asked.

    Raises:
        GitError: there is no work tree of that top folder which this user may read.
        ValueError: the path is not absolute.
    """

    def __init__(self, path, deadline):
        if not Path(path).is_absolute():
            raise ValueError(f"path is {path!r}; write the absolute path of the checkout")
        self.path = path
        self._deadline = deadline
        self._view = None
        if not Path(path).is_dir():
            raise GitError(f"there is no folder {path}, or it cannot be read; see system_deployment.path")
        top, folder = self._lines(self._in_checkout("rev-parse", "--show-toplevel", "--absolute-git-dir"))
        self._folder = Path(folder)
        if os.path.realpath(top) != os.path.realpath(path):
            raise GitError(f"{path} is a folder inside the checkout {top}; name that one in system_deployment.path")
        try:
            self._view = OwnView(self._folder, path, settings_of(self._configured(SETTINGS)))
        except OSError as error:
            raise GitError(f"no folder could be made to read {path} from: {one_line(error)}; see TMPDIR") from error

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        """Remove what was made to read it."""
        if self._view is not None:
            self._view.close()

    def git(self, *arguments):
        """What git prints; at most its last 64 KiB.

        Raises:
            GitError: it failed, or could not be run.
            DeadlineExceeded: no time is left.
        """
        return self._printed(arguments[0], self.ended(*arguments))

    def ended(self, *arguments):
        """How git ended, as :func:`run_command.run` tells. It reads, and knows nothing of the checkout's configuration."""
        argv = ["git", *_QUOTING, *self._view.options, *arguments]
        return run(argv, self._deadline.remaining_seconds(), _environment(self._view.environment))

    def _in_checkout(self, *arguments, reads_only=True):
        """How git ended that knows the checkout's configuration. Only for what runs nothing of it, and for the move."""
        environment = _environment({"GIT_OPTIONAL_LOCKS": "0" if reads_only else "1"})
        argv = ["git", *_QUOTING, *_OPTIONS, "-C", self.path, *arguments]
        return run(argv, self._deadline.remaining_seconds(), environment)

    def _configured(self, pattern):
        """The settings whose name a pattern fits: pairs of a name and a value, the last one of a name counts."""
        ended = self._in_checkout("config", "--includes", "-z", "--get-regexp", pattern)
        if ended["exit_code"] == 1 and not ended["stderr"]:
            return []
        return [(*entry.split("\n", 1), "true")[:2] for entry in self._printed("config", ended).split("\0") if entry]

    def _printed(self, command, ended):
        if ended["error"] or ended["exit_code"] != 0:
            raise GitError(self._failure(command, ended))
        return ended["stdout"]

    def _failure(self, command, ended):
        text = f"{ended['stderr']} {ended['stdout']}"
        if "dubious ownership" in text or "unsafe repository" in text:
            return (
                f"git refuses {self.path}, which belongs to another user than the one Ansible works as: work as its owner "
                f"(become_user), or let this user trust it: git config --global --add safe.directory {self.path}"
            )
        if "not a git repository" in text:
            return f"{self.path} is no git checkout, or a damaged one; see system_deployment.path"
        if "must be run in a work tree" in text:
            return f"{self.path} is a repository without a work tree; see system_deployment.path"
        if ended["error"] == "timeout":
            return f"git {command} in {self.path} had not ended within {self._deadline.seconds:g} s"
        if ended["error"]:
            return f"git cannot be run: {ended['error']}; install it on the managed host"
        last = masked(last_line(ended["stderr"]) or "it printed nothing")
        how = ended["signal"] or f"exit code {ended['exit_code']}"
        return f"git {command} in {self.path} ended with {how}: {last}"

    def _lines(self, ended):
        lines = self._printed("rev-parse", ended).splitlines()
        if len(lines) != 2:
            raise GitError(f"git rev-parse in {self.path} gave an answer that is not understood")
        return lines

    def head(self):
        """The commit that is checked out, as its full name.

        Raises:
            GitError: there is none.
        """
        ended = self.ended("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if ended["error"] or ended["exit_code"] != 0:
            raise GitError(f"HEAD of {self.path} leads to no commit: it is empty or damaged; look with git fsck")
        return ended["stdout"].strip()

    def commit(self, revision):
        """The full name of the commit that a revision names.

        Raises:
            GitError: it names none here, or is not written like one.
        """
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise GitError(f"{one_line(revision, 60)!r} is not written like a commit, a tag or a branch")
        ended = self.ended("rev-parse", "--verify", f"{revision}^{{commit}}")
        if ended["error"] or ended["exit_code"] != 0:
            detail = "it is ambiguous" if "ambiguous" in ended["stderr"] else "fetch it first, or name another"
            raise GitError(f"{revision} is no commit of {self.path}: {detail}")
        return ended["stdout"].strip()

    def is_ancestor(self, older, newer):
        """Whether one commit is in the history of the other; None where that cannot be told."""
        ended = self.ended("merge-base", "--is-ancestor", older, newer)
        if ended["exit_code"] == 1:
            return None if self.is_shallow() else False
        return True if ended["exit_code"] == 0 else None

    def is_shallow(self):
        """Whether its history is cut off."""
        return self.git("rev-parse", "--is-shallow-repository").strip() == "true"

    def upstream(self, branch):
        """The branch that a branch follows, or "" where it follows none."""
        self._view.configure(self._configured(tracking_of(branch)) if branch else [])
        ended = self.ended("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
        return ended["stdout"].strip() if ended["exit_code"] == 0 else ""

    def changed_files(self):
        """The tracked files that differ from what is checked out, and those of which only their filter could tell.

        A filter (git-lfs is one) is a program that the checkout's configuration names, so it is not run. Where git has to
        look into a file that has one, because its time or size is not what git noted, nobody knows.
        """
        listed = self.git("status", "--porcelain", "-z", "--no-renames", "-uno", "--ignore-submodules=dirty")
        entries = [(entry[:2], entry[3:]) for entry in listed.split("\0") if entry]
        unsure = self._filtered([name for state, name in entries if state == " M"])
        names = [name for _state, name in entries]
        return [one_line(name, 200) for name in names if name not in unsure], [one_line(name, 200) for name in unsure]

    def _filtered(self, names):
        """Those of the files that have a filter."""
        if not names:
            return []
        told = self.git("check-attr", "-z", "filter", "--", *names).split("\0")
        return [name for name, value in zip(told[::3], told[2::3]) if value not in ("unspecified", "unset")]

    def untracked_files(self):
        """The files and folders that are neither tracked nor ignored."""
        listed = self.git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
        return [one_line(entry, 200) for entry in listed.split("\0") if entry]

    def unfinished(self):
        """What is half done here, in words, or ""."""
        for name, words in _UNFINISHED:
            if os.path.lexists(self._folder / name):
                return words
        return ""

    def log(self, count, *revision):
        """The last commits, the newest first: ``revision``, ``committed_at_seconds`` and ``subject``."""
        listed = self.git("log", f"-{count}", "--no-show-signature", "--format=%H %ct %<(200,trunc)%s", *revision, "--")
        commits = []
        # By what git ends a line with alone: a subject may hold whatever else Python takes for the end of one.
        for line in filter(None, listed.split("\n")):
            name, seconds, subject = [*line.split(" ", 2), ""][:3]
            entry = {"revision": name, "committed_at_seconds": int(seconds), "subject": masked(subject.strip())}
            commits.append(entry)
        return commits

    def moves(self, count):
        """Where HEAD has been, the newest first: pairs of a commit and the time in epoch seconds it came there."""
        listed = self.git(
            "log", "-g", f"-{count}", "--no-show-signature", "--date=unix", "--format=%H %gd", "HEAD", "--"
        )
        found = [re.fullmatch(r"([0-9a-f]+) HEAD@\{(\d+)\}", line) for line in listed.splitlines()]
        return [(match.group(1), int(match.group(2))) for match in found if match]

    def submodules_differ(self, one, other):
        """Whether two commits want different commits of a submodule."""
        # Counted with them and without: of a long list only the end would be kept.
        options = ("-r", "--shortstat", "--no-renames", "--no-ext-diff", "--no-textconv")
        with_them, without = (
            self.git("diff-tree", *options, f"--ignore-submodules={which}", one, other) for which in ("none", "all")
        )
        return with_them != without

    def in_the_way(self, one, other):
        """The files that the other commit adds to the first and that are there already, tracked by nobody.

        Raises:
            GitError: there are too many to tell.
        """
        options = ("-r", "-z", "--name-only", "--diff-filter=A", "--no-renames", "--ignore-submodules=all")
        listed = self.git("diff-tree", *options, one, other)
        if len(listed.encode()) >= OUTPUT_LIMIT_BYTES:
            raise GitError(f"{other} has too many files that {one} has not; deploy it by hand")
        names = [name for name in listed.split("\0") if name]
        return [one_line(name, 200) for name in names if os.path.lexists(f"{self.path}/{name}")]

    def reset(self, commit):
        """Check out a commit; the branch goes along.

        Raises:
            GitError: it did not come to that, or not cleanly.
        """
        # --keep and not --hard: what came into the tree since it was looked at is refused and not lost.
        ended = self._in_checkout("reset", "--quiet", "--keep", commit, reads_only=False)
        if ended["error"] or ended["exit_code"] != 0:
            raise GitError(f"{self._failure('reset', ended)}; look with git status and git reflog")
        self._view.refresh(self._folder)
        if self.head() != commit or self.changed_files()[0]:
            raise GitError(
                f"{self.path} is not cleanly at {commit} after git reset; look with git status and git reflog"
            )

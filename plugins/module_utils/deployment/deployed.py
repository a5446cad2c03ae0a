# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is deployed from a git checkout: its last commits, since when, and what was there before."""

from __future__ import annotations

from ..deadline import Deadline, DeadlineExceeded
from .git_checkout import Checkout, GitError

COMMITS = 10
_MOVES = 200
_FILES_SHOWN = 20


def observe(params):
    """Look at the checkout.

    Args:
        params: what ``observers.deployment.SPEC`` describes.

    Returns:
        What the module ``deployment_info`` documents.

    Raises:
        ValueError: the path is not absolute.
    """
    path = params["path"]
    try:
        with Checkout(path, Deadline(params["timeout_seconds"])) as checkout:
            return dict(_observe(checkout, params["revision"]), path=path)
    except (GitError, DeadlineExceeded) as error:
        reason = str(error) if isinstance(error, GitError) else f"git in {path}: {error}"
        return {"available": False, "reason": reason, "path": path}


def _observe(checkout, revision):
    head = checkout.head()
    branch = checkout.ended("symbolic-ref", "--quiet", "--short", "HEAD")["stdout"].strip()
    changed, not_compared = checkout.changed_files()
    untracked = checkout.untracked_files()
    since, before = last_move(checkout.moves(_MOVES), head)
    return {
        "available": True,
        "revision": head,
        "branch": branch or None,
        "upstream": checkout.upstream(branch) or None,
        "commits": checkout.log(COMMITS, head),
        "deployed_at_seconds": since,
        "previous": _described(checkout, before, head) if before else None,
        "wanted": _wanted(checkout, revision, head, branch) if revision else None,
        "changed_files": changed[:_FILES_SHOWN],
        "changed_files_count": len(changed),
        "not_compared_files": not_compared[:_FILES_SHOWN],
        "not_compared_files_count": len(not_compared),
        "untracked_files": untracked[:_FILES_SHOWN],
        "untracked_files_count": len(untracked),
        "unfinished": checkout.unfinished(),
        "shallow": checkout.is_shallow(),
    }


def last_move(moves, head):
    """Since when a commit has been checked out without a break, and what was before it. Pure.

    Args:
        moves: pairs of a commit and the time in epoch seconds at which HEAD came there, the newest first.
        head: the commit checked out.

    Returns:
        The time, and the commit before; None for what is not known.
    """
    since = None
    for commit, seconds in moves:
        if commit != head:
            return since, commit if since is not None else None
        since = seconds
    # Where the list is cut off, it has been there for longer.
    return (since if len(moves) < _MOVES else None), None


def _wanted(checkout, revision, head, branch):
    found = _described(checkout, revision, head)
    if found["revision"] and moves_along(revision, branch):
        reason = f"{revision} is {found['revision']} now and another commit after a rollback; give that one by its name"
        return dict(found, revision=None, reason=reason)
    return found


def moves_along(revision, branch):
    """Whether a revision is written as seen from what is checked out, such as ``HEAD~1`` or the branch. Pure."""
    start = revision.replace("^", "~").split("~")[0]
    for folder in ("refs/", "heads/"):
        if start.startswith(folder):
            start = start[len(folder) :]
    return (start.isupper() and start.endswith("HEAD")) or (bool(branch) and start == branch)


def _described(checkout, revision, head):
    try:
        commit = checkout.commit(revision)
        (about,) = checkout.log(1, commit)
    except GitError as error:
        return {"given": revision, "revision": None, "is_ancestor": None, "reason": str(error)}
    return dict(about, given=revision, is_ancestor=checkout.is_ancestor(commit, head), reason="")


def move(checkout, current, wanted, check_mode):
    """Take the checkout from exactly one commit to exactly one other. A branch that is checked out goes along.

    Args:
        checkout: the :class:`Checkout`.
        current: the full name of the commit that has to be checked out.
        wanted: the full name of the commit to go to.
        check_mode: only say whether it would move.

    Returns:
        Whether it moved; False where it is there already.

    Raises:
        GitError: it is somewhere else, is not clean, or git refused. Unless the text says otherwise nothing has moved.
    """
    head = checkout.head()
    if head == wanted:
        return False
    if head != current:
        raise GitError(f"{checkout.path} is at {head}, not at {current} as planned: somebody has deployed; look again")
    unfinished = checkout.unfinished()
    if unfinished:
        raise GitError(f"{checkout.path} has {unfinished} half done; end that first")
    # Those that only their filter could tell of are refused by git itself where they would be lost.
    changed, _not_compared = checkout.changed_files()
    if changed:
        raise GitError(
            f"{checkout.path} has changes that are not committed ({', '.join(changed[:5])}); keep or drop them"
        )
    if checkout.commit(wanted) != wanted:
        raise GitError(f"{wanted} is not the full name of a commit")
    if checkout.submodules_differ(current, wanted):
        raise GitError(f"{checkout.path}: {wanted} wants other commits of its submodules; deploy it by hand")
    # git refuses those that are only untracked, and writes over the ignored ones: a file of settings, of all things.
    lost = checkout.in_the_way(current, wanted)
    if lost:
        raise GitError(
            f"{checkout.path} has files of its own where {wanted} has some too ({', '.join(lost[:5])}), which would be "
            "lost; move them away, or deploy it by hand"
        )
    if check_mode:
        return True
    checkout.reset(wanted)
    return True

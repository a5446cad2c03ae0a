#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is deployed from a git checkout."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_info
version_added: 0.1.0
short_description: Tell what is deployed from a git checkout, since when, and what was before
description:
  - Asks C(git) on the managed host about the checkout that a stack is deployed from. Nothing is fetched and nothing is
    written, and variables C(GIT_*) of the environment are ignored.
  - Nothing runs that the checkout's configuration names, no hook, filter, monitor or helper. Of its settings only those
    count that say how names and contents are compared, what is ignored, and which branch another one follows.
  - Since when a commit is checked out, and which was before it, is what the checkout's reflog says. A checkout that never
    moved knows none.
  - A checkout that belongs to another user is not looked at, unless C(safe.directory) of the user's own settings names it.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.deployment
"""

EXAMPLES = r"""
- name: What is deployed, and is v1.4.1 a way back
  oncall.runbooks.deployment_info:
    path: /srv/shop
    revision: v1.4.1
  register: deployment
"""

RETURN = r"""
available:
  description: Whether the checkout could be read.
  type: bool
  returned: always
reason:
  description: Why not, and what to do, in one line.
  type: str
  returned: when not available
path:
  description: As given.
  type: str
  returned: always
revision:
  description: The full name of the commit that is checked out.
  type: str
  returned: when available
branch:
  description: The branch that is checked out, or null where HEAD is detached.
  type: str
  returned: when available
upstream:
  description: The branch that it follows, such as C(origin/main), or null.
  type: str
  returned: when available
commits:
  description: >-
    The last 10 commits, the newest first, each with C(revision), C(committed_at_seconds) (epoch) and C(subject). Their
    authors are left out.
  type: list
  elements: dict
  returned: when available
deployed_at_seconds:
  description: When this commit was checked out, in epoch seconds, or null where the reflog does not say.
  type: int
  returned: when available
previous:
  description: >-
    The commit that was checked out before, or null. C(given), C(revision) (null where it is none of this checkout),
    C(is_ancestor) (whether it is in the history of the commit checked out; null where that is not known),
    C(committed_at_seconds), C(subject) and C(reason).
  type: dict
  returned: when available
wanted:
  description: >-
    The same of O(revision), or null where none was given. One written as seen from what is checked out, such as C(HEAD~1) or
    the branch, has no C(revision): after a rollback it would be another commit.
  type: dict
  returned: when available
changed_files:
  description: Tracked files with changes that are not committed, at most 20. RV(changed_files_count) counts them.
  type: list
  elements: str
  returned: when available
changed_files_count:
  description: How many there are, at least.
  type: int
  returned: when available
not_compared_files:
  description: >-
    Tracked files, at most 20, of which only a filter (C(git-lfs) is one) could tell whether they are changed, because their
    time is another than C(git) noted. They are in none of RV(changed_files).
  type: list
  elements: str
  returned: when available
not_compared_files_count:
  description: How many there are, at least.
  type: int
  returned: when available
untracked_files:
  description: Files and folders that are neither tracked nor ignored, at most 20. RV(untracked_files_count) counts them.
  type: list
  elements: str
  returned: when available
untracked_files_count:
  description: How many there are, at least.
  type: int
  returned: when available
unfinished:
  description: What is half done in it, a merge or a rebase for example, or empty.
  type: str
  returned: when available
shallow:
  description: Whether its history is cut off.
  type: bool
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import deployment


def main():
    """Run the module."""
    run(deployment)


if __name__ == "__main__":
    main()

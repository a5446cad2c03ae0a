#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a git checkout from one commit to another, and deploy it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment
version_added: 0.1.0
short_description: Take a git checkout from one commit to another, and deploy it
description:
  - Moves the checkout with C(git reset --keep), so that the branch goes along and what is not committed is never lost, and
    runs the command that deploys what is checked out. Where it is there already, nothing is done, the command neither.
  - Refuses a checkout that is at any other commit, has changes that are not committed, or has a merge, a rebase or another
    C(git) half done. Untracked files stay; an untracked file in the way makes it refuse.
  - Fails where the command leaves another commit checked out, for example because it pulls.
  - No hook runs, nothing is fetched, and variables C(GIT_*) of the environment are ignored by the move. The filters that the
    checkout's configuration names (C(git-lfs) is one) run while it is moved, as they make the files what they have to be; what
    is looked at before, also in check mode, runs nothing.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Says whether it would move, after the same questions, and does nothing.
    support: full
  diff_mode:
    description: Shows the commit before and after.
    support: full
options:
  path:
    description: Absolute path of the checkout, its top folder.
    type: path
    required: true
  from_revision:
    description: Full name of the commit that has to be checked out.
    type: str
    required: true
  to_revision:
    description: Full name of the commit to go to.
    type: str
    required: true
  command:
    description: Program and arguments that deploy what is checked out, run in O(path) without a shell.
    type: list
    elements: str
    required: true
  timeout_seconds:
    description: After this time in seconds the command and what it started are killed. C(git) has a minute.
    type: float
    default: 600
"""

EXAMPLES = r"""
- name: Back to the commit of yesterday
  oncall.runbooks.deployment:
    path: /srv/shop
    from_revision: 8a1f0e6c9d2b4753a6e8f1c0b9d7e5a3f2c4b6d8
    to_revision: 1c3e5a7f9b2d4860e8c6a4f2d0b1937586a4c2e0
    command: [docker, compose, up, --detach, --build]
"""

RETURN = r"""
last_line:
  description: The last line that the command printed on its standard output, without passwords.
  type: str
  returned: when the command was run
"""

import re

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.deadline import Deadline, DeadlineExceeded
from ..module_utils.deployment.deployed import move
from ..module_utils.deployment.git_checkout import Checkout, GitError
from ..module_utils.run_command import failure, last_line, run
from ..module_utils.text.masking import masked

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "from_revision": {"type": "str", "required": True},
    "to_revision": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "timeout_seconds": {"type": "float", "default": 600},
}
_GIT_SECONDS = 60


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    path, wanted, seconds = params["path"], params["to_revision"], params["timeout_seconds"]
    for name in ("from_revision", "to_revision"):
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", params[name]):
            module.fail_json(msg=f"{name} is {params[name]!r}; write the full name of the commit")
    if not params["command"]:
        module.fail_json(msg="command is empty: name a program, as system_deployment.deploy_command does")
    if not seconds > 0:
        module.fail_json(msg="timeout_seconds must be above 0")
    try:
        with Checkout(path, Deadline(_GIT_SECONDS)) as checkout:
            moved = move(checkout, params["from_revision"], wanted, module.check_mode)
    except (GitError, ValueError) as error:
        module.fail_json(msg=str(error))
    except DeadlineExceeded as error:
        module.fail_json(msg=f"git in {path}: {error}; look with git status and git reflog")
    result = {"changed": moved, "diff": {"before": f"{params['from_revision']}\n", "after": f"{wanted}\n"}}
    if not moved or module.check_mode:
        module.exit_json(**result)
    ended = run(params["command"], seconds, directory=path)
    if ended["error"] or ended["exit_code"] != 0:
        module.fail_json(msg=masked(f"at {wanted}: {failure(params['command'], ended, seconds)}"), **result)
    try:
        with Checkout(path, Deadline(_GIT_SECONDS)) as checkout:
            left_at = checkout.head()
    except (GitError, DeadlineExceeded) as error:
        module.fail_json(msg=f"after the command: {error}", **result)
    if left_at != wanted:
        module.fail_json(
            msg=f"the command took {path} from {wanted} to {left_at}; system_deployment.deploy_command has to deploy "
            "what is checked out, and not pull",
            **result,
        )
    module.exit_json(last_line=masked(last_line(ended["stdout"])), **result)


if __name__ == "__main__":
    main()

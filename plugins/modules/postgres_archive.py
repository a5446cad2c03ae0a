#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dump a database that is in a container, and restore into one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_archive
version_added: 0.2.0
short_description: Dump a database that is in a container, and restore into one
description:
  - Where the server is reached only through its container, the programs of the server run in it, and the file stays on this host.
    Everywhere else C(community.postgresql.postgresql_db) does this.
  - Nothing goes through a shell, and the password is in no argument list.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.postgres
attributes:
  check_mode:
    description: Nothing is run and nothing is changed; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  state:
    description: V(dump) writes into O(path), which has to be there. V(restore) stops at the first error.
    type: str
    choices: [dump, restore]
    required: true
  path:
    description: The file.
    type: str
    required: true
  into:
    description: The database that it is restored into, for V(restore).
    type: str
  is_plain:
    description: Whether it is a dump in SQL; else an archive of pg_dump.
    type: bool
    default: false
  packed:
    description: How a dump in SQL is packed.
    type: str
    choices: ["", gzip, bzip2, xz]
    default: ""
  timeout_seconds:
    description: For all of it.
    type: float
    default: 3600
"""

EXAMPLES = r"""
- name: Dump the database of a container
  oncall.runbooks.postgres_archive:
    state: dump
    database: {transport: docker, container: labpics-postgres-1, name: labpics, user: labpics}
    path: /backups/.oncall-3fd1.part.pgc
"""

RETURN = r"""
exit_code:
  description: Of the program.
  type: int
  returned: success, but not in check mode
stderr:
  description: The end of what it wrote there, without secrets.
  type: str
  returned: success, but not in check mode
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.backups.files import NoFile
from ..module_utils.backups.in_container import dumped, reason_of, restored
from ..module_utils.backups.unpack import Bomb, Broken
from ..module_utils.deadline import DeadlineExceeded
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.text.masking import masked

ARGUMENT_SPEC = {
    "state": {"type": "str", "required": True, "choices": ["dump", "restore"]},
    "database": DATABASE,
    "path": {"type": "str", "required": True},
    "into": {"type": "str"},
    "is_plain": {"type": "bool", "default": False},
    "packed": {"type": "str", "choices": ["", "gzip", "bzip2", "xz"], "default": ""},
    "timeout_seconds": {"type": "float", "default": 3600},
}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, required_if=[("state", "restore", ("into",))], supports_check_mode=True
    )
    params = module.params
    if params["database"]["transport"] != "docker":
        module.fail_json(msg="only a database with transport docker is dumped and restored in its container")
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        code, stderr = (dumped if params["state"] == "dump" else restored)(params)
    except (NoFile, Broken, Bomb, DeadlineExceeded, OSError) as error:
        module.fail_json(msg=masked(f"{params['state']} of {params['database']['name']}: {error}"))
    if code != 0:
        why = masked(reason_of(stderr))
        module.fail_json(msg=f"{params['state']} ended with exit code {code}: {why}", exit_code=code, stderr=why)
    module.exit_json(changed=True, exit_code=code, stderr=masked(stderr))


if __name__ == "__main__":
    main()

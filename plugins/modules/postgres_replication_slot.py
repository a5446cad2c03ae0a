#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop a replication slot that nobody uses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_replication_slot
version_added: 0.1.0
short_description: Drop a replication slot that nobody uses
description:
  - Drops a slot that is inactive and has not moved since it was looked at, in the one statement that checks it.
  - What it held cannot be had again. A standby or subscriber that comes back has to be built anew.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.postgres
attributes:
  check_mode:
    description: Says whether the slot would be dropped.
    support: full
  diff_mode:
    description: Shows the slot that goes.
    support: full
options:
  name:
    description: The slot.
    type: str
    required: true
  restart_lsn:
    description: Its position when it was looked at. A slot that has moved is in use and stays.
    type: str
    required: true
  timeout_seconds:
    description: Time for connecting and the answer.
    type: float
    default: 5
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
  - A role with C(REPLICATION)
"""

EXAMPLES = r"""
- name: Let the write-ahead log go that a standby that is gone would need
  oncall.runbooks.postgres_replication_slot:
    database: "{{ system_database }}"
    name: old_standby
    restart_lsn: 0/3000028
"""

RETURN = r"""
why_not:
  description: Why the slot was left alone, or nothing.
  type: str
  returned: success
checkpoint:
  description: Why no checkpoint could be made, which gives the space back at once; a superuser and C(pg_checkpoint) may make one.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.postgres.client import Client, DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.postgres.wal import drop_slot

ARGUMENT_SPEC = {
    "database": DATABASE,
    "name": {"type": "str", "required": True},
    "restart_lsn": {"type": "str", "required": True},
    "timeout_seconds": {"type": "float", "default": 5},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    slot = {key: module.params[key] for key in ("name", "restart_lsn")}
    try:
        with Client(module.params["database"], module.params["timeout_seconds"], read_only=False) as client:
            result = drop_slot(client, slot, module.check_mode)
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    line = "replication slot {name} at {restart_lsn}\n".format(**slot)
    module.exit_json(diff={"before": line, "after": "" if result["changed"] else line}, **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set or reset a PostgreSQL server setting with ALTER SYSTEM."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_setting
version_added: 0.1.0
short_description: Set or reset a PostgreSQL server setting with ALTER SYSTEM
description:
  - Writes one setting to C(postgresql.auto.conf). It does not reload or restart the server.
  - Works over both transports of this collection. M(community.postgresql.postgresql_set) needs a driver on the host.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.postgres
attributes:
  check_mode:
    description: Says whether it would change.
    support: full
  diff_mode:
    description: Shows the value before and after.
    support: full
options:
  name:
    description: Name of the setting, as in C(pg_settings).
    type: str
    required: true
  value:
    description: The new value. Needed for O(state=present).
    type: str
  state:
    description: V(present) sets the value, V(absent) removes the setting from C(postgresql.auto.conf).
    type: str
    choices: [present, absent]
    default: present
  timeout_seconds:
    description: Time for connecting and each answer.
    type: float
    default: 5
notes:
  - Needs a superuser, or C(GRANT ALTER SYSTEM ON PARAMETER) for that setting (PostgreSQL 15 and later).
"""

EXAMPLES = r"""
- name: More connections, from the next restart on
  oncall.runbooks.postgres_setting:
    database: "{{ system_database }}"
    name: max_connections
    value: "200"
"""

RETURN = r"""
previous_value:
  description: The value in force.
  type: str
  returned: success
needs_restart:
  description: Whether the setting is read only when the server starts.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.postgres.client import (
    Client,
    DatabaseError,
)
from ..module_utils.postgres.settings import change
from ..module_utils.postgres.spec import DATABASE


def main():
    module = AnsibleModule(
        argument_spec={
            "database": DATABASE,
            "name": {"type": "str", "required": True},
            "value": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "timeout_seconds": {"type": "float", "default": 5},
        },
        required_if=[("state", "present", ("value",))],
        supports_check_mode=True,
    )
    name = module.params["name"]
    value = module.params["value"] if module.params["state"] == "present" else None
    try:
        with Client(module.params["database"], module.params["timeout_seconds"], read_only=False) as client:
            result = change(client, name, value, module.check_mode)
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    except ValueError as error:
        module.fail_json(msg=str(error))
    before = f"{name} = {result['previous_value']}\n"
    after = f"{name} = {value if value is not None else '(the default)'}\n" if result["changed"] else before
    module.exit_json(diff={"before": before, "after": after}, **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one record of a workflow into another state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workflow_record
version_added: 0.2.0
short_description: Bring one record of a workflow into another state
description:
  - Sets the state of exactly one record, if it is in O(from_state) still. Where it is not, or where none or more than one has this id, nothing
    is changed, and the module fails with one line that says why.
  - Nothing but the state is set, by an C(UPDATE) with bound parameters. Triggers of the database see it; the application does not, so
    whatever it does besides is not done, such as sending an event or writing its audit log. A command of the application is better, where
    there is one.
  - The runbook P(oncall.runbooks.stalled_workflow#role) uses it for C(approve) without a C(command).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.workflow.store
attributes:
  check_mode:
    description: Nothing is asked and nothing is changed; the task is reported as changed.
    support: full
  diff_mode:
    description: The two states are its options.
    support: none
options:
  name:
    description: What the workflow is called in the inventory.
    type: str
    required: true
  workflow:
    description: The workflow as the variable C(system_workflows) of the inventory describes it, see M(oncall.runbooks.workflow_info).
    type: dict
    required: true
  id:
    description: The id of the record, as text.
    type: str
    required: true
  from_state:
    description: The state in which it has to be.
    type: str
    required: true
  to_state:
    description: The state that it comes into.
    type: str
    required: true
  version:
    description: Only if nobody has changed the record since it had this RV(version), which is how a change is taken back.
    type: str
  approved_by:
    description: Who asked for it. It is returned, for the record of the run.
    type: str
    required: true
  reason:
    description: Why. It is returned, for the record of the run.
    type: str
    required: true
  timeout_seconds:
    description: Time for connecting and the answer.
    type: float
    default: 10
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: One proposal that cannot wait
  oncall.runbooks.workflow_record:
    name: proposals
    workflow: "{{ system_workflows.proposals }}"
    database: "{{ system_database }}"
    id: 6f0c2f4e-53b1-4a0e-9a5e-0d6f3b2c7a11
    from_state: pending
    to_state: validated
    approved_by: someone@example.com
    reason: the customer's release depends on it
"""

RETURN = r"""
id:
  description: The record's id, as the database writes it.
  type: str
  returned: success, but not in check mode
version:
  description: What the record can be told by until somebody changes it again. Null where it was in O(to_state) already.
  type: str
  returned: success, but not in check mode
from_state:
  description: The state in which it was.
  type: str
  returned: success
to_state:
  description: The state in which it is.
  type: str
  returned: success
approved_by:
  description: Who asked for it.
  type: str
  returned: success
reason:
  description: Why.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.workflows.act import LeftAlone, move

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "workflow": {"type": "dict", "required": True},
    "id": {"type": "str", "required": True},
    "from_state": {"type": "str", "required": True},
    "to_state": {"type": "str", "required": True},
    "version": {"type": "str"},
    "approved_by": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
    "database": dict(DATABASE, required=False),
    "timeout_seconds": {"type": "float", "default": 10},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    told = {key: module.params[key] for key in ("from_state", "to_state", "approved_by", "reason")}
    if module.check_mode:
        module.exit_json(changed=True, **told)
    try:
        moved = move(module.params)
    except (ValueError, LeftAlone) as error:
        module.fail_json(msg=str(error))
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    module.exit_json(changed=moved["version"] is not None, id=moved["id"], version=moved["version"], **told)


if __name__ == "__main__":
    main()

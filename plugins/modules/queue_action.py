#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do something with jobs of a queue."""

from __future__ import annotations

DOCUMENTATION = r"""
module: queue_action
version_added: 0.2.0
short_description: Do something with jobs of a queue
description:
  - Has jobs run again, cancels them or sets them aside, through the functions of their engine or a statement of the inventory.
  - Only the jobs in O(jobs), and of them only those of this queue. What a worker holds is left alone, and told, but for O(verb=cancel).
  - The role P(oncall.runbooks.queue#role) uses it.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.queue_store
attributes:
  check_mode:
    description: Nothing is asked and nothing is done; the task is reported as changed.
    support: full
  diff_mode:
    description: RV(done) and RV(left_alone) say all of it.
    support: none
options:
  name:
    description: What the queue is called in the inventory.
    type: str
    required: true
  queue:
    description:
      - The queue as the variable C(system_queues) of the inventory describes it, see M(oncall.runbooks.queue_info).
      - C(table) has C(actions) besides, a statement by the name of each O(verb). It changes rows and returns their C(id). The parameter
        C(:jobs) is a JSON array of the ids as text, and C(:reason) is O(reason).
    type: dict
    required: true
  verb:
    description:
      - What to do. C(graphile_worker) knows all of them, C(table) what its C(actions) name.
      - With C(graphile_worker), V(cancel) is for jobs whose worker was ended because they had run for longer than C(limit_seconds). It takes
        away the lock that this worker left, and has the job fail for good. Of a worker that lives, it would take its other jobs too.
    type: str
    choices: [cancel, retry, set_aside]
    required: true
  jobs:
    description: The jobs by their ids.
    type: list
    elements: str
    required: true
  reason:
    description: Why, in a few words, where the engine keeps that.
    type: str
    default: by oncall
  timeout_seconds:
    description: Time for connecting and the answer.
    type: float
    default: 30
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: Two jobs that failed run again
  oncall.runbooks.queue_action:
    name: mail
    queue: {engine: graphile_worker, task: send_mail}
    database: "{{ system_database }}"
    verb: retry
    jobs: ["4711", "4712"]
"""

RETURN = r"""
done:
  description: The jobs that it was done with.
  type: list
  elements: str
  returned: success
left_alone:
  description: The others, each with C(id) and C(why).
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.observers.redis import SERVER
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.queues.act import act

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "queue": {"type": "dict", "required": True},
    "verb": {"type": "str", "choices": ["cancel", "retry", "set_aside"], "required": True},
    "jobs": {"type": "list", "elements": "str", "required": True},
    "reason": {"type": "str", "default": "by oncall"},
    "database": dict(DATABASE, required=False),
    "redis": dict(SERVER, required=False),
    "timeout_seconds": {"type": "float", "default": 30},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=bool(module.params["jobs"]), done=[], left_alone=[])
    try:
        result = act(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error), error="inventory")
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    module.exit_json(changed=bool(result["done"]), **result)


if __name__ == "__main__":
    main()

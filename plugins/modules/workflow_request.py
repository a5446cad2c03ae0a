#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the events of records sent again that wait and have none."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workflow_request
version_added: 0.2.0
short_description: Have the events of records sent again that wait and have none
description:
  - Runs the command C(request) of a workflow for one record, and goes on only when that has left the states in which it must not stay; then for
    ten, then for the rest in batches. It stops at the first batch of which one is still there after O(proof_seconds).
  - Each record is asked for at most once, in this run and in later ones, by the journals of 90 days below O(directory). What a run that was
    killed may have asked for is not asked for again.
  - Records that do not wait any more are left alone.
  - The runbook P(oncall.runbooks.stalled_workflow#role) uses it.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.queue_store
attributes:
  check_mode:
    description: The records are looked at, and nothing is written or run. The task is reported as changed where something would be.
    support: full
  diff_mode:
    description: The counts say all of it.
    support: none
options:
  name:
    description: What the workflow is called in the inventory.
    type: str
    required: true
  workflow:
    description:
      - The workflow as the variable C(system_workflows) of the inventory describes it, see M(oncall.runbooks.workflow_info).
      - C(request) is a program with its arguments as a list, run without a shell on this host. C({ids}) in it is replaced by the ids, with commas
        between them.
    type: dict
    required: true
  ids:
    description: The records. An id has to begin with a letter or a digit, and to have no other signs than dots, underscores, colons, hyphens and @.
    type: list
    elements: str
    required: true
  directory:
    description: The folder for journals, usually C(system_state_directory). Who else could write there is refused.
    type: path
    required: true
  queue:
    description: The queue in which the events come, as C(system_queues) describes it. Nothing is sent to one that is in no state to be given more.
    type: dict
    default: {}
  batch_size:
    description: For how many it is run at once, after the first and ten more.
    type: int
    default: 50
  per_minute:
    description: For how many it is run in a minute at most.
    type: int
    default: 300
  proof_seconds:
    description: Within this time one of those that were asked for has to get on, and then the next.
    type: float
    default: 60
  most_waiting:
    description: Nothing is sent to a queue in which more wait.
    type: int
    default: 100
  seconds:
    description: After this time no more batch is begun.
    type: float
    default: 600
  reason:
    description: Why, in a few words, for the journal.
    type: str
    default: by oncall
  timeout_seconds:
    description: Time for the command, and for each question to the database.
    type: float
    default: 30
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: Proposals whose events were lost are asked for again
  oncall.runbooks.workflow_request:
    name: proposals
    workflow: "{{ system_workflows.proposals }}"
    database: "{{ system_database }}"
    ids: [4711, 4712]
    directory: "{{ system_state_directory }}"
"""

RETURN = r"""
found:
  description: Records that waited still. It is RV(requested) + RV(set_aside) + RV(left).
  type: int
  returned: success
requested:
  description: For how many of them the command was run. It is RV(done) + RV(came_back) + RV(still_waiting) + RV(lost).
  type: int
  returned: success
set_aside:
  description: Asked for before, so not again.
  type: int
  returned: success
left:
  description: Not asked for, because it stopped before, or because they changed meanwhile.
  type: int
  returned: success
done:
  description: Of what was asked for, in another state by now.
  type: int
  returned: success
came_back:
  description: Of what was asked for, in a state again in which they must not stay.
  type: int
  returned: success
still_waiting:
  description: Of what was asked for, where it was.
  type: int
  returned: success
lost:
  description: Those of which nobody can tell whether they were asked for, because a run was killed. A person has to look.
  type: int
  returned: success
stopped_by:
  description: What stopped it before its end, or an empty text, as M(oncall.runbooks.queue_replay) tells it.
  type: str
  returned: success
stopped:
  description: The same, in a line.
  type: str
  returned: success
journal:
  description: The file, or an empty text where nothing was to be done.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.observers.redis import SERVER
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.replay.journal import JournalError
from ..module_utils.replay.run import ReplayError
from ..module_utils.workflows.request import RequestError, request

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "workflow": {"type": "dict", "required": True},
    "ids": {"type": "list", "elements": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "queue": {"type": "dict", "default": {}},
    "batch_size": {"type": "int", "default": 50},
    "per_minute": {"type": "int", "default": 300},
    "proof_seconds": {"type": "float", "default": 60},
    "most_waiting": {"type": "int", "default": 100},
    "seconds": {"type": "float", "default": 600},
    "reason": {"type": "str", "default": "by oncall"},
    "database": dict(DATABASE, required=False),
    "redis": dict(SERVER, required=False),
    "timeout_seconds": {"type": "float", "default": 30},
}
# What a replay calls it -> what it is here.
_TOLD = {
    **{name: name for name in ("found", "set_aside", "left", "done", "lost", "stopped_by", "stopped", "journal")},
    "replayed": "requested",
    "failed_again": "came_back",
    "still_running": "still_waiting",
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = request(module.params, module.check_mode)
    except (ValueError, JournalError, ReplayError) as error:
        module.fail_json(msg=str(error))
    except (RequestError, DatabaseError) as error:
        module.fail_json(msg=str(error), error=error.kind)
    would = module.check_mode and result["chosen"] and not result["stopped_by"]
    told = {ours: result[name] for name, ours in _TOLD.items()}
    module.exit_json(changed=bool(result["taken_up"] or result["replayed"] or would), **told)


if __name__ == "__main__":
    main()

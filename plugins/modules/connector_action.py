#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do something with a connector."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connector_action
version_added: 0.2.0
short_description: Do something with a connector by an API call
description:
  - Sends the request that the inventory has for it (C(requests.<verb>)), or restarts the failed tasks of a connector of Kafka Connect,
    and of no other, with C(POST /connectors/NAME/restart?includeTasks=true&onlyFailed=true).
  - A name that is not plain is refused. In a URL it is quoted, and in a body it is part of a text.
  - The role P(oncall.runbooks.connector#role) uses it.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Nothing is asked and nothing is done; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  source:
    description: What the entry is called in the inventory.
    type: str
    required: true
  entry:
    description: The entry as the variable C(system_connectors) of the inventory describes it, see M(oncall.runbooks.sync_state_info).
    type: dict
    required: true
  verb:
    description: What to do.
    type: str
    choices: [sync, sync_all, skip_errors, force, reset, slow_down, restart_tasks]
    required: true
  connector:
    description: The name of the connector. Empty where it is about all of them.
    type: str
    default: ""
  timeout_seconds:
    description: Time for connecting and the answer.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Synchronise one connector
  oncall.runbooks.connector_action:
    source: app
    entry:
      source: table
      requests:
        sync: {url: https://api.example.com/v1/connectors/sync, body: {connector: "{connector}"}, auth: {bearer: "{{ vault_api_token }}"}}
    verb: sync
    connector: crm
"""

RETURN = r"""
status:
  description: The status of the answer. Null in check mode.
  type: int
  returned: success
traces:
  description: Of tasks of Kafka Connect that had failed, C(task) and C(trace), lines without secrets.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.connectors.act import act
from ..module_utils.connectors.failures import SourceError

ARGUMENT_SPEC = {
    "source": {"type": "str", "required": True},
    "entry": {"type": "dict", "required": True},
    "verb": {
        "type": "str",
        "choices": ["sync", "sync_all", "skip_errors", "force", "reset", "slow_down", "restart_tasks"],
        "required": True,
    },
    "connector": {"type": "str", "default": ""},
    "timeout_seconds": {"type": "float", "default": 60},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, status=None, traces=[])
    place = f"system_connectors.{params['source']}"
    try:
        result = act(place, params["entry"], params["verb"], params["connector"], params["timeout_seconds"])
    except ValueError as error:
        module.fail_json(msg=str(error), error="inventory")
    except SourceError as error:
        module.fail_json(msg=str(error), error=error.kind)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do something with a connector."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connector_action
version_added: 0.2.0
short_description: Do something with a connector
description:
  - Runs a command without a shell, else sends a request, else restarts the failed tasks of a connector of Kafka Connect, and no others,
    with C(POST /connectors/NAME/restart?includeTasks=true&onlyFailed=true).
  - A name that is not plain is refused. In a URL it is quoted, and in a body or an argument it is part of a text.
  - Of what a command prints, 64 KiB are searched for errors. Nothing of it is executed, and exit code 0 alone is well.
  - The role P(oncall.runbooks.connector#role) uses it.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Nothing is run, asked or done; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  source:
    description: What the entry of the variable C(system_connectors) is called in the inventory, for messages.
    type: str
    default: ""
  place:
    description: What says how in the inventory, where that is no entry of C(system_connectors), for messages.
    type: str
    default: ""
  argv:
    description: The program, then one item for each argument, in which C({connector}) is the name (C(commands.<verb>) of the entry).
    type: list
    elements: str
    default: []
  request:
    description:
      - The request (C(requests.<verb>) of the entry) without what is secret. C(url), and C(method) (C(POST)), C(body), C(status) and
        C(timeout_seconds) as M(oncall.runbooks.api_info) takes them, with C({connector}) in the URL and in texts of the body.
    type: dict
  kafka_connect_url:
    description: Where Kafka Connect is, for O(verb=restart_tasks) without O(argv) and O(request).
    type: str
  auth:
    description: As M(oncall.runbooks.api_info) takes it. Never shown.
    type: dict
  headers:
    description: Headers of the request. Never shown.
    type: dict
  verb:
    description: What to do.
    type: str
    choices: [sync, sync_all, skip_errors, force, reset, slow_down, restart_tasks]
    required: true
  connector:
    description: The name of the connector. Empty where it is about all of them.
    type: str
    default: ""
  error_classes:
    description: Regular expressions besides those that are known, as M(oncall.runbooks.sync_state_info) takes them.
    type: dict
    default: {}
  break_glass:
    description:
      - With what a request is sent into a system that is read-only. C(settings), C(grant), C(by) and C(directory) as
        M(oncall.runbooks.break_glass_write) takes C(break_glass), C(grant), C(by) and C(directory).
      - In a remedy what its plan says counts, and nothing else.
    type: dict
    version_added: 0.2.0
  break_glass_secrets:
    description: What is secret of O(break_glass), as M(oncall.runbooks.break_glass_write) takes C(secrets). Never shown.
    type: dict
    version_added: 0.2.0
  timeout_seconds:
    description: Time for the command or the answer, after which a command is killed.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Synchronise one connector
  oncall.runbooks.connector_action:
    source: app
    request: {url: https://api.example.com/v1/connectors/sync, body: {connector: "{connector}"}}
    auth: {bearer: "{{ vault_api_token }}"}
    verb: sync
    connector: crm
"""

RETURN = r"""
status:
  description: The status of the answer. Null where nothing was asked.
  type: int
  returned: success
last_line:
  description: The last line that a command printed, without secrets.
  type: str
  returned: success
errors:
  description: Of what a command printed, how many lines are errors of a class, with C(error_class), C(count) and C(last).
  type: list
  elements: dict
  returned: success
traces:
  description: Of tasks of Kafka Connect that had failed, C(task) and C(trace), lines without secrets.
  type: list
  elements: dict
  returned: success
break_glass:
  description: What may be told of the token, as M(oncall.runbooks.break_glass_write) returns it. Null where the system was not read-only.
  type: dict
  returned: where the plan asks for a token
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.connectors.act import act
from ..module_utils.connectors.failures import SourceError
from ..module_utils.connectors.spec import VERBS

ARGUMENT_SPEC = {
    "source": {"type": "str", "default": ""},
    "place": {"type": "str", "default": ""},
    "argv": {"type": "list", "elements": "str", "default": []},
    "request": {"type": "dict"},
    "kafka_connect_url": {"type": "str"},
    # Apart from the rest, so that they are no part of what is shown and logged.
    "auth": {"type": "dict", "no_log": True},
    "headers": {"type": "dict", "no_log": True},
    "verb": {
        "type": "str",
        "choices": list(VERBS),
        "required": True,
    },
    "connector": {"type": "str", "default": ""},
    "error_classes": {"type": "dict", "default": {}},
    "break_glass": {"type": "dict"},
    "break_glass_secrets": {"type": "dict", "no_log": True},
    "timeout_seconds": {"type": "float", "default": 60},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, status=None, last_line="", errors=[], traces=[])
    try:
        result = act(params)
    except ValueError as error:
        module.fail_json(msg=str(error), error="inventory")
    except SourceError as error:
        module.fail_json(msg=str(error), error=error.kind)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()

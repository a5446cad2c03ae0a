#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End PostgreSQL sessions: cancel, wait, terminate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_session
version_added: 0.1.0
short_description: "End PostgreSQL sessions: cancel, wait, terminate"
description:
  - Ends client sessions of one database. Never its own, never those of superusers, never one that waits for a synchronous
    standby to have its commit, and never anything but client backends, so no replication and no autovacuum.
  - A session is known by its process id and the time it started. Both, and every criterion given, are checked again in the
    statement that sends the signal, so that a process id used again, or a session that has moved on, is left alone.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.postgres
attributes:
  check_mode:
    description: Lists exactly what would be ended.
    support: full
  diff_mode:
    description: Shows the sessions before and after.
    support: full
options:
  sessions:
    description: The only sessions that may be ended. Without it, all that fit the criteria.
    type: list
    elements: dict
    suboptions:
      pid:
        description: Process id of the backend.
        type: int
        required: true
      backend_start:
        description: Start of the backend as M(oncall.runbooks.postgres_activity_info) tells it.
        type: str
        required: true
      query_start:
        description: Start of the statement. If given, only that very statement is cancelled.
        type: str
  states:
    description: Only sessions in one of these states.
    type: list
    elements: str
    choices: [active, idle, idle in transaction, idle in transaction (aborted), fastpath function call]
  min_state_seconds:
    description: Only sessions at least this long in their state.
    type: float
    default: 0
  min_blocked:
    description: Only sessions that at least this many others wait for directly.
    type: int
    default: 0
  allow_applications:
    description: Patterns of C(application_name); if given, no other session is ended.
    type: list
    elements: str
    default: []
  deny_applications:
    description:
      - Patterns of C(application_name) that are never ended, or names as they are, upper and lower case alike. Those of backup
        tools are there, unless you say otherwise.
    type: list
    elements: str
    default: ["pg_dump*", "pg_restore*", "pg_basebackup*", "pg_receivewal*", "pgbackrest*", "barman*"]
  method:
    description:
      - V(cancel) ends the statement and keeps the session; V(terminate) ends the session;
        V(cancel_then_terminate) terminates what still fits after O(grace_seconds).
    type: str
    choices: [cancel, terminate, cancel_then_terminate]
    default: cancel_then_terminate
  grace_seconds:
    description: How long to wait after each signal for its effect.
    type: float
    default: 5
  max_sessions:
    description: How many sessions one call may end; those longest in their state go first.
    type: int
    default: 50
  timeout_seconds:
    description: Time for connecting and each answer.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: What would be ended
  oncall.runbooks.postgres_session:
    database: "{{ system_database }}"
    states: [idle in transaction]
    min_state_seconds: 300
    method: terminate
  check_mode: true
  diff: true

- name: Cancel one statement, and end its session if that does not help
  oncall.runbooks.postgres_session:
    database: "{{ system_database }}"
    sessions: [{pid: 4711, backend_start: "1763687654.123456"}]
"""

RETURN = r"""
sessions:
  description: The sessions chosen, which in check mode are the ones that would be ended.
  type: list
  elements: dict
  returned: success
cancelled:
  description: Process ids that were sent a cancel.
  type: list
  elements: int
  returned: success
terminated:
  description: Process ids that were terminated.
  type: list
  elements: int
  returned: success
remaining:
  description: Process ids that still fit after the last signal and its grace time.
  type: list
  elements: int
  returned: success
left_alone:
  description: Sessions that fit but may not be ended, each with C(why).
  type: list
  elements: dict
  returned: success
gone:
  description: Sessions asked for that are not there, or no longer fit.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.postgres.client import (
    Client,
    DatabaseError,
)
from ..module_utils.postgres.sessions import (
    CANCEL,
    CANCEL_THEN_TERMINATE,
    DENIED_APPLICATIONS,
    TERMINATE,
    end_sessions,
)
from ..module_utils.postgres.spec import DATABASE

ARGUMENT_SPEC = {
    "database": DATABASE,
    "sessions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "pid": {"type": "int", "required": True},
            "backend_start": {"type": "str", "required": True},
            "query_start": {"type": "str"},
        },
    },
    "states": {
        "type": "list",
        "elements": "str",
        "choices": [
            "active",
            "idle",
            "idle in transaction",
            "idle in transaction (aborted)",
            "fastpath function call",
        ],
    },
    "min_state_seconds": {"type": "float", "default": 0},
    "min_blocked": {"type": "int", "default": 0},
    "allow_applications": {"type": "list", "elements": "str", "default": []},
    "deny_applications": {"type": "list", "elements": "str", "default": list(DENIED_APPLICATIONS)},
    "method": {
        "type": "str",
        "choices": [CANCEL, TERMINATE, CANCEL_THEN_TERMINATE],
        "default": CANCEL_THEN_TERMINATE,
    },
    "grace_seconds": {"type": "float", "default": 5},
    "max_sessions": {"type": "int", "default": 50},
    "timeout_seconds": {"type": "float", "default": 5},
}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_one_of=[("sessions", "states")],
        supports_check_mode=True,
    )
    try:
        with Client(module.params["database"], module.params["timeout_seconds"], read_only=False) as client:
            result = end_sessions(client, module.params, module.check_mode)
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    lines = [
        "{pid} {application_name} {user}@{client} {state} for {state_seconds} s: {query}".format(**session)
        for session in result["sessions"]
    ]
    kept = [line for line, one in zip(lines, result["sessions"]) if one["pid"] in result["remaining"]]
    module.exit_json(
        changed=bool(result["sessions"] if module.check_mode else result["cancelled"] or result["terminated"]),
        diff={"before": "\n".join([*lines, ""]), "after": "\n".join([*kept, ""])},
        **result,
    )


if __name__ == "__main__":
    main()

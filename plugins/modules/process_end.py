#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End processes that hold a port."""

from __future__ import annotations

DOCUMENTATION = r"""
module: process_end
version_added: 0.1.0
short_description: End processes that hold a TCP port
description:
  - Sends C(SIGTERM) to exactly the processes named and, after O(grace_seconds), C(SIGKILL) to those that still hold the port.
  - A process is known by its pid and the time it started. Both, and that it still holds the port, are checked again right
    before each signal, which goes through a pidfd where the host has them. A pid used again is left alone.
  - Never process 1, a kernel thread, this run itself or what is above it, nor programs that hold up the host (init,
    systemd, container engines, sshd).
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Tells exactly what would be ended.
    support: full
  diff_mode:
    description: Shows the processes before and after.
    support: full
options:
  port:
    description: The TCP port they have to hold.
    type: int
    required: true
  processes:
    description: The processes, as M(oncall.runbooks.port_info) tells them.
    type: list
    elements: dict
    required: true
    suboptions:
      pid:
        description: Process id.
        type: int
        required: true
      start_ticks:
        description: When it started, in clock ticks since boot.
        type: int
        required: true
  grace_seconds:
    description: How long to wait for their end, after each of the two signals.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: End what holds the port of the API
  oncall.runbooks.process_end:
    port: 8080
    processes: [{pid: 4711, start_ticks: 1378397}]
  become: true
"""

RETURN = r"""
terminated:
  description: Process ids that were sent C(SIGTERM); in check mode, would be.
  type: list
  elements: int
  returned: success
killed:
  description: Process ids that were sent C(SIGKILL).
  type: list
  elements: int
  returned: success
left_alone:
  description: What was left alone, each with C(pid) and C(why).
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host.process_ending import CannotEnd, end

ARGUMENT_SPEC = {
    "port": {"type": "int", "required": True},
    "processes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"pid": {"type": "int", "required": True}, "start_ticks": {"type": "int", "required": True}},
    },
    "grace_seconds": {"type": "float", "default": 10},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        result = end(params["port"], params["processes"], params["grace_seconds"], module.check_mode)
    except CannotEnd as error:
        module.fail_json(msg=str(error))
    lines = "".join(f"{one['pid']} {one['user']}: {one['command']}\n" for one in result.pop("chosen"))
    module.exit_json(changed=bool(result["terminated"]), diff={"before": lines, "after": ""}, **result)


if __name__ == "__main__":
    main()

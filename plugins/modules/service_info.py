#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of services, whatever manages them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Read what services do at the moment
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Reads state, last exit, age, memory, processor time and the errors in the log of services, whatever manages
    them.
  - A service that cannot be observed has RV(ignore:services.available=false) and a reason; the module fails only
    on services that are not described in a usable way.
extends_documentation_fragment:
  - oncall.runbooks.service
  - oncall.runbooks.service.observed
  - oncall.runbooks.service.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Read the state of the API
  oncall.runbooks.service_info:
    services:
      api:
        manager: supervisor
        name: api
        config: /etc/supervisor/supervisord.conf
      hosted:
        manager: command
        commands:
          status: [platform, status, --app, web]
  register: result

- name: Say what keeps it from running
  ansible.builtin.debug:
    msg: "{{ result.services.api.state }}, exit code {{ result.services.api.exit_code }}"
"""

RETURN = r"""
available:
  description: Whether at least one service could be observed.
  returned: always
  type: bool
reason:
  description: Why no service could be observed, in one line.
  returned: when available is false
  type: str
services:
  description: What was observed, by the names in O(services). A value that is not known is null.
  returned: always
  type: dict
  contains:
    available:
      description: Whether this service could be observed. If not, only RV(ignore:reason) and RV(ignore:manager) follow.
      type: bool
    reason:
      description: Why it could not be observed, and what to do, in one line.
      type: str
    manager:
      description: The manager it was observed through.
      type: str
      sample: supervisor
    state:
      description:
        - One of V(running), V(stopped), V(starting), V(backoff), V(exited), V(fatal) and V(unknown).
        - V(backoff) is between two attempts to start, V(fatal) after the last one. A service that is being stopped
          is V(stopped).
      type: str
      sample: running
    pid:
      description: The process, while there is one.
      type: int
      sample: 4711
    exit_code:
      description: The exit code of its last end, while it does not run.
      type: int
      sample: 3
    signal:
      description: The signal that ended it, while it does not run. The out-of-memory killer sends V(SIGKILL).
      type: str
      sample: SIGKILL
    started_at_seconds:
      description: When it was started last, in seconds since 1970.
      type: int
      sample: 1767225600
    uptime_seconds:
      description: How long the process has lived, in seconds.
      type: int
      sample: 3600
    restarts:
      description: How often the manager has restarted it. supervisor does not know.
      type: int
    rss_bytes:
      description:
        - The memory in bytes of the process and its descendants, from C(/proc). Memory that they share counts for
          each of them.
      type: int
      sample: 104857600
    memory_limit_bytes:
      description: The limit in bytes that the manager enforces.
      type: int
    cpu_seconds:
      description: The processor time in seconds of the process and its descendants, the ended ones included.
      type: float
      sample: 12.5
    log_tail_errors:
      description: The errors in the end of its logs, the most frequent first. Null where no log could be read.
      type: list
      elements: dict
      contains:
        count:
          description: How many lines.
          type: int
        line:
          description: What they have in common; C(<time>), C(<id>) and C(#) stand for what differs.
          type: str
        last:
          description: The most recent of them. Passwords in URLs and values after such words are replaced.
          type: str
    log_reason:
      description: Why no log could be read.
      returned: when log_tail_errors is null
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oncall.runbooks.plugins.module_utils.observer_specs import SERVICE
from ansible_collections.oncall.runbooks.plugins.module_utils.service import observe


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=SERVICE, supports_check_mode=True)
    try:
        result = observe(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()

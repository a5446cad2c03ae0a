#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at everything at once, for a snapshot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
version_added: 0.2.0
short_description: Look at many things of a stack at once, and tell of each what it is or why it is not known
description:
  - Runs observers of this collection side by side, each as often as it is asked for. Besides them it reads the ends of logs and what metrics
    endpoints expose, as text without secrets, and the environment of services.
  - Other than with M(oncall.runbooks.observe), parameters that are not right are no failure. They are the reason why one thing is not there.
  - Used by M(oncall.runbooks.snapshot), on the managed host.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Only reads, so it does the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  looks:
    description:
      - What to look at, by names of one's own. Each is a dictionary with C(look), the name of an observer (such as C(service)), or one of
        C(logs), C(exposition), C(environment), C(functions), C(ledger) and C(platform), and C(parameters), those of that observer.
    type: dict
    required: true
  seconds:
    description: The time for all of them together. What is not there by then is told as late.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: The services, and the ends of their logs
  oncall.runbooks.snapshot_info:
    looks:
      services: {look: service, parameters: {services: "{{ system_services }}"}}
      logs: {look: logs, parameters: {services: "{{ system_services }}", max_bytes: 1000000}}
    seconds: 30
  register: seen
"""

RETURN = r"""
answers:
  description:
    - By the same names, what each told. C(available) is always there, and C(reason) where it is false. The rest is what the observer
      documents.
    - C(logs) and C(exposition) give C(files), each C(name), C(source), C(text), C(kept_bytes) (of the original), C(of_bytes) (how long it is,
      or null where nobody says), and C(binary_lines), the number of lines that were no text. C(limits) says what is not there.
    - C(environment) gives C(variables), C(functions) gives C(queues), C(ledger) gives C(claims) and C(holds), and C(platform) gives
      C(system), C(kernel), C(host_name), C(python), C(at_seconds) and C(up_seconds).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.snapshot.gather import gather


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "looks": {"type": "dict", "required": True},
            "seconds": {"type": "float", "required": True},
        },
        supports_check_mode=True,
    )
    answers = gather(module.params["looks"], module.params["seconds"])
    # Its arguments hold passwords, and would be in its answer.
    module.exit_json(changed=False, answers=answers, invocation={})


if __name__ == "__main__":
    main()

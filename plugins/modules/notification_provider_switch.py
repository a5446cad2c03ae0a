#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have an application send by another provider."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notification_provider_switch
version_added: 0.2.0
short_description: Have an application send by another provider
description:
  - Runs a command, or makes an HTTP call, that tells an application which provider of notifications to use.
  - It only does that. The runbook P(oncall.runbooks.notification_provider#role) pauses the queue before, so that no message goes out by both.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Nothing is done; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  channel:
    description: What the channel is called in the inventory, for messages.
    type: str
    required: true
  set:
    description:
      - How it is done, as C(switch.set) in C(system_notification_providers). A list, the program and its arguments; or a dictionary with C(url) and,
        where wanted, C(method) (V(POST), V(PUT) or V(PATCH)), C(headers), C(auth) and C(body), as M(oncall.runbooks.api_info) takes them.
      - C({provider}) in an argument, the URL or the body is replaced.
    type: raw
    required: true
  provider:
    description: What the switch calls the provider.
    type: str
    required: true
  timeout_seconds:
    description: Time in seconds for it.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Send by the second one
  oncall.runbooks.notification_provider_switch:
    channel: mail
    set: {url: "https://shop.example/admin/mail", auth: {bearer: "{{ vault_admin_token }}"}, body: {provider: "{provider}"}}
    provider: postmark
"""

RETURN = r"""
provider: {description: As in O(provider)., returned: success, type: str}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.providers.switches import turn

ARGUMENT_SPEC = {
    "channel": {"type": "str", "required": True},
    # It can hold a password anywhere.
    "set": {"type": "raw", "required": True, "no_log": True},
    "provider": {"type": "str", "required": True},
    "timeout_seconds": {"type": "float", "default": 60},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, provider=params["provider"])
    place = f"system_notification_providers.{params['channel']}.switch"
    try:
        why = turn(place, params["set"], params["provider"], params["timeout_seconds"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    if why:
        module.fail_json(msg=f"{params['channel']} still sends as before: {why}")
    module.exit_json(changed=True, provider=params["provider"])


if __name__ == "__main__":
    main()

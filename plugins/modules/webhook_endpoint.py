#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enable or disable an endpoint at the payment provider."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_endpoint
version_added: 0.2.0
short_description: Enable or disable an endpoint at the payment provider
description:
  - Enables an endpoint that the provider disabled after days of failures, or disables it again. Nothing else of it is changed.
  - What happened while it was disabled is not sent by the provider afterwards, see M(oncall.runbooks.webhook_replay).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.webhook_provider
attributes:
  check_mode:
    description: Asks whether there is anything to do, and does nothing.
    support: full
  diff_mode:
    description: Shows the state before and after.
    support: full
options:
  endpoint:
    description: Id of the endpoint at the provider, of which O(webhook.url) is the URL.
    type: str
    required: true
  state:
    description: What it has to be.
    type: str
    choices: [enabled, disabled]
    required: true
  timeout_seconds:
    description: Time for all of it.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Events are sent there again
  oncall.runbooks.webhook_endpoint:
    webhook: "{{ system_payment_webhook }}"
    endpoint: we_1MgJuv2eZvKYlo2C8xdmDWbt
    state: enabled
"""

RETURN = r"""
before:
  description: What it was.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.deadline import Deadline, DeadlineExceeded
from ..module_utils.webhooks.provider import Provider, ProviderError
from ..module_utils.webhooks.spec import WEBHOOK

ARGUMENT_SPEC = {
    "webhook": WEBHOOK,
    "endpoint": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["enabled", "disabled"], "required": True},
    "timeout_seconds": {"type": "float", "default": 30},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    webhook, endpoint, state = (module.params[name] for name in ("webhook", "endpoint", "state"))
    if not webhook["write_key"]:
        module.fail_json(msg="webhook.write_key is missing: a restricted key with write access to Webhook Endpoints")
    provider = Provider(webhook, Deadline(module.params["timeout_seconds"]))
    try:
        own = [one for one in provider.endpoints() if one["id"] == endpoint and one["url"] == webhook["url"]]
        if not own:
            module.fail_json(msg=f"the provider has no endpoint {endpoint} with the URL of the inventory; look again")
        before = {True: "enabled", False: "disabled", None: "unknown"}[own[0]["enabled"]]
        if before != state and not module.check_mode:
            provider.set_endpoint(endpoint, state == "disabled")
    except (ProviderError, DeadlineExceeded) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=before != state, before=before, diff={"before": f"{before}\n", "after": f"{state}\n"})


if __name__ == "__main__":
    main()

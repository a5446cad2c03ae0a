#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoke tokens that were left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: break_glass_revoke
version_added: 0.2.0
short_description: Revoke tokens that were left
description:
  - Revokes tokens that were given to runs on this host, that nobody has any more, and that have not ended by themselves. No other is touched, such as
    one of a person.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.break_glass.acting
attributes:
  check_mode:
    description: Nothing is revoked; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  secrets:
    description: C(auth) and C(headers) of the requests of O(break_glass) by their place. The action takes them out of O(break_glass). Never shown.
    type: dict
    default: {}
  references:
    description: Their references, as M(oncall.runbooks.break_glass_info) tells them.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Revoke what a run that was killed has left
  oncall.runbooks.break_glass_revoke:
    break_glass: "{{ system_break_glass }}"
    references: "{{ told.left | map(attribute='reference') }}"
    directory: /var/lib/oncall
"""

RETURN = r"""
tokens:
  description: What became of each, with C(reference), C(state), C(how) and the other keys of C(given) there.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.break_glass.granted import sweep
from ..module_utils.break_glass.spec import checked, together

ARGUMENT_SPEC = {
    "break_glass": {"type": "dict", "required": True},
    # Apart from the rest, so that nothing else is taken for a secret.
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "references": {"type": "list", "elements": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, tokens=[])
    try:
        settings = checked(together(params["break_glass"], params["secrets"]))
        done = sweep(settings, params["directory"], params["timeout_seconds"], set(params["references"]))
    except ValueError as error:
        module.fail_json(msg=str(error))
    tokens = [{key: value for key, value in one.items() if key not in ("path", "held")} for one in done]
    left = [one for one in tokens if one["state"] != "revoked"]
    if left:
        module.fail_json(
            msg=f"{len(left)} of {len(tokens)} tokens could not be revoked: {left[0]['how']}", tokens=tokens
        )
    module.exit_json(changed=bool(tokens), tokens=tokens)


if __name__ == "__main__":
    main()

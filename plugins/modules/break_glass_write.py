#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one write into a system that is read-only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: break_glass_write
version_added: 0.2.0
short_description: Send one write into a system that is read-only
description:
  - Asks for a token with a reason and a time to live, sends one request of the inventory with it, and revokes it. It is revoked also where the
    request fails, and where this module is killed. A process of its own sees to that, and the token ends by itself at last.
  - Where the system is not read-only no token is asked for. Where the write is done already, nothing is sent. Where either cannot be seen, nothing
    is sent.
  - Revokes first what earlier runs on this host have left.
  - The token is in no result, no file, no log and no argument of a program.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.break_glass.acting
attributes:
  check_mode:
    description: Nothing is asked for or sent; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  secrets:
    description: C(auth) and C(headers) of the requests of O(break_glass) by their place. The action takes them out of O(break_glass). Never shown.
    type: dict
    default: {}
  write:
    description: The name of the request in C(writes) of O(break_glass).
    type: str
    required: true
  grant:
    description: >-
      For what a token is asked. C(reason), some words for the audit log; C(ttl_seconds), from 60 to 3600 (600). In a remedy it is what the plan says
      (C(needs) of the cause), whatever is given here.
    type: dict
    required: true
  by:
    description: Who asks, for the record.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Let orders through again
  oncall.runbooks.break_glass_write:
    break_glass: "{{ system_break_glass }}"
    write: release_orders
    grant: {reason: "INC-42 orders are stuck", ttl_seconds: 300}
    by: "{{ run_owner }}"
    directory: /var/lib/oncall
"""

RETURN = r"""
status: {description: The status of the answer. Null where nothing was sent., returned: always, type: int}
break_glass:
  description: >-
    What may be told of the token, null where none was asked for. C(reference), C(who), C(why), C(ttl_seconds), C(given_at_seconds),
    C(expires_at_seconds), C(revoked_at_seconds), C(state), C(how) and C(id).
  returned: always
  type: dict
swept: {description: "The same of tokens that earlier runs had left, as they are now.", returned: success, type: list, elements: dict}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.break_glass.spec import together
from ..module_utils.break_glass.write import NotWritten, write

ARGUMENT_SPEC = {
    "break_glass": {"type": "dict", "required": True},
    # Apart from the rest, so that nothing else is taken for a secret.
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "write": {"type": "str", "required": True},
    "grant": {"type": "dict", "required": True},
    "by": {"type": "str", "default": ""},
    "directory": {"type": "path", "required": True},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True, status=None, break_glass=None, swept=[])
    try:
        params = module.params
        result = write(dict(params, break_glass=together(params["break_glass"], params["secrets"])))
    except ValueError as error:
        module.fail_json(msg=str(error), status=None, break_glass=None)
    except NotWritten as error:
        module.fail_json(msg=str(error), status=None, break_glass=error.record)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

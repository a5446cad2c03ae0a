# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that is one observer."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def run(argument_spec, observe):
    """Run an observer as a module, which changes nothing and fails for bad parameters only.

    Args:
        argument_spec: of the observer.
        observe: a function of the parameters that returns what the observer documents.
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        answer = observe(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**dict(answer, changed=False))

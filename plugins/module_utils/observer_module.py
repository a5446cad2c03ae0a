# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that is an observer."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def run(observer):
    """Run an observer as a module, which changes nothing and fails for bad parameters only.

    Args:
        observer: one of the files in ``observers``, or ``observe`` for several at once.
    """
    module = AnsibleModule(argument_spec=observer.SPEC, supports_check_mode=True)
    observe = observer.load()
    try:
        answer = observe(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**dict(answer, changed=False))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter why_failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: why_failed
short_description: Say why a task failed
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Gives the message of a result. Of a loop, Ansible itself says only that one or more items failed; this says which, and why.
options:
  _input:
    description: The result of a task that failed, C(ansible_failed_result) in a C(rescue).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep why it failed
  ansible.builtin.set_fact:
    # Where tasks could not even be included there is no result.
    why: "{{ ansible_failed_result | default({}) | oncall.runbooks.why_failed }}"
"""

RETURN = r"""
_value:
  description: The reason; of a loop up to three, each with the item.
  type: str
"""


def why_failed(result):
    """See ``reason_of``."""
    from ..plugin_utils.failures import reason_of
    from ..plugin_utils.plain import plain

    return reason_of(plain(result))


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"why_failed": why_failed}

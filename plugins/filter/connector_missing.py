# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter connector_missing."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connector_missing
short_description: Say why something cannot be done with a connector
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Looks up whether the inventory has a command or an API call for it, or the source can do it by itself.
  - Nothing is tried, and nothing is asked on the managed host.
positional: source, connector, verb
options:
  _input:
    description: The connectors of the system, C(system_connectors).
    type: dict
    required: true
  source:
    description: The key of the source there.
    type: str
    required: true
  connector:
    description: The name of the connector. Empty where it is about all of them.
    type: str
    required: true
  verb:
    description: What is to be done.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Is there a way to synchronise one connector
  ansible.builtin.debug:
    msg: "{{ system_connectors | oncall.runbooks.connector_missing('app', 'crm', 'sync') }}"
"""

RETURN = r"""
_value:
  description: An empty string where nothing is missing, otherwise one line that says what is.
  type: str
"""


def connector_missing(connectors, source, connector, verb):
    """See ``missing_for``."""
    # Every play loads this file, and few plays need what takes 20 ms.
    from ..plugin_utils.connector_ways import missing_for

    return missing_for(connectors, source, connector, verb)


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"connector_missing": connector_missing}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter service_missing."""

from __future__ import annotations

from ..plugin_utils.verbs import SERVICE, missing_for

DOCUMENTATION = r"""
name: service_missing
short_description: Say why a service cannot do something
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Looks up in the C(verbs.yml) of a manager what it can do, and what the inventory must say about the service.
  - Nothing is tried, and nothing is asked on the managed host.
positional: service_name, verb, managers_directory
options:
  _input:
    description: The services of the system, C(system_services).
    type: dict
    required: true
  service_name:
    description: The key of the service.
    type: str
    required: true
  verb:
    description: What it is to do, or C(status) for being observed.
    type: str
    required: true
  managers_directory:
    description: The folder that holds one folder for each manager.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Is there a way to scale the API
  ansible.builtin.debug:
    msg: "{{ system_services | oncall.runbooks.service_missing('api', 'scale', role_path ~ '/managers') }}"
"""

RETURN = r"""
_value:
  description: An empty string where nothing is missing, otherwise one line that says what is.
  type: str
"""


def service_missing(services, service_name, verb, managers_directory):
    """See ``missing_for``."""
    return missing_for(SERVICE, managers_directory, services, service_name, verb)


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"service_missing": service_missing}

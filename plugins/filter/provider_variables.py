# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter provider_variables."""

from __future__ import annotations

from ..module_utils.providers.kinds import KINDS, kind

DOCUMENTATION = r"""
name: provider_variables
short_description: Say which variables of an application tell its provider of notifications
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Makes what M(oncall.runbooks.service_info) compares the environment of a service with (O(oncall.runbooks.service_info#module:compared)).
  - Of the variable of a switch the value of each provider by its name; of the variable of a key (C(key_variable)) the secret, as C(checked).
  - What it makes holds secrets. It is for the task that compares, and for nothing that is shown.
options:
  _input:
    description: Channels, as in C(system_notification_providers).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: By which provider does the worker send
  oncall.runbooks.service_info:
    services: "{{ {'worker': system_services.worker} }}"
    compared: "{{ system_notification_providers | oncall.runbooks.provider_variables }}"
"""

RETURN = r"""
_value:
  description: For each variable a dictionary of values by names.
  type: dict
"""


def provider_variables(channels):
    """For each variable the values that are known, by names."""
    found: dict[str, dict[str, str]] = {}
    for channel in channels.values():
        variable = (channel.get("switch") or {}).get("variable")
        for one in channel["providers"]:
            if variable:
                found.setdefault(variable, {})[one["name"]] = str(one.get("value", one["name"]))
            if one.get("key_variable") and one.get("kind") in KINDS:
                secrets = [str(one[key]) for key in kind(one["kind"]).SECRETS if one.get(key)]
                found.setdefault(one["key_variable"], {})["checked"] = secrets[-1] if secrets else ""
    return found


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"provider_variables": provider_variables}

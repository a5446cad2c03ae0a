# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter raised_limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: raised_limits
short_description: Say which memory limits are raised to what
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Gives a target for each service, by their names, or none at all where one of them has no limit, has a limit that is not
    below the new one, or where the host has not the memory for all of them. What is raised for some only would leave the
    problem there, and be undone.
positional: to_bytes, spare_bytes, restart
options:
  _input:
    description: Services, each with C(service), its name, and C(told), what M(oncall.runbooks.service_info) tells of it.
    type: list
    elements: dict
    required: true
  to_bytes:
    description: The new limit of each of their containers.
    type: int
    required: true
  spare_bytes:
    description: How much more the containers may take of the host's memory, all together.
    type: int
    required: true
  restart:
    description: Whether they are to be restarted with it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Which limits are raised
  ansible.builtin.debug:
    msg: "{{ [{'service': 'api', 'told': seen.services.api}] | oncall.runbooks.raised_limits(1073741824, 2147483648) }}"
"""

RETURN = r"""
_value:
  description: For each service C(service), C(from), C(to) and C(restart).
  type: list
  elements: dict
"""


def raised_limits(
    services: Sequence[Mapping[str, Any]], to_bytes: float, spare_bytes: float, restart: bool = False
) -> list[dict[str, Any]]:
    """The targets; see above."""
    targets, growth = [], 0
    for one in sorted(services, key=lambda one: one["service"]):
        limit = one["told"]["memory_limit_bytes"]
        if not limit or limit >= to_bytes:
            return []
        growth += (to_bytes - limit) * max(1, one["told"].get("replicas") or 1)
        targets.append({"service": one["service"], "from": limit, "to": to_bytes, "restart": restart})
    return targets if growth <= spare_bytes else []


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"raised_limits": raised_limits}

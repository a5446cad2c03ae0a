# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a plan acts: the machine, the stores, the queues, the workflows and the checkout that the inventory means by the name of a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .judge import CannotTell
from .secrets import without_secrets

# How the machine is reached; some inventories have the older names.
CONNECTION = ("ansible_connection", "ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port")
SYSTEM = (
    "system_database",
    "system_redis",
    "system_deployment",
    "system_queues",
    "system_connectors",
    "system_workflows",
    "system_payment_webhook",
    "system_break_glass",
)


def reach(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """What says where remedies act, by the names of the variables; those that the host does not have are left out.

    Args:
        variables: of the host. A password that was renewed leads to the same place, and is rendered for nobody who does not need it.
        template: gives the value of a template, or raises :class:`CannotTell`.
    """
    found = {}
    for name in (*CONNECTION, *SYSTEM):
        if name in variables:
            try:
                found[name] = without_secrets(template(without_secrets(variables[name])))
            except CannotTell:
                # What cannot be rendered reaches nothing.
                found[name] = None
    return found

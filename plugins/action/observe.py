# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.observe) on the host or in the controller."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail

from ansible_collections.oncall.runbooks.plugins.module_utils.observe import ARGUMENT_SPEC, observe
from ansible_collections.oncall.runbooks.plugins.plugin_utils.observer_action import ObserverAction
from ansible_collections.oncall.runbooks.plugins.plugin_utils.plain import plain
from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import trouble_with


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.observe"
    argument_spec = ARGUMENT_SPEC
    observe = staticmethod(observe)

    def check_contract(self, task_vars):
        # Here, and not in a validation task for each role, because every task costs every host. A wrong run_* then
        # shows on a healthy day and not in the incident.
        def template(value):
            return plain(self._templar.template(value))

        lines = [line for role in ("system", "run") for line in trouble_with(role, task_vars, template)]
        if lines:
            raise AnsibleActionFail("; ".join(lines))

    @staticmethod
    def needs_host(arguments):
        # The container is on the managed host.
        asked = arguments.get("postgres_activity") or {}
        return asked.get("database", {}).get("transport") == "docker"

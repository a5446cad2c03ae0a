# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One shared base for observers: on the managed host as a module, or here in the controller's worker."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils.observers.observe import needs_host
from .plain import plain
from .role_contract import ROLES, trouble_with


class ObserverAction(ActionBase):
    """Runs the observer of a module where C(system_observe_from) says.

    A subclass names the module, its argument spec and its function; the answer is the same from both places. ``observer`` is
    its name in :data:`observer_specs.OBSERVERS`, or nothing for the module that takes them all.
    """

    module_name: ClassVar[str]
    observer: ClassVar[str] = ""
    argument_spec: ClassVar[dict[str, Any]]
    observe: ClassVar[Any]

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        # What this worker inherited is no garbage; to look through it again and again costs 90 ms.
        gc.freeze()
        result = super().run(tmp, task_vars)
        self._check_contract(task_vars or {})
        place = plain(self._templar.template((task_vars or {}).get("system_observe_from", "host")))
        arguments = plain(self._task.args)
        asked = {self.observer: arguments} if self.observer else arguments
        if place == "host" or needs_host(asked):
            answer = self._execute_module(
                module_name=self.module_name, module_args=self._task.args, task_vars=task_vars
            )
            # A URL can hold a password, and the module's arguments are shown where it fails.
            answer.pop("invocation", None)
            result.update(answer)
            return result
        validation = ArgumentSpecValidator(self.argument_spec).validate(arguments)
        if validation.error_messages:
            raise AnsibleActionFail("; ".join(validation.error_messages))
        try:
            answer = type(self).observe(validation.validated_parameters)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(answer, changed=False)
        return result

    def _check_contract(self, variables: dict[str, Any]) -> None:
        """Refuse to look where variables of the runbook, system_* or run_* are not what they should be.

        Here, and not in a validation task for each role, because every task costs every host. A wrong run_* then
        shows on a healthy day and not in the incident.
        """
        folder = Path(str(variables.get("role_path", "")))
        runbook = [folder.name] if folder.parent.resolve() == ROLES.resolve() else []

        def template(value: Any) -> Any:
            return plain(self._templar.template(value))

        lines = [line for role in (*runbook, "system", "run") for line in trouble_with(role, variables, template)]
        if lines:
            raise AnsibleActionFail("; ".join(lines))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an observer, or several: on the managed host as their module, or here in the controller's worker."""

from __future__ import annotations

import gc
import multiprocessing
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils import observe
from ..plugin_utils.finish import Steps
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import answers_hidden
from ..plugin_utils.role_contract import ROLES, trouble_with
from ..plugin_utils.same_place import runs_here

# What most diagnoses look with, loaded once and not in the worker of every host. A worker loads what it is asked for.
LOADED_BEFORE_THE_FORK = ("metrics", "postgres_activity") if multiprocessing.parent_process() is None else ()
for _name in LOADED_BEFORE_THE_FORK:
    observe.OBSERVERS[_name].load()


class ActionModule(ActionBase):
    """For the module C(observe) and for that of each observer, which C(meta/runtime.yml) sends here.

    C(system_observe_from) says where it runs. The answer is the same from both places. Where the module would run right here, as the
    same user and by the same interpreter, it is done without: its packing and its start cost more than what it does.
    """

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        # What this worker inherited is no garbage; to look through it again and again costs 90 ms.
        gc.freeze()
        result = super().run(tmp, task_vars)
        self._check_contract(task_vars or {})
        module_name = self._task.resolved_action
        try:
            steps = Steps(module_name.rpartition(".")[2], plain(self._task.args))
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        answer = self._observed(module_name, steps, task_vars or {}) if steps.arguments is not None else {}
        result.update({"changed": False, **steps.finish(answer)})
        return result

    def _observed(self, module_name: str, steps: Steps, task_vars: dict[str, Any]) -> dict[str, Any]:
        is_host = runs_here(self, task_vars)
        if is_host or plain(self._templar.template(task_vars.get("system_observe_from", "host"))) != "host":
            answer = observed_here(module_name, steps.arguments, is_host)
            if answer is not None:
                return answer
        return self._observed_there(module_name, steps, task_vars)

    def _observed_there(self, module_name: str, steps: Steps, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module answers on the managed host."""
        # With a step on the controller that is all that was fetched.
        with answers_hidden(self) if steps.are_needed else nullcontext():
            # A module writes its arguments into the log of the host, and a URL or a header can hold a password.
            task_vars = {**task_vars, "ansible_no_target_syslog": True}
            answer = self._execute_module(module_name=module_name, module_args=steps.arguments, task_vars=task_vars)
        # For the same reason: the module's arguments are shown where it fails.
        answer.pop("invocation", None)
        if steps.are_needed:
            # What was fetched, where its JSON cannot be read.
            answer.pop("module_stdout", None)
        return answer

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


def observed_here(module_name: str, arguments: dict[str, Any], is_host: bool = False) -> dict[str, Any] | None:
    """What an observer sees from the controller, or nothing where it can only look from the managed host.

    Args:
        module_name: with the name of the collection.
        arguments: of the module.
        is_host: whether this is the managed host.
    """
    name = module_name.rpartition(".")[2]
    observer = observe if name == "observe" else observe.observer(name.removesuffix("_info"))
    validation = ArgumentSpecValidator(observer.SPEC).validate(arguments)
    if validation.error_messages:
        raise AnsibleActionFail("; ".join(validation.error_messages))
    if not is_host and observer.needs_host(validation.validated_parameters):
        return None
    try:
        return {**observer.load()(validation.validated_parameters), "changed": False}
    except ValueError as error:
        raise AnsibleActionFail(str(error)) from None

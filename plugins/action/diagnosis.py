# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a runbook's table of likely causes, in the controller."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase

from ..module_utils.services.verbs import missing_for
from ..plugin_utils import judge
from ..plugin_utils.plain import plain
from ..plugin_utils.role_contract import read_yaml

_MANAGERS = Path(__file__).parents[2] / "roles" / "service" / "managers"
# What Ansible says by itself of something undefined, which tells a person nothing.
_UNDEFINED = re.compile(r"^object of type .* has no |^'[^']*' is undefined$")


class ActionModule(ActionBase):
    """Takes the raw variables, so that each cause is templated by itself."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        if not isinstance(self._task.args.get("observed"), Mapping):
            raise AnsibleActionFail("observed takes what the observers returned, by observer")
        role_path = Path(variables["role_path"])
        runbook = role_path.name
        host = plain(variables["inventory_hostname"])
        observed = plain(self._task.args["observed"])
        if f"{runbook}_causes" not in variables:
            # No table would find nothing, and nothing found reads as healthy.
            raise AnsibleActionFail(f"there is no {runbook}_causes; diagnosis stands in the role of its runbook")
        causes = {
            **self._table(variables, f"{runbook}_causes"),
            **self._table(variables, f"{runbook}_extra_causes"),
        }
        remedies = {path.stem for path in (role_path / "tasks" / "remedies").glob("*.yml")}
        managed: dict[str, Any] = {}

        def services() -> dict[str, Any]:
            if not managed:
                managed.update(self._template(variables["system_services"]))
            return managed

        def missing(service: str, verb: str) -> str:
            return missing_for(_MANAGERS, services(), service, verb)

        try:
            judge.check_table(causes, remedies)
            findings = judge.judge(causes, self._condition, self._template, judge.reasons_in(observed))
            plan = judge.plan(
                causes, findings, self._template, missing, lambda name: services().get(name), runbook, host
            )
        except judge.BadTable as error:
            raise AnsibleActionFail(f"{runbook}_causes: {error}") from None
        status = judge.status_of(findings)
        result.update(
            changed=False,
            # A play or a task can be in check mode where ansible_check_mode does not say so.
            check_mode=bool(self._task.check_mode),
            id=uuid.uuid4().hex[:12],
            runbook=runbook,
            host=host,
            role=plain(variables["ansible_role_name"]),
            verify="verify" if (role_path / "tasks" / "verify.yml").is_file() else "diagnose",
            at=round(time.time(), 3),
            status=status,
            msg=judge.summary_line(status, findings),
            findings=findings,
            plan=plan,
            # Where all is well nobody reads them, and each costs a template.
            evidence={} if status == judge.HEALTHY else self._evidence(variables.get(f"{runbook}_evidence", {})),
            runbook_meta={} if status == judge.HEALTHY else read_yaml(role_path / "meta" / "runbook.yml"),
        )
        return result

    def _table(self, variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        table = variables.get(name, {})
        if isinstance(table, str):
            table = self._templar.template(table)
        if not isinstance(table, Mapping):
            raise AnsibleActionFail(f"{name} is no dictionary of causes")
        return table

    def _condition(self, expression: Any) -> bool:
        # A list is true where all of it is, and is read only as far as that takes.
        conditions = expression if isinstance(expression, list) else [expression]
        try:
            return all(self._templar.evaluate_conditional(condition) for condition in conditions)
        except AnsibleError as error:
            raise _cannot_tell(error) from None

    def _template(self, value: Any) -> Any:
        try:
            return plain(self._templar.template(value))
        except AnsibleError as error:
            raise _cannot_tell(error) from None

    def _evidence(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """The measurements a person wants to see, without those that could not be made."""
        evidence = {}
        for name, value in table.items():
            try:
                evidence[str(name)] = self._template(value)
            except judge.CannotTell:
                continue
        return evidence


def _cannot_tell(error: BaseException) -> judge.CannotTell:
    while error.__cause__ is not None:
        error = error.__cause__
    message = str(getattr(error, "message", error))
    return judge.CannotTell(
        message, said=isinstance(error, AnsibleUndefinedVariable) and not _UNDEFINED.search(message)
    )

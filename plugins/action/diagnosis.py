# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a runbook's table of likely causes, in the controller."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ..module_utils.break_glass.spec import checked
from ..module_utils.observe import OBSERVERS
from ..plugin_utils import judge, plan_in_words, readings, table
from ..plugin_utils.names import Names, functions_of
from ..plugin_utils.names_of_0_1_0 import NOW
from ..plugin_utils.plain import plain
from ..plugin_utils.reach import reach
from ..plugin_utils.role_contract import contract_of, described
from ..plugin_utils.verbs import KINDS, missing_for

_ROLES = Path(__file__).parents[2] / "roles"
# These observers are not available as soon as one of their values was not measured; the values that are there count.
_TELLS_OF_EACH = {"metrics"}
_BLIND_SPOTS = trust_as_template("{{ system_blind_spots | default([]) }}")
_SERVICES = trust_as_template("{{ system_services }}")
_QUEUES = trust_as_template("{{ system_queues }}")
# What can be operated -> what says what can be done with it, and where the inventory describes it.
_OPERATED = {"service": (_ROLES / "service" / "managers", _SERVICES), "queue": (_ROLES / "queue" / "engines", _QUEUES)}
_NO_BREAK_GLASS = "it needs a break-glass token, and nothing says how to get one: set system_break_glass"
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
            raise AnsibleActionFail(f"there is no {runbook}_causes; use diagnosis in the role of a runbook")
        remedies = {path.stem for path in (role_path / "tasks" / "remedies").glob("*.yml")}
        self._names = self._names_of(runbook, observed, variables)
        self._require(plain(self._task.args.get("requires", [])), runbook)
        asked = plain(self._task.args.get("names", []))
        if wrong := [name for name in asked if not str(name).isidentifier()]:
            raise AnsibleActionFail(f"names takes names of {runbook}_names, which {wrong[0]!r} is not")
        if asked:
            result.update(changed=False, names=self._known({name: name for name in asked}, self._named))
            return result

        def service(name: str) -> Any:
            return self._template(_SERVICES).get(name)

        def reasons(expression: Any) -> list[str]:
            behind = self._names.observations_behind(expression)
            # An observer that was not asked gives no reason; another one may say why.
            asked = behind if set(behind) <= set(observed) else list(observed)
            return [reason for name in asked for reason in judge.reasons_in(observed[name])]

        def missed(expression: Any) -> str:
            # A table that did not ask an observer, as there is nothing of its kind here, names what it takes instead.
            for name in self._names.observations_behind(expression):
                if name in observed and name not in _TELLS_OF_EACH and observed[name].get("available") is not True:
                    return str(observed[name].get("reason") or f"{name} could not be observed")
            return ""

        def missing(kind: str, name: str, verb: str) -> str:
            if kind == table.BREAK_GLASS:
                return self._no_token(variables)
            folder, things = _OPERATED[kind]
            return missing_for(KINDS[kind], folder, self._template(things), name, verb)

        try:
            causes = table.expand(
                self._dictionary(variables, f"{runbook}_causes"),
                remedies,
                variables.get(f"{runbook}_conclusive"),
                self._dictionary(variables, f"{runbook}_extra_causes"),
                self._deprecated,
            )
            nothing = self._nothing_of_this_kind(variables.get(f"{runbook}_applies"))
            findings = (
                judge.all_ok(causes) if nothing else judge.judge(causes, self._condition, self._template, reasons)
            )
            claims = {} if nothing else table.claims(variables.get(f"{runbook}_healthy", {}))
            health = judge.weigh(claims, self._condition, self._template, missed, self._accepted(runbook, claims))
            plan = judge.plan(
                causes,
                findings,
                self._template,
                missing,
                service,
                lambda: reach(variables, self._template),
                runbook,
                host,
            )
        except table.BadTable as error:
            raise AnsibleActionFail(f"{runbook}_causes: {error}") from None
        status = judge.status_of(findings, health)
        meta = {} if status == judge.HEALTHY else described(role_path)
        plan["steps"] = plan_in_words.described(plan["steps"], meta)
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
            msg=nothing or judge.summary_line(status, findings, health),
            findings=findings,
            health=health,
            not_looked_at=judge.not_looked_at(health),
            plan=plan,
            # Where all is well nobody reads them, and each costs a template.
            evidence={}
            if status == judge.HEALTHY
            else self._known(
                table.evidence(variables.get(f"{runbook}_evidence", {}), trust_as_template), self._template
            ),
            runbook_meta=meta,
        )
        return result

    def _names_of(self, runbook: str, observed: Mapping[str, Any], variables: Mapping[str, Any]) -> Names:
        prefix = f"__{runbook}_"
        # The runbooks that came later have no earlier names.
        now = NOW.get(runbook)

        def cast(name: str, value: Any) -> Any:
            # Only -e name=value and the like give a text for a number.
            if not (isinstance(value, str) and name.startswith(f"{runbook}_")):
                return value
            spec = contract_of(runbook)[0].get(name, {"type": "str"})
            return ArgumentSpecValidator({name: spec}).validate({name: value}).validated_parameters[name]

        def expression_for(name: str) -> str:
            if now is None or not name.startswith(prefix):
                return ""
            expression = now.get(name[len(prefix) :], name[len(prefix) :])
            self._deprecated(f"write {expression} instead of {name}")
            return expression

        return Names(
            table=variables.get(f"{runbook}_names", {}),
            readings=functions_of(f"{readings.__name__}.{runbook}"),
            observed=observed,
            observers=set(OBSERVERS),
            variables=variables,
            render=self._render,
            trusted=trust_as_template,
            cast=cast,
            renamed=expression_for,
        )

    def _accepted(self, runbook: str, claims: Mapping[str, Any]) -> set[str]:
        """The claims of this runbook that the inventory does without."""
        spots = [str(spot).partition(".") for spot in self._template(_BLIND_SPOTS) or []]
        accepted = {name for owner, _dot, name in spots if owner == runbook}
        if wrong := sorted(accepted - set(claims)) if claims else []:
            known = ", ".join(f"{runbook}.{name}" for name in claims)
            raise AnsibleActionFail(f"system_blind_spots names {runbook}.{wrong[0]}; known are {known}")
        return accepted

    def _no_token(self, variables: Mapping[str, Any]) -> str:
        """Why no token can be had for a system that is read-only, or "". Nothing is asked for it."""
        try:
            given = self._template(variables.get("system_break_glass") or {})
            checked(given)
        except (ValueError, judge.CannotTell) as error:
            return f"it needs a break-glass token: {error}" if variables.get("system_break_glass") else _NO_BREAK_GLASS
        return ""

    def _require(self, names: list[str], runbook: str) -> None:
        for name in names:
            try:
                value = self._named(name)
            except judge.CannotTell:
                value = None
            if not value:
                # Nothing to look at would read as healthy.
                raise AnsibleActionFail(f"set {name}: without it {runbook} has nothing to look at")

    def _deprecated(self, what: str) -> None:
        self._display.deprecated(
            f"In the causes of this inventory, {what}.", version="0.3.0", collection_name="oncall.runbooks"
        )

    def _dictionary(self, variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        causes = variables.get(name, {})
        if isinstance(causes, str):
            causes = self._templar.template(causes)
        if not isinstance(causes, Mapping):
            raise AnsibleActionFail(f"{name} is no dictionary of causes")
        return causes

    def _nothing_of_this_kind(self, applies: Any) -> str:
        """Why there is nothing to judge here, or ""."""
        try:
            return "" if applies is None or self._condition(applies["when"]) else self._template(applies["otherwise"])
        except judge.CannotTell:
            return ""

    def _condition(self, expression: Any) -> bool:
        # A list is true where all of it is, and is read only as far as that takes.
        return all(self._is_true(one) for one in (expression if isinstance(expression, list) else [expression]))

    def _is_true(self, expression: Any) -> bool:
        self._templar.available_variables = self._names.scope_of(expression)
        try:
            return self._templar.evaluate_conditional(expression)
        except AnsibleError as error:
            raise self._cannot_tell(error) from None

    def _template(self, value: Any) -> Any:
        return self._render(value, self._names.scope_of(value))

    def _render(self, value: Any, variables: Mapping[str, Any]) -> Any:
        self._templar.available_variables = variables
        try:
            return plain(self._templar.template(value))
        except AnsibleError as error:
            raise self._cannot_tell(error) from None

    def _named(self, name: str) -> Any:
        return self._template(trust_as_template("{{ " + name + " }}"))

    def _known(self, values: Mapping[str, Any], work_out: Callable[[Any], Any]) -> dict[str, Any]:
        """The values by name, without those that could not be measured."""
        known = {}
        for name, value in values.items():
            try:
                known[str(name)] = work_out(value)
            except judge.CannotTell:
                continue
        return known

    def _cannot_tell(self, error: BaseException) -> judge.CannotTell:
        while error.__cause__ is not None:
            error = error.__cause__
        message = str(getattr(error, "message", error))
        undefined = isinstance(error, AnsibleUndefinedVariable)
        return judge.CannotTell(message, said=undefined and not _UNDEFINED.search(message), undefined=undefined)

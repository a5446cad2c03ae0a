# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runbook's table of likely causes, judged for one host: by the action C(diagnosis), and by C(triage) for all runbooks.

Both judge with this and nothing else, so that triage never says of the same look what the runbook does not.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import trust_as_template

from ..module_utils.break_glass.spec import checked
from ..module_utils.observe import OBSERVERS
from . import judge, plan_in_words, readings, table
from .names import Names, Settled, functions_of, owned_by
from .names_of_0_1_0 import NOW
from .plain import plain
from .reach import reach
from .role_contract import contract_of, described
from .secrets import PASSWORDS, without_secrets
from .verbs import KINDS, missing_for

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


class Diagnosing:
    """The table of one runbook, with what was observed on one host.

    Args:
        role: the folder of the runbook's role.
        variables: of the host, not templated, the role's own among them.
        observed: what the observers returned, by observer.
        templar: of the task.
        deprecated: takes a line for each way of writing that ends with the next version.
        settled: the variables, some of which are worked out already.
    """

    def __init__(
        self,
        role: Path,
        variables: Mapping[str, Any],
        observed: Mapping[str, Any],
        templar: Any,
        deprecated: Callable[[str], None],
        settled: Settled | None = None,
    ) -> None:
        self._role, self._variables, self._observed = role, variables, observed
        self._templar, self._deprecated = templar, deprecated
        self._names = self._names_of(role.name, observed, variables, settled)
        self._held: dict[tuple[type, str], bool | judge.CannotTell] = {}

    def missing(self, required: list[str]) -> list[str]:
        """The required variables that are not there or empty: nothing to look at would read as healthy."""
        return [name for name in required if not self._known({name: name}, self._named).get(name)]

    def named(self, names: list[str]) -> dict[str, Any]:
        """The values of names of the table, without those that could not be measured."""
        if wrong := [name for name in names if not str(name).isidentifier()]:
            raise AnsibleActionFail(f"names takes names of {self._role.name}_names, which {wrong[0]!r} is not")
        return self._known({name: name for name in names}, self._named)

    def known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of templates, without those that could not be measured."""
        return self._known(values, self.rendered)

    def diagnosis(self, check_mode: bool) -> dict[str, Any]:
        """What M(oncall.runbooks.diagnosis) returns."""
        role_path, variables, observed = self._role, self._variables, self._observed
        runbook = role_path.name
        if f"{runbook}_causes" not in variables:
            # No table would find nothing, and nothing found reads as healthy.
            raise AnsibleActionFail(f"there is no {runbook}_causes; use diagnosis in the role of a runbook")
        host = plain(variables["inventory_hostname"])
        remedies = {path.stem for path in (role_path / "tasks" / "remedies").glob("*.yml")}

        def service(name: str) -> Any:
            return self.rendered(_SERVICES).get(name)

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
            return missing_for(KINDS[kind], folder, self.rendered(things), name, verb)

        try:
            causes = table.expand(
                self._dictionary(variables, f"{runbook}_causes"),
                remedies,
                variables.get(f"{runbook}_conclusive"),
                self._dictionary(variables, f"{runbook}_extra_causes"),
                self._deprecated,
            )
            nothing = self.nothing_here()
            findings = judge.all_ok(causes) if nothing else judge.judge(causes, self.is_true, self.rendered, reasons)
            claims = {} if nothing else table.claims(variables.get(f"{runbook}_healthy", {}))
            health = judge.weigh(claims, self.is_true, self.rendered, missed, self._accepted(runbook, claims))
            plan = judge.plan(
                causes,
                findings,
                self.rendered,
                missing,
                service,
                lambda: reach(variables, self.rendered),
                runbook,
                host,
            )
        except table.BadTable as error:
            raise AnsibleActionFail(f"{runbook}_causes: {error}") from None
        status = judge.status_of(findings, health)
        meta = {} if status == judge.HEALTHY else described(role_path)
        plan["steps"] = plan_in_words.described(plan["steps"], meta)
        return {
            "check_mode": check_mode,
            "id": uuid.uuid4().hex[:12],
            "runbook": runbook,
            "host": host,
            "role": plain(variables["ansible_role_name"]),
            "verify": "verify" if (role_path / "tasks" / "verify.yml").is_file() else "diagnose",
            "at": round(time.time(), 3),
            "status": status,
            "msg": nothing or judge.summary_line(status, findings, health),
            "findings": findings,
            "health": health,
            "not_looked_at": judge.not_looked_at(health),
            "plan": plan,
            # Where all is well nobody reads them, and each costs a template.
            "evidence": {}
            if status == judge.HEALTHY
            else self._known(
                table.evidence(variables.get(f"{runbook}_evidence", {}), trust_as_template), self.rendered
            ),
            "runbook_meta": meta,
        }

    def _names_of(
        self, runbook: str, observed: Mapping[str, Any], variables: Mapping[str, Any], settled: Settled | None
    ) -> Names:
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
            settled=settled or Settled(variables, self._render, owned_by(runbook)),
        )

    def _accepted(self, runbook: str, claims: Mapping[str, Any]) -> set[str]:
        """The claims of this runbook that the inventory does without."""
        spots = [str(spot).partition(".") for spot in self.rendered(_BLIND_SPOTS) or []]
        accepted = {name for owner, _dot, name in spots if owner == runbook}
        if wrong := sorted(accepted - set(claims)) if claims else []:
            known = ", ".join(f"{runbook}.{name}" for name in claims)
            raise AnsibleActionFail(f"system_blind_spots names {runbook}.{wrong[0]}; known are {known}")
        return accepted

    def _dictionary(self, variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        causes = variables.get(name, {})
        if isinstance(causes, str):
            causes = self._templar.template(causes)
        if not isinstance(causes, Mapping):
            raise AnsibleActionFail(f"{name} is no dictionary of causes")
        return causes

    def nothing_here(self) -> str:
        """Why there is nothing of this runbook's kind here, or ""."""
        applies = self._variables.get(f"{self._role.name}_applies")
        try:
            return "" if applies is None or self.is_true(applies["when"]) else self.rendered(applies["otherwise"])
        except judge.CannotTell:
            return ""

    def is_true(self, expression: Any) -> bool:
        # A list is true where all of it is, and is read only as far as that takes.
        return all(self._holds(one) for one in (expression if isinstance(expression, list) else [expression]))

    def _holds(self, expression: Any) -> bool:
        # Many causes of a table have conditions in common, and names do not change.
        key = (type(expression), str(expression))
        if key not in self._held:
            self._held[key] = self._held_now(expression)
        found = self._held[key]
        if isinstance(found, judge.CannotTell):
            raise found
        return found

    def _held_now(self, expression: Any) -> bool | judge.CannotTell:
        self._templar.available_variables = self._names.scope_of(expression)
        try:
            return self._templar.evaluate_conditional(expression)
        except AnsibleError as error:
            return self._cannot_tell(error)

    def rendered(self, value: Any) -> Any:
        return self._render(value, self._names.scope_of(value))

    def _render(self, value: Any, variables: Mapping[str, Any]) -> Any:
        self._templar.available_variables = variables
        try:
            return plain(self._templar.template(value))
        except AnsibleError as error:
            raise self._cannot_tell(error) from None

    def _named(self, name: str) -> Any:
        return self.rendered(trust_as_template("{{ " + name + " }}"))

    def _known(self, values: Mapping[str, Any], work_out: Callable[[Any], Any]) -> dict[str, Any]:
        """The values by name, without those that could not be measured."""
        known = {}
        for name, value in values.items():
            try:
                # They come into the record.
                known[str(name)] = without_secrets(work_out(value), PASSWORDS)
            except judge.CannotTell:
                continue
        return known

    def _cannot_tell(self, error: BaseException) -> judge.CannotTell:
        while error.__cause__ is not None:
            error = error.__cause__
        message = str(getattr(error, "message", error))
        undefined = isinstance(error, AnsibleUndefinedVariable)
        return judge.CannotTell(message, said=undefined and not _UNDEFINED.search(message), undefined=undefined)

    def _no_token(self, variables: Mapping[str, Any]) -> str:
        """Why no token can be had for a system that is read-only, or "". Nothing is asked for it."""
        try:
            given = self.rendered(variables.get("system_break_glass") or {})
            checked(given)
        except (ValueError, judge.CannotTell) as error:
            return f"it needs a break-glass token: {error}" if variables.get("system_break_glass") else _NO_BREAK_GLASS
        return ""

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the looks of all runbooks in one pass, judges their tables on it, and ranks what they found."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils import observe, observe_each
from ..module_utils.text.one_line import inert, one_line
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import answers_hidden
from ..plugin_utils.role_contract import ROLES, contract_of, read_role_file, trouble_with
from ..plugin_utils.same_place import runs_here
from ..plugin_utils.triaging import questions, severity
from ..plugin_utils.triaging.looks import Answers, Asked
from ..plugin_utils.triaging.processes import Here, There, processors, side_by_side
from ..plugin_utils.triaging.report import RUNBOOK, Report, Wanted
from ..plugin_utils.triaging.share import Around, Judged, share

RECORD = "oncall.runbooks.record"
EACH = "oncall.runbooks.observe_each"
SPEC = {
    "window_seconds": {"type": "float", "default": 1.0},
    "run": {"type": "bool", "default": False},
    "fail_on": {"type": "list", "elements": "str", "choices": ["advised", "unknown"], "default": []},
}
# Of the variables of the role only this one comes from an alert. It is never a template.
ALERT = f"{RUNBOOK}_alert"


class ActionModule(ActionBase):
    """Everything but the questions themselves is done in the controller."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        # What this worker inherited is no garbage; to look through it again and again costs 90 ms.
        gc.freeze()
        began = time.time()
        result = super().run(tmp, task_vars)
        variables = dict(task_vars or {})
        arguments = _validated(SPEC, plain(self._task.args))
        # Each look would work them out again.
        variables.update(self._system(variables))
        self._check_contract(variables)
        own = read_role_file(ROLES / RUNBOOK / "vars" / "main.yml")
        wanted = self._wanted(arguments, variables, own)
        judged = self._judged(variables, own, wanted)
        report = Report(judged, wanted, own["triage_hints"])
        for text in dict.fromkeys(text for one in judged for text in one.deprecated):
            self._display.deprecated(
                f"In the causes of this inventory, {text}.", version="0.3.0", collection_name="oncall.runbooks"
            )
        host = plain(variables["inventory_hostname"])
        run = inert(plain(report.run(host, began, time.time(), bool(self._task.check_mode))))
        if RECORD not in constants.CALLBACKS_ENABLED:
            # Without the callback of that name, no line would show the result.
            self._display.display(f"{run['host']} : {run['outcome']}: {one_line(run['summary'], 500)}")
            for line in run["lines"]:
                self._display.display(f"  {line}")
        result.update(
            changed=False,
            failed=run["outcome"] in arguments["fail_on"],
            msg=f"{run['outcome']}: {run['summary']}",
            run=run,
            runs=report.first if wanted.run else "",
            ansible_stats={
                "data": {"oncall": {run["host"]: {RUNBOOK: run}}},
                "per_host": False,
                "aggregate": True,
            },
        )
        return result

    def _judged(self, variables: dict[str, Any], own: Mapping[str, Any], wanted: Wanted) -> list[Judged]:
        roles = [*sorted(path.parents[1] for path in ROLES.glob("*/meta/runbook.yml")), ROLES / RUNBOOK]
        around = Around(
            variables={name: value for name, value in variables.items() if name != ALERT},
            extra={name: value for name, value in load_extra_vars(self._loader).items() if name != ALERT},
            templar=self._templar,
            longest_seconds=wanted.window_seconds,
            facts={**own["triage_facts"], **own["triage_hints"]},
            check_mode=bool(self._task.check_mode),
        )
        # The hosts of a play have processes of their own already.
        hosts = len(variables.get("ansible_play_hosts") or [1])
        count = max(1, min(processors() // hosts, len(roles)))
        with side_by_side([partial(share, roles[number::count], around) for number in range(count)]) as shares:
            return self._played(shares, variables)

    def _played(self, shares: Sequence[Here | There], variables: dict[str, Any]) -> list[Judged]:
        """Have the shares ask until each has come to its end."""
        here = variables.get("system_observe_from", "host") != "host"
        run_there = _run_here if runs_here(self, variables) else partial(self._run_there, variables)
        judged: list[Judged] = []
        answers: dict[str, Answers] | None = None
        while shares:
            for one in shares:
                one.send(answers)
            asked: dict[str, Asked] = {}
            going_on = []
            for one in shares:
                has_ended, told = one.received()
                if has_ended:
                    judged += told
                else:
                    going_on.append(one)
                    asked.update(told)
            shares = going_on
            if asked:
                answers = questions.answered(asked, here, _run_here, run_there)
        return judged

    def _run_there(self, variables: dict[str, Any], asked: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        # Here that is all that was fetched.
        with answers_hidden(self):
            answer = self._execute_module(
                module_name=EACH,
                module_args={"questions": asked},
                # A module writes its arguments into the log of the host, and a URL or a header can hold a password.
                task_vars={**variables, "ansible_no_target_syslog": True},
            )
        if "answers" not in answer:
            raise AnsibleActionFail(one_line(answer.get("msg") or "the host gave no answer", 500))
        answers: Sequence[Mapping[str, Any]] = answer["answers"]
        return answers

    def _wanted(self, arguments: Mapping[str, Any], variables: Mapping[str, Any], own: Mapping[str, Any]) -> Wanted:
        runbooks = [path.parents[1].name for path in ROLES.glob("*/meta/runbook.yml")]
        scheme = variables["system_severities"]
        if trouble := severity.trouble_with(scheme, severity.words_of(own["triage_facts"], runbooks)):
            raise AnsibleActionFail(trouble)
        known = variables.get("system_apis") or {}
        if unknown := [
            name for name in plain(self._templar.template(variables.get("triage_apis", []))) if name not in known
        ]:
            raise AnsibleActionFail(
                f"triage_apis has {one_line(unknown[0], 60)}, which is not in system_apis; there are {', '.join(known) or 'none'}"
            )
        return Wanted(
            alert=str(plain(variables.get(ALERT, ""))),
            run=arguments["run"],
            window_seconds=arguments["window_seconds"],
            scheme=scheme,
            dashboards=plain(self._templar.template(variables.get("triage_dashboards", {}))),
        )

    def _system(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the inventory says of the stack, worked out once for all runbooks. Where it cannot be, no runbook can look."""
        names = [name for name in contract_of("system")[0] if name in variables]
        return {name: plain(self._templar.template(variables[name])) for name in names}

    def _check_contract(self, variables: Mapping[str, Any]) -> None:
        """Refuse to look where system_*, run_* or triage_* are not what they should be, as every runbook does."""

        def template(value: Any) -> Any:
            return plain(self._templar.template(value))

        known = {name: value for name, value in variables.items() if name != ALERT}
        lines = [line for role in (RUNBOOK, "system", "run") for line in trouble_with(role, known, template)]
        if lines:
            raise AnsibleActionFail("; ".join(lines))


def _run_here(asked: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
    answers: Sequence[Mapping[str, Any]] = observe.observe_each(_validated(observe_each.SPEC, {"questions": asked}))[
        "answers"
    ]
    return answers


def _validated(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    validation = ArgumentSpecValidator(spec).validate(dict(given))
    if validation.error_messages:
        raise AnsibleActionFail("; ".join(validation.error_messages))
    found: dict[str, Any] = validation.validated_parameters
    return found

"""Tests of a table of likely causes: what was measured -> what must be concluded."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

from ansible_collections.oncall.runbooks.plugins.action.diagnosis import ActionModule
from ansible_collections.oncall.runbooks.plugins.plugin_utils.judge import CannotTell, is_signal
from ansible_collections.oncall.runbooks.tests.support.compiled_once import compile_once
from ansible_collections.oncall.runbooks.tests.support.covering import row

ROOT = Path(__file__).parents[2]
compile_once()


@cache
def role_variables(role: str) -> dict[str, Any]:
    """A role's defaults and variables as Ansible loads them, templates trusted."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        path = ROOT / "roles" / role / part / "main.yml"
        if path.is_file():
            variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    return variables


def seconds_ago(value: Any) -> Any:
    """What was observed, with each ``deployed_at_seconds`` and ``started_at_seconds``, which a row counts from now, as a time."""
    if isinstance(value, Mapping):
        now = time.time()
        times = {
            key: int(now + seconds) if key == "deployed_at_seconds" else now + seconds
            for key, seconds in value.items()
            if key in ("deployed_at_seconds", "started_at_seconds") and seconds is not None
        }
        return {**{key: seconds_ago(one) for key, one in value.items()}, **times}
    return value


def diagnose(role: str, observed: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """What the action ``diagnosis`` returns for what the observers returned, with variables of an inventory."""
    return _diagnosed(role, observed, variables)[1]


def true_of(role: str, observed: dict[str, Any], expressions: list[Any], **variables: Any) -> list[Any]:
    """Those of a table's expressions that are true of what the observers returned."""
    action, _result = _diagnosed(role, observed, variables)

    def is_true(expression: Any) -> bool:
        try:
            return action.table.is_true(expression)
        except CannotTell:
            return False

    return [expression for expression in expressions if is_true(expression)]


def _diagnosed(
    role: str, observed: dict[str, Any], variables: Mapping[str, Any]
) -> tuple[ActionModule, dict[str, Any]]:
    loader = DataLoader()
    everything = {
        **role_variables("system"),
        **role_variables(role),
        "inventory_hostname": "lab",
        "role_path": str(ROOT / "roles" / role),
        "ansible_role_name": f"oncall.runbooks.{role}",
        f"__{role}_observed": observed,
        **variables,
    }
    task = Task()
    task.args = {"observed": observed}
    action = ActionModule(
        task=task,
        connection=connection_loader.get("ansible.builtin.local", PlayContext()),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables=everything),
        shared_loader_obj=None,
    )
    return action, action.run(task_vars=everything)


def causes_that_are(result: Mapping[str, Any], status: str) -> list[str]:
    """The causes with a status, in the table's order."""
    return [finding["cause"] for finding in result["findings"] if finding["status"] == status]


def steps_that_act(result: Mapping[str, Any]) -> list[str]:
    """The remedies that would be carried out, in order."""
    return [step["remedy"] for step in result["plan"]["steps"] if step["available"]]


@dataclass(frozen=True)
class Case:
    """One row of a table test.

    Attributes:
        observed: what the observers returned, by observer.
        problems: exactly the causes that are problems.
        unknown: exactly the causes that are unknown; None where only the status counts.
        acts: exactly the remedies that would be carried out.
        risk: of the plan, where it acts.
        why_not: is in the reason of a remedy that is not available.
        nothing_shows: exactly the claims that count and are not shown, where no cause is there or unknown.
        says: each is in the line of the diagnosis.
        variables: of the inventory, besides those of the whole test.
        covers: the items of tests/coverage.yml that it exercises.
    """

    observed: dict[str, Any]
    problems: Collection[str] = ()
    unknown: Collection[str] | None = None
    acts: Collection[str] = ()
    risk: str = ""
    why_not: str = ""
    nothing_shows: Collection[str] = ()
    says: Collection[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    covers: tuple[str, ...] = ()

    def holds(self, runbook: str, system: Mapping[str, Any]) -> None:
        """Assert that the table concludes this, and acts on nothing else."""
        result = diagnose(runbook, self.observed, **{**system, **self.variables})
        unknown = causes_that_are(result, "unknown")
        assert causes_that_are(result, "problem") == list(self.problems), result["findings"]
        assert steps_that_act(result) == list(self.acts), result["plan"]
        if self.unknown is not None:
            assert sorted(unknown) == sorted(self.unknown), result["findings"]
        nothing_shows = [row["name"] for row in result["health"] if is_signal(row) and not row["shown"]]
        if not self.problems and not unknown:
            assert nothing_shows == list(self.nothing_shows), result["health"]
        is_unknown = unknown or self.nothing_shows
        assert result["status"] == ("problem" if self.problems else "unknown" if is_unknown else "healthy")
        assert (not self.acts) or result["plan"]["risk"] == self.risk
        assert self.why_not in "; ".join(step["why_not"] for step in result["plan"]["steps"])
        assert [text for text in self.says if text not in result["msg"]] == [], result["msg"]


def table(runbook: str, system: Mapping[str, Any], cases: Mapping[str, Case]) -> Callable[[Case], None]:
    """The test of a runbook's table, to be bound to a name that pytest finds.

    Args:
        runbook: name of the role.
        system: variables that every case has.
        cases: by what was measured, in words.
    """

    @pytest.mark.parametrize("case", [row(case, name) for name, case in cases.items()])
    def test(case: Case) -> None:
        case.holds(runbook, system)

    return test

"""What the unit tests share: a diagnosis run in this process, on measured values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

ROOT = Path(__file__).parents[2]


def role_variables(role: str) -> dict[str, Any]:
    """A role's defaults and variables as Ansible loads them, templates trusted."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        path = ROOT / "roles" / role / part / "main.yml"
        if path.is_file():
            variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    return variables


@pytest.fixture
def diagnose():
    """A function: role, observed, other variables -> what the action ``diagnosis`` returns."""
    from ansible_collections.oncall.runbooks.plugins.action.diagnosis import ActionModule

    def run(role: str, observed: dict[str, Any], **variables: Any) -> dict[str, Any]:
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
        return action.run(task_vars=everything)

    return run

"""What every role has to keep: its entry points, its variables, its tasks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from collection import BLOCKS, ROLES, ROOT, RUNBOOKS, entries, load, names, task_files, tasks

# Only tasks that other tasks of the role include may stand beside the entry points.
ENTRY_POINTS = {
    role: {"main"}
    for role in ("connector", "drill", "dump", "incident", "queue", "run", "service", "snapshot", "system", "triage")
}
INCLUDES = ("include_role", "import_role")
# A shell takes data for programs; pause takes the terminal, and stops a play that has none of its own.
NOT_USED = ("shell", "command", "raw", "script", "pause")
# What a task may say besides its module.
KEYWORDS = {
    *("name", "when", "register", "vars", "loop", "loop_control", "until", "retries", "delay", "notify", "tags"),
    *("changed_when", "failed_when", "no_log", "check_mode", "become", "delegate_to", "run_once", "environment"),
    *("module_defaults", "args", *BLOCKS),
}


def defaults(role: str) -> dict[str, Any]:
    return load("roles", role, "defaults", "main.yml")


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_the_files_they_name(role):
    expected = {"main", "diagnose", "remediate"} if role in RUNBOOKS else ENTRY_POINTS[role]
    assert set(entries(role)) == expected
    files = names("roles", role, "tasks")
    if role == "system":
        assert not files, "it only says what an inventory has to say"
    elif role in RUNBOOKS:
        assert files - {"verify", "report"} == expected | {"look"}
    else:
        assert expected <= files


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specs(role):
    for name, entry in entries(role).items():
        specified = {key: option["default"] for key, option in entry["options"].items() if "default" in option}
        assert specified == defaults(role), f"entry point {name}"


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_valid(role):
    options = entries(role)["main"]["options"]
    fixed = {key: value for key, value in defaults(role).items() if "{{" not in str(value)}
    validated = ArgumentSpecValidator({key: options[key] for key in fixed}).validate(fixed)
    assert validated.error_messages == []


@pytest.mark.parametrize("role", ROLES)
def test_options_are_described(role):
    for entry in entries(role).values():
        assert entry["short_description"]
        assert entry["description"]
        for name, option in entry["options"].items():
            assert option["description"], name
            assert option["type"], name
            assert not (option.get("required") and "default" in option), name
            assert ("elements" in option) == (option["type"] == "list"), name


@pytest.mark.parametrize("role", ROLES)
def test_options_of_another_role_are_only_referred_to(role):
    for entry in entries(role).values():
        for name, option in entry["options"].items():
            owner = next(other for other in ROLES if name.startswith(f"{other}_"))
            if owner != role:
                assert "default" not in option
                assert option["type"] == entries(owner)["main"]["options"][name]["type"]


@pytest.mark.parametrize("role", ROLES)
def test_public_and_private_names(role):
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []
    variables = load("roles", role, "vars", "main.yml")
    assert [name for name in variables if not name.startswith((f"{role}_", f"__{role}_"))] == []
    for path in task_files(role):
        for task in tasks(load(path.relative_to(ROOT).as_posix())):
            # That name is Ansible's own.
            for name in {*names_set_by(task)} - {"ansible_no_target_syslog"}:
                allowed = (f"{role}_", f"__{role}_", "{{ run_state.about.runbook }}_", *prefix_of_included(task))
                assert name.startswith(allowed), f"{path.relative_to(ROOT)}: {task['name']}: {name}"


def names_set_by(task: dict[str, Any]) -> list[str]:
    """The variables that a task gives a value."""
    found = [*task.get("vars", {}), *task.get("ansible.builtin.set_fact", {})]
    found += [task["register"]] if "register" in task else []
    found += [value for key, value in task.get("loop_control", {}).items() if key in ("loop_var", "index_var")]
    return found


def prefix_of_included(task: dict[str, Any]) -> list[str]:
    """A role that is included may be told its variables."""
    included = [task[f"ansible.builtin.{how}"]["name"] for how in INCLUDES if f"ansible.builtin.{how}" in task]
    return [f"{name.rpartition('.')[2]}_" for name in included]


@pytest.mark.parametrize("role", ROLES)
def test_tasks(role):
    for path in task_files(role):
        for task in tasks(load(path.relative_to(ROOT).as_posix())):
            where = f"{path.relative_to(ROOT)}: {task.get('name')}"
            assert task.get("name"), where
            modules = set(task) - KEYWORDS
            assert len(modules) == (0 if "block" in task else 1), f"{where}: {modules}"
            assert all(module.count(".") >= 2 for module in modules), f"{where}: not the full name of a module"
            assert not {module.rpartition(".")[2] for module in modules} & set(NOT_USED), where
            assert "ignore_errors" not in task, where
            assert task.get("failed_when") is not False, where
            assert task.get("no_log") is not False, where


def yaml_of_roles_and_playbooks() -> list[Path]:
    return sorted([*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")])


# With an extension Ansible finds the file, and validates no arguments.
@pytest.mark.parametrize("path", yaml_of_roles_and_playbooks(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tasks_from_has_no_extension(path):
    found = re.findall(r"\b(?:tasks|vars|defaults)_from: *(.+)", path.read_text())
    assert [value for value in found if re.search(r"\.ya?ml\b", value)] == []


@pytest.mark.parametrize("role", ROLES)
def test_meta(role):
    meta = load("roles", role, "meta", "main.yml")
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"
    assert meta["galaxy_info"]["description"]
    assert meta["dependencies"] == []


def test_the_ledger_is_one_file_for_the_role_and_for_a_person():
    from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.spec import ARGUMENT_SPEC

    directory = defaults("system")["system_state_directory"]
    path = defaults("run")["run_ledger_path"].replace("{{ system_state_directory }}", directory)
    assert path == ARGUMENT_SPEC["path"]["default"]


def test_where_nothing_came_back_a_failure_is_told_all_the_same():
    """Tasks that cannot be included fail without a result: a rescue that wants one would fail as well, and tell nothing."""
    uses = [
        (path.relative_to(ROOT), line.strip())
        for path in sorted((ROOT / "roles").rglob("*.yml"))
        for line in path.read_text().splitlines()
        if "ansible_failed_result" in line
    ]
    assert uses
    assert not [use for use in uses if "ansible_failed_result | default({})" not in use[1]]

"""The collection's files, for the contract tests."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support import yaml_files

ROOT = Path(__file__).resolve().parents[2]
NAME = "oncall.runbooks"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
RUNBOOKS = [role for role in ROLES if (ROOT / "roles" / role / "meta" / "runbook.yml").is_file()]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
BLOCKS = ("block", "rescue", "always")


def load(*parts: str) -> Any:
    """A YAML file of the collection, or {} where there is none."""
    return yaml_files.load(ROOT.joinpath(*parts))


def names(*parts: str) -> set[str]:
    """The names, without extension, of the YAML files in a folder of the collection."""
    return {path.stem for path in ROOT.joinpath(*parts).glob("*.yml")}


def entries(role: str) -> dict[str, Any]:
    """The entry points of a role's argument specs."""
    return load("roles", role, "meta", "argument_specs.yml")["argument_specs"]


def causes(runbook: str) -> dict[str, Any]:
    """The table of likely causes, expanded and not templated; a copy for each that asks."""
    return pickle.loads(_causes(runbook))


@lru_cache
def _causes(runbook: str) -> bytes:
    # The collection can be imported once pytest has configured itself.
    from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import expand

    table = load("roles", runbook, "vars", "main.yml")
    remedies = names("roles", runbook, "tasks", "remedies")
    return pickle.dumps(expand(table[f"{runbook}_causes"], remedies, table.get(f"{runbook}_conclusive")))


def tasks(value: Any) -> Iterator[dict[str, Any]]:
    """Every task in a loaded file of tasks, those inside blocks too, and the blocks themselves."""
    for task in value or []:
        yield task
        for block in BLOCKS:
            yield from tasks(task.get(block))


def task_files(role: str) -> list[Path]:
    """Every file of tasks in a role, wherever it lies."""
    files = (ROOT / "roles" / role).rglob("*.yml")
    return sorted(path for path in files if isinstance(yaml_files.load(path), list))


def tracked() -> list[Path]:
    """The files that belong to the repository: those git knows, and those it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in sorted(set(filter(None, listed.split("\0")))))
    return [path for path in paths if path.is_file() and not path.is_symlink()]

"""The three rows that the test of every table has, and what they conclude."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from collection import ROOT

ROWS = {
    "HEALTHY_ROW": "is healthy, and acts on nothing",
    "WRONG_CAUSE_ROW": "acts on nothing, for something else is the cause",
    "NO_TELEMETRY_ROW": "is unknown, and acts on nothing",
}


def test_file(runbook: str) -> Path:
    return Path("tests", "unit", "tables", f"test_{runbook}_table.py")


def rows(runbook: str, root: Path = ROOT) -> dict[str, str]:
    """The id of each row, as the table test of a runbook names it."""
    found = {}
    for node in ast.parse((root / test_file(runbook)).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ROWS:
            found[node.targets[0].id] = f"{test_file(runbook)}::{ast.literal_eval(node.value)}"
    return found


def concluded(runbooks: list[str], folder: Path, root: Path = ROOT) -> dict[str, list[dict[str, Any]]]:
    """What those rows conclude, by their ids; a row that is not there or does not pass is left out."""
    wanted = [name for runbook in runbooks for name in rows(runbook, root).values()]
    told = folder / "concluded.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "recorded_tables", "-p", "no:cacheprovider", "-n0"]
    # One that is not there must not keep the others from being run.
    known = _known(runbooks, root)
    environment = {**os.environ, "RECORDED_TABLES": str(told)}
    argv = [*command, *(name for name in wanted if name in known)]
    subprocess.run(argv, cwd=root, env=environment, capture_output=True, check=False, timeout=300)
    return json.loads(told.read_text()) if told.is_file() else {}


def looks(folder: Path, root: Path = ROOT) -> dict[str, list[dict[str, Any]]]:
    """What every row of every table test looks at first, and its words, by the row's id. Nothing is judged for it."""
    told = folder / "looks.json"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "recorded_tables", "-p", "no:cacheprovider", "-n0"]
    environment = {**os.environ, "RECORDED_TABLES": str(told), "RECORDED_TABLES_LOOKS": "1"}
    files = sorted(str(path.relative_to(root)) for path in (root / "tests" / "unit" / "tables").glob("*_table.py"))
    subprocess.run([*argv, *files], cwd=root, env=environment, capture_output=True, check=False, timeout=300)
    return json.loads(told.read_text())


def _known(runbooks: list[str], root: Path) -> set[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-n0"]
    argv = [*command, *(str(test_file(runbook)) for runbook in runbooks)]
    ran = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    return set(ran.stdout.splitlines())


def trouble_with(runbook: str, results: dict[str, list[dict[str, Any]]], root: Path = ROOT) -> list[str]:
    """What is wrong with the rows of one runbook, a line each."""
    named = rows(runbook, root)
    lines = [f"{test_file(runbook)} has no {row}, the row that {ROWS[row]}" for row in ROWS if row not in named]
    for row, name in named.items():
        found = results.get(name, [])
        if not found:
            lines.append(f"{name} is not there, or judges nothing")
        status = {
            "HEALTHY_ROW": {"healthy"},
            "WRONG_CAUSE_ROW": {"healthy", "problem"},
            "NO_TELEMETRY_ROW": {"unknown"},
        }[row]
        if [one for one in found if one["status"] not in status or one["acts"]]:
            lines.append(f"{name} is {found}, and not one that {ROWS[row]}")
    if len(set(named.values())) != len(named):
        lines.append(f"{test_file(runbook)} has one row for two of {', '.join(named)}")
    return lines

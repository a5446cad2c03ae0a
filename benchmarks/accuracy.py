# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the runbooks are right: every fault of every stack, every runbook asked, every answer judged.

Usage: python benchmarks/accuracy.py [--stack embedded] [--scene NAME] [--runbook NAME] [--json benchmarks/accuracy.json]
[--page docs/accuracy.md]

What was found of a stack before is kept in the file until that stack is run again. Ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "collections"), str(ROOT / "tests" / "foreign")]

from ansible_collections.oncall.runbooks.tests.support.accuracy import asking, report  # noqa: E402
from ansible_collections.oncall.runbooks.tests.support.accuracy.scenes import Scene  # noqa: E402
from ansible_collections.oncall.runbooks.tests.support.accuracy.stacks import STACKS, Stack  # noqa: E402
from docs.generate.source import runbook_names  # noqa: E402
from lab.compose import engine  # noqa: E402


def measured(stack: Stack, wanted: Sequence[str], runbooks: Sequence[str]) -> dict[str, Any]:
    """Everything about one stack, as plain data that names neither this machine nor a path.

    Args:
        stack: that runs.
        wanted: patterns of names of scenes; none: all.
        runbooks: that are asked.
    """
    began = time.monotonic()
    sound, *others = stack.scenes()
    chosen = [scene for scene in others if not wanted or any(fnmatch(scene.name, pattern) for pattern in wanted)]
    asked = [name for name in runbooks if name not in stack.left_out]
    cases, not_made = told(stack, sound, asked), {}
    worth = [name for name, is_worth in asking.worth_asking(cases) if is_worth]
    for scene in chosen:
        # Whose fault it is, is asked in any case.
        names = [name for name in asked if name in worth or name in scene.truth.rights]
        try:
            cases += told(stack, scene, names)
        except asking.NotMade as error:
            not_made[scene.name] = report.without_places(str(error), stack.places)
            say(stack, scene, f"not made: {error}")
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "machine": machine(),
        "left_out": {name: why for name, why in stack.left_out.items() if name in runbooks},
        "not_made": not_made,
        "scenes": len(others) + 1,
        "part": len(chosen) < len(others) or set(runbooks) < set(runbook_names()),
        "cases": cases,
    }


def told(stack: Stack, scene: Scene, runbooks: Sequence[str]) -> list[dict[str, Any]]:
    found = asking.cases(stack, scene, runbooks)
    for case in found:
        say(stack, scene, f"{case['runbook']}: {case['verdict']}{': ' + case['why'] if case['why'] else ''}")
    return found


def say(stack: Stack, scene: Scene, text: str) -> None:
    print(f"{stack.name}: {scene.name}: {text}", flush=True)


def machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "collection": yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"],
        "commit": commit.stdout.strip() or "unknown",
    }


def without_docker() -> str:
    """Why the lab in containers cannot run, or ""."""
    try:
        engine.ensure(lambda line: print("lab:", line, flush=True))
    except engine.NoDocker as error:
        return str(error)
    return ""


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="accuracy-") as folder, STACKS[name](Path(folder)).running() as stack:
        return measured(stack, options.scene, options.runbook or runbook_names())


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the runbooks are right.")
    parser.add_argument(
        "--stack", action="append", choices=sorted(STACKS), help="only this one; may be given several times"
    )
    parser.add_argument(
        "--scene", action="append", default=[], help="only scenes of this name; a pattern, may be given several times"
    )
    parser.add_argument(
        "--runbook", action="append", choices=runbook_names(), help="ask only this one; may be given several times"
    )
    parser.add_argument("--json", type=Path, help="keep the results there, with those of other stacks that are there")
    parser.add_argument("--page", type=Path, help="write the page there")
    parser.add_argument(
        "--only-page", action="store_true", help="run nothing, and write the page of the results that are there"
    )
    options = parser.parse_args()
    results = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    missing = []
    for name in () if options.only_page else options.stack or STACKS:
        if name == "compose" and (reason := without_docker()):
            print(f"accuracy: the lab in containers is left out: {reason}")
            missing += ["compose"] if engine.required() else []
            continue
        results[name] = run(name, options)
        if options.json:
            options.json.write_text(report.as_json(results))
    results = {name: results[name] for name in STACKS if name in results}
    if options.page:
        options.page.write_text(report.page(results))
    goals = report.goals(report.cases_of(results))
    for goal in goals:
        print(f"{'met    ' if goal.met else 'NOT MET'}  {goal.what}: {goal.measured} (wanted: {goal.wanted})")
    sys.exit(0 if all(goal.met for goal in goals) and not missing else 1)


if __name__ == "__main__":
    main()

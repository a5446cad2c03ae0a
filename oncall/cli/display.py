# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command shows: tables for people at a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..catalog import TRIAGE, Runbook
from ..results import HostResult, Outcome, Result, RunbookRun, Step, of_document

STYLES = {
    Outcome.HEALTHY: "green",
    Outcome.RESOLVED: "green",
    Outcome.PLANNED: "cyan",
    Outcome.ADVISED: "yellow",
    Outcome.BLOCKED: "red",
    Outcome.UNRESOLVED: "red",
    Outcome.UNKNOWN: "red",
}


def console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def document(told: Any) -> None:
    """Print JSON, in which what a terminal would act on is written out."""
    text = json.dumps(told, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else _written_out(c) for c in text) + "\n")


def _written_out(character: str) -> str:
    return json.dumps(character)[1:-1] if not character.isascii() else f"\\u{ord(character):04x}"


def shown(text: object, length: int = 0) -> str:
    """Text from outside as one line, without anything a terminal would act on."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if not length or len(line) <= length else line[: length - 1] + "…"


def listing(
    found: Sequence[dict[str, Any]],
    as_json: bool,
    heads: Sequence[str],
    row: Callable[[dict[str, Any]], Sequence[object]],
) -> None:
    """The same things as JSON or as a table."""
    if as_json:
        document(found)
    else:
        rows(heads, map(row, found))


def rows(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A table at a terminal; in a pipe, one line a row with tabs between."""
    out = console()
    if not out.is_terminal:
        for line in lines:
            print("\t".join(shown(cell) for cell in line))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for line in lines:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in line))
    Console(highlight=False).print(table)


def runbooks(found: Iterable[Runbook]) -> None:
    rows(
        ("RUNBOOK", "SEVERITY", "FOR", "ALERTS"),
        [(one.name, one.severity, one.title, ", ".join(one.alerts)) for one in found],
    )


def runbook(one: Runbook) -> None:
    """All that is known of one."""
    print(f"{one.name}: {one.title}")
    print(f"  signal     {one.signal}")
    print(f"  alerts     {', '.join(one.alerts) or 'none'}")
    print(f"  severity   {one.severity}")
    print(f"  tell       {one.escalation}")
    print(f"  causes     {', '.join(one.causes)}")
    for name, words in one.remedies.items():
        undone = one.rollbacks.get(name)
        print(f"  remedy     {name}: {words}{f' Undone: {undone}' if undone else ''}")
    for name, option in one.options.items():
        default = json.dumps(option["default"]) if "default" in option else "required"
        print(f"  variable   {name} ({option.get('type', 'str')}, {default}): {shown(option['description'])}")


def ledger(told: dict[str, Any]) -> None:
    """Holds, then claims that are open, however old, then the last ones."""
    lines = [(one["since"], "hold", "", "", one["by"], one["reason"]) for one in told["holds"]]
    for one in {claim["claim_id"]: claim for claim in [*told["unfinished"], *told["claims"]]}.values():
        remedies = ", ".join(remedy["remedy"] for remedy in one["remedies"])
        how = f"{one['outcome']}: {remedies}" if one["outcome"] else remedies
        lines.append((one["started_at"], one["state"], one["runbook"], one["run_id"], one["owner"], how))
    rows(("SINCE", "STATE", "RUNBOOK", "RUN", "BY", "WHAT"), lines)


class Progress:
    """Lines about what goes on, on standard error: at a terminal a single line that changes, in a pipe a line for each host."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()

    def __call__(self, host: str, said: str) -> None:
        if self._quiet:
            return
        if host:
            self.clear()
            print(f"{host}: {shown(said, 200)}", file=sys.stderr)
        elif self._terminal:
            line = f"{time.monotonic() - self._began:5.0f} s  {shown(said, 90)}"
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._terminal and not self._quiet:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def result(told: Result, inventories: Sequence[str] = (), recorded: bool = True) -> None:
    """What came of a run, the hosts that need a person last; with the inventories, how to act on its plans.

    ``recorded``: whether this machine should have kept a record of it.
    """
    out = console()
    order = list(Outcome)
    width = max((len(name) for name in told.hosts), default=0)
    for host in sorted(told.hosts.values(), key=lambda one: (order.index(one.outcome), one.host)):
        line = Text(f"{host.host:<{width}}  ")
        line.append(f"{host.outcome.value:<10}", STYLES[host.outcome])
        line.append(f"  {shown(host.summary, 400)}")
        out.print(line)
        for more in [*_of_host(host), *(_how_to_act(host, told, inventories) if inventories else ())]:
            out.print(f"{'':<{width}}  {more}")
    if told.status != "ended":
        acted = "a remedy may have been begun" if told.may_have_acted else "no remedy was begun"
        how = {"timed_out": "timed out", "canceled": "was canceled", "died": "died"}[told.status]
        out.print(f"the run {how} after {told.seconds:.0f} s; hosts that are not named came to no end; {acted}")
    if told.record:
        out.print(f"record: {told.record}")
    elif told.status == "ended" and recorded:
        out.print("record: none could be written; name a folder of yours in ONCALL_RECORD_DIRECTORY")


def pairs(told: Mapping[str, Any]) -> str:
    """Names with their values on one line."""
    return ", ".join(f"{name}={value}" for name, value in told.items())


def episode(told: dict[str, Any], runs: Sequence[dict[str, Any]]) -> None:
    """Everything that is known of an episode: the alert, its runs, and what the last of them found."""
    said = [
        ("alert", pairs(told["alert"].get("labels") or {})),
        ("received", f"{when(told['received_at'])}, heard of last {when(told['seen_at'])}"),
        ("over", when(told["resolved_at"]) if told["resolved_at"] else ""),
        ("mode", told["mode"]),
        ("state", f"{told['state']} until {when(told['until'])}" if told["state"] == "waiting" else told["state"]),
        ("because", told["reason"]),
        ("outcome", ": ".join(filter(None, (told["outcome"], told["summary"])))),
        ("note", told["note"]),
    ]
    print(f"{told['id']}: {told['runbook']} on {shown(told['host'])}")
    for name, what in said:
        if what:
            print(f"  {name:<9} {shown(what, 1000)}")
    for run in runs:
        to_do = "acts" if run["acts"] else "looks"
        end = f"{run['outcome']} at {when(run['ended_at'])}" if run["ended_at"] else "goes on"
        print(f"  run       {run['id']} {to_do} on node {shown(run['node'])} since {when(run['admitted_at'])}: {end}")
    if told["result"]:
        _result_of(told["result"])
    if told["state"] == "waiting":
        about = f"{told['id'][:12]} --plan {shown(told['plan_hash'])}"
        print(f"to have exactly this done: oncall approve {about}")
        print(f"to have nothing done: oncall reject {about} --reason WHY")


def _result_of(document: dict[str, Any]) -> None:
    """The result of an episode's last run, and of a run in AWX which job it was."""
    in_awx = "awx_job" in document
    if in_awx:
        print(
            f"  job       {shown(document['awx_job'])} in AWX: {shown(document.get('awx_url') or 'its address is not known')}"
        )
    try:
        result(of_document(document), recorded=not in_awx)
    except ValueError:
        if not in_awx or document.keys() - {"awx_job", "awx_url"}:
            print(f"  result    {shown(json.dumps(document), 1000)}")


def when(at: float) -> str:
    """A time as the clock on the wall shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _of_host(host: HostResult) -> list[str]:
    return [line for run in host.runs for line in _of_run(run)]


def _how_to_act(host: HostResult, told: Result, inventories: Sequence[str]) -> list[str]:
    hashes = [plan.hash for plan in host.plans]
    if told.mode == "act" or not hashes:
        return []
    # Triage begins the others, and has no plan itself.
    begun = [run.runbook for run in host.runs if run.runbook != TRIAGE]
    name = begun[0] if told.runbook == TRIAGE and begun else told.runbook
    argv = ["oncall", "run", name, *(part for one in inventories for part in ("-i", one)), "--limit", host.host]
    return [f"to act on exactly this: {shlex.join([*argv, *(part for one in hashes for part in ('--approve', one))])}"]


def _of_step(step: Step) -> list[str]:
    if not step.available:
        return [shown(f"remedy {step.remedy} is not available: {shown(step.why_not)}")]
    # A result of a version before has no words.
    targets = step.words or json.dumps(step.targets, ensure_ascii=False, default=str)
    said = {"": step.does, "Undone: ": step.undone, "Not undone: ": step.irreversible}
    return [
        shown(f"remedy {step.remedy} (risk {step.risk}) on {shown(targets, 200)}"),
        *(f"       {before}{shown(text, 300)}" for before, text in said.items() if text),
    ]


def _of_run(run: RunbookRun) -> list[str]:
    # What is set in belongs to the line above.
    lines = [f"{' ' * (len(line) - len(line.lstrip(' ')))}{shown(line, 300)}" for line in run.lines]
    for action in run.actions:
        helped = action.state if action.helped is None else "helped" if action.helped else "did not help"
        lines.append(shown(f"{run.runbook}: {action.remedy} ({action.risk}) {helped}"))
    lines += [f"before {shown(line, 300)}" for line in run.before_and_after]
    lines += [f"not looked at: {shown(line, 300)}" for line in run.not_looked_at]
    if run.outcome in (Outcome.PLANNED, Outcome.BLOCKED, Outcome.ADVISED):
        for step in run.plan.steps:
            lines += _of_step(step)
        for finding in run.findings:
            lines += [f"advice {shown(line, 300)}" for line in finding.advice]
    if run.escalation:
        lines.append(f"tell   {shown(run.escalation)}")
    return lines

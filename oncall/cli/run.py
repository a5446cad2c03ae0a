# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a runbook."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import click
import yaml

from ..api import Runbooks
from ..catalog import TRIAGE
from ..errors import OncallError
from . import display
from .frame import AS_JSON, EXIT_CODES_HELP, INVENTORY, KEEP, RUNBOOK, one_line

LIMIT = click.option("-l", "--limit", default="", help="Only these hosts, a pattern as for ansible-playbook.")
VARIABLES = click.option(
    "-e",
    "--extra-vars",
    "variables",
    multiple=True,
    metavar="K=V",
    help="A variable; also a JSON object, or @ and a file.",
)
TIMEOUT = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which the run is killed.",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="No lines about what goes on.")


@click.command(epilog=EXIT_CODES_HELP)
@RUNBOOK
@INVENTORY
@LIMIT
@click.option("--diagnose", "modes", flag_value="diagnose", multiple=True, help="Only look.")
@click.option(
    "--check", "modes", flag_value="check", multiple=True, help="Show the plan and its hash, and change nothing."
)
@click.option(
    "--approve",
    "hashes",
    multiple=True,
    metavar="HASH",
    help="Act only if a fresh diagnosis gives the plan of this hash.",
)
@click.option(
    "--plan-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Act only on the plans of this file, which --check --json wrote.",
)
@VARIABLES
@KEEP
@TIMEOUT
@QUIET
@AS_JSON
@one_line
def run(runbook: str, inventories: tuple[str, ...], limit: str, modes: tuple[str, ...], hashes: tuple[str, ...],
        plan_file: str | None, variables: tuple[str, ...], keep_environment: tuple[str, ...],
        timeout_seconds: float | None, quiet: bool, as_json: bool) -> int:  # fmt: skip
    """Run RUNBOOK on the hosts of an inventory, as far as its guards and yours allow.

    \b
    oncall run cache -i inventories/mine --diagnose
    oncall run cache -i inventories/mine --check --json > plan.json
    oncall run cache -i inventories/mine --plan-file plan.json
    """
    chosen = {*modes, *(["--approve"] if hashes else []), *(["--plan-file"] if plan_file else [])}
    if len(chosen) > 1:
        raise OncallError("--diagnose, --check, --approve and --plan-file exclude each other; give one of them")
    approved = [*hashes, *(_hashes_of(plan_file) if plan_file else ())]
    options = {
        "limit": limit,
        "mode": next(iter(modes), "act"),
        "approve": approved,
        "variables": _variables(variables),
    }
    return _run(runbook, inventories, keep_environment, quiet, as_json, timeout_seconds=timeout_seconds, **options)


@click.command(epilog=EXIT_CODES_HELP)
@INVENTORY
@LIMIT
@click.option(
    "--alert", default="", metavar="NAME", help="Name the runbook that answers this alert, and what it sees now."
)
@click.option("--run", "runs_first", is_flag=True, help="Run what comes first, with all its guards.")
@click.option("--check", is_flag=True, help="With --run: show its plan, and change nothing.")
@click.option(
    "--window",
    "window_seconds",
    type=click.FloatRange(min=0),
    help="Watch for so many seconds, and judge those runbooks too that take as long.",
)
@VARIABLES
@KEEP
@TIMEOUT
@QUIET
@AS_JSON
@one_line
def triage(inventories: tuple[str, ...], limit: str, alert: str, runs_first: bool, check: bool, window_seconds: float | None,
           variables: tuple[str, ...], keep_environment: tuple[str, ...], timeout_seconds: float | None, quiet: bool,
           as_json: bool) -> int:  # fmt: skip
    """Look at everything at once, and say which runbook comes first. It changes nothing without --run.

    \b
    oncall triage -i inventories/mine
    oncall triage -i inventories/mine --alert RedisDown
    oncall triage -i inventories/mine --run --check
    """
    asked = {"triage_run": runs_first, **({} if window_seconds is None else {"triage_window_seconds": window_seconds})}
    return _run(
        TRIAGE,
        inventories,
        keep_environment,
        quiet,
        as_json,
        limit=limit,
        mode="check" if check else "act",
        variables={**asked, **_variables(variables)},
        # From an alert, and so no template whatever is in it.
        texts={"triage_alert": alert} if alert else {},
        timeout_seconds=timeout_seconds,
    )


def _run(
    runbook: str,
    inventories: tuple[str, ...],
    keep_environment: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Run it to its end, show what came of it, and give the exit code."""
    cancel = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # With nohup, a hang-up is meant to be ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: cancel.set())
    progress = display.Progress(quiet)
    result = Runbooks(inventories, keep_environment).run(runbook, on_progress=progress, cancel=cancel, **options)
    progress.clear()
    if as_json:
        display.document(result.to_dict())
    else:
        display.result(result, inventories)
    return result.exit_code


def _variables(given: tuple[str, ...]) -> dict[str, Any]:
    """Extra vars. A value after ``=`` stays text: 1e3 and None are what somebody typed."""
    found: dict[str, Any] = {}
    for text in given:
        if text.startswith("@"):
            found.update(_mapping_of(text[1:]))
            continue
        if text.lstrip().startswith("{"):
            try:
                found.update(json.loads(text))
            except ValueError as error:
                raise OncallError(f"-e {text[:60]!r} is no JSON object: {error}") from None
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise OncallError(f"-e {text[:60]!r} is neither name=value nor a JSON object")
        found[name] = value
    return found


def _mapping_of(file: str) -> dict[str, Any]:
    """The variables in a file of YAML or JSON."""
    try:
        with open(file, encoding="utf-8") as stream:
            told = yaml.safe_load(stream)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise OncallError(f"-e @{file}: {display.shown(error)}") from None
    if not isinstance(told, dict) or not all(isinstance(name, str) for name in told):
        raise OncallError(f"-e @{file}: no mapping of names to values")
    return told


def _hashes_of(file: str) -> list[str]:
    """The hashes of all plans in a result."""
    try:
        with open(file, encoding="utf-8") as stream:
            told = json.load(stream)
        plans = [run["plan"] for host in told["hosts"] for run in host["runs"]]
        found = [plan["hash"] for plan in plans if any(step["available"] for step in plan["steps"])]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise OncallError(f"{file} is no plan that --check --json wrote: {error}") from None
    if not found:
        raise OncallError(f"{file} holds no plan that can be acted on")
    return found

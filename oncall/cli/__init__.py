# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``oncall``."""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click
import yaml

from .. import catalog, records
from ..api import Runbooks
from ..errors import OncallError
from ..results import EXIT_CODES, FAULT, NOT_BEGUN
from . import display
from . import serve as cli_serve

CODES = ", ".join(f"{code} {outcome}" for outcome, code in EXIT_CODES.items())
EXIT_CODES_HELP = (
    f"Exit codes: {CODES}; 64 nothing was begun, 70 a fault of oncall itself, 124 timed out, 130 canceled."
)


class _Command(click.Group):
    """Bad input ends with 64, as the manual says, and not with click's 2, which is one of ansible-playbook's."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        try:
            named["standalone_mode"] = False
            code = super().main(*arguments, **named)
        except click.ClickException as error:
            error.show()
            sys.exit(NOT_BEGUN)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = display.shown(f"{type(error).__name__}: {error}", 500)
            at = f"{Path(where.filename).name}:{where.lineno}"
            click.echo(f"Error: {what} ({at}); this is a fault of oncall itself, please report it", err=True)
            sys.exit(FAULT)
        sys.exit(code if isinstance(code, int) else 0)


def _one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def command(**options: Any) -> Any:
        try:
            return function(**options)
        except OncallError as error:
            raise click.ClickException(display.shown(error)) from None

    return command


def _complete_runbook(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in catalog.runbooks() if name.startswith(incomplete)]


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
RUNBOOK = click.argument("runbook", shell_complete=_complete_runbook)
HOST = click.argument("host")
INVENTORY = click.option(
    "-i",
    "--inventory",
    "inventories",
    multiple=True,
    required=True,
    help="A file, a folder, or hosts with a comma at the end.",
)
KEEP = click.option(
    "--keep-env",
    "keep_environment",
    multiple=True,
    metavar="NAME",
    help="An environment variable that the play may see.",
)


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oncall-runbooks", prog_name="oncall")
def main() -> None:
    """Incident runbooks that diagnose, fix, verify, roll back and record.

    \b
    oncall list
    oncall run db_pool -i inventories/mine --diagnose
    oncall run db_pool -i inventories/mine --check
    oncall run db_pool -i inventories/mine --limit shop --approve p0123456789abcde

    Completion: eval "$(_ONCALL_COMPLETE=bash_source oncall)", or zsh_source, fish_source.
    """


@main.command("list")
@AS_JSON
@_one_line
def list_(as_json: bool) -> None:
    """The runbooks there are.

    \b
    oncall list --json
    """
    found = [*catalog.runbooks().values()]
    if as_json:
        display.document([_as_document(one) for one in found])
    else:
        display.runbooks(found)


@main.command()
@RUNBOOK
@AS_JSON
@_one_line
def describe(runbook: str, as_json: bool) -> None:
    """What RUNBOOK looks for, does and can be told.

    \b
    oncall describe db_pool
    """
    found = catalog.find(runbook)
    if as_json:
        display.document(_as_document(found))
    else:
        display.runbook(found)


@main.command(epilog=EXIT_CODES_HELP)
@RUNBOOK
@INVENTORY
@click.option("-l", "--limit", default="", help="Only these hosts, a pattern as for ansible-playbook.")
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
@click.option(
    "-e",
    "--extra-vars",
    "variables",
    multiple=True,
    metavar="K=V",
    help="A variable; also a JSON object, or @ and a file.",
)
@KEEP
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which the run is killed.",
)
@click.option("-q", "--quiet", is_flag=True, help="No lines about what goes on.")
@AS_JSON
@_one_line
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
    cancel = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # With nohup, a hang-up is meant to be ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: cancel.set())
    progress = display.Progress(quiet)
    result = Runbooks(inventories, keep_environment).run(
        runbook,
        limit=limit,
        mode=next(iter(modes), "act"),
        approve=approved,
        variables=_variables(variables),
        timeout_seconds=timeout_seconds,
        on_progress=progress,
        cancel=cancel,
    )
    progress.clear()
    if as_json:
        display.document(result.to_dict())
    else:
        display.result(result, inventories)
    return result.exit_code


@main.command()
@click.option("-n", "--count", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@AS_JSON
@_one_line
def runs(count: int, as_json: bool) -> None:
    """The last runs, the newest first.

    \b
    oncall runs -n 5
    oncall runs --json
    """
    found = [*records.recent(count)]
    if as_json:
        display.document(found)
        return
    lines = []
    for record in found:
        if "problem" in record:
            lines.append((record["id"], "", "", "", record["problem"]))
        for one in record["runs"]:
            at = display.when(one["started_at"])
            lines.append((record["id"], at, one["runbook"], one["host"], f"{one['outcome']}: {one['summary']}"))
    display.rows(("RUN", "STARTED", "RUNBOOK", "HOST", "OUTCOME"), lines)


@main.command()
@click.argument("run_id", metavar="RUN")
@AS_JSON
@_one_line
def show(run_id: str, as_json: bool) -> None:
    """The record of RUN, by its id or the beginning of it.

    \b
    oncall show 0d5afce3
    """
    record = records.find(run_id)
    if as_json:
        display.document(record)
        return
    with open(record["file"].removesuffix(".json") + ".md", encoding="utf-8") as file:
        click.echo(file.read())


@main.command()
@HOST
@INVENTORY
@KEEP
@click.option("--reason", required=True, help="For whoever finds the hold.")
@_one_line
def hold(host: str, inventories: tuple[str, ...], keep_environment: tuple[str, ...], reason: str) -> None:
    """Keep all remedies away from HOST until it is released.

    \b
    oncall hold shop -i inventories/mine --reason "migration until 4"
    """
    Runbooks(inventories, keep_environment).hold(host, reason)
    click.echo(f"{host} is held: {display.shown(reason)}")


@main.command()
@HOST
@INVENTORY
@KEEP
@click.option(
    "--run",
    "run_id",
    default="",
    metavar="RUN",
    help="Free what this run, which never ended, holds; else lift the holds.",
)
@_one_line
def release(host: str, inventories: tuple[str, ...], keep_environment: tuple[str, ...], run_id: str) -> None:
    """Let remedies back to HOST.

    \b
    oncall release shop -i inventories/mine
    oncall release shop -i inventories/mine --run 0b5c8c1e
    """
    Runbooks(inventories, keep_environment).release(host, run_id)
    click.echo(f"{host} is released")


@main.command()
@HOST
@INVENTORY
@KEEP
@AS_JSON
@_one_line
def ledger(host: str, inventories: tuple[str, ...], keep_environment: tuple[str, ...], as_json: bool) -> None:
    """What is held on HOST, which runs act or never said how they ended, and what the last ones did.

    \b
    oncall ledger shop -i inventories/mine
    """
    told = Runbooks(inventories, keep_environment).ledger(host)
    if as_json:
        display.document(told)
    else:
        display.ledger(told)


def _as_document(one: catalog.Runbook) -> dict[str, Any]:
    return {**asdict(one), "playbook": str(one.playbook)}


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


for command in cli_serve.commands(_one_line, AS_JSON):
    main.add_command(command)

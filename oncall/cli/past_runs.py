# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of past runs."""

from __future__ import annotations

import click

from .. import records
from . import display
from .frame import AS_JSON, one_line


@click.command()
@click.option("-n", "--count", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@AS_JSON
@one_line
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
        for one in record.get("snapshots") or ():
            at = display.when(record["started_at"])
            lines.append((record["id"], at, "snapshot", one["host"], one["summary"]))
    display.rows(("RUN", "STARTED", "RUNBOOK", "HOST", "OUTCOME"), lines)


@click.command()
@click.argument("run_id", metavar="RUN")
@AS_JSON
@one_line
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

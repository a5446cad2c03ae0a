# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of a host: hold it, release it, read it."""

from __future__ import annotations

import click

from ..api import Runbooks
from . import display
from .frame import AS_JSON, HOST, INVENTORY, KEEP, one_line


@click.command()
@HOST
@INVENTORY
@KEEP
@click.option("--reason", required=True, help="Why; people read it where they meet the hold.")
@one_line
def hold(host: str, inventories: tuple[str, ...], keep_environment: tuple[str, ...], reason: str) -> None:
    """Keep all remedies away from HOST until it is released.

    \b
    oncall hold shop -i inventories/mine --reason "migration until 4"
    """
    Runbooks(inventories, keep_environment).hold(host, reason)
    click.echo(f"{host} is held: {display.shown(reason)}")


@click.command()
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
@one_line
def release(host: str, inventories: tuple[str, ...], keep_environment: tuple[str, ...], run_id: str) -> None:
    """Let remedies back to HOST.

    \b
    oncall release shop -i inventories/mine
    oncall release shop -i inventories/mine --run 0b5c8c1e
    """
    Runbooks(inventories, keep_environment).release(host, run_id)
    click.echo(f"{host} is released")


@click.command()
@HOST
@INVENTORY
@KEEP
@AS_JSON
@one_line
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

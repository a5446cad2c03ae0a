# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pauses all that alerts begin."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import OncallError
from .frame import CONFIG, one_line, open_store, user


@click.command()
@CONFIG
@click.option("--reason", required=True, help="Why; oncall episodes shows it.")
@one_line
def pause(config: Path, reason: str) -> None:
    """Begin no run until `oncall resume`. Alerts are still taken.

    \b
    oncall pause --reason "storage is moved"
    """
    with open_store(config) as store:
        store.set("paused", f"{reason} ({user()})")
    click.echo("paused")


@click.command()
@CONFIG
@one_line
def resume(config: Path) -> None:
    """Begin runs again.

    \b
    oncall resume
    """
    with open_store(config) as store:
        if not store.unset("paused"):
            raise OncallError("nothing is paused by command; if it is by a file, remove the file")
    click.echo("resumed")

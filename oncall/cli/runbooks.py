# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbooks there are, and one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from .. import catalog
from . import display
from .frame import AS_JSON, RUNBOOK, one_line


@click.command("list")
@AS_JSON
@one_line
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


@click.command()
@RUNBOOK
@AS_JSON
@one_line
def describe(runbook: str, as_json: bool) -> None:
    """What RUNBOOK looks for, does and takes.

    \b
    oncall describe db_pool
    """
    found = catalog.find(runbook)
    if as_json:
        display.document(_as_document(found))
    else:
        display.runbook(found)


def _as_document(one: catalog.Runbook) -> dict[str, Any]:
    return {**asdict(one), "playbook": str(one.playbook)}

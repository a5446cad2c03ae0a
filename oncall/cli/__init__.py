# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``oncall``."""

from __future__ import annotations

import click

from . import episodes, incident, ledger, past_runs, pause, run, runbooks, serve
from .frame import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oncall-runbooks", prog_name="oncall")
def main() -> None:
    """Incident runbooks that diagnose, fix, verify, roll back and record.

    \b
    oncall triage -i inventories/mine
    oncall run db_pool -i inventories/mine --diagnose
    oncall run db_pool -i inventories/mine --check
    oncall run db_pool -i inventories/mine --limit shop --approve p0123456789abcde
    oncall incident open "checkout is down" --system shop

    Completion: eval "$(_ONCALL_COMPLETE=bash_source oncall)", or zsh_source, fish_source.
    """


for command in (
    runbooks.list_, runbooks.describe, run.triage, run.run, past_runs.runs, past_runs.show, ledger.hold, ledger.release, ledger.ledger,
    serve.serve, episodes.episodes, episodes.episode, episodes.approve, episodes.reject, episodes.cancel, pause.pause, pause.resume,
    episodes.quarantine, episodes.proven, incident.incident,
):  # fmt: skip
    main.add_command(command)

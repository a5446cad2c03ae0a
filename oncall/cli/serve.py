# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the service that takes alerts."""

from __future__ import annotations

from pathlib import Path

import click

from .frame import CONFIG, one_line


@click.command()
@CONFIG
@click.option("--check", "only_check", is_flag=True, help="Only say what a start would find and do.")
@one_line
def serve(config: Path, only_check: bool) -> None:
    """Take alerts from Alertmanager and run their runbooks.

    \b
    oncall serve -c serve.yml --check
    oncall serve -c serve.yml

    SIGHUP reads the settings again; SIGTERM lets runs in progress end first.
    """
    from ..serve.checks import check
    from ..serve.service import Service

    if only_check:
        for line in check(config):
            click.echo(line)
    else:
        Service(config).run()

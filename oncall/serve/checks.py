# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start would find, without one."""

from __future__ import annotations

import time
from pathlib import Path

from .. import trust
from ..errors import OncallError
from ..incidents.teams import Feeds, read_teams, trouble_of
from ..inventory import Names
from ..shared import counted
from .hosts import Inventory
from .intake.server import tls_of
from .intake.tokens import Tokens
from .play.awx import AwxExecutor
from .settings import Page, Settings, load, secret
from .store import schema
from .store.engine import check_sqlite, sqlite_url
from .store.written import check_before_start

# Of what is wrong with teams, that is said at once.
MOST_TROUBLE = 5


def trusted(file: Path) -> Settings:
    """The settings, which nobody else may have a say in: Ansible takes their variables for templates, which run commands."""
    settings = load(file)
    trust.check("settings", file.expanduser().absolute())
    return settings


def check(file: Path) -> list[str]:
    """What a start would find, and what it would do, in lines; changes nothing.

    Raises:
        OncallError: it could not be started; one line that says what to do.
    """
    settings = trusted(file)
    names = Inventory(settings, file).names(False)
    if settings.tokens_file:
        Tokens(settings.tokens_file)
    if settings.page is not None:
        _page(settings.page)
    tls_of(settings)
    check_sqlite(settings.database)
    if not settings.database:
        trust.check("state_directory", settings.state_directory, beside=True)
        check_before_start(settings.state_directory)
    if settings.executor == "awx":
        AwxExecutor(settings).check(file)
    told = [] if settings.incidents is None else _teams(settings, names)
    migration = schema.look(settings.database or sqlite_url(settings.state_directory))
    return [
        f"{file} is right; runbooks: {len(settings.runbooks)}, hosts: {len(names.hosts)}",
        *told,
        str(migration),
    ]


def _page(page: Page) -> None:
    """OncallError where nobody could sign in by OpenID Connect."""
    if page.openid is not None and page.openid.client_secret_file:
        secret(page.openid.client_secret_file)


def _teams(settings: Settings, names: Names) -> list[str]:
    """What is known of whom incidents tell; OncallError where somebody would be surprised at night."""
    systems = settings.incidents.systems if settings.incidents else {}
    read = read_teams(settings.inventories, systems, names, settings.keep_environment)
    feeds = Feeds()
    teams, trouble = [], [*read.trouble]
    for team in read.teams.values():
        fed, more = feeds.read(team, time.time())
        teams.append(fed)
        trouble += more
    told = [team for team in teams if team.is_told]
    trouble += trouble_of(told, time.time())
    if trouble:
        shown = "; ".join(trouble[:MOST_TROUBLE])
        more_of_it = f"; and {len(trouble) - MOST_TROUBLE} more" if len(trouble) > MOST_TROUBLE else ""
        raise OncallError(f"{shown}{more_of_it}")
    untold = [system for system in systems if system not in {team.system for team in told}]
    lines = [
        f"incidents of {team.system}: {counted(len(team.policy.steps), 'step')}, {counted(len(team.tell.channels), 'channel')}"
        for team in told
    ]
    return lines + [f"incidents of {system}: its inventory says of nobody who is to be told" for system in untold]

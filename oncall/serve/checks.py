# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start would find, without one."""

from __future__ import annotations

from pathlib import Path

from .. import trust
from .hosts import Inventory
from .intake.server import tls_of
from .intake.tokens import Tokens
from .play.awx import AwxExecutor
from .settings import Settings, load
from .store import schema
from .store.engine import check_sqlite, sqlite_url
from .store.written import check_before_start


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
    tls_of(settings)
    check_sqlite(settings.database)
    if not settings.database:
        trust.check("state_directory", settings.state_directory, beside=True)
        check_before_start(settings.state_directory)
    if settings.executor == "awx":
        AwxExecutor(settings).check(file)
    migration = schema.look(settings.database or sqlite_url(settings.state_directory))
    return [
        f"{file} is right; runbooks: {len(settings.runbooks)}, hosts: {len(names.hosts)}",
        str(migration),
    ]

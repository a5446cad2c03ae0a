# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands share: how they end, and the options that several of them have."""

from __future__ import annotations

import getpass
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import catalog
from ..errors import OncallError, of_database
from ..results import EXIT_CODES, FAULT, NOT_BEGUN
from . import display

if TYPE_CHECKING:
    from ..incidents.books import Incidents
    from ..incidents.store.timeline import IncidentStore
    from ..serve.decide.plans import Plans
    from ..serve.settings import Settings
    from ..serve.store.statements import Store

CODES = ", ".join(f"{code} {outcome}" for outcome, code in EXIT_CODES.items())
EXIT_CODES_HELP = (
    f"Exit codes: {CODES}; 64 nothing was begun, 70 a fault of oncall itself, 124 timed out, 130 canceled."
)


class Commands(click.Group):
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


def one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def command(**options: Any) -> Any:
        try:
            return function(**options)
        except OncallError as error:
            raise click.ClickException(display.shown(error)) from None
        except Exception as error:
            if why := _of_the_database(error):
                raise click.ClickException(display.shown(why, 500)) from None
            raise

    return command


def _of_the_database(error: Exception) -> str:
    """What a database that does not do it says, and what to do; "" where the error is not the database's."""
    known = sys.modules.get("sqlalchemy.exc")
    if known is None or not isinstance(error, (known.DatabaseError, known.TimeoutError)):
        return ""
    # A statement that is wrong is a fault of the program.
    if isinstance(error, (known.ProgrammingError, known.IntegrityError, known.DataError, known.NotSupportedError)):
        return ""
    return f"the database does not do it: {of_database(error)}; then do it again"


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
CONFIG = click.option(
    "-c",
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="ONCALL_CONFIG",
    default="/etc/oncall/serve.yml",
    show_default=True,
    show_envvar=True,
    help="The settings of the service.",
)
COUNT = click.option("-n", "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")


def user() -> str:
    """Who says so; in a container, a number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def open_store(config: Path) -> Iterator[Store]:
    from ..serve.settings import load

    with _opened(load(config)) as store:
        yield store


@contextmanager
def open_plans(config: Path) -> Iterator[Plans]:
    """The plans that wait for a person, with the incidents that they are of."""
    from ..incidents.store.timeline import IncidentStore
    from ..serve.decide.plans import Plans
    from ..serve.settings import load

    settings = load(config)
    with _opened(settings) as store:
        below = IncidentStore.beside(store)
        yield Plans(store, below, lambda: books(below, settings.state_directory))


def books(store: IncidentStore, state_directory: str, systems: Iterable[str] = ()) -> Incidents:
    """The incidents, with what the service has read of teams. ``systems``: those that the settings name."""
    from ..incidents.books import Incidents
    from ..incidents.store.heads import Heads
    from ..incidents.team import known_of, rules_of

    rules = rules_of(known_of(store.controls()))
    return Incidents(store, Heads(state_directory), replace(rules, systems=sorted({*rules.systems, *systems})))


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    from ..serve.store.engine import FILE, sqlite_url
    from ..serve.store.statements import Store

    file = Path(settings.state_directory, FILE)
    # One made here would be another one than that of a service whose database somebody removed.
    if not settings.database and not file.is_file():
        raise OncallError(f"there is no {file}: oncall serve makes it, with the same settings")
    store = Store(settings.database or sqlite_url(settings.state_directory))
    try:
        yield store
    finally:
        store.close()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands of incidents have in common: their group, their options, the database, and what each prints."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OncallError
from .. import display
from ..frame import AS_JSON, CONFIG, books, one_line

if TYPE_CHECKING:
    from ...incidents.books import Done, Incidents

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NAME = click.argument("incident", metavar="INCIDENT")


class _Folder(click.Path):
    """A folder that has a name: an empty one, such as of a variable that is not set, is not the folder where somebody happens to be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail("it is empty; name a folder", param, ctx)
        return super().convert(value, param, ctx)


STATE_FOLDER = click.option(
    "--state-directory",
    "state_directory",
    type=_Folder(file_okay=False, path_type=Path),
    envvar="ONCALL_STATE_DIRECTORY",
    show_envvar=True,
    help="Where there is no service: a folder for the database, which is made. Instead of --config.",
)


class _Duration(click.ParamType):
    """Seconds, out of ``30m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if not found:
            self.fail(f"{display.shown(value, 40)!r} is no duration; say 90s, 30m, 2h or 3d", param, ctx)
        return float(found[1]) * UNITS[found[2]]


class _Moment(click.ParamType):
    """A time, out of RFC 3339 with a zone or of a duration from now."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if re.fullmatch(r"[0-9]{1,6}[smhd]", str(value)):
            return time.time() + DURATION.convert(value, param, ctx)
        try:
            told = datetime.fromisoformat(str(value))
            if told.tzinfo is not None:
                return told.timestamp()
        except (ValueError, OverflowError):
            pass
        return self.fail(
            f"{display.shown(value, 40)!r} is no time; say 30m or 2h, or 2026-01-01T02:00:00Z with a zone", param, ctx
        )


DURATION, MOMENT = _Duration(), _Moment()
RECORDS = click.option(
    "--records",
    "records",
    type=_Folder(file_okay=False, path_type=Path),
    help="A folder of records, as the role incident writes it, instead of the database.",
)
AGO = click.option("--ago", type=DURATION, default="0s", help="It happened so long ago, such as 10m.")


@contextmanager
def open_incidents(config: Path, state_directory: Path | None) -> Iterator[Incidents]:
    from ...incidents.store.timeline import IncidentStore
    from ...serve.settings import load
    from ...serve.store.engine import FILE, sqlite_url

    systems: Iterable[str] = ()
    if state_directory is not None:
        folder, database = str(state_directory.expanduser().absolute()), ""
        _make(folder)
    else:
        if not config.expanduser().exists():
            raise OncallError(
                f"there are no settings {config}; name those of the service with -c or ONCALL_CONFIG,"
                " or, without a service, a folder with --state-directory"
            )
        settings = load(config)
        folder, database = settings.state_directory, settings.database
        systems = settings.incidents.systems if settings.incidents else ()
        if not database and not Path(folder, FILE).is_file():
            raise OncallError(
                f"there is no {Path(folder, FILE)}: oncall serve makes it, with the same settings;"
                " without a service, name a folder with --state-directory"
            )
    store = IncidentStore(database or sqlite_url(folder))
    try:
        yield books(store, folder, systems)
    finally:
        store.close()


def _make(folder: str) -> None:
    """The database in a folder that may have no service: made where there is none, and brought to the version of this program."""
    from ...incidents.store.heads import FOLDER, kept_in
    from ...serve.store import schema
    from ...serve.store.engine import FILE, url_of
    from ...serve.store.nodes import Alone
    from ...serve.store.written import check_before_start

    # Not in the place of one that somebody removed.
    check_before_start(folder)
    file = Path(folder, FILE)
    if not file.exists() and (left := kept_in(folder)):
        raise OncallError(
            f"there is no {file}, and {file.with_name(FOLDER)} names {len(left)} incidents of it; put back a copy of it,"
            f" or move {FOLDER} away to begin anew without them"
        )
    url = url_of("", folder)
    migration = schema.look(url)
    # What a running service has open is its own to migrate.
    alone = Alone(folder) if migration.changes_tables else None
    try:
        if migration.is_needed:
            schema.migrate(url)
    finally:
        if alone is not None:
            alone.close()


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """What each of these commands has."""
    for decorate in (one_line, AS_JSON, STATE_FOLDER, CONFIG):
        function = decorate(function)
    return function


@click.group()
def incident() -> None:
    """Incidents: open one, say who sees to it and what was done, and read what happened.

    \b
    oncall incident open "checkout is down" --system shop --severity P1
    oncall incident ack 12
    oncall incident list --state open
    oncall incident timeline INC-12
    """


def done(done: Done, as_json: bool) -> None:
    """What a command did, or that it was so already."""
    if as_json:
        display.document(done.to_dict())
        return
    one = done.incident
    if done.warning:
        click.echo(f"warning: {display.shown(done.warning, 300)}", err=True)
    if not done.entries:
        by = f" by {display.shown(one.acknowledged_by)}" if one.state == "acknowledged" else ""
        click.echo(f"{one.name}: nothing to do; it is so already ({one.state}{by})")
    for entry in done.entries:
        click.echo(f"{one.name} {entry.number}: {display.shown(entry.words, 300)}")


def text_of(text: str) -> str:
    """What was typed, or with ``-`` what comes on standard input."""
    return sys.stdin.read(2_000_000) if text == "-" else text

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents. These commands work on the database of the service, whether it runs or not, or on a folder where there is no service."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OncallError
from ..results import EXIT_CODES, Outcome
from . import display
from .frame import AS_JSON, CONFIG, books, one_line, user

if TYPE_CHECKING:
    from ..incidents.books import Done, Incidents
    from ..incidents.entries import Verdict
    from ..incidents.folder import Folder
    from ..incidents.record import Incident
    from ..incidents.stats import Group

STATES = ("open", "triggered", "acknowledged", "mitigated", "resolved", "closed", "merged", "cancelled")
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
    from ..incidents.store.timeline import IncidentStore
    from ..serve.settings import load
    from ..serve.store.engine import FILE, sqlite_url

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
        if not database and not Path(folder, FILE).is_file():
            raise OncallError(
                f"there is no {Path(folder, FILE)}: oncall serve makes it, with the same settings;"
                " without a service, name a folder with --state-directory"
            )
    store = IncidentStore(database or sqlite_url(folder))
    try:
        yield books(store, folder)
    finally:
        store.close()


def _make(folder: str) -> None:
    """The database in a folder that may have no service: made where there is none, and brought to the version of this program."""
    from ..incidents.store.heads import FOLDER, kept_in
    from ..serve.store import schema
    from ..serve.store.engine import FILE, url_of
    from ..serve.store.nodes import Alone
    from ..serve.store.written import check_before_start

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


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
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


def _done(done: Done, as_json: bool) -> None:
    """What a command did, or that it was so already."""
    if as_json:
        display.document(done.to_dict())
        return
    one = done.incident
    if not done.entries:
        by = f" by {display.shown(one.acknowledged_by)}" if one.state == "acknowledged" else ""
        click.echo(f"{one.name}: nothing to do; it is so already ({one.state}{by})")
    for entry in done.entries:
        click.echo(f"{one.name} {entry.number}: {display.shown(entry.words, 300)}")


def _text(text: str) -> str:
    """What was typed, or with ``-`` what comes on standard input."""
    return sys.stdin.read(2_000_000) if text == "-" else text


@incident.command("open")
@click.argument("title")
@click.option("--system", default="", help="What is affected, as its team calls it.")
@click.option("--severity", default="", help="How bad it is, in the scheme of the system.")
@click.option("--scheme", default="", help="Whose severities these are.")
@click.option("--runbook", default="", help="The runbook that it is about.")
@click.option("--again", default="", metavar="INCIDENT", help="The closed one that this is a repeat of.")
@AGO
@_command
def open_(config: Path, state_directory: Path | None, title: str, ago: float, as_json: bool, **more: Any) -> None:
    """Open an incident: say in a few words what is wrong.

    \b
    oncall incident open "checkout is down" --system shop --severity P1
    oncall incident open "checkout is down" --again INC-12
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.open(title, who=user(), at=time.time() - ago, **more), as_json)


@incident.command()
@NAME
@AGO
@_command
def ack(config: Path, state_directory: Path | None, incident: str, ago: float, as_json: bool) -> None:
    """Say that you see to INCIDENT. Nobody is asked any more; of one that is resolved, it is a note.

    \b
    oncall incident ack 12
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.acknowledge(incident, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("to", metavar="PERSON", default="")
@_command
def assign(config: Path, state_directory: Path | None, incident: str, to: str, as_json: bool) -> None:
    """Say whose INCIDENT is; without a PERSON, nobody's.

    \b
    oncall incident assign 12 ann
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.assign(incident, to, who=user()), as_json)


@incident.command()
@NAME
@click.argument("role", type=click.Choice(["commander", "scribe", "liaison", "responder"]))
@click.argument("to", metavar="PERSON", default="")
@_command
def role(config: Path, state_directory: Path | None, incident: str, role: str, to: str, as_json: bool) -> None:
    """Say who has a role; without a PERSON, nobody.

    \b
    oncall incident role 12 commander ann
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.role(incident, role, to, who=user()), as_json)


@incident.command()
@NAME
@click.argument("text")
@click.option("--part", default="", help="The part or the question of the post-mortem that it answers, such as whys.")
@AGO
@_command
def note(
    config: Path, state_directory: Path | None, incident: str, text: str, part: str, ago: float, as_json: bool
) -> None:
    """Write TEXT into the timeline; - reads it from standard input.

    \b
    oncall incident note 12 "the provider says 20 minutes"
    oncall incident note 12 "the pool was never measured" --part whys
    journalctl -u shop -n 50 | oncall incident note 12 -
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.note(incident, _text(text), who=user(), at=time.time() - ago, part=part), as_json)


@incident.command()
@NAME
@click.argument("to", metavar="SEVERITY")
@click.option("--why", default="", help="Why; people read it in the timeline.")
@click.option("--scheme", default="", help="Whose severities these are, where it is another scheme.")
@_command
def severity(
    config: Path, state_directory: Path | None, incident: str, to: str, why: str, scheme: str, as_json: bool
) -> None:
    """Say how bad INCIDENT is. What a person says stays, whatever is proposed; both are kept.

    \b
    oncall incident severity 12 P0 --why "all users"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.severity(incident, to, who=user(), why=why, scheme=scheme), as_json)


@incident.command()
@NAME
@click.argument("how")
@AGO
@_command
def mitigate(config: Path, state_directory: Path | None, incident: str, how: str, ago: float, as_json: bool) -> None:
    """Say HOW users are served again, though the cause may still be there.

    \b
    oncall incident mitigate 12 "rolled back to 1.4.2"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.mitigate(incident, how, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("conditions")
@click.option("--actions", default="", help="What is being done.")
@click.option("--needs", default="", help="What is needed.")
@click.option("--next", "next_update_at", type=MOMENT, help="When the next update is: 30m, or a time with a zone.")
@click.option("--customers", is_flag=True, help="It is for customers.")
@_command
def update(
    config: Path, state_directory: Path | None, incident: str, conditions: str, as_json: bool, **more: Any
) -> None:
    """Say how things are, for those who are not in it.

    \b
    oncall incident update 12 "half of the logins fail" --actions "key is renewed" --next 30m
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.update(incident, _text(conditions), who=user(), **more), as_json)


@incident.command()
@NAME
@click.argument("targets", metavar="[PERSON]...", nargs=-1)
@click.option("--by", "situation", default="", help="The situation, or the step of its policy, that says whom.")
@click.option("--tried", default="", help="What was tried.")
@click.option("--need", default="", help="What is needed of them.")
@_command
def escalate(
    config: Path,
    state_directory: Path | None,
    incident: str,
    targets: tuple[str, ...],
    situation: str,
    tried: str,
    need: str,
    as_json: bool,
) -> None:
    """Say who else is asked: people or roles, or those whom the policy names for a situation.

    \b
    oncall incident escalate 12 "team lead" --tried "restart" --need "a decision on the failover"
    oncall incident escalate 12 --by "Security breach"
    """
    with open_incidents(config, state_directory) as incidents:
        if situation:
            if targets:
                raise OncallError("name people, or a situation, and not both")
            _done(incidents.escalate_by(incident, situation, who=user(), tried=tried, need=need), as_json)
            return
        _done(incidents.escalate(incident, targets, who=user(), tried=tried, need=need), as_json)


@incident.command()
@NAME
@click.argument("until", type=MOMENT)
@click.option("--why", required=True, help="Why nobody should be asked meanwhile.")
@_command
def snooze(config: Path, state_directory: Path | None, incident: str, until: float, why: str, as_json: bool) -> None:
    """Ask nobody about INCIDENT until then, at most for 7 days.

    \b
    oncall incident snooze 12 2h --why "the provider works on it"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.snooze(incident, until, why, who=user()), as_json)


@incident.command()
@NAME
@click.argument("into", metavar="OTHER")
@_command
def merge(config: Path, state_directory: Path | None, incident: str, into: str, as_json: bool) -> None:
    """Say that INCIDENT is the same as OTHER, which goes on. INCIDENT points to it, and its timers stop.

    \b
    oncall incident merge 13 12
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.merge(incident, into, who=user()), as_json)


@incident.command()
@NAME
@click.argument("how")
@AGO
@_command
def resolve(config: Path, state_directory: Path | None, incident: str, how: str, ago: float, as_json: bool) -> None:
    """Say HOW it came to an end.

    \b
    oncall incident resolve 12 "the pool is larger"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.resolve(incident, how, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("why")
@_command
def reopen(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Say WHY it is not over after all. One that is closed stays so: open another one with --again.

    \b
    oncall incident reopen 12 "it is slow again"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.reopen(incident, why, who=user()), as_json)


@incident.command()
@NAME
@click.option("--why", default="", help="Why a post-mortem or action items are left undone.")
@_command
def close(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Close INCIDENT, which is resolved. It never changes again.

    \b
    oncall incident close 12
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.close(incident, who=user(), why=why), as_json)


@incident.command()
@NAME
@click.argument("why")
@_command
def cancel(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Say WHY it never was an incident.

    \b
    oncall incident cancel 12 "a drill"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.cancel(incident, why, who=user()), as_json)


@incident.command()
@NAME
@click.argument("checklist")
@click.argument("step")
@click.option("--undo", is_flag=True, help="It is not done after all.")
@_command
def step(
    config: Path, state_directory: Path | None, incident: str, checklist: str, step: str, undo: bool, as_json: bool
) -> None:
    """Tick a STEP of a CHECKLIST.

    \b
    oncall incident step 12 respond "status page updated"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.step(incident, checklist, step, who=user(), done=not undo), as_json)


@incident.command()
@NAME
@click.argument("number", type=int)
@click.option("--undo", is_flag=True, help="Unpin it.")
@_command
def pin(config: Path, state_directory: Path | None, incident: str, number: int, undo: bool, as_json: bool) -> None:
    """Pin the entry with a NUMBER, so that everybody sees it.

    \b
    oncall incident pin 12 7
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.pin(incident, number, who=user(), pinned=not undo), as_json)


@incident.command()
@NAME
@click.argument("other")
@click.option("--why", default="", help="What they have to do with each other.")
@_command
def link(config: Path, state_directory: Path | None, incident: str, other: str, why: str, as_json: bool) -> None:
    """Link INCIDENT to an OTHER one.

    \b
    oncall incident link 12 9 --why "the same key"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.link(incident, other, who=user(), why=why), as_json)


@incident.command()
@NAME
@click.argument("number", type=int)
@click.argument("text")
@_command
def correct(config: Path, state_directory: Path | None, incident: str, number: int, text: str, as_json: bool) -> None:
    """Say what is right instead of the entry with a NUMBER, which stays as it is.

    \b
    oncall incident correct 12 7 "it was the other node"
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.correct(incident, number, _text(text), who=user()), as_json)


@incident.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--to", "to", default="", metavar="INCIDENT", help="To this one; else to that of its host at that time.")
@click.option("--open", "is_opened", is_flag=True, help="Open one where there is none, and something was wrong.")
@_command
def attach(
    config: Path, state_directory: Path | None, runs: tuple[str, ...], to: str, is_opened: bool, as_json: bool
) -> None:
    """Bring records of runs that nobody began through the service to their incidents: those of RUN, or the last 50.

    \b
    oncall incident attach
    oncall incident attach 0d5afce3 --to 12
    """
    from .. import records
    from ..incidents.attach import Attaching, Where

    if to and not runs:
        raise OncallError("say which runs belong to it; list them with: oncall runs")
    # The oldest first, as they happened.
    found = [records.find(run) for run in runs] or [*records.recent(50)][::-1]
    with open_incidents(config, state_directory) as incidents:
        attaching = Attaching(incidents, incidents.store, Where)
        done = [attaching.record(one, to, is_opened) for one in found]
    told = [
        {"run": one["id"], "incident": end.incident.name if end else "", "entries": len(end.entries) if end else 0}
        for one, end in zip(found, done, strict=True)
    ]
    if as_json:
        display.document(told)
        return
    for row in told:
        if row["incident"]:
            click.echo(f"run {row['run']} is of {row['incident']} now: {row['entries']} entries")
    left = sum(not row["incident"] for row in told)
    click.echo(f"{left} of {len(told)} runs are of no incident, or were of one already")


# ---------------------------------------------------------------------- reading
FILTERS = (
    click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only those in this state."),
    click.option("--system", default="", help="Only of this system."),
    click.option("--severity", default="", help="Only of this severity."),
    click.option("--assignee", default="", help="Only this person's."),
    click.option("--runbook", default="", help="Only those that this runbook looked at."),
    click.option("--host", default="", help="Only those on this host."),
    click.option("--search", "text", default="", help="Only those with all of these words."),
    click.option("--last", type=DURATION, help="Only those opened within this time, such as 7d."),
)


def _filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(FILTERS):
        function = decorate(function)
    return function


def _wanted(last: float | None, most: int, before: int | None = None, **filters: Any) -> Any:
    from ..incidents.store.timeline import Filter

    return Filter(**filters, since=None if last is None else time.time() - last, most=most, before=before)


@incident.command("list")
@_filtered
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--before", type=int, help="Only those that come after this number in the list, for the next page.")
@_command
def list_(
    config: Path, state_directory: Path | None, count: int, before: int | None, as_json: bool, **filters: Any
) -> None:
    """The incidents, the newest first.

    \b
    oncall incident list --state open
    oncall incident list --system shop --search "pool" --last 30d
    """
    with open_incidents(config, state_directory) as incidents:
        found = [one.to_dict() for one in incidents.listed(_wanted(most=count, before=before, **filters))]
    heads = ("INCIDENT", "OPENED", "SEVERITY", "STATE", "SYSTEM", "WHOSE", "TITLE")
    display.listing(found, as_json, heads, lambda one: (
        one["name"], display.when(one["opened_at"]), one["severity"], one["state"], one["system"], one["assignee"], one["title"],
    ))  # fmt: skip


@incident.command()
@NAME
@_command
def show(config: Path, state_directory: Path | None, incident: str, as_json: bool) -> None:
    """All that is known of INCIDENT; with --json, its timeline too.

    \b
    oncall incident show 12
    """
    with open_incidents(config, state_directory) as incidents:
        if as_json:
            display.document(incidents.document(incident))
            return
        _show(incidents.find(incident), incidents)


def _show(one: Incident, incidents: Incidents) -> None:
    times = {
        "opened": one.opened_at, "acknowledged": one.acknowledged_at, "mitigated": one.mitigated_at, "resolved": one.resolved_at,
        "closed": one.closed_at if one.state == "closed" else None, "next update": one.next_update_at, "snoozed": one.snoozed_until,
    }  # fmt: skip
    proposed = one.severity_proposed if one.severity_proposed != one.severity else ""
    said = [
        ("state", one.state),
        ("severity", one.severity + (f" (proposed: {proposed})" if proposed else "")),
        ("system", one.system),
        ("channel", one.channel),
        *((name, display.when(at)) for name, at in times.items() if at is not None),
        ("came again", str(one.reopenings) if one.reopenings else ""),
        ("whose", one.assignee),
        *((role, who) for role, who in one.roles.items()),
        ("runbooks", ", ".join(one.runbooks)),
        ("hosts", ", ".join(one.hosts)),
        ("alerts", str(one.count) if one.count else ""),
        ("merged", f"into {incidents.going_on(one.merged_into).name}" if one.merged_into else ""),
        ("review", one.postmortem.state),
    ]
    print(f"{one.name}: {display.shown(one.title)}")
    for name, what in said:
        if what:
            print(f"  {name:<12} {display.shown(what, 1000)}")
    for step in one.steps:
        print(
            f"  [{'x' if step.done else ' '}] {display.shown(step.checklist)}: {display.shown(step.step)} ({display.shown(step.who)})"
        )
    for item in one.action_items:
        print(
            f"  to do        {display.shown(item.text, 300)} ({display.shown(item.owner) or 'nobody'}{', done' if item.done else ''})"
        )
    for link in one.links:
        print(f"  see          {_name_of(incidents, link.id)} {display.shown(link.why, 300)}")
    pinned = [entry for entry in incidents.timeline(one.name) if entry.number in one.pins] if one.pins else []
    for entry in pinned:
        print(f"  pinned       {entry.number}: {display.shown(entry.words, 300)}")


def _name_of(incidents: Incidents, incident: str) -> str:
    try:
        return incidents.find(incident).name
    except OncallError:
        return display.shown(incident, 40)


@incident.command()
@NAME
@click.option("--after", type=int, default=0, help="Only what comes after the entry with this number.")
@_command
def timeline(config: Path, state_directory: Path | None, incident: str, after: int, as_json: bool) -> None:
    """What happened, from its beginning.

    \b
    oncall incident timeline 12
    """
    with open_incidents(config, state_directory) as incidents:
        entries = incidents.timeline(incident, after=after)
    found = [entry.to_dict() for entry in entries]
    heads = ("NUMBER", "AT", "WHO", "WHAT", "")
    display.listing(found, as_json, heads, lambda one: (
        one["number"], display.when(one["at"]), one["who"], one["kind"], one["words"],
    ))  # fmt: skip


@incident.command()
@click.argument("names", metavar="[INCIDENT]...", nargs=-1)
@click.option("--head", "heads", multiple=True, help="A head out of the log or of a message, of the one INCIDENT.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="A document that was exported, instead of the database."
)
@RECORDS
@_command
def verify(
    config: Path,
    state_directory: Path | None,
    names: tuple[str, ...],
    heads: tuple[str, ...],
    file: Path | None,
    records: Path | None,
    as_json: bool,
) -> int:
    """Look whether a timeline was changed, cut or reordered, and say what cannot be told. Without INCIDENT, all of them.

    Exit code 21 where something is wrong.

    \b
    oncall incident verify
    oncall incident verify 12 --head 7:9f86...:1b4f0e98:60303a...
    """
    from ..incidents import entries

    try:
        known = [entries.signed_head(one) for one in heads]
    except ValueError as error:
        raise OncallError(str(error)) from None
    if known and len(names) != 1 and file is None:
        raise OncallError("a head is of one incident; name it")
    found: list[dict[str, Any]] = []
    if records is not None:
        if known or file is not None:
            raise OncallError("of a folder of records no head is kept, and it is no file: give --records alone")
        for id_, called, verdict in _in_folder(records).verified(names):
            found.append({"id": id_, "name": called, **verdict.to_dict()})
        return _said(found, bool(names), as_json)
    with open_incidents(config, state_directory) as incidents:
        if file is not None:
            id_, called, verdict = _verified_file(file, incidents, known)
            found.append({"id": id_, "name": called, **verdict.to_dict()})
        elif names:
            for name in names:
                one, verdict = incidents.verify(name, known)
                found.append({"id": one.id, "name": one.name, **verdict.to_dict()})
        else:
            for id_, there, verdict in incidents.verify_all():
                found.append({"id": id_, "name": there.name if there else "", **verdict.to_dict()})
    return _said(found, bool(names or file), as_json)


def _said(found: list[dict[str, Any]], whole: bool, as_json: bool) -> int:
    is_sound = all(one["sound"] for one in found)
    if as_json:
        display.document({"sound": is_sound, "incidents": found})
    else:
        _verdicts(found, whole)
    return 0 if is_sound else EXIT_CODES[Outcome.UNRESOLVED]


def _verified_file(file: Path, incidents: Incidents, heads: list[Any]) -> tuple[str, str, Verdict]:
    """The id and the name of an incident that was exported, and what is known of its timeline."""
    from ..incidents import entries

    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        id_, name = str(told["incident"]["id"]), str(told["incident"]["name"])
        timeline = [entries.of_dict(one) for one in told["timeline"]]
    except OSError as error:
        raise OncallError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OncallError(f"{file} is no exported incident: {display.shown(error, 200)}") from None
    return id_, name, incidents.verify_document(told, timeline, heads)


def _verdicts(found: list[dict[str, Any]], whole: bool) -> None:
    for one in found:
        name = display.shown(one["name"] or one["id"])
        for problem in one["problems"]:
            where = f"entry {problem['number']}: " if problem["number"] else ""
            click.echo(f"{name}: {where}{display.shown(problem['what'])}")
        if whole:
            for line in one["proven"]:
                click.echo(f"{name}: {display.shown(line)}")
            for line in one["not_proven"]:
                click.echo(f"{name}: not proven: {display.shown(line)}")
    wrong = sum(not one["sound"] for one in found)
    click.echo(f"{len(found)} looked at, {wrong} with something wrong")


@incident.command()
@NAME
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="Where it goes, for you alone; else to standard output."
)
@_command
def export(config: Path, state_directory: Path | None, incident: str, file: Path | None, as_json: bool) -> None:
    """All of INCIDENT as one JSON document, which `verify --file` and `postmortem` take.

    \b
    oncall incident export 12 --file inc-12.json
    """
    with open_incidents(config, state_directory) as incidents:
        told = incidents.document(incident)
    if file is None:
        display.document(told)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=2)
            out.write("\n")
    except FileExistsError:
        raise OncallError(f"{file} is there already, and stays as it is; name another one") from None
    except OSError as error:
        raise OncallError(f"cannot write {file}: {error.strerror}") from None
    if as_json:
        display.document({"file": str(file)})
    else:
        click.echo(f"{told['incident']['name']} is in {file}")


@incident.command()
@click.argument("name", metavar="[INCIDENT]", default="")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="A document that was exported, instead of the database."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "json"]),
    default="markdown",
    help="What it is printed as.",
)
@RECORDS
@_command
def postmortem(
    config: Path,
    state_directory: Path | None,
    name: str,
    file: Path | None,
    form: str,
    records: Path | None,
    as_json: bool,
) -> None:
    """The post-mortem of INCIDENT: worked out from its timeline, with nothing in it that is not there.

    \b
    oncall incident postmortem 12
    oncall incident postmortem 12 --format html > inc-12.html
    oncall incident postmortem --file inc-12.json
    oncall incident postmortem 12 --records incidents
    """
    from ..incidents import postmortem as found

    if bool(name) == (file is not None):
        raise OncallError("name an incident, or a file that was exported")
    if records is not None:
        if file is not None:
            raise OncallError("give a file that was exported, or --records with an incident")
        folder = _in_folder(records)
        told = found.of(folder.document(name), found.Template.of({}))
        _refuse_changed(name, folder.verify(name)[1])
    else:
        with open_incidents(config, state_directory) as incidents:
            told = incidents.postmortem(name) if file is None else _of_file(incidents, file)
    if as_json or form == "json":
        display.document(told.to_dict())
    else:
        sys.stdout.write(found.html(told).decode() if form == "html" else found.markdown(told))


def _refuse_changed(name: str, verdict: Verdict) -> None:
    """A post-mortem of a timeline that was changed tells what did not happen."""
    if why := verdict.why_not(name):
        raise OncallError(why)


def _in_folder(records: Path) -> Folder:
    from ..incidents.folder import Folder

    return Folder(records)


def _of_file(incidents: Incidents, file: Path) -> Any:
    document = _document(file)
    try:
        told = incidents.postmortem_of(document)
    except OncallError as error:
        raise OncallError(f"{file}: {error}; make one with: oncall incident export") from None
    _refuse_changed(str(file), _verified_file(file, incidents, [])[2])
    return told


def _document(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OncallError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise OncallError(f"{file} is no exported incident: {display.shown(error, 200)}") from None


@incident.command()
@NAME
@click.argument("state", type=click.Choice(["due", "draft", "review", "done"]))
@click.option("--owner", default="", help="Whose it is from now on.")
@click.option("--due", "due_at", type=MOMENT, help="Until when: 48h, or a time with a zone.")
@click.option("--why", default="", help="Such as what is to be changed.")
@_command
def review(config: Path, state_directory: Path | None, incident: str, state: str, as_json: bool, **more: Any) -> None:
    """Say how far the post-mortem of INCIDENT is.

    \b
    oncall incident review 12 draft --owner ann
    oncall incident review 12 done
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.review(incident, state, who=user(), **more), as_json)


@incident.command()
@NAME
@click.argument("text", default="")
@click.option("--item", default="", help="The name of one that is there, to change it.")
@click.option("--owner", default="", help="Who does it.")
@click.option("--due", "due_at", type=MOMENT, help="Until when: 7d, or a time with a zone.")
@click.option("--done", is_flag=True, help="It is done.")
@_command
def item(config: Path, state_directory: Path | None, incident: str, text: str, as_json: bool, **more: Any) -> None:
    """Write down what is to be done so that it does not happen again, or that it is done.

    \b
    oncall incident item 12 "measure the pool" --owner ann --due 7d
    oncall incident item 12 --item A1 --done
    """
    with open_incidents(config, state_directory) as incidents:
        _done(incidents.action_item(incident, text, who=user(), **more), as_json)


@incident.command()
@_command
def due(config: Path, state_directory: Path | None, as_json: bool) -> None:
    """The post-mortems and action items that are not done, those due first at the head.

    \b
    oncall incident due
    """
    with open_incidents(config, state_directory) as incidents:
        reviews, items = incidents.outstanding()
    if as_json:
        display.document(
            {"postmortems": [asdict(one) for one in reviews], "action_items": [asdict(one) for one in items]}
        )
        return
    lines = [
        (one.name, display.when(one.due_at), one.owner, f"post-mortem ({one.state}): {one.title}") for one in reviews
    ]
    lines += [
        (one.name, "" if one.due_at is None else display.when(one.due_at), one.owner, f"{one.item}: {one.text}")
        for one in items
    ]
    display.rows(("INCIDENT", "DUE", "WHOSE", "WHAT"), [[display.shown(part, 300) for part in line] for line in lines])


@incident.command()
@_filtered
@_command
def stats(config: Path, state_directory: Path | None, as_json: bool, **filters: Any) -> None:
    """How quickly people were there, and what came of it.

    \b
    oncall incident stats --last 30d
    """
    with open_incidents(config, state_directory) as incidents:
        told = incidents.stats(_wanted(most=1, **filters))
    if as_json:
        display.document(told.to_dict())
        return
    print(
        f"{told.incidents} incidents"
        + (f", {told.not_counted} of these merged or cancelled" if told.not_counted else "")
    )
    groups = {
        "": [told.all],
        "system": told.by_system,
        "severity": told.by_severity,
        "runbook": told.by_runbook,
        "week": told.by_week,
    }
    lines = [_group_line(by, one) for by, some in groups.items() for one in some]
    display.rows(("OF", "INCIDENTS", "ACKNOWLEDGED", "MITIGATED", "RESOLVED (median, 9 of 10)"), lines)
    if told.fixes:
        print(f"fixes that were seen to help: {told.verified} of {told.fixes}")
    for one in told.recurring[:5]:
        print(f"came {one.incidents} times: {display.shown(one.cause)} in {display.shown(one.system) or 'no system'}")
    for call in told.woken[:5]:
        outside = "" if call.outside_hours is None else f", {call.outside_hours} of these outside service hours"
        print(f"called {call.calls} times: {display.shown(call.who)}{outside}")


def _group_line(by: str, one: Group) -> list[str]:
    spans = [
        "" if span.median is None or span.p90 is None else f"{_span(span.median)}, {_span(span.p90)}"
        for span in (one.acknowledge, one.mitigate, one.resolve)
    ]
    return [f"{by} {display.shown(one.name) or 'none'}".strip(), str(one.incidents), *spans]


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"

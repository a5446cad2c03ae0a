# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: lists, one incident, its timeline, and the numbers of all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OncallError
from ...shared import counted
from .. import display
from .options import DURATION, NAME, command, incident, open_incidents

if TYPE_CHECKING:
    from ...incidents.books import Incidents
    from ...incidents.record import Incident
    from ...incidents.stats import Group

STATES = ("open", "triggered", "acknowledged", "mitigated", "resolved", "closed", "merged", "cancelled")
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
    from ...incidents.store.timeline import Filter

    return Filter(**filters, since=None if last is None else time.time() - last, most=most, before=before)


@incident.command("list")
@_filtered
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--before", type=int, help="Only those that come after this number in the list, for the next page.")
@command
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
@command
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
@command
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
@_filtered
@command
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
    if told.outcomes:
        print(f"runs: {', '.join(f'{count} {display.shown(name)}' for name, count in told.outcomes.items())}")
    for one in told.recurring[:5]:
        print(f"came {one.incidents} times: {display.shown(one.cause)} in {display.shown(one.system) or 'no system'}")
    for call in told.woken[:5]:
        outside = "" if call.outside_hours is None else f", {call.outside_hours} of these outside service hours"
        last = "" if call.last_at is None else f", last {display.when(call.last_at)}"
        missed = f", {call.missed} of these did not arrive" if call.missed else ""
        print(f"called {counted(call.calls, 'time')}: {display.shown(call.who)}{missed}{outside}{last}")


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

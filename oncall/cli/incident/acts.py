# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to an incident."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ...errors import OncallError
from .. import display
from ..frame import user
from .options import AGO, MOMENT, NAME, command, done, incident, open_incidents, text_of
from .systems import where_of


@incident.command("open")
@click.argument("title")
@click.option("--system", default="", help="What is affected, as its team calls it.")
@click.option("--severity", default="", help="How bad it is, in the scheme of the system.")
@click.option("--scheme", default="", help="Whose severities these are.")
@click.option("--runbook", default="", help="The runbook that it is about.")
@click.option("--again", default="", metavar="INCIDENT", help="The closed one that this is a repeat of.")
@click.option("--anyway", is_flag=True, help="Though nobody knows the system.")
@AGO
@command
def open_(config: Path, state_directory: Path | None, title: str, ago: float, as_json: bool, **more: Any) -> None:
    """Open an incident: say in a few words what is wrong.

    \b
    oncall incident open "checkout is down" --system shop --severity P1
    oncall incident open "checkout is down" --again INC-12
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.open(title, who=user(), at=time.time() - ago, **more), as_json)


@incident.command()
@NAME
@AGO
@command
def ack(config: Path, state_directory: Path | None, incident: str, ago: float, as_json: bool) -> None:
    """Say that you see to INCIDENT. Nobody is asked any more; of one that is resolved, it is a note.

    \b
    oncall incident ack 12
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.acknowledge(incident, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("to", metavar="PERSON", default="")
@command
def assign(config: Path, state_directory: Path | None, incident: str, to: str, as_json: bool) -> None:
    """Say whose INCIDENT is; without a PERSON, nobody's.

    \b
    oncall incident assign 12 ann
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.assign(incident, to, who=user()), as_json)


@incident.command()
@NAME
@click.argument("role", type=click.Choice(["commander", "scribe", "liaison", "responder"]))
@click.argument("to", metavar="PERSON", default="")
@command
def role(config: Path, state_directory: Path | None, incident: str, role: str, to: str, as_json: bool) -> None:
    """Say who has a role; without a PERSON, nobody.

    \b
    oncall incident role 12 commander ann
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.role(incident, role, to, who=user()), as_json)


@incident.command()
@NAME
@click.argument("text")
@click.option("--part", default="", help="The part or the question of the post-mortem that it answers, such as whys.")
@AGO
@command
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
        done(incidents.note(incident, text_of(text), who=user(), at=time.time() - ago, part=part), as_json)


@incident.command()
@NAME
@click.argument("to", metavar="SEVERITY")
@click.option("--why", default="", help="Why; people read it in the timeline.")
@click.option("--scheme", default="", help="Whose severities these are, where it is another scheme.")
@command
def severity(
    config: Path, state_directory: Path | None, incident: str, to: str, why: str, scheme: str, as_json: bool
) -> None:
    """Say how bad INCIDENT is. What a person says stays, whatever is proposed; both are kept.

    \b
    oncall incident severity 12 P0 --why "all users"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.severity(incident, to, who=user(), why=why, scheme=scheme), as_json)


@incident.command()
@NAME
@click.argument("how")
@AGO
@command
def mitigate(config: Path, state_directory: Path | None, incident: str, how: str, ago: float, as_json: bool) -> None:
    """Say HOW users are served again, though the cause may still be there.

    \b
    oncall incident mitigate 12 "rolled back to 1.4.2"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.mitigate(incident, how, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("conditions")
@click.option("--actions", default="", help="What is being done.")
@click.option("--needs", default="", help="What is needed.")
@click.option("--next", "next_update_at", type=MOMENT, help="When the next update is: 30m, or a time with a zone.")
@click.option("--customers", is_flag=True, help="It is for customers.")
@command
def update(
    config: Path, state_directory: Path | None, incident: str, conditions: str, as_json: bool, **more: Any
) -> None:
    """Say how things are, for those who are not in it.

    \b
    oncall incident update 12 "half of the logins fail" --actions "key is renewed" --next 30m
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.update(incident, text_of(conditions), who=user(), **more), as_json)


@incident.command()
@NAME
@click.argument("targets", metavar="[PERSON]...", nargs=-1)
@click.option("--by", "situation", default="", help="The situation, or the step of its policy, that says whom.")
@click.option("--tried", default="", help="What was tried.")
@click.option("--need", default="", help="What is needed of them.")
@command
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
            done(incidents.escalate_by(incident, situation, who=user(), tried=tried, need=need), as_json)
            return
        done(incidents.escalate(incident, targets, who=user(), tried=tried, need=need), as_json)


@incident.command()
@NAME
@click.argument("until", type=MOMENT)
@click.option("--why", required=True, help="Why nobody should be asked meanwhile.")
@command
def snooze(config: Path, state_directory: Path | None, incident: str, until: float, why: str, as_json: bool) -> None:
    """Ask nobody about INCIDENT until then, for as long as its policy allows: a day, where that says nothing; 7 days at most.

    \b
    oncall incident snooze 12 2h --why "the provider works on it"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.snooze(incident, until, why, who=user()), as_json)


@incident.command()
@NAME
@click.argument("into", metavar="OTHER")
@command
def merge(config: Path, state_directory: Path | None, incident: str, into: str, as_json: bool) -> None:
    """Say that INCIDENT is the same as OTHER, which goes on. INCIDENT points to it, and its timers stop.

    \b
    oncall incident merge 13 12
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.merge(incident, into, who=user()), as_json)


@incident.command()
@NAME
@click.argument("how")
@AGO
@command
def resolve(config: Path, state_directory: Path | None, incident: str, how: str, ago: float, as_json: bool) -> None:
    """Say HOW it came to an end.

    \b
    oncall incident resolve 12 "the pool is larger"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.resolve(incident, how, who=user(), at=time.time() - ago), as_json)


@incident.command()
@NAME
@click.argument("why")
@command
def reopen(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Say WHY it is not over after all. One that is closed stays so: open another one with --again.

    \b
    oncall incident reopen 12 "it is slow again"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.reopen(incident, why, who=user()), as_json)


@incident.command()
@NAME
@click.option("--why", default="", help="Why a post-mortem or action items are left undone.")
@command
def close(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Close INCIDENT, which is resolved. It never changes again.

    \b
    oncall incident close 12
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.close(incident, who=user(), why=why), as_json)


@incident.command()
@NAME
@click.argument("why")
@command
def cancel(config: Path, state_directory: Path | None, incident: str, why: str, as_json: bool) -> None:
    """Say WHY it never was an incident.

    \b
    oncall incident cancel 12 "a drill"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.cancel(incident, why, who=user()), as_json)


@incident.command()
@NAME
@click.argument("checklist")
@click.argument("step")
@click.option("--undo", is_flag=True, help="It is not done after all.")
@command
def step(
    config: Path, state_directory: Path | None, incident: str, checklist: str, step: str, undo: bool, as_json: bool
) -> None:
    """Tick a STEP of a CHECKLIST.

    \b
    oncall incident step 12 respond "status page updated"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.step(incident, checklist, step, who=user(), done=not undo), as_json)


@incident.command()
@NAME
@click.argument("number", type=int)
@click.option("--undo", is_flag=True, help="Unpin it.")
@command
def pin(config: Path, state_directory: Path | None, incident: str, number: int, undo: bool, as_json: bool) -> None:
    """Pin the entry with a NUMBER, so that everybody sees it.

    \b
    oncall incident pin 12 7
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.pin(incident, number, who=user(), pinned=not undo), as_json)


@incident.command()
@NAME
@click.argument("other")
@click.option("--why", default="", help="What they have to do with each other.")
@command
def link(config: Path, state_directory: Path | None, incident: str, other: str, why: str, as_json: bool) -> None:
    """Link INCIDENT to an OTHER one.

    \b
    oncall incident link 12 9 --why "the same key"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.link(incident, other, who=user(), why=why), as_json)


@incident.command()
@NAME
@click.argument("number", type=int)
@click.argument("text")
@command
def correct(config: Path, state_directory: Path | None, incident: str, number: int, text: str, as_json: bool) -> None:
    """Say what is right instead of the entry with a NUMBER, which stays as it is.

    \b
    oncall incident correct 12 7 "it was the other node"
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.correct(incident, number, text_of(text), who=user()), as_json)


@incident.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--to", "to", default="", metavar="INCIDENT", help="To this one; else to that of its host at that time.")
@click.option("--open", "is_opened", is_flag=True, help="Open one where there is none, and something was wrong.")
@click.option(
    "--system", default="", help="The system of their hosts; else that of the settings, or of incidents before."
)
@command
def attach(
    config: Path,
    state_directory: Path | None,
    runs: tuple[str, ...],
    to: str,
    is_opened: bool,
    system: str,
    as_json: bool,
) -> None:
    """Bring records of runs that nobody began through the service to their incidents: those of RUN, or the last 50.

    Which system a host is of, the settings say and the inventory, as for the service; without a service, --system or an incident before.

    \b
    oncall incident attach
    oncall incident attach 0d5afce3 --to 12
    oncall incident attach 0d5afce3 --open --system shop
    """
    from ... import records
    from ...incidents.attach import Attaching

    if to and not runs:
        raise OncallError("say which runs belong to it; list them with: oncall runs")
    # The oldest first, as they happened.
    found = [records.find(run) for run in runs] or [*records.recent(50)][::-1]
    with open_incidents(config, state_directory) as incidents:
        where = where_of(incidents, config, state_directory, system)
        attaching = Attaching(incidents, incidents.store, lambda: where)
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

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on call and how it is escalated; the runbooks and how often they helped."""

from __future__ import annotations

from typing import Any

from .... import catalog
from ....errors import UnknownRunbook
from ....incidents.escalation.people import Directory
from ....incidents.escalation.policy import PolicyError, from_record, without_time
from ..visit import Answer, Gone, Shown, Visit
from .base import View, known_teams


def on_call(visit: Visit) -> Answer:
    """By system: who has each schedule now, the steps, and whom each would tell now."""
    read = visit.sources.teams()
    teams = []
    for system, known in sorted(known_teams(visit).items()):
        team = read.teams.get(system)
        try:
            policy = from_record(known.policy)
        except PolicyError:
            policy = None
        people = team.people if team else None
        teams.append(
            {
                "system": system,
                "scheme": known.scheme,
                "levels": known.levels,
                "people": known.people,
                "policy": policy,
                "is_known": team is not None,
                "schedules": _schedules(people, visit.now) if people else [],
                "steps": [_step(step, people, visit.now) for step in (policy.steps if policy else ())],
                "hours": policy.hours if policy else None,
                "in_service": policy.hours.hours().is_open(visit.now) if policy and policy.hours else None,
            }
        )
    return Shown("oncall.html.j2", {"teams": teams, "trouble": read.trouble})


def _schedules(people: Directory, now: float) -> list[dict[str, Any]]:
    told = []
    for name in people.schedules:
        who, why = people.on_call(name, now)
        told.append({"name": name, "who": who, "why": why})
    return told


def _step(step: Any, people: Directory | None, now: float) -> dict[str, Any]:
    targets, gaps = people.targets(step.roles, now) if people else ([], [])
    return {
        "name": without_time(step),
        "after": step.after_minutes,
        "begins": step.begins,
        "roles": step.roles,
        "severities": step.severities,
        "unless": step.unless,
        "need": step.need,
        # By what way is an address, and a secret.
        "told": [(one.person, one.why) for one in targets],
        "gaps": gaps,
    }


def runbooks(visit: Visit) -> Answer:
    """The catalogue, with what was seen to help."""
    settings = visit.sources.settings()
    rates = _rates(visit)
    wanted = visit.asked("q", 100).lower()
    found = [
        (one, settings.runbooks.get(one.name), rates.get(one.name, [0, 0]))
        for one in catalog.runbooks().values()
        if wanted in f"{one.name} {one.title} {one.signal}".lower()
    ]
    found.sort(key=lambda told: (told[1] is None, told[0].name))
    return Shown("runbooks.html.j2", {"runbooks": found, "asked": wanted})


def runbook(visit: Visit) -> Answer:
    """One of them."""
    try:
        one = catalog.find(visit.part("name"))
    except UnknownRunbook as error:
        raise Gone(str(error)) from None
    proven = [told for told in visit.sources.store.proven() if told["runbook"] == one.name]
    route = visit.sources.settings().runbooks.get(one.name)
    return Shown(
        "runbook.html.j2", {"one": one, "route": route, "proven": proven, "rate": _rates(visit).get(one.name, [0, 0])}
    )


def _rates(visit: Visit) -> dict[str, list[int]]:
    rates: dict[str, list[int]] = {}
    for one in visit.sources.store.proven():
        told = rates.setdefault(one["runbook"], [0, 0])
        told[0] += one["helped"]
        told[1] += one["remedies"]
    return rates


VIEWS = (
    View("/oncall", on_call),
    View("/runbooks", runbooks),
    View("/runbooks/{name}", runbook),
)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page behind a link in a message. Looking changes nothing, as scanners of mail follow links; its button acts, once."""

from __future__ import annotations

from ....incidents.books import NotDone
from ....incidents.messages.links import Link, followed, read, use_of
from ....incidents.record import Incident
from ....incidents.store.episodes import EPISODE
from ..people import plain_name
from ..plan import plan_of
from ..visit import Answer, Lost, Shown, Unheard, Visit
from ..words import DID, rank
from .base import View, known_teams, levels_of
from .incident import is_only_noted

# Of what belongs to incidents: a link that has acted.
LINK = "link"
MOST_EPISODES = 1000


def _link(visit: Visit) -> tuple[Link, Incident, bool]:
    """What the link allows, of which incident, and whether it has acted."""
    link = read(visit.part("token"), [*visit.sources.link_keys()], visit.now)
    if not plain_name(link.who, [visit.sources.settings().node]):
        raise Unheard("this link is for nobody who could act; open the incident on the page instead")
    incident = visit.sources.incidents.going_on(link.incident)
    return link, incident, visit.sources.below.owner(LINK, use_of(link)) is not None


def _plan(visit: Visit, link: Link, incident: Incident) -> dict[str, object] | None:
    """The plan that a link decides on, while it waits."""
    if not link.plan:
        return None
    episodes = visit.sources.store.waiting_of(
        visit.sources.below.parts(incident.id, EPISODE)[-MOST_EPISODES:], MOST_EPISODES
    )
    return next((plan_of(one) for one in episodes if one["plan_hash"] == link.plan), None)


def look(visit: Visit) -> Answer:
    """What the button would do."""
    link, incident, is_used = _link(visit)
    return _shown(visit, link, incident, is_used, "")


def act(visit: Visit) -> Answer:
    """The button."""
    link, incident, is_used = _link(visit)
    used = [use_of(link)] if is_used else []
    if followed("POST", link, used) == "used":
        return _shown(visit, link, incident, True, "")
    part = (LINK, use_of(link))
    try:
        if link.action == "acknowledge":
            done = visit.sources.incidents.acknowledge(incident.id, who=link.who, parts=[part])
            said = "It is acknowledged, under your name." if done.entries else "Somebody has acknowledged it already."
            if is_only_noted(done):
                said = DID["noted"]
        else:
            plan = _plan(visit, link, incident)
            if plan is None:
                raise Lost(
                    "this plan does not wait any more, or it has changed since the message; open the incident and read it anew"
                )
            decision = "approved" if link.action == "approve" else "rejected"
            reason = visit.said("reason") or ("by the link in a message" if decision == "rejected" else "")
            visit.sources.plans.decide(str(plan["episode"]), link.plan, decision, reason, link.who, [part])
            said = f"The plan is {decision}, under your name."
    except NotDone as error:
        if visit.sources.below.owner(*part) is not None:
            return _shown(visit, link, incident, True, "")
        raise Unheard(str(error)) from None
    return _shown(visit, link, visit.sources.incidents.find(incident.id), True, said)


def _shown(visit: Visit, link: Link, incident: Incident, is_used: bool, said: str) -> Answer:
    levels = levels_of(known_teams(visit))
    plan = _plan(visit, link, incident) if not is_used else None
    values = {
        "link": link,
        "one": incident,
        "rank": min(rank(incident, levels), 9),
        "plan": plan,
        "is_used": is_used,
        "said": said,
        "findings": [],
    }
    return Shown("act.html.j2", values)


VIEWS = (
    View("/act/{token}", look, None),
    View("/act/{token}", act, None, "POST"),
)

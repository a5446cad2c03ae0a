# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that wait for a person."""

from __future__ import annotations

from ....incidents.store.episodes import EPISODE
from ..people import Role
from ..plan import card_of, plan_of
from ..visit import Answer, Gone, Moved, Shown, Visit
from .base import View


def waiting(visit: Visit) -> Answer:
    """All that wait, the oldest first."""
    found = visit.sources.store.episodes(("waiting",), 100)
    owners = visit.sources.below.owners(EPISODE, [one["id"] for one in found])
    incidents = {owner: visit.sources.below.incident(owner) for owner in set(owners.values()) if owner}
    plans = [{**card_of(one), "incident": incidents.get(owners.get(one["id"], ""))} for one in reversed(found)]
    decided = [one for one in visit.sources.store.episodes(("queued", "running", "ended"), 50) if one["note"]]
    return Shown("plans.html.j2", {"live": "plans", "plans": plans, "decided": decided[:10]})


def plan(visit: Visit) -> Answer:
    """One in full; the buttons come last."""
    episode = visit.sources.store.episode(visit.part("episode"))
    if episode is None:
        raise Gone("there is no such plan any more")
    owner = visit.sources.below.owner(EPISODE, episode["id"])
    incident = visit.sources.below.incident(owner) if owner else None
    values = {
        "plan": plan_of(episode),
        "incident": incident,
        "may_act": visit.may(Role.RESPONDER),
        "runs": visit.sources.store.runs(episode["id"]),
        "live": "plans",
    }
    return Shown("plan.html.j2", values)


def decided(visit: Visit) -> Answer:
    """A person decides."""
    episode, decision = visit.part("episode"), visit.said("decision")
    visit.sources.plans.decide(episode, visit.said("plan_hash"), decision, visit.said("reason"), visit.who)
    return Moved(f"/plans/{episode}", decision)


VIEWS = (
    View("/plans", waiting, live="plans"),
    View("/plans/{episode}", plan, live="plans"),
    View("/plans/{episode}", decided, Role.RESPONDER, "POST"),
)

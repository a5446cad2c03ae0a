# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem: where it stands, the document, and its action items."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

from ....incidents import postmortem
from ....incidents.postmortem.review import STATES
from ....incidents.record import Incident
from ..people import Role
from ..visit import Answer, File, Gone, Moved, Shown, Unheard, Visit
from .base import View, known_teams

# To one question, on one page; the document has all of them.
MOST_ANSWERS = 10
KINDS = {"html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8", "json": "application/json"}


def _template(visit: Visit, incident: Incident) -> postmortem.Template:
    known = known_teams(visit).get(incident.system)
    return postmortem.Template.of(known.review) if known and known.review else postmortem.Template()


def review(visit: Visit) -> Answer:
    """Where it stands, and what is asked of people."""
    incident = visit.sources.incidents.find(visit.part("name"))
    told = visit.sources.incidents.postmortem(incident.id, _template(visit, incident))
    return Shown(
        "review.html.j2",
        {
            "one": incident,
            "told": told,
            "next": [state for state in STATES.get(incident.postmortem.state, ()) if state],
            "asks": [(place.asks, place.said[-MOST_ANSWERS:]) for part in told.parts for place in part.places],
            "may_act": visit.may(Role.RESPONDER) and not incident.is_over,
        },
    )


def document(visit: Visit) -> Answer:
    """The document itself."""
    kind = visit.part("kind")
    if kind not in KINDS:
        raise Gone(f"there is no post-mortem as {kind[:20]}; there is {', '.join(KINDS)}")
    incident = visit.sources.incidents.find(visit.part("name"))
    told = visit.sources.incidents.postmortem(incident.id, _template(visit, incident))
    if kind == "json":
        return File(json.dumps(told.to_dict(), indent=1).encode(), KINDS[kind], f"{incident.name}.json")
    if kind == "md":
        return File(str(postmortem.markdown(told)).encode(), KINDS[kind], f"{incident.name}.md")
    body = postmortem.html(told)
    return File(body, KINDS[kind], policy=policy_of(body))


def policy_of(page: bytes) -> str:
    """The policy for a page that brings its own style: only these styles, by their hashes."""
    styles = re.findall(rb"<style>(.*?)</style>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in styles)
    return f"default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def moved(visit: Visit) -> Answer:
    """The review comes into its next state, or is given an owner."""
    done = visit.sources.incidents.review(
        visit.part("name"), visit.said("state"), who=visit.who, owner=visit.said("owner"), was=visit.form.get("was")
    )
    return Moved(f"/incidents/{done.incident.name}/postmortem", "changed")


def answered(visit: Visit) -> Answer:
    """A question of the post-mortem is answered."""
    incident = visit.sources.incidents.find(visit.part("name"))
    visit.sources.incidents.note(incident.id, visit.said("text"), who=visit.who, part=visit.said("part"))
    return Moved(f"/incidents/{incident.name}/postmortem", "changed")


def item(visit: Visit) -> Answer:
    """An action item: a new one, or one that is done."""
    number = visit.said("item")
    done = visit.sources.incidents.action_item(
        visit.part("name"),
        "" if number else visit.said("text"),
        who=visit.who,
        item=number,
        owner=visit.said("owner"),
        due_at=_day(visit.said("due")),
        done=bool(number) and visit.said("done") != "no",
    )
    return Moved(f"/incidents/{done.incident.name}/postmortem", "changed")


def _day(told: str) -> float | None:
    if not told:
        return None
    try:
        return datetime.strptime(told, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Unheard(f"{told[:20]!r} is no day, as 2026-01-31") from None


VIEWS = (
    View("/incidents/{name}/postmortem", review),
    View("/incidents/{name}/postmortem.{kind}", document),
    View("/incidents/{name}/postmortem/state", moved, Role.RESPONDER, "POST"),
    View("/incidents/{name}/postmortem/answer", answered, Role.RESPONDER, "POST"),
    View("/incidents/{name}/postmortem/item", item, Role.RESPONDER, "POST"),
)

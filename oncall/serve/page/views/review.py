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

from ....incidents import commands as do
from ....incidents import postmortem
from ....incidents.postmortem.review import STATES, why_not
from ....incidents.record import Incident
from ..people import Role
from ..visit import Answer, File, Gone, Moved, Shown, Unheard, Visit
from .base import View, known_teams

KINDS = {"html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8", "json": "application/json"}
MOST_TEXT = 500


def _template(visit: Visit, incident: Incident) -> postmortem.Template:
    known = known_teams(visit).get(incident.system)
    return postmortem.Template.of(known.review) if known and known.review else postmortem.Template()


def review(visit: Visit) -> Answer:
    """Where it stands, and what is asked of people."""
    incident = visit.sources.incidents.find(visit.part("name"))
    told = postmortem.of(visit.sources.incidents.document(incident.id), _template(visit, incident))
    return Shown(
        "review.html.j2",
        {
            "one": incident,
            "told": told,
            "next": [state for state in STATES.get(incident.postmortem.state, ()) if state],
            "asks": [place for part in told.parts for place in part.places],
            "may_act": visit.may(Role.RESPONDER) and not incident.is_over,
        },
    )


def document(visit: Visit) -> Answer:
    """The document itself."""
    kind = visit.part("kind")
    if kind not in KINDS:
        raise Gone(f"there is no post-mortem as {kind[:20]}; there is {', '.join(KINDS)}")
    incident = visit.sources.incidents.find(visit.part("name"))
    told = postmortem.of(visit.sources.incidents.document(incident.id), _template(visit, incident))
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
    incident = visit.sources.incidents.find(visit.part("name"))
    to, owner = visit.said("state"), visit.said("owner")[:100]
    if visit.form.get("was", incident.postmortem.state) != incident.postmortem.state:
        raise Unheard(f"meanwhile it is {incident.postmortem.state or 'not asked for'}; look at it, and say it again")
    if why := why_not(incident.to_dict(), to, owner):
        raise Unheard(why)
    data = {"state": to, "owner": owner or incident.postmortem.owner, "due_at": incident.postmortem.due_at}
    words = f"post-mortem: {to}" + (f", owned by {data['owner']}" if data["owner"] else "")
    write = do.Write(who=visit.who, at=visit.now, kind="postmortem", words=words, data=data)
    visit.sources.incidents.write(incident.id, write)
    return Moved(f"/incidents/{incident.name}/postmortem", "changed")


def answered(visit: Visit) -> Answer:
    """A question of the post-mortem is answered."""
    incident = visit.sources.incidents.find(visit.part("name"))
    visit.sources.incidents.note(incident.id, visit.said("text"), who=visit.who, part=visit.said("part"))
    return Moved(f"/incidents/{incident.name}/postmortem", "changed")


def item(visit: Visit) -> Answer:
    """An action item: a new one, or one that is done."""
    incident = visit.sources.incidents.find(visit.part("name"))
    known = {one.item: one for one in incident.action_items}
    number = visit.said("item")
    if number:
        if number not in known:
            raise Gone("there is no such action item")
        one = known[number]
        data = {
            "item": one.item,
            "text": one.text,
            "owner": one.owner,
            "due_at": one.due_at,
            "done": visit.said("done") != "no",
        }
    else:
        text = do.cut(visit.said("text"), MOST_TEXT)
        if not text:
            raise Unheard("say what is to be done")
        names = (str(one) for one in range(1, len(known) + 2))
        free = next(one for one in names if one not in known)
        data = {
            "item": free,
            "text": text,
            "owner": visit.said("owner")[:100],
            "due_at": _day(visit.said("due")),
            "done": False,
        }
    words = f"action item {data['item']}" + (" is done" if data["done"] else "") + f": {data['text']}"
    write = do.Write(who=visit.who, at=visit.now, kind="action_item", words=words, data=data)
    visit.sources.incidents.write(incident.id, write)
    return Moved(f"/incidents/{incident.name}/postmortem", "changed")


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

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each operation of the API, once: its path, what it takes, what it does and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from ...errors import NoIncident
from ...incidents import postmortem
from ...incidents.books import Done, Incidents, NotNow
from ...incidents.commands import Command
from ...incidents.entries import signed_head
from ...incidents.folder_commands import fitting, runs
from ...incidents.store.timeline import Filter
from ..intake.tokens import RESPONDER, VIEWER
from . import requests as ask

JSON, MARKDOWN, HTML = "application/json", "text/markdown; charset=utf-8", "text/html; charset=utf-8"
ROOT = "/api/v1"
ONE = "/incidents/{incident}"
Schema = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request that was read.

    Attributes:
        books: the incidents; what is written with them, is written once for this request.
        who: the name of the token.
        incident: that the path names; "" for none.
        body, query: as their types say.
    """

    books: Incidents
    who: str
    incident: str
    body: Any
    query: Any


@dataclass(frozen=True)
class Operation:
    """What can be asked.

    Attributes:
        name: of it, in the document.
        path: below ROOT.
        summary: one line.
        does: answers; what is no text and no bytes becomes JSON.
        says: the schema of the answer.
        body, query: the types of what it takes; None for no body.
        role: who may.
        status: of an answer; of one that was done before, 200.
        kind: of the answer.
        mine: where a second one who does the same is refused: the kind of the entry.
    """

    name: str
    method: str
    path: str
    summary: str
    does: Callable[[Call], Any]
    says: Schema
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = ask.Nothing
    role: str = VIEWER
    status: int = 200
    kind: str = JSON
    mine: str = ""

    @property
    def writes(self) -> bool:
        return self.body is not None


def refer(name: str) -> Schema:
    """To a schema that `document` has among its components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _page(name: str, item: str, what: str) -> Schema:
    return {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": refer(item)},
            "next": {"type": ["integer", "null"], "description": f"{what}; null at the end."},
        },
        "required": [name, "next"],
        "additionalProperties": False,
    }


# ---------------------------------------------------------------------- reading
def _set(value: Any) -> Any:
    return None if value is msgspec.UNSET else value


def wanted(query: ask.Filtered, most: int = 1, before: int | None = None) -> Filter:
    """What the store calls it."""
    return Filter(
        states=query.state,
        system=query.system,
        severity=query.severity,
        assignee=query.assignee,
        runbook=query.runbook,
        host=query.host,
        text=query.search,
        since=_set(query.since),
        until=_set(query.until),
        before=before,
        most=most,
    )


def _list(call: Call) -> Any:
    query: ask.Listed = call.query
    # One more than is shown, to know whether there is another page.
    found = call.books.listed(wanted(query, query.limit + 1, _set(query.before)))
    shown = found[: query.limit]
    return {
        "incidents": [one.to_dict() for one in shown],
        "next": shown[-1].number if len(found) > len(shown) else None,
    }


def _timeline(call: Call) -> Any:
    query: ask.Read = call.query
    found = call.books.timeline(call.incident, query.after, query.limit + 1)
    shown = found[: query.limit]
    return {
        "entries": [one.to_dict() for one in shown],
        "next": shown[-1].number if len(found) > len(shown) else None,
    }


def _verify(call: Call) -> Any:
    one, verdict = call.books.verify(call.incident, [signed_head(head) for head in call.query.head])
    told = {"id": one.id, "name": one.name, **verdict.to_dict()}
    return {"sound": verdict.is_sound, "incidents": [told]}


def _due(call: Call) -> Any:
    postmortems, items = call.books.outstanding()
    return {"postmortems": postmortems, "action_items": items}


READING = (
    Operation(
        "list", "GET", "/incidents", "The incidents, the newest first.", _list,
        _page("incidents", "incident", "`before` of the next page"), query=ask.Listed,
    ),
    Operation("show", "GET", ONE, "What is known of one.", lambda call: call.books.find(call.incident).to_dict(), refer("incident")),
    Operation(
        "timeline", "GET", f"{ONE}/timeline", "What happened, from its beginning.", _timeline,
        _page("entries", "entry", "`after` of the next page"), query=ask.Read,
    ),
    Operation(
        "export", "GET", f"{ONE}/export", "All of one, which `oncall incident verify --file` and `postmortem --file` take.",
        lambda call: call.books.document(call.incident), refer("incident_show"),
    ),
    Operation(
        "verify", "GET", f"{ONE}/verify", "Whether its timeline was changed, cut or reordered, and what cannot be told.", _verify,
        refer("incident_verify"), query=ask.Proof,
    ),
    Operation(
        "postmortem", "GET", f"{ONE}/postmortem", "The post-mortem, worked out from the timeline.",
        lambda call: call.books.postmortem(call.incident).to_dict(), refer("postmortem"),
    ),
    Operation(
        "postmortem_markdown", "GET", f"{ONE}/postmortem.md", "The post-mortem as Markdown.",
        lambda call: postmortem.markdown(call.books.postmortem(call.incident)), {"type": "string"}, kind=MARKDOWN,
    ),
    Operation(
        "postmortem_html", "GET", f"{ONE}/postmortem.html", "The post-mortem as one page, with nothing from elsewhere.",
        lambda call: postmortem.html(call.books.postmortem(call.incident)), {"type": "string"}, kind=HTML,
    ),
    Operation("due", "GET", "/due", "The post-mortems and action items that are not done, those due first at the head.", _due, refer("incident_due")),
    Operation(
        "stats", "GET", "/stats", "How quickly people were there, and what came of it.",
        lambda call: call.books.stats(wanted(call.query)).to_dict(), refer("stats"), query=ask.Filtered,
    ),
)  # fmt: skip


# ---------------------------------------------------------------------- writing
def _open(call: Call) -> Done:
    body: ask.Open = call.body
    return call.books.open(
        body.title,
        who=call.who,
        at=body.at,
        system=body.system,
        severity=body.severity,
        scheme=body.scheme,
        runbook=body.runbook,
        again=body.again or "",
        anyway=body.anyway,
    )


def _escalate(call: Call) -> Done:
    body: ask.Escalate = call.body
    if body.situation and not body.targets:
        return call.books.escalate_by(call.incident, body.situation, who=call.who, tried=body.tried, need=body.need)
    return call.books.escalate(call.incident, body.targets, who=call.who, tried=body.tried, need=body.need)


def _attach(call: Call) -> Done:
    body: ask.Attach = call.body
    incident = call.books.find(call.incident)
    told, _hosts = runs([(body.name, body.record)], incident.runs, call.who)
    return call.books.do(call.incident, *(partial(_same, one) for one in fitting(incident, told)))


def _same(command: Command, _now: float) -> Command:
    return command


def _given(name: str, first: str = "") -> Callable[[Call], Done]:
    """A method of the books that takes the fields of the body by their names; one of them first, as books have another name for it."""

    def does(call: Call) -> Done:
        fields = {one: getattr(call.body, one) for one in call.body.__struct_fields__ if one != "after"}
        before = [fields.pop(first)] if first else []
        done: Done = getattr(call.books, name)(call.incident, *before, who=call.who, **fields)
        return done

    return does


def _command(
    path: str, body: type[ask.Body], summary: str, does: Callable[[Call], Done], name: str = "", mine: str = ""
) -> Operation:
    return Operation(
        name or path, "POST", f"{ONE}/{path}", summary, does, refer("incident_done"), body, role=RESPONDER, mine=mine
    )


WRITING = (
    Operation(
        "open", "POST", "/incidents", "Open one.", _open, refer("incident_done"), ask.Open, role=RESPONDER, status=201
    ),
    _command("acknowledge", ask.Acknowledge, "See to it. Of one that is resolved, it is a note.", _given("acknowledge"), mine="acknowledged"),
    _command("assign", ask.Assign, "Say whose it is.", _given("assign")),
    _command("role", ask.GiveRole, "Say who has a role.", _given("role")),
    _command("note", ask.Note, "Write something into the timeline.", _given("note")),
    _command("severity", ask.SetSeverity, "Say how bad it is. What a person says stays, whatever is proposed.", _given("severity")),
    _command("mitigate", ask.How, "Say that users are served again, though the cause may be there.", _given("mitigate"), mine="mitigated"),
    _command("update", ask.Update, "Say how things are, for those who are not in it.", _given("update")),
    _command("escalate", ask.Escalate, "Ask more people.", _escalate),
    _command("snooze", ask.Snooze, "Ask nobody until then.", _given("snooze")),
    _command("merge", ask.Merge, "Say that it is the same as another one, which goes on.", _given("merge")),
    _command("resolve", ask.How, "Say how it came to an end.", _given("resolve"), mine="resolved"),
    _command("reopen", ask.Why, "Say that it is not over after all.", _given("reopen")),
    _command("close", ask.Close, "Close what is resolved. It never changes again.", _given("close")),
    _command("cancel", ask.Why, "Say that it never was one.", _given("cancel")),
    _command("pin", ask.Pin, "Have everybody see an entry.", _given("pin")),
    _command("correct", ask.Correct, "Say what is right instead of an entry, which stays as it is.", _given("correct")),
    _command("step", ask.Step, "Tick a step of a checklist.", _given("step")),
    _command("link", ask.Link, "Point to another one.", _given("link", "to")),
    _command("attach", ask.Attach, "Bring the record of runs that the service did not begin into the timeline.", _attach),
    _command("item", ask.ActionItem, "Write down what is to be done so that it does not happen again.", _given("action_item")),
    _command("postmortem", ask.PostMortem, "Say how far the post-mortem is.", _given("review"), name="review"),
)  # fmt: skip
OPERATIONS = (*READING, *WRITING)


def check_mine(call: Call, done: Done, kind: str) -> None:
    """Refuse what somebody else has done before: both say that they see to it, or how it ended, and one was first."""
    last = next((one for one in reversed(call.books.timeline(done.incident.id)) if one.kind == kind), None)
    if last is not None and last.who != call.who:
        raise NotNow(f"{last.who} was first: {done.incident.name} is {done.incident.state} ({last.words})")


def known(books: Incidents, incident: str) -> Mapping[str, Any] | None:
    """An incident as it is now; None where there is none."""
    try:
        return books.find(incident).to_dict() if incident else None
    except NoIncident:
        return None

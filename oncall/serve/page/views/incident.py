# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One incident: all that is known of it, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from ....incidents.books import Done, Incidents
from ....incidents.entries import Entry
from ....incidents.escalation.policy import PolicyError, from_record
from ....incidents.postmortem import plot, points
from ....incidents.postmortem.timeline import Entry as PlotEntry
from ....incidents.record import ROLES, Incident
from ....incidents.store.episodes import EPISODE
from ..people import Role
from ..plan import card_of
from ..visit import Answer, Gone, Lost, Moved, Shown, Unheard, Visit
from ..words import Room, data, rank
from .base import View, known_teams, levels_of

# Of the timeline on one page: it stays light on a phone.
ENTRIES = 50
# What a person seldom looks for.
# On one page; `oncall incident verify` has all.
MOST_PROBLEMS = 50
QUIET = ("timer", "metric", "message")
FINDINGS = 12
MOST_FINDINGS = 60
MOST_EPISODES = 1000
MOST_DETAIL = 1200
MOST_WORDS, LEAST_WORDS = 400, 60
# Of all that is long on one page; the rest is a tap away.
MOST_DETAILS = MOST_OF_WORDS = 18_000
DRAWN = 4
MOST_PINS = 10
CHECKLIST = "steps"
# Kinds of entries that people made, or decide by.
TONES = {
    "finding": "bad", "alert": "bad", "reopened": "bad", "suppressed": "quiet", "delivery": "quiet", "timer": "quiet", "resolved": "good",
    "alert_ended": "good", "mitigated": "good", "closed": "good", "verification": "good", "escalated": "warn",
    "plan": "warn", "approval": "warn", "severity": "warn",
}  # fmt: skip


def one(visit: Visit) -> Answer:
    """The page of one."""
    sources = visit.sources
    incident = sources.incidents.find(visit.part("name"))
    below = sources.below
    teams = known_teams(visit)
    known = teams.get(incident.system)
    levels = levels_of(teams)
    everything = visit.asked("show") == "all"
    asked = visit.asked("before")
    before = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None
    entries = below.back(incident.id, before, ENTRIES + 1, () if everything else QUIET)
    seen = below.of_kinds(incident.id, ("finding",), MOST_FINDINGS)
    corrected = corrections(visit, incident)
    waiting = [card_of(one) for one in sources.store.waiting_of(below.parts(incident.id, EPISODE)[-MOST_EPISODES:])]
    ticked = {(step.checklist, step.step): step for step in incident.steps}
    steps = [(CHECKLIST, step) for step in (known.steps if known else ())]
    steps += [pair for pair in ticked if pair not in steps]
    room, for_words = Room(MOST_DETAILS, MOST_DETAIL), Room(MOST_OF_WORDS, MOST_WORDS)
    links = [(one.why, below.incident(one.id)) for one in incident.links[:20]]
    return Shown(
        "incident.html.j2",
        {
            "live": incident.name,
            "one": incident,
            "rank": min(rank(incident, levels), 9),
            "levels": levels.get(incident.scheme, ()),
            "people": known.people if known else (),
            "roles": ROLES,
            "situations": situations(incident),
            "findings": findings(seen, room),
            "waiting": waiting,
            "steps": [(*pair, ticked.get(pair)) for pair in steps],
            "plots": drawn(visit, incident),
            "entries": [shown(entry, corrected, incident, room, for_words) for entry in entries[:ENTRIES]],
            "pins": [
                pin for number in incident.pins[-MOST_PINS:] for pin in below.timeline(incident.id, number - 1, 1)
            ],
            "older": entries[ENTRIES - 1].number if len(entries) > ENTRIES else 0,
            "before": before,
            "everything": everything,
            "links": [(why, other) for why, other in links if other],
            "merged_into": below.incident(incident.merged_into) if incident.merged_into else None,
            "took_in": [other for other in map(below.incident, incident.took_in[:20]) if other],
            "may_act": visit.may(Role.RESPONDER),
            "waits_for": incident.timers,
        },
    )


def situations(incident: Incident) -> list[tuple[str, str]]:
    """What the policy that it began with names a step by, and whom that asks."""
    try:
        steps = from_record(incident.policy).steps if incident.policy else ()
    except PolicyError:
        return []
    return [(step.situation or step.name, ", ".join(step.roles)) for step in steps]


def corrections(visit: Visit, incident: Incident) -> dict[Any, Entry]:
    """Number of an entry -> the last one that corrects it."""
    return {one.data.get("number"): one for one in visit.sources.below.of_kinds(incident.id, ("corrected",), 200)}


def shown(
    entry: Entry, corrected: Mapping[Any, Entry], incident: Incident, room: Room, for_words: Room
) -> dict[str, Any]:
    """An entry on the page; what is long in it is behind a link."""
    right = corrected.get(entry.number)
    detail, is_cut = room.take(_detail(entry))
    return {
        "number": entry.number,
        "at": entry.at,
        "kind": entry.kind,
        "who": entry.who,
        "words": for_words.take(entry.words, LEAST_WORDS)[0],
        "tone": TONES.get(entry.kind, ""),
        "detail": detail,
        "is_cut": is_cut,
        "corrected": room.take(right.data.get("text"))[0] if right else "",
        "corrected_by": right.number if right else 0,
        "pinned": entry.number in incident.pins,
    }


def _detail(entry: Entry) -> Any:
    told = entry.data
    if entry.kind == "alert":
        return told.get("labels") or ""
    if entry.kind == "verification":
        return "\n".join(map(str, told.get("figures") or ()))
    if entry.kind == "update":
        parts = (("Actions", told.get("actions")), ("Needed", told.get("needs")))
        return "\n".join(f"{name}: {value}" for name, value in parts if value)
    if entry.kind == "note" and len(str(told.get("text") or "")) > len(entry.words):
        return told["text"]
    if entry.kind == "escalated":
        return f"Tried: {told['tried']}" if told.get("tried") else ""
    if entry.kind == "plan":
        # Of a version before, it has no diff.
        return told.get("diff") or "\n".join(
            f"{one.get('remedy')} ({one.get('risk')}): {data(one.get('targets'), 300)}"
            for one in told.get("steps") or ()
        )
    return ""


def findings(entries: list[Entry], room: Room) -> list[dict[str, Any]]:
    """What was found last of each cause, problems first."""
    last: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        if entry.kind == "finding":
            key = (str(entry.data.get("runbook")), str(entry.data.get("host")), str(entry.data.get("cause")))
            last.pop(key, None)
            last[key] = entry
    told = [
        {
            "number": entry.number,
            "at": entry.at,
            "runbook": runbook,
            "host": host,
            "cause": cause,
            "status": str(entry.data.get("status") or ""),
            "summary": data(str(entry.data.get("summary") or ""), MOST_WORDS),
            "told": entry.data.get("evidence"),
        }
        for (runbook, host, cause), entry in reversed(last.items())
    ]
    told.sort(key=lambda one: one["status"] != "problem")
    for one in told[:FINDINGS]:
        one["evidence"], one["is_cut"] = room.take(one.pop("told"))
    return told[:FINDINGS]


def drawn(visit: Visit, incident: Incident) -> list[tuple[str, Markup]]:
    """The metrics that decided, as pictures."""
    named: dict[str, list[PlotEntry]] = {}
    for one in visit.sources.below.of_kinds(incident.id, ("metric",), 200):
        named.setdefault(str(one.data.get("name")), []).append(
            PlotEntry(one.number, one.at, one.kind, data=dict(one.data))
        )
    actions = visit.sources.below.of_kinds(incident.id, ("action",), 100) if named else []
    marks = [
        plot.Mark(one.at, one.number, f"{one.data.get('remedy')} {data(one.data.get('target'), 80)}") for one in actions
    ]
    window = incident.opened_at, incident.resolved_at or visit.now
    pictures = []
    for place, (name, found) in enumerate([*named.items()][:DRAWN], 1):
        picture = plot.svg(points.metric(name, found, window, ()), marks, name=f"plot-{place}")
        pictures.append((name, Markup(picture)))  # noqa: S704 - the texts in it are escaped
    return pictures


def entry(visit: Visit) -> Answer:
    """One entry with all that is in it."""
    incident = visit.sources.incidents.find(visit.part("name"))
    number = visit.part("number")
    found = (
        visit.sources.below.timeline(incident.id, int(number) - 1, 1)
        if number.isascii() and number.isdecimal() and 0 < len(number) < 10 and int(number) > 0
        else []
    )
    if not found or str(found[0].number) != number:
        raise Gone(f"{incident.name} has no entry {number[:20]}")
    may = visit.may(Role.RESPONDER)
    return Shown(
        "entry.html.j2",
        {
            "one": incident,
            "entry": found[0],
            "may_act": may,
            "pinned": found[0].number in incident.pins,
            "corrected": corrections(visit, incident).get(found[0].number),
        },
    )


# ---------------------------------------------------------------------- what people do
def _seconds(visit: Visit, name: str, unit: float = 60.0) -> float | None:
    """A number of minutes, in seconds; None where nothing is said."""
    told = visit.said(name)
    if not told:
        return None
    try:
        value = float(told)
    except ValueError:
        value = -1.0
    if not 0 < value <= 60 * 24 * 30:
        raise Unheard(f"{told[:20]!r} is no number of minutes")
    return value * unit


def _as_read(visit: Visit, name: str, what: str, known: Callable[[Incident], str]) -> Incidents:
    """The incidents, of which this one is changed only while it is as the form showed it; Lost where it is not."""
    incidents = visit.sources.incidents
    if "was" not in visit.form:
        return incidents
    incident = incidents.find(name)
    now = known(incident)
    if visit.form["was"] != now:
        raise Lost(
            f"meanwhile {what} is {now or 'nobody'}, set by somebody else; look at it, and say it again if you still want to"
        )
    return incidents.asked(incident.head.number)


def _acknowledge(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.acknowledge(name, who=visit.who)


def _note(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.note(name, visit.said("text"), who=visit.who)


def _assign(visit: Visit, name: str) -> Done:
    incidents = _as_read(visit, name, "the assignee", lambda one: one.assignee)
    return incidents.assign(name, visit.said("to"), who=visit.who)


def _role(visit: Visit, name: str) -> Done:
    role = visit.said("role")
    incidents = _as_read(visit, name, f"the {role[:20]}", lambda one: one.roles.get(role, ""))
    return incidents.role(name, role, visit.said("to"), who=visit.who)


def _severity(visit: Visit, name: str) -> Done:
    incidents = _as_read(visit, name, "the severity", lambda one: one.severity)
    return incidents.severity(name, visit.said("to"), who=visit.who, why=visit.said("why"))


def _mitigate(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.mitigate(name, visit.said("how"), who=visit.who)


def _update(visit: Visit, name: str) -> Done:
    after = _seconds(visit, "next_minutes")
    return visit.sources.incidents.update(
        name,
        visit.said("conditions"),
        who=visit.who,
        actions=visit.said("actions"),
        needs=visit.said("needs"),
        next_update_at=None if after is None else visit.now + after,
        customers=visit.said("customers") == "yes",
    )


def _escalate(visit: Visit, name: str) -> Done:
    targets = [one.strip() for one in visit.said("targets").split(",") if one.strip()]
    tried, need = visit.said("tried"), visit.said("need")
    if situation := visit.said("situation"):
        if targets:
            raise Unheard("name people, or a situation, and not both")
        return visit.sources.incidents.escalate_by(name, situation, who=visit.who, tried=tried, need=need)
    return visit.sources.incidents.escalate(name, targets, who=visit.who, tried=tried, need=need)


def _snooze(visit: Visit, name: str) -> Done:
    seconds = _seconds(visit, "minutes")
    if seconds is None:
        raise Unheard("say for how many minutes nobody is to be asked")
    return visit.sources.incidents.snooze(name, visit.now + seconds, visit.said("why"), who=visit.who)


def _resolve(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.resolve(name, visit.said("how"), who=visit.who)


def _reopen(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.reopen(name, visit.said("why"), who=visit.who)


def _close(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.close(name, who=visit.who, why=visit.said("why"))


def _cancel(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.cancel(name, visit.said("why"), who=visit.who)


def _merge(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.merge(name, visit.said("into"), who=visit.who)


def _link(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.link(name, visit.said("other"), who=visit.who, why=visit.said("why"))


def _step(visit: Visit, name: str) -> Done:
    done = visit.said("done") != "no"
    return visit.sources.incidents.step(name, visit.said("checklist"), visit.said("step"), who=visit.who, done=done)


def _number(visit: Visit) -> int:
    told = visit.said("number")
    if not (told.isascii() and told.isdecimal() and len(told) < 10):
        raise Unheard(f"{told[:20]!r} is no number of an entry")
    return int(told)


def _pin(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.pin(name, _number(visit), who=visit.who, pinned=visit.said("pinned") != "no")


def _correct(visit: Visit, name: str) -> Done:
    return visit.sources.incidents.correct(name, _number(visit), visit.said("text"), who=visit.who)


# Word of the path -> what it does, and the sentence that is said then.
COMMANDS: dict[str, tuple[Callable[[Visit, str], Done], str]] = {
    "acknowledge": (_acknowledge, "acknowledged"),
    "note": (_note, "changed"),
    "assign": (_assign, "assigned"),
    "role": (_role, "changed"),
    "severity": (_severity, "changed"),
    "mitigate": (_mitigate, "mitigated"),
    "update": (_update, "changed"),
    "escalate": (_escalate, "escalated"),
    "snooze": (_snooze, "snoozed"),
    "resolve": (_resolve, "resolved"),
    "reopen": (_reopen, "reopened"),
    "close": (_close, "closed"),
    "cancel": (_cancel, "cancelled"),
    "merge": (_merge, "merged"),
    "link": (_link, "changed"),
    "step": (_step, "changed"),
    "pin": (_pin, "changed"),
    "correct": (_correct, "changed"),
}


def do(visit: Visit) -> Answer:
    """A person does something about it."""
    command = COMMANDS.get(visit.part("command"))
    if command is None:
        raise Gone("nothing of an incident is done so")
    function, word = command
    done = function(visit, visit.part("name"))
    if word == "acknowledged" and is_only_noted(done):
        word = "noted"
    return Moved(f"/incidents/{done.incident.name}", word if done.entries else "already")


def is_only_noted(done: Done) -> bool:
    """Whether what was acknowledged was over already."""
    return [one.kind for one in done.entries] == ["note"]


def proof(visit: Visit) -> Answer:
    """Whether its timeline was changed, and what cannot be told."""
    incident, verdict = visit.sources.incidents.verify(visit.part("name"))
    return Shown("proof.html.j2", {"one": incident, "verdict": verdict, "most": MOST_PROBLEMS})


VIEWS = (
    View("/incidents/{name}", one, live="name"),
    View("/incidents/{name}/entries/{number}", entry),
    View("/incidents/{name}/verify", proof),
    View("/incidents/{name}/do/{command}", do, Role.RESPONDER, "POST"),
)

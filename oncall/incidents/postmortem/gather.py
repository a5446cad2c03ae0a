# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of an incident -> its post-mortem. A sentence is taken from the timeline as it was written then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..commands import AT_ONCE, FIX_FAILED
from . import points, words
from .document import (
    Action,
    Duration,
    Finding,
    Item,
    Line,
    Metric,
    Moment,
    Part,
    Person,
    Place,
    PostMortem,
    Review,
    Said,
    Severity,
    SeverityChange,
    Source,
    Subject,
)
from .moments import moments, seconds_between
from .template import Template
from .timeline import Entry, Timeline, more, number, plain

# Who writes these is a person, or a node that carries a command out.
_BY_PEOPLE = (
    *("acknowledged", "note", "corrected", "assigned", "approval", "role", "update", "step", "snoozed", "pinned"),
    *("mitigated", "resolved", "closed", "cancelled", "action_item", "postmortem"),
)
# What an entry says over several lines, by its kind.
_MORE = {"note": "text", "corrected": "text", "plan": "diff", "update": "conditions"}
_BY_NODES = ("timer", "delivery", "watch", "alert", "alert_ended")
_NOT_FINE = ("planned", "advised", "blocked", "unresolved", "unknown")


def of(document: Mapping[str, Any], template: Template | None = None) -> PostMortem:
    """The post-mortem of an incident.

    Args:
        document: the incident with its timeline, as ``oncall incident show --json`` tells it.
        template: the headings of its system.

    ValueError where the document is none.
    """
    timeline = Timeline(document)
    template = template or Template()
    times = moments(timeline)
    at = {one.name: one for one in times}
    actions = _actions(timeline)
    resolved = at["resolved"]
    window, because = _window(timeline, times)
    factors = _factors(timeline)
    incident = timeline.incident
    head = timeline.entries[-1].number if timeline.entries else 0
    return PostMortem(
        incident=Subject(
            id=words.line(incident.get("id"), 80),
            name=f"INC-{incident['number']}" if incident.get("number") is not None else "",
            system=words.line(incident.get("system"), 80),
            title=words.line(incident.get("title")),
            state=words.line(incident.get("state"), 40),
            count=incident["count"] if isinstance(incident.get("count"), int) else None,
            runbooks=tuple(words.line(one, 80) for one in incident.get("runbooks") or ()),
        ),
        source=Source(head, words.line((incident.get("head") or {}).get("hash"), 80)),
        review=_review(timeline),
        summary=_summary(timeline, factors),
        severity=_severity(timeline),
        moments=times,
        duration=_duration(at["detected"], resolved),
        people=_people(timeline),
        findings=tuple(_finding(timeline, one) for one in timeline.of("finding")),
        actions=actions,
        tried=_tried(timeline, actions),
        metrics=_metrics(timeline, window, because),
        impact=(*timeline.sentences(timeline.of("update")), *timeline.noted("impact")),
        factors=(*factors, *timeline.noted("factors")),
        whys=_whys(timeline),
        went_well=_went_well(timeline),
        could_be_better=_could_be_better(timeline),
        lessons=tuple(timeline.noted("lessons")),
        action_items=_items(timeline),
        links=_links(timeline),
        timeline=tuple(_line(timeline, one) for one in timeline.entries),
        parts=tuple(
            Part(heading.title, heading.shows, tuple(Place(asks, tuple(timeline.noted(asks))) for asks in heading.asks))
            for heading in template.parts()
        ),
        share=template.share,
    )


def _duration(detected: Moment, resolved: Moment) -> Duration:
    seconds = seconds_between(detected.at, resolved.at)
    why = resolved.not_known or detected.not_known or "it ends before it begins: a clock was set back"
    # With the entry of a resolution that does not hold.
    by = {*_from(detected, resolved), *(resolved.entries if resolved.at is None else ())}
    return Duration(seconds, tuple(sorted(by)), "" if seconds is not None else why)


def _window(timeline: Timeline, times: tuple[Moment, ...]) -> tuple[tuple[float, float], tuple[int, ...]]:
    """From when until when the incident was, and the entries that say so. It ends where the record does, if it is not resolved."""
    began = next((one for one in times if one.at is not None), None)
    resolved = next(one for one in times if one.name == "resolved")
    last = max(timeline.entries, key=lambda one: one.at, default=None)
    if last is None:
        return (0.0, 0.0), ()
    until = resolved.at if resolved.at is not None else last.at
    by = set(_from(resolved)) or {last.number}
    if began is None or began.at is None:
        return (until, until), tuple(by)
    return (began.at, until), tuple(sorted({*by, *_from(began)}))


def _from(*times: Moment | None) -> tuple[int, ...]:
    """The entries that say these times."""
    return tuple(sorted({one.entry for one in times if one and one.entry is not None}))


def _summary(timeline: Timeline, factors: tuple[Said, ...]) -> tuple[Said, ...]:
    """How it began, what was wrong, what helped, how it ended."""
    helped = [action for action, proof in _proofs(timeline) if proof is not None and proof.data.get("helped") is True]
    # As it stands now: a resolution that did not last is none.
    ends = [
        one
        for kind in ("mitigated", "resolved")
        for one in timeline.of(kind)[-1:]
        if timeline.incident.get(f"{kind}_at") is not None
    ]
    told = (*timeline.sentences(timeline.of("opened")[:1]), *factors[:3], *timeline.sentences([*helped[:3], *ends]))
    return (*told, *timeline.noted("summary"))


def _severity(timeline: Timeline) -> Severity:
    opened = timeline.of("opened")[:1]
    told = timeline.incident
    first = opened[0].data if opened else {}
    changed = timeline.of("severity")
    proposed = words.line(told.get("severity_proposed") or first.get("proposed"), 60)
    chosen = words.line(told.get("severity") or first.get("severity"), 60)
    return Severity(
        scheme=words.line(told.get("scheme") or first.get("scheme"), 80),
        proposed=proposed,
        reasons=tuple(words.line(one) for one in first.get("reasons") or ()),
        chosen=chosen,
        changes=tuple(
            SeverityChange(
                at=one.at,
                was=one.text("from"),
                now=one.text("to"),
                why=one.text("why"),
                who=words.line(one.who, 100),
                proposed=bool(one.data.get("proposed")),
                entries=timeline.numbers(one),
            )
            for one in changed
        ),
        entries=timeline.numbers(*opened, *changed),
        not_known="" if chosen else "no entry says how severe it is",
    )


def _review(timeline: Timeline) -> Review:
    told = timeline.of("postmortem")
    now = timeline.incident.get("postmortem") or (told[-1].data if told else {})
    state, owner = words.line(now.get("state"), 20), words.line(now.get("owner"), 100)
    lacks = [
        lack
        for lack, has in (("nobody owns it", owner), ("it is due at no time", number(now.get("due_at")) is not None))
        if not has
    ]
    why = " and ".join(lacks) if state else "no entry asks for one"
    return Review(state, owner, number(now.get("due_at")), timeline.numbers(*told), why)


def _people(timeline: Timeline) -> tuple[Person, ...]:
    nodes = {one.who for one in timeline.of(*_BY_NODES)} | {"", "oncall"}
    found: dict[str, set[int]] = defaultdict(set)
    for one in timeline.of(*_BY_PEOPLE):
        if one.who not in nodes:
            found[words.line(one.who, 100)].add(one.number)
    roles: dict[str, list[str]] = defaultdict(list)
    for one in timeline.of("role"):
        who = one.text("to")
        if who:
            found[who].add(one.number)
            roles[who] += [role for role in [one.text("role")] if role and role not in roles[who]]
    for one in timeline.of("assigned"):
        if who := one.text("to"):
            found[who].add(one.number)
    return tuple(Person(name, tuple(roles[name]), tuple(sorted(entries))) for name, entries in sorted(found.items()))


def _finding(timeline: Timeline, one: Entry) -> Finding:
    return Finding(
        at=one.at,
        runbook=one.text("runbook"),
        cause=one.text("cause"),
        status=one.text("status"),
        summary=one.text("summary") or words.line(one.words),
        evidence=plain(one.data.get("evidence")),
        figures=plain(one.data.get("figures")),
        entries=timeline.numbers(one),
        corrected=timeline.corrected(one),
    )


def _proofs(timeline: Timeline) -> list[tuple[Entry, Entry | None]]:
    """Each action with the verification that followed it: of the same run and runbook, before it acted again."""
    pairs: list[tuple[Entry, Entry | None]] = []
    waiting: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for one in timeline.of("action", "verification"):
        key = (one.run, str(one.data.get("runbook") or ""))
        if one.kind == "action":
            waiting[key].append(one)
        else:
            pairs += [(action, one) for action in waiting.pop(key, ())]
    pairs += [(action, None) for actions in waiting.values() for action in actions]
    return sorted(pairs, key=lambda pair: pair[0].number)


def _actions(timeline: Timeline) -> tuple[Action, ...]:
    return tuple(_action(timeline, one, proof) for one, proof in _proofs(timeline))


def _action(timeline: Timeline, one: Entry, proof: Entry | None) -> Action:
    helped = proof.data.get("helped") if proof else None
    helped = helped if isinstance(helped, bool) else None
    told = proof.data.get("figures") if proof else None
    unknown = "it could not be verified" if proof else "nobody looked afterwards"
    return Action(
        at=one.at,
        who=words.line(one.who, 100),
        runbook=one.text("runbook"),
        remedy=one.text("remedy"),
        target=plain(one.data.get("target")),
        risk=one.text("risk"),
        why=one.text("why"),
        before=plain(one.data.get("before")),
        after=plain(one.data.get("after")),
        changed=one.data["changed"] if isinstance(one.data.get("changed"), bool) else None,
        helped=helped,
        figures=tuple(plain(told)) if isinstance(told, (list, tuple)) else (),
        entries=timeline.numbers(one, *([proof] if proof else [])),
        not_known="" if helped is not None else unknown,
        corrected=timeline.corrected(one),
    )


def _tried(timeline: Timeline, actions: Iterable[Action]) -> tuple[Said, ...]:
    """What was begun and is not known to have helped: runs, plans that were rejected, actions, calls for help."""
    in_vain = {action.entries[0] for action in actions if action.helped is not True}
    found = [
        one
        for one in timeline.of("run", "approval", "action", "escalated")
        if (one.kind == "run" and one.data.get("outcome") in _NOT_FINE)
        or (one.kind == "approval" and one.data.get("decision") == "rejected")
        or one.number in in_vain
        or (one.kind == "escalated" and one.data.get("tried"))
    ]
    return (*timeline.sentences(found), *timeline.noted("tried"))


def _metrics(timeline: Timeline, window: tuple[float, float], because: tuple[int, ...]) -> tuple[Metric, ...]:
    named: dict[str, list[Entry]] = defaultdict(list)
    for one in timeline.of("metric"):
        named[one.text("name")].append(one)
    return tuple(points.metric(name, entries, window, because) for name, entries in named.items())


def _factors(timeline: Timeline) -> tuple[Said, ...]:
    """Each cause that was found, in the words of the last time, with all entries that found it."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for one in timeline.of("finding"):
        if one.data.get("status") == "problem":
            found[one.text("cause")].append(one)
    return tuple(_together(timeline, entries) for entries in found.values())


def _together(timeline: Timeline, entries: list[Entry]) -> Said:
    last = timeline.said(entries[-1])
    return Said(last.words, timeline.numbers(*entries), entries[0].at, last.who, last.corrected)


def _whys(timeline: Timeline) -> tuple[Place, ...]:
    """Five places: what people noted for them, one each, and the rest empty. Further notes go with the fifth."""
    said = [*timeline.noted("whys")]
    asks = ("Why did it happen?", *("And why was that?",) * 4)
    return tuple(Place(ask, tuple(said[at : at + 1] if at < 4 else said[4:])) for at, ask in enumerate(asks))


def _went_well(timeline: Timeline) -> tuple[Said, ...]:
    found = [one for one in timeline.of("verification") if one.data.get("helped") is True]
    watched = timeline.last("watch")
    found += [watched] if watched and watched.data.get("healthy") is True else []
    return (*timeline.sentences(found), *timeline.noted("went_well"))


def _could_be_better(timeline: Timeline) -> tuple[Said, ...]:
    """What the record shows of it: what did not help, came back, was not known, or did not reach anybody."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    late = _late(timeline)
    for one in timeline.of("verification", "reopened", "finding", "delivery", "suppressed", "escalated", "watch"):
        if (
            (one.kind == "verification" and one.data.get("helped") is not True)
            or (one.kind == "finding" and one.data.get("status") == "unknown")
            or (one.kind == "delivery" and one.data.get("result") != "sent")
            or (one.kind == "watch" and one.data.get("healthy") is not True)
            # Who has it already by the channel of all is not told again.
            or (one.kind == "suppressed" and one.data.get("is_told") is not True)
            or one.kind == "reopened"
            or (one.kind == "escalated" and one.number in late)
        ):
            found[one.kind, one.words].append(one)
    return (*(_together(timeline, entries) for entries in found.values()), *timeline.noted("could_be_better"))


def _late(timeline: Timeline) -> set[int]:
    """The escalations by which more people were asked because others had not seen to it: their timer says why it fired.

    What a policy asks for at once, and whom a person asks, is no delay.
    """
    late: set[int] = set()
    why = ""
    for one in timeline.of("timer", "escalated"):
        if one.kind == "timer" and one.data.get("state") == "fired":
            why = str(one.data.get("why") or "")
        elif one.kind == "escalated":
            if why not in ("", AT_ONCE, FIX_FAILED):
                late.add(one.number)
            # Of one timer, one escalation.
            why = ""
    return late


def _items(timeline: Timeline) -> tuple[Item, ...]:
    """Each action item as its last entry says, with all its entries. What an entry leaves out stays as it was."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for one in timeline.of("action_item"):
        found[one.text("item")].append(one)
    items = []
    for name, entries in found.items():
        told: dict[str, Any] = {}
        for one in entries:
            told |= {key: value for key, value in one.data.items() if value is not None}
        owner, due_at = words.line(told.get("owner"), 100), number(told.get("due_at"))
        lacks = [
            lack for lack, has in (("nobody owns it", owner), ("it is due at no time", due_at is not None)) if not has
        ]
        items.append(
            Item(
                item=name,
                text=words.line(told.get("text")) or words.line(entries[0].words),
                owner=owner,
                due_at=due_at,
                done=told.get("done") is True,
                entries=timeline.numbers(*entries),
                not_known=" and ".join(lacks),
            )
        )
    return tuple(items)


def _links(timeline: Timeline) -> tuple[Said, ...]:
    again = [one for one in timeline.of("opened") if one.data.get("opens_again")]
    return timeline.sentences([*again, *timeline.of("reopened", "linked", "merged", "took_in")])


def _line(timeline: Timeline, one: Entry) -> Line:
    late = seconds_between(one.at, one.written_at)
    kept = one.data.get(_MORE.get(one.kind, "")) or ""
    beside = [f"{name}: {told}" for name, told in more(one)]
    # What the line says already is not said again.
    is_said = words.line(kept) in words.line(one.words) and "\n" not in str(kept).strip()
    return Line(
        number=one.number,
        at=one.at,
        late_seconds=late or 0.0,
        kind=words.line(one.kind, 40),
        who=words.line(one.who, 100),
        words=words.line(one.words),
        text=words.text("\n".join([*([] if is_said else [str(kept)]), *beside])),
        corrected=timeline.corrected(one),
        pinned=one.number in timeline.pinned,
        entries=timeline.numbers(one),
    )

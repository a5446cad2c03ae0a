# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands below each heading, line by line: the same words for every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from . import words
from .document import Action, Finding, Item, Line, Metric, Moment, Place, PostMortem, Said
from .plot import description

# Of a longer timeline, the first and the last ones, those that are pinned and those that something here refers to.
LINES = 1000
# More of one kind nobody reads, nor more numbers of entries.
ROWS, CITED = 200, 12


@dataclass(frozen=True)
class Row:
    """A line.

    Attributes:
        name: what it is about; "" where the words say so.
        words: what is said.
        entries: the numbers of the entries that say it.
        detail: what belongs to it and is read by those who ask, over several lines.
        about: what the detail is.
        corrected: what a later entry says instead.
        empty: whether it is a place that people fill in.
        number: of the entry that it shows, in the timeline; else 0.
        pinned: whether that one is pinned.
    """

    name: str
    words: str
    entries: tuple[int, ...] = ()
    detail: str = ""
    about: str = "the whole text"
    corrected: str = ""
    empty: bool = False
    number: int = 0
    pinned: bool = False


_NOTHING = {
    "summary": "the record says nothing",
    "people": "the record names nobody",
    "impact": "the record says nothing of it",
    "findings": "no runbook looked",
    "actions": "nothing was done that the record knows of",
    "tried": "nothing else is in the record",
    "factors": "no cause is in the record",
    "went_well": "the record says nothing of it",
    "could_be_better": "the record says nothing of it",
    "action_items": "none is in the record",
    "links": "none is in the record",
    "timeline": "it is empty",
}
# What only people can say has an empty place, also where the record has something.
_ASKED = {
    "impact": "Who was affected, and how?",
    "went_well": "What else went well?",
    "could_be_better": "What else could be better?",
    "lessons": "What was learned?",
}


def rows(post: PostMortem, key: str) -> list[Row]:
    """What stands below a heading; one of `template.SHOWN`."""
    found = list(_SECTIONS[key](post))
    if len(found) > ROWS and key != "timeline":
        found = [*found[:ROWS], Row("", "the record has more of them", found[ROWS].entries)]
    if not found and key in _NOTHING:
        found.append(Row("", _NOTHING[key]))
    if key in _ASKED:
        found.append(Row(_ASKED[key], "", empty=True))
    return found


def places(asked: Iterable[Place]) -> Iterator[Row]:
    """Questions with what people answered, or with an empty place."""
    for place in asked:
        for one in place.said:
            yield Row(place.asks, "", one.entries, _and_who(one), "answer", one.corrected)
        if not place.said:
            yield Row(place.asks, "", empty=True)


def heading(post: PostMortem) -> str:
    """The title of the document."""
    return f"Post-mortem: {post.incident.name} {post.incident.title}".replace(":  ", ": ")


def facts(post: PostMortem) -> Iterator[Row]:
    """What stands at the top: system, severity, duration, how far the document is."""
    yield Row("System", post.incident.system or words.NOT_KNOWN)
    yield Row("State", post.incident.state or words.NOT_KNOWN)
    yield Row("Severity", post.severity.chosen or words.NOT_KNOWN, post.severity.entries)
    yield Row("Duration", _or_why(words.span(post.duration.seconds), post.duration.not_known), post.duration.entries)
    review = post.review
    owner = f"owned by {review.owner}" if review.owner else "nobody owns it"
    due = f"due {words.when(review.due_at)}" if review.due_at is not None else "due at no time"
    yield Row("Post-mortem", f"{review.state}, {owner}, {due}" if review.state else review.not_known, review.entries)
    if post.share:
        yield Row("Share it in", post.share)


def _said(told: Iterable[Said]) -> Iterator[Row]:
    for one in told:
        if "\n" in one.words:
            first, rest = one.words.split("\n", 1)
            yield Row("", first, one.entries, rest.strip(), corrected=one.corrected)
        else:
            yield Row("", one.words, one.entries, corrected=one.corrected)


def _and_who(one: Said) -> str:
    return f"{one.words}\n({one.who}, {words.when(one.at)})" if one.who else one.words


def _severity(post: PostMortem) -> Iterator[Row]:
    told = post.severity
    if told.scheme:
        yield Row("Scheme", told.scheme, told.entries[:1])
    yield Row("Proposed", told.proposed or words.NOT_KNOWN, told.entries)
    for reason in told.reasons:
        yield Row("Because", reason, told.entries[:1])
    yield Row("Set", told.chosen or told.not_known, told.entries)
    for one in told.changes:
        by = "the decision matrix" if one.proposed else one.who or words.NOT_KNOWN
        why = f": {one.why}" if one.why else ""
        yield Row(
            words.when(one.at),
            f"{one.was or words.NOT_KNOWN} to {one.now or words.NOT_KNOWN} by {by}{why}",
            one.entries,
        )


def _times(post: PostMortem) -> Iterator[Row]:
    before = ""
    for one in post.moments:
        yield Row(one.name.capitalize(), _time(one, before), one.entries)
        before = one.name if one.at is not None else before
    yield Row("Duration", _or_why(words.span(post.duration.seconds), post.duration.not_known), post.duration.entries)


def _time(one: Moment, before: str) -> str:
    if one.at is None:
        return f"{words.NOT_KNOWN}: {one.not_known}"
    told = [words.when(one.at)]
    if one.after_seconds is not None and one.name != "detected":
        told.append(f"{words.span(one.after_seconds)} after it was detected")
    if one.step_seconds is not None and before and before != "detected":
        told.append(f"{words.span(one.step_seconds)} after it {'began' if before == 'began' else f'was {before}'}")
    return "; ".join([*told, *([one.not_known] if one.not_known else [])])


def _or_why(told: str, why: str) -> str:
    return f"{words.NOT_KNOWN}: {why}" if why else told


def _people(post: PostMortem) -> Iterator[Row]:
    for one in post.people:
        yield Row(one.name, words.listed(one.roles) or "took part", one.entries)


def _impact(post: PostMortem) -> Iterator[Row]:
    yield from _said(post.impact)
    for one in post.metrics:
        yield Row("", metric_in_words(one), one.entries)


def metric_in_words(one: Metric) -> str:
    return description(one)


def _findings(post: PostMortem) -> Iterator[Row]:
    for one in post.findings:
        if one.status != "ok":
            state = (
                ""
                if one.status == "problem"
                else f"{words.NOT_KNOWN}: "
                if one.status == "unknown"
                else f"{one.status}: "
            )
            yield Row(
                _name(one.runbook, one.cause),
                f"{state}{one.summary}",
                one.entries,
                _evidence(one),
                "evidence",
                one.corrected,
            )
    fine = [one for one in post.findings if one.status == "ok"]
    if fine:
        causes = dict.fromkeys(_name(one.runbook, one.cause) for one in fine)
        yield Row(
            "Looked for and not found", words.listed(causes), tuple(sorted({n for one in fine for n in one.entries}))
        )


def _name(runbook: str, what: str) -> str:
    return ", ".join(part for part in (runbook, what) if part)


def _evidence(one: Finding) -> str:
    parts = {"figures": words.data(one.figures), "evidence": words.data(one.evidence)}
    return "\n\n".join(f"{name}:\n{told}" for name, told in parts.items() if told)


def _actions(post: PostMortem) -> Iterator[Row]:
    for one in post.actions:
        yield Row(
            _name(one.runbook, one.remedy),
            _action(one),
            one.entries,
            _before_and_after(one),
            "before and after",
            one.corrected,
        )


def _action(one: Action) -> str:
    target = words.data(one.target).replace("\n", ", ")
    helped = {
        True: "it helped",
        False: "it did not help",
        None: f"whether it helped is {words.NOT_KNOWN}: {one.not_known}",
    }[one.helped]
    told = [
        f"by {one.who or words.NOT_KNOWN} at {words.when(one.at)}",
        *([f"on {target}"] if target else []),
        *([f"risk {one.risk}"] if one.risk else []),
        *([f"because {one.why}"] if one.why else []),
        *(["it changed nothing"] if one.changed is False else []),
    ]
    return f"{', '.join(told)}; {helped}"


def _before_and_after(one: Action) -> str:
    parts = {"before": one.before, "after": one.after}
    if one.figures:
        parts |= dict(zip(("verified, before", "verified, after"), one.figures, strict=False))
    return "\n\n".join(f"{name}:\n{words.data(told)}" for name, told in parts.items() if words.data(told))


def _items(post: PostMortem) -> Iterator[Row]:
    for one in post.action_items:
        yield Row(_done(one), f"{one.text} ({_owner(one)})", one.entries)


def _done(one: Item) -> str:
    return "Done" if one.done else "Open"


def _owner(one: Item) -> str:
    owner = f"owned by {one.owner}" if one.owner else "nobody owns it"
    return f"{owner}, due {words.day(one.due_at)}" if one.due_at is not None else f"{owner}, due at no time"


def _timeline(post: PostMortem) -> Iterator[Row]:
    told = post.timeline
    if len(told) <= LINES:
        yield from map(_line, told)
        return
    shown = _shown(post)
    left_out: list[Line] = []
    for one in told:
        if one.number in shown:
            yield from _left_out(left_out)
            left_out = []
            yield _line(one)
        else:
            left_out.append(one)


def _shown(post: PostMortem) -> set[int]:
    """The numbers of the entries that are shown, with all that correct them."""
    ends = {one.number for one in (*post.timeline[: LINES // 2], *post.timeline[-LINES // 2 :])}
    wanted = [*ends, *_cited(post), *(one.number for one in post.timeline if one.pinned)]
    shown: set[int] = set()
    while wanted:
        number = wanted.pop()
        if number not in shown:
            shown.add(number)
            wanted += post.timeline[number - 1].entries[:CITED]
    return shown


def _cited(post: PostMortem) -> set[int]:
    """The numbers that stand anywhere else in the document."""
    elsewhere = [*facts(post), *(row for part in post.parts for row in places(part.places))]
    elsewhere += [row for key in _SECTIONS if key != "timeline" for row in rows(post, key)]
    return {number for row in elsewhere for number in row.entries[:CITED]}


def _left_out(lines: list[Line]) -> Iterator[Row]:
    if lines:
        yield Row("", f"entries {lines[0].number} to {lines[-1].number} are not shown here; the record has them")


def _line(one: Line) -> Row:
    by = f"{one.kind.replace('_', ' ')} by {one.who}" if one.who else one.kind.replace("_", " ")
    late = f", written {words.span(one.late_seconds)} later" if one.late_seconds >= 60 else ""
    others = tuple(number for number in one.entries if number != one.number)
    said = one.words or "(no words)"
    return Row(
        f"{words.when(one.at)}, {by}{late}",
        said,
        others,
        one.text,
        "what would change" if one.kind == "plan" else "the whole text",
        corrected=one.corrected,
        number=one.number,
        pinned=one.pinned,
    )


_SECTIONS: dict[str, Callable[[PostMortem], Iterator[Row]]] = {
    "summary": lambda post: _said(post.summary),
    "severity": _severity,
    "times": _times,
    "people": _people,
    "impact": _impact,
    "findings": _findings,
    "actions": _actions,
    "tried": lambda post: _said(post.tried),
    "factors": lambda post: _said(post.factors),
    "whys": lambda post: places(post.whys),
    "went_well": lambda post: _said(post.went_well),
    "could_be_better": lambda post: _said(post.could_be_better),
    "lessons": lambda post: _said(post.lessons),
    "action_items": _items,
    "links": lambda post: _said(post.links),
    "timeline": _timeline,
}

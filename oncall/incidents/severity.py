# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How severe an incident is: the levels of a system, what its matrix proposes, and what a person says instead. No I/O but :func:`levels_of_triage`.

A level is taken by the rules of the runbook triage, which are imported and not written again. ``system_severities`` says which level is meant by
what was found; ``incident_severities`` says what each level means for people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..catalog import collection
from ..errors import OncallError
from ..shared import masked, plugin_util

# The words that runbooks have for it, the most severe first.
COMMON = ("critical", "high", "medium", "low")
NOT_TOLD = "nothing tells how severe it is: taken as the most severe until a person decides"
# What alerts call it.
_LABELS = {"page": "critical", "emergency": "critical", "fatal": "critical", "error": "high", "major": "high", "warning": "medium",
           "warn": "medium", "minor": "medium", "info": "low", "information": "low", "notice": "low"}  # fmt: skip
_LEVEL_KEYS = {"name", "meaning", "respond_within_minutes", "respond", "communicate", "examples"}
_DECISION_KEYS = {"if", "when", "then", "level"}


class SchemeError(OncallError):
    """The severities of an inventory are wrong; the message is one line."""


@dataclass(frozen=True)
class Level:
    """One level.

    Attributes:
        name: what people call it, such as P1.
        rank: 0 is the most severe.
        common: ``critical``, ``high``, ``medium`` or ``low``.
        means: what it is, in a few words.
        respond_seconds: within which somebody has to respond; None where no time is given.
        respond: that time in words.
        communicate: the ways in which people are told.
        examples: as the document of the system has them.
        when: the words of triage of which one has to be true.
    """

    name: str
    rank: int
    common: str
    means: str = ""
    respond_seconds: float | None = None
    respond: str = ""
    communicate: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    when: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """A row of the decision matrix.

    Attributes:
        question: such as "All users affected".
        when: the words of triage by which it is answered; none where only a person can.
        then: what to do.
        level: the level that it means; "" where it is advice only.
    """

    question: str
    when: tuple[str, ...] = ()
    then: str = ""
    level: str = ""


@dataclass(frozen=True)
class Seen:
    """What is known when the severity is asked for.

    Attributes:
        facts: what triage worked out: name -> the text that says it.
        hints: the same, of what decides no level.
        problems: runbook -> its severity, of those that found something, in the order of their rank.
        label: what an alert calls its severity, as it came; "" for none.
        answers: the questions of the matrix to which a person said yes.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    answers: Collection[str] = ()


@dataclass(frozen=True)
class Proposal:
    """What the matrix proposes.

    Attributes:
        level: its name.
        reasons: why, the first the one that decided.
        advice: what to do first, by the rows of the matrix that are true.
    """

    level: str
    reasons: tuple[str, ...]
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scheme:
    """The levels of one system, the most severe first, and its matrix."""

    levels: tuple[Level, ...]
    decisions: tuple[Decision, ...] = ()

    @property
    def name(self) -> str:
        """How it is called in a record, such as ``P0-P3``."""
        return f"{self.levels[0].name}-{self.levels[-1].name}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(level.name for level in self.levels)

    def level(self, name: str) -> Level:
        """The level of this name, in any case.

        Raises:
            SchemeError: there is none; it names those that there are.
        """
        wanted = str(name).strip().casefold()
        for level in self.levels:
            if level.name.casefold() == wanted:
                return level
        raise SchemeError(f"there is no severity {masked(name, 40)!r} here; there are {', '.join(self.names)}")

    def of_common(self, common: str) -> Level:
        """The level that stands for ``critical``, ``high``, ``medium`` or ``low``; where there is none, the next more severe one."""
        wanted = COMMON.index(common)
        at_least = [level for level in self.levels if COMMON.index(level.common) <= wanted]
        return at_least[-1] if at_least else self.levels[0]


def levels_of_triage() -> list[dict[str, Any]]:
    """The levels that triage takes where an inventory has no ``system_severities``."""
    path = collection() / "roles" / "system" / "defaults" / "main.yml"
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))["system_severities"])


def scheme_of(variables: Mapping[str, Any]) -> Scheme:
    """The scheme that the variables of an inventory describe, checked.

    Args:
        variables: of which ``system_severities`` (else the default of triage), ``incident_severities`` and ``incident_decisions`` are read.

    Raises:
        SchemeError: a level is only in one of the two, or a value is wrong.
    """
    ranked = variables.get("system_severities") or levels_of_triage()
    people = variables.get("incident_severities") or {}
    if not isinstance(people, Mapping):
        raise SchemeError("incident_severities: has to be a mapping from level to what it means")
    names = [str(one["level"]) for one in ranked]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise SchemeError(f"system_severities: {double[0]} is there twice")
    if people and (only := sorted(set(names) ^ {str(name) for name in people})):
        where, other = (
            ("system_severities", "incident_severities")
            if only[0] in names
            else ("incident_severities", "system_severities")
        )
        raise SchemeError(f"{where}: {only[0]} is not in {other}; both have to name the same levels")
    levels = tuple(_level(rank, one, people.get(str(one["level"])) or {}) for rank, one in enumerate(ranked))
    scheme = Scheme(levels, tuple(_decision(one) for one in variables.get("incident_decisions") or ()))
    for decision in scheme.decisions:
        if decision.level and decision.level not in names:
            raise SchemeError(
                f"incident_decisions: {decision.question!r} means the unknown level {decision.level!r}; there are {', '.join(names)}"
            )
    return scheme


def _level(rank: int, ranked: Mapping[str, Any], people: Mapping[str, Any]) -> Level:
    name = str(ranked["level"])
    if unknown := sorted(set(people) - _LEVEL_KEYS):
        raise SchemeError(
            f"incident_severities: {name} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(_LEVEL_KEYS))}"
        )
    common = str(people.get("name") or COMMON[min(rank, len(COMMON) - 1)])
    if common not in COMMON:
        raise SchemeError(f"incident_severities: {name} has the name {common!r}, which is none of {', '.join(COMMON)}")
    minutes = people.get("respond_within_minutes")
    if minutes is not None and (
        isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 < minutes < 1e6
    ):
        raise SchemeError(f"incident_severities: {name} has to say respond_within_minutes as a number above 0")
    return Level(
        name,
        rank,
        common,
        str(people.get("meaning") or ranked.get("means") or ""),
        None if minutes is None else minutes * 60.0,
        str(people.get("respond") or ("" if minutes is None else f"within {_minutes(minutes)}")),
        _texts(people.get("communicate")),
        _texts(people.get("examples")),
        _texts(ranked.get("when")),
    )


def _minutes(minutes: float) -> str:
    return f"{minutes / 60:g} h" if minutes >= 60 and minutes % 60 == 0 else f"{minutes:g} min"


def _decision(one: Mapping[str, Any]) -> Decision:
    if not isinstance(one, Mapping) or not one.get("if"):
        raise SchemeError("incident_decisions: each row needs an if, the question")
    if unknown := sorted(set(one) - _DECISION_KEYS):
        raise SchemeError(
            f"incident_decisions: {one['if']!r} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(_DECISION_KEYS))}"
        )
    return Decision(str(one["if"]), _texts(one.get("when")), str(one.get("then") or ""), str(one.get("level") or ""))


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (str(value),) if isinstance(value, str) else tuple(str(one) for one in value)


def trouble_with_words(scheme: Scheme, facts: Iterable[str], hints: Iterable[str], runbooks: Iterable[str]) -> str:
    """A word of the scheme that triage never says, in one line, or "".

    Args:
        scheme: whose words are checked.
        facts: the names of what triage works out for levels; ``hints``: of what it works out besides.
        runbooks: the names of all runbooks.
    """
    triage = plugin_util("triaging.severity")
    known = triage.words_of(dict.fromkeys(facts, ""), list(runbooks))
    rows = [{"level": level.name, "when": list(level.when)} for level in scheme.levels]
    if trouble := triage.trouble_with(rows, known):
        return str(trouble)
    more = known | set(hints)
    for decision in scheme.decisions:
        for word in decision.when:
            if word not in more:
                return f"incident_decisions: {decision.question!r} has the unknown word {word!r} in when; known are {', '.join(sorted(more))}"
    return ""


def propose(scheme: Scheme, seen: Seen) -> Proposal:
    """The most severe level that anything known means, with every reason.

    What cannot be told is taken as the most severe: a person can lower it, and nobody is left asleep by a word that nobody knew.
    """
    found: list[tuple[int, str]] = []
    advice: list[str] = []
    rows = [{"level": level.name, "means": level.means, "when": level.when} for level in scheme.levels]
    if taken := plugin_util("triaging.severity").level(rows, seen.facts, seen.problems):
        found.append((scheme.level(taken.name).rank, f"{taken.name}: {masked(taken.since, 200)}"))
    for decision in scheme.decisions:
        if since := _since(decision, seen):
            if decision.then:
                advice.append(f"{decision.question}: {decision.then}")
            if decision.level:
                found.append(
                    (
                        scheme.level(decision.level).rank,
                        f"{decision.level}: {decision.question}, since {masked(since, 200)}",
                    )
                )
    if seen.label:
        found.append(_by_label(scheme, seen.label))
    if not found:
        return Proposal(
            scheme.levels[0].name,
            (NOT_TOLD,),
            tuple(advice),
        )
    found.sort(key=lambda one: one[0])
    return Proposal(scheme.levels[found[0][0]].name, tuple(reason for _rank, reason in found), tuple(advice))


def _since(decision: Decision, seen: Seen) -> str:
    if decision.question in seen.answers:
        return "a person says so"
    for word in decision.when:
        if said := seen.facts.get(word) or seen.hints.get(word):
            return said
        if word in seen.problems:
            return f"{word} has found something"
    return ""


def _by_label(scheme: Scheme, label: str) -> tuple[int, str]:
    shown, word = masked(label, 40), label.strip().casefold()
    for level in scheme.levels:
        if level.name.casefold() == word:
            return level.rank, f"{level.name}: the alert says {shown}"
    common = word if word in COMMON else _LABELS.get(word)
    if common:
        level = scheme.of_common(common)
        return level.rank, f"{level.name}: the alert says {shown}"
    return 0, f"{scheme.levels[0].name}: the alert says {shown}, which is no severity here: taken as the most severe"


@dataclass(frozen=True)
class Change:
    """From one level to another.

    Attributes:
        before, after: names of levels.
        raised: to a more severe one.
        lowered: to a less severe one.
    """

    before: str
    after: str
    raised: bool
    lowered: bool

    @property
    def arms_anew(self) -> bool:
        """Whether the escalation begins again: only ever by raising."""
        return self.raised


def change(scheme: Scheme, before: str, after: str) -> Change:
    """What it means to set ``after`` where ``before`` was.

    A level that an earlier scheme had and this one has not is below all: what comes after it is a raise, and people are told.
    """
    new = scheme.level(after)
    try:
        old = scheme.level(before).rank
    except SchemeError:
        old = len(scheme.levels)
    return Change(before, new.name, new.rank < old, new.rank > old)


def decided(scheme: Scheme, proposal: Proposal, before: str, by_person: str = "", why: str = "") -> dict[str, Any]:
    """The data of an entry ``severity``: what a person says, else what the matrix proposes. Both are kept.

    Args:
        scheme: of the system.
        proposal: of the matrix.
        before: the level until now; "" for none.
        by_person: the level that a person gave; "" for none.
        why: in the person's words.
    """
    level = scheme.level(by_person).name if by_person else proposal.level
    reason = masked(why, 500) if by_person else proposal.reasons[0]
    return {
        "from": before,
        "to": level,
        "scheme": scheme.name,
        "why": reason or "a person decided",
        "proposed": not by_person,
        "raised": bool(before) and change(scheme, before, level).raised,
        "proposal": {"level": proposal.level, "reasons": list(proposal.reasons)},
    }

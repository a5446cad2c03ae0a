# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What triage says: one screen for a person, and a run for the record. No I/O."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.text.masking import masked
from ...module_utils.text.one_line import one_line
from ..lifecycle import ADVISED, HEALTHY, UNKNOWN
from .rank import Ranked, ranked
from .severity import Level, level
from .share import NOT_JUDGED, NOT_SET_UP, OVERVIEW, PROBLEM, WELL, Judged
from .share import UNKNOWN as NOT_SEEN

RUNBOOK = "triage"
# What fits on one screen beside all else.
_MOST_PROBLEMS = 6
_MOST_UNSEEN = 5
_WIDTH = 240
_FACT_WIDTH = 120
_INDENT = "   "
# As the overview begins to say of what it could not see.
_UNSEEN_FACT = "not seen: "


@dataclass(frozen=True)
class Wanted:
    """What was asked for besides a look.

    Attributes:
        alert: a name from outside, as it was given; "" for none.
        run: whether to run what comes first.
        window_seconds: for how long this look watched at most.
        scheme: C(system_severities).
        dashboards: name -> URL.
    """

    alert: str
    run: bool
    window_seconds: float
    scheme: Sequence[Mapping[str, Any]]
    dashboards: Mapping[str, str]


class Report:
    """What came of one look.

    Args:
        judged: of all runbooks, and the overview.
        wanted: see :class:`Wanted`.
        hints: the names of facts that are no words of the scheme.

    Attributes:
        outcome: ``advised`` where something was found; ``unknown`` where something could not be seen or was not judged, or nothing
            is set up; else ``healthy``.
        first: the runbook to run; "" for none.
    """

    def __init__(self, judged: Sequence[Judged], wanted: Wanted, hints: Iterable[str]) -> None:
        self._wanted = wanted
        self._of = {one.runbook: one for one in sorted(judged, key=lambda one: one.runbook) if one.state != OVERVIEW}
        self._overview = next((one for one in judged if one.state == OVERVIEW), None)
        problems = self._in(PROBLEM)
        self._ranks = ranked(
            {one.runbook: one.findings for one in problems}, {one.runbook: one.meta["severity"] for one in problems}
        )
        self._alerted, self._alert_line = self._alert()
        hint_names = set(hints)
        facts = {
            name: one_line(text, _FACT_WIDTH)
            for one in problems
            for name, text in one.facts.items()
            if name not in hint_names
        }
        hinted = {name: text for one in self._of.values() for name, text in one.facts.items() if name in hint_names}
        # What is worked out is for the severity of an incident too, whose matrix may ask for hints.
        self._facts = {**facts, **{name: one_line(text, _FACT_WIDTH) for name, text in hinted.items()}}
        by_rank = {rank.runbook: self._of[rank.runbook].meta["severity"] for rank in self._ranks}
        self.level: Level | None = level(wanted.scheme, facts, by_rank)
        self._hints = [*hinted.values()]
        self.first = self._alerted if wanted.alert else self._ranks[0].runbook if self._ranks else ""
        self.outcome = self._outcome()

    def _in(self, state: str) -> list[Judged]:
        return [one for one in self._of.values() if one.state == state]

    def _outcome(self) -> str:
        if self._ranks:
            return ADVISED
        unseen = self._in(NOT_SEEN) or self._in(NOT_JUDGED) or self._is_bare()
        return UNKNOWN if unseen else HEALTHY

    def _is_bare(self) -> bool:
        """Whether nothing of a stack was seen to be well."""
        return all(one.meta.get("of_any_host") for one in self._in(WELL))

    def _alert(self) -> tuple[str, str]:
        """The runbook that answers the alert, and what it says of this look."""
        alert = self._wanted.alert
        if not alert:
            return "", ""
        known = {str(name): one.runbook for one in self._of.values() for name in one.meta.get("alerts") or ()}
        shown = one_line(alert, 80)
        if alert not in known:
            near = difflib.get_close_matches(shown, known, n=2, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else "docs/runbooks.md has the alerts of all runbooks"
            return "", f"no runbook answers the alert {shown}; {hint}"
        one = self._of[known[alert]]
        return one.runbook, f"alert {shown} is for {one.runbook}, which {_SAYS[one.state]}: {one.line}"

    # ------------------------------------------------------------------ one screen
    def summary(self) -> str:
        """What was found, in one line."""
        if self._ranks:
            severity = f"{self.level.name}, since {self.level.since}; " if self.level else ""
            more = len(self._ranks) - 1
            first = self._ranks[0].runbook
            return f"{severity}first {first}: {self._of[first].line}" + (f" (and {more} more)" if more else "")
        well = len(self._in(WELL))
        parts = [f"nothing found by {_counted(well, 'runbook')}" if well else "nothing was judged"]
        for state, words in ((NOT_SEEN, "cannot tell"), (NOT_JUDGED, "not judged here")):
            if names := [one.runbook for one in self._in(state)]:
                parts.append(f"{words}: {', '.join(names)}")
        if not well and len(self._in(NOT_SET_UP)) == len(self._of):
            parts.append("the inventory has nothing that a runbook looks at")
        elif well and self._is_bare():
            parts.append(
                f"the inventory says nothing of the stack that could be judged: {', '.join(one.runbook for one in self._in(WELL))} looks at any host"
            )
        return "; ".join(parts)

    def screen(self) -> list[str]:
        """The lines for a person, the most urgent first."""
        lines = [
            *([self._alert_line] if self._alert_line else []),
            *([f"{self.level.name}: {self.level.means}, since {self.level.since}"] if self.level else []),
            *self._found(),
            *(f"hint: {text}" for text in self._hints if self._ranks),
            *self._unseen(),
            *self._not_judged(),
            *self._names("well", self._in(WELL)),
            *self._names("not set up", self._in(NOT_SET_UP)),
            *(f"{name}: {text}" for name, text in self._overview_lines()),
            *(
                [f"dashboards: {', '.join(f'{name} {url}' for name, url in self._wanted.dashboards.items())}"]
                if self._wanted.dashboards
                else []
            ),
            *self._next(),
        ]
        return [_INDENT * line.startswith(_INDENT) + masked(line, _WIDTH) for line in lines]

    def _found(self) -> Iterable[str]:
        shown = [rank for rank in self._ranks if not rank.explained_by]
        effects = {rank.runbook for rank in self._ranks if rank.explained_by}
        for number, rank in enumerate(shown[:_MOST_PROBLEMS], 1):
            yield f"{number}. {rank.runbook} ({self._of[rank.runbook].meta['severity']}): {self._of[rank.runbook].line}"
            if explains := self._explained(rank, effects):
                yield f"{_INDENT}explains {', '.join(explains)}"
            if number == 1 and (what := self._what_to_do(rank.runbook)):
                yield f"{_INDENT}{what}"
        if rest := [rank.runbook for rank in shown[_MOST_PROBLEMS:]]:
            yield f"also: {', '.join(rest)}"

    def _explained(self, rank: Ranked, effects: set[str]) -> list[str]:
        """The effects of a cause, and theirs."""
        by_name = {one.runbook: one for one in self._ranks}
        found: list[str] = []
        pending = list(rank.explains)
        while pending:
            name = pending.pop(0)
            if name in effects and name not in found:
                found.append(name)
                pending += by_name[name].explains
        return found

    def _what_to_do(self, runbook: str) -> str:
        one = self._of[runbook]
        steps = [step for step in one.plan.get("steps") or () if step["available"]]
        if steps:
            return "remedy " + "; ".join(f"{step['remedy']} (risk {step['risk']}) on {step['words']}" for step in steps)
        handed = [
            finding["hand_over"]
            for finding in one.findings
            if finding["status"] == PROBLEM and finding.get("hand_over")
        ]
        if handed:
            return f"hands over to {', '.join(dict.fromkeys(handed))}"
        advice = [
            line
            for finding in one.findings
            if finding["status"] == PROBLEM
            for line in ([finding["advice"]] if isinstance(finding.get("advice"), str) else finding.get("advice") or ())
        ]
        return f"advice {advice[0]}" if advice else ""

    def _unseen(self) -> Iterable[str]:
        groups = self._unseen_groups()
        yield from (f"cannot tell: {', '.join(names)}: {reason}" for reason, names in groups[:_MOST_UNSEEN])
        if rest := [name for _reason, names in groups[_MOST_UNSEEN:] for name in names]:
            yield f"cannot tell either: {', '.join(rest)}"

    def _unseen_groups(self) -> list[tuple[str, list[str]]]:
        """Each reason, and those that have it."""
        groups: list[tuple[str, list[str]]] = []
        for one in self._in(NOT_SEEN):
            line = one.line.split(" (cannot tell about ")[0]
            place = next((at for at, (reason, _names) in enumerate(groups) if _is_same(line, reason)), None)
            if place is None:
                groups.append((line, [one.runbook]))
            else:
                reason, names = groups[place]
                groups[place] = (max(reason, line, key=_how_it_says_it), [*names, one.runbook])
        return groups

    def _not_judged(self) -> Iterable[str]:
        called = [one for one in self._in(NOT_JUDGED) if one.is_called]
        for one in called:
            yield f"not judged here: {one.runbook}: its signal is there, and it waits for {one.needs_seconds:g} s before it concludes anything"
        if others := [one for one in self._in(NOT_JUDGED) if not one.is_called]:
            names = ", ".join(f"{one.runbook} ({one.needs_seconds:g} s)" for one in others)
            longest = max(one.needs_seconds for one in others)
            yield f"not judged here, as they have to watch for longer: {names}; -e triage_window_seconds={longest:g} judges them"

    def _names(self, title: str, those: Sequence[Judged]) -> Iterable[str]:
        if those:
            yield f"{title}: {', '.join(one.runbook for one in those)}"

    def _overview_lines(self) -> Iterable[tuple[str, str]]:
        said = [reason for reason, _names in self._unseen_groups()[:_MOST_UNSEEN]]
        for name, text in self._overview.facts.items() if self._overview else ():
            before, unseen, reason = text.partition(_UNSEEN_FACT)
            again = not before and unseen and any(_is_same(reason, one) for one in said)
            yield name, "not seen, as said above" if again else text

    def _next(self) -> Iterable[str]:
        if self._wanted.run or not self.first:
            return
        yield f"next: playbooks/{self.first}.yml --check shows all of it and its plan; -e triage_run=true runs it here and now"

    # ------------------------------------------------------------------ for the record
    def run(self, host: str, began: float, now: float, check_mode: bool) -> dict[str, Any]:
        """The same keys as of a runbook's run, so that whoever reads those can read this. ``lines`` is the screen."""
        first = self._of.get(self.first)
        return {
            "run_id": uuid.uuid4().hex[:12],
            "runbook": RUNBOOK,
            "host": host,
            "outcome": self.outcome,
            "summary": self.summary(),
            "lines": self.screen(),
            "started_at": round(began, 3),
            "finished_at": round(now, 3),
            "seconds": round(max(0.0, now - began), 3),
            "check_mode": check_mode,
            "findings": self._findings(),
            "findings_after": [],
            "health": [],
            "health_after": [],
            "before_and_after": [],
            "not_looked_at": [
                f"{one.runbook}: {line}" for one in self._of.values() if one.state == WELL for line in one.not_looked_at
            ],
            "plan": {"steps": [], "risk": "none", "hash": ""},
            "actions": [],
            "guard": None,
            "override": "",
            "passed_guards": [],
            "evidence": (self._overview.evidence if self._overview else None) or None,
            "evidence_after": None,
            "notes": [f"not set up: {one.runbook}: {one.line}" for one in self._in(NOT_SET_UP)],
            "title": "Everything at once, and which runbook comes first",
            "severity": self.level.name if self.level else "",
            "facts": self._facts if self._ranks else {},
            "escalation": str(first.meta["escalation"]) if first and self._ranks else "",
            "hand_over": [self.first] if self._wanted.run and self.first else [],
        }

    def _findings(self) -> list[dict[str, Any]]:
        order = [rank.runbook for rank in self._ranks]
        order += [one.runbook for state in (NOT_SEEN, NOT_JUDGED, WELL) for one in self._in(state)]
        return [self._finding(self._of[name]) for name in order]

    def _finding(self, one: Judged) -> dict[str, Any]:
        status = {PROBLEM: "problem", WELL: "ok"}.get(one.state, "unknown")
        if status != "unknown":
            return {"cause": one.runbook, "status": status, "summary": one.line}
        waits = f"not judged here: its own look takes {one.needs_seconds:g} s; " if one.state == NOT_JUDGED else ""
        return {"cause": one.runbook, "status": status, "reason": f"{waits}{one.line}"}


_SAYS = {
    PROBLEM: "has found something",
    WELL: "finds nothing now",
    NOT_SEEN: "cannot tell",
    NOT_JUDGED: "is not judged here",
    NOT_SET_UP: "has nothing to look at here",
}


def _is_same(one: str, other: str) -> bool:
    """Whether two reasons begin with the same trouble; one may name what it wanted before it, and add what follows from it."""
    first, second = (words.split("; ")[0] for words in (one, other))
    return first in other or second in one


def _how_it_says_it(reason: str) -> tuple[int, int]:
    """The more, the better: nothing before the trouble, and much of what follows from it."""
    return -len(reason.split("; ")[0]), len(reason)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

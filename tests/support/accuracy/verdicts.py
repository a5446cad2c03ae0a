# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what a runbook said of a stack whose truth is known. Pure: records in, one word and its reason out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.rights import Right, Rights

NAMED, HEALTHY, HONEST, HANDED_OVER, LEFT_ALONE = "named", "healthy", "honest", "handed over", "left alone"
NAMED_WRONG, NOT_NAMED, FALSE_HEALTHY, NEEDLESS_REMEDY, BROKE_OFF = (
    "named wrong", "not named", "false healthy", "needless remedy", "broke off",
)  # fmt: skip
WRONG = (FALSE_HEALTHY, NEEDLESS_REMEDY, NAMED_WRONG, NOT_NAMED, BROKE_OFF)

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Truth:
    """What is true of a stack as it stands.

    Args:
        rights: what is right for each runbook of which somebody said so.
        complete: for every other runbook all is well, or another name is handed over to. Where it is not, only what these would do
            is judged, and whether they call healthy what was measured not to be.
    """

    rights: Rights
    complete: bool = True

    def of(self, runbook: str) -> Right:
        if runbook in self.rights:
            return self.rights[runbook]
        return Right(healthy=True) if self.complete else Right(handed_over=True)

    def may_do(self, runbook: str) -> frozenset[str]:
        """What a runbook may plan. Where nobody said what is right for it, what may be done for another may be done by it."""
        if self.complete or runbook in self.rights:
            return self.of(runbook).remedies
        return frozenset[str]().union(*(one.remedies for one in self.rights.values()))


@dataclass(frozen=True)
class Verdict:
    """How an answer is judged, and why; ``beside`` are the names that it gave and that are not true."""

    word: str
    why: str = ""
    beside: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        return self.word in WRONG

    def __str__(self) -> str:
        return f"{self.word}: {self.why}" if self.why else self.word


def problems(run: Run) -> set[str]:
    return {finding["cause"] for finding in run.get("findings", ()) if finding["status"] == "problem"}


def remedies(run: Run) -> set[str]:
    """What it would do: the steps that are available."""
    return {step["remedy"] for step in (run.get("plan") or {}).get("steps", ()) if step["available"]}


def is_broken_off(runs: Sequence[Run]) -> bool:
    """Whether a runbook came to no answer."""
    return not runs or "findings" not in runs[0]


def judge(runbook: str, truth: Truth, runs: Sequence[Run], signal: bool | None = None) -> Verdict:
    """How the answer of one runbook is to be judged.

    Args:
        runbook: that was asked.
        truth: of the stack that it looked at.
        runs: its run, and after it those of the runbooks that it handed over to.
        signal: whether its own signal was measured to be true, from the outside, before it was asked and after it had answered;
            None where that was not measured.
    """
    if is_broken_off(runs):
        return Verdict(BROKE_OFF, str(runs[0].get("summary", "")) if runs else "no record of it")
    for run in runs:
        if strange := remedies(run) - truth.may_do(run["runbook"]):
            return Verdict(NEEDLESS_REMEDY, f"{run['runbook']} would {' and '.join(sorted(strange))}")
    for run in runs:
        if run["outcome"] == "healthy" and (why := _not_healthy(truth, run, signal if run is runs[0] else None)):
            return Verdict(FALSE_HEALTHY, why)
    return _named(truth.of(runbook), truth, runs)


def _not_healthy(truth: Truth, run: Run, signal: bool | None) -> str:
    """Why it is not healthy, though the run says so; "" where it may be."""
    if signal:
        return "its own signal was measured to be true, before and after"
    one = truth.of(run["runbook"])
    return "" if one.healthy or one.handed_over else f"{run['runbook']} has {_words(one) or 'nothing that it can see'}"


def _named(one: Right, truth: Truth, runs: Sequence[Run]) -> Verdict:
    run = runs[0]
    found = problems(run)
    known = one.causes | one.second | one.also
    beside = () if one.handed_over else tuple(sorted(cause for cause in found - known if not _is_open(cause)))
    if found & (one.causes | one.second):
        return _in_full(one, run, found, beside)
    # Who owns it was told, and has named it: that is right, unless there was a name to give here.
    if not one.causes and (elsewhere := _handed_over(truth, runs)):
        return Verdict(HANDED_OVER, elsewhere)
    if one.handed_over:
        return Verdict(LEFT_ALONE)
    if beside:
        return Verdict(NAMED_WRONG, f"names {', '.join(beside)}{_instead_of(one)}", beside)
    if one.healthy and (run["outcome"] == "healthy" or found & known):
        return Verdict(HEALTHY)
    return Verdict(HONEST) if one.unknown else Verdict(NOT_NAMED, f"does not name {_words(one)}")


def _in_full(one: Right, run: Run, found: set[str], beside: tuple[str, ...]) -> Verdict:
    """It has a true name: whether that is all."""
    said = str([run["summary"], run["findings"], run.get("plan")])
    if one.says and not any(words in said for words in one.says):
        return Verdict(NAMED_WRONG, f"does not say {' or '.join(one.says)}", beside)
    open_ = {finding["cause"] for finding in run["findings"] if finding["status"] == "unknown"}
    missing = [names for names in (one.causes, one.second) if names and not found & names]
    if not missing:
        return Verdict(NAMED, beside=beside)
    if missing[0] & open_:
        return Verdict(HONEST, f"{_or(missing[0])} is open", beside)
    return Verdict(
        NOT_NAMED, f"names {', '.join(sorted(found & (one.causes | one.second)))}, and not {_or(missing[0])}", beside
    )


def _handed_over(truth: Truth, runs: Sequence[Run]) -> str:
    """Who it was handed over to and gave a right name; "" where nobody did."""
    for run in runs[1:]:
        if run["runbook"] in truth.rights and problems(run) & truth.of(run["runbook"]).causes:
            return f"{run['runbook']} names {', '.join(sorted(problems(run) & truth.of(run['runbook']).causes))}"
    return ""


def _is_open(cause: str) -> bool:
    """Whether a cause only says that none fits, or that too little was seen to say."""
    return cause.endswith("_unexplained") or cause in ("unexplained", "few_answers")


def _words(one: Right) -> str:
    return " and ".join(_or(names) for names in (one.causes, one.second) if names)


def _or(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))


def _instead_of(one: Right) -> str:
    return f" instead of {_words(one)}" if one.causes else ""

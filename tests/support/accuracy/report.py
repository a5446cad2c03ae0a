# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what was judged, compares it with the goals, and writes it as a page. Pure: results in, text out.

A result of a stack is plain data: ``date``, ``machine``, ``left_out`` (runbook -> why), ``not_made`` (scene -> why) and ``cases``. A case
has ``scene``, ``kind``, ``runbook``, ``verdict``, ``why``, ``nameable``, ``outcome``, ``causes``, ``remedies``, ``beside``,
``summary`` and ``signal``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.accuracy.scenes import KINDS
from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import (
    FALSE_HEALTHY,
    HANDED_OVER,
    HEALTHY,
    HONEST,
    LEFT_ALONE,
    NAMED,
    NEEDLESS_REMEDY,
    WRONG,
)

STACKS = ("embedded", "foreign", "compose")
LEAST_CASES = 250
LEAST_NAMED_RATIO = 0.95
SUMMARY_CHARACTERS = 400
NAMES_MISSED = tuple(word for word in WRONG if word not in (FALSE_HEALTHY, NEEDLESS_REMEDY))

Case = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """One goal: what it is of, what was measured, what was wanted."""

    what: str
    measured: str
    wanted: str
    met: bool


def cases_of(results: Results) -> list[dict[str, Any]]:
    """All cases, each with its stack."""
    return [{"stack": stack, **case} for stack, one in results.items() for case in one["cases"]]


def goals(cases: Sequence[Case]) -> list[Goal]:
    """What was promised, and what came of it."""
    count = Counter(case["verdict"] for case in cases)
    # A wrong name counts against it wherever it was given.
    asked_for = [case for case in cases if case["nameable"] or case["verdict"] in NAMES_MISSED]
    named = sum(case["verdict"] == NAMED for case in asked_for)
    ratio = named / len(asked_for) if asked_for else 0.0
    return [
        Goal("cases on real stacks", f"{len(cases):,}", f"more than {LEAST_CASES}", len(cases) > LEAST_CASES),
        Goal("false healthy", f"{count[FALSE_HEALTHY]}", "0", count[FALSE_HEALTHY] == 0),
        Goal("needless remedies", f"{count[NEEDLESS_REMEDY]}", "0", count[NEEDLESS_REMEDY] == 0),
        Goal(
            f"named right, of the {len(asked_for)} cases that have a name to give, or in which a wrong one was given",
            f"{ratio:.1%} ({named})",
            f"at least {LEAST_NAMED_RATIO:.0%}",
            ratio >= LEAST_NAMED_RATIO,
        ),
    ]


# The columns of the tables: what a case is counted as.
COLUMNS = {
    "named right": lambda case: case["verdict"] == NAMED,
    "left to its owner": lambda case: case["verdict"] == HANDED_OVER,
    "healthy, and is": lambda case: case["verdict"] == HEALTHY,
    "left alone": lambda case: case["verdict"] == LEFT_ALONE,
    "honest unknown": lambda case: case["verdict"] == HONEST,
    "named wrong": lambda case: case["verdict"] in NAMES_MISSED,
    "false healthy": lambda case: case["verdict"] == FALSE_HEALTHY,
    "needless remedy": lambda case: case["verdict"] == NEEDLESS_REMEDY,
}  # fmt: skip


def counted(cases: Iterable[Case], by: str, order: Sequence[str] = ()) -> list[list[str]]:
    """A row for each value of ``by``, and one for all: how many cases, and how they were judged."""
    cases = list(cases)
    values = [one for one in order if any(case[by] == one for case in cases)] or sorted({case[by] for case in cases})
    rows = [_row(value, [case for case in cases if case[by] == value]) for value in values]
    return [*rows, _row("**all**", cases)]


def _row(name: str, cases: Sequence[Case]) -> list[str]:
    counts = [sum(1 for case in cases if has(case)) for has in COLUMNS.values()]
    return [name, str(len(cases)), *(str(count) if count else "" for count in counts)]


def page(results: Results) -> str:
    """The page of docs."""
    cases = cases_of(results)
    lines = [
        "# How often the runbooks are right",
        "",
        "`make accuracy` writes this page; [benchmarks/accuracy.json](../benchmarks/accuracy.json) has every case with what was said.",
        "",
        "A case is a real stack, what is really wrong with it, and one runbook that is asked about it in check mode. What is true was written "
        "beside the fault before: which names are right, which remedies may be planned, for whom all is well. A fault is made once, and every "
        "runbook is asked about it. So most cases are of the *wrong cause*: the fault is another runbook's, and this one has to say so, hand "
        "it over, or say that it does not know; it must not act.",
        "",
        "What was written down is corrected where an answer shows that it was wrong: a name that is true as well is added, and a name that "
        "cannot be seen in a scene, or whose threshold is not reached there, is not asked for any more. So it is not independent of the answers.",
        "",
        *_table(["goal", "measured", "wanted", ""], [[one.what, one.measured, one.wanted, _mark(one.met)] for one in goals(cases)], left=1),
        "",
        *_of_stacks(results),
        "",
        "## By kind of case",
        "",
        *_table(["kind", "cases", *COLUMNS], counted(cases, "kind", KINDS), left=1),
        "",
        "- *Named right*: it names what is wrong; of two faults both. *Left to its owner*: the runbook whose fault it is was handed to, and names it.",
        "- *Left alone*: on the foreign stack nobody wrote down what other runbooks are to say of a fault. They must not act, and must not call "
        "healthy what was measured not to be.",
        "- *Named wrong* counts a wrong name, no name where one had to be given, and a run that broke off.",
        "- *False healthy*: it says healthy, and its own signal is true: so it is written beside the fault, or it was measured from the outside "
        "before the runbook was asked and after it had answered.",
        "- *Needless remedy*: its plan has a remedy, ready to run, that does not belong to what is wrong.",
        "",
        "## By runbook",
        "",
        *_table(["runbook", "cases", *COLUMNS], counted(cases, "runbook"), left=1),
        "",
        "## What was judged wrong",
        "",
        *(_judged_wrong([case for case in cases if case["verdict"] in WRONG]) or ["Nothing."]),
        "",
        "## Names that were not given",
        "",
        "Here there was a name to give, and the runbook said honestly that it does not know. That is no mistake, and counts against *named right*.",
        "",
        *(_not_given([case for case in cases if case["nameable"] and case["verdict"] == HONEST]) or ["None."]),
        "",
        "## Names too many",
        "",
        "Here a right name was given, and another beside it that is not true. The case counts as named right.",
        "",
        *(_too_many([case for case in cases if case["verdict"] == NAMED and case["beside"]]) or ["None."]),
        "",
        "## Not asked, not made",
        "",
        *(_not_tried(results) or ["All runbooks were asked, and all faults could be made."]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _of_stacks(results: Results) -> list[str]:
    said = [
        f"- **{name}**: {one['date']}, {one['machine']['cores']} cores, Python {one['machine']['python']}, ansible-core "
        f"{one['machine']['ansible_core']}, oncall.runbooks {one['machine']['collection']} (commit {one['machine']['commit']}), "
        f"{one['minutes']:.0f} minutes; {len(one['cases'])} cases in {len({case['scene'] for case in one['cases']})} scenes"
        f"{' of ' + str(one['scenes']) + ': it is **part of a run**' if one['part'] else ''}.{_again(one)}"
        for name, one in results.items()
    ]
    return ["Stacks:", "", *said] if said else ["Nothing was run."]


def _again(one: Mapping[str, Any]) -> str:
    """Which of its scenes are of a later commit, because they were asked about again."""
    said = [f"{len(each['scenes'])} on {each['date']} (commit {each['commit']})" for each in one.get("again", ())]
    return (
        f" Of these scenes, some were asked about again, and the last answer counts: {', '.join(said)}. These were chosen "
        "for their answers, so this is better than one run of all on one commit has to be."
        if said
        else ""
    )


def _judged_wrong(cases: Sequence[Case]) -> list[str]:
    rows = [
        [case["verdict"], case["runbook"], f"{case['stack']}: {case['scene']}", case["why"], case["summary"]]
        for case in cases
    ]
    rows.sort(key=lambda row: WRONG.index(row[0]))
    return _table(["judged", "runbook", "scene", "why", "it said"], rows, left=5) if rows else []


def _not_given(cases: Sequence[Case]) -> list[str]:
    rows = [[case["runbook"], f"{case['stack']}: {case['scene']}", case["why"], case["summary"]] for case in cases]
    return _table(["runbook", "scene", "why", "it said"], rows, left=4) if rows else []


def _too_many(cases: Sequence[Case]) -> list[str]:
    rows = [[case["runbook"], f"{case['stack']}: {case['scene']}", ", ".join(case["beside"])] for case in cases]
    return _table(["runbook", "scene", "named as well"], rows, left=3) if rows else []


def _not_tried(results: Results) -> list[str]:
    return [
        *(f"- {name}: this stack was not run" for name in STACKS if name not in results),
        *(
            f"- {name}: {_cell(what)}: {_cell(why)}"
            for name, one in results.items()
            for what, why in {**one["left_out"], **one["not_made"]}.items()
        ),
    ]


def _mark(met: bool) -> str:
    return "met" if met else "**not met**"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> list[str]:
    """A table in Markdown, of which the first columns are text and the others numbers."""
    lines = [head, ["---" if number < left else "---:" for number in range(len(head))], *rows]
    return ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in lines]


def _cell(text: str) -> str:
    """Text of a runbook in a cell: what a log or a database said is no Markdown and no link."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def without_places(text: str, places: Sequence[str]) -> str:
    """What a runbook said, short, and without paths of the machine that it was said on."""
    for number, place in enumerate(places):
        text = text.replace(place, f"PLACE-{number + 1}")
    return text if len(text) <= SUMMARY_CHARACTERS else text[:SUMMARY_CHARACTERS] + " ..."


def as_json(results: Results) -> str:
    """One line for each case, so that a change is seen where it is."""
    parts = []
    for name, one in results.items():
        cases = ",\n".join(f"    {json.dumps(case, sort_keys=True)}" for case in one["cases"])
        rest = json.dumps({key: value for key, value in one.items() if key != "cases"}, sort_keys=True)
        parts.append(f'  {json.dumps(name)}: {rest[:-1]}, "cases": [\n{cases}\n  ]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"

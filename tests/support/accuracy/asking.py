# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One scene after the other: made, measured, asked about, judged, put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.accuracy.report import without_places
from ansible_collections.oncall.runbooks.tests.support.accuracy.scenes import Scene
from ansible_collections.oncall.runbooks.tests.support.accuracy.stacks import Signals, Stack
from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import Run, judge, problems, remedies
from lab.layout import LabError

Case = dict[str, Any]


class NotMade(Exception):
    """A scene could not be made, so that nothing was asked about it."""


class Ended(Exception):
    """What was wrong was not wrong any more when all had answered."""


def cases(stack: Stack, scene: Scene, runbooks: Sequence[str]) -> list[Case]:
    """What the runbooks said of a scene, judged.

    Raises:
        NotMade: the scene could not be made; the message says why in one line.
        Ended: it did not last.
    """
    made = False
    try:
        with scene.breaks(stack):
            made = True
            with stack.users():
                before = stack.signals()
                answers = stack.ask(runbooks, scene.variables(stack))
                after = stack.signals()
            if not stack.lasts(scene):
                raise Ended("it ended by itself before all had answered: what they said is not judged")
    except (LabError, AssertionError, OSError, pytest.skip.Exception) as error:
        if made:
            raise
        raise NotMade(" ".join(str(error).split())) from error
    finally:
        stack.mend()
    return [_case(stack, scene, name, answers[name], _measured(name, before, after)) for name in runbooks]


def _measured(runbook: str, before: Signals, after: Signals) -> bool | None:
    """Whether its signal was true all the time; None where that was not measured."""
    if runbook not in before or runbook not in after:
        return None
    return before[runbook] and after[runbook]


def _case(stack: Stack, scene: Scene, runbook: str, runs: Sequence[Run], signal: bool | None) -> Case:
    verdict = judge(runbook, scene.truth, runs, signal)
    run: Run = runs[0] if runs else {"outcome": "", "summary": ""}
    return {
        "scene": scene.name,
        "kind": scene.kind_for(runbook),
        "runbook": runbook,
        "verdict": verdict.word,
        "why": without_places(verdict.why, stack.places),
        "nameable": scene.truth.of(runbook).named,
        "outcome": run["outcome"],
        "causes": sorted(problems(run)),
        "remedies": sorted(remedies(run)),
        "beside": list(verdict.beside),
        "handed_over": [one["runbook"] for one in runs[1:]],
        "summary": without_places(" ".join(str(run["summary"]).split()), stack.places),
        "signal": signal,
    }


def worth_asking(found: Sequence[Case]) -> Iterator[tuple[str, bool]]:
    """Of what was said while nothing is wrong: each runbook, and whether it could see enough to be asked of another's fault.

    Where it cannot say healthy of a sound stack, it says unknown of every other, which tells nothing.
    """
    for case in found:
        yield case["runbook"], case["outcome"] == "healthy"

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many looks ask, asked in one pass: the same question once, each where its look would have asked it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils import observe
from ...module_utils.text.one_line import one_line
from ..finish import Steps
from ..plain import plain
from .looks import Answers, Asked

# What runs the questions: those of observe_each, and its ``answers``.
Run = Callable[[list[dict[str, Any]]], Sequence[Mapping[str, Any]]]


def answered(asked: Mapping[str, Asked], here: bool, run_here: Run, run_there: Run) -> dict[str, Answers]:
    """The answers by runbook and observer.

    A question that makes no sense is one that could not be asked: the other runbooks get their answers all the same.

    Args:
        asked: what each runbook asks.
        here: whether the inventory has the controller ask what it can.
        run_here, run_there: in the controller, and on the managed host.
    """
    places = {"here": _Place(), "there": _Place()}
    keys: dict[str, tuple[str, dict[str, str]]] = {}
    for runbook, one in asked.items():
        # Its look is one call of observe, which runs in one place.
        place = "here" if here and not _needs_host(one.questions) else "there"
        keys[runbook] = (place, {name: places[place].add(name, params) for name, params in one.questions.items()})
    told = {"here": places["here"].answers(run_here), "there": places["there"].answers(run_there)}
    return {
        runbook: {observer: told[place][key] for observer, key in of_runbook.items()}
        for runbook, (place, of_runbook) in keys.items()
    }


class _Place:
    """The questions of one place, each once."""

    def __init__(self) -> None:
        self._questions: dict[str, tuple[str, Steps | None]] = {}
        self._wrong: dict[str, str] = {}

    def add(self, observer: str, params: Mapping[str, Any]) -> str:
        key = json.dumps([observer, params], sort_keys=True, default=str)
        if key not in self._questions:
            steps = None
            try:
                # What the module would refuse, with all other questions.
                _validated(observer, params)
                steps = Steps("observe", {observer: params})
            except ValueError as error:
                self._wrong[key] = one_line(error)
            self._questions[key] = (observer, steps)
        return key

    def answers(self, run: Run) -> dict[str, Mapping[str, Any]]:
        # A step on the controller may know that the question would be in vain.
        to_ask = {key: steps.arguments for key, (_name, steps) in self._questions.items() if steps and steps.arguments}
        found = dict(zip(to_ask, run([*to_ask.values()]), strict=True)) if to_ask else {}
        answers: dict[str, Mapping[str, Any]] = {}
        for key, (observer, steps) in self._questions.items():
            if steps is None:
                answers[key] = {"available": False, "reason": f"{observer} cannot be asked: {self._wrong[key]}"}
            else:
                answer = {observer: found[key]["answer"]} if key in found else {}
                answers[key] = plain(steps.finish(answer)[observer])
        return answers


def _needs_host(questions: Mapping[str, Mapping[str, Any]]) -> bool:
    for name, params in questions.items():
        try:
            if observe.OBSERVERS[name].needs_host(_validated(name, params)):
                return True
        except ValueError:
            continue
    return False


def _validated(observer: str, params: Mapping[str, Any]) -> dict[str, Any]:
    validation = ArgumentSpecValidator(observe.observer(observer).SPEC).validate(dict(params))
    if validation.error_messages:
        raise ValueError("; ".join(validation.error_messages))
    return validation.validated_parameters

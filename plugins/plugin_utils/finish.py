# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of observers that run on the controller: before anything is looked at, and after.

An observer that needs what managed hosts do not have gets a file of its name in ``finishing``, with

- ``why_not(params)``: in one line why it cannot look at all, or nothing; raises ValueError for bad parameters;
- ``finish(params, answer)``: what the observer returns, out of what it fetched;
- ``NOTHING``: what it returns besides the reason where it cannot look.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils import observe
from .plain import plain

NAMES = {path.stem for path in Path(__file__).with_name("finishing").glob("[!_]*.py")} & set(observe.OBSERVERS)


class Steps:
    """What the controller does about one task, before and after it looks.

    Args:
        module: without the name of the collection: ``observe``, or that of one observer.
        arguments: of the task.

    Attributes:
        arguments: those of the observers that can look; None where there is none.
        are_needed: whether there is anything to do after they looked.

    Raises:
        ValueError: bad parameters of an observer that has steps.
    """

    def __init__(self, module: str, arguments: Mapping[str, Any]) -> None:
        self._alone = "" if module == "observe" else module.removesuffix("_info")
        given = {self._alone: arguments} if self._alone else arguments
        asked = {name: params for name, params in given.items() if name in NAMES and params is not None}
        self._params = {name: _validated(name, params) for name, params in asked.items()}
        self._whys = {name: why for name, params in self._params.items() if (why := _step(name).why_not(params))}
        left = {name: params for name, params in given.items() if name not in self._whys}
        self.arguments: Any = left.get(self._alone) if self._alone else left
        if self._whys and not left:
            self.arguments = None
        self.are_needed = len(self._whys) < len(self._params)

    def finish(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What the observers return, out of what they fetched."""
        if answer.get("failed"):
            return dict(answer)
        if not self._alone:
            done = {name: self._finished(name, plain(answer.get(name))) for name in self._params}
            return {**answer, **done}
        if self._alone not in self._params:
            return dict(answer)
        rest = {key: value for key, value in answer.items() if key not in _step(self._alone).NOTHING}
        return {**rest, **self._finished(self._alone, plain(answer))}

    def _finished(self, name: str, fetched: Any) -> dict[str, Any]:
        """The answer of one observer. Nothing of what it fetched is left in it, whatever happens."""
        step = _step(name)
        nothing = {"available": False, **step.NOTHING}
        if name in self._whys:
            return {**nothing, "reason": self._whys[name]}
        if fetched.get("available") is False:
            return {**nothing, "reason": fetched["reason"]}
        try:
            return step.finish(self._params[name], fetched)
        except Exception as error:
            # A ValueError would read as a bad parameter, and those were looked for before.
            return {**nothing, **observe.settled(name, RuntimeError(f"{type(error).__name__}: {error}"))}


def _step(name: str) -> ModuleType:
    return import_module(f"{__package__}.finishing.{name}")


def _validated(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    validation = ArgumentSpecValidator(observe.OBSERVERS[name].SPEC).validate(dict(arguments))
    if validation.error_messages:
        raise ValueError("; ".join(validation.error_messages))
    return validation.validated_parameters

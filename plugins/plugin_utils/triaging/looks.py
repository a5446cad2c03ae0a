# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look of a runbook as its C(tasks/look.yml) says, step by step and without a task for each.

So the looks of all runbooks can be taken side by side: each gives the questions that it would ask the host, and goes on when it has the
answers. What a look may be made of is little, and a contract test keeps it so: observers, names of the table worked out in
between, and waiting.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ...module_utils.observe import OBSERVERS
from ...module_utils.text.one_line import one_line
from ..diagnosing import Diagnosing
from ..plain import plain

COLLECTION = "oncall.runbooks."
_KEYWORDS = {"name", "when", "register", "vars"}
# What a task that was left out registers.
_SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}


class CannotLook(Exception):
    """What the inventory says is not enough for the look, or is wrong: in one line."""


@dataclass(frozen=True)
class Limits:
    """How long a look may take, in seconds: to watch, and to wait for an answer. What the runbook itself takes is cut to that."""

    window_seconds: float
    timeout_seconds: float


@dataclass(frozen=True)
class Cut:
    """A time of a look that was made shorter.

    Attributes:
        seconds: what the runbook takes.
        used_up_seconds: from when on the shorter one may have shown something else.
    """

    seconds: float
    used_up_seconds: float


@dataclass
class Asked:
    """What a look asks at once, or how long it waits.

    Attributes:
        questions: observer -> its parameters, cut.
        wait_seconds: to wait before the look goes on.
        cuts: observer -> what was cut.
    """

    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    wait_seconds: float = 0.0
    cuts: dict[str, list[Cut]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What an observer answered, and how long that took."""

    told: dict[str, Any]
    seconds: float


class Look:
    """One runbook's way to look.

    Args:
        role: its folder.
        variables: of the host, not templated, the role's own among them. What the steps register goes into them.
        steps: the tasks of ``tasks/look.yml``.
        templar: of the task.
        limits: see :class:`Limits`.

    Attributes:
        longer_seconds: the longest time that the runbook takes itself, where this look used up a shorter one; else 0.
    """

    def __init__(self, role: Path, variables: dict[str, Any], steps: list[Any], templar: Any, limits: Limits) -> None:
        self.role, self.variables = role, variables
        self.longer_seconds = 0.0
        self._steps, self._templar, self._limits = steps, templar, limits

    def taken(self) -> Generator[Asked, dict[str, Answer], None]:
        """Give what is asked, and take the answers, by observer.

        Raises:
            CannotLook: what to ask cannot be worked out.
        """
        for step in self._steps:
            module = next(key for key in step if key not in _KEYWORDS)
            name = module.removeprefix(COLLECTION)
            scope = {**self.variables, **(step.get("vars") or {})}
            answer: Any = _SKIPPED
            if self._are_true(step.get("when", True), scope):
                arguments = self._rendered(step[module] or {}, scope)
                if name == "wait":
                    answer = yield from self._waited(float(arguments["seconds"]))
                elif name == "diagnosis":
                    answer = {"changed": False, "names": self._named(arguments)}
                elif name == "observe":
                    answer = {**(yield from self._answered(arguments)), "changed": False}
                else:
                    observer = name.removesuffix("_info")
                    answer = {**(yield from self._answered({observer: arguments}))[observer], "changed": False}
            if "register" in step:
                self.variables[step["register"]] = answer

    def cut_variables(self) -> None:
        """Have the table count with the times that were taken, and say them."""
        for suffix, most in (("window_seconds", self._limits.window_seconds), ("timeout_seconds", self._limits.timeout_seconds)):
            name = f"{self.role.name}_{suffix}"
            if name in self.variables:
                self.variables[name] = min(most, float(self._rendered(self.variables[name])))

    def _waited(self, seconds: float) -> Generator[Asked, dict[str, Answer], dict[str, Any]]:
        most = min(seconds, self._limits.window_seconds)
        if most < seconds:
            self.longer_seconds = max(self.longer_seconds, seconds)
        yield Asked(wait_seconds=most)
        return {"changed": False, "seconds": most}

    def _answered(
        self, arguments: Mapping[str, Mapping[str, Any]]
    ) -> Generator[Asked, dict[str, Answer], dict[str, Any]]:
        asked = Asked()
        for observer, params in arguments.items():
            asked.questions[observer], asked.cuts[observer] = shortened(observer, params, self._limits)
        answers = yield asked
        for observer, cuts in asked.cuts.items():
            used_up = [cut.seconds for cut in cuts if answers[observer].seconds >= cut.used_up_seconds]
            self.longer_seconds = max([self.longer_seconds, *used_up])
        return {observer: answer.told for observer, answer in answers.items()}

    def _named(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        table = Diagnosing(self.role, self.variables, arguments["observed"], self._templar, lambda text: None)
        return table.named(arguments["names"])

    def _are_true(self, conditions: Any, scope: Mapping[str, Any]) -> bool:
        self._templar.available_variables = scope
        try:
            return all(
                self._templar.evaluate_conditional(one)
                for one in (conditions if isinstance(conditions, list) else [conditions])
            )
        except AnsibleError as error:
            raise _cannot_look(error) from None

    def _rendered(self, value: Any, scope: Mapping[str, Any] | None = None) -> Any:
        self._templar.available_variables = self.variables if scope is None else scope
        try:
            return plain(self._templar.template(value))
        except AnsibleError as error:
            raise _cannot_look(error) from None


def shortened(observer: str, params: Mapping[str, Any], limits: Limits) -> tuple[dict[str, Any], list[Cut]]:
    """What an observer is asked in place of ``params``, and what was cut of it."""
    spec = OBSERVERS[observer].SPEC
    window, timeout = (
        float(params.get(key, (spec.get(key) or {}).get("default") or 0)) for key in ("window_seconds", "timeout_seconds")
    )
    done, cuts = dict(params), []
    watched = min(window, limits.window_seconds)
    if watched < window:
        done["window_seconds"] = watched
        cuts.append(Cut(window, watched))
    if limits.timeout_seconds < timeout:
        done["timeout_seconds"] = limits.timeout_seconds
        cuts.append(Cut(timeout, watched + limits.timeout_seconds))
    return done, cuts


def _cannot_look(error: BaseException) -> CannotLook:
    while error.__cause__ is not None:
        error = error.__cause__
    return CannotLook(one_line(getattr(error, "message", error)))

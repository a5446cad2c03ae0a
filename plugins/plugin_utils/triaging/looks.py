# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look of a runbook as its C(tasks/look.yml) says, step by step and without a task for each.

So the looks of all runbooks can be taken side by side: each gives what it would ask the host, and goes on when it has the answers. What
a look is made of is little, and a contract test keeps it so: observers, names of the table that are worked out in between, and waiting.
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
from ..names import Settled, owned_by
from ..plain import plain

COLLECTION = "oncall.runbooks."
KEYWORDS = {"name", "when", "register", "vars"}
# What a task that was left out registers.
_SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}


class CannotLook(Exception):
    """What to ask cannot be worked out from what the inventory says: in one line."""


class KeptWaiting(Exception):
    """What the look saw first makes it wait before it goes on.

    Attributes:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class Asked:
    """What a look asks at once.

    Attributes:
        questions: observer -> what it takes; an observer that has to watch for too long is not in it.
        watched_seconds: observer -> how long it would have been watched.
    """

    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    watched_seconds: dict[str, float] = field(default_factory=dict)


Answers = Mapping[str, Mapping[str, Any]]


class Look:
    """One runbook's way to look.

    Args:
        role: its folder.
        variables: of the host, not templated, the role's own among them. What the steps register goes into them.
        steps: the tasks of ``tasks/look.yml``.
        templar: of the task.
        longest_seconds: nothing is watched for longer, and nobody is kept waiting for longer.

    Attributes:
        asked: the observers asked so far.
        settled: the variables, some of which are worked out.
        longer_seconds: for how long the runbook itself watches what was left out here; 0 where nothing was.
    """

    def __init__(
        self, role: Path, variables: dict[str, Any], steps: list[Any], templar: Any, longest_seconds: float
    ) -> None:
        self.role, self.variables = role, variables
        self.asked: set[str] = set()
        self.longer_seconds = 0.0
        self._steps, self._templar, self._longest_seconds = steps, templar, longest_seconds
        self.settled = Settled(variables, self._render, owned_by(role.name))

    def taken(self) -> Generator[Asked, Answers, None]:
        """Give what is asked, and take what each observer answers.

        Raises:
            CannotLook: what to ask cannot be worked out.
            KeptWaiting: it would have to wait for too long.
        """
        for step in self._steps:
            module = next(key for key in step if key not in KEYWORDS)
            name = module.removeprefix(COLLECTION)
            own = step.get("vars") or {}
            scope = {**self.variables, **own} if own else None
            answer: Mapping[str, Any] = _SKIPPED
            if self._are_true(step.get("when", True), scope):
                arguments = self.rendered(step[module] or {}, scope)
                if name == "wait":
                    answer = self._waited(float(arguments["seconds"]))
                elif name == "diagnosis":
                    answer = {"changed": False, "names": self._named(arguments)}
                elif name == "observe":
                    answer = {**(yield from self._answered(arguments)), "changed": False}
                else:
                    observer = name.removesuffix("_info")
                    answer = {**(yield from self._answered({observer: arguments}))[observer], "changed": False}
            if "register" in step:
                self.variables[step["register"]] = answer
                self.settled.changed(step["register"])

    def rendered(self, value: Any, scope: Mapping[str, Any] | None = None) -> Any:
        """The value of a template; :class:`CannotLook` where there is none."""
        return self._render(value, self.settled.scope_of(value) if scope is None else scope)

    def _render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        self._templar.available_variables = scope
        try:
            return plain(self._templar.template(value))
        except AnsibleError as error:
            raise cannot_look(error) from None

    def _waited(self, seconds: float) -> Mapping[str, Any]:
        if seconds > self._longest_seconds:
            raise KeptWaiting(seconds)
        return {"changed": False, "seconds": seconds}

    def _answered(self, arguments: Mapping[str, Mapping[str, Any]]) -> Generator[Asked, Answers, Mapping[str, Any]]:
        asked = Asked()
        for observer, params in arguments.items():
            window_seconds = watched_seconds(observer, params)
            self.asked.add(observer)
            if window_seconds <= self._longest_seconds:
                asked.questions[observer] = dict(params)
                continue
            asked.watched_seconds[observer] = window_seconds
            self.longer_seconds = max(self.longer_seconds, window_seconds)
            if getattr(OBSERVERS[observer], "TELLS_WITHOUT_A_WINDOW", False):
                asked.questions[observer] = {**params, "window_seconds": 0}
        answers = yield asked
        return {
            observer: answers.get(observer) or _unwatched(asked.watched_seconds[observer]) for observer in arguments
        }

    def _named(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        table = Diagnosing(
            self.role, self.variables, arguments["observed"], self._templar, lambda text: None, self.settled
        )
        return table.named(arguments["names"])

    def _are_true(self, conditions: Any, scope: Mapping[str, Any] | None) -> bool:
        self._templar.available_variables = self.settled.scope_of(conditions) if scope is None else scope
        try:
            return all(
                self._templar.evaluate_conditional(one)
                for one in (conditions if isinstance(conditions, list) else [conditions])
            )
        except AnsibleError as error:
            raise cannot_look(error) from None


def watched_seconds(observer: str, params: Mapping[str, Any]) -> float:
    """How long an observer watches: its window, where its file does not say better."""
    module = OBSERVERS[observer]
    if hasattr(module, "watched_seconds"):
        try:
            return float(module.watched_seconds(params))
        except ValueError:
            # It makes no sense, which the observer says in its answer.
            return 0.0
    if "window_seconds" not in module.SPEC:
        return 0.0
    given = params.get("window_seconds")
    return float(module.SPEC["window_seconds"]["default"] if given is None else given)


def _unwatched(seconds: float) -> dict[str, Any]:
    return {"available": False, "reason": f"it has to be watched for {seconds:g} s"}


def cannot_look(error: BaseException) -> CannotLook:
    """An error of Ansible in the words of its first reason."""
    while error.__cause__ is not None:
        error = error.__cause__
    return CannotLook(one_line(getattr(error, "message", error)))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some of the runbooks, from what they ask to what they conclude: the share of one process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ...module_utils.text.masking import masked
from .. import judge
from ..diagnosing import Diagnosing
from ..role_contract import read_role_file, read_yaml, trouble_with
from .looks import COLLECTION, Answers, Asked, CannotLook, KeptWaiting, Look

PROBLEM, WELL, UNKNOWN, NOT_JUDGED, NOT_SET_UP = "problem", "well", "unknown", "not_judged", "not_set_up"
OVERVIEW = "overview"


@dataclass
class Judged:
    """What the table of one runbook says of this look.

    Attributes:
        runbook: its name.
        state: ``problem``; ``well``; ``unknown``: something could not be seen; ``not_judged``: its own look takes longer;
            ``not_set_up``: the inventory has nothing of its kind; ``overview``: it is no runbook, and judges nothing.
        line: what was found, or why nothing can be said.
        meta: what its ``meta/runbook.yml`` says.
        findings, plan, not_looked_at: as of M(oncall.runbooks.diagnosis).
        needs_seconds: how long its own look takes, where it is not judged.
        is_called: its signal is there, though it is not judged.
        facts: what was asked besides of what it saw, by name: the text to show.
        evidence: of an overview, what a record has room for.
        deprecated: ways of writing in the inventory that end with the next version.
    """

    runbook: str
    state: str
    line: str
    meta: Mapping[str, Any]
    findings: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    not_looked_at: list[str] = field(default_factory=list)
    needs_seconds: float = 0.0
    is_called: bool = False
    facts: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    deprecated: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Around:
    """What all runbooks of one host have in common.

    Attributes:
        variables: of the host, not templated, besides ``system_*``, which are worked out.
        extra: those of the command line, which come before a role's own.
        templar: of the task.
        longest_seconds: see :class:`looks.Look`.
        facts: name -> ``of`` (a runbook), ``when`` and ``says``, to be worked out with the names of its table.
        check_mode: of the task.
    """

    variables: Mapping[str, Any]
    extra: Mapping[str, Any]
    templar: Any
    longest_seconds: float
    facts: Mapping[str, Mapping[str, Any]]
    check_mode: bool


def share(roles: Iterable[Path], around: Around) -> Generator[dict[str, Asked], Mapping[str, Answers], list[Judged]]:
    """Give what these runbooks ask, by runbook, as often as any of them has something to ask; in the end what they conclude."""
    runbooks = [_Runbook(role, around) for role in roles]
    pending = {one.name: asked for one in runbooks if (asked := one.asks(None))}
    while pending:
        answers = yield pending
        by_name = {one.name: one for one in runbooks}
        pending = {name: asked for name in pending if (asked := by_name[name].asks(answers[name]))}
    return [one.judged() for one in runbooks]


class _Runbook:
    """One runbook of a share. What goes wrong with it is said of it and stops no other."""

    def __init__(self, role: Path, around: Around) -> None:
        self.name, self._role, self._around = role.name, role, around
        self._meta = read_yaml(role / "meta" / "runbook.yml")
        self._deprecated: list[str] = []
        self._ended: Judged | None = None
        self._look: Look | None = None
        self._asks = self._taken()

    def asks(self, answers: Answers | None) -> Asked | None:
        """What it asks next; None where there is no more."""
        try:
            return next(self._asks) if answers is None else self._asks.send(answers)
        except StopIteration:
            return None
        except CannotLook as error:
            # What is no runbook needs nothing of an inventory, so that something is wrong.
            self._ended = self._said(NOT_SET_UP if self._meta else UNKNOWN, str(error))
        except KeptWaiting as waits:
            self._ended = self._said(NOT_JUDGED, "its signal is there", needs_seconds=waits.seconds, is_called=True)
        except Exception as error:
            self._ended = self._failed(error)
        return None

    def judged(self) -> Judged:
        """What its table concludes."""
        try:
            found = self._ended or self._judged()
        except CannotLook as error:
            found = self._said(NOT_SET_UP, str(error))
        except Exception as error:
            found = self._failed(error)
        found.deprecated = self._deprecated
        return found

    def _taken(self) -> Generator[Asked, Answers, None]:
        around, role = self._around, self._role
        # They are worked out already, and empty where the inventory says nothing.
        if missing := [name for name in self._meta.get("requires") or () if not around.variables.get(name)]:
            self._ended = self._said(NOT_SET_UP, f"no {missing[0]}")
            return
        variables = {
            **self._loaded("defaults", "main.yml"),
            **around.variables,
            **self._loaded("vars", "main.yml"),
            **around.extra,
            "role_path": str(role),
            "ansible_role_name": f"{COLLECTION}{self.name}",
        }
        self._look = Look(role, variables, self._loaded("tasks", "look.yml"), around.templar, around.longest_seconds)
        if any(name.startswith(f"{self.name}_") for given in (around.variables, around.extra) for name in given):
            try:
                lines = trouble_with(self.name, variables, self._look.rendered)
            except CannotLook as error:
                lines = [str(error)]
            if lines:
                self._ended = self._said(UNKNOWN, "; ".join(lines))
                return
        yield from self._look.taken()

    def _begun(self) -> Look:
        """The look that was taken."""
        if self._look is None:
            raise RuntimeError(f"{self.name} has not looked")
        return self._look

    def _judged(self) -> Judged:
        look = self._begun()
        # As tasks/diagnose.yml names it, alike in every runbook.
        observed = look.variables[f"__{self.name}_observed"]
        if isinstance(observed, str):
            observed = look.rendered(observed)
        table = self._table(observed)
        if not self._meta:
            own = look.variables
            lines, evidence = (table.known(own[f"{self.name}_{part}"]) for part in (OVERVIEW, "evidence"))
            return self._said(
                OVERVIEW, "", facts={name: str(line) for name, line in lines.items() if line}, evidence=evidence
            )
        if nothing := table.nothing_here():
            return self._said(NOT_SET_UP, nothing)
        found = table.diagnosis(self._around.check_mode)
        state, line, seconds = found["status"], found["msg"], look.longer_seconds
        if state == judge.PROBLEM:
            state, seconds = PROBLEM, 0.0
        elif not look.asked:
            return self._said(NOT_SET_UP, line)
        elif seconds:
            state = NOT_JUDGED
        else:
            state = WELL if state == judge.HEALTHY else UNKNOWN
        return self._said(
            state,
            line,
            findings=found["findings"],
            plan=found["plan"],
            not_looked_at=found["not_looked_at"],
            needs_seconds=seconds,
            facts=self._facts(table),
        )

    def _facts(self, table: Diagnosing) -> dict[str, str]:
        found = {}
        for name, fact in self._around.facts.items():
            if fact["of"] == self.name:
                try:
                    if table.is_true(fact["when"]):
                        found[name] = str(table.rendered(fact["says"]))
                except judge.CannotTell:
                    # What was not seen is said of nobody.
                    continue
        return found

    def _table(self, observed: Mapping[str, Any]) -> Diagnosing:
        look, templar = self._begun(), self._around.templar
        return Diagnosing(self._role, look.variables, observed, templar, self._deprecated.append, look.settled)

    def _loaded(self, *parts: str) -> Any:
        return read_role_file(self._role.joinpath(*parts))

    def _said(self, state: str, line: str, **more: Any) -> Judged:
        return Judged(self.name, state, line, self._meta, **more)

    def _failed(self, error: Exception) -> Judged:
        if isinstance(error, AnsibleError):
            return self._said(UNKNOWN, masked(getattr(error, "message", error), 300))
        text = masked(f"{type(error).__name__}: {error}", 300)
        return self._said(UNKNOWN, f"{self.name} failed: {text}; please report this")

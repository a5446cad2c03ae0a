# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the runbooks whose signals are true comes first. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("low", "medium", "high", "critical")
PROBLEM = "problem"


@dataclass(frozen=True)
class Ranked:
    """A runbook in its place.

    Attributes:
        runbook: its name.
        severity: the highest of its own and of those that it explains.
        explains: the runbooks whose problems it owns, all of theirs or some.
        explained_by: the runbooks that own all of its problems; empty where any is its own.
    """

    runbook: str
    severity: str
    explains: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()


def ranked(findings: Mapping[str, Sequence[Mapping[str, Any]]], severities: Mapping[str, str]) -> list[Ranked]:
    """The runbooks with a problem, the cause before its effects.

    A runbook hands over what another one owns. Where that one sees a problem too, it is the cause: it counts for as much as the worst
    of what it explains, and comes first. Else the severity decides, then whether a remedy or a person is nearer: those that
    explain more come first, and at the end the name.

    Args:
        findings: runbook -> its findings, of those that have a problem.
        severities: runbook -> its severity.
    """
    owners = {name: _owners(name, of_runbook, findings) for name, of_runbook in findings.items()}
    explains = {name: [other for other, causes in owners.items() if name in causes] for name in findings}

    def weight(name: str, above: frozenset[str] = frozenset()) -> int:
        others = [weight(other, above | {name}) for other in explains[name] if other not in above]
        return max([SEVERITIES.index(severities[name]), *others])

    def depth(name: str, above: frozenset[str] = frozenset()) -> int:
        causes = [depth(other, above | {name}) + 1 for other in owners[name] if other not in above]
        return max(causes, default=0)

    weights = {name: weight(name) for name in findings}
    order = sorted(findings, key=lambda name: (-weights[name], depth(name), -len(explains[name]), name))
    # A cause weighs as much as its effects, and lies deeper: it is before them in this order already.
    return [
        Ranked(
            name,
            SEVERITIES[weights[name]],
            tuple(other for other in order if other in explains[name]),
            tuple(other for other in order if other in owners[name])
            if _is_explained(findings[name], owners[name])
            else (),
        )
        for name in order
    ]


def _owners(name: str, findings: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> set[str]:
    handed = {str(one.get("hand_over", "")) for one in findings if one["status"] == PROBLEM}
    return (handed & set(known)) - {name}


def _is_explained(findings: Sequence[Mapping[str, Any]], owners: set[str]) -> bool:
    return all(one.get("hand_over") in owners for one in findings if one["status"] == PROBLEM)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How severe it is, in the words of the scheme that the inventory has. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .rank import SEVERITIES


@dataclass(frozen=True)
class Level:
    """A level of the scheme, and the rule by which it was taken."""

    name: str
    means: str
    since: str


def words_of(facts: Mapping[str, Any], runbooks: Sequence[str]) -> set[str]:
    """What a level may name in C(when): what triage works out, the severities of runbooks, and runbooks."""
    return {*facts, *SEVERITIES, *runbooks}


def trouble_with(scheme: Sequence[Mapping[str, Any]], known: set[str]) -> str:
    """What is wrong with the words of a scheme, in one line, or ""."""
    for one in scheme:
        for word in one.get("when") or ():
            if word not in known:
                return (
                    f"system_severities: {one.get('level')} has the unknown word {word!r} in when; "
                    f"known are {', '.join(sorted(known))}"
                )
    return ""


def level(scheme: Sequence[Mapping[str, Any]], facts: Mapping[str, str], problems: Mapping[str, str]) -> Level | None:
    """The first level of the scheme of which a word is true; None where there is none.

    Args:
        scheme: C(system_severities), the most severe first.
        facts: what was worked out, by name: the text that says it.
        problems: runbook -> severity, of those that see a problem, in the order of their rank.
    """
    for one in scheme:
        for word in one.get("when") or ():
            if since := _since(str(word), facts, problems):
                return Level(str(one["level"]), str(one.get("means") or ""), since)
    return None


def _since(word: str, facts: Mapping[str, str], problems: Mapping[str, str]) -> str:
    if word in facts:
        return facts[word]
    if word in problems:
        return f"{word} has found something"
    found = [runbook for runbook, severity in problems.items() if severity == word]
    return f"what {found[0]} has found is {word}" if found else ""

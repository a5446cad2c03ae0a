# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of a fault, for each runbook that meets it. It is written beside the fault, and before a runbook has met it.

It is corrected where an answer shows that it was wrong: with a name that is true as well, or without one that cannot be seen there. docs/accuracy.md
says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Right:
    """What is right for one runbook.

    Args:
        causes: any of these names it.
        remedies: what may be planned.
        also: other findings that are true as well.
        healthy: nothing that this runbook is for is wrong.
        unknown: to say that it cannot be seen is honest.
        says: words of which one has to be in what it says, such as the replica's name.
        handed_over: nobody said what is right for it; only what it would do is judged.
        second: of two faults at once, what names the other. Both have to be named.
        seen: all that would tell is to be seen. Where it is not, a name is welcome and not asked for.
    """

    causes: frozenset[str] = frozenset()
    remedies: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    healthy: bool = False
    unknown: bool = True
    says: tuple[str, ...] = ()
    handed_over: bool = False
    second: frozenset[str] = frozenset()
    seen: bool = True

    @property
    def blind(self) -> bool:
        """What would tell is not to be seen: there is no name to give, and it is not healthy either."""
        return not (self.causes or self.healthy or self.handed_over)

    @property
    def named(self) -> bool:
        """Whether there is a name to give, and all to be seen that it takes. Where it is well too, a name is welcome and not asked for."""
        return bool(self.causes) and self.seen and not self.healthy


Rights = Mapping[str, Right]


def right(causes: str = "", remedies: str = "", also: str = "", says: str = "", **more: Any) -> Right:
    """A :class:`Right`; names are parted by blanks, and words of ``says`` by ``|``."""
    first, second, third = (frozenset(words.split()) for words in (causes, remedies, also))
    return Right(first, second, third, says=tuple(filter(None, says.split("|"))), **more)


def unseen(*runbooks: str) -> dict[str, Right]:
    """What is right for runbooks that cannot see what they ask about: no name, and by no means healthy."""
    return {runbook: right() for runbook in runbooks}


# What an application tells of itself is not to be had, because it gives no metrics.
WITHOUT_METRICS: Rights = unseen("cache", "circuit_breaker", "db_pool", "error_rate", "latency")

# Who sees the pages of an API and no metrics of it may say that some of them hang; for what they wait, others have to tell.
PAGES_ALONE: Rights = {"api_down": right(also="part_hangs", healthy=True)}
# What is right while the API does not run, whatever keeps it down: its port is not the reason, and it is not healthy.
WITHOUT_API: Rights = {
    **WITHOUT_METRICS,
    "port_conflict": right(also="stopped down_for_another_reason", healthy=True),
    "rollback": right("service_not_healthy bad_deployment", also="deployed"),
}


@dataclass(frozen=True)
class Pair:
    """Two faults of a lab that can be there at once.

    Args:
        first: is made first.
        second: is made while the first is there.
        explained: where one of them is why the other cannot be seen, the other: to name the first is enough.
        explained_for: the runbooks of which that is so; empty: all.
    """

    first: str
    second: str
    explained: str = ""
    explained_for: frozenset[str] = frozenset()

    def rights(self, of: Mapping[str, Rights]) -> dict[str, Right]:
        """What is right while both are there, made of what is right of each.

        Args:
            of: the rights of each fault by its name.
        """
        merged = {}
        for runbook in sorted({*of[self.first], *of[self.second]}):
            told = not self.explained_for or runbook in self.explained_for
            parts = [(name, of[name][runbook]) for name in (self.first, self.second) if runbook in of[name]]
            merged[runbook] = together(parts, self.explained if told else "")
        return merged


def together(parts: Sequence[tuple[str, Right]], explained: str = "") -> Right:
    """What is right for one runbook while several things are wrong.

    Args:
        parts: each with its name, and what is right of it alone.
        explained: the part that need not be named, because another is why it cannot be seen.
    """
    rights = [one for _name, one in parts]
    # What is well for one fault says nothing of the other.
    wrong = [(name, one) for name, one in parts if not one.healthy]
    names = [one.causes for name, one in wrong if name != explained and one.causes]
    others = [one.causes for name, one in parts if one.healthy or name == explained]
    return Right(
        causes=names[0] if names else frozenset(),
        second=names[1] if len(names) > 1 else frozenset(),
        remedies=_all(one.remedies for one in rights),
        also=_all([*(one.also for one in rights), *others]),
        healthy=not wrong,
        unknown=any(one.unknown for one in rights),
        says=wrong[0][1].says if len(wrong) == 1 else (),
        seen=all(one.seen and not one.blind for one in rights),
    )


def _all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)

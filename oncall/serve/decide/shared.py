# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several alerts of one incident: which run looks for more than the alert that it was begun for, and what that means for the others.

A run looks for an alert only if the alert was kept before the run was admitted. The database says so and no clock: the decision
that admits a run also writes down what was queued then. An alert that fires is never closed because of what another one came to;
where a remedy was proven it has time to end, and then a run of its own. Nothing here looks at anything but its arguments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...results import Outcome
from ..settings import Route
from .rules import MODES, Waiting


@dataclass(frozen=True)
class Asks:
    """An episode that asks a person, or whose plan a person agreed to and that has not begun with it.

    Attributes:
        agreed: a person agreed.
    """

    episode: str
    runbook: str
    host: str
    mode: str
    agreed: bool = False


@dataclass(frozen=True)
class Share:
    """A run that looked for an episode that it was not begun for.

    Attributes:
        given: what it was given, see `given`.
        acts: whether it could change something.
        outcome: how it ended; "" while it goes on.
        ended_at: epoch seconds; 0 while it goes on.
        answer: what its own episode has come to by this run, where that is over: columns of an episode.
    """

    run: str
    given: str
    acts: bool
    outcome: str
    ended_at: float
    answer: dict[str, Any] | None = None


def given(route: Route | None) -> str:
    """Names the variables that a run is given: with others, it is another run."""
    variables = route.variables if route else {}
    return hashlib.sha256(json.dumps(variables, sort_keys=True).encode()).hexdigest()[:12]


def sharers(one: Waiting, waiting: Iterable[Waiting]) -> list[str]:
    """The episodes that a run of this one looks for as well.

    A rule that may do less never looks for a rule that may do more, and a person agreed to one plan, not to two.
    """
    return [
        other.episode
        for other in waiting
        if (other.runbook, other.host) == (one.runbook, one.host) and other.episode != one.episode
        if not other.agreed and not other.resolved and _is_no_more(other.mode, one.mode)
    ]


def why_not_yet(one: Waiting, asks: Iterable[Asks], shares: Iterable[Share], route: Route | None, now: float) -> str:
    """Why this episode waits for what was begun for another alert of its incident; "" where it does not.

    Args:
        one: the episode, in the mode that it has now.
        asks: what waits for a person, or for its turn since a person agreed.
        shares: the runs that looked for this episode.
        route: what the settings say of its runbook now.
        now: epoch seconds.
    """
    if one.agreed:
        return ""
    for other in asks:
        # It asks until the time to agree is over, and ends then.
        if (other.runbook, other.host) != (one.runbook, one.host) or not _is_no_more(one.mode, other.mode):
            continue
        if not other.agreed:
            return f"episode {other.episode[:12]} asks a person about {one.runbook} on {one.host}"
        # A look before that would find what is about to be mended, and ask the person again.
        if route is not None and route.mode not in ("off", "suggest"):
            return (
                f"episode {other.episode[:12]} is about to do what a person agreed to for {one.runbook} on {one.host}"
            )
    seconds = route.settle_seconds if route else 0
    resolved = [share for share in _by_same(shares, route) if share.outcome == Outcome.RESOLVED]
    # An alert has that time once: another one that comes and goes is resolved again and again, and would keep it from its run.
    first = min(resolved, key=lambda share: share.ended_at, default=None)
    # Of a node whose clock is ahead, it ended in the future; where clocks differ by more, the look only comes sooner.
    if first is not None and abs(now - first.ended_at) < seconds:
        return f"run {first.run} resolved it; looked at again after {seconds:.0f} s if the alert still fires"
    return ""


def answered_by(one: Waiting, shares: Iterable[Share], route: Route | None) -> Share | None:
    """The run that found the plan that a run of this episode would only keep as well; None where none did."""
    if one.mode != "suggest" or one.agreed:
        return None
    found = (share for share in _by_same(shares, route) if not share.acts and share.outcome == Outcome.PLANNED)
    return next((share for share in found if share.answer is not None), None)


def over_since(shares: Iterable[Share]) -> str:
    """The run that resolved what an alert said that is over now; "" where none did."""
    return next((share.run for share in shares if share.outcome == Outcome.RESOLVED), "")


def _by_same(shares: Iterable[Share], route: Route | None) -> list[Share]:
    same = given(route)
    return [share for share in shares if share.given == same]


def _is_no_more(mode: str, other: str) -> bool:
    return MODES.index(mode) <= MODES.index(other)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays a runbook on one host: what it is given, and what it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ..store.runs import Fence

INTERRUPTED = "interrupted"
CANCELED = "canceled"
CUT_OFF = "cut_off"


@dataclass(frozen=True)
class Order:
    """A run to be played.

    Attributes:
        run: names it and its record.
        acts: whether it may change something.
        plan_hashes: if it acts, only on plans that are these.
        may_act: if it acts, the runbooks whose remedies may be applied, as others may be handed over to.
        fence: if it acts, what the ledger of the host knows a later run by.
        tell: takes a line about how it goes on, for the people who look at it meanwhile.
    """

    run: str
    runbook: str
    host: str
    acts: bool
    plan_hashes: tuple[str, ...] = ()
    may_act: tuple[str, ...] = ()
    fence: Fence | None = None
    tell: Callable[[str], None] = field(default=lambda _line: None, compare=False)

    @property
    def variables(self) -> dict[str, Any]:
        """What a run that acts is told in any case, as extra vars."""
        if not self.acts:
            return {}
        return {"run_may_act": [*self.may_act], **({"run_fence": asdict(self.fence)} if self.fence else {})}


@dataclass(frozen=True)
class Ending:
    """What came of it.

    Attributes:
        outcome: one of `oncall.Outcome`, or ``interrupted``, ``canceled`` or ``cut_off`` where no remedy had begun.
        helped: runbook that applied remedies -> whether one was proven to have helped.
        planned: the runbooks whose plans a person can approve.
        plan_hashes: of these plans.
        result: the document of the run.
        queued_seconds: how long it only waited to be begun by what plays it.
        nothing_ran: whether it certainly did nothing at all.
    """

    outcome: str
    summary: str
    helped: Mapping[str, bool] = field(default_factory=dict)
    planned: tuple[str, ...] = ()
    plan_hashes: tuple[str, ...] = ()
    result: dict[str, Any] | None = None
    queued_seconds: float = 0.0
    nothing_ran: bool = False


class Executor(Protocol):
    """Plays a runbook on one host."""

    def play(self, order: Order, cancel: threading.Event) -> Ending:
        """To its end. OncallError where it could not be begun."""

    def take_up(self, order: Order, cancel: threading.Event) -> Ending | None:
        """What came of the same run, after a crash of this service; None where nobody can tell."""

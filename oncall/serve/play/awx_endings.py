# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job of AWX came to.

What the runbook published with ``set_stats`` is in the job's ``artifacts``; its output is not read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from ...results import HostResult, Outcome, Result, host_result
from ...shared import masked
from .executor import CANCELED, INTERRUPTED, Ending, Order
from .local import told as told_of

# The role's own default, whatever an inventory says: then a job that fails has one of these, or came to no end.
FAIL_ON = (Outcome.UNRESOLVED, Outcome.BLOCKED, Outcome.UNKNOWN)
BY_US, TIMED_OUT, QUEUED = "canceled", "killed after its time", "canceled after its time in AWX's queue"


@dataclass(frozen=True)
class Job:
    """A job of AWX.

    Attributes:
        number: in AWX.
        address: where a person looks at it.
        over: why it was canceled here; "" where it was not.
        queued_seconds: how long it was seen to wait in AWX's queue.
    """

    number: int
    address: str
    over: str = ""
    queued_seconds: float = 0.0

    def __str__(self) -> str:
        return f"AWX job {self.number}"

    @property
    def is_another(self) -> bool:
        """Whether it was canceled as another job than was asked for: it may have acted, whatever it was to do."""
        return self.over not in ("", BY_US, TIMED_OUT, QUEUED)


def never_began(told: dict[str, Any]) -> bool:
    """Whether AWX says of a job that it never started. Without a word about it, it may have."""
    return told.get("started", "") is None


def seconds_of(told: dict[str, Any]) -> float:
    """How long a job has been running, by AWX's clock; its time in the queue is not counted."""
    elapsed = told.get("elapsed")
    return float(elapsed) if isinstance(elapsed, (int, float)) else 0.0


def ended(job: Job, told: dict[str, Any], order: Order, why: str) -> Ending:
    """Of a job that AWX says has ended.

    Args:
        job: which one.
        told: what AWX says of it.
        order: what it was launched for.
        why: it failed; "" where that is not known.
    """
    if job.is_another or told["status"] in ("error", "canceled"):
        return no_end(order, f"{job} is {job.over or told['status']}{_also(why)}", job)
    try:
        mode, seconds = "act" if order.acts else "check", seconds_of(told)
        hosts = {order.host: _host(job, told, order, why)}
        ending = told_of(Result(order.runbook, mode, "ended", round(time.time() - seconds, 3), seconds, hosts), order)
    except RecursionError:
        ending = Ending(Outcome.UNKNOWN, f"{job} published what is nested too deep")
    return _of(job, ending)


def nothing_ran(job: Job, told: dict[str, Any], why: str) -> Ending:
    """Of a job that ended before it started."""
    outcome = CANCELED if told["status"] == "canceled" and job.over in ("", BY_US) else Outcome.UNKNOWN
    how = job.over or told["status"]
    return _of(job, Ending(outcome, f"{job} is {how} before it started; nothing ran{_also(why)}", nothing_ran=True))


def no_end(order: Order, summary: str, job: Job | None = None) -> Ending:
    """It may have done something, or only part of it."""
    looked = CANCELED if job and job.over == BY_US else Outcome.UNKNOWN
    outcome = INTERRUPTED if order.acts or (job and job.is_another) else looked
    return _of(job, Ending(outcome, summary)) if job else Ending(outcome, summary)


def _of(job: Job, ending: Ending) -> Ending:
    """With the number and the address of the job."""
    result = {**(ending.result or {}), "awx_job": job.number, "awx_url": job.address}
    return replace(ending, result=result, queued_seconds=round(job.queued_seconds, 3))


def _host(job: Job, told: dict[str, Any], order: Order, why: str) -> HostResult:
    """What the job published about the one host; unknown where that cannot be relied on."""
    try:
        published = (told["artifacts"] or {}).get("oncall", {}).get(order.host, {})
        if order.runbook not in published:
            return HostResult(order.host, Outcome.UNKNOWN, f"{job} published nothing about {order.host}{_also(why)}")
        host = host_result(order.host, published, order.runbook, "")
        others = [
            name for name, one in published.items()
            if (one["runbook"], one["host"], one["check_mode"]) != (name, order.host, not order.acts)
        ]  # fmt: skip
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        said = f"{job} published what no runbook does: {type(error).__name__} {error}"
        return HostResult(order.host, Outcome.UNKNOWN, masked(said))
    if others or (host.actions and not order.acts):
        return HostResult(order.host, Outcome.UNKNOWN, f"{job} published another run than it was launched for")
    if told["status"] == "failed" and host.outcome not in FAIL_ON:
        said = f"{job} published {host.outcome}, and failed{_also(why)}"
        return HostResult(order.host, Outcome.UNKNOWN, said, host.runs)
    return host


def _also(why: str) -> str:
    return f": {why}" if why else ""

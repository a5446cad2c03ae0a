# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of every second, which is not started any more."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right

# Longer than the lab's inventory lets one be late, and lets the worker be quiet.
LATE_SECONDS = 15
_LATE = f"SELECT 1 FROM jobs HAVING max(ran_at) < now() - interval '{LATE_SECONDS} s'"


def _hang(target: Target) -> None:
    # What starts the job also takes events, one after the other.
    target.sql("INSERT INTO events (kind) VALUES ('endless')")
    target.wait(lambda: target.sql(_LATE), what="the job to be late")


def _is_late(target: Target) -> tuple[bool, str]:
    ((seconds,),) = target.sql("SELECT extract(epoch FROM now() - max(ran_at))::float FROM jobs")
    return seconds > LATE_SECONDS / 2, f"the job was started {seconds:.0f} s ago"


def _forget(target: Target) -> None:
    target.sql("DELETE FROM events")


FAULTS = {
    "scheduler_hangs": Fault(
        "the worker is stuck, and starts its job no more",
        _hang,
        _is_late,
        _forget,
        rights={
            "job_scheduler": right("scheduler_hangs", "restart_scheduler"),
            # Whether an event came meanwhile that has to wait is left to chance.
            "worker_queue": right(remedies="restart_workers", also="stuck late_jobs", healthy=True),
            "sync_lag": right("stalled backlog_grows unexplained"),
            "stalled_workflow": right(remedies="restart_workers", also="worker_hangs events_wait", healthy=True),
            "crash_loop": right(also="does_not_answer", healthy=True),
        },
    )
}

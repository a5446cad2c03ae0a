# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that wait, because nobody takes them, or because what takes them is stuck."""

from __future__ import annotations

from contextlib import suppress

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right

COUNT = 250
LATE_SECONDS = 4
# Longer than the lab's inventory lets the job of every second be late.
LONG_SECONDS = 15


def _add(target: Target, kind: str, count: int) -> None:
    target.sql("INSERT INTO events (kind) SELECT %s FROM generate_series(1, %s)", kind, count)


def _waiting(target: Target) -> int:
    """How many have waited for longer than the lab's inventory lets them."""
    late = f"SELECT count(*) FROM events WHERE status = 'pending' AND created_at < now() - interval '{LATE_SECONDS} s'"
    ((count,),) = target.sql(late)
    return int(count)


def _let_wait(target: Target) -> None:
    _add(target, "sync", COUNT)
    target.wait(lambda: _waiting(target) >= COUNT, what="the events to have waited for long")


def _hang(target: Target) -> None:
    _add(target, "endless", 1)
    # For longer than the lab's inventory lets one run.
    late = f"SELECT 1 FROM events WHERE status = 'running' AND began_at < now() - interval '{LATE_SECONDS} s'"
    target.wait(lambda: target.sql(late), what="the worker to be stuck in it")
    _let_wait(target)


def _lose(target: Target) -> None:
    # Its engine does not take that for a person's doing, and starts it no more.
    target.docker("update", "--restart", "no", target.container("worker")["Id"])
    with suppress(LabError):
        target.run_in("worker", "python3", "-c", "import os, signal; os.kill(-1, signal.SIGKILL)")
    target.wait(lambda: not target.container("worker")["State"]["Running"], what="the worker's end")
    _let_wait(target)


def _waits(target: Target) -> tuple[bool, str]:
    count = _waiting(target)
    return count >= 100, f"{count} events wait for more than {LATE_SECONDS} s"


def _waits_for_long(target: Target) -> tuple[bool, str]:
    """What the worker starts every second is late too: not before that do all who look for it see it."""
    is_there, seen = _waits(target)
    ((seconds,),) = target.sql("SELECT extract(epoch FROM now() - max(ran_at))::float FROM jobs")
    return is_there and seconds > LONG_SECONDS, f"{seen}; the job of every second was started {seconds:.0f} s ago"


def _forget(target: Target) -> None:
    target.sql("DELETE FROM events")


FAULTS = {
    "queue_worker_hangs": Fault(
        "the worker is stuck in one event, and all others wait",
        _hang,
        _waits_for_long,
        _forget,
        rights={
            "crash_loop": right(also="does_not_answer", healthy=True),
            "worker_queue": right("stuck", "restart_workers"),
            "job_scheduler": right("scheduler_hangs", "restart_scheduler"),
            "sync_lag": right("stalled backlog_grows unexplained"),
            # By the lab's inventory a record may wait for 15 minutes.
            "stalled_workflow": right(remedies="restart_workers", also="worker_hangs events_wait", healthy=True),
        },
    ),
    "queue_worker_lost": Fault(
        "the worker was killed, and nobody takes events",
        _lose,
        _waits,
        _forget,
        rights={
            "worker_queue": right("no_worker", "restart_workers"),
            "job_scheduler": right("scheduler_down", "restart_scheduler"),
            "sync_lag": right("scheduler_dead", "restart_sync"),
            "stalled_workflow": right(remedies="restart_workers", also="no_worker", healthy=True),
            # It has ended once, which is no loop.
            "crash_loop": right(remedies="clean_restart", also="unexplained restarted_lately", healthy=True),
        },
    ),
}

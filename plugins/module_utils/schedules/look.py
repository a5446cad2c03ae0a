# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the jobs of every schedule of an inventory, all of them at the same time."""

from __future__ import annotations

import time

from ..deadline import Deadline, all_within
from ..queues.in_database import Database
from ..told import failed, summary
from . import pg_cron, table
from .spec import described

ENGINES = {"table": table, "pg_cron": pg_cron}
# How far the database's clock is from that of this machine, and how long that took.
_CLOCK = "SELECT json_build_object('now', extract(epoch FROM clock_timestamp()))::text"


def observe(params):
    """Observe schedules.

    Args:
        params: as in :data:`observers.job_schedule.SPEC`.

    Returns:
        A dict ``available`` (whether at least one schedule could be observed), ``reason`` where none could, and ``schedules``: for every
        name what is documented in the module ``job_schedule_info``, but for what the controller works out of it.

    Raises:
        ValueError: the schedules are not described in a way that can be used.
    """
    if min(params["timeout_seconds"], params["lately_seconds"]) <= 0 or params["grace_seconds"] < 0:
        raise ValueError("timeout_seconds and lately_seconds must be above 0, and grace_seconds not below 0")
    schedules = {name: described(name, one, params, ENGINES) for name, one in params["schedules"].items()}
    calls = [lambda one=one: _observed(one, params) for one in schedules.values()]
    # Each keeps the deadline itself; this is for what slips past it.
    outcomes = all_within(params["timeout_seconds"] + 0.5, calls)
    found = {}
    for name, outcome in zip(schedules, outcomes):
        answer = failed(outcome, f"schedule {name}") if isinstance(outcome, Exception) else outcome
        found[name] = dict(answer, engine=schedules[name]["engine"])
    return summary("schedule", found)


def _observed(schedule, params):
    database = Database(schedule["reach"], Deadline(params["timeout_seconds"]))
    with database.session(params["timeout_seconds"]) as client:
        # To connect takes its time, which the clock is not measured with.
        client.query(_CLOCK)
        before_seconds = time.time()
        now_seconds = client.query(_CLOCK)["now"]
        after_seconds = time.time()
        partly = database.partly(client, params["timeout_seconds"])
        found = ENGINES[schedule["engine"]].look(client, partly, schedule, params["lately_seconds"], now_seconds)
    limits = found.pop("limits") + partly.limits
    known = {name: value for name, value in found.items() if value is not None}
    return dict(
        known,
        available=True,
        error="",
        complete=not limits,
        limits=limits,
        now_seconds=now_seconds,
        clock_ahead_seconds=round((before_seconds + after_seconds) / 2 - now_seconds, 3),
        clock_within_seconds=round((after_seconds - before_seconds) / 2, 3),
    )

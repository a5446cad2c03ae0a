# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every queue of an inventory: stores side by side, the queues of one store through one connection."""

from __future__ import annotations

import json
import time

from ..deadline import Deadline, all_within
from ..told import failed, summary, told
from .answer import settled
from .engines import engine
from .spec import described


def observe(params):
    """Observe queues.

    Args:
        params: as in :data:`observers.queue.SPEC`.

    Returns:
        A dict ``available`` (whether at least one queue could be observed), ``reason`` where none could, and ``queues``: for
        every name what is documented in the module ``queue_info``.

    Raises:
        ValueError: the queues are not described in a way that can be used.
    """
    if params["timeout_seconds"] <= 0 or params["window_seconds"] < 0 or params["lately_seconds"] <= 0:
        raise ValueError("timeout_seconds and lately_seconds must be above 0, and window_seconds not below 0")
    if min(params["top"], params["sample"], params["most_running"]) < 1:
        raise ValueError("top, sample and most_running must be above 0")
    queues = {name: described(name, queue, params) for name, queue in params["queues"].items()}
    stores = {}
    for name, queue in queues.items():
        stores.setdefault((queue["store"], json.dumps(queue["reach"], sort_keys=True)), {})[name] = queue
    # Each store keeps the deadline itself and says what it waited for; this is for what slips past it.
    seconds = params["timeout_seconds"] + params["window_seconds"] + 0.5
    found = {}
    calls = [
        lambda store=store, members=members: _observe(store, members, params, found)
        for (store, _reach), members in stores.items()
    ]
    for members, outcome in zip(stores.values(), all_within(seconds, calls)):
        for name in members:
            # What was told before the time was up stays.
            if name not in found:
                found[name] = failed(outcome, f"queue {name}")
    return summary("queue", {name: dict(found[name], engine=queues[name]["engine"]) for name in queues})


# The first of two looks asks for what was done within this time, in which an engine that heeds it tells of nothing.
MOMENT_SECONDS = 0.001


def _observe(store, queues, params, found):
    """Put what is told of the queues of one store into ``found``, by name."""
    deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
    end = time.monotonic() + params["timeout_seconds"]
    counted = {}
    with _opened(store, next(iter(queues.values()))["reach"], deadline) as opened:
        for number, (name, queue) in enumerate(queues.items()):
            # What one queue leaves of its share is for those after it; a slow one takes nothing from them.
            share_seconds = max(0.05, (end - time.monotonic()) / (len(queues) - number))
            module = engine(queue["engine"])
            bounds = dict(params, limit_seconds=queue["limit_seconds"], share_seconds=share_seconds)
            found[name] = told(module.look, opened, queue, bounds)
            if params["window_seconds"] and hasattr(module, "count") and found[name]["available"]:
                counted[name] = told(module.count, opened, queue, MOMENT_SECONDS)
        if counted:
            time.sleep(params["window_seconds"])
        for name, before in counted.items():
            after = told(engine(queues[name]["engine"]).count, opened, queues[name], params["window_seconds"])
            found[name] = _compared(queues[name], found[name], before, after)


def _opened(store, reach, deadline):
    if store == "redis":
        from ..redis.commands import Commands

        return Commands(reach, deadline)
    if store == "database":
        from .in_database import Database

        return Database(reach, deadline)
    from .url import Url

    return Url(reach, deadline)


def _compared(queue, found, before, after):
    """An answer with what two looks tell."""
    if before.get("available") is False or after.get("available") is False:
        reason = before.get("reason") or after.get("reason")
        return settled(found, [*found["limits"], f"what happens in the window is not known: {reason}"])
    seconds = after["at_seconds"] - before["at_seconds"]
    if seconds <= 0:
        return settled(found, [*found["limits"], "what happens in the window is not known: its clock went back"])
    changes = {}
    if before["ready"] is not None and after["ready"] is not None:
        changes["ready_growth_per_second"] = round((after["ready"] - before["ready"]) / seconds, 3)
    changes.update(engine(queue["engine"]).between(before, after, seconds))
    if "throughput_per_second" in changes:
        changes["done_in_window"] = changes["throughput_per_second"] > 0
    return settled(dict(found, **changes), found["limits"])

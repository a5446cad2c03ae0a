# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of Redis as a queue, with what runs and what failed in lists beside it where the application keeps them."""

from __future__ import annotations

from . import in_redis
from .answer import by_name, errors, fields_of, job, moment_of, name_of, oldest, over_limit, settled

OPTIONS = {
    "queue": {"type": "str", "required": True},
    "running": {"type": "str"},
    "dead": {"type": "str"},
    "oldest": {"type": "str", "choices": ["left", "right"], "default": "right"},
    "name_field": {"type": "str"},
    "time_field": {"type": "str"},
    "id_field": {"type": "str"},
    "error_field": {"type": "str"},
}

_RUNNING = 500


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = in_redis.begin(store)
    return answer(dict(read(store, queue, bounds), now=now), queue, bounds)


def read(store, queue, bounds):
    """What Redis keeps of a queue, with samples of what is long."""
    keys = [queue["queue"], queue["running"], queue["dead"]]
    named = [key for key in keys if key]
    lengths = dict(zip(named, store.needed(*(("LLEN", key) for key in named))))
    samples = dict(
        zip(
            named, in_redis.list_samples(store, named, [lengths[key] for key in named], min(_RUNNING, bounds["sample"]))
        )
    )
    # It does not tell an empty list from none: what is misspelt is seen by what is beside it, if anything is.
    return {
        "lengths": [lengths.get(key) for key in keys],
        "samples": [[fields_of(one) for one in samples.get(key, [])] for key in keys],
    }


def answer(found, queue, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to tell.
    """
    limits, now = [], found["now"]
    waiting, running, dead = found["samples"]
    lengths = dict(zip(("ready", "running", "dead"), found["lengths"]))
    ages = [now - at for at in (moment_of(one.get(queue["time_field"])) for one in waiting) if at is not None]
    if not lengths["ready"]:
        limits.append("an empty list and none are the same to Redis: only jobs in it show that it is there")
    if queue["time_field"] and waiting and not ages:
        limits.append(f"no job looked at has a time in {queue['time_field']}")
    told = {
        **lengths,
        "oldest_ready_age_seconds": oldest(ages, limits),
    }
    if queue["name_field"]:
        names = [name_of(one.get(queue["name_field"])) for one in waiting]
        told.update(by_name=by_name(names, bounds["top"]), by_name_of=len(names))
    if queue["running"] and queue["time_field"]:
        jobs = [
            job(
                one.get(queue["id_field"]) or "",
                name_of(one.get(queue["name_field"])),
                _age(now, one.get(queue["time_field"])),
            )
            for one in running
        ]
        told.update(over_limit(jobs, bounds["limit_seconds"], bounds["most_running"]))
        if lengths["running"] > len(jobs):
            limits.append(f"{len(jobs)} of {lengths['running']} running jobs are looked at")
    if queue["dead"] and queue["error_field"]:
        told["errors"] = errors(
            [(one.get(queue["error_field"]), name_of(one.get(queue["name_field"]))) for one in dead], bounds["top"]
        )
        told["errors_of"] = len(dead)
    return settled(told, limits)


def _age(now, value):
    at = moment_of(value)
    return None if at is None else now - at


def count(store, queue, _lately_seconds):
    """How many jobs wait, and the one that has waited longest."""
    end = 0 if queue["oldest"] == "left" else -1
    time, ready, oldest = store.needed(("TIME",), ("LLEN", queue["queue"]), ("LINDEX", queue["queue"], end))
    return {"at_seconds": in_redis.clock(time), "ready": ready, "oldest": oldest}


def between(before, after, seconds):
    """The least that the oldest job has waited, where it is the same in both looks; else that it was taken.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    if before["oldest"] is None:
        return {}
    is_same = before["oldest"] == after["oldest"]
    return {"oldest_ready_age_at_least_seconds": round(seconds, 3)} if is_same else {"oldest_was_taken": True}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RQ: a list of ids, sorted sets and a hash for each job.

Never through its own registries: to count one there cleans it up, which runs callbacks and moves jobs. And never what a job
carries, which is a pickle: to read that runs what it says.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from . import application, in_redis
from .answer import by_name, epoch_of, errors, job, name_of, number_of, oldest, over_limit, settled, text_of

OPTIONS = {
    "queue": {"type": "str", "default": "default"},
    "prefix": {"type": "str", "default": "rq"},
    **application.LIBRARY,
}
# What is done is kept for 500 s, where the application says nothing else; what failed, for a year.
GONE_IS_DONE = True

_RUNNING = 1000
# Failed jobs whose error is read, each from a stream of its own.
_ERRORS = 200
_WORKERS = 500
_ERROR_BYTES = 64 * 1024
# Of a description only what is called: the rest are arguments, or what somebody wrote.
_FUNCTION = re.compile(r"([A-Za-z_][\w.<>]{0,200})\(")
_EXECUTION = re.compile(rb":[0-9a-f]{32}\Z")
_FAILED = b"2"


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = in_redis.begin(store)
    return answer(dict(read(store, queue, bounds, now), now=now), bounds)


def read(store, queue, bounds, now):
    """What Redis keeps of a queue at a time, with samples of what is long."""
    prefix, name = queue["prefix"], queue["queue"]
    key = f"{prefix}:queue:{name}"
    counts = store.needed(
        ("SISMEMBER", f"{prefix}:queues", key),
        ("LLEN", key),
        ("ZCARD", f"{prefix}:wip:{name}"),
        ("ZCOUNT", f"{prefix}:wip:{name}", "-inf", f"({now}"),
        # What has expired is only waiting to be forgotten.
        ("ZCOUNT", f"{prefix}:failed:{name}", now, "+inf"),
        ("ZCARD", f"{prefix}:scheduled:{name}"),
        ("ZCOUNT", f"{prefix}:scheduled:{name}", "-inf", now),
        ("ZRANGE", f"{prefix}:scheduled:{name}", 0, 0, "WITHSCORES"),
        ("ZCARD", f"{prefix}:deferred:{name}"),
        ("EXISTS", f"{prefix}:suspended"),
        ("ZRANGE", f"{prefix}:wip:{name}", 0, _RUNNING - 1),
        ("ZREVRANGE", f"{prefix}:failed:{name}", 0, min(_ERRORS, bounds["sample"]) - 1),
        ("SMEMBERS", f"{prefix}:workers:{name}"),
    )
    is_known, *_rest, running, failed, workers = counts
    if not is_known and not any(counts[1:7]) and not workers:
        raise in_redis.missing(store, f"no queue {name!r} of RQ with the prefix {prefix!r}")
    names = (
        "waiting",
        "running",
        "abandoned",
        "failed",
        "scheduled",
        "overdue",
        "first_scheduled",
        "deferred",
        "suspended",
    )
    found = dict(zip(names, counts[1:10]))
    found.update(
        _jobs(
            store, prefix, in_redis.list_samples(store, [key], [found["waiting"]], bounds["sample"])[0], running, failed
        )
    )
    found["workers"] = workers_of(store, workers)
    return found


def _jobs(store, prefix, waiting, running, failed):
    """What is told of the jobs of these ids, without what they carry."""
    waiting = [f"{prefix}:job:{text_of(one)}" for one in waiting]
    running = [_EXECUTION.sub(b"", one) for one in running]
    failed = [text_of(one) for one in failed]
    told = iter(
        store.needed(
            *(("HMGET", key, "description", "enqueued_at") for key in waiting),
            *(("HMGET", f"{prefix}:job:{text_of(one)}", "description", "started_at") for one in running),
            *(("HMGET", f"{prefix}:job:{one}", "description", "ended_at") for one in failed),
        )
    )
    found = {"waiting_jobs": [next(told) for _key in waiting], "running_jobs": [(one, *next(told)) for one in running]}
    found["failed_jobs"] = [next(told) for _one in failed]
    found["errors"] = _errors_of(store, prefix, failed)
    return found


def _errors_of(store, prefix, failed):
    """The packed traceback of each failed job, None where there is none."""
    # The last result of one that failed has its error, and nothing that it returned.
    results = store.needed(*(("XREVRANGE", f"{prefix}:results:{one}", "+", "-", "COUNT", 1) for one in failed))
    # Before 1.14 the error is in the job itself.
    before = iter(
        in_redis.short_texts(
            store, [(f"{prefix}:job:{one}", "exc_info") for one, its in zip(failed, results) if not its]
        )
    )
    return [_error_in(its) if its else next(before) for its in results]


def _error_in(results):
    fields = in_redis.pairs(results[0][1])
    if fields.get("type") != _FAILED:
        return None
    try:
        return base64.b64decode(fields.get("exc_string") or b"")
    except (binascii.Error, ValueError):
        return None


def workers_of(store, members):
    """State, time of death, queues and counters of each worker that has been heard of lately: its hash is forgotten after."""
    asked = sorted(members)[:_WORKERS]
    fields = ("last_heartbeat", "death", "queues", "successful_job_count", "failed_job_count")
    told = store.needed(*(("HMGET", key, *fields) for key in asked))
    return [one for one in told if one[0] is not None and one[1] is None]


def answer(found, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        bounds: how much to tell.
    """
    limits, now = [], found["now"]
    running = [
        job(identity, _name(description), None if epoch_of(started) is None else now - epoch_of(started))
        for identity, description, started in found["running_jobs"]
    ]
    if found["running"] > len(running):
        limits.append(f"{len(running)} of {found['running']} running jobs are looked at")
    ages = [
        now - epoch_of(enqueued) for _description, enqueued in found["waiting_jobs"] if epoch_of(enqueued) is not None
    ]
    if found["overdue"] and found["first_scheduled"]:
        ages.append(now - in_redis.scored(found["first_scheduled"])[0][1])
    ended = [epoch_of(one[1]) for one in found["failed_jobs"]]
    lately = [one for one in ended if one is not None and now - one < bounds["lately_seconds"]]
    if found["failed"] > len(ended) and len(lately) == len(ended):
        limits.append(f"more than {len(ended)} jobs may have failed lately: only so many are looked at")
    names = [_name(one[0]) for one in found["waiting_jobs"]]
    return settled(
        {
            "ready": found["waiting"] + found["overdue"],
            "oldest_ready_age_seconds": oldest(ages, limits),
            "delayed": found["scheduled"] - found["overdue"],
            "overdue": found["overdue"],
            "blocked": found["deferred"],
            "running": found["running"],
            **over_limit(running, bounds["limit_seconds"], bounds["most_running"]),
            "abandoned": found["abandoned"],
            "dead": found["failed"],
            "dead_lately": len(lately),
            "workers": len(found["workers"]),
            "paused": bool(found["suspended"]),
            "by_name": by_name(names, bounds["top"]),
            "by_name_of": len(names),
            "errors": errors(
                [(_last_line(text), _name(one[0])) for text, one in zip(found["errors"], found["failed_jobs"])],
                bounds["top"],
            ),
            "errors_of": len(found["errors"]),
        },
        limits,
    )


def _name(description):
    """What a job calls, by the description that RQ makes for it."""
    called = _FUNCTION.match(text_of(description or ""))
    return name_of(called.group(1)) if called else None


def _last_line(packed):
    """The last line of a traceback, which names the error."""
    if not packed:
        return ""
    try:
        text = zlib.decompressobj().decompress(packed, _ERROR_BYTES)
    except zlib.error:
        text = packed[:_ERROR_BYTES]
    lines = [line for line in text_of(text).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def count(store, queue, _lately_seconds):
    """How many jobs wait, and how many its workers have ended so far."""
    prefix, name = queue["prefix"], queue["queue"]
    time, waiting, members = store.needed(
        ("TIME",), ("LLEN", f"{prefix}:queue:{name}"), ("SMEMBERS", f"{prefix}:workers:{name}")
    )
    workers = workers_of(store, members)
    # One that serves other queues as well counts for all of them.
    is_own = all(text_of(one[2] or "") == name for one in workers)
    ended = sum(int(number_of(count) or 0) for one in workers for count in one[3:])
    return {
        "at_seconds": in_redis.clock(time),
        "ready": waiting,
        "ended": ended,
        "workers": len(workers),
        "is_own": is_own,
    }


def between(before, after, seconds):
    """Jobs that ended, as the workers count them.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    ended = after["ended"] - before["ended"]
    if not (before["is_own"] and after["is_own"]) or before["workers"] != after["workers"] or ended < 0:
        return {}
    return {"throughput_per_second": round(ended / seconds, 4)}


def dead_ones(store, queue, most):
    """The jobs that failed first, each as :func:`replay.choice.chosen` takes it.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        most: how many to tell.
    """
    prefix = queue["prefix"]
    # By the time at which each is forgotten.
    (listed,) = store.needed(("ZRANGE", f"{prefix}:failed:{queue['queue']}", 0, most - 1))
    failed = [text_of(one) for one in listed]
    keys = [f"{prefix}:job:{one}" for one in failed]
    rows = store.needed(*(("HMGET", key, "description", "created_at", *_OF_MARK) for key in keys))
    carried = in_redis.hashes(store, [(key, "data") for key in keys])
    packed = _errors_of(store, prefix, failed)
    return [
        {
            "id": one,
            "name": _name(description),
            "error": _last_line(error),
            "mark": _mark(of_mark),
            "sha256": sha256,
            "at_seconds": epoch_of(added),
        }
        for one, (description, added, *of_mark), sha256, error in zip(failed, rows, carried, packed)
        # Of one whose hash is gone, only the id is left.
        if sha256 is not None
    ]


def places(store, queue, jobs):
    """Where jobs are: a list with ``id``, ``place``, ``mark`` and ``error`` of those that are there.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        jobs: ids.
    """
    prefix, found = queue["prefix"], []
    rows = store.needed(*(("HMGET", f"{prefix}:job:{one}", "status", *_OF_MARK) for one in jobs))
    there = [
        (one, _PLACES.get(status, "waiting"), _mark(of_mark)) for one, (status, *of_mark) in zip(jobs, rows) if status
    ]
    dead = [one for one, place, _its in there if place == "dead"]
    errors_of_dead = dict(zip(dead, _errors_of(store, prefix, dead)))
    for one, place, its in there:
        found.append({"id": one, "place": place, "mark": its, "error": _last_line(errors_of_dead.get(one))})
    return found


# By the status in the job itself, which changes with its place: one that is taken out of the failed ones and is not yet in its queue, as a
# kill of the library can leave it, is still dead, and is sent.
_PLACES = {b"failed": "dead", b"stopped": "dead", b"canceled": "dead", b"finished": "done", b"started": "running"}
# When it failed last, and when it was sent last.
_OF_MARK = ("ended_at", "enqueued_at")


def _mark(values):
    return " ".join("" if value is None else text_of(value) for value in values)

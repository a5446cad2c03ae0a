# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidekiq: a list of jobs for each queue, and sorted sets that all queues share."""

from __future__ import annotations

import json

from . import in_redis
from .answer import (
    by_name,
    errors,
    fields_of,
    job,
    moment_of,
    name_of,
    number_of,
    oldest,
    over_limit,
    settled,
    text_of,
)

OPTIONS = {"queue": {"type": "str", "default": "default"}, "prefix": {"type": "str", "default": ""}}

_PROCESSES = 200
# A process that has not been heard of for so long is forgotten.
_HEARTBEAT_SECONDS = 60


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = in_redis.begin(store)
    return answer(dict(read(store, queue, bounds, now), now=now), queue, bounds)


def read(store, queue, bounds, now):
    """What Redis keeps of a queue at a time, with samples of what is long."""
    prefix = queue["prefix"] + ":" if queue["prefix"] else ""
    key = f"{prefix}queue:{queue['queue']}"
    is_known, waiting, tail, paused, processes, *counts = store.needed(
        ("SISMEMBER", f"{prefix}queues", queue["queue"]),
        ("LLEN", key),
        ("LINDEX", key, -1),
        ("SISMEMBER", f"{prefix}paused", queue["queue"]),
        ("SMEMBERS", f"{prefix}processes"),
        ("ZCARD", f"{prefix}dead"),
        ("ZCARD", f"{prefix}schedule"),
        ("ZCARD", f"{prefix}retry"),
        ("ZCOUNT", f"{prefix}dead", now - bounds["lately_seconds"], "+inf"),
    )
    if not is_known and not waiting:
        raise in_redis.missing(store, f"no queue {queue['queue']!r} of Sidekiq")
    dead, scheduled, retries, dead_lately = counts
    sets = [f"{prefix}dead", f"{prefix}schedule", f"{prefix}retry"]
    most = in_redis.affordable(store, sets, [dead, scheduled, retries], bounds["sample"])
    names = sorted(processes)[:_PROCESSES]
    told = store.needed(
        *(("ZREVRANGE", one, 0, max(0, count - 1), "WITHSCORES") for one, count in zip(sets, most)),
        *(("HMGET", prefix.encode() + name, "beat", "quiet", "info") for name in names),
    )
    works = store.needed(*(("HVALS", prefix.encode() + name + b":work") for name in names))
    return {
        "waiting": waiting,
        "oldest": fields_of(tail or b""),
        "sample": [fields_of(one) for one in in_redis.list_samples(store, [key], [waiting], bounds["sample"])[0]],
        "paused": paused,
        "sets": [[(fields_of(member), score) for member, score in in_redis.scored(one)] for one in told[:3]],
        "counts": [dead, scheduled, retries],
        "dead_lately": dead_lately,
        "processes": told[3:],
        "works": [one for values in works for one in values],
    }


def answer(found, queue, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to tell.
    """
    limits, now, name = [], found["now"], queue["queue"]
    dead, scheduled, retries = (
        [(one, score) for one, score in members if one.get("queue", "default") == name] for members in found["sets"]
    )
    for what, members, count in zip(("dead", "scheduled", "retried"), found["sets"], found["counts"]):
        if count > len(members):
            limits.append(f"{len(members)} of {count} {what} jobs of all queues are looked at")
    running = [one for one in (_work(value, name, now) for value in found["works"]) if one]
    alive = [
        one
        for one in found["processes"]
        if number_of(one[0]) is not None and now - number_of(one[0]) < _HEARTBEAT_SECONDS
    ]
    began = moment_of(found["oldest"].get("enqueued_at"))
    overdue = sum(score <= now for _one, score in [*scheduled, *retries])
    names = [_name(one) for one in found["sample"]]
    return settled(
        {
            "ready": found["waiting"] + overdue,
            "oldest_ready_age_seconds": oldest([] if began is None else [now - began], limits),
            "delayed": len(scheduled) + len(retries) - overdue,
            "retrying": sum(score > now for _one, score in retries),
            "overdue": overdue,
            "running": len(running),
            **over_limit(running, bounds["limit_seconds"], bounds["most_running"]),
            "dead": len(dead),
            "dead_lately": sum(now - score < bounds["lately_seconds"] for _one, score in dead),
            "workers": sum(_serves(one, name) for one in alive),
            "paused": bool(found["paused"]),
            "by_name": by_name(names, bounds["top"]),
            "by_name_of": len(names),
            "errors": errors([(_error(one), _name(one)) for one, _score in [*dead, *retries]], bounds["top"]),
            "errors_of": len(dead) + len(retries),
        },
        limits,
    )


def _name(fields):
    # With ActiveJob the class is that of its adapter.
    return name_of(fields.get("wrapped") or fields.get("class"))


def _error(fields):
    kind, text = fields.get("error_class"), fields.get("error_message")
    return f"{kind}: {text}" if kind else text


def _work(value, name, now):
    """A job that runs, or None where it is of another queue."""
    fields = fields_of(value)
    if fields.get("queue") != name:
        return None
    payload = fields.get("payload")
    payload = fields_of(payload) if isinstance(payload, str) else payload if isinstance(payload, dict) else {}
    began = moment_of(fields.get("run_at"))
    return job(payload.get("jid") or "", _name(payload), None if began is None else now - began)


def _serves(process, name):
    """Whether a process takes jobs of a queue: not while it is quiet."""
    if text_of(process[1] or "") == "true":
        return False
    try:
        queues = json.loads(process[2] or "{}").get("queues")
    except (AttributeError, ValueError):
        return True
    return not isinstance(queues, list) or name in queues


def count(store, queue, _lately_seconds):
    """How many jobs wait, and how many were done so far in all queues."""
    prefix = queue["prefix"] + ":" if queue["prefix"] else ""
    time, ready, done, queues = store.needed(
        ("TIME",),
        ("LLEN", f"{prefix}queue:{queue['queue']}"),
        ("GET", f"{prefix}stat:processed"),
        ("SCARD", f"{prefix}queues"),
    )
    return {"at_seconds": in_redis.clock(time), "ready": ready, "done": number_of(done) or 0.0, "queues": queues}


def between(before, after, seconds):
    """Jobs that were done. Sidekiq counts those of all queues together, so only where there is one.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    done = after["done"] - before["done"]
    return {"throughput_per_second": round(done / seconds, 4)} if after["queues"] == 1 and done >= 0 else {}

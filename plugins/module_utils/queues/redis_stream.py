# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of Redis that a group of consumers reads."""

from __future__ import annotations

from ..redis.commands import Refused
from . import in_redis
from .answer import by_name, job, name_of, over_limit, seconds, settled, text_of

OPTIONS = {
    "queue": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "dead": {"type": "str"},
    "name_field": {"type": "str"},
}

_PENDING = 1000
# Before Redis 7 nobody counts what a group has not read yet.
_COUNTED = 10000


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = in_redis.begin(store)
    return answer(dict(read(store, queue, bounds, now), now=now), queue, bounds)


def group_of(store, queue):
    """What Redis tells of a group, by name.

    Raises:
        RedisError: there is none.
    """
    (groups,) = store.ask([("XINFO", "GROUPS", queue["queue"])])
    if isinstance(groups, Refused) and "no such key" not in str(groups).lower():
        raise store.refusal(groups)
    found = [] if isinstance(groups, Refused) else [in_redis.pairs(one) for one in groups]
    for one in found:
        if text_of(one["name"]) == queue["group"]:
            return one
    raise in_redis.missing(store, f"no group {queue['group']!r} of a stream {queue['queue']!r}")


def read(store, queue, bounds, now):
    """What Redis keeps of a stream and of its group, with samples of what is long."""
    key, group = queue["queue"], group_of(store, queue)
    after = _after(text_of(group["last-delivered-id"]))
    (length,) = store.needed(("XLEN", key))
    (affordable,) = in_redis.affordable(store, [key], [length], _COUNTED)
    lag = group.get("lag")
    most = min(affordable, bounds["sample"]) if lag is not None else affordable
    told = store.needed(
        ("XRANGE", key, after, "+", "COUNT", max(1, most)),
        ("XPENDING", key, queue["group"], "-", "+", _PENDING),
        ("XINFO", "CONSUMERS", key, queue["group"]),
        *(
            [
                ("XLEN", queue["dead"]),
                ("XREVRANGE", queue["dead"], "+", _id_at(now - bounds["lately_seconds"]), "COUNT", bounds["sample"]),
            ]
            if queue["dead"]
            else []
        ),
    )
    return {
        "lag": lag,
        "pending_count": group["pending"],
        "is_all": len(told[0]) < most,
        "waiting": [(text_of(one[0]), in_redis.pairs(one[1])) for one in told[0]],
        "pending": told[1],
        "consumers": [in_redis.pairs(one) for one in told[2]],
        "dead": told[3] if queue["dead"] else None,
        "dead_lately": len(told[4]) if queue["dead"] else None,
    }


def _after(identity):
    """The id that comes after another one: before Redis 6.2 a range cannot leave out its first."""
    milliseconds, _sign, number = identity.partition("-")
    return f"{milliseconds}-{int(number or 0) + 1}"


def _id_at(moment):
    return f"{max(0, int(moment * 1000))}-0"


def answer(found, queue, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to tell.
    """
    limits, now = [], found["now"]
    ready = found["lag"]
    if ready is None:
        ready = len(found["waiting"])
        if not found["is_all"]:
            limits.append(f"at least {ready} jobs wait: before Redis 7 only so many are counted")
    running = [job(identity, age_seconds=idle / 1000) for identity, _consumer, idle, _deliveries in found["pending"]]
    if found["pending_count"] > len(running):
        limits.append(f"{len(running)} of {found['pending_count']} running jobs are looked at")
    late = over_limit(running, bounds["limit_seconds"], bounds["most_running"])
    told = {
        "ready": ready,
        "oldest_ready_age_seconds": seconds(now - _time_of(found["waiting"][0][0])) if found["waiting"] else None,
        "running": found["pending_count"],
        **late,
        "dead": found["dead"],
        "dead_lately": found["dead_lately"],
        # One that has not asked for so long is taken for gone: nobody takes it off the list.
        "workers": sum(one["idle"] / 1000 <= bounds["limit_seconds"] for one in found["consumers"]),
    }
    if queue["name_field"]:
        sample = found["waiting"][: bounds["sample"]]
        names = [name_of(fields.get(queue["name_field"])) for _identity, fields in sample]
        told.update(by_name=by_name(names, bounds["top"]), by_name_of=len(names))
    return settled(told, limits)


def _time_of(identity):
    return int(identity.partition("-")[0]) / 1000


def count(store, queue, _lately_seconds):
    """How many jobs wait, where Redis counts them, and how many were read so far."""
    group = group_of(store, queue)
    (time,) = store.needed(("TIME",))
    counts = {"ready": group.get("lag"), "read": group.get("entries-read"), "pending": group["pending"]}
    return dict(counts, at_seconds=in_redis.clock(time))


def between(before, after, seconds):
    """Jobs that were acknowledged, which are those that were read and do not run any more.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    if before["read"] is None or after["read"] is None:
        return {}
    done = (after["read"] - before["read"]) - (after["pending"] - before["pending"])
    return {"throughput_per_second": round(done / seconds, 4)} if done >= 0 else {}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BullMQ: lists and sorted sets of ids, and a hash for each job."""

from __future__ import annotations

import base64
import json

from . import application, in_redis
from .answer import by_name, errors, job, name_of, number_of, oldest, over_limit, settled, spread, text_of

OPTIONS = {
    "queue": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": "bull"},
    **application.LIBRARY,
}
# What is done is removed where the application says so; what has failed just now is not.
GONE_IS_DONE = True

# Each priority has a range of scores of its own, and each millisecond of a delay.
_PRIORITY_SCORES = 2**32
_DELAY_SCORES = 4096
# Priorities whose oldest job is looked for.
_PRIORITIES = 10
_ACTIVE = 1000
_EVENTS = 2000
# What rateLimit() of a worker sets.
_LIMITED_BY_HAND = 2**53 - 1
_KEPT_EVENTS = 10000
# How many of them tell whether jobs come to an end at this moment, and by which.
_LATEST_EVENTS = 50
_ENDED = (b"completed", b"failed")
# By this name in the list of clients it is seen that names are kept at all.
_OWN_NAME = "oncall.runbooks"
_FIELDS = ("name", "timestamp", "delay", "processedOn", "opts")


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
    prefix = f"{queue['prefix']}:{queue['queue']}:"
    found = _counts(store, queue, prefix)
    if not found["exists"] and not found["events_count"] and not _jobs(found):
        raise in_redis.missing(store, f"no queue {queue['queue']!r} of BullMQ with the prefix {queue['prefix']!r}")
    found.update(_ids(store, prefix, found, bounds, now))
    waiting = [(prefix + text_of(one), one) for one in found.pop("waiting_ids")]
    active = [(prefix + text_of(one), one) for one in found.pop("active_ids")]
    failed = [(prefix + text_of(one), one) for one in found.pop("failed_ids")]
    told = iter(
        store.needed(
            *(("HMGET", key, *_FIELDS) for key, _id in waiting + active),
            *(("EXISTS", f"{key}:lock") for key, _id in active),
            *(("HMGET", key, "name") for key, _id in failed),
        )
    )
    found["waiting"] = [(identity, *next(told)) for _key, identity in waiting]
    found["active"] = [(identity, *next(told)) for _key, identity in active]
    found["locked"] = [next(told) for _key in active]
    names = [next(told)[0] for _key in failed]
    reasons = in_redis.short_texts(store, [(key, "failedReason") for key, _id in failed])
    found["failed"] = list(zip(reasons, names))
    return found


def _counts(store, queue, prefix):
    """Everything that costs the same however long the queue is."""
    told = store.ask(
        [
            ("LLEN", prefix + "wait"),
            ("LINDEX", prefix + "wait", -1),
            ("LLEN", prefix + "paused"),
            ("ZCARD", prefix + "prioritized"),
            ("ZCARD", prefix + "delayed"),
            ("ZRANGE", prefix + "delayed", 0, 0, "WITHSCORES"),
            ("LLEN", prefix + "active"),
            ("ZCARD", prefix + "failed"),
            ("ZCARD", prefix + "waiting-children"),
            ("XLEN", prefix + "events"),
            ("EXISTS", prefix + "meta", prefix + "id"),
            ("HMGET", prefix + "meta", "paused", "max", "opts.maxLenEvents"),
            ("GET", prefix + "limiter"),
            ("PTTL", prefix + "limiter"),
            ("CLIENT", "SETNAME", _OWN_NAME),
            ("CLIENT", "LIST"),
        ]
    )
    for one in told[:-2]:
        if isinstance(one, in_redis.Refused):
            raise store.refusal(one)
    wait, marker, paused_list, prioritized, delayed, first_delayed, active, failed, children, events = told[:10]
    exists, meta, limiter, limiter_ttl, _named, clients = told[10:]
    # Before 5.0 a mark can be in the list as if it were a job.
    marks = 1 if marker is not None and marker.startswith(b"0:") else 0
    return {
        "wait": wait - marks,
        "paused_list": paused_list,
        "prioritized": prioritized,
        "delayed": delayed,
        "first_delayed": in_redis.scored(first_delayed),
        "active_count": active,
        "failed_count": failed,
        "children": children,
        "events_count": events,
        "exists": exists,
        "meta": meta,
        "limiter": limiter,
        "limiter_ttl": limiter_ttl,
        # Some hosted servers and proxies know no names: then nobody can be seen, and that is not nobody.
        "workers": None if isinstance(clients, in_redis.Refused) else _workers(text_of(clients), queue, store.server),
    }


def _workers(clients, queue, server):
    """How many connections have the name that a worker of this queue gives itself; None where names are not kept."""
    name = f"{queue['prefix']}:{base64.b64encode(queue['queue'].encode()).decode()}"
    names = [field[5:] for line in clients.splitlines() for field in line.split(" ") if field.startswith("name=")]
    if server["transport"] != "docker" and _OWN_NAME not in names:
        return None
    return sum(one == name or one.startswith(f"{name}:w:") for one in names)


def _jobs(found):
    return sum(
        found[name] for name in ("wait", "paused_list", "prioritized", "delayed", "active_count", "failed_count")
    )


def _ids(store, prefix, found, bounds, now):
    """Ids of jobs that wait, that run and that failed, and the last events."""
    now_ms, sample = int(now * 1000), bounds["sample"]
    lists = [prefix + "wait", prefix + "paused"]
    waiting = in_redis.list_samples(store, lists, [found["wait"], found["paused_list"]], sample)
    (events,) = in_redis.affordable(store, [prefix + "events"], [found["events_count"]], _EVENTS)
    told = store.needed(
        ("LRANGE", prefix + "active", 0, _ACTIVE - 1),
        ("ZREVRANGE", prefix + "failed", 0, sample - 1),
        ("ZCOUNT", prefix + "failed", int(now_ms - bounds["lately_seconds"] * 1000), "+inf"),
        ("ZCOUNT", prefix + "delayed", "-inf", (now_ms + 1) * _DELAY_SCORES - 1),
        *([("XREVRANGE", prefix + "events", "+", "-", "COUNT", events)] if events else []),
        *(("ZRANGE", prefix + "prioritized", *piece) for piece in spread(found["prioritized"], sample)),
    )
    pieces = told[5 if events else 4 :]
    oldest = _oldest_of_each_priority(store, prefix, found["prioritized"])
    ids = [*waiting[0], *waiting[1], *(one for piece in pieces for one in piece)]
    known = set(ids)
    return {
        "active_ids": told[0],
        "failed_ids": told[1],
        "failed_lately": told[2],
        "overdue": told[3],
        "events": [(one[0], in_redis.pairs(one[1]).get("event")) for one in (told[4] if events else [])],
        "waiting_ids": [one for one in ids if not one.startswith(b"0:")] + [one for one in oldest if one not in known],
    }


def _oldest_of_each_priority(store, prefix, count):
    """The ids of the jobs that have waited longest among those of their priority, which only a step after another finds."""
    found, above = [], "-inf"
    for _priority in range(_PRIORITIES if count else 0):
        (first,) = store.needed(("ZRANGEBYSCORE", prefix + "prioritized", above, "+inf", "WITHSCORES", "LIMIT", 0, 1))
        if not first:
            break
        found.append(first[0])
        above = f"({(int(float(first[1])) // _PRIORITY_SCORES + 1) * _PRIORITY_SCORES - 1}"
    return found


def answer(found, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        bounds: how much to tell.
    """
    limits, now = [], found["now"]
    running = [
        job(identity, name_of(name), _age(now, processed))
        for identity, name, _added, _delay, processed, _opts in found["active"]
    ]
    if found["active_count"] > len(running):
        limits.append(f"{len(running)} of {found['active_count']} running jobs are looked at")
    ages = [_waiting_age(now, *one[2:]) for one in found["waiting"]]
    known = [age for age in ages if age is not None]
    if found["first_delayed"] and found["overdue"]:
        known.append(now - found["first_delayed"][0][1] / _DELAY_SCORES / 1000)
    ready = found["wait"] + found["paused_list"] + found["prioritized"] + found["overdue"]
    if ready and not known:
        limits.append("how long jobs wait is not known: those looked at were tried before")
    names = [name_of(one[1]) for one in found["waiting"]]
    return settled(
        {
            "ready": ready,
            "oldest_ready_age_seconds": oldest(known, limits),
            "delayed": found["delayed"] - found["overdue"],
            "overdue": found["overdue"],
            "blocked": found["children"],
            "running": found["active_count"],
            **over_limit(running, bounds["limit_seconds"], bounds["most_running"]),
            "abandoned": None if found["active_count"] > len(running) else found["locked"].count(0),
            "dead": found["failed_count"],
            "dead_lately": found["failed_lately"],
            "workers": found["workers"],
            "paused": found["meta"][0] is not None,
            "rate_limited": _rate_limited(found),
            "by_name": by_name(names, bounds["top"]),
            "by_name_of": len(names),
            "errors": errors([(reason, name_of(name)) for reason, name in found["failed"]], bounds["top"]),
            "errors_of": len(found["failed"]),
            **_rates(found, bounds["lately_seconds"]),
        },
        limits,
    )


def _age(now, milliseconds):
    return None if number_of(milliseconds) is None else now - number_of(milliseconds) / 1000


def _waiting_age(now, added, _delay, processed, opts):
    """How long a job could have run; None for one that was tried before, as nothing tells when it came back."""
    if number_of(added) is None or processed is not None:
        return None
    try:
        delay = number_of(json.loads(opts).get("delay")) or 0.0
    except (TypeError, ValueError, AttributeError):
        delay = 0.0
    # Its delay is set to 0 as soon as it is over, and kept in the options.
    return now - (number_of(added) + delay) / 1000


def _rate_limited(found):
    if found["limiter"] is None or found["limiter_ttl"] <= 0:
        return False
    used, most = number_of(found["limiter"]), number_of(found["meta"][1])
    if used is None or used >= _LIMITED_BY_HAND:
        return True
    # The limit of a worker is known to that worker alone.
    return None if most is None else used >= most


def _rates(found, lately_seconds):
    """Jobs that came and that ended, by the events that are kept."""
    if not found["events"]:
        return {}
    times = [int(text_of(identity).partition("-")[0]) / 1000 for identity, _event in found["events"]]
    since = found["now"] - lately_seconds
    kept = number_of(found["meta"][2])
    is_all = len(times) >= found["events_count"] and len(times) < (_KEPT_EVENTS if kept is None else kept)
    # Those before the oldest that was read may be gone, or not have been read.
    since = since if is_all else max(since, times[-1])
    span = found["now"] - since
    if span <= 0:
        return {}
    events = [event for time, (_identity, event) in zip(times, found["events"]) if time >= since]
    return {
        "throughput_per_second": round((events.count(b"completed") + events.count(b"failed")) / span, 4),
        "arrivals_per_second": round(events.count(b"added") / span, 4),
    }


def count(store, queue, _lately_seconds):
    """How many jobs could run at this moment."""
    prefix = f"{queue['prefix']}:{queue['queue']}:"
    time, events, *lengths = store.needed(
        ("TIME",),
        ("XREVRANGE", prefix + "events", "+", "-", "COUNT", _LATEST_EVENTS),
        ("LLEN", prefix + "wait"),
        ("LLEN", prefix + "paused"),
        ("ZCARD", prefix + "prioritized"),
    )
    newest = [_order(identity) for identity, _fields in events[:1]]
    ended = [_order(identity) for identity, fields in events if _event(fields) in _ENDED]
    return {
        "at_seconds": in_redis.clock(time),
        "ready": sum(lengths),
        "newest_event": max(newest, default=(0, 0)),
        "ended_event": max(ended, default=(0, 0)),
    }


def _order(identity):
    """The identity of an entry of a stream, which is above those of all entries before it, however the clock goes."""
    milliseconds, _dash, number = text_of(identity).partition("-")
    return int(milliseconds), int(number)


def _event(fields):
    return dict(zip(fields[::2], fields[1::2])).get(b"event")


def between(before, after, _seconds):
    """That jobs came to an end, where the latest events tell. All else is told by what is kept."""
    return {"done_in_window": True} if after["ended_event"] > before["newest_event"] else {}


def dead_ones(store, queue, most):
    """The jobs that failed first, each as :func:`replay.choice.chosen` takes it.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        most: how many to tell.
    """
    prefix = f"{queue['prefix']}:{queue['queue']}:"
    (failed,) = store.needed(("ZRANGE", prefix + "failed", 0, most - 1))
    keys = [prefix + text_of(one) for one in failed]
    rows = store.needed(*(("HMGET", key, "name", "timestamp", *_OF_MARK) for key in keys))
    reasons = in_redis.short_texts(store, [(key, "failedReason") for key in keys])
    carried = in_redis.hashes(store, [(key, "data") for key in keys])
    return [
        {
            "id": text_of(identity),
            "name": None if name is None else text_of(name),
            "error": reason,
            "mark": _mark(of_mark),
            "sha256": sha256,
            "at_seconds": None if number_of(added) is None else number_of(added) / 1000,
        }
        for identity, (name, added, *of_mark), reason, sha256 in zip(failed, rows, reasons, carried)
    ]


def places(store, queue, jobs):
    """Where jobs are: a list with ``id``, ``place``, ``mark`` and ``error`` of those that are there.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        jobs: ids.
    """
    prefix = f"{queue['prefix']}:{queue['queue']}:"
    # In one transaction they would be of one moment; so one that moves meanwhile is only seen a little later.
    asked = [
        command
        for one in jobs
        for command in (
            ("ZSCORE", prefix + "completed", one),
            ("ZSCORE", prefix + "failed", one),
            ("HMGET", prefix + one, "processedOn", *_OF_MARK),
        )
    ]
    told, found = store.needed(*asked), []
    reasons = in_redis.short_texts(store, [(prefix + one, "failedReason") for one in jobs])
    for number, (one, reason) in enumerate(zip(jobs, reasons)):
        completed, failed, (processed, *of_mark) = told[3 * number : 3 * number + 3]
        place = "done" if completed is not None else "dead" if failed is not None else "waiting"
        if place == "waiting" and processed is not None:
            place = "running"
        if completed is not None or failed is not None or any(value is not None for value in (processed, *of_mark)):
            found.append({"id": one, "place": place, "mark": _mark(of_mark), "error": reason})
    return found


# When it failed last, and how often it was tried: a job that has failed again has another mark.
_OF_MARK = ("finishedOn", "atm", "attemptsMade", "timestamp")


def _mark(values):
    return "-".join("" if value is None else text_of(value) for value in values)

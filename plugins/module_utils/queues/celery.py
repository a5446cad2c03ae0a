# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Celery on Redis: a list of messages for each priority, and a hash of those that workers have taken.

A message carries no time, so how long it has waited only two looks can tell, and only as the least that it was. What is taken out
of the list is acknowledged before it runs, unless the application says otherwise (acks_late): then nothing here shows what runs.
"""

from __future__ import annotations

import json

from . import application, in_redis
from .answer import by_name, fields_of, job, name_of, number_of, over_limit, settled, text_of

OPTIONS = {
    "queue": {"type": "str", "default": "celery"},
    "prefix": {"type": "str", "default": ""},
    "exchange": {"type": "str", "default": "celery"},
    "routing_key": {"type": "str"},
    "acks_late": {"type": "bool", "default": False},
    "priority_steps": {"type": "list", "elements": "int", "default": [0, 3, 6, 9]},
    **application.INTERPRETER,
    "application_name": {"type": "str"},
}

_SEPARATOR = "\x06\x16"
# Messages of all queues that workers have taken, the oldest first.
_TAKEN = 500


def look(store, queue, bounds):
    """What is told of one queue.

    Args:
        store: a :class:`redis.commands.Commands`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = in_redis.begin(store)
    return answer(dict(read(store, queue, bounds), now=now), queue, bounds)


def keys_of(queue):
    """The list of each priority."""
    name = queue["prefix"] + queue["queue"]
    return [f"{name}{_SEPARATOR}{step}" if step else name for step in queue["priority_steps"]]


def read(store, queue, bounds):
    """What Redis keeps of a queue, with samples of what is long."""
    keys, prefix = keys_of(queue), queue["prefix"]
    taken = prefix + "unacked"
    *lengths, bound, own, taken_count = store.needed(
        *(("LLEN", key) for key in keys),
        ("SMEMBERS", f"{prefix}_kombu.binding.{queue['exchange']}"),
        ("SMEMBERS", f"{prefix}_kombu.binding.{queue['queue']}"),
        ("HLEN", taken),
    )
    # A list that is empty is not there; what is bound to it is.
    is_bound = any(text_of(one).split(_SEPARATOR)[-1] == queue["queue"] for one in [*bound, *own])
    if not any(lengths) and not is_bound:
        raise in_redis.missing(
            store, f"no list {queue['prefix'] + queue['queue']!r} of Celery, and nothing bound to it"
        )
    samples = in_redis.list_samples(store, keys, lengths, max(1, bounds["sample"] // len(keys)))
    (most,) = in_redis.affordable(store, [taken], [taken_count], _TAKEN)
    (index,) = store.needed(("ZRANGE", taken + "_index", 0, max(0, most - 1), "WITHSCORES"))
    tags = in_redis.scored(index) if most else []
    messages = store.needed(*(("HMGET", taken, tag) for tag, _score in tags))
    return {
        "ready": sum(lengths),
        "messages": [one for sample in samples for one in sample],
        "taken_count": taken_count,
        "taken": [(message[0], score) for message, (_tag, score) in zip(messages, tags)],
    }


def answer(found, queue, bounds):
    """What Redis keeps, in the words of all queues. Pure.

    Args:
        found: of :func:`read`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to tell.
    """
    limits = []
    taken = [one for one in (_taken(message, score, queue, found["now"]) for message, score in found["taken"]) if one]
    is_all = len(found["taken"]) >= found["taken_count"]
    if not is_all:
        limits.append(f"{len(found['taken'])} of {found['taken_count']} messages that workers have taken are looked at")
    names = [name_of(_headers(message).get("task")) for message in found["messages"]]
    answered = {
        "ready": found["ready"],
        "fetched": len(taken) if is_all else None,
        "by_name": by_name(names, bounds["top"]),
        "by_name_of": len(names),
    }
    if queue["acks_late"]:
        answered["running"] = answered["fetched"]
        answered.update(over_limit(taken, bounds["limit_seconds"], bounds["most_running"]))
    return settled(answered, limits)


def _headers(message):
    """The headers of a message; its body stays as it is."""
    headers = fields_of(message).get("headers")
    return headers if isinstance(headers, dict) else {}


def _taken(message, score, queue, now):
    """A message that a worker of this queue has taken, or None where it is of another one."""
    try:
        content, _exchange, routing_key = json.loads(message or "")
    except (TypeError, ValueError, RecursionError):
        return None
    headers = content.get("headers") if isinstance(content, dict) else None
    if routing_key != (queue["routing_key"] or queue["queue"]) or not isinstance(headers, dict):
        return None
    return job(headers.get("id") or "", name_of(headers.get("task")), now - score)


def count(store, queue, _lately_seconds):
    """How many messages wait, and the oldest of each priority."""
    keys = keys_of(queue)
    time, *told = store.needed(("TIME",), *(("LLEN", key) for key in keys), *(("LINDEX", key, -1) for key in keys))
    return {"at_seconds": in_redis.clock(time), "ready": sum(told[: len(keys)]), "tails": told[len(keys) :]}


def between(before, after, seconds):
    """The least that the oldest message has waited, where it is the same in both looks; else that it was taken.

    Args:
        before: of :func:`count`.
        after: of :func:`count`.
        seconds: between the two.
    """
    if not any(before["tails"]):
        return {}
    waits = any(one is not None and one == other for one, other in zip(before["tails"], after["tails"]))
    return {"oldest_ready_age_at_least_seconds": round(number_of(seconds), 3)} if waits else {"oldest_was_taken": True}

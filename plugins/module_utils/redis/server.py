# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Redis server is: PING and INFO, and what changed between two looks at INFO."""

from __future__ import annotations

import time

from ..deadline import Deadline
from .client import RedisError, ask, error_of

# What the buffers of refused clients take is given back when they go.
FULL_RATIO = 0.99
_REFUSAL = "errorstat_"

# Name in the answer, field of INFO, type.
_FIELDS = (
    ("version", "redis_version", str),
    ("mode", "redis_mode", str),
    ("uptime_seconds", "uptime_in_seconds", int),
    ("used_memory_bytes", "used_memory", int),
    ("rss_bytes", "used_memory_rss", int),
    ("maxmemory_bytes", "maxmemory", int),
    ("maxmemory_policy", "maxmemory_policy", str),
    ("fragmentation_ratio", "mem_fragmentation_ratio", float),
    ("connected_clients", "connected_clients", int),
    ("blocked_clients", "blocked_clients", int),
    ("maxclients", "maxclients", int),
    ("evicted_keys", "evicted_keys", int),
    ("expired_keys", "expired_keys", int),
    ("keyspace_hits", "keyspace_hits", int),
    ("keyspace_misses", "keyspace_misses", int),
    ("rejected_connections", "rejected_connections", int),
    ("loading_eta_seconds", "loading_eta_seconds", int),
    ("rdb_last_bgsave_status", "rdb_last_bgsave_status", str),
    ("rdb_changes_since_last_save", "rdb_changes_since_last_save", int),
    ("aof_last_write_status", "aof_last_write_status", str),
    ("role", "role", str),
    ("master_link_status", "master_link_status", str),
    ("connected_replicas", "connected_slaves", int),
    # Only where writes need any.
    ("good_replicas", "min_slaves_good_slaves", int),
    # Only where it is one of a cluster, and its user may ask.
    ("cluster_state", "cluster_state", str),
)
_FLAGS = (
    ("cluster_enabled", "cluster_enabled"),
    ("loading", "loading"),
    ("aof_enabled", "aof_enabled"),
    ("replica_read_only", "slave_read_only"),
)


def observe(params):
    """Look at one Redis server.

    Args:
        params: as in :data:`observers.redis.SPEC`.

    Returns:
        ``available: true`` with what the module's documentation describes, or ``available: false`` with ``reason``. ``error``
        is the :attr:`RedisError.kind` of what is wrong with it, or empty.
    """
    server, window_seconds = params["server"], params["window_seconds"]
    if params["timeout_seconds"] <= 0 or window_seconds < 0:
        raise ValueError("timeout_seconds must be above 0, and window_seconds not below 0")
    deadline = Deadline(params["timeout_seconds"] + window_seconds)
    try:
        before, trouble, ping_seconds = _look(server, deadline)
        began = time.monotonic()
        if not window_seconds:
            return summarize(before, server, trouble, ping_seconds)
        time.sleep(window_seconds)
        after, trouble, ping_seconds = _look(server, deadline)
    except RedisError as error:
        return {"available": False, "reason": str(error), "error": error.kind}
    return dict(
        summarize(after, server, trouble, ping_seconds), window=changes(before, after, time.monotonic() - began)
    )


def _look(server, deadline):
    text, trouble, ping_seconds = ask(server, deadline)
    info = parse(text)
    if "redis_version" not in info and "used_memory" not in info:
        from ..text.masking import masked

        raise error_of(server, "protocol", f"INFO is answered with {masked(text, 60)!r}")
    return info, trouble, ping_seconds


def parse(text):
    """The lines ``name:value`` of INFO as a dict of text to text."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _colon, value in pairs}


def summarize(info, server, trouble, ping_seconds):
    """What INFO and PING tell, by the names of the module's documentation; None for what INFO leaves out. Pure.

    Args:
        info: of :func:`parse`.
        server: which one it is.
        trouble: None, or the :class:`RedisError` that PING was answered with.
        ping_seconds: how long PING took.
    """
    found = {name: _converted(info.get(field), convert) for name, field, convert in _FIELDS}
    found.update({name: info[field] == "1" if field in info else None for name, field in _FLAGS})
    used, most = found["used_memory_bytes"], found["maxmemory_bytes"]
    found["memory_ratio"] = round(used / most, 4) if used is not None and most else None
    keyspace = dict(
        pair.split("=", 1) for pair in info.get(f"db{server.get('database') or 0}", "").split(",") if "=" in pair
    )
    found["keys"] = int(keyspace.get("keys", 0))
    error, reason = (
        (trouble.kind, str(trouble)) if trouble else _unspoken(found, _evicts(info), _is_full_of_overhead(info))
    )
    found.update(available=True, error=error, ping_seconds=ping_seconds)
    if reason:
        found["reason"] = reason
    return found


def _evicts(info):
    """Whether its policy finds anything to evict: those named volatile take only keys that expire."""
    policy = info.get("maxmemory_policy", "")
    if policy.startswith("volatile-"):
        databases = [value for name, value in info.items() if name.startswith("db") and name[2:].isdigit()]
        return any("expires=" in value and ",expires=0" not in value for value in databases)
    return policy != "noeviction"


def _is_full_of_overhead(info):
    """Whether it is above its limit however much it evicts; buffers that it does not count count for nothing."""
    used, data, uncounted, most = (
        _converted(info.get(field), int) or 0
        for field in ("used_memory", "used_memory_dataset", "mem_not_counted_for_evict", "maxmemory")
    )
    has_keys = any(name.startswith("db") and name[2:].isdigit() for name in info)
    # All keys together take no more than this.
    return bool(most and used) and used - uncounted - (data if has_keys else 0) >= most


def _unspoken(found, evicts, full_of_overhead):
    """What makes writes fail, though PING is answered."""
    if found["loading"]:
        return "loading", "it reads its data and answers when it is done"
    if found["cluster_state"] not in (None, "ok"):
        return "cluster_down", (
            f"its cluster is {found['cluster_state']}: some slots are served by nobody, and it refuses what belongs to them"
        )
    if evicts and full_of_overhead:
        return "out_of_memory", (
            f"{found['used_memory_bytes']} of {found['maxmemory_bytes']} bytes are used, and not by what it keeps: what it needs "
            "itself, and the buffers of its clients, leave no room, and it refuses writes"
        )
    if not evicts and (found["memory_ratio"] or 0) >= FULL_RATIO:
        return "out_of_memory", (
            f"{found['used_memory_bytes']} of {found['maxmemory_bytes']} bytes are used, and with the policy "
            f"{found['maxmemory_policy']} it has nothing to evict and refuses writes"
        )
    if found["aof_enabled"] and found["aof_last_write_status"] == "err":
        return "misconf", "it cannot write its append-only file and refuses writes"
    if found["role"] == "slave" and found["replica_read_only"]:
        return "read_only", "it is a replica and refuses writes"
    if found["role"] == "slave" and found["master_link_status"] == "down":
        return (
            "primary_down",
            "it is a replica that lost its primary: what is written to it is lost when it finds it again",
        )
    if found["role"] == "master" and found["good_replicas"] == 0:
        return "no_replicas", "min-replicas-to-write wants replicas that keep up, it has none and refuses writes"
    return "", ""


def changes(before, after, seconds):
    """What happened between two looks at INFO: rates per second and the share of lookups that found something. Pure.

    None where INFO does not tell, or the server was restarted meanwhile; the ratio also where nothing was looked up.
    """

    def grown(field):
        values = [_converted(info.get(field), int) for info in (before, after)]
        return None if None in values or values[1] < values[0] else values[1] - values[0]

    def rate(field):
        return None if grown(field) is None else round(grown(field) / seconds, 3)

    refused = _refused_since(before, after)
    hits, misses = grown("keyspace_hits"), grown("keyspace_misses")
    lookups = None if None in (hits, misses) else hits + misses
    return {
        "seconds": round(seconds, 3),
        "lookups": lookups,
        "hit_ratio": round(hits / lookups, 4) if lookups else None,
        "evicted_keys_per_second": rate("evicted_keys"),
        "rejected_connections_per_second": rate("rejected_connections"),
        "commands_per_second": rate("total_commands_processed"),
        "no_replicas_errors": refused.get("NOREPLICAS", 0) if refused is not None else None,
        "refused": refused,
    }


def _refused_since(before, after):
    """How many commands were refused, by the code of the refusal; None where it does not count them (before 6.2) or began anew."""
    counted = [
        {
            name[len(_REFUSAL) :]: int(value.partition("=")[2])
            for name, value in info.items()
            if name.startswith(_REFUSAL)
        }
        for info in (before, after)
    ]
    # It counts those that a client got: what was never refused is not in INFO.
    total = [_converted(info.get("total_error_replies"), int) for info in (before, after)]
    if None in total or total[1] < total[0]:
        return None
    grown = {code: count - counted[0].get(code, 0) for code, count in counted[1].items()}
    return (
        None if any(count < 0 for count in grown.values()) else {code: count for code, count in grown.items() if count}
    )


def _converted(value, convert):
    try:
        return None if value is None else convert(value)
    except ValueError:
        return None

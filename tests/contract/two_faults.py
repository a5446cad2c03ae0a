"""Two faults of one table at once: what both looks show, where one host can show both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

GONE = object()
# A look is later than the one it is compared with; what is only that is no difference.
_TIME, _LATER_SECONDS, _ALMOST = 1e9, 120, 1e-4
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# What says which thing an entry of a list is about.
_IDENTITY = (
    *("pid", "application_name", "user", "database", "mount", "endpoint", "host", "port", "address", "name", "path"),
    *("what", "role", "gid", "slot_name", "queryid", "line", "service", "revision", "image"),
)
# Words about what other keys say.
_WORDS = ("reason", "summary", "description")
# A certificate is made anew for each row.
_MADE_ANEW = ("sha256",)
# Its last line is what counts, so that it has one.
_IN_ORDER = ("log_tail",)


class Contradiction(Exception):
    """No host shows both."""


def both(healthy: Any, one: Any, other: Any, path: tuple[Any, ...] = ()) -> Any:
    """What a host shows that has both faults, as far as each differs from the healthy look.

    Raises:
        Contradiction: with the place where they contradict each other.
    """
    if same(one, other) or same(other, healthy):
        return one
    if same(one, healthy):
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return _both_dictionaries(healthy if isinstance(healthy, dict) else {}, one, other, path)
    if isinstance(one, list) and isinstance(other, list) and not (path and path[-1] in _IN_ORDER):
        return _both_lists(healthy if isinstance(healthy, list) else [], one, other, path)
    if _is_number(healthy) and _is_number(one) and _is_number(other):
        # Both make it worse: it is as bad as the worse of them. Nothing and something contradict each other.
        if (one > healthy) == (other > healthy) and max(one, other, healthy) < _TIME and 0 not in (one, other):
            return max(one, other) if one > healthy else min(one, other)
    elif path and path[-1] in _MADE_ANEW:
        return one
    elif path and path[-1] in _WORDS and isinstance(one, str) and isinstance(other, str):
        return f"{one}; {other}"
    raise Contradiction(".".join(str(key) for key in path))


def _both_dictionaries(
    healthy: Mapping[str, Any], one: Mapping[str, Any], other: Mapping[str, Any], path: tuple[Any, ...]
) -> dict[str, Any]:
    merged = {
        key: both(healthy.get(key, GONE), one.get(key, GONE), other.get(key, GONE), (*path, key))
        for key in dict.fromkeys([*healthy, *one, *other])
    }
    return {key: value for key, value in merged.items() if value is not GONE}


def _both_lists(healthy: list[Any], one: list[Any], other: list[Any], path: tuple[Any, ...]) -> list[Any]:
    if healthy and (not one or not other):
        raise Contradiction(".".join(str(key) for key in path))
    named = [{_identity(entry): entry for entry in entries} for entries in (healthy, one, other)]
    if all(len(found) == len(entries) and "" not in found for found, entries in zip(named, (healthy, one, other))):
        return list(_both_dictionaries(*named, path).values())
    kept = [entry for entry in healthy if entry in one and entry in other]
    return kept + [entry for entry in one if entry not in healthy] + [e for e in other if e not in healthy + one]


def _identity(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    found = {key: entry[key] for key in _IDENTITY if key in entry}
    return json.dumps(found, sort_keys=True) if found else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    if one is GONE or other is GONE:
        return one is other
    if isinstance(one, str) and isinstance(other, str) and _MOMENT.fullmatch(one) and _MOMENT.fullmatch(other):
        one, other = (datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() for text in (one, other))
    if _is_number(one) and _is_number(other) and min(one, other) > _TIME:
        return abs(one - other) < _LATER_SECONDS
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _ALMOST * abs(one)
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(key in _MADE_ANEW or same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def differences(healthy: Any, look: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places where a look is not as the healthy one."""
    if same(healthy, look):
        return
    if isinstance(healthy, dict) and isinstance(look, dict):
        for key in (key for key in dict.fromkeys([*healthy, *look]) if key not in _MADE_ANEW):
            yield from differences(healthy.get(key, GONE), look.get(key, GONE), (*path, key))
    elif isinstance(healthy, list) and isinstance(look, list) and len(healthy) == len(look):
        for index, (was, is_now) in enumerate(zip(healthy, look)):
            yield from differences(was, is_now, (*path, index))
    else:
        yield path


def members_differ(healthy: Any, look: Any) -> tuple[tuple[Any, ...], Any] | None:
    """Where all that differs is in one of several alike (services, certificates): where they are, and which it is."""
    found = list(differences(healthy, look))
    for depth in range(1, min(map(len, found), default=0) + 1):
        if len({path[:depth] for path in found}) > 1:
            return None
        around = _at(healthy, found[0][: depth - 1])
        entries = list(around.values()) if isinstance(around, dict) else around
        if len(entries) > 1 and all(isinstance(one, dict) and set(one) == set(entries[0]) for one in entries):
            return found[0][: depth - 1], found[0][depth - 1]
    return None


def on_a_peer(healthy: Any, one: Any, other: Any) -> Any:
    """The other look with its fault on a peer, where both faults are of the same one of several alike: it has one state."""
    here = members_differ(healthy, other)
    if here is None or members_differ(healthy, one) != here:
        return other
    place, member = here
    moved = json.loads(json.dumps(healthy))
    around = _at(moved, place)
    peer = next(key for key in (around if isinstance(around, dict) else range(len(around))) if key != member)
    fault = both_of(_at(healthy, place)[member], _at(other, place)[member], around[peer])
    around[peer] = fault
    return moved


def both_of(healthy: Mapping[str, Any], faulty: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, Any]:
    """The peer with what differs in the faulty one."""
    changed = {key: value for key, value in faulty.items() if not same(healthy.get(key, GONE), value)}
    return {key: value for key, value in {**peer, **changed}.items() if key in faulty}


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def pids_of(look: Any) -> set[Any]:
    """All processes and sessions that a look names."""
    if isinstance(look, dict):
        own = {look["pid"]} if isinstance(look.get("pid"), int) else set()
        return own.union(*map(pids_of, look.values()))
    return set().union(*map(pids_of, look)) if isinstance(look, list) else set()

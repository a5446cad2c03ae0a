# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a post-mortem says only what its record says: each number of it is looked for in the entries that it names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from oncall.incidents.postmortem import words

# Counted by the document itself; tests of their own count again.
COUNTS = {"count", "not_measured", "set_back"}
_DIGITS = re.compile(r"\d+")
_ALERT = re.compile(r"(.{19})\.([0-9]{9})([+-].*)")


def invented(document: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The figures and words with numbers of a post-mortem, as JSON, that are not in the entries that they name.

    Args:
        document: the incident with its timeline.
        told: the post-mortem.
    """
    entries = {one["number"]: one for one in document["timeline"]}
    found: list[str] = []
    for key, value in told.items():
        if key in ("incident", "source", "parts", "share", "schema"):
            cited = {"incident": [document["incident"]], "source": [document["incident"]]}.get(key, [])
            if key in ("incident", "source"):
                found += _of(value, key, cited, entries)
            continue
        found += _of(value, key, [], entries)
    return found


def _of(value: Any, path: str, cited: list[Any], entries: Mapping[int, Any]) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "entries" in value:
            named = value["entries"]
            if any(number not in entries for number in named):
                yield f"{path}: names entries that are not there: {named}"
                return
            if not named and not value.get("not_known"):
                yield f"{path}: names no entry, and does not say why: {json.dumps(value)[:200]}"
            cited = [entries[number] for number in named]
        for key, one in value.items():
            if key != "entries" and key not in COUNTS:
                yield from _of(one, f"{path}.{key}", cited, entries)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _of(one, path, cited, entries)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, (int, float)):
        if not any(_close(value, one) for one in _numbers(cited)):
            yield f"{path}: {value} is in none of the entries {[one.get('number') for one in cited]}"
    else:
        text = json.dumps(cited, ensure_ascii=False)
        for digits in _DIGITS.findall(value):
            if digits not in text:
                yield f"{path}: {digits} of {value[:80]!r} is in none of the entries {[one.get('number') for one in cited]}"


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) < 0.001


def _numbers(cited: list[Any]) -> Iterator[float]:
    """The numbers of entries, and the seconds between their times."""
    times: list[float] = []
    for one in cited:
        found = list(leaves(one))
        yield from found
        told = (one.get("at"), one.get("written_at"), _instant((one.get("data") or {}).get("starts_at")))
        times += [at for at in told if at is not None and finite(at)]
    yield from times
    points = [point for one in cited for point in (one.get("data") or {}).get("points", ())]
    yield from (later[0] - earlier[0] for earlier, later in zip(points, points[1:], strict=False))
    yield from (one - other for one in times for other in times)


def _instant(value: Any) -> Any:
    """When an alert says that it began: its text, as a time."""
    found = _ALERT.fullmatch(value) if isinstance(value, str) else None
    return datetime.fromisoformat(found[1] + found[3]).timestamp() + int(found[2]) / 10**9 if found else value


def leaves(value: Any) -> Iterator[float]:
    """The numbers in data."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)
    elif finite(value):
        yield value


def finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def unheard(document: Mapping[str, Any], page: str) -> set[str]:
    """The numbers of a page, as its reader sees them, that are not in the record: neither as they are nor as times of it."""
    known = [json.dumps(document, ensure_ascii=False)]
    times = [at for one in document["timeline"] for at in _times(one)]
    known += [f"{words.when(at)} {words.day(at)} {words.clock(at)}" for at in times]
    known += [words.span(round(one - other, 3)) for one in set(times) for other in set(times) if one >= other]
    known += [words.figure(one) for one in leaves(document)]
    text = "\n".join(known)
    whole = set(_DIGITS.findall(text))
    # What is cut off or masked may leave the begin of a number.
    return {digits for digits in set(_DIGITS.findall(page)) - whole if digits not in text}


def _times(one: Mapping[str, Any]) -> Iterator[float]:
    data = one["data"]
    told = [one["at"], one["written_at"], *(_instant(data.get(key)) for key in ("starts_at", "due_at"))]
    told += [point[0] for point in data.get("points", ())]
    yield from (at for at in told if finite(at))

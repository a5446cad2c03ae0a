# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one circuit breaker, out of the gauges, codes, events or pages that tell it. The reading ``circuit_breaker`` says what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

STATES = ("closed", "open", "half_open", "forced_open", "disabled", "unknown")
# Other words for them, without case and signs. What only counts lets every call pass.
_WORDS = {
    **{state.replace("_", ""): state for state in STATES},
    "isolated": "forced_open",
    "metricsonly": "disabled",
}
# What tells states, in the order in which it is looked for.
ENTRIES = ("states", "codes", "events")
# Between the labels of a group.
COMMA = re.compile(r"(?<!\\),")


def of_thing(thing: Row, replica: str) -> dict[str, Any]:
    """The row of a breaker that an API shows: its ``name``, ``state`` and, where there are such, ``replica`` and ``failure_percent``."""
    word = thing.get("state")
    state = state_of(word)
    says = "no state is shown" if word is None else f"the state is {word}"
    return row_of(
        str(thing.get("name") or ""),
        str(thing.get("replica") or replica),
        state,
        failure_percent=percent(thing.get("failure_percent")),
        reason=says if state == "unknown" else "",
    )


def of_entry(values: Row, entry: str, replica: str, codes: Row) -> list[dict[str, Any]]:
    """The rows of one entry of the metrics, which is one of `ENTRIES`; ``codes``: as ``circuit_breaker_codes`` says."""
    if entry == "codes":
        rows = [_of_code(name, replica, code, codes) for name, code in values[entry].items()]
    elif entry == "states":
        rows = _of_gauges(by_name(values[entry]), replica)
    else:
        rose = by_name(values.get("rose") or {})
        rows = [
            _of_events(name, replica, events, rose.get(name, {})) for name, events in by_name(values[entry]).items()
        ]
    percents = {plain(name): number for name, number in (values.get("failure_percent") or {}).items()}
    return [dict(row, failure_percent=percent(percents.get(row["name"]))) for row in rows]


def row_of(name: str, replica: str, state: str, **more: Any) -> dict[str, Any]:
    """A row as the reading ``circuit_breaker`` describes it; ``more``: what is known besides."""
    row = {"name": name, "replica": replica, "replicas": 1, "state": state}
    past = {"opened": None, "opened_lately": None, "lately_seconds": None}
    return {**row, "or_half_open": False, "failure_percent": None, **past, "flaps": False, "reason": "", **more}


def by_name(groups: Row) -> dict[str, dict[str, float]]:
    """The numbers of the groups NAME,OTHER by name and by the other label."""
    found: dict[str, dict[str, float]] = {}
    for group, number in groups.items():
        name, other = [plain(part) for part in COMMA.split(str(group))]
        found.setdefault(name, {})[other] = number
    return found


def plain(part: Any) -> str:
    """A label as it is, without the escape of its commas."""
    return str(part).replace("\\,", ",")


def state_of(word: Any) -> str:
    """One of `STATES`, by any word for it."""
    return _WORDS.get("".join(sign for sign in str(word).lower() if sign.isalpha()), "unknown")


def percent(value: Any) -> float | None:
    """A rate in percent, also as ``50.0%``; None where there are too few calls for one, which is written below 0."""
    try:
        number = float(str(value).strip().rstrip("%"))
    except ValueError:
        return None
    return number if number >= 0 else None


def _of_gauges(by_name: dict[str, dict[str, float]], replica: str) -> list[dict[str, Any]]:
    """One gauge for each state. Of several replicas together each number is how many are in that state."""
    rows = []
    for name, gauges in by_name.items():
        shown = {word: round(number) for word, number in gauges.items() if number > 0}
        # Of a replica of several processes the numbers are added; where all are in one state, that is its state.
        if replica and (len(shown) != 1 or not _is_one(gauges)):
            says = ", ".join(sorted(shown)) or "none of its states"
            rows.append(row_of(name, replica, "unknown", reason=f"{says} is shown at once"))
            continue
        if not shown:
            rows.append(row_of(name, replica, "unknown", reason="none of its states is shown"))
        for word, count in shown.items():
            state = state_of(word)
            reason = f"the state is {word}" if state == "unknown" else ""
            rows.append(row_of(name, replica, state, replicas=count, reason=reason))
    return rows


def _is_one(gauges: Mapping[str, float]) -> bool:
    """Whether the gauges of a replica count whole processes."""
    return all(number == int(number) for number in gauges.values())


def _of_code(name: str, replica: str, code: float, codes: Row) -> dict[str, Any]:
    words = {number: word for key, word in codes.items() if (number := code_of(key)) is not None}
    state = state_of(words[code]) if code in words else "unknown"
    # Of several replicas together the numbers were added, and any sum can be any mixture.
    reason = f"{code:g} is no state in circuit_breaker_codes" if state == "unknown" else ""
    return row_of(plain(name), replica, state, reason=reason)


def _of_events(name: str, replica: str, events: Mapping[str, float], rose: Mapping[str, float]) -> dict[str, Any]:
    """What rose last. opossum-prometheus counts halfOpen only where the application itself listens to it.

    A breaker begins closed, opens before it closes, and may open again from a failed probe without having closed.
    """
    opened, closed = events.get("open", 0), events.get("close", 0)
    counts_half_open = "halfOpen" in events
    if opened == closed:
        return row_of(name, replica, "closed")
    if not closed:
        if counts_half_open and events["halfOpen"] >= opened:
            return row_of(name, replica, "half_open")
        return row_of(name, replica, "open", or_half_open=not counts_half_open)
    state = what_rose(rose)
    if state:
        return row_of(name, replica, state, or_half_open=state == "open" and not counts_half_open)
    reason = f"it opened {opened:g} times and closed {closed:g} times, and what came last was not seen"
    return row_of(name, replica, "unknown", reason=reason)


def what_rose(rose: Mapping[str, float]) -> str:
    """The state by what rose for a while, or "": what it did last, or whether it let calls pass."""
    moved = [event for event in ("open", "close", "halfOpen") if rose.get(event, 0) > 0]
    if len(moved) == 1:
        return {"open": "open", "close": "closed", "halfOpen": "half_open"}[moved[0]]
    if moved:
        return ""
    passed = any(rose.get(event, 0) > 0 for event in ("success", "failure"))
    rejected = rose.get("reject", 0) > 0
    return "" if passed == rejected else "closed" if passed else "open"


def code_of(key: Any) -> float | None:
    """The number that a key of ``circuit_breaker_codes`` means; None where it is none."""
    try:
        return float(key)
    except (TypeError, ValueError):
        return None

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuit breakers out of what was observed, whatever library they are of. Every replica has its own state.

In the observation ``metrics`` these entries count, each also as ``ENTRY@REPLICA`` where one replica was asked by itself:

- ``breaker_states``, by name and state: a gauge for each state, 1 for the one that is (resilience4j, or an own metric with the
  state in a label);
- ``breaker_codes``, by name: a gauge whose number is the state, as ``circuit_breaker_codes`` says (such as app_circuit_breaker);
- ``breaker_events``, by name and event: the counters of opossum-prometheus; ``breaker_rose``, by the same: their increase;
- ``breaker_failure_percent``, by name; below 0 means too few calls.

A row has ``name``, ``replica`` ("" where several were asked together), ``replicas`` (how many it stands for), ``state`` (one of
``STATES``), ``or_half_open`` (open, and a probe may be on its way), ``failure_percent`` (None where there is none), and ``reason``
(why the state is unknown, or "").
"""

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
_ENTRIES = ("breaker_states", "breaker_codes", "breaker_events")
_COMMA = re.compile(r"(?<!\\),")


def metric_breakers(metrics: Row, circuit_breaker_codes: Row) -> list[dict[str, Any]]:
    """The breakers that metrics show, and a row of unknown state for each replica that shows none."""
    asked: dict[str, list[str]] = {}
    for key in metrics["metric"]:
        entry, _at, replica = str(key).partition("@")
        if entry in _ENTRIES:
            asked.setdefault(replica, []).append(str(key))
    found = []
    for replica, keys in asked.items():
        seen = [key for key in keys if key in metrics["value"]]
        for key in seen:
            found += _of_entry(metrics["value"], key.partition("@")[0], replica, circuit_breaker_codes)
        if not seen:
            reasons = [metrics["metric"][key].get("reason") for key in keys]
            found.append(_row("", replica, "unknown", reason=str(reasons[0] or "not measured")))
    return found


def api_breakers(api: Row) -> list[dict[str, Any]]:
    """The breakers that HTTP APIs show, one API for each replica, and a row of unknown state for each that could not be read.

    Their things have the fields ``name`` and ``state`` and, where there are such, ``replica`` and ``failure_percent``.
    """
    rows = []
    for name, one in api["apis"].items():
        if not one["available"]:
            rows.append(_row("", name, "unknown", reason=one["reason"]))
        rows += [_of_thing(thing, name) for thing in one["things"]]
    return rows


def _of_thing(thing: Row, replica: str) -> dict[str, Any]:
    word = thing.get("state")
    state = _state(word)
    says = "no state is shown" if word is None else f"the state is {word}"
    return _row(
        str(thing.get("name") or ""),
        str(thing.get("replica") or replica),
        state,
        failure_percent=_percent(thing.get("failure_percent")),
        reason=says if state == "unknown" else "",
    )


def _of_entry(values: Row, entry: str, replica: str, codes: Row) -> list[dict[str, Any]]:
    at = f"@{replica}" if replica else ""
    if entry == "breaker_codes":
        rows = [_of_code(name, replica, code, codes) for name, code in values[entry + at].items()]
    elif entry == "breaker_states":
        rows = _of_gauges(_by_name(values[entry + at]), replica)
    else:
        rose = _by_name(values.get(f"breaker_rose{at}") or {})
        rows = [
            _of_events(name, replica, events, rose.get(name, {}))
            for name, events in _by_name(values[entry + at]).items()
        ]
    percents = {_plain(name): number for name, number in (values.get(f"breaker_failure_percent{at}") or {}).items()}
    return [dict(row, failure_percent=_percent(percents.get(row["name"]))) for row in rows]


def _row(name: str, replica: str, state: str, **more: Any) -> dict[str, Any]:
    row = {"name": name, "replica": replica, "replicas": 1, "state": state}
    return {**row, "or_half_open": False, "failure_percent": None, "reason": "", **more}


def _by_name(groups: Row) -> dict[str, dict[str, float]]:
    """The numbers of the groups NAME,OTHER by name and by the other label."""
    found: dict[str, dict[str, float]] = {}
    for group, number in groups.items():
        name, other = [_plain(part) for part in _COMMA.split(str(group))]
        found.setdefault(name, {})[other] = number
    return found


def _plain(part: Any) -> str:
    return str(part).replace("\\,", ",")


def _state(word: Any) -> str:
    return _WORDS.get("".join(sign for sign in str(word).lower() if sign.isalpha()), "unknown")


def _percent(value: Any) -> float | None:
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
        if replica and sum(shown.values()) != 1:
            says = ", ".join(sorted(shown)) or "none of its states"
            rows.append(_row(name, replica, "unknown", reason=f"{says} is shown at once"))
            continue
        if not shown:
            rows.append(_row(name, replica, "unknown", reason="none of its states is shown"))
        for word, count in shown.items():
            state = _state(word)
            reason = f"the state is {word}" if state == "unknown" else ""
            rows.append(_row(name, replica, state, replicas=count, reason=reason))
    return rows


def _of_code(name: str, replica: str, code: float, codes: Row) -> dict[str, Any]:
    words = {float(number): word for number, word in codes.items()}
    state = _state(words[code]) if code in words else "unknown"
    # Of several replicas together the numbers were added, and any sum can be any mixture.
    reason = f"{code:g} is no state in circuit_breaker_codes" if state == "unknown" else ""
    return _row(_plain(name), replica, state, reason=reason)


def _of_events(name: str, replica: str, events: Mapping[str, float], rose: Mapping[str, float]) -> dict[str, Any]:
    """What rose last. opossum-prometheus counts halfOpen only where the application itself listens to it.

    A breaker begins closed, opens before it closes, and may open again from a failed probe without having closed.
    """
    opened, closed = events.get("open", 0), events.get("close", 0)
    counts_half_open = "halfOpen" in events
    if opened == closed:
        return _row(name, replica, "closed")
    if not closed:
        if counts_half_open and events["halfOpen"] >= opened:
            return _row(name, replica, "half_open")
        return _row(name, replica, "open", or_half_open=not counts_half_open)
    moved = [event for event in ("open", "close", "halfOpen") if rose.get(event, 0) > 0]
    if len(moved) == 1:
        state = {"open": "open", "close": "closed", "halfOpen": "half_open"}[moved[0]]
        return _row(name, replica, state, or_half_open=state == "open" and not counts_half_open)
    reason = f"it opened {opened:g} times and closed {closed:g} times, and what came last was not seen"
    return _row(name, replica, "unknown", reason=reason)

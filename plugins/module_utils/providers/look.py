# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the providers of every channel: each is checked several times, spread over a window.

That the same provider fails several times in a row, or works several times in a row, is seen within one look: nothing is kept from one
look to the next, so nothing old, lost or written by two at once decides. What comes and goes over longer times the ledger slows down.
"""

from __future__ import annotations

import time

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..text.masking import masked
from . import dns_records
from .answers import ask, untold
from .kinds import kind
from .marks import NOTHING as NO_MARK
from .marks import UNKNOWN as UNKNOWN_MARK
from .marks import read as read_mark
from .spec import channel_of
from .switches import shown

GOOD, FAILING, UNSTEADY, UNKNOWN = "good", "failing", "unsteady", "unknown"


def observe(params):
    """Observe the providers.

    Args:
        params: see ``observers.notification_provider.SPEC``.

    Returns:
        What ``notification_provider_info`` documents.

    Raises:
        ValueError: a channel is described in a way that cannot be used.
    """
    if params["timeout_seconds"] <= 0 or params["window_seconds"] < 0:
        raise ValueError("timeout_seconds must be above 0, and window_seconds not below 0")
    if not 1 <= params["failures"] <= params["samples"] <= 60:
        raise ValueError("failures must be at least 1 and no more than samples, and samples no more than 60")
    channels = {str(name): channel_of(str(name), given) for name, given in params["channels"].items()}
    calls = [lambda name=name, one=one: _channel(name, one, params) for name, one in channels.items()]
    # Each check keeps its own deadline; this is for what slips past it.
    seconds = params["samples"] * params["timeout_seconds"] + params["window_seconds"] + 2
    answers = all_within(seconds, calls)
    found = {}
    for (name, channel), answer in zip(channels.items(), answers):
        if isinstance(answer, ValueError):
            raise answer
        found[name] = _nothing_of(channel, answer) if isinstance(answer, Exception) else answer
    return _summary(found)


def _nothing_of(channel, error):
    reason = masked(error)
    providers = [row_of(one, number, [untold(reason)], 1, 0.0) for number, one in enumerate(channel["providers"])]
    return {
        "queue": channel["queue"],
        "providers": providers,
        "current": None,
        "current_reason": "",
        "mark": {**UNKNOWN_MARK, "reason": reason},
        "records": [],
    }


def _channel(name, channel, params):
    place = f"system_notification_providers.{name}.switch"
    calls = [
        lambda one=one, number=number: _provider(one, number, params) for number, one in enumerate(channel["providers"])
    ]
    calls.append(lambda: _current(place, channel, params))
    calls.append(lambda: _records(channel, params))
    seconds = params["samples"] * params["timeout_seconds"] + params["window_seconds"] + 1
    *rows, current, records = all_within(seconds, calls)
    for number, row in enumerate(rows):
        if isinstance(row, Exception):
            rows[number] = row_of(channel["providers"][number], number, [untold(masked(row))], 1, 0.0)
    if isinstance(current, ValueError):
        raise current
    value, reason = (None, masked(current)) if isinstance(current, Exception) else current
    mark = read_mark(params["marks_directory"], name) if params["marks_directory"] else dict(NO_MARK)
    return {
        "queue": channel["queue"],
        "providers": rows,
        "current": value,
        "current_reason": reason,
        "mark": mark,
        "records": [] if isinstance(records, Exception) else records,
    }


def _current(place, channel, params):
    """The name of the provider that the application says it sends by, "" for another one, None where nothing says it."""
    if channel["show"] is None:
        return None, ""
    value, reason = shown(place, channel["show"], params["timeout_seconds"])
    if value is None:
        return None, reason
    return next((one["name"] for one in channel["providers"] if one["value"] == value), ""), ""


def _records(channel, params):
    """The records of each domain once, with the selectors of all providers that send for it."""
    found = []
    mail = [one for one in channel["providers"] if kind(one["kind"]).IS_MAIL and one.get("domain")]
    domains = {one["domain"]: [other for other in mail if other["domain"] == one["domain"]] for one in mail}
    for domain, providers in domains.items():
        selectors = list(dict.fromkeys(selector for one in providers for selector in one["dkim_selectors"]))
        spf = [one.get("spf") or "" for one in providers]
        for needed in dict.fromkeys(filter(None, spf)) or [""]:
            rows = dns_records.look(
                domain, selectors, needed, channel["records"], channel["resolvers"] or None, params["timeout_seconds"]
            )
            found += [row for row in rows if row not in found]
    return found


def _provider(provider, number, params):
    """Check one provider until it has failed or worked often enough, and ask what else is worth to know."""
    pause = params["window_seconds"] / max(1, params["samples"] - 1)
    found, milliseconds, facts, is_told = [], 0.0, {}, False
    for turn in range(params["samples"]):
        if turn:
            time.sleep(pause)
        began = time.monotonic()
        found.append(check(provider, params["timeout_seconds"]))
        milliseconds = round((time.monotonic() - began) * 1000, 1)
        if found[-1]["passed"] and not is_told:
            is_told, facts = True, more(provider, params["timeout_seconds"])
        if failed_in_a_row(found) >= params["failures"]:
            break
    row = row_of(provider, number, found, params["failures"], milliseconds)
    row["facts"].update({name: value for name, value in facts.items() if name not in row["facts"]})
    return row


def check(provider, seconds):
    """One check of a provider: a finding, see :mod:`answers`."""
    module = kind(provider["kind"])
    if hasattr(module, "check"):
        return module.check(provider, seconds)
    try:
        return module.read(provider, _answers(module.calls(provider, time.time()), provider, seconds))
    except DeadlineExceeded as error:
        return untold(str(error))


def more(provider, seconds):
    """What else is worth to know of a provider: facts by name."""
    module = kind(provider["kind"])
    if not hasattr(module, "more_calls"):
        return {}
    try:
        return module.read_more(_answers(module.more_calls(provider, time.time()), provider, seconds))
    except DeadlineExceeded:
        return {}


def _answers(calls, provider, seconds):
    deadline = Deadline(seconds)
    return [ask(one, deadline.remaining_seconds(), provider["secrets"]) for one in calls]


def failed_in_a_row(found):
    """How many of the last findings are no. Pure."""
    count = 0
    for one in reversed(found):
        if one["passed"] is not False:
            break
        count += 1
    return count


def state_of(found, failures):
    """What several findings in a row make of a provider. Pure.

    Args:
        found: findings, the oldest first.
        failures: so many in a row are failing.

    Returns:
        ``good`` where every one passed, ``failing``, ``unknown`` where nothing could be told, else ``unsteady``.
    """
    if all(one["passed"] for one in found):
        return GOOD
    if failed_in_a_row(found) >= failures:
        return FAILING
    return UNKNOWN if all(one["passed"] is None for one in found) else UNSTEADY


def row_of(provider, number, found, failures, milliseconds):
    """What is told of a provider. Pure.

    Args:
        provider: of :mod:`spec`.
        number: its place in the order, from 0.
        found: findings, the oldest first.
        failures: so many in a row are failing.
        milliseconds: of the last one.
    """
    last = found[-1]
    return {
        "name": provider["name"],
        "kind": provider["kind"],
        "position": number + 1,
        "state": state_of(found, failures),
        "error": last["error"],
        "reason": last["reason"],
        "checks": len(found),
        "passed": sum(one["passed"] is True for one in found),
        "failed_in_a_row": failed_in_a_row(found),
        "last_passed": last["passed"],
        "milliseconds": milliseconds,
        "facts": dict(last["facts"]),
        "not_told": list(kind(provider["kind"]).NOT_TOLD),
    }


def _summary(channels):
    limits = []
    for name, channel in channels.items():
        limits += [f"{name}: {one['name']}: {one['reason']}" for one in channel["providers"] if one["state"] == UNKNOWN]
        limits += [f"{name}: {text}" for text in (channel["current_reason"], channel["mark"]["reason"]) if text]
        limits += [f"{name}: {row['reason']}" for row in channel["records"] if row["found"] is None]
    told = [one["state"] != UNKNOWN for channel in channels.values() for one in channel["providers"]]
    found = {"channels": channels, "complete": not limits, "limits": limits, "available": any(told)}
    if any(told):
        return found
    reason = limits[0] if limits else "no provider to ask: name one in system_notification_providers"
    return {**found, "reason": reason, "limits": limits[1:]}

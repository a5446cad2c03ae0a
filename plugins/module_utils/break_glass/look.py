# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a system is read-only, which tokens are open, and whether the writes of the inventory are done."""

from __future__ import annotations

import time

from ..deadline import all_within
from . import journal
from .issuer import IssuerError, open_ones, value_at
from .spec import PLACE, checked

_SHOWN = 20
_WORDS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
_TOLD = (
    "reference",
    "who",
    "why",
    "given_at_seconds",
    "expires_at_seconds",
    "revoked_at_seconds",
    "state",
    "how",
    "held",
)


def observe(params):
    """Look at all of it at once.

    Args:
        params: see ``observers.break_glass.SPEC``.

    Returns:
        What the module ``break_glass_info`` documents.

    Raises:
        ValueError: the inventory cannot be used.
    """
    settings, seconds = checked(params["break_glass"]), params["timeout_seconds"]
    if not seconds > 0:
        raise ValueError("timeout_seconds must be above 0")
    calls = {
        "read_only": lambda: is_read_only(settings, seconds),
        "open": lambda: _open(settings, seconds),
        **{
            f"write {name}": lambda name=name, write=write: is_done(name, write, seconds)
            for name, write in _asked_for(settings, params)
        },
    }
    before, _limits = journal.read(params["directory"])
    answers = dict(zip(calls, all_within(seconds + 1, list(calls.values()))))
    told = {name: _failed(answer) if isinstance(answer, Exception) else answer for name, answer in answers.items()}
    entries, limits = journal.read(params["directory"])
    now = time.time()
    listed = {one["reference"] for one in told["open"]["tokens"]}
    still_open = {one["reference"] for one in before if journal.is_open_all_the_same(one, listed)}
    found = {
        "now_seconds": now,
        "read_only": told["read_only"],
        "open": told["open"],
        "writes": {name: told[f"write {name}"] for name, _write in _asked_for(settings, params)},
        "given": [{key: one.get(key) for key in _TOLD} for one in entries[:_SHOWN]],
        "left": [
            {key: one.get(key) for key in _TOLD}
            for one in entries
            if journal.is_left(one, now) or one["reference"] in still_open
        ],
        "can_revoke": settings["revoke"] is not None,
    }
    limits += [one["reason"] for one in told.values() if one["reason"]]
    seen = [one for one in told.values() if not one["reason"]]
    answer = {"available": bool(seen) or not limits, "complete": not limits, "limits": limits, **found}
    return answer if answer["available"] else dict(answer, reason=limits[0], limits=limits[1:])


def _asked_for(settings, params):
    return [(name, write) for name, write in settings["writes"].items() if name in params["writes"]]


def is_read_only(settings, timeout_seconds):
    """Whether it is; ``value`` is None where that is not known, and where the inventory does not say how to see it."""
    if settings["read_only"] is None:
        return {"value": None, "reason": ""}
    place = f"{PLACE}.read_only"
    try:
        value = value_at(place, settings["read_only"], timeout_seconds)
    except IssuerError as error:
        return {"value": None, "reason": str(error)}
    word = _WORDS.get(str(value).strip().lower())
    return {
        "value": word,
        "reason": ""
        if word is not None
        else f"{place}: what is at {settings['read_only']['field']} is neither true nor false",
    }


def is_done(name, write, timeout_seconds):
    """Whether a write is done, by what the inventory says shows it; ``value`` is None where that is not known."""
    done, place = write["done"], f"{PLACE}.writes.{name}.done"
    try:
        value = value_at(place, done, timeout_seconds)
    except IssuerError as error:
        return {"value": None, "reason": str(error)}
    return {"value": _is(value, done["equals"]), "reason": ""}


def _is(value, wanted):
    """Whether a value of an answer is that of the inventory: YAML and JSON write the same one in several ways."""
    if value is None or wanted is None:
        return value is wanted
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        return value == wanted
    return str(value) == str(wanted)


def _open(settings, timeout_seconds):
    if settings["open"] is None:
        return {"known": False, "tokens": [], "reason": ""}
    try:
        return {"known": True, "tokens": open_ones(settings, timeout_seconds), "reason": ""}
    except IssuerError as error:
        return {"known": False, "tokens": [], "reason": str(error)}


def _failed(error):
    return {"value": None, "known": False, "tokens": [], "reason": str(error)}

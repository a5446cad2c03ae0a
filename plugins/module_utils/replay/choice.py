# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dead messages are replayed, and in which order. Pure."""

from __future__ import annotations

import hashlib

from ..queues.answer import kind_of_error, name_of

_GROUP_CHARACTERS = 12
_EXPIRED = "expired"
_SET_ASIDE = "set_aside"
_CHOSEN = "chosen"


def earlier_of(accounts):
    """What earlier journals tell.

    Args:
        accounts: of :class:`accounts.Account`.

    Returns:
        ``sends``, by id, how often a message was replayed; ``done``, by group, how many of it ended well; ``lost``, by id, the mark of a
        message of which nobody could tell whether it was sent.
    """
    sends, done, lost = {}, {}, {}
    for account in accounts:
        groups = {one["id"]: one["group"] for one in account.begun["messages"]}
        for one, count in account.sends.items():
            sends[one] = sends.get(one, 0) + count
        for one in account.those("done"):
            done[groups[one]] = done.get(groups[one], 0) + 1
        lost.update(
            (one["id"], one["mark"]) for one in account.begun["messages"] if account.states[one["id"]] == "lost"
        )
    return {"sends": sends, "done": done, "lost": lost}


def chosen(messages, earlier, now_seconds, limits):
    """What is to become of each message: copies of them in the order in which they are replayed.

    Args:
        messages: each with ``id``, and ``name``, ``error``, ``mark``, ``sha256``, ``at_seconds`` and ``expires_at_seconds``, None where
            the engine does not tell it.
        earlier: of :func:`earlier_of`.
        now_seconds: the time since the epoch.
        limits: ``most_replays``, ``poison_after``, ``expires_seconds`` (None for never), ``groups`` (ids of those that are replayed
            even if they are poison; where there are any, no others) and ``set_aside_groups``.

    Returns:
        ``messages``, the copies, without what an error says about anybody: with ``group``, ``error`` (its kind), ``fate`` and
        ``why``; and ``groups``, each with ``id``, ``name``, ``error``, ``count``, ``fate`` and ``why``.
    """
    copies = [_copy(number, one, earlier["sends"]) for number, one in enumerate(messages)]
    groups = {}
    for one in sorted(copies, key=lambda one: one["order"]):
        groups.setdefault(one["group"], []).append(one)
    whys = {group: _why_a_group_is_not(group, members, earlier, limits) for group, members in groups.items()}
    # What has failed before comes last: one group must not keep the others waiting.
    ordered = sorted(groups, key=lambda group: (bool(whys[group]), min(one["order"] for one in groups[group])))
    for group in ordered:
        for one in groups[group]:
            one["fate"], one["why"] = _fate(one, whys[group], earlier, now_seconds, limits)
    for one in copies:
        del one["order"]
    return {
        "messages": [one for group in ordered for one in groups[group]],
        "groups": [_told(group, groups[group], whys[group]) for group in ordered],
    }


def _told(group, members, why):
    return {
        "id": group,
        "name": members[0]["name"],
        "error": members[0]["error"],
        "count": len(members),
        "fate": _SET_ASIDE if why else _CHOSEN,
        "why": why,
    }


def _copy(number, message, sends):
    name, error = name_of(message.get("name")), kind_of_error(message.get("error"))
    replays = sends.get(message["id"], 0)
    at = message.get("at_seconds")
    return {
        "id": message["id"],
        "name": name,
        "error": error,
        "group": group_of(name, error),
        "mark": message.get("mark"),
        "sha256": message.get("sha256"),
        "at_seconds": at,
        "expires_at_seconds": message.get("expires_at_seconds"),
        "replays": replays,
        # The oldest first, and what has no age as its engine tells it.
        "order": (replays, at is None, at or 0.0, number),
    }


def group_of(name, error):
    """A short name of a cause: the kind of an error and the name of a job."""
    return hashlib.sha256(f"{name or ''}\n{error}".encode("utf-8", "replace")).hexdigest()[:_GROUP_CHARACTERS]


def _why_a_group_is_not(group, members, earlier, limits):
    if group in limits["set_aside_groups"]:
        return "it is to be set aside"
    if limits["groups"]:
        return "" if group in limits["groups"] else "it is not one of those to be replayed"
    # A message that is dead after it was sent has failed again.
    failed = sum(one["replays"] for one in members)
    if failed >= limits["poison_after"] and not earlier["done"].get(group):
        return f"poison: {failed} replays of it failed again, and none ended well"
    return ""


def _fate(message, why_not_its_group, earlier, now_seconds, limits):
    if has_expired(message, now_seconds, limits["expires_seconds"]):
        return _EXPIRED, "it is not to be sent any more"
    if why_not_its_group:
        return _SET_ASIDE, why_not_its_group
    if message["replays"] >= limits["most_replays"]:
        return _SET_ASIDE, f"it was replayed {message['replays']} times before"
    if earlier["lost"].get(message["id"]) == message["mark"] and not limits["groups"]:
        return _SET_ASIDE, "it may have been sent before: look, and name its group then"
    return _CHOSEN, ""


def has_expired(message, now_seconds, expires_seconds):
    """Whether it is too late for a message.

    Args:
        message: with ``at_seconds`` and ``expires_at_seconds``, None where not known.
        now_seconds: the time since the epoch.
        expires_seconds: the age from which on no message is sent; None for none.
    """
    end, at = message.get("expires_at_seconds"), message.get("at_seconds")
    if end is not None and end <= now_seconds:
        return True
    return expires_seconds is not None and at is not None and at + expires_seconds <= now_seconds

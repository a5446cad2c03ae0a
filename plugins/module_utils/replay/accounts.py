# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each message of a replay, by the events of its journal. Pure.

A message is first *chosen*, *set_aside* or *expired*. What is chosen is *asked* before it is sent, *sent* when its engine has
said so, and then *done*, *failed_again* or *lost*. What its engine did not take is *left*.
"""

from __future__ import annotations

VERSION = 1
_FROM = {
    "asked": ("chosen",),
    "not_sent": ("asked",),
    "sent": ("asked",),
    "left": ("asked", "chosen"),
    "expired": ("chosen",),
    "done": ("sent",),
    "failed_again": ("sent",),
    # With an engine that does not tell whether it was sent, a message that was asked for may be lost too.
    "lost": ("asked", "sent"),
}
_FATES = ("chosen", "set_aside", "expired")
# Of a message that was not replayed, and of one that was.
_KEPT = ("set_aside", "expired", "left")
_REPLAYED = {"done": "done", "failed_again": "failed_again", "still_running": "sent", "lost": "lost"}


class Account:
    """The events of one journal, added up.

    Args:
        begun: its first event, which has the copies of all messages.

    Attributes:
        begun: that event.
        states: by id, in the order of the copies.
        sends: by id, how often it was sent.
        errors: by id, the kind of error with which it failed again.
        asked_until_seconds: when the last sending that was asked for can no longer happen, of which nobody said how it ended; else 0.
        is_closed: whether nothing more will be done.

    Raises:
        ValueError: it is no such event.
    """

    def __init__(self, begun):
        if begun.get("event") != "begun" or begun.get("version") != VERSION:
            raise ValueError("it does not begin as a journal of this version does")
        self.begun = begun
        self.states = {one["id"]: one["fate"] for one in begun["messages"]}
        if len(self.states) != len(begun["messages"]) or set(self.states.values()) - set(_FATES):
            raise ValueError("it names a message twice, or has one with an unknown fate")
        self.sends, self.errors = {}, {}
        self.asked_until_seconds = 0.0
        self.is_closed = False

    def add(self, event):
        """Take the next event into account.

        Raises:
            ValueError: it cannot follow those before it.
        """
        what = event["event"]
        if self.is_closed:
            raise ValueError(f"{what} follows its end")
        if what == "closed":
            self.is_closed = True
            return
        if what not in _FROM:
            raise ValueError(f"it has an unknown event {what}")
        for one in event["ids"]:
            if self.states.get(one) not in _FROM[what]:
                raise ValueError(f"message {one} is {what} after it was {self.states.get(one)}")
            self.states[one] = "chosen" if what == "not_sent" else what
            if what == "sent":
                self.sends[one] = self.sends.get(one, 0) + 1
        self.errors.update(event.get("errors", {}))
        if what == "asked":
            self.asked_until_seconds = event["until_seconds"]
        elif not self.those("asked"):
            self.asked_until_seconds = 0.0

    def those(self, *states):
        """The ids of the messages in one of these states."""
        return [one for one, state in self.states.items() if state in states]

    def groups(self):
        """The groups with something to replay, in order, each with its ids in order."""
        messages = [one for one in self.begun["messages"] if one["fate"] == "chosen"]
        found = {}
        for one in messages:
            found.setdefault(one["group"], []).append(one["id"])
        return found

    def counts(self):
        """How many there are of each, as they are told.

        Returns:
            ``found``, which is ``replayed`` + ``set_aside`` + ``expired`` + ``left``; and ``replayed``, which is ``done`` +
            ``failed_again`` + ``still_running`` + ``lost``.

        Raises:
            AssertionError: they are not: a mistake of this program.
        """
        counted = {name: len(self.those(name)) for name in _KEPT}
        # What was not reached; and what is asked for, as long as nobody knows whether it was sent, is not left.
        counted["left"] += len(self.those("chosen"))
        counted.update((name, len(self.those(state))) for name, state in _REPLAYED.items())
        counted["lost"] += len(self.those("asked"))
        counted["replayed"] = sum(counted[name] for name in _REPLAYED)
        counted["found"] = len(self.states)
        balance(counted)
        return counted


def balance(counted):
    """Raises AssertionError where the counts of what was found and of what came of it differ."""
    out = sum(counted[name] for name in (*_KEPT, "replayed"))
    came = sum(counted[name] for name in _REPLAYED)
    if counted["found"] != out or counted["replayed"] != came:
        raise AssertionError(f"counts in are not counts out: {sorted(counted.items())}; please report this")


def added_up(events):
    """The account of a journal's events.

    Raises:
        ValueError: they are not those of a journal.
    """
    if not events:
        raise ValueError("it is empty, which a journal never is")
    try:
        account = Account(events[0])
        for event in events[1:]:
            account.add(event)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"an event in it cannot be read: {type(error).__name__}") from None
    return account

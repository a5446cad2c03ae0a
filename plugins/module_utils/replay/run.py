# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays dead messages of a queue, or takes up a replay that was killed, and tells what became of each message."""

from __future__ import annotations

import time
from collections import Counter

from ..queues.answer import kind_of_error
from ..text.one_line import one_line
from .accounts import VERSION, Account
from .choice import chosen, earlier_of, has_expired
from .journal import JournalError
from .steps import next_step, pause_seconds, unready

_POLL_SECONDS = 0.1
_SLOWEST_POLL_SECONDS = 2.0
# Ids that a line names.
_NAMED = 3


class ReplayError(Exception):
    """What was found contradicts itself; one line. Nothing was sent because of it."""


class Run:
    """One run over the journals of a queue.

    Args:
        reach: asks and sends for the engine, such as :class:`in_database.InDatabase`.
        journals: of :class:`journal.Journals`.
        limits: the options of the module ``queue_replay``.
        identity: which queue it is, as a dict without a secret.
        look: a function that returns what the observer tells of the queue.
        clock: has ``time`` and ``sleep``.
    """

    def __init__(self, reach, journals, limits, identity, look, clock=time):
        self._reach, self._journals, self._limits = reach, journals, limits
        self._identity, self._look, self._clock = identity, look, clock
        self._end_seconds = clock.time() + limits["seconds"]

    def whole(self, check_mode=False):
        """Do it all, or with ``check_mode`` tell what would be done.

        Returns:
            What the module documents.

        Raises:
            ReplayError, JournalError: one line.
            Exception: of the engine, where it could not be asked. What was begun is in the journal, for the next run.
        """
        journals = self._journals.all()
        journal = self._open_one(journals)
        if journal is None:
            begun = self._copies([one.account for one in journals])
            account = Account(begun)
            # Where there is nothing to send, nothing is in the way of it.
            stopped = self._unready() if account.those("chosen") else None
            if check_mode or stopped or not account.those("chosen"):
                return self._told(account, stopped)
            self._journals.forget(self._clock.time())
            journal, is_taken_up = self._journals.begin(begun), False
        elif check_mode:
            return self._told(journal.account, self._unready(), journal.path, True)
        else:
            is_taken_up = True
            self._settle(journal)
        stopped = self._steps(journal)
        journal.add("closed", counts=journal.account.counts(), stopped=list(stopped or ()))
        return self._told(journal.account, stopped, journal.path, is_taken_up)

    def _told(self, account, stopped, path="", is_taken_up=False):
        became = {}
        for one in account.begun["messages"]:
            became.setdefault(one["group"], Counter())[account.states[one["id"]]] += 1
        groups = [dict(one, became=dict(became.get(one["id"], {}))) for one in account.begun["groups"]]
        kind, line = stopped or ("", "")
        return dict(
            account.counts(),
            chosen=len(account.those("chosen")),
            groups=groups,
            more=account.begun["more"],
            stopped_by=kind,
            stopped=line,
            journal=str(path),
            taken_up=is_taken_up,
        )

    def _open_one(self, journals):
        """The journal that a run left open, or None."""
        found = [one for one in journals if not one.account.is_closed]
        if not found:
            return None
        journal = found[0]
        if len(found) > 1:
            raise JournalError(
                f"the journals {journal.path} and {found[1].path} are both open, which no run leaves behind"
            )
        was = journal.account.begun["queue"]
        if was != self._identity:
            raise JournalError(
                f"the journal {journal.path} is open and of another queue ({_in_words(was)}, not {_in_words(self._identity)}); "
                "replay with the inventory that it was begun with, or move it away when you know where each of its messages is"
            )
        return journal

    def _copies(self, earlier):
        """The first event of a journal: a copy of every dead message, and what is to become of it."""
        limits, now = self._limits, self._clock.time()
        found = self._reach.dead(limits["most"] + 1)
        messages, ids = found[: limits["most"]], [one["id"] for one in found[: limits["most"]]]
        if len(set(ids)) != len(ids):
            raise ReplayError("the engine tells the same dead message twice: nothing was sent")
        if any(not one["id"] for one in messages):
            raise ReplayError(
                "the engine tells of a dead message without an id, which nothing can send: nothing was sent"
            )
        unmarked = [one["id"] for one in messages if not one.get("mark") or not one.get("sha256")]
        if unmarked:
            raise ReplayError(
                f"nothing tells what dead message {one_line(unmarked[0])} carries, or whether it has died once more since: "
                "give it payload or payload_sha256, and mark or dead_at"
            )
        choice = chosen(messages, earlier_of(earlier), now, limits)
        self._agrees(choice["messages"])
        return {
            "event": "begun",
            "version": VERSION,
            "queue": self._identity,
            "at_seconds": now,
            "reason": limits["reason"],
            "more": len(found) > limits["most"],
            **choice,
        }

    def _agrees(self, messages):
        """Where none of what was listed as dead is so a moment later, one of the two ways to ask is wrong."""
        places = self._reach.places([one["id"] for one in messages]) if messages else {}
        if messages and not any(_is_as_copied(places.get(one["id"]), one) for one in messages):
            there = places.get(messages[0]["id"]) or {"place": "gone"}
            raise ReplayError(
                f"message {one_line(messages[0]['id'])} is listed as dead, but where it is is told as {one_line(there['place'])}, "
                "or with another mark; and so are all others: nothing was sent"
            )

    def _settle(self, journal):
        """Find out what became of messages that a run was about to send when it was killed."""
        asked = journal.account.those("asked")
        if not asked:
            return
        # Until then a program that it had started could still send them.
        self._clock.sleep(max(0.0, journal.account.asked_until_seconds - self._clock.time()))
        copies = {one["id"]: one for one in journal.account.begun["messages"]}
        places = self._reach.places(asked)
        same = [one for one in asked if _is_as_copied(places.get(one), copies[one])]
        _add(journal, "sent", [one for one in asked if one not in same])
        _add(journal, "not_sent" if self._reach.is_certain else "lost", same)

    def _unready(self):
        return unready(self._look(), self._limits["most_waiting"])

    def _steps(self, journal):
        """Send and prove until nothing is left; why it stopped before, as a pair of a word and a line, or None."""
        account = journal.account
        groups = list(account.groups().values())
        may_send_at = self._clock.time()
        while True:
            what, ids = next_step(groups, account.states, self._limits["batch_size"])
            if what == "end":
                return None
            if what == "stop":
                return self._what_failed(account, ids)
            if what == "prove":
                running = self._prove(journal, ids)
                if running:
                    return self._what_failed(account, account.those("failed_again", "lost")) or (
                        "not_proven",
                        f"{_named(running)} did not end within {self._limits['proof_seconds']:g} s",
                    )
                continue
            if self._expire(journal, ids):
                continue
            if max(may_send_at, self._clock.time()) >= self._end_seconds:
                return "time", f"not all could be sent within {self._limits['seconds']:g} s"
            self._clock.sleep(max(0.0, may_send_at - self._clock.time()))
            stopped = self._unready()
            if stopped:
                return stopped
            may_send_at = self._clock.time() + pause_seconds(len(ids), self._limits["per_minute"])
            stopped = self._send(journal, ids)
            if stopped:
                return stopped

    def _what_failed(self, account, ids):
        if not ids:
            return None
        lost = [one for one in ids if account.states[one] == "lost"]
        if lost:
            return "lost", f"where {_named(lost)} is is not known: look, before you send it again"
        error = account.errors.get(ids[0])
        return "failed_again", f"{_named(ids)} failed again" + (f": {error}" if error else "")

    def _expire(self, journal, ids):
        """Take out what is too late by now; whether there was any."""
        copies = {one["id"]: one for one in journal.account.begun["messages"]}
        now, limit = self._clock.time(), self._limits["expires_seconds"]
        late = [one for one in ids if has_expired(copies[one], now, limit)]
        _add(journal, "expired", late)
        return bool(late)

    def _send(self, journal, ids):
        """Send a batch. What its engine did not take is left, if it changed since it was copied."""
        copies = {one["id"]: one for one in journal.account.begun["messages"]}
        journal.add("asked", ids=ids, until_seconds=self._reach.send_until_seconds())
        sent = set(self._reach.send({one: copies[one]["mark"] for one in ids}))
        others = [one for one in ids if one not in sent]
        places = self._reach.places(others) if others else {}
        refused = [one for one in others if _is_as_copied(places.get(one), copies[one])]
        # In this order: what is asked for and nothing else said of it, was sent.
        _add(journal, "not_sent", refused)
        _add(journal, "left", [one for one in others if one not in refused])
        _add(journal, "sent", [one for one in ids if one in sent])
        if refused and not self._reach.was_late:
            return "refused", f"the engine did not take {_named(refused)}, though nothing about it has changed"
        if refused and not sent:
            # Otherwise the rest of it is the next batch.
            return (
                "refused",
                f"{_named(refused)} could not be sent in time: the application was not ready before that was over",
            )
        return None

    def _prove(self, journal, ids):
        """Wait until each has ended; those that have not within the time."""
        copies = {one["id"]: one for one in journal.account.begun["messages"]}
        running, since, pause = list(ids), self._clock.time(), _POLL_SECONDS
        while True:
            places = self._reach.places(running)
            ended = {"done": [], "failed_again": [], "lost": []}
            for one in running:
                what = self._ended(places.get(one), copies[one])
                if what:
                    ended[what].append(one)
            for what, those in ended.items():
                if those:
                    # Of what is done or gone, no error is told.
                    told = {one: kind_of_error(places[one].get("error")) for one in those if what == "failed_again"}
                    _add(journal, what, those, errors=told)
                    since, pause = self._clock.time(), _POLL_SECONDS
            running = [one for one in running if journal.account.states[one] == "sent"]
            if not running or self._clock.time() - since > self._limits["proof_seconds"]:
                return running
            self._clock.sleep(pause)
            pause = min(_SLOWEST_POLL_SECONDS, pause * 1.5)

    def _ended(self, there, copy):
        """How a message that was sent has ended, or None."""
        if there is None:
            return "done" if self._reach.gone_is_done else "lost"
        if there["place"] == "done":
            return "done"
        if there["place"] == "dead":
            # Some engines show how it ended before until it has ended again.
            return None if not self._reach.is_certain and _is_as_copied(there, copy) else "failed_again"
        return None


def _add(journal, event, ids, **more):
    if ids:
        journal.add(event, ids=ids, **more)


def _is_as_copied(there, copy):
    return there is not None and there["place"] == "dead" and there.get("mark") == copy["mark"]


def _named(ids):
    few = ", ".join(one_line(one, 60) for one in ids[:_NAMED])
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"message{'' if len(ids) == 1 else 's'} {few}{more}"


def _in_words(identity):
    return one_line(", ".join(str(value) for _name, value in sorted(identity.items())))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays events of a payment provider into the handler of the application, each once, with the journal of every replay."""

from __future__ import annotations

import hashlib
import json
import time

from ..deadline import Deadline
from ..replay.journal import Journals
from ..replay.run import Run
from .database import Statements
from .events import event_of
from .hidden import shown_url
from .inventory import checked
from .probe import probe, send
from .provider import Provider, ProviderError

# Its journals lie beside those of queues, which cannot have a name with a colon in it.
JOURNALS = "payment-webhook:"
# So often an event is sent at most, all runs together, before a person has to look at it.
_MOST_REPLAYS = 2
# For so many answers that take their whole time a batch has time. A run after one that was killed waits for it.
_ANSWERS = 3
# In which order and in how many groups events are replayed: as they happened, whatever they are about.
_ONE_GROUP = {"expires_seconds": None, "groups": [], "set_aside_groups": [], "poison_after": 10**9, "most_waiting": 0}
_READY = {"available": True, "ready": 0}
# What of an event never changes.
_SAME = ("id", "type", "created", "livemode", "api_version", "data")


class HandlerError(Exception):
    """The handler is in no state to be given events; one line. Nothing was sent."""


def replay(params, check_mode=False):
    """Replay events.

    Args:
        params: as the module ``webhook_replay`` takes them.
        check_mode: only tell what would be done.

    Returns:
        What the module documents.

    Raises:
        ValueError: the inventory says something that cannot be; one line.
        HandlerError, ProviderError, JournalError, ReplayError, DatabaseError: one line.
    """
    webhook = checked(params["webhook"], params["probe_type"])
    numbers = ("batch_size", "per_minute", "answer_seconds", "proof_seconds", "timeout_seconds")
    if min(params[name] for name in numbers) <= 0:
        raise ValueError(f"{', '.join(numbers)} must be above 0")
    handler = Handler(webhook, params)
    limits = {
        **_ONE_GROUP,
        "most": max(1, len(params["events"])),
        "most_replays": _MOST_REPLAYS,
        "batch_size": params["batch_size"],
        "per_minute": params["per_minute"],
        "proof_seconds": params["proof_seconds"],
        "seconds": params["timeout_seconds"],
        "reason": params["reason"],
    }
    with Journals(params["state_directory"], JOURNALS, params["answer_seconds"], write=not check_mode) as journals:
        if not check_mode:
            handler.open()
        result = _Run(handler, journals, limits, handler.identity, lambda: _READY).whole(check_mode)
        if result["taken_up"] and not result["stopped_by"] and not check_mode:
            # What a run that was killed had begun; now what this one was asked for.
            after = _Run(handler, journals, limits, handler.identity, lambda: _READY).whole()
            result = {**_sum(result, after), "taken_up": True}
    return {**result, "came_by_themselves": sorted(handler.came), "not_kept": sorted(handler.not_kept)}


def _sum(one, other):
    numbers = {
        name: value + other[name]
        for name, value in one.items()
        if isinstance(value, int) and not isinstance(value, bool)
    }
    return {**other, **numbers, "groups": one["groups"] + other["groups"]}


class _Run(Run):
    """A replay whose engine is a handler: what it answers is known at once, and what it did when the database shows it."""

    def _send(self, journal, ids):
        copies = {one["id"]: one for one in journal.account.begun["messages"]}
        journal.add("asked", ids=ids, until_seconds=self._reach.send_until_seconds())
        sent, left = self._reach.send_each({one: copies[one] for one in ids})
        for event, those in (
            ("left", left),
            ("not_sent", [one for one in ids if one not in sent and one not in left]),
            ("sent", sent),
        ):
            if those:
                journal.add(event, ids=those)
        return (
            None
            if sent or left
            else ("refused", "nothing was sent: " + (self._reach.trouble or "there was no time for it"))
        )

    def _prove(self, journal, ids):
        self._reach.wait_for(ids)
        return super()._prove(journal, ids)


class Handler:
    """The handler of an application, as a replay asks it and sends to it.

    Args:
        webhook: of :func:`inventory.checked`.
        params: of the module.

    Attributes:
        came: the ids of events that somebody else delivered meanwhile.
        not_kept: the ids of events that the provider does not have any more.
        trouble: why the last event was not taken, in one line.
    """

    gone_is_done = False
    # What was about to be sent and is not in the database after the time that it may take was not processed.
    is_certain = True

    def __init__(self, webhook, params):
        self._webhook, self._params = webhook, params
        self._reach = webhook["database"] or params["database"]
        self._provider = self._secret = None
        self._documents, self._refused, self._awaited = {}, {}, set()
        self._until_seconds = 0.0
        self.came, self.not_kept = set(), set()
        self.trouble = ""
        self.where = shown_url(webhook, webhook["url"])
        self.identity = {
            "where": self.where,
            "provider": shown_url(webhook, webhook["provider_url"]),
            "livemode": webhook["livemode"],
        }
        if not self._statements(1.0).has("processed"):
            raise ValueError(
                "system_payment_webhook.statements.processed must say how the database shows that an event was processed: without it nobody"
                " knows what is missing, and nothing is sent"
            )

    def open(self):
        """Find out which secret is right.

        Raises:
            HandlerError: none is.
        """
        deadline = Deadline(self._params["answer_seconds"] * (4 + len(self._webhook["secrets"])))
        self._asked(deadline)
        offset = self._provider.clock_offset_seconds
        found = probe(self._webhook, self._params["probe_type"], self._params["answer_seconds"], offset, deadline)
        if found["right_secret"] is None:
            raise HandlerError(
                f"the endpoint does not take what is signed right, so nothing is sent: {found['reason']}"
            )
        if not found["alike"]:
            raise HandlerError(
                "the endpoint answers what is signed alike in several ways, as replicas do that differ, so nothing is sent"
            )
        self._secret = self._webhook["secrets"][found["right_secret"] - 1]

    def _asked(self, deadline):
        """The provider, whose clock is known then."""
        self._provider = Provider(self._webhook, deadline)
        self._provider.listed("/v1/events", [("limit", "1")])

    def _statements(self, seconds):
        return Statements(self._webhook, self._reach, Deadline(seconds))

    def _processed(self, ids):
        return self._statements(self._params["answer_seconds"]).processed(ids)

    # ------------------------------------------------------------------ what a replay asks
    def dead(self, most):
        """The events to replay that are missing, the oldest first, each as the provider has it now."""
        ids = list(dict.fromkeys(self._params["events"]))
        here = self._processed(ids)
        self.came |= set(here)
        found = []
        for one in ids:
            document = None if one in here else self._document(one)
            if document is not None:
                found.append(document)
        found.sort(key=lambda document: document["created"])
        return [
            {
                "id": document["id"],
                "mark": "missing",
                "sha256": _hash(document),
                "at_seconds": float(document["created"]),
                "name": None,
                "error": "",
            }
            for document in found
        ][:most]

    def _document(self, event_id):
        """An event as the provider has it, or None where it has it no longer or it is none of these."""
        if event_id not in self._documents:
            # Each question has its own time; the whole replay has its own.
            provider = Provider(self._webhook, Deadline(self._params["answer_seconds"] + 5))
            try:
                document = provider.event(event_id)
            except ProviderError as error:
                if error.kind != "not_found":
                    raise
                self.not_kept.add(event_id)
                return None
            event = event_of(document, {})
            if (
                event is None
                or event["livemode"] != self._webhook["livemode"]
                or event["type"] not in self._webhook["event_types"]
            ):
                self.not_kept.add(event_id)
                return None
            self._documents[event_id] = document
        return self._documents[event_id]

    def places(self, ids):
        """Where events are: ``done`` where the database has them, ``running`` where they were taken and it does not yet, else ``dead``."""
        here = self._processed(ids)
        found = {}
        for one in ids:
            if one in here:
                found[one] = {"place": "done"}
            elif one in self._refused:
                found[one] = {"place": "dead", "mark": "refused", "error": self._refused[one]}
            elif one in self._awaited:
                found[one] = {"place": "running"}
            else:
                found[one] = {"place": "dead", "mark": "missing", "error": ""}
        return found

    def wait_for(self, ids):
        """From here on these were sent, and may take their time."""
        self._awaited.update(ids)

    def send_until_seconds(self):
        """Until when the handler may still be at work on what is sent next."""
        self._until_seconds = time.time() + _ANSWERS * self._params["answer_seconds"]
        return self._until_seconds

    def send_each(self, copies):
        """Send events one by one, and no more after the first that is not taken.

        Args:
            copies: of the journal, by id, in order.

        Returns:
            Two lists of ids: those that were sent, and those that are left alone because they came by themselves or the provider has
            them no longer, or as others. The rest was not sent.
        """
        sent, left = [], []
        self.trouble = ""
        for one, copy in copies.items():
            if time.time() + self._params["answer_seconds"] > self._until_seconds:
                break
            document = self._document(one)
            if document is None or _hash(document) != copy["sha256"]:
                left.append(one)
                continue
            # As late as can be: the provider sends again by itself.
            if self._processed([one]):
                self.came.add(one)
                left.append(one)
                continue
            sent.append(one)
            if not self._send(document):
                break
        return sent, left

    def _send(self, document):
        body = json.dumps(document).encode()
        at = time.time() + (self._provider.clock_offset_seconds or 0.0)
        answer = send(self._webhook, body, self._secret, at, self._params["answer_seconds"])
        if answer["status"] is not None and 200 <= answer["status"] < 300:
            return True
        self.trouble = answer["reason"]
        if answer["status"] is not None:
            # Whatever comes of it, it has said that it did not do it.
            self._refused[document["id"]] = answer["reason"]
        return False


def _hash(document):
    same = {key: document.get(key) for key in _SAME}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def done_of(journals):
    """What was done with events, in words, by id, out of all journals."""
    words = {
        "done": "replayed",
        "failed_again": "replayed, and failed again",
        "left": "came by itself",
        "sent": "replayed, not proven",
    }
    found = {}
    for journal in journals:
        moment = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(journal.account.begun["at_seconds"]))
        for one, state in journal.account.states.items():
            if state in words:
                found[one] = f"{words[state]} ({moment})"
            elif state == "set_aside":
                found[one] = f"set aside after {_MOST_REPLAYS} replays ({moment})"
    return found

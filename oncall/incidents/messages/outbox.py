# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the outbox. Pure: a message, an answer and the time come in, and what becomes of the message comes out.

A message has a name made of what it is about, who gets it and how: where the store takes each name once, nobody is told the same step twice.
Before a message is sent it is marked as ``sending``, in a transaction of its own. Who finds it so after a crash cannot know whether it arrived.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .answers import Answer

State = Literal["waiting", "sending", "sent", "dead", "unknown", "dropped"]
_SPACE = uuid.UUID("7f3b0a52-6d1c-5e0e-9a53-2b6f2f3d7c10")
# What waits gives way to what is more urgent.
_ORDER = {"initial": 0, "escalation": 0, "resolution": 1, "customers": 1, "update": 2}


@dataclass(frozen=True)
class Rules:
    """The bounds.

    Attributes:
        most_attempts: then it is dead.
        give_up_seconds: after which it is dead, however few attempts there were.
        first_seconds: until the second attempt; each further wait is twice as long, and none longer than ``most_seconds``.
        per_person: so many messages in ``per_seconds``; the others wait.
    """

    most_attempts: int = 8
    give_up_seconds: float = 6 * 3600
    first_seconds: float = 5
    most_seconds: float = 900
    per_person: int = 10
    per_seconds: float = 600


@dataclass(frozen=True)
class Message:
    """One message to one person by one channel.

    Attributes:
        id: see :func:`message_id`.
        incident: its id.
        person: who gets it; the channel's name where it is no person.
        channel: by which.
        kind: of its template.
        created_at: when it was written down.
        timer: the timer that it is of; "" for none.
        state: ``waiting``, ``sending``, ``sent``, ``dead`` (given up), ``unknown`` (perhaps sent, never sent again) or ``dropped`` (no longer wanted).
        attempts: how often it was begun to be sent.
        next_at: not before.
        why: of the last attempt, in one line.
    """

    id: str
    incident: str
    person: str
    channel: str
    kind: str
    created_at: float
    timer: str = ""
    state: State = "waiting"
    attempts: int = 0
    next_at: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Choice:
    """What to do now.

    Attributes:
        send: the ids of messages to send, the most urgent first.
        hold: id -> until when it waits, as this person has had many.
        drop: id -> why it is no longer wanted.
    """

    send: tuple[str, ...] = ()
    hold: Mapping[str, float] = field(default_factory=dict)
    drop: Mapping[str, str] = field(default_factory=dict)


def message_id(incident: str, cause: str, person: str, channel: str, kind: str) -> str:
    """The same for the same step, person and channel, on whatever node.

    Args:
        cause: the name of the timer, or the number of the entry that it tells of.
    """
    return uuid.uuid5(_SPACE, "\x1f".join((incident, cause, person, channel, kind))).hex


def wait_seconds(message: Message, rules: Rules, retry_after: float | None = None) -> float:
    """How long until the next attempt. Not all at the same time: up to a fifth is added, by the message's id."""
    back_off = min(rules.most_seconds, rules.first_seconds * 2.0 ** min(40, max(0, message.attempts - 1)))
    share = int.from_bytes(hashlib.sha256(f"{message.id}/{message.attempts}".encode()).digest()[:4], "big") / 2**32
    wait = back_off * (1 + share / 5)
    # Who asks to be left alone for longer than we try at all is asked no more: that is decided where attempts are counted.
    return wait if retry_after is None or not math.isfinite(retry_after) else max(wait, retry_after)


def begun(message: Message, now: float) -> Message:
    """It is about to be sent. This is stored before anything leaves."""
    return replace(message, state="sending", attempts=message.attempts + 1, next_at=now)


def after(message: Message, answer: Answer, now: float, rules: Rules) -> Message:
    """What an attempt made of it."""
    if answer.result == "sent":
        return replace(message, state="sent", why=answer.why)
    if answer.result == "unknown":
        return replace(message, state="unknown", why=answer.why)
    if answer.result == "refused":
        return replace(message, state="dead", why=answer.why)
    if message.attempts >= rules.most_attempts:
        return replace(message, state="dead", why=f"after {message.attempts} attempts, as {answer.why}")
    at = now + wait_seconds(message, rules, answer.retry_after)
    if at - message.created_at > rules.give_up_seconds:
        return replace(message, state="dead", why=f"given up, as the next attempt would be too late: {answer.why}")
    return replace(message, state="waiting", next_at=at, why=answer.why)


def recovered(message: Message, repeatable: bool, rules: Rules, now: float) -> Message:
    """What becomes of a message that was being sent when the program ended.

    Args:
        repeatable: whether the other side takes the same message twice as one; see :class:`~.channels.Call`.
    """
    if message.state != "sending":
        return message
    why = "the program ended while it was sent"
    if not repeatable:
        return replace(
            message, state="unknown", why=f"{why}: whether it arrived is not known, and it is not sent again"
        )
    return after(message, Answer("failed", why), now, rules)


def choose(
    waiting: Iterable[Message],
    sent_at: Mapping[str, Collection[float]],
    wanted: Collection[str] | None,
    now: float,
    rules: Rules,
) -> Choice:
    """What to send now.

    Args:
        waiting: messages in the state ``waiting``.
        sent_at: person -> when messages were begun to be sent.
        wanted: the names of timers whose messages are still wanted; None for all. See :func:`~..escalation.timers.is_wanted`.
        now: the time.
        rules: the bounds.
    """
    drop: dict[str, str] = {}
    newest: dict[tuple[str, str, str], Message] = {}
    left: list[Message] = []
    for message in sorted(waiting, key=lambda one: (one.created_at, one.id)):
        if message.timer and wanted is not None and message.timer not in wanted:
            drop[message.id] = "it was acknowledged or has ended before this was sent"
            continue
        left.append(message)
        if message.kind == "update":
            key = (message.incident, message.person, message.channel)
            if key in newest:
                drop[newest[key].id] = "a newer update took its place"
            newest[key] = message
    room = {person: _room(times, now, rules) for person, times in sent_at.items()}
    send: list[str] = []
    hold: dict[str, float] = {}
    for message in sorted(left, key=lambda one: (_ORDER.get(one.kind, 1), one.created_at, one.id)):
        # A clock that was set back does not hold up what is due for longer than the longest wait.
        if message.id in drop or now < message.next_at <= now + max(rules.most_seconds, rules.give_up_seconds) * 1.2:
            continue
        free, until = room.get(message.person, (rules.per_person, now))
        if free <= 0:
            hold[message.id] = until
            continue
        room[message.person] = (free - 1, until if free > 1 else now + rules.per_seconds)
        send.append(message.id)
    return Choice(tuple(send), hold, drop)


def _room(times: Collection[float], now: float, rules: Rules) -> tuple[int, float]:
    """How many more a person may get now, and when the next one may where that is none."""
    recent = sorted(min(at, now) for at in times if at > now - rules.per_seconds)
    free = rules.per_person - len(recent)
    until = now if free > 0 or not recent else recent[min(len(recent), 1 - free) - 1] + rules.per_seconds
    return free, until


def delivery(message: Message) -> dict[str, Any]:
    """The data of an entry ``delivery`` for what has become of a message."""
    result = {"waiting": "failed", "sending": "unknown"}.get(message.state, message.state)
    return {"message": message.id, "result": result, "attempts": message.attempts, "why": message.why}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that have yet to leave, or of which it is not known whether they did. The rules are in `messages.outbox`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ...serve.store.engine import alone
from ...serve.store.opened import Opened
from ..messages.outbox import Message
from .tables import OUTBOX

AT_ONCE = 500
_OF_MESSAGE = (
    "id", "incident", "person", "channel", "kind", "created_at", "timer", "state", "attempts", "next_at", "why",
)  # fmt: skip


@dataclass(frozen=True)
class Letter:
    """A message, and what its template is given."""

    message: Message
    content: Mapping[str, Any] = field(default_factory=dict)


class Superseded(Exception):
    """What became of a message was written by somebody else already."""


@dataclass(frozen=True)
class Became:
    """What became of a message that a node was sending, or that waited.

    Attributes:
        before: the state in which it has to be.
        node: that was sending it; "" where it waited.
    """

    after: Message
    before: str = "sending"
    node: str = ""
    reference: str = ""


class Outbox(Opened):
    """The messages of a database."""

    def _post(self, connection: sa.Connection, letters: Iterable[Letter]) -> None:
        rows = [
            {
                **{name: getattr(one.message, name) for name in _OF_MESSAGE},
                "begun_at": None,
                "node": "",
                "reference": "",
                "content": json.dumps(one.content),
            }
            for one in letters
        ]
        if rows:
            # One that is there already is of the same step, to the same person: it is one message.
            connection.execute(self._insert(OUTBOX).on_conflict_do_nothing(), rows)

    def post(self, letters: Sequence[Letter]) -> None:
        """Have these leave, without an entry: what they are about takes none any more."""
        with self._engine.begin() as connection:
            self._post(connection, letters)

    def _become(self, connection: sa.Connection, became: Iterable[Became]) -> None:
        for one in became:
            mine = (
                OUTBOX.c.id == one.after.id,
                OUTBOX.c.state == one.before,
                OUTBOX.c.attempts == one.after.attempts,
                OUTBOX.c.node == one.node,
            )
            values = {"state": one.after.state, "next_at": one.after.next_at, "why": one.after.why, "node": ""}
            # Of what was sent, the content is in the timeline as far as anybody needs it.
            more: dict[str, Any] = {"reference": one.reference} if one.reference else {}
            if connection.execute(OUTBOX.update().where(*mine).values(**values, **more)).rowcount != 1:
                raise Superseded

    def become(self, *became: Became) -> bool:
        """Write down what became of messages, without an entry; False where somebody else has done so."""
        try:
            with self._engine.begin() as connection:
                self._become(connection, became)
        except Superseded:
            return False
        return True

    def hold_until(self, until: Mapping[str, float]) -> None:
        """Have these wait."""
        with self._engine.begin() as connection:
            for one, at in until.items():
                mine = OUTBOX.c.id == one, OUTBOX.c.state == "waiting"
                connection.execute(OUTBOX.update().where(*mine).values(next_at=at))

    def begin(self, message: Message, node: str) -> bool:
        """Mark a message as being sent by this node, before anything leaves; False where another one does, or sends one before it."""
        mine = (
            OUTBOX.c.id == message.id,
            OUTBOX.c.state == "waiting",
            OUTBOX.c.attempts == message.attempts - 1,
        )
        values = {"state": "sending", "attempts": message.attempts, "node": node, "begun_at": message.next_at}
        busy = sa.select(OUTBOX.c.id).where(
            OUTBOX.c.incident == message.incident, OUTBOX.c.channel == message.channel, OUTBOX.c.state == "sending"
        )
        # One at a time over all nodes, so that what is said of an incident by a channel keeps its order.
        with alone(self._engine) as connection:
            if connection.execute(busy.limit(1)).first() is not None:
                return False
            return connection.execute(OUTBOX.update().where(*mine).values(**values)).rowcount == 1

    def waiting(self, most: int = AT_ONCE) -> list[Letter]:
        """Those that wait, the oldest first."""
        query = sa.select(OUTBOX).where(OUTBOX.c.state == "waiting").order_by(OUTBOX.c.created_at, OUTBOX.c.id)
        with self._reading.connect() as connection:
            return [_letter(row) for row in connection.execute(query.limit(most))]

    def sending(self, node: str) -> list[Letter]:
        """Those that a node was sending when it was last heard of."""
        query = sa.select(OUTBOX).where(OUTBOX.c.state == "sending", OUTBOX.c.node == node)
        with self._reading.connect() as connection:
            return [_letter(row) for row in connection.execute(query)]

    def senders(self) -> set[str]:
        """The nodes that are sending something."""
        query = sa.select(OUTBOX.c.node).where(OUTBOX.c.state == "sending").distinct()
        with self._reading.connect() as connection:
            return {*connection.scalars(query)}

    def begun_since(self, at: float, people: Collection[str]) -> dict[str, list[float]]:
        """Person -> when messages were begun to be sent."""
        query = sa.select(OUTBOX.c.person, OUTBOX.c.begun_at).where(
            OUTBOX.c.begun_at > at, OUTBOX.c.person.in_([*people])
        )
        told: dict[str, list[float]] = {}
        with self._reading.connect() as connection:
            for row in connection.execute(query):
                told.setdefault(row.person, []).append(row.begun_at)
        return told

    def reference(self, incident: str, channel: str) -> str:
        """What the other side of a channel calls an incident; "" where it knows none yet."""
        query = sa.select(OUTBOX.c.reference).where(
            OUTBOX.c.incident == incident, OUTBOX.c.channel == channel, OUTBOX.c.reference != ""
        )
        with self._reading.connect() as connection:
            return connection.scalar(query.order_by(OUTBOX.c.created_at.desc()).limit(1)) or ""

    def letters(self, incident: str) -> list[Letter]:
        """All of an incident, the oldest first."""
        query = sa.select(OUTBOX).where(OUTBOX.c.incident == incident).order_by(OUTBOX.c.created_at, OUTBOX.c.id)
        with self._reading.connect() as connection:
            return [_letter(row) for row in connection.execute(query)]

    def not_over(self) -> dict[str, int]:
        """State -> how many messages have not left, or were given up."""
        query = sa.select(OUTBOX.c.state, sa.func.count()).where(OUTBOX.c.state != "sent").group_by(OUTBOX.c.state)
        with self._reading.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}


def _letter(row: sa.Row[Any]) -> Letter:
    told = row._mapping
    return Letter(Message(**{name: told[name] for name in _OF_MESSAGE}), json.loads(row.content))

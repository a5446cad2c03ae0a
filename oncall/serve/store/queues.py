# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Episodes that wait for their turn: who may begin, and why the others wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .decision import Decision
from .engine import alone
from .opened import Opened
from .tables import EPISODES

MOST_SILENCED = 10_000
# So many get a new reason at once: an acknowledgement waits for that.
REASONS_AT_ONCE = 2000


@dataclass(frozen=True)
class Queue:
    """Queued episodes of which the first can begin if any can.

    Attributes:
        key: what they have in common.
        count: how many there are.
        reasons: why they wait, as it was said last: the first and the last in the alphabet.
        ids: the first of them, the oldest first.
    """

    key: Mapping[str, Any]
    count: int
    reasons: Collection[str]
    ids: list[str]


class Queues(Opened):
    """What is queued."""

    @contextmanager
    def decision(self) -> Iterator[Decision]:
        """One decision at a time over all nodes: what is seen in it stays true until it ends."""
        with alone(self._engine) as connection:
            yield Decision(connection)

    def queues(self, most: int, silenced: Collection[str] = ()) -> list[Queue]:
        """What is queued, in queues of which any episode can begin if its first can: none is hidden behind those of another queue.

        Args:
            most: the first of each queue, so many of all, but one of each in any case.
            silenced: fingerprints of alerts that are.
        """
        named = [EPISODES.c[name] for name in ("runbook", "host", "stage", "mode")]
        parts: list[sa.ColumnElement[Any]] = [
            *named, (EPISODES.c.plan_hash != "").label("agreed"), EPISODES.c.resolved_at.is_not(None).label("over"),
        ]  # fmt: skip
        if silenced:
            parts.append(EPISODES.c.fingerprint.in_([*silenced][:MOST_SILENCED]).label("silenced"))
        queued = EPISODES.c.state == "queued"
        place = sa.func.row_number().over(partition_by=parts, order_by=[EPISODES.c.queued_at, EPISODES.c.id])
        numbered = sa.select(EPISODES.c.id, EPISODES.c.queued_at, *parts, place.label("place")).where(queued).subquery()
        first, last = sa.func.min(EPISODES.c.reason).label("first"), sa.func.max(EPISODES.c.reason).label("last")
        counted = sa.select(*parts, sa.func.count().label("number"), first, last).where(queued).group_by(*parts)
        width = len(parts)
        with self._reading.connect() as connection:
            found = {
                tuple(row[:width]): Queue(dict(row._mapping), row.number, {row.first, row.last}, [])
                for row in connection.execute(counted)
            }
            if found:
                each = numbered.c.place <= max(1, most // len(found))
                query = sa.select(*(numbered.c[part.name] for part in parts), numbered.c.id).where(each)
                for row in connection.execute(query.order_by(numbered.c.queued_at, numbered.c.id)):
                    if queue := found.get(tuple(row[:width])):
                        queue.ids.append(row.id)
        return [*found.values()]

    def newest(self, most: int) -> list[str]:
        """The ids of the episodes that were queued last."""
        query = sa.select(EPISODES.c.id).where(EPISODES.c.state == "queued").order_by(EPISODES.c.queued_at.desc())
        with self._reading.connect() as connection:
            return [*connection.scalars(query.limit(most))]

    def hold_queue(self, queue: Queue, reason: str, silenced: Collection[str] = ()) -> bool:
        """Say of some of a queue why they wait, of the newest, which people see first; whether there may be more."""
        key = [EPISODES.c[name] == queue.key[name] for name in ("runbook", "host", "stage", "mode")]
        key.append((EPISODES.c.plan_hash != "") == queue.key["agreed"])
        key.append(EPISODES.c.resolved_at.is_not(None) == queue.key["over"])
        if silenced:
            key.append(EPISODES.c.fingerprint.in_([*silenced][:MOST_SILENCED]) == queue.key["silenced"])
        return self._hold(reason, *key)

    def hold_all(self, reason: str) -> None:
        """Say of every queued episode why it waits."""
        while self._hold(reason):
            pass

    def _hold(self, reason: str, *where: sa.ColumnElement[bool]) -> bool:
        """Say of the newest of these why they wait; whether there may be more."""
        others = EPISODES.c.state == "queued", EPISODES.c.reason != reason, *where
        query = sa.select(EPISODES.c.id).where(*others).order_by(EPISODES.c.queued_at.desc()).limit(REASONS_AT_ONCE)
        with self._reading.connect() as connection:
            ids = [*connection.scalars(query)]
        if ids:
            with alone(self._engine) as connection:
                connection.execute(
                    EPISODES.update().where(EPISODES.c.id.in_(ids), EPISODES.c.state == "queued").values(reason=reason)
                )
        return len(ids) == REASONS_AT_ONCE

    def any_queued(self) -> bool:
        query = sa.select(EPISODES.c.id).where(EPISODES.c.state == "queued").limit(1)
        with self._reading.connect() as connection:
            return connection.execute(query).first() is not None

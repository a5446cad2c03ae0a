# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications that are not sorted yet, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from .decision import in_parts
from .engine import alone
from .opened import Opened
from .tables import EPISODES, INBOX, QUARANTINE, SHARES

MOST_BYTES = 16 * 1024 * 1024


class Inbox(Opened):
    """Notifications: kept, read, sorted."""

    def keep(self, notifications: Sequence[bytes]) -> None:
        """All of them or none, on the disk when this returns."""
        now = time.time()
        with self._engine.begin() as connection:
            connection.execute(INBOX.insert(), [{"received_at": now, "alerts": one} for one in notifications])
        if self._files is not None:
            self._files.look()

    def inbox(self, most: int) -> list[tuple[int, float, bytes]]:
        """The oldest notifications that are not sorted yet, as many as fit into memory at once."""
        sizes = sa.select(INBOX.c.id, sa.func.length(INBOX.c.alerts)).order_by(INBOX.c.id).limit(most)
        whole = sa.select(INBOX.c.id, INBOX.c.received_at, INBOX.c.alerts).order_by(INBOX.c.id)
        with self._reading.connect() as connection:
            ids: list[int] = []
            size = 0
            for number, length in connection.execute(sizes):
                size += length
                if ids and size > MOST_BYTES:
                    break
                ids.append(number)
            found = connection.execute(whole.where(INBOX.c.id.in_(ids))) if ids else ()
            return [(row.id, row.received_at, row.alerts) for row in found]

    def inbox_size(self) -> int:
        with self._reading.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(INBOX)) or 0)

    def sort(self, taken: Iterable[int], firing: Sequence[dict[str, Any]], resolved: Sequence[tuple[str, float]],
             aside: Sequence[dict[str, Any]], seen: dict[str, float]) -> int | None:  # fmt: skip
        """What became of notifications, in one transaction; how many episodes are new, or None where another node sorted some of
        them meanwhile. Then nothing is done: what that node heard since would be overwritten by what was said before.
        """
        numbers = [*taken]
        with alone(self._engine) as connection:
            there = sa.select(sa.func.count()).select_from(INBOX).where(INBOX.c.id.in_(numbers))
            if numbers and connection.scalar(there) != len(numbers):
                return None
            new = 0
            if firing:
                ids = [row["id"] for row in firing]
                over = {episode for episode, _ in resolved}
                parts = [*in_parts(ids)]
                count = sa.select(sa.func.count())
                known = sum(connection.scalar(count.where(EPISODES.c.id.in_(part))) or 0 for part in parts)
                firing = _heard_of_now(connection, firing)
                statement = self._insert(EPISODES)
                seen_again = {"seen_at": statement.excluded.seen_at}
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=seen_again), firing)
                new = len(ids) - known
                for part in parts if known else ():
                    _fires_again(connection, [one for one in part if one not in over])
            for episode, at in resolved:
                connection.execute(
                    EPISODES.update()
                    .where(EPISODES.c.id == episode, EPISODES.c.resolved_at.is_(None))
                    .values(resolved_at=at)
                )
            if aside:
                statement = self._insert(QUARANTINE)
                again = {"last_at": statement.excluded.last_at, "count": QUARANTINE.c.count + statement.excluded.count}
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=again), aside)
            for name, at in seen.items():
                self._set(connection, name, "", at)
            connection.execute(INBOX.delete().where(INBOX.c.id.in_(numbers)))
        return new


def _heard_of_now(connection: sa.Connection, firing: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The same, with the later of two times: a node whose clock is behind would have others drop at once what it has just heard of."""
    if connection.dialect.name != "postgresql":
        return firing
    now = connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp())))
    return [{**row, "seen_at": max(row["seen_at"], float(now or 0))} for row in firing]


def _fires_again(connection: sa.Connection, ids: list[str]) -> None:
    """What was said to be over is not: what waits or runs goes on, and what was closed for that begins anew."""
    # What looked for it did so before it fired again.
    was_over = sa.select(EPISODES.c.id).where(EPISODES.c.id.in_(ids), EPISODES.c.resolved_at.is_not(None))
    connection.execute(SHARES.delete().where(SHARES.c.episode.in_(was_over)))
    # One that runs may have to wait for a person when its run is over.
    open_states = EPISODES.c.state.in_(["queued", "running", "waiting"])
    goes_on = EPISODES.c.id.in_(ids), open_states, EPISODES.c.resolved_at.is_not(None)
    connection.execute(EPISODES.update().where(*goes_on).values(resolved_at=None))
    closed = EPISODES.c.id.in_(ids), EPISODES.c.state == "ended", EPISODES.c.outcome == "closed"
    anew = {"state": "queued", "outcome": "", "summary": "", "plan_hash": "", "ended_at": None, "resolved_at": None}
    stage = sa.case((EPISODES.c.mode == "auto", "act"), else_="check")
    connection.execute(EPISODES.update().where(*closed).values(stage=stage, queued_at=time.time(), **anew))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: notifications not yet sorted, episodes and their runs, what was put aside, what is paused.

SQLite for one node, PostgreSQL for several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from ...errors import OncallError
from ...incidents.store.tables import PARTS
from .engine import alone
from .inbox import Inbox
from .queues import Queues
from .runs import Runs
from .tables import EPISODES, INBOX, QUARANTINE, RUNS, SHARES

# Somebody who sends nothing but strangers must not fill the disk.
MOST_ASIDE = 10_000


class Store(Inbox, Queues, Runs):
    """Every statement there is: those of episodes, and what the others have."""

    def episode(self, episode: str) -> dict[str, Any] | None:
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(EPISODES).where(EPISODES.c.id == episode)).first()
            return _plain(row) if row else None

    def find(self, beginning: str) -> dict[str, Any]:
        """The one episode whose id begins like this, or that this run is of."""
        beginning = re.sub(r"r[0-9]+\Z", "", beginning)
        known = beginning and all(one in "0123456789abcdef" for one in beginning)
        query = sa.select(EPISODES).where(EPISODES.c.id.like(f"{beginning}%")).limit(3)
        with self._reading.connect() as connection:
            rows = connection.execute(query).all() if known else []
        if len(rows) != 1:
            what = "several episodes" if rows else "no episode"
            raise OncallError(f"{what} with an id that begins with {beginning[:40]!r}; list them with: oncall episodes")
        return _plain(rows[0])

    def episodes(self, states: Sequence[str] = (), most: int = 50) -> list[dict[str, Any]]:
        """The newest first."""
        query = sa.select(EPISODES).order_by(EPISODES.c.received_at.desc()).limit(most)
        if states:
            query = query.where(EPISODES.c.state.in_(states))
        with self._reading.connect() as connection:
            return [_plain(row) for row in connection.execute(query)]

    def waiting_of(self, ids: Sequence[str], most: int = 20) -> list[dict[str, Any]]:
        """Those of these episodes that wait for a person, the newest first."""
        query = sa.select(EPISODES).where(EPISODES.c.id.in_(ids), EPISODES.c.state == "waiting")
        with self._reading.connect() as connection:
            return [
                _plain(row) for row in connection.execute(query.order_by(EPISODES.c.received_at.desc()).limit(most))
            ]

    def waited_enough(self, now: float) -> list[sa.Row[Any]]:
        """Episodes that wait for a person, though the alert is over or the time is."""
        with self._reading.connect() as connection:
            return [*connection.execute(_waited_enough(now))]

    def end_waiting(self, now: float) -> list[dict[str, Any]]:
        """End those that waited enough and still do: another node may have heard of one meanwhile. What they are now."""
        with alone(self._engine) as connection:
            ended = [
                {"id": row.id, "runbook": row.runbook, **_waited(row)}
                for row in connection.execute(_waited_enough(now)).all()
            ]
            for one in ended:
                values = {name: one[name] for name in ("outcome", "summary")}
                mine = EPISODES.c.id == one["id"], EPISODES.c.state == "waiting"
                connection.execute(EPISODES.update().where(*mine).values(state="ended", ended_at=now, **values))
            return ended

    def wait_until(self, most: float) -> None:
        """Have no episode wait for a person for longer than this."""
        later = EPISODES.c.state == "waiting", EPISODES.c.until > most
        with self._reading.connect() as connection:
            if connection.execute(sa.select(EPISODES.c.id).where(*later).limit(1)).first() is None:
                return
        with alone(self._engine) as connection:
            connection.execute(EPISODES.update().where(*later).values(until=most))

    def change(self, episode: str, state: str, values: dict[str, Any]) -> bool:
        """Change an episode that is in this state; False where it is in another one."""
        with alone(self._engine) as connection:
            done = connection.execute(
                EPISODES.update().where(EPISODES.c.id == episode, EPISODES.c.state == state).values(**values)
            )
            return done.rowcount == 1

    def said_before(self, episode: str, plan_hash: str, note: str) -> dict[str, Any] | None:
        """The last episode that ended with a note that begins so, on the same plan of the same runbook on the same host.

        It is of the same incident. Where one of them is of none, the alert of that episode has to fire still.
        """
        asked = EPISODES.alias("asked")
        mine, theirs = _incident_of(asked.c.id), _incident_of(EPISODES.c.id)
        is_one = sa.and_(mine != "", mine == theirs)
        still = sa.and_(sa.or_(mine == "", theirs == ""), EPISODES.c.resolved_at.is_(None))
        query = (
            sa.select(EPISODES)
            .join(asked, sa.and_(asked.c.runbook == EPISODES.c.runbook, asked.c.host == EPISODES.c.host))
            .where(asked.c.id == episode, EPISODES.c.id != episode, EPISODES.c.state == "ended")
            .where(EPISODES.c.plan_hash == plan_hash, EPISODES.c.note.startswith(note, autoescape=True))
            .where(sa.or_(is_one, still))
            .order_by(EPISODES.c.ended_at.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            row = connection.execute(query).first()
            return _plain(row) if row else None

    def note(self, episode: str, note: str) -> None:
        """Who had a hand in it."""
        with self._engine.begin() as connection:
            connection.execute(EPISODES.update().where(EPISODES.c.id == episode).values(note=note))

    def quarantine(self, most: int = 50) -> list[dict[str, Any]]:
        """The newest first."""
        query = sa.select(QUARANTINE).order_by(QUARANTINE.c.last_at.desc()).limit(most)
        with self._reading.connect() as connection:
            return [_plain(row) for row in connection.execute(query)]

    def counts(self) -> dict[str, Any]:
        """Numbers for the metrics and for people."""
        with self._reading.connect() as connection:

            def grouped(*columns: sa.Column[Any], where: Sequence[Any] = ()) -> dict[tuple[Any, ...], int]:
                query = sa.select(*columns, sa.func.count()).where(*where).group_by(*columns)
                return {tuple(row)[:-1]: row[-1] for row in connection.execute(query)}

            queued = EPISODES.c.state == "queued"
            oldest = sa.select(sa.func.min(EPISODES.c.queued_at)).where(queued)
            return {
                "episodes": grouped(EPISODES.c.state, EPISODES.c.runbook),
                "held_back": grouped(EPISODES.c.runbook, where=(queued, EPISODES.c.reason != "")),
                "quarantined": connection.scalar(sa.select(sa.func.count()).select_from(QUARANTINE)) or 0,
                "inbox": connection.scalar(sa.select(sa.func.count()).select_from(INBOX)) or 0,
                "inbox_oldest": connection.scalar(sa.select(sa.func.min(INBOX.c.received_at))),
                "queue_oldest": connection.scalar(oldest),
            }

    def heard_last(self) -> float | None:
        """When anybody heard of an episode last, as the clock of that node said."""
        with self._reading.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(EPISODES.c.seen_at)))

    def forget(self, before: float, drop: Callable[[Sequence[str]], None]) -> None:
        """Drop what ended and was not heard of again since. What a remedy did for a host is kept.

        Args:
            before: epoch seconds.
            drop: drops what others know of these runs. It comes first: what is dropped here is not found again.
        """
        old = EPISODES.c.state == "ended", EPISODES.c.seen_at < before
        count = sa.select(sa.func.count()).select_from(QUARANTINE)
        stale = QUARANTINE.c.last_at < before
        with self._reading.connect() as connection:
            found = [*connection.scalars(sa.select(EPISODES.c.id).where(*old).limit(1000))]
            runs = [*connection.scalars(sa.select(RUNS.c.id).where(RUNS.c.episode.in_(found)))]
            crowded = (connection.scalar(count) or 0) > MOST_ASIDE
            if not found and not crowded and not connection.execute(sa.select(QUARANTINE.c.id).where(stale)).first():
                return
        if runs:
            drop(runs)
        with alone(self._engine) as connection:
            # Looked at again: another node may have heard of one meanwhile.
            episodes = [*connection.scalars(sa.select(EPISODES.c.id).where(EPISODES.c.id.in_(found), *old))]
            of_these = sa.or_(SHARES.c.episode.in_(episodes), SHARES.c.run.in_(runs))
            connection.execute(SHARES.delete().where(of_these))
            connection.execute(RUNS.delete().where(RUNS.c.episode.in_(episodes)))
            connection.execute(EPISODES.delete().where(EPISODES.c.id.in_(episodes)))
            newest = sa.select(QUARANTINE.c.id).order_by(QUARANTINE.c.last_at.desc()).limit(MOST_ASIDE)
            connection.execute(QUARANTINE.delete().where(sa.or_(stale, QUARANTINE.c.id.not_in(newest))))


def _incident_of(episode: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The incident of an episode; "" for none."""
    parts = PARTS.alias()
    found = sa.select(parts.c.incident).where(parts.c.what == "episode", parts.c.key == episode)
    return sa.func.coalesce(found.scalar_subquery(), "")


def _waited_enough(now: float) -> sa.Select[Any]:
    columns = [EPISODES.c[name] for name in ("id", "runbook", "summary", "resolved_at")]
    over = sa.or_(EPISODES.c.resolved_at.is_not(None), EPISODES.c.until < now)
    return sa.select(*columns).where(EPISODES.c.state == "waiting", over)


def _waited(row: sa.Row[Any]) -> dict[str, str]:
    """How an episode ends that waited enough."""
    if row.resolved_at is not None:
        return {"outcome": "closed", "summary": "the alert was over before a person agreed"}
    return {"outcome": "expired", "summary": f"nobody agreed in time to: {row.summary}"}


def _plain(row: sa.Row[Any]) -> dict[str, Any]:
    values = dict(row._mapping)
    for name in ("alert", "result"):
        if values.get(name):
            values[name] = json.loads(values[name])
    return values

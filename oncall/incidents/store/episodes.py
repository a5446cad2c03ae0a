# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service has and no incident has yet: episodes and runs, each looked for by its absence, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ...serve.store.opened import Opened
from ...serve.store.tables import EPISODES, RUNS
from ..record import ACKNOWLEDGED, OPEN, RESOLVED, TRIGGERED
from .tables import INCIDENTS, PARTS

EPISODE, RUN = "episode", "run"
# An episode of whose alert the timeline says that it is over.
ENDED = "ended"
# Of the control table: since when incidents are kept here.
SINCE = "incidents_since"
# To whom what was over before belongs.
NOBODY = ""


class Episodes(Opened):
    """The episodes and runs of the service, as incidents see them."""

    def begin_with_incidents(self, now: float) -> None:
        """Have what was over before incidents were kept be no incident any more. Doing it twice changes nothing."""
        with self._engine.begin() as connection:
            if SINCE in self.controls():
                return
            self._set(connection, SINCE, "", now)
            for what, table, is_over in (
                (EPISODE, EPISODES, EPISODES.c.state == "ended"),
                (RUN, RUNS, RUNS.c.ended_at.is_not(None)),
            ):
                old = sa.select(sa.literal(what), table.c.id, sa.literal(NOBODY)).where(
                    is_over, _is_nobodys(what, table)
                )
                connection.execute(PARTS.insert().from_select(["what", "key", "incident"], old))

    def new_episodes(self, most: int) -> list[dict[str, Any]]:
        """Those that belong to no incident yet, the oldest of some first."""
        columns = ("id", "runbook", "host", "fingerprint", "alert", "received_at", "resolved_at", "state")
        with self._reading.connect() as connection:
            query = sa.select(EPISODES.c.id).where(_is_nobodys(EPISODE, EPISODES)).limit(most)
            ids = [*connection.scalars(query)]
            found = sa.select(*(EPISODES.c[name] for name in columns)).where(EPISODES.c.id.in_(ids))
            return [dict(row._mapping) for row in connection.execute(found.order_by(EPISODES.c.received_at))]

    def new_ends(self, most: int) -> list[dict[str, Any]]:
        """The episodes whose alert is over, though the timeline of their incident does not say it yet, those that ended first first.

        None of an incident that takes no entries any more, and none by which the service looks itself.
        """
        names = ("id", "runbook", "host", "fingerprint", "alert", "received_at", "resolved_at")
        told = PARTS.alias("told")
        is_told = sa.exists().where(told.c.what == ENDED, told.c.key == EPISODES.c.id).correlate(EPISODES)
        query = (
            sa.select(*(EPISODES.c[name] for name in names), PARTS.c.incident)
            .join(PARTS, sa.and_(PARTS.c.what == EPISODE, PARTS.c.key == EPISODES.c.id))
            .join(INCIDENTS, INCIDENTS.c.id == PARTS.c.incident)
            .where(INCIDENTS.c.state.in_((*OPEN, RESOLVED)), EPISODES.c.resolved_at.is_not(None))
            .where(EPISODES.c.fingerprint != "", ~is_told)
            .order_by(EPISODES.c.resolved_at)
            .limit(most)
        )
        with self._reading.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def new_runs(self, most: int) -> list[dict[str, Any]]:
        """Those that have ended and belong to no incident yet, though their episode does, the oldest first.

        ``result`` is that of the episode, where this is its last run.
        """
        of_run = [
            RUNS.c[name]
            for name in ("id", "episode", "runbook", "host", "acts", "began_at", "admitted_at", "ended_at", "outcome")
        ]
        of_episode: list[sa.ColumnElement[Any]] = [
            *(EPISODES.c[name] for name in ("summary", "result", "note", "runs", "plan_hash")),
            EPISODES.c.ended_at.label("over_at"),
        ]
        query = (
            sa.select(*of_run, *of_episode, PARTS.c.incident)
            .join(EPISODES, EPISODES.c.id == RUNS.c.episode)
            .join(PARTS, sa.and_(PARTS.c.what == EPISODE, PARTS.c.key == RUNS.c.episode))
            .where(RUNS.c.ended_at.is_not(None), _is_nobodys(RUN, RUNS))
            .order_by(RUNS.c.ended_at)
            .limit(most)
        )
        with self._reading.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        for row in rows:
            if row["id"] != f"{row['episode']}r{row['runs']}":
                row.update(result="", summary="")
        return rows

    def nobodys(self, what: str, key: str) -> None:
        """Have this be no incident's."""
        with self._engine.begin() as connection:
            values = {"what": what, "key": key, "incident": NOBODY}
            connection.execute(self._insert(PARTS).values(**values).on_conflict_do_nothing())

    def over_since(self, before: float) -> list[tuple[str, int]]:
        """The incidents that go on, though all their alerts were over before then; and of how many alerts."""
        still = sa.func.sum(sa.case((EPISODES.c.resolved_at.is_(None), 1), else_=0))
        query = (
            sa.select(PARTS.c.incident, sa.func.count())
            .join(EPISODES, EPISODES.c.id == PARTS.c.key)
            .join(INCIDENTS, INCIDENTS.c.id == PARTS.c.incident)
            .where(PARTS.c.what == EPISODE, INCIDENTS.c.state.in_(OPEN))
            .group_by(PARTS.c.incident)
            .having(still == 0, sa.func.max(EPISODES.c.resolved_at) < before)
        )
        with self._reading.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def looked(self, incident: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
        """How looks have ended that the service takes for an incident, by their ids; None where they are begun only now.

        They belong to the incident from the start, so that they are no alerts of it.
        """
        ids = [row["id"] for row in rows]
        query = sa.select(EPISODES.c.id, EPISODES.c.outcome, EPISODES.c.state).where(EPISODES.c.id.in_(ids))
        with self._reading.connect() as connection:
            found = connection.execute(query).all()
        if len(found) < len(ids):
            with self._engine.begin() as connection:
                parts = [{"what": EPISODE, "key": one, "incident": incident} for one in ids]
                connection.execute(self._insert(PARTS).on_conflict_do_nothing(), parts)
                connection.execute(self._insert(EPISODES).on_conflict_do_nothing(), [dict(row) for row in rows])
            return None
        ended = {row.id: row.outcome for row in found if row.state == "ended"}
        if len(ended) == len(ids):
            over = EPISODES.c.id.in_(ids), EPISODES.c.resolved_at.is_(None)
            with self._engine.begin() as connection:
                # No alert of it will ever be over.
                connection.execute(EPISODES.update().where(*over).values(resolved_at=EPISODES.c.ended_at))
        return ended

    def unsettled(self, incident: str) -> int:
        """Of how many of its alerts nobody knows that they are over or fixed."""
        query = (
            sa.select(sa.func.count())
            .select_from(PARTS.join(EPISODES, EPISODES.c.id == PARTS.c.key))
            .where(PARTS.c.what == EPISODE, PARTS.c.incident == incident, _is_unsettled())
        )
        with self._reading.connect() as connection:
            return connection.scalar(query) or 0

    def plans_waiting(self, incident: str) -> dict[str, str]:
        """Of its plans those that wait for a person: the run that made one -> its hash."""
        query = (
            sa.select(EPISODES.c.id, EPISODES.c.runs, EPISODES.c.plan_hash)
            .join(PARTS, sa.and_(PARTS.c.what == EPISODE, PARTS.c.key == EPISODES.c.id))
            .where(PARTS.c.incident == incident, EPISODES.c.state == "waiting")
        )
        with self._reading.connect() as connection:
            return {f"{row.id}r{row.runs}": row.plan_hash for row in connection.execute(query)}

    def settled(self) -> Sequence[str]:
        """The incidents that are neither mitigated nor resolved, though each of their alerts is over or fixed."""
        query = (
            sa.select(PARTS.c.incident)
            .join(EPISODES, EPISODES.c.id == PARTS.c.key)
            .join(INCIDENTS, INCIDENTS.c.id == PARTS.c.incident)
            .where(PARTS.c.what == EPISODE, INCIDENTS.c.state.in_([TRIGGERED, ACKNOWLEDGED]))
            .group_by(PARTS.c.incident)
            .having(sa.func.sum(sa.case((_is_unsettled(), 1), else_=0)) == 0)
        )
        with self._reading.connect() as connection:
            return connection.scalars(query).all()

    def still_firing(self, seconds: float) -> Sequence[str]:
        """The incidents that were resolved, though an alert of them was heard of so long afterwards."""
        query = (
            sa.select(PARTS.c.incident)
            .join(EPISODES, EPISODES.c.id == PARTS.c.key)
            .join(INCIDENTS, INCIDENTS.c.id == PARTS.c.incident)
            .where(
                PARTS.c.what == EPISODE,
                INCIDENTS.c.state == "resolved",
                EPISODES.c.resolved_at.is_(None),
                EPISODES.c.seen_at > INCIDENTS.c.resolved_at + seconds,
            )
            .distinct()
        )
        with self._reading.connect() as connection:
            return connection.scalars(query).all()

    def forget_what_is_gone(self) -> None:
        """Drop to which incident the episodes and runs belonged that are gone; the timelines still say it."""
        with self._engine.begin() as connection:
            for what, table in ((EPISODE, EPISODES), (ENDED, EPISODES), (RUN, RUNS)):
                there = sa.exists().where(table.c.id == PARTS.c.key).correlate(PARTS)
                connection.execute(PARTS.delete().where(PARTS.c.what == what, ~there))


def _is_unsettled() -> sa.ColumnElement[bool]:
    ended_well = sa.and_(EPISODES.c.state == "ended", EPISODES.c.outcome.in_(["resolved", "healthy"]))
    return sa.and_(EPISODES.c.resolved_at.is_(None), ~ended_well)


def _is_nobodys(what: str, table: sa.Table) -> sa.ColumnElement[bool]:
    parts = PARTS.alias("belongs")
    return ~sa.exists().where(parts.c.what == what, parts.c.key == table.c.id).correlate(table)

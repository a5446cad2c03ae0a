# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs, from the moment in which a node begins one to what came of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .decision import not_helped
from .engine import alone
from .lease import Fenced, Peer
from .opened import Opened
from .tables import CONTROL, EPISODES, NODES, REMEDIES, RUNS, SHARES

# What only the database itself is called, and the last number of a run that acts: see `Fence`. Not for people.
DATABASE, FENCE = "database", "fence"


@dataclass(frozen=True)
class Fence:
    """What the ledger of a host knows a later run by: of one database, each run that begins to act has a higher token.

    Attributes:
        source: names the database.
        token: the higher, the later.
    """

    source: str
    token: int


class Runs(Opened):
    """Runs, and what their remedies did."""

    def begin(self, run: str, node: str, lease: int, at: float) -> Fence | None:
        """Mark a run as begun, on the node that plays it; None where it was begun before, at another time or elsewhere.

        Raises:
            Fenced: the node has another lease by now, or none; 0 is the lease of a node that is alone.
        """
        with self._engine.begin() as connection:
            mine = NODES.c.node == node, NODES.c.number == lease
            # Until this is done, nobody takes over what this node has.
            if (
                lease
                and connection.execute(sa.select(NODES.c.node).where(*mine).with_for_update(read=True)).first() is None
            ):
                raise Fenced(f"node {node} has lost its lease, and begins nothing with it")
            ours = sa.and_(RUNS.c.began_at == at, RUNS.c.node == node)
            new = RUNS.c.id == run, sa.or_(RUNS.c.began_at.is_(None), ours)
            done = connection.execute(RUNS.update().where(*new).values(began_at=at, node=node))
            connection.execute(RUNS.update().where(RUNS.c.id == run).values(node=node))
            return self._next_fence(connection, at) if done.rowcount == 1 else None

    def _next_fence(self, connection: sa.Connection, at: float) -> Fence:
        for name, value in ((DATABASE, uuid.uuid4().hex), (FENCE, "0")):
            statement = self._insert(CONTROL).values(name=name, value=value, at=at)
            connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
        last = connection.scalar(sa.select(CONTROL.c.value).where(CONTROL.c.name == FENCE).with_for_update())
        # The time, so that it goes on where a copy of yesterday is restored.
        token = max(int(last or 0) + 1, int(at * 1000))
        self._set(connection, FENCE, str(token), at)
        source = connection.scalar(sa.select(CONTROL.c.value).where(CONTROL.c.name == DATABASE))
        return Fence(str(source), token)

    def put_back(self, node: str, run: str = "") -> int:
        """Queue again what was admitted on a node and never begun, or this one run; how many. It has done nothing yet."""
        with alone(self._engine) as connection:
            return _put_back(connection, node, run)

    def take_over(self, gone: Peer, node: str) -> tuple[int, list[str]]:
        """Have a node see to what another one left, if that is still gone: how many runs are queued again, and those it sees to now."""
        with alone(self._engine) as connection:
            query = sa.select(NODES.c.number, NODES.c.renewals).where(NODES.c.node == gone.node)
            row = connection.execute(query.with_for_update()).first()
            if (tuple(row) if row else (0, 0)) != (gone.number, gone.renewals):
                return 0, []
            connection.execute(NODES.delete().where(NODES.c.node == gone.node))
            waiting = _put_back(connection, gone.node)
            left = RUNS.c.node == gone.node, RUNS.c.ended_at.is_(None)
            runs = [*connection.scalars(sa.select(RUNS.c.id).where(*left))]
            connection.execute(RUNS.update().where(*left).values(node=node))
            return waiting, runs

    def conclude(
        self, run: str, outcome: str, helped: Mapping[str, bool], episode: str, values: Mapping[str, Any]
    ) -> None:
        """What came of a run, whose remedies helped, and what the episode is now. Doing it twice changes nothing."""
        now = time.time()
        with self._engine.begin() as connection:
            done = connection.execute(
                RUNS.update().where(RUNS.c.id == run, RUNS.c.ended_at.is_(None)).values(ended_at=now, outcome=outcome)
            )
            if done.rowcount == 1:
                host = connection.scalar(sa.select(RUNS.c.host).where(RUNS.c.id == run))
                for runbook, whether in helped.items():
                    proof = {"run": run, "runbook": runbook, "host": host, "helped": whether, "at": now}
                    connection.execute(REMEDIES.insert().values(**proof))
                connection.execute(EPISODES.update().where(EPISODES.c.id == episode).values(**values))
                # Somebody canceled it in the moment in which it was about to wait, for a person or for its turn.
                late = EPISODES.c.id == episode, EPISODES.c.state.in_(["waiting", "queued"]), EPISODES.c.cancel != ""
                ended = {"state": "ended", "outcome": "canceled", "summary": EPISODES.c.cancel, "ended_at": now}
                connection.execute(EPISODES.update().where(*late).values(**ended))

    def run(self, run: str) -> sa.Row[Any] | None:
        with self._reading.connect() as connection:
            return connection.execute(sa.select(RUNS).where(RUNS.c.id == run)).first()

    def runs(self, episode: str) -> list[dict[str, Any]]:
        """The runs that were begun for an episode, the first first."""
        query = sa.select(RUNS).where(RUNS.c.episode == episode).order_by(RUNS.c.admitted_at, RUNS.c.id)
        with self._reading.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def open_runs(self, node: str) -> list[str]:
        """The runs of a node that have not ended."""
        query = sa.select(RUNS.c.id).where(RUNS.c.node == node, RUNS.c.ended_at.is_(None))
        with self._reading.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def nodes(self) -> list[str]:
        """The nodes with runs that have not ended."""
        with self._reading.connect() as connection:
            return [*connection.scalars(sa.select(RUNS.c.node).where(RUNS.c.ended_at.is_(None)).distinct())]

    def canceled(self, node: str) -> list[tuple[str, str]]:
        """The runs of a node that are to be canceled, and why."""
        query = (
            sa.select(RUNS.c.id, EPISODES.c.cancel)
            .join(EPISODES, EPISODES.c.id == RUNS.c.episode)
            .where(RUNS.c.node == node, RUNS.c.ended_at.is_(None), EPISODES.c.cancel != "")
        )
        with self._reading.connect() as connection:
            return [(row.id, row.cancel) for row in connection.execute(query)]

    def not_helped(self, runbook: str, host: str, most: int) -> int:
        """How many remedies of a runbook in a row did not help on a host since one did, of the last ``most``."""
        with self._reading.connect() as connection:
            return not_helped(connection, runbook, host, most)

    def running(self, gone: Collection[str] = ()) -> int:
        """How many runs have not ended, of nodes that are not gone."""
        with self._reading.connect() as connection:
            query = sa.select(sa.func.count()).select_from(RUNS).where(RUNS.c.ended_at.is_(None))
            query = query.where(RUNS.c.node.not_in([*gone]))
            return connection.scalar(query) or 0

    def proven(self) -> list[dict[str, Any]]:
        """Per runbook and host: remedies, those that helped, and how many in a row did not since."""
        query = sa.select(REMEDIES.c.runbook, REMEDIES.c.host, REMEDIES.c.helped).order_by(REMEDIES.c.at)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with self._reading.connect() as connection:
            for row in connection.execute(query):
                one = found.setdefault((row.runbook, row.host), {"remedies": 0, "helped": 0, "not_helped_in_a_row": 0})
                one["remedies"] += 1
                one["helped"] += int(row.helped)
                one["not_helped_in_a_row"] = 0 if row.helped else one["not_helped_in_a_row"] + 1
        return [{"runbook": runbook, "host": host, **one} for (runbook, host), one in sorted(found.items())]


def _put_back(connection: sa.Connection, node: str, run: str = "") -> int:
    mine = [RUNS.c.node == node, RUNS.c.began_at.is_(None), RUNS.c.ended_at.is_(None)]
    if run:
        mine.append(RUNS.c.id == run)
    # One that begins this very moment is not deleted under it.
    rows = connection.execute(sa.select(RUNS.c.id, RUNS.c.episode).where(*mine).with_for_update()).all()
    for row in rows:
        connection.execute(SHARES.delete().where(SHARES.c.run == row.id))
        connection.execute(RUNS.delete().where(RUNS.c.id == row.id))
        again = EPISODES.c.id == row.episode, EPISODES.c.state == "running"
        connection.execute(EPISODES.update().where(*again).values(state="queued"))
    return len(rows)

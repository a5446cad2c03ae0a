# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of the one decision who may begin: what they see stays true until its transaction ends."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from ..decide.rules import HOUR_SECONDS, Past, Started, Waiting
from ..decide.shared import Asks, Share
from .lease import Peer
from .tables import EPISODES, NODES, REMEDIES, RUNS, SHARES

IDS_AT_ONCE = 10_000
# What one look says of all the alerts that it was for.
ANSWER = ("summary", "plan_hash", "result")


def not_helped(connection: sa.Connection, runbook: str, host: str, most: int) -> int:
    """How many remedies in a row did not help since one did, of the last ``most``."""
    query = (
        sa.select(REMEDIES.c.helped)
        .where(REMEDIES.c.runbook == runbook, REMEDIES.c.host == host)
        .order_by(REMEDIES.c.at.desc())
        .limit(most)
    )
    return len([*itertools.takewhile(lambda helped: not helped, connection.scalars(query))])


def in_parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at once as a statement takes: 65,535 in PostgreSQL, 250,000 in SQLite."""
    return (ids[begin : begin + IDS_AT_ONCE] for begin in range(0, len(ids), IDS_AT_ONCE))


class Decision:
    """Inside of the one decision."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def waiting(self, ids: Sequence[str]) -> list[Waiting]:
        """Those of these episodes that are queued, the oldest first."""
        columns = [
            "id",
            "runbook",
            "host",
            "stage",
            "mode",
            "fingerprint",
            "plan_hash",
            "resolved_at",
            "reason",
            "runs",
            "queued_at",
        ]
        query = sa.select(*(EPISODES.c[name] for name in columns)).where(EPISODES.c.state == "queued")
        found: list[tuple[float, str, Waiting]] = []
        for part in in_parts(ids):
            for row in self._connection.execute(query.where(EPISODES.c.id.in_(part))):
                one = Waiting(
                    row.id, row.runbook, row.host, row.stage, row.mode, row.fingerprint, row.plan_hash != "",
                    row.resolved_at is not None, row.reason, row.runs,
                )  # fmt: skip
                found.append((row.queued_at, row.id, one))
        return [one for _at, _id, one in sorted(found, key=lambda row: row[:2])]

    def began(self, now: float) -> dict[tuple[str, str], float]:
        """(host, runbook) -> when its last run was begun, of those within an hour."""
        # A clock that was set back does not have a host wait until its last run was.
        within = RUNS.c.admitted_at > now - HOUR_SECONDS, RUNS.c.admitted_at < now + HOUR_SECONDS
        query = (
            sa.select(RUNS.c.host, RUNS.c.runbook, sa.func.max(RUNS.c.admitted_at).label("at"))
            .where(*within)
            .group_by(RUNS.c.host, RUNS.c.runbook)
        )
        return {(row.host, row.runbook): row.at for row in self._connection.execute(query)}

    def past(self, now: float, gone: Collection[Peer] = ()) -> Past:
        """What runs now and what acted within the last hour; the runs of nodes that are gone, and still are, take no place."""
        absent = self._still(gone)
        columns = "runbook", "host", "acts", "admitted_at", "ended_at", "node"
        query = sa.select(*(RUNS.c[name] for name in columns)).where(
            sa.or_(
                RUNS.c.ended_at.is_(None),
                # A clock that was set back within the hour does not make more remedies of a limit.
                sa.and_(RUNS.c.acts, RUNS.c.admitted_at > now - HOUR_SECONDS, RUNS.c.admitted_at < now + HOUR_SECONDS),
            )
        )
        started = [
            Started(row.runbook, row.host, row.acts, row.admitted_at, row.ended_at is None, row.node not in absent)
            for row in self._connection.execute(query)
        ]
        return Past(tuple(started))

    def _still(self, gone: Collection[Peer]) -> set[str]:
        """Those of the nodes that have not come back since they were seen: what they begin by now counts."""
        seen = NODES.c.node, NODES.c.number, NODES.c.renewals
        names = [peer.node for peer in gone]
        rows = self._connection.execute(sa.select(*seen).where(NODES.c.node.in_(names))) if names else ()
        there = {row.node: (row.number, row.renewals) for row in rows}
        return {peer.node for peer in gone if there.get(peer.node, (0, 0)) == (peer.number, peer.renewals)}

    def not_helped(self, runbook: str, host: str, most: int) -> int:
        """How many remedies in a row did not help since one did."""
        return not_helped(self._connection, runbook, host, most)

    def admit(self, one: Waiting, node: str, now: float) -> str:
        """Begin a run of an episode; its id."""
        run = f"{one.episode}r{one.runs + 1}"
        self._connection.execute(
            RUNS.insert().values(
                id=run,
                episode=one.episode,
                runbook=one.runbook,
                host=one.host,
                acts=one.acts,
                node=node,
                admitted_at=now,
            )
        )
        self._connection.execute(
            EPISODES.update().where(EPISODES.c.id == one.episode).values(state="running", reason="", runs=one.runs + 1)
        )
        return run

    def share(self, run: str, given: str, others: Iterable[str]) -> None:
        """Write down for which other episodes a run looks that is admitted now: all of them were there before it."""
        rows = [{"run": run, "episode": other, "given": given} for other in others]
        if rows:
            self._connection.execute(SHARES.insert(), rows)

    def shares(self, ids: Sequence[str]) -> dict[str, list[Share]]:
        """Episode -> the runs that looked for it, though they were begun for another one."""
        query = sa.select(SHARES.c.episode, SHARES.c.run, SHARES.c.given)
        found = [
            tuple(row)
            for part in in_parts(ids)
            for row in self._connection.execute(query.where(SHARES.c.episode.in_(part)))
        ]
        runs = self._ended([*{run for _episode, run, _given in found}])
        shares: dict[str, list[Share]] = {}
        for episode, run, given in found:
            if row := runs.get(run):
                # An episode that has had another run since says nothing of this one.
                last = row.state == "ended" and row.answer == row.outcome and run == f"{row.episode}r{row.runs}"
                answer = {name: getattr(row, name) for name in ANSWER} if last else None
                share = Share(run, given, row.acts, row.outcome, row.ended_at or 0.0, answer)
                shares.setdefault(episode, []).append(share)
        return shares

    def _ended(self, runs: Sequence[str]) -> dict[str, Any]:
        """Runs, with what their episodes have come to."""
        of_run = [RUNS.c[name] for name in ("id", "episode", "acts", "outcome", "ended_at")]
        of_episode = [EPISODES.c[name] for name in ("state", "runs", *ANSWER)]
        query = sa.select(*of_run, *of_episode, EPISODES.c.outcome.label("answer")).join(
            EPISODES, EPISODES.c.id == RUNS.c.episode
        )
        rows = (self._connection.execute(query.where(RUNS.c.id.in_(part))) for part in in_parts(runs))
        return {row.id: row for part in rows for row in part}

    def asks(self) -> list[Asks]:
        """The episodes that wait for a person, or for their turn since a person agreed, and whose alert still fires."""
        columns = [EPISODES.c[name] for name in ("id", "runbook", "host", "mode", "state")]
        agreed = sa.and_(EPISODES.c.state == "queued", EPISODES.c.plan_hash != "")
        query = sa.select(*columns).where(
            sa.or_(EPISODES.c.state == "waiting", agreed), EPISODES.c.resolved_at.is_(None)
        )
        return [
            Asks(row.id, row.runbook, row.host, row.mode, row.state == "queued")
            for row in self._connection.execute(query)
        ]

    def only_look(self, one: Waiting, mode: str) -> Waiting:
        """Have it look first, in another mode."""
        self._connection.execute(EPISODES.update().where(EPISODES.c.id == one.episode).values(mode=mode, stage="check"))
        return replace(one, mode=mode, stage="check")

    def hold(self, reasons: Mapping[str, Sequence[str]]) -> None:
        """Say why episodes have to wait: reason -> ids."""
        for reason, ids in reasons.items():
            for part in in_parts(ids):
                self._connection.execute(EPISODES.update().where(EPISODES.c.id.in_(part)).values(reason=reason))

    def end(self, one: Waiting, outcome: str, now: float, **values: str) -> None:
        """End an episode without a run of its own; ``values`` are columns of it, such as its summary."""
        self._connection.execute(
            EPISODES.update()
            .where(EPISODES.c.id == one.episode)
            .values(state="ended", outcome=outcome, reason="", ended_at=now, **values)
        )

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: notifications not yet sorted, episodes and their runs, what was put aside, what is paused.

SQLite for one node, PostgreSQL for several. Values only ever travel as parameters.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ...errors import OncallError, first_line
from . import schema
from .decision import Decision, in_parts, not_helped
from .engine import alone, engine, shown
from .files import Files
from .lease import Fenced, Peer
from .tables import CONTROL, EPISODES, INBOX, NODES, QUARANTINE, REMEDIES, RUNS

# Somebody who sends nothing but strangers must not fill the disk.
MOST_ASIDE = 10_000
MOST_SILENCED = 10_000
MOST_BYTES = 16 * 1024 * 1024
# So many get a new reason at once: an acknowledgement waits for that.
REASONS_AT_ONCE = 2000
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


class Store:
    """Every statement there is. Any number of threads may use one at once.

    Args:
        url: of the database.
        files: looked at before each write, and after those that are acknowledged; None beside a running service.

    Raises:
        OncallError: it cannot be opened, or is not of this program.
    """

    def __init__(self, url: str, files: Files | None = None) -> None:
        self._url, self._files = url, files
        is_sqlite = url.startswith("sqlite")
        # SQLite has one writer. A thread that waits for its turn in SQLite itself looks again after up to 100 ms; one that waits for
        # the only connection goes on at once.
        self._engine = engine(url, connections=1) if is_sqlite else engine(url)
        self._reading = (engine(url) if is_sqlite else self._engine).execution_options(reads=True)
        if files is not None:
            # Nobody else writes then.
            sa.event.listen(self._engine, "begin", lambda _connection: files.look(writing=True))
        self._insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        try:
            self.check_schema()
        except sa.exc.SQLAlchemyError as error:
            self.close()
            raise OncallError(f"cannot open the database {shown(url)}: {first_line(error)}") from None
        except OncallError:
            self.close()
            raise

    def check_schema(self) -> None:
        """OncallError where the tables are not those of this program, such as after a newer node has migrated them."""
        with self._reading.connect() as connection:
            schema.check(connection, self._url)

    def close(self) -> None:
        self._engine.dispose()
        self._reading.dispose()

    # ------------------------------------------------------------------ notifications
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
             aside: Sequence[dict[str, Any]], seen: dict[str, float]) -> int:  # fmt: skip
        """What became of notifications, in one transaction; how many episodes are new."""
        with alone(self._engine) as connection:
            new = 0
            if firing:
                ids = [row["id"] for row in firing]
                over = {episode for episode, _ in resolved}
                parts = [*in_parts(ids)]
                count = sa.select(sa.func.count())
                known = sum(connection.scalar(count.where(EPISODES.c.id.in_(part))) or 0 for part in parts)
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
            connection.execute(INBOX.delete().where(INBOX.c.id.in_([*taken])))
        return new

    # ------------------------------------------------------------------ who may begin
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

    # ------------------------------------------------------------------ runs
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
        """The runs of an episode, the first first."""
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

    # ------------------------------------------------------------------ episodes
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

    def any_queued(self) -> bool:
        query = sa.select(EPISODES.c.id).where(EPISODES.c.state == "queued").limit(1)
        with self._reading.connect() as connection:
            return connection.execute(query).first() is not None

    def waited_enough(self, now: float) -> list[sa.Row[Any]]:
        """Episodes that wait for a person, though the alert is over or the time is."""
        query = sa.select(EPISODES.c.id, EPISODES.c.runbook, EPISODES.c.summary, EPISODES.c.resolved_at).where(
            EPISODES.c.state == "waiting", sa.or_(EPISODES.c.resolved_at.is_not(None), EPISODES.c.until < now)
        )
        with self._reading.connect() as connection:
            return [*connection.execute(query)]

    def change(self, episode: str, state: str, values: dict[str, Any]) -> bool:
        """Change an episode that is in this state; False where it is in another one."""
        with alone(self._engine) as connection:
            done = connection.execute(
                EPISODES.update().where(EPISODES.c.id == episode, EPISODES.c.state == state).values(**values)
            )
            return done.rowcount == 1

    def note(self, episode: str, note: str) -> None:
        """Who had a hand in it."""
        with self._engine.begin() as connection:
            connection.execute(EPISODES.update().where(EPISODES.c.id == episode).values(note=note))

    def quarantine(self, most: int = 50) -> list[dict[str, Any]]:
        """The newest first."""
        query = sa.select(QUARANTINE).order_by(QUARANTINE.c.last_at.desc()).limit(most)
        with self._reading.connect() as connection:
            return [_plain(row) for row in connection.execute(query)]

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

    # ------------------------------------------------------------------ control
    def _set(self, connection: sa.Connection, name: str, value: str, at: float) -> None:
        statement = self._insert(CONTROL).values(name=name, value=value, at=at)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value, "at": at}))

    def set(self, name: str, value: str) -> None:
        with self._engine.begin() as connection:
            self._set(connection, name, value, time.time())

    def unset(self, name: str) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(CONTROL.delete().where(CONTROL.c.name == name)).rowcount == 1

    def controls(self) -> dict[str, tuple[str, float]]:
        """name -> (value, when it was set)."""
        with self._reading.connect() as connection:
            return {row.name: (row.value, row.at) for row in connection.execute(sa.select(CONTROL))}

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
            connection.execute(RUNS.delete().where(RUNS.c.episode.in_(episodes)))
            connection.execute(EPISODES.delete().where(EPISODES.c.id.in_(episodes)))
            newest = sa.select(QUARANTINE.c.id).order_by(QUARANTINE.c.last_at.desc()).limit(MOST_ASIDE)
            connection.execute(QUARANTINE.delete().where(sa.or_(stale, QUARANTINE.c.id.not_in(newest))))


def _put_back(connection: sa.Connection, node: str, run: str = "") -> int:
    mine = [RUNS.c.node == node, RUNS.c.began_at.is_(None), RUNS.c.ended_at.is_(None)]
    if run:
        mine.append(RUNS.c.id == run)
    # One that begins this very moment is not deleted under it.
    rows = connection.execute(sa.select(RUNS.c.id, RUNS.c.episode).where(*mine).with_for_update()).all()
    for row in rows:
        connection.execute(RUNS.delete().where(RUNS.c.id == row.id))
        again = EPISODES.c.id == row.episode, EPISODES.c.state == "running"
        connection.execute(EPISODES.update().where(*again).values(state="queued"))
    return len(rows)


def _plain(row: sa.Row[Any]) -> dict[str, Any]:
    values = dict(row._mapping)
    for name in ("alert", "result"):
        if values.get(name):
            values[name] = json.loads(values[name])
    return values


def _fires_again(connection: sa.Connection, ids: list[str]) -> None:
    """What was said to be over is not: what waits goes on waiting, and what was closed for that begins anew."""
    waits = EPISODES.c.id.in_(ids), EPISODES.c.state.in_(["queued", "waiting"]), EPISODES.c.resolved_at.is_not(None)
    connection.execute(EPISODES.update().where(*waits).values(resolved_at=None))
    closed = EPISODES.c.id.in_(ids), EPISODES.c.state == "ended", EPISODES.c.outcome == "closed"
    anew = {"state": "queued", "outcome": "", "summary": "", "plan_hash": "", "ended_at": None, "resolved_at": None}
    stage = sa.case((EPISODES.c.mode == "auto", "act"), else_="check")
    connection.execute(EPISODES.update().where(*closed).values(stage=stage, queued_at=time.time(), **anew))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every statement about incidents. An append is one transaction that checks the head: of two at once, one wins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from ...errors import NoIncident, OncallError
from ...serve.store.decision import in_parts
from ...serve.store.engine import alone
from ...serve.store.opened import Opened
from ...serve.store.tables import EPISODES
from ..entries import Entry, Head, canonical
from ..record import OPEN, Incident
from ..stats import ARRIVED, CALLING
from .episodes import EPISODE, NOBODY, Episodes
from .outbox import Became, Letter, Outbox, Superseded
from .tables import INCIDENTS, OUTBOX, PARTS, TERMS, TIMELINE
from .words import SHORTEST_BEGINNING, between, field, terms, words

# Of one list, and of the ids that a beginning of one may mean.
MOST_LISTED = 1000
ROWS_AT_ONCE = 2000
# What the numbers are made of.
ROW = (
    "id", "number", "title", "system", "severity", "runbook", "state", "opened_at", "first_acknowledged_at", "mitigated_at",
    "resolved_at", "closed_at", "reopenings", "alerts", "figures",
)  # fmt: skip
Part = tuple[str, str]


@dataclass(frozen=True)
class Decides:
    """What a person decides on the plan of an episode, which has to wait for it still, with this plan.

    Attributes:
        values: of the episode from then on.
    """

    episode: str
    plan_hash: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What entries make of an incident.

    Attributes:
        before: where its timeline ended; a number of 0 where it is new.
        after: the incident with the entries.
        entries: in their order.
        parts: (what, key) of what belongs to it from now on.
        takes: the id of one whose parts belong to this one from now on.
        decides: what a person decides on plans.
        letters: messages that have to leave from now on.
        became: what became of messages.
    """

    before: Head
    after: Incident
    entries: Sequence[Entry]
    parts: Sequence[Part] = ()
    takes: str = ""
    decides: Sequence[Decides] = ()
    letters: Sequence[Letter] = ()
    became: Sequence[Became] = ()


@dataclass(frozen=True)
class Filter:
    """Which incidents are wanted; what is empty does not matter.

    Attributes:
        states: ``open`` means all in which somebody has to do something.
        text: words that are all in it, the last one perhaps not to its end.
        since, until: when it was opened.
        before: only those that come after this number in the list, for the next page.
    """

    states: Sequence[str] = ()
    system: str = ""
    severity: str = ""
    assignee: str = ""
    runbook: str = ""
    host: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None
    before: int | None = None
    most: int = 50


class _Escalated(msgspec.Struct):
    targets: tuple[str, ...] = ()


class _Looked(msgspec.Struct):
    runbooks: tuple[str, ...] = ()


class _Moved(Exception):
    """Somebody else has written meanwhile."""


class IncidentStore(Episodes, Outbox):
    """Incidents and their timelines. Any number of threads may use one at once."""

    @classmethod
    def beside(cls, opened: Opened) -> IncidentStore:
        """On the connections of a database that is open already: who has it open closes it."""
        made = cls.__new__(cls)
        made.__dict__.update(opened.__dict__)
        return made

    # ------------------------------------------------------------------ writing
    def append(self, changes: Sequence[Change]) -> bool:
        """All of these changes or none; False where somebody else has written meanwhile, and it has to be decided again.

        Raises:
            Superseded: what became of a message is written already, or a plan does not wait any more.
        """
        # A decision on a plan is one of those that see what begins.
        begin = alone(self._engine) if any(change.decides for change in changes) else self._engine.begin()
        try:
            with begin as connection:
                # In one order, so that no two wait for each other.
                for change in sorted(changes, key=lambda one: one.after.id):
                    self._append(connection, change)
        except (_Moved, sa.exc.IntegrityError):
            return False
        if self._files is not None:
            self._files.look()
        return True

    def decide(self, one: Decides) -> bool:
        """Write down a decision on a plan whose episode is of no incident.

        Returns:
            False where it does not wait any more, is another one, or is of an incident by now.
        """
        owned = sa.exists().where(PARTS.c.what == EPISODE, PARTS.c.key == one.episode, PARTS.c.incident != NOBODY)
        try:
            with alone(self._engine) as connection:
                self._decide(connection, one, ~owned)
        except Superseded:
            return False
        return True

    def _decide(self, connection: sa.Connection, one: Decides, *more: sa.ColumnElement[bool]) -> None:
        mine = EPISODES.c.id == one.episode, EPISODES.c.state == "waiting", EPISODES.c.plan_hash == one.plan_hash
        if connection.execute(EPISODES.update().where(*mine, *more).values(**one.values)).rowcount != 1:
            raise Superseded

    def _append(self, connection: sa.Connection, change: Change) -> None:
        values = _row(change.after)
        for one in change.decides:
            # With the row of the episode held, so that of two people one decides.
            self._decide(connection, one)
        if change.before.number:
            # First: it holds the row, so that nobody else numbers entries of it.
            mine = (
                INCIDENTS.c.id == change.after.id,
                INCIDENTS.c.head_number == change.before.number,
                INCIDENTS.c.head_hash == change.before.hash,
            )
            if connection.execute(INCIDENTS.update().where(*mine).values(**values)).rowcount != 1:
                raise _Moved
        else:
            connection.execute(INCIDENTS.insert().values(**values))
        if change.entries:
            connection.execute(TIMELINE.insert(), [_entry_row(change.after.id, one) for one in change.entries])
        if change.parts:
            rows = [{"what": what, "key": key, "incident": change.after.id} for what, key in change.parts]
            connection.execute(PARTS.insert(), rows)
        if change.takes:
            connection.execute(PARTS.update().where(PARTS.c.incident == change.takes).values(incident=change.after.id))
        self._post(connection, change.letters)
        self._become(connection, change.became)
        found = [{"term": term, "incident": change.after.id} for term in sorted(terms(change.after, change.entries))]
        if found:
            connection.execute(self._insert(TERMS).on_conflict_do_nothing(), found)

    def number(self) -> int:
        """The next number; whoever is quicker has it."""
        with self._reading.connect() as connection:
            return (connection.scalar(sa.select(sa.func.max(INCIDENTS.c.number))) or 0) + 1

    def forget_parts(self, what: str, keys: Sequence[str]) -> None:
        """Drop to which incident these belonged, as they are gone themselves; the timeline still says it."""
        with self._engine.begin() as connection:
            connection.execute(PARTS.delete().where(PARTS.c.what == what, PARTS.c.key.in_(keys)))

    # ------------------------------------------------------------------ reading
    def incident(self, incident: str) -> Incident | None:
        """By its whole id."""
        query = sa.select(INCIDENTS.c.record).where(INCIDENTS.c.id == incident)
        with self._reading.connect() as connection:
            found = connection.scalar(query)
        return _read(found) if found else None

    def find(self, name: str) -> Incident:
        """By its short name (``INC-12`` or 12), or the beginning of its id of at least six characters; OncallError where that is none."""
        name = name.strip()
        short = re.fullmatch(r"(?:INC-)?([0-9]{1,9})", name, re.IGNORECASE)
        query = sa.select(INCIDENTS.c.record).limit(2)
        rows: Sequence[str] = ()
        with self._reading.connect() as connection:
            if short:
                rows = connection.scalars(query.where(INCIDENTS.c.number == int(short[1]))).all()
            if not rows and re.fullmatch(r"[0-9a-f]{6,32}", name):
                first, last = name.ljust(32, "0"), name.ljust(32, "f")
                rows = connection.scalars(query.where(INCIDENTS.c.id.between(first, last))).all()
        if len(rows) != 1:
            what = "several incidents begin with" if rows else "there is no incident"
            raise NoIncident(f"{what} {name[:40]!r}; list them with: oncall incident list")
        return _read(rows[0])

    def timeline(self, incident: str, after: int = 0, most: int | None = None) -> list[Entry]:
        """The entries of one, in their order, behind an entry."""
        query = (
            sa.select(TIMELINE)
            .where(TIMELINE.c.incident == incident, TIMELINE.c.number > after)
            .order_by(TIMELINE.c.number)
            .limit(most)
        )
        with self._reading.connect() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def back(
        self, incident: str, before: int | None = None, most: int = 60, without: Sequence[str] = ()
    ) -> list[Entry]:
        """The entries of one, the newest first, before an entry, but for those of some kinds."""
        query = sa.select(TIMELINE).where(TIMELINE.c.incident == incident, TIMELINE.c.kind.not_in([*without]))
        if before is not None:
            query = query.where(TIMELINE.c.number < before)
        with self._reading.connect() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(TIMELINE.c.number.desc()).limit(most))]

    def of_kinds(self, incident: str, kinds: Sequence[str], most: int = 1000) -> list[Entry]:
        """The last entries of some kinds, in their order."""
        query = sa.select(TIMELINE).where(TIMELINE.c.incident == incident, TIMELINE.c.kind.in_([*kinds]))
        with self._reading.connect() as connection:
            rows = connection.execute(query.order_by(TIMELINE.c.number.desc()).limit(most)).all()
            return [_entry(row) for row in reversed(rows)]

    def parts(self, incident: str, what: str) -> list[str]:
        """The keys of what belongs to an incident."""
        query = sa.select(PARTS.c.key).where(PARTS.c.incident == incident, PARTS.c.what == what)
        with self._reading.connect() as connection:
            return [*connection.scalars(query)]

    def ids(self) -> Iterator[str]:
        """Of all that have an entry or are listed."""
        last = ""
        while True:
            with self._reading.connect() as connection:
                found: set[str] = set()
                for column in (INCIDENTS.c.id, TIMELINE.c.incident):
                    query = sa.select(column).where(column > last).distinct().order_by(column).limit(ROWS_AT_ONCE)
                    found |= {*connection.scalars(query)}
            if not found:
                return
            some = sorted(found)[:ROWS_AT_ONCE]
            yield from some
            last = some[-1]

    def heads(self) -> list[tuple[str, int, str]]:
        """Of those that are not over: their ids, how many entries they have, and their states."""
        columns = INCIDENTS.c.id, INCIDENTS.c.head_number, INCIDENTS.c.state
        with self._reading.connect() as connection:
            found = connection.execute(sa.select(*columns).where(INCIDENTS.c.state.in_((*OPEN, "resolved"))))
            return [(row.id, row.head_number, row.state) for row in found]

    def listed(self, wanted: Filter) -> list[Incident]:
        """The newest first."""
        query = sa.select(INCIDENTS.c.record).where(*_conditions(wanted))
        query = query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.number.desc())
        with self._reading.connect() as connection:
            return [_read(one) for one in connection.scalars(query.limit(min(wanted.most, MOST_LISTED)))]

    def count(self, wanted: Filter) -> int:
        """How many there are, whatever ``most`` says."""
        query = sa.select(sa.func.count()).select_from(INCIDENTS).where(*_conditions(wanted))
        with self._reading.connect() as connection:
            return connection.scalar(query) or 0

    def rows(self, wanted: Filter) -> list[dict[str, Any]]:
        """What the numbers are made of, of all that are wanted."""
        query = sa.select(*(INCIDENTS.c[name] for name in ROW)).where(*_conditions(wanted))
        with self._reading.connect() as connection:
            rows = [
                {**dict(zip(ROW[:-1], row[:-1], strict=True)), **msgspec.json.decode(row[-1])}
                for row in connection.execute(query).all()
            ]
            calls: dict[str, list[tuple[str, float]]] = {}
            letters: dict[str, list[tuple[str, float, bool | None]]] = {}
            if any(row["woken"] for row in rows):
                sent = OUTBOX.c.incident, OUTBOX.c.person, OUTBOX.c.created_at, OUTBOX.c.state
                to_people = OUTBOX.c.kind.in_(CALLING), OUTBOX.c.person != OUTBOX.c.channel
                for incident, person, at, state in connection.execute(sa.select(*sent).where(*to_people)):
                    letters.setdefault(incident, []).append((person, at, ARRIVED.get(state)))
                escalated = sa.select(TIMELINE.c.incident, TIMELINE.c.at, TIMELINE.c.data)
                for row in connection.execute(escalated.where(TIMELINE.c.kind == "escalated")):
                    people = msgspec.json.decode(row.data, type=_Escalated).targets
                    calls.setdefault(row.incident, []).extend((who, row.at) for who in people)
            # Of a version before, the figures have no runbooks.
            before = {row["id"]: row for row in rows if "runbooks" not in row}
            for part in in_parts([*before]):
                records = sa.select(INCIDENTS.c.id, INCIDENTS.c.record).where(INCIDENTS.c.id.in_(part))
                for incident, record in connection.execute(records):
                    before[incident]["runbooks"] = msgspec.json.decode(record, type=_Looked).runbooks
        for one in rows:
            one |= {"calls": calls.get(one["id"], ()), "letters": letters.get(one["id"], ())}
        return rows

    def at_work(self, system: str) -> list[Incident]:
        """Those of a system that are not over, the newest first."""
        states = (*OPEN, "resolved")
        query = sa.select(INCIDENTS.c.record).where(INCIDENTS.c.system == system, INCIDENTS.c.state.in_(states))
        query = query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.number.desc()).limit(100)
        with self._reading.connect() as connection:
            return [_read(one) for one in connection.scalars(query)]

    def before(self, system: str, runbook: str) -> list[Incident]:
        """Those of a system that are over, and that a runbook looked at: the newest."""
        query = sa.select(INCIDENTS.c.record).where(
            INCIDENTS.c.system == system, INCIDENTS.c.state == "closed", _has(TERMS.c.term == field("runbook", runbook))
        )
        query = query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.number.desc()).limit(1)
        with self._reading.connect() as connection:
            return [_read(one) for one in connection.scalars(query)]

    def around(self, began: float, ended: float) -> list[Incident]:
        """Those that take entries, and were there at a time, as far as their beginning says."""
        states = (*OPEN, "resolved")
        query = sa.select(INCIDENTS.c.record).where(INCIDENTS.c.state.in_(states), INCIDENTS.c.opened_at <= ended)
        query = query.where(sa.or_(INCIDENTS.c.resolved_at.is_(None), INCIDENTS.c.resolved_at >= began))
        with self._reading.connect() as connection:
            return [_read(one) for one in connection.scalars(query.limit(MOST_LISTED))]

    def owner(self, what: str, key: str) -> str | None:
        """The id of the incident that something belongs to."""
        query = sa.select(PARTS.c.incident).where(PARTS.c.what == what, PARTS.c.key == key)
        with self._reading.connect() as connection:
            return connection.scalar(query)

    def owners(self, what: str, keys: Iterable[str]) -> dict[str, str]:
        """Key -> id of the incident that it belongs to."""
        query = sa.select(PARTS.c.key, PARTS.c.incident).where(PARTS.c.what == what, PARTS.c.key.in_([*keys]))
        with self._reading.connect() as connection:
            return {row.key: row.incident for row in connection.execute(query)}


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.states:
        states = {one for state in wanted.states for one in (OPEN if state == "open" else (state,))}
        conditions.append(INCIDENTS.c.state.in_(sorted(states)))
    for name in ("system", "severity", "assignee"):
        if value := getattr(wanted, name):
            conditions.append(INCIDENTS.c[name] == value)
    for name in ("runbook", "host"):
        if value := getattr(wanted, name):
            conditions.append(_has(TERMS.c.term == field(name, value)))
    if wanted.since is not None:
        conditions.append(INCIDENTS.c.opened_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(INCIDENTS.c.opened_at < wanted.until)
    if wanted.before is not None:
        # Somebody may write down later what was open earlier: the list is in the order of the times.
        shown = sa.select(INCIDENTS.c.opened_at).where(INCIDENTS.c.number == wanted.before).scalar_subquery()
        same = sa.and_(INCIDENTS.c.opened_at == shown, INCIDENTS.c.number < wanted.before)
        conditions.append(sa.or_(INCIDENTS.c.opened_at < shown, same))
    asked = words(wanted.text)
    if wanted.text.strip() and not asked:
        raise OncallError(f"{wanted.text.strip()[:40]!r} has no word of two letters to look for")
    last = asked[-1] if asked and wanted.text.rstrip() == wanted.text else ""
    for word in asked:
        if word == last and len(word) >= SHORTEST_BEGINNING:
            first, end = between(word)
            conditions.append(_has(TERMS.c.term >= first, TERMS.c.term < end))
        else:
            conditions.append(_has(TERMS.c.term == word))
    return conditions


def _has(*term: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return INCIDENTS.c.id.in_(sa.select(TERMS.c.incident).where(*term))


def _row(incident: Incident) -> dict[str, Any]:
    figures = {name: getattr(incident, name) for name in ("outcomes", "helped", "not_helped", "woken", "runbooks")}
    same = (
        "id", "number", "system", "title", "state", "severity", "assignee", "opened_at", "first_acknowledged_at", "mitigated_at",
        "resolved_at", "closed_at", "reopenings",
    )  # fmt: skip
    return {
        **{name: getattr(incident, name) for name in same},
        "runbook": incident.runbooks[0] if incident.runbooks else "",
        "alerts": incident.count,
        "figures": canonical(figures),
        "head_number": incident.head.number,
        "head_hash": incident.head.hash,
        # Escaped, as PostgreSQL takes no NUL.
        "record": json.dumps(msgspec.to_builtins(incident), separators=(",", ":")),
    }


def _read(record: str) -> Incident:
    return msgspec.json.decode(record, type=Incident)


def _entry_row(incident: str, entry: Entry) -> dict[str, Any]:
    told = entry.to_dict()
    return {**told, "data": canonical(entry.data), "incident": incident}


def _entry(row: sa.Row[Any]) -> Entry:
    try:
        data = json.loads(row.data)
    except ValueError:
        # Somebody changed it by hand: `verify` says so.
        data = {"unreadable": row.data}
    return Entry(
        row.number, row.at, row.written_at, row.kind, row.who, row.words, data, row.previous, row.hash, row.run
    )

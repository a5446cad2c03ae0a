# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incidents of a running service: its books, what teams say, what is attached to them, and what is due."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from .. import catalog
from ..errors import first_line
from ..incidents.attach import Attaching, Proposal, Signs, Where, guarded
from ..incidents.books import Incidents, Rules
from ..incidents.commands import PROGRAM
from ..incidents.duty.driver import Duty, Node, Steady
from ..incidents.duty.plan import Way
from ..incidents.messages.links import LEAST_KEY_BYTES, Key
from ..incidents.severity import Proposal as Judged
from ..incidents.severity import Scheme, Seen, propose
from ..incidents.store.heads import Heads
from ..incidents.store.timeline import IncidentStore
from ..incidents.team import PREFIX, Team, known_of, rules_of, written
from ..incidents.teams import Read, Shelf, Teams, feed_named, read_teams
from ..incidents.together import Firing, system_of
from .hosts import Inventory
from .settings import Incidents as Told
from .settings import Settings
from .store.opened import Opened

LOG = logging.getLogger("oncall.incidents")
# Of the control table: what links are signed with, the same on all nodes.
LINK_KEY = "incident_link_key"


class IncidentWork:
    """What a service does for incidents, as long as its settings want it to.

    Args:
        store: the database of the service.
        settings: what is in force now.
        inventory: what is remembered of it.
        check: raises where this node may do nothing now.

    Attributes:
        books: the incidents, for all who ask.
        teams: what teams say.
    """

    def __init__(
        self, store: Opened, settings: Callable[[], Settings], inventory: Inventory, check: Callable[[], None]
    ) -> None:
        self._settings, self._inventory = settings, inventory
        self._store = IncidentStore.beside(store)
        self._rules = Rules()
        clock = Steady()
        self.books = Incidents(
            self._store, Heads(settings().state_directory), self._rules_now, clock, lambda _done: self._duty.wake()
        )
        self.teams = Teams(self._read, self._was_read, Shelf(self._feed_kept, self._keep_feed))
        self.link_key = _link_key(self._store)
        node = Node(
            name=settings().node,
            check=check,
            team=self.teams.of,
            is_ready=self._is_ready,
            way=self._way,
            runbooks=lambda: [name for name, route in settings().runbooks.items() if route.mode != "off"],
            key=self.link_key,
        )
        self._duty = Duty(self.books, self._store, node, clock)
        self._attach = guarded(lambda: Attaching(self.books, self._store, self._where), clock)

    # ------------------------------------------------------------------ its life
    def start(self) -> None:
        self.teams.start()
        self._duty.start()

    def stop(self) -> None:
        self.teams.stop()
        self._duty.stop()

    def reload(self) -> None:
        """The settings are others now."""
        self.teams.again()

    def senders(self) -> set[str]:
        """The nodes that are sending messages."""
        return self._store.senders()

    def took_over(self, node: str) -> None:
        """A node is gone."""
        self._duty.took_over(node)

    def attach(self) -> bool:
        """Bring what is new to its incidents; whether there may be more."""
        if not self._is_ready():
            return False
        more = self._attach()
        if more:
            self._duty.wake()
        return more

    # ------------------------------------------------------------------ what the parts ask
    def _is_ready(self) -> bool:
        # An alert waits until it is known how severe it is and who is told. To read that has an end, whatever comes of it.
        return self.teams.is_read.is_set()

    def _told(self) -> Told:
        return self._settings().incidents or Told()

    def _rules_now(self) -> Rules:
        # Also of those of whose team nothing is known.
        return replace(self._rules, systems=sorted({*self._rules.systems, *self._told().systems}))

    def _way(self) -> Way:
        return Way(self._told().page, (PROGRAM, self._settings().node))

    def _read(self) -> Read:
        settings = self._settings()
        names = self._inventory.names(False)
        return read_teams(settings.inventories, self._told().systems, names, settings.keep_environment)

    def _was_read(self, read: Read) -> None:
        """Keep what is known of teams where the other commands and nodes find it, and go by it."""
        try:
            before = known_of(self._store.controls())
            for system, team in read.teams.items():
                if before.get(system) != team.known:
                    self._store.set(PREFIX + system, written(team.known))
            for system in before.keys() - self._told().systems.keys():
                self._store.unset(PREFIX + system)
            self._forget_feeds(read)
        except SQLAlchemyError as error:
            LOG.error("what is known of teams is not kept: %s", first_line(error))
        self._rules = rules_of_teams(read.teams)
        self._duty.again()

    def _forget_feeds(self, read: Read) -> None:
        """Drop the feeds of schedules that are gone. A team that cannot be read now keeps its own."""
        for name in self._store.controls():
            told = feed_named(name)
            if told is None or (told[0] in self._told().systems and told[0] not in read.teams):
                continue
            system, schedule = told
            known = read.teams[system].people.schedules.get(schedule) if system in read.teams else None
            if known is None or not (known.ical or known.json):
                self._store.unset(name)

    def _feed_kept(self, name: str) -> tuple[str, float] | None:
        try:
            return self._store.controls().get(name)
        except SQLAlchemyError as error:
            LOG.error("who was on call cannot be read from the database: %s", first_line(error))
            return None

    def _keep_feed(self, name: str, value: str, at: float) -> None:
        try:
            self._store.set(name, value, at)
        except SQLAlchemyError as error:
            LOG.error("who is on call is not kept: %s", first_line(error))

    def _where(self) -> Where:
        """What the settings and the teams say of systems now."""
        told, members = self._told(), self._inventory.names(False).members

        def system(host: str, labels: Mapping[str, str]) -> str:
            return system_of(host, labels, told.systems, members, told.system_label)

        def is_watched(system: str) -> bool:
            team = self.teams.of(system)
            return team is not None and team.watch is not None

        return Where(system, told.watch_seconds, self._propose, self._judge, is_watched)

    def _propose(self, firing: Firing) -> Proposal:
        team = self.teams.of(firing.system)
        if team is None:
            return Proposal()
        told = propose(team.scheme, Seen(label=firing.labels.get("severity", "")))
        return Proposal(told.level, team.scheme.name, told.reasons, team.policy.data() if team.policy.steps else None)

    def _judge(self, system: str, signs: Signs) -> tuple[Sequence[str], Proposal] | None:
        team = self.teams.of(system)
        if team is None:
            return None
        told = judged(team, signs)
        return team.scheme.names, Proposal(told.level, team.scheme.name, told.reasons)


def judged(team: Team, signs: Signs) -> Judged:
    """What the matrix of a team says of what alerts and runbooks say."""
    runbooks = catalog.runbooks()
    ranked = {name: runbooks[name].severity for name in dict.fromkeys(signs.problems) if name in runbooks}
    # One alert of many may be worse than the others.
    labels = dict.fromkeys(signs.labels) or [""]
    found = [propose(team.scheme, Seen(facts=signs.facts, problems=ranked, label=label)) for label in labels]
    return min(found, key=lambda one: _rank(team.scheme, one))


def rules_of_teams(teams: Mapping[str, Team]) -> Rules:
    """The rules of teams of which more is known than the database keeps: their matrices."""

    def propose(system: str, runbook: str) -> tuple[str, Sequence[str]]:
        if system not in teams:
            return "", ()
        told = judged(teams[system], Signs(problems=[runbook] if runbook else []))
        return told.level, told.reasons

    return replace(rules_of({system: team.known for system, team in teams.items()}), propose=propose)


def _rank(scheme: Scheme, told: Judged) -> int:
    return scheme.level(told.level).rank


def _link_key(store: Opened) -> Key:
    """What links are signed with: made once for all nodes."""
    value = store.controls().get(LINK_KEY, ("", 0.0))[0]
    if not value:
        store.set_if_new(LINK_KEY, secrets.token_hex(LEAST_KEY_BYTES))
        value = store.controls()[LINK_KEY][0]
    return Key("1", bytes.fromhex(value))

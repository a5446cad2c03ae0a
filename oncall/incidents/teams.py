# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the inventory says of teams, and the feeds of who is on call. Nobody waits for it: what was read last holds until it is done."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from .. import catalog
from ..errors import OncallError, first_line
from ..execution import Job, execute
from ..folders import private_folder
from ..inventory import Names, exact
from ..shared import masked
from .escalation import apart
from .escalation.check import AHEAD_SECONDS
from .escalation.feeds import BEHIND_SECONDS, Feed, FeedError, from_ical, from_json, kept, of_shelf, on_shelf
from .escalation.fetch import fetched
from .escalation.people import Schedule, Turn
from .team import VARIABLES, Team, check, team_of

LOG = logging.getLogger("oncall.incidents")
# The names of what triage works out, which a matrix of severity may use.
TRIAGE = catalog.collection() / "roles" / "triage" / "vars" / "main.yml"
PLAYBOOK = Path(__file__).with_name("variables.yml")
PLAY_SECONDS = 120.0
# The inventory changes where a team edits it: a reload of the service reads it at once.
INVENTORY_SECONDS = 600.0
FEED_SECONDS = 300.0
# Of the control table: the last good feed of a schedule, with the time at which it was read.
FEED_PREFIX = "feed:"


@dataclass(frozen=True)
class Read:
    """What was read.

    Attributes:
        teams: system -> its team.
        trouble: what is wrong, a line each.
    """

    teams: Mapping[str, Team] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()


def variables_of(
    inventories: Sequence[str], hosts: Sequence[str], keep_environment: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Host -> what its variables say of incidents, worked out as a play has them.

    Raises:
        OncallError: the inventory cannot be read.
    """
    run_id = uuid.uuid4().hex[:12]
    with private_folder(f"{run_id}v") as folder:
        job = Job(
            run_id=run_id,
            playbook=PLAYBOOK,
            inventories=tuple(inventories),
            limit=",".join(hosts),
            texts={"incident_folder": str(folder), "incident_names": ",".join(VARIABLES)},
            timeout_seconds=PLAY_SECONDS,
            keep_environment=tuple(keep_environment),
        )
        ended = execute(job)
        found = {}
        for host in hosts:
            file = folder / f"{sha256(host.encode()).hexdigest()}.json"
            try:
                found[host] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                why = ended.failed.get(host) or ended.said or "it came to no end"
                raise OncallError(
                    f"what the inventory says of incidents cannot be read for {host}: {masked(why, 400)}"
                ) from None
        return found


def read_teams(
    inventories: Sequence[str],
    systems: Mapping[str, Sequence[str]],
    names: Names,
    keep_environment: Sequence[str] = (),
) -> Read:
    """The teams of systems: a system has the variables of the first of its hosts."""
    first: dict[str, str] = {}
    trouble: list[str] = []
    for system, parts in systems.items():
        hosts = sorted({host for part in parts for host in names.members.get(part, {part}) if host in names.hosts})
        try:
            if hosts:
                first[system] = exact(hosts[0], names)
        except OncallError as error:
            trouble.append(f"incidents of {system}: {error}")
    if not first:
        return Read({}, tuple(trouble))
    try:
        told = variables_of(inventories, sorted({*first.values()}), keep_environment)
    except OncallError as error:
        return Read({}, (*trouble, str(error)))
    teams: dict[str, Team] = {}
    for system, host in first.items():
        try:
            teams[system] = team_of(system, told[host])
        except OncallError as error:
            trouble.append(str(error))
    return Read(teams, tuple(trouble))


def trouble_of(teams: Iterable[Team], now: float) -> list[str]:
    """What would surprise somebody at night, a line each."""
    triage = yaml.safe_load(TRIAGE.read_text(encoding="utf-8"))
    words = [*triage["triage_facts"]], [*triage["triage_hints"]]
    return [line for team in teams for line in check(team, [*catalog.runbooks()], now, *words)]


@dataclass(frozen=True)
class Shelf:
    """Where the last good feeds are kept, so that a start of the service has them.

    Attributes:
        get: name -> what is kept there, and when it was read; None for nothing.
        put: keeps it: name, what, and when it was read.
    """

    get: Callable[[str], tuple[str, float] | None] = field(default=lambda _name: None)
    put: Callable[[str, str, float], None] = field(default=lambda _name, _value, _at: None)


class Feeds:
    """The feeds of who is on call. The last good one of each is used while a new one is none.

    Args:
        shelf: where these are kept.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._last: dict[tuple[str, str], Feed] = {}
        self._shelf = shelf or Shelf()

    def read(self, team: Team, now: float) -> tuple[Team, list[str]]:
        """The team with what its feeds say now, and what is wrong with them."""
        fed: dict[str, Sequence[Turn]] = {}
        trouble: list[str] = []
        for name, schedule in team.people.schedules.items():
            where = schedule.ical or schedule.json
            if not where:
                continue
            key = (team.system, name)
            new = _feed_of(where, schedule, team, now)
            is_good = isinstance(new, Feed) and bool(new.turns)
            before = self._last.get(key) if is_good else self._newest(key, where, team)
            feed, said = kept(before, new, now, schedule.stale_after_hours * 3600)
            if is_good and isinstance(new, Feed):
                self._shelf.put(name_of_feed(*key), on_shelf(where, new), new.read_at)
            if said:
                trouble.append(f"incidents of {team.system}: the feed of {name}: {said}")
            if feed is not None:
                self._last[key] = feed
                fed[name] = feed.turns
        return replace(team, people=replace(team.people, fed=fed)), trouble

    def _newest(self, key: tuple[str, str], where: str, team: Team) -> Feed | None:
        """What was read last of a feed: here, by another node, or before this service was started."""
        last = self._last.get(key)
        there = self._shelf.get(name_of_feed(*key))
        if there is None or (last and last.read_at >= there[1]):
            return last
        return of_shelf(where, *there, team.people) or last


def name_of_feed(system: str, schedule: str) -> str:
    """What the last good feed of a schedule is called where it is kept."""
    return FEED_PREFIX + json.dumps([system, schedule])


def feed_named(name: str) -> tuple[str, str] | None:
    """The system and the schedule of such a name; None where it is none."""
    try:
        system, schedule = json.loads(name.removeprefix(FEED_PREFIX)) if name.startswith(FEED_PREFIX) else ("", "")
    except ValueError:
        return None
    return (system, schedule) if schedule else None


def _feed_of(where: str, schedule: Schedule, team: Team, now: float) -> Feed | FeedError:
    try:
        text = fetched(where)
        if schedule.ical:
            begin, end = now - BEHIND_SECONDS, now + 2 * AHEAD_SECONDS
            return from_ical(text, team.people, schedule.zone, begin, end, now, apart.shifts_of)
        return from_json(text, team.people, now)
    except FeedError as error:
        return error


class Teams:
    """What is known of teams now. A thread reads it again now and then; whoever asks has what was read last.

    Args:
        read: reads the inventory.
        on_read: called with what was read, in that thread.
        shelf: where the last good feeds are kept.
    """

    def __init__(
        self, read: Callable[[], Read], on_read: Callable[[Read], None] = lambda _read: None, shelf: Shelf | None = None
    ) -> None:
        self._read, self._on_read = read, on_read
        self._feeds = Feeds(shelf)
        self._now = Read()
        self._again = threading.Event()
        self._over = threading.Event()
        self._said: tuple[str, ...] = ()
        self.is_read = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="teams", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._again.set()

    def again(self) -> None:
        """The settings or the inventory are others now."""
        self._again.set()

    def of(self, system: str) -> Team | None:
        """The team of a system; None where nothing is known of one."""
        return self._now.teams.get(system)

    def all(self) -> Read:
        return self._now

    def _loop(self) -> None:
        inventory_at, known = -INVENTORY_SECONDS, Read()
        while not self._over.is_set():
            asked = self._again.is_set()
            self._again.clear()
            try:
                if asked or time.monotonic() - inventory_at >= INVENTORY_SECONDS:
                    inventory_at = time.monotonic()
                    read = self._read()
                    # A team that cannot be read now is what it was: a mistake in a file leaves nobody untold.
                    known = Read({**known.teams, **read.teams} if read.trouble else read.teams, read.trouble)
                self._use(known)
            except Exception as error:
                LOG.error("what teams say of incidents could not be read: %s", first_line(error))
            self.is_read.set()
            self._again.wait(FEED_SECONDS)

    def _use(self, known: Read) -> None:
        teams, trouble = {}, list(known.trouble)
        for system, team in known.teams.items():
            teams[system], more = self._feeds.read(team, time.time())
            trouble += more
        for line in trouble:
            if line not in self._said:
                LOG.error("%s", line)
        self._said = tuple(trouble)
        self._now = Read(teams, tuple(trouble))
        self._on_read(self._now)

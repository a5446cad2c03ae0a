# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the page: who asks for what, and what may be answered. Views are plain functions of a visit, in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from ...incidents.books import Incidents
from ...incidents.messages.links import Key
from ...incidents.store.timeline import IncidentStore
from ...incidents.teams import Read
from ...inventory import Names
from ..decide.plans import Plans
from ..intake.tokens import Tokens
from ..settings import Settings
from ..store.statements import Store
from .people import Person, Role


@dataclass(frozen=True)
class Sources:
    """What the page shows and works on; each is asked anew, as it changes while the service runs.

    Attributes:
        store: episodes, runs and the rest of the service.
        books: the incidents.
        settings, names, teams: as they are now.
        link_keys: with which one-tap links are signed; the first one signs.
        paused: why everything is paused; "" where it is not.
        wake: called when a decision may have something begin.
        going_down: whether the service ends; then nobody waits for news.
        tokens: those of the service, some of which are people's.
    """

    store: Store
    books: Callable[[], Incidents]
    settings: Callable[[], Settings]
    names: Callable[[], Names]
    teams: Callable[[], Read] = Read
    link_keys: Callable[[], Sequence[Key]] = tuple
    paused: Callable[[], str] = lambda: ""
    wake: Callable[[], None] = lambda: None
    going_down: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.time
    tokens: Tokens | None = None

    @property
    def incidents(self) -> Incidents:
        return self.books()

    @property
    def below(self) -> IncidentStore:
        """The statements about incidents."""
        return self.incidents.store

    @property
    def plans(self) -> Plans:
        """The plans that wait, to be decided on."""
        return Plans(self.store, self.below, self.books, self.wake, self.clock)


@dataclass(frozen=True)
class Shown:
    """A template with what it shows."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Moved:
    """Another page is looked at; ``did`` is one of the sentences that it then says."""

    to: str
    did: str = ""


@dataclass(frozen=True)
class File:
    """Something to be kept, or a page of its own."""

    body: bytes
    kind: str
    name: str = ""
    policy: str = ""


Answer = Shown | Moved | File


@dataclass(frozen=True)
class Visit:
    """What a view knows.

    Attributes:
        person: who asks; None where nobody is known, on pages that need nobody.
        form: what a POST brought.
    """

    sources: Sources
    request: Request
    person: Person | None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        assert self.person is not None
        return self.person.name

    @property
    def now(self) -> float:
        return self.sources.clock()

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def asked(self, name: str, most: int = 200) -> str:
        """A value of the query."""
        return self.request.query_params.get(name, "")[:most].strip()

    def said(self, name: str) -> str:
        """A value of the form."""
        return self.form.get(name, "").strip()

    def may(self, role: Role) -> bool:
        return self.person is not None and self.person.may(role)


class Gone(Exception):
    """There is no such thing to be seen; the message says what."""


class Lost(Exception):
    """Somebody else was quicker; the message says who and what, and the page is shown as it is now."""


class Unheard(Exception):
    """What was asked for cannot be done as it was asked; the message is one line."""

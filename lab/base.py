# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both kinds of lab have in common."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from .faults import load_faults
from .layout import LabError, Layout, write_private
from .measure import wait

# For what never comes: a busy machine takes its time.
CONDITION_SECONDS = 300


class BaseLab(ABC):
    """A stack in a state folder of its own. Labs with different folders do not touch each other.

    Args:
        home: the state folder; default LAB_HOME, else ``.lab`` in the checkout.
        say: called with one line for each step of what takes a while.

    Every method raises LabError, with one line that says what to do next.

    Attributes:
        kind: ``embedded`` or ``compose``.
        target: what its faults work on.
    """

    kind: ClassVar[str]
    target: Any

    def __init__(self, home: str | Path | None = None, say: Callable[[str], None] = lambda line: None) -> None:
        self.layout = Layout(home)
        self._say = say

    @property
    def home(self) -> Path:
        return self.layout.home

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.layout.ports['api']}"

    @cached_property
    def faults_by_runbook(self) -> Mapping[str, Mapping[str, Any]]:
        """The faults it knows by what they are for, then by name."""
        return load_faults(self.kind)

    @property
    def faults(self) -> Mapping[str, Any]:
        """The faults it knows by name, each with its ``summary``."""
        return {name: fault for same in self.faults_by_runbook.values() for name, fault in same.items()}

    def active(self) -> list[str]:
        """The faults that were injected and not healed."""
        return sorted(path.stem for path in self.layout.faults.glob("*.json"))

    def there(self, name: str) -> tuple[bool, str]:
        """Whether a fault is measurably there now, injected or not, and what was measured."""
        self._require_up()
        return self._known(name).there(self.target)

    def inject(self, name: str) -> str:
        """Make a fault and return when its condition was measured: the line that says what was measured."""
        fault = self._known(name)
        with self.layout.locked():
            self._require_up()
            if name in self.active():
                self._heal(name)
            try:
                write_private(self.layout.faults / f"{name}.json", json.dumps({"injected": time.time()}))
                self._make(name, fault)
                return self._wait_there(name, fault)
            except BaseException:
                self._heal(name)
                raise

    def _make(self, name: str, fault: Any) -> None:
        fault.make(self.target)

    def _wait_there(self, name: str, fault: Any) -> str:
        self._say(f"{name}: waiting until {fault.summary}")
        seen = ""
        in_a_row = 0

        def there() -> tuple[bool, str]:
            nonlocal seen, in_a_row
            is_there, seen = fault.there(self.target)
            in_a_row = in_a_row + 1 if is_there else 0
            return in_a_row >= fault.samples, seen

        if problem := wait(there, CONDITION_SECONDS):
            raise LabError(
                f"{name} is not there after {CONDITION_SECONDS} s; last measured {problem}; {self._where_to_look}"
            )
        return seen

    def heal(self, name: str) -> bool:
        """Remove every trace of a fault, changed settings included; False when it was not injected."""
        self._known(name)
        with self.layout.locked():
            if name not in self.active():
                return False
            self._require_up()
            self._heal(name)
            return True

    def _known(self, name: str) -> Any:
        if name not in self.faults:
            raise LabError(f"no fault {name!r}; the known ones are {', '.join(self.faults)}")
        return self.faults[name]

    def _forget_faults(self) -> None:
        for marker in self.layout.faults.glob("*.json"):
            marker.unlink()

    @abstractmethod
    def up(self) -> None:
        """Start what does not run and wait until it works; leaves a running lab and its faults alone."""

    @abstractmethod
    def down(self, purge: bool = False) -> None:
        """Stop everything; with ``purge`` also remove the lab's folders. Nothing to do is no error."""

    @abstractmethod
    def request(self, path: str, method: str = "GET", seconds: float = 10) -> tuple[int, str]:
        """Status and body of one request to the API; status 0 and the reason when there is no answer."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """``{"up", "home", "kind", "services": {name: {"state", "pid", "port", ...}}, "faults": [name], ...}``."""

    def environment(self) -> dict[str, str]:
        """What a shell needs to work with this lab."""
        return {
            "LAB_HOME": str(self.home),
            "LAB_API_URL": self.url,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.layout.ports["database"]),
            "PGDATABASE": self.layout.shape.database,
            "PGUSER": "oncall",
        }

    @abstractmethod
    def heal_all(self) -> list[str]:
        """Heal every active fault and put everything back; returns the healed ones."""

    @property
    @abstractmethod
    def _where_to_look(self) -> str:
        """Where the reason is, when something does not come."""

    @abstractmethod
    def _heal(self, name: str) -> None: ...

    @abstractmethod
    def _require_up(self) -> None: ...

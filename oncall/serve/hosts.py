# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory names, as the service remembers it."""

from __future__ import annotations

import difflib
import logging
import threading
import time
from pathlib import Path

from .. import inventory
from ..errors import OncallError
from .settings import Settings, problem_at

LOG = logging.getLogger("oncall.service")
INVENTORY_SECONDS = 30.0
# The dispatcher waits so long for a fresh look, and no longer: its turns are what the lease of this node hangs on.
WAIT_SECONDS = 10.0


class Inventory:
    """What the inventory names, remembered.

    Args:
        settings: what is in force now.
        file: they are from, for messages.
    """

    def __init__(self, settings: Settings, file: Path) -> None:
        self._file, self._lock = file.expanduser().absolute(), threading.Lock()
        self._reading: threading.Thread | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Read it now; OncallError where that is not possible, and the old names stay."""
        with self._lock:
            self._use(settings)

    def _use(self, settings: Settings) -> None:
        names = inventory.names(settings.inventories, settings.keep_environment)
        _check_groups(settings, names, self._file)
        self._settings, self._names, self._read_at = settings, names, time.monotonic()

    def names(self, again: bool) -> inventory.Names:
        """The names; ``again`` has it read once more, unless that was a moment ago. Of one that takes long, the old names hold.

        One thread may ask at a time.
        """
        if again and time.monotonic() - self._read_at > INVENTORY_SECONDS:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read_again, name="inventory", daemon=True)
                self._reading.start()
            self._reading.join(WAIT_SECONDS)
            if self._reading.is_alive():
                LOG.warning(
                    "the inventory takes more than %g s; until it is read, hosts that are new in it are not known",
                    WAIT_SECONDS,
                )
        return self._names

    def _read_again(self) -> None:
        with self._lock:
            try:
                # What a reload has brought meanwhile is not overwritten by what held before.
                self._use(self._settings)
            except OncallError as error:
                LOG.error("the inventory stays what it was: %s", error)
                self._read_at = time.monotonic()


def _check_groups(settings: Settings, names: inventory.Names, file: Path) -> None:
    """A limit or a window of a group that is none would be no limit and no window."""
    named = [(group, f"limits.groups.{group}") for group in settings.limits.groups]
    named += [
        (name, f"maintenance[{index}].hosts[{number}]")
        for index, window in enumerate(settings.maintenance)
        for number, name in enumerate(window.hosts)
        if name not in names.hosts
    ]
    named += [
        (name, f"incidents.systems.{system}[{number}]")
        for system, parts in (settings.incidents.systems.items() if settings.incidents else ())
        for number, name in enumerate(parts)
        if name not in names.hosts
    ]
    for name, where in named:
        if name not in names.groups:
            near = difflib.get_close_matches(name, sorted(names.groups | names.hosts), n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise problem_at(file, where, f"the inventory has no {name!r}{hint}")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which system a host is of, as the service knows it; and without a service, as far as its database says it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import OncallError

if TYPE_CHECKING:
    from ...incidents.attach import Where
    from ...incidents.books import Incidents


def where_of(incidents: Incidents, config: Path, state_directory: Path | None, given: str = "") -> Where:
    """What is known of systems.

    Args:
        incidents: of the database.
        config: the settings of the service; not read where there is a ``state_directory``.
        given: the system that a person names.

    Raises:
        OncallError: nobody knows the system that is given.
    """
    from ... import inventory
    from ...incidents.attach import Where
    from ...incidents.store.timeline import Filter
    from ...incidents.together import system_of
    from ...serve.settings import Incidents as Told
    from ...serve.settings import load

    if given:
        if incidents.systems and given not in incidents.systems:
            raise OncallError(f"there is no system {given[:40]!r}; there are {', '.join(incidents.systems)}")
        return Where(lambda _host, _labels: given)
    if state_directory is None:
        settings = load(config)
        told = settings.incidents or Told()
        members = inventory.names(settings.inventories, settings.keep_environment).members if told.systems else {}

        def as_told(host: str, labels: Mapping[str, str]) -> str:
            return system_of(host, labels, told.systems, members, told.system_label)

        return Where(as_told, told.watch_seconds)

    def as_before(host: str, _labels: Mapping[str, str]) -> str:
        found = [one.system for one in incidents.listed(Filter(host=host)) if one.system]
        # What no system has is called by its host.
        return found[0] if found else host if incidents.store.count(Filter(system=host)) else ""

    looked_at = f"the incidents in {state_directory}, and none had that host; name it with --system, or the settings of the service with -c"
    return Where(as_before, looked_at=looked_at)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents in a new database, without the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncall.incidents.books import Incidents
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import IncidentStore
from oncall.serve.store import schema
from oncall.serve.store.engine import url_of


class Clock:
    """Says what it is told; a second later each time it is asked."""

    def __init__(self, now: float = 1_770_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@contextmanager
def books(folder: Path, database: str = "", **options: Any) -> Iterator[tuple[Incidents, IncidentStore]]:
    """The incidents of a database, which is made, and the store below them."""
    state = folder / "state"
    url = url_of(database, str(state))
    schema.migrate(url)
    store = IncidentStore(url)
    try:
        yield Incidents(store, Heads(str(state)), **{"clock": Clock(), **options}), store
    finally:
        store.close()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A view, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ....incidents.record import Incident
from ....incidents.team import Known, known_of
from ..people import Role
from ..visit import Answer, Visit


@dataclass(frozen=True)
class View:
    """A path and what answers.

    Attributes:
        role: who may; None where nobody need be known.
        slow: whether it waits for something else than the database.
        live: what it hears news of: ``now``, ``plans``, or the part of the path that names an incident; "" for none.
    """

    path: str
    function: Callable[[Visit], Answer]
    role: Role | None = Role.VIEWER
    method: Literal["GET", "POST"] = "GET"
    slow: bool = False
    live: str = ""


def known_teams(visit: Visit) -> dict[str, Known]:
    """System -> what is known of its team."""
    return known_of(visit.sources.store.controls())


def levels_of(teams: Mapping[str, Known]) -> dict[str, tuple[str, ...]]:
    """Scheme -> its levels, the worst first."""
    return {one.scheme: one.levels for one in teams.values()}


def row(visit: Visit, incident: Incident, levels: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """An incident in a list."""
    order = levels.get(incident.scheme, ())
    rank = order.index(incident.severity) if incident.severity in order else 9
    return {
        "name": incident.name,
        "title": incident.title,
        "system": incident.system,
        "state": incident.state,
        "severity": incident.severity,
        "rank": min(rank, 9),
        "opened_at": incident.opened_at,
        "assignee": incident.assignee,
        "count": incident.count,
        "runbooks": incident.runbooks,
        "hosts": incident.hosts,
        "is_open": incident.is_open,
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at,
        "next_update_at": incident.next_update_at,
        "late": incident.is_open and incident.next_update_at is not None and incident.next_update_at < visit.now,
    }

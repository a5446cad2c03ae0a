# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks at what was mitigated, before it counts as resolved. Pure: which look is next, when, and at what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import commands as do
from ..commands import PROGRAM
from ..entries import Entry
from ..record import MITIGATED, Incident
from ..team import Watch

# Of one look: what was wrong on more hosts is looked at on these.
MOST_PAIRS = 20


@dataclass(frozen=True)
class Look:
    """A look that is to be taken.

    Attributes:
        since: number of the entry by which it was mitigated.
        number, of: the how manyth of how many.
        pairs: runbooks and hosts.
    """

    incident: Incident
    since: int
    number: int
    of: int
    due_at: float
    pairs: tuple[tuple[str, str], ...]

    def episode(self, runbook: str, host: str, now: float) -> dict[str, Any]:
        """The row by which the service looks once more, and acts on nothing. Its name is the same on whatever node."""
        name = f"look {self.incident.id} {self.since} {self.number} {runbook} {host}"
        said = f"look {self.number} of {self.of} after {self.incident.name} was mitigated"
        alert = {"labels": {"alertname": "Watch"}, "annotations": {"summary": said}, "starts_at": ""}
        return {
            "id": hashlib.sha256(name.encode()).hexdigest()[:20], "runbook": runbook, "host": host, "fingerprint": "", "mode": "suggest",
            "alert": json.dumps(alert), "state": "queued", "stage": "check", "received_at": now, "seen_at": now, "queued_at": now,
        }  # fmt: skip

    def done(self, healthy: bool, told: Mapping[str, str], now: float) -> do.Watch:
        """What it found."""
        return do.Watch(who=PROGRAM, at=now, look=self.number, of=self.of, healthy=healthy, figures=dict(told))


def next_look(incident: Incident, timeline: Sequence[Entry], watch: Watch | None) -> Look | None:
    """The look that is next; None where nothing is to be watched."""
    if watch is None or incident.state != MITIGATED or incident.mitigated_at is None:
        return None
    since, taken = 0, 0
    for entry in timeline:
        if entry.kind == "mitigated":
            since, taken = entry.number, 0
        elif entry.kind == "watch":
            taken += 1
    number = min(taken + 1, watch.looks)
    runs = [(str(one.data.get("runbook")), str(one.data.get("host"))) for one in timeline if one.kind == "run"]
    pairs = tuple(dict.fromkeys(one for one in reversed(runs) if all(one)))
    due_at = watch.look_at(incident.mitigated_at, number)
    return Look(incident, since, number, watch.looks, due_at, pairs[:MOST_PAIRS])

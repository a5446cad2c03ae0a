# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals that wait to be validated, of which no event says so any more."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right

COUNT = 15
_PROPOSE = (
    "INSERT INTO proposals (created_at, changed_at) SELECT now() - make_interval(secs => %s), now() - make_interval(secs => %s)"
    " FROM generate_series(1, %s) RETURNING id"
)
_EVENTS = "INSERT INTO events (kind, proposal) SELECT 'validate', unnest(%s::bigint[])"
_PENDING = "SELECT count(*) FROM proposals WHERE status = 'pending'"


def _propose(target: Target, ago_seconds: float, count: int) -> list[int]:
    return [row[0] for row in target.sql(_PROPOSE, ago_seconds, ago_seconds, count)]


def _lose(target: Target) -> None:
    # The worker does what it is told: it validates those of which it hears.
    target.sql(_EVENTS, _propose(target, 0, COUNT))
    target.wait(lambda: _pending(target) == 0, what="the worker to validate")
    _propose(target, 3600, COUNT)


def _pending(target: Target) -> int:
    ((count,),) = target.sql(_PENDING)
    return int(count)


def _wait(target: Target) -> tuple[bool, str]:
    count = _pending(target)
    return count >= COUNT, f"{count} proposals wait"


def _forget(target: Target) -> None:
    target.sql("DELETE FROM events")
    target.sql("DELETE FROM proposals")


FAULTS = {
    "proposal_events_lost": Fault(
        "fifteen proposals of an hour ago wait, and their events are lost",
        _lose,
        _wait,
        _forget,
        rights={"stalled_workflow": right("events_lost", "request_again")},
    )
}

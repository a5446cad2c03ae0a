# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payments that were made, and of which the API never heard."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right

COUNT = 20


def _lose(target: Target) -> None:
    target.ask_provider("/debug/payments?count=20&ago_seconds=7200", "POST")


def _missing(target: Target) -> tuple[bool, str]:
    events = target.ask_provider("/debug/payments", "GET")["undelivered"]
    ((known,),) = target.sql("SELECT count(*) FROM payment_events WHERE id = ANY(%s)", events)
    return len(events) - int(known) >= COUNT, f"{len(events) - int(known)} events are not in the database"


def _forget(target: Target) -> None:
    target.ask_provider("/debug/payments", "DELETE")


FAULTS = {
    "payment_events_undelivered": Fault(
        "twenty payments of two hours ago were not delivered",
        _lose,
        _missing,
        _forget,
        rights={"payment_webhook": right("undelivered", "replay_events")},
    )
}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong now, and the numbers."""

from __future__ import annotations

from ....incidents.postmortem.review import outstanding, outstanding_items
from ....incidents.store.timeline import Filter
from ..plan import card_of
from ..visit import Answer, Shown, Visit
from .base import View, known_teams, levels_of, row

MOST_OPEN = 50
MOST_RUNNING = 20
MOST_LATE = 20
# For reviews that are due: those of so many days.
REVIEW_DAYS = 30


def now(visit: Visit) -> Answer:
    """What is wrong now, the worst first."""
    sources = visit.sources
    levels = levels_of(known_teams(visit))
    found = [row(visit, one, levels) for one in sources.incidents.listed(Filter(states=("open",), most=MOST_OPEN))]
    found.sort(key=lambda one: (one["state"] != "triggered", one["rank"], -one["opened_at"]))
    counts = sources.store.counts()
    after = visit.now - REVIEW_DAYS * 86400
    resolved = sources.incidents.listed(Filter(states=("resolved",), since=after, most=200))
    asked = [one.to_dict() for one in resolved if one.postmortem.state]
    late = [one for one in outstanding(asked, visit.now) if one.late_seconds > 0]
    items = outstanding_items((one.to_dict() for one in resolved if one.action_items), visit.now)
    return Shown(
        "now.html.j2",
        {
            "live": "now",
            "incidents": found,
            "open_count": sources.below.count(Filter(states=("open",))),
            "waiting": [card_of(one) for one in sources.store.episodes(("waiting",), 20)],
            "running": sources.store.episodes(("running", "queued"), MOST_RUNNING),
            "paused": sources.paused(),
            "quarantined": counts["quarantined"],
            "not_told": {k: v for k, v in sources.below.not_over().items() if k in ("dead", "unknown")},
            "late": late,
            "late_items": [one for one in items if one.late_seconds is not None and one.late_seconds > 0],
            "most_late": MOST_LATE,
            "keeps": sources.settings().incidents is not None,
        },
    )


def numbers(visit: Visit) -> Answer:
    """Times to acknowledge, mitigate and resolve, and what recurs."""
    days = {"7": 7, "30": 30, "90": 90, "365": 365}.get(visit.asked("days"), 90)
    wanted = Filter(since=visit.now - days * 86400, system=visit.asked("system"))
    told = visit.sources.incidents.stats(wanted)
    systems = sorted(known_teams(visit))
    return Shown("numbers.html.j2", {"told": told, "days": days, "system": wanted.system, "systems": systems})


VIEWS = (
    View("/", now, live="now"),
    View("/numbers", numbers),
)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of incidents, and a new one."""

from __future__ import annotations

from urllib.parse import urlencode

from ....errors import OncallError
from ....incidents.record import STATES
from ....incidents.store.timeline import Filter
from ..people import Role
from ..visit import Answer, Moved, Shown, Visit
from .base import View, known_teams, levels_of, row

PAGE = 40


def listed(visit: Visit) -> Answer:
    """Those that are wanted, the newest first."""
    state = visit.asked("state")
    asked = {"state": state if state in (*STATES, "open") else ""}
    asked |= {name: visit.asked(name) for name in ("q", "system", "severity", "assignee", "host", "runbook")}
    before = visit.asked("before")
    teams = known_teams(visit)
    levels = levels_of(teams)
    wanted = Filter(
        states=(asked["state"],) if asked["state"] else (),
        system=asked["system"],
        severity=asked["severity"],
        assignee=asked["assignee"],
        runbook=asked["runbook"],
        host=asked["host"],
        text=asked["q"],
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 10 else None,
        most=PAGE + 1,
    )
    trouble = ""
    try:
        found = visit.sources.incidents.listed(wanted)
        count = visit.sources.below.count(wanted) if wanted.before is None else None
    except OncallError as error:
        found, count, trouble = [], 0, str(error)
    kept = {name: value for name, value in asked.items() if value}
    older = urlencode({**kept, "before": found[PAGE - 1].number}) if len(found) > PAGE else ""
    return Shown(
        "incidents.html.j2",
        {
            "incidents": [row(visit, one, levels) for one in found[:PAGE]],
            "asked": asked,
            "states": ("open", *STATES),
            "systems": sorted(teams),
            "severities": list(dict.fromkeys(level for one in levels.values() for level in one)),
            "older": older,
            "newest": urlencode(kept) if wanted.before is not None else "",
            "count": count,
            "trouble": trouble,
        },
    )


def new(visit: Visit) -> Answer:
    """The form."""
    teams = known_teams(visit)
    severities = list(dict.fromkeys(level for one in teams.values() for level in one.levels))
    systems = visit.sources.incidents.systems
    return Shown("new.html.j2", {"systems": systems, "severities": severities, "again": visit.asked("again")})


def opened(visit: Visit) -> Answer:
    """A person opens one."""
    done = visit.sources.incidents.open(
        visit.said("title"),
        who=visit.who,
        system=visit.said("system"),
        severity=visit.said("severity"),
        again=visit.said("again"),
    )
    return Moved(f"/incidents/{done.incident.name}", "opened_unknown" if done.warning else "opened")


VIEWS = (
    View("/incidents", listed),
    View("/incidents", opened, Role.RESPONDER, "POST"),
    View("/incidents/new", new, Role.RESPONDER),
)

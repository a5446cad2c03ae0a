# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is configured, and whether each part answers. Nobody is told anything by looking."""

from __future__ import annotations

from ..checks import Check, checks_of, run_checks
from ..people import Role
from ..visit import Answer, Shown, Visit
from .base import View, known_teams


def settings(visit: Visit) -> Answer:
    """What is configured."""
    return _shown(visit, [])


def checked(visit: Visit) -> Answer:
    """The same, with what each part answered just now."""
    return _shown(visit, run_checks(checks_of(visit.sources)))


def _shown(visit: Visit, answers: list[Check]) -> Answer:
    told = visit.sources.settings()
    names = visit.sources.names()
    page = told.page
    assert page is not None
    ways = [
        *(["tokens of people"] if told.tokens_file else []),
        *([f"a proxy at {', '.join(page.proxy.addresses)}, by {page.proxy.user_header}"] if page.proxy else []),
        *([f"OpenID Connect: {page.openid.issuer}"] if page.openid else []),
    ]
    facts = [
        ("Listens on", f"{told.listen}{' with TLS' if told.tls else ''}"),
        ("Reached under", page.address or "the address at which it listens"),
        ("Signs in by", "; ".join(ways)),
        ("A session ends", f"{page.session_minutes:g} min after the last look, and after {page.session_hours:g} h"),
        ("Node", told.node),
        ("Database", "PostgreSQL" if told.database else f"SQLite in {told.state_directory}"),
        ("Inventories", ", ".join(told.inventories)),
        ("Hosts", str(len(names.hosts))),
        ("Plays", "AWX" if told.executor == "awx" else "ansible-runner, on this node"),
        ("Alertmanager", told.alertmanager.url if told.alertmanager else "not asked for silences"),
        ("Runs at once", str(told.limits.running)),
        ("Remedies in an hour", str(told.limits.remedies_per_hour)),
        ("Incidents", "kept" if told.incidents else "not kept: incidents is not in the settings"),
        ("Kept for", f"{told.keep_days} days; incidents stay"),
    ]
    channels = [
        (system, name, type(channel).__name__, [level for level, used in team.tell.by_severity.items() if name in used])
        for system, team in sorted(visit.sources.teams().teams.items())
        for name, channel in team.tell.channels.items()
    ]
    return Shown(
        "settings.html.j2",
        {
            "facts": facts,
            "routes": sorted(told.runbooks.items()),
            "windows": told.maintenance,
            "channels": channels,
            "systems": sorted(known_teams(visit)),
            "trouble": visit.sources.teams().trouble,
            "answers": answers,
            "checks": checks_of(visit.sources),
        },
    )


VIEWS = (
    View("/settings", settings, Role.ADMIN),
    View("/settings/check", checked, Role.ADMIN, "POST", slow=True),
)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How severe the service says that an incident is, by what alerts, runbooks and triage say."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_books import books
from oncall.incidents.attach import Signs
from oncall.incidents.severity import NOT_TOLD
from oncall.incidents.team import team_of
from oncall.serve.incidents import judged, rules_of_teams

TEAM = {
    "system_severities": [
        {"level": "P0", "means": "nobody can work", "when": ["every_request_fails"]},
        {"level": "P1", "means": "much is broken", "when": ["critical"]},
        {"level": "P2", "means": "some is", "when": ["high", "medium", "low"]},
    ],
    "incident_decisions": [
        {"if": "A recent deployment?", "when": ["recent_deployment"], "then": "take it back", "level": "P1"}
    ],
}


@pytest.mark.parametrize(
    ("signs", "level"),
    [
        (Signs((), ["cache"]), "P2"),
        (Signs((), ["cache", "db_down"]), "P1"),
        (Signs((), ["cache"], {"every_request_fails": "every request fails (api 500)"}), "P0"),
        (Signs((), ["cache"], {"recent_deployment": "r7 since 3 min"}), "P1"),
        (Signs((), ["cache"], {"nobody_knows": "this word"}), "P2"),
        (Signs(["P1", "P0"], ["cache"]), "P0"),
        (Signs(["P2"], ["db_down"]), "P1"),
        # A runbook that this version does not have any more.
        (Signs((), ["cache", "gone"]), "P2"),
    ],
)
def test_the_worst_of_what_is_said_decides(signs, level):
    assert judged(team_of("shop", TEAM), signs).level == level


@pytest.mark.parametrize(
    ("given", "level", "reason"),
    [
        ({"runbook": "cache"}, "P2", "cache"),
        ({"runbook": "db_down"}, "P1", "db_down"),
        ({"runbook": "nobody_knows"}, "P0", NOT_TOLD),
        ({}, "P0", NOT_TOLD),
        ({"runbook": "cache", "severity": "P1"}, "P1", ""),
    ],
)
def test_what_is_opened_without_a_severity_has_that_of_its_runbook(tmp_path, given, level, reason):
    """As the role ``incident`` does it for a run that needs a person."""
    team = team_of("shop", TEAM)
    with books(tmp_path, rules=rules_of_teams({"shop": team})) as (incidents, _store):
        known = incidents.open("it needs a person", who="oncall", system="shop", **given)
        assert (known.incident.severity, known.incident.scheme) == (level, team.scheme.name)
        assert reason in " ".join(known.entries[0].data["reasons"])
        assert incidents.open("the tea is cold", who="ann", system="kitchen").incident.severity == ""

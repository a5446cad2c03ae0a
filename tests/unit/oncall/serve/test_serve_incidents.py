# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How severe the service says that an incident is, by what alerts, runbooks and triage say."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from ansible_collections.oncall.runbooks.tests.support.incident_books import books
from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from oncall.incidents.attach import Signs
from oncall.incidents.severity import NOT_TOLD
from oncall.incidents.team import team_of
from oncall.incidents.teams import Read
from oncall.serve.incidents import IncidentWork, judged, rules_of_teams
from oncall.serve.metrics import Metrics
from oncall.serve.settings import parse

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
        assert incidents.open("the tea is cold", who="ann", system="kitchen", anyway=True).incident.severity == ""


def on_call_by(feed) -> dict:
    return {
        **TEAM, "incident_people": {"ann": {"reach": ["chat"]}, "bob": {"reach": ["chat"]}},
        "incident_tell": {"channels": {"chat": {"kind": "webhook", "url": "http://127.0.0.1:9/chat"}}},
        "incident_contacts": {"lead": {"on_call": "week"}}, "incident_on_call": {"week": {"json": str(feed)}},
    }  # fmt: skip


def test_after_a_start_with_the_feed_down_who_was_on_call_is_known_and_how_old_that_is(tmp_path):
    feed, now = tmp_path / "secret-feed.json", time.time() - 3 * 3600
    shift = {"who": "ann", "begins_at": "2026-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"}
    feed.write_text(json.dumps([shift]))
    folder = tmp_path / "state"
    told = {
        "inventories": ["h,"],
        "state_directory": str(folder),
        "node": "one",
        "runbooks": {},
        "incidents": {"systems": {"shop": ["h"]}},
    }
    settings = parse(yaml.safe_dump(told), tmp_path / "serve.yml")

    def started() -> IncidentWork:
        return IncidentWork(store, lambda: settings, None, lambda: None)

    def said_by(metrics: Metrics) -> list[str]:
        return [line for line in metrics.text().decode().splitlines() if line.startswith("oncall_on_call_feed_age")]

    store = new_store(folder)
    try:
        team = team_of("shop", on_call_by(feed))
        assert started().teams._feeds.read(team, now)[1] == []
        feed.unlink()
        again = started()
        known, trouble = again.teams._feeds.read(team, now + 2 * 3600)
        assert known.people.on_call("week", now)[0] == ("ann",)
        assert "there is no such file; who is on call is known from 2 h ago" in trouble[0]
        (line,) = said_by(Metrics(store, lambda: ""))
        assert line.startswith('oncall_on_call_feed_age_seconds{schedule="week",system="shop"} ')
        assert abs(float(line.split()[1]) - 3 * 3600) < 60
        # Another node has read it since.
        later = {**shift, "who": "bob"}
        feed.write_text(json.dumps([later]))
        started().teams._feeds.read(team, now + 3 * 3600)
        feed.unlink()
        assert again.teams._feeds.read(team, now + 3 * 3600)[0].people.on_call("week", now)[0] == ("bob",)
        # Too old, of another address, or of somebody who is nobody any more, it is none; and the address is kept nowhere.
        assert started().teams._feeds.read(team, now + 9 * 86400)[0].people.on_call("week", now)[0] == ()
        other = team_of("shop", on_call_by(tmp_path / "other.json"))
        assert started().teams._feeds.read(other, now + 3 * 3600)[0].people.on_call("week", now)[0] == ()
        less = {**on_call_by(feed), "incident_people": {"ann": {"reach": ["chat"]}}}
        assert (
            started().teams._feeds.read(team_of("shop", less), now + 3 * 3600)[0].people.on_call("week", now)[0] == ()
        )
        assert not any("secret-feed" in value for value, _at in store.controls().values())
        # What no schedule has any more is dropped; a team that cannot be read now keeps its own.
        again._was_read(Read({}, ("the inventory cannot be read",)))
        again._was_read(Read({"shop": team}))
        assert said_by(Metrics(store, lambda: ""))
        again._was_read(Read({"shop": team_of("shop", TEAM)}))
        assert said_by(Metrics(store, lambda: "")) == []
    finally:
        store.close()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of a team, as `oncall serve` reads it: with its vault, without its secrets in any message, and checked before the night."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from oncall import OncallError, inventory
from oncall.incidents.escalation import apart
from oncall.incidents.team import known_of, rules_of, team_of, written
from oncall.incidents.teams import Feeds, Read, Teams, read_teams, trouble_of
from oncall.serve.checks import check

SECRET = "slack://T0ken/abc-secret"
TEAM = {
    "incident_tell": {
        "channels": {
            "chat": {"kind": "apprise", "address": "{{ vault_chat }}"},
            "tickets": {"kind": "webhook", "url": "http://127.0.0.1:9/", "body": {"title": "{% raw %}{{ subject }}{% endraw %}"}},
        },
        "by_severity": {"P0": ["chat"]},
    },
    "incident_people": {"ann": {"reach": ["chat"]}},
    "incident_contacts": {"lead": {"people": ["ann"]}},
    "incident_escalation": [{"roles": ["lead"]}],
}  # fmt: skip
VAULT = {"vault_chat": SECRET}


class Place:
    """An inventory of one system with two hosts, and the settings of a service."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inventory = folder, folder / "hosts.yml"
        hosts = {
            "all": {
                "children": {
                    "web": {"hosts": {"h2": {}, "h1": {"ansible_connection": "no.such.plugin"}}},
                    "other": {"hosts": {"h3": {}}},
                }
            }
        }
        self.inventory.write_text(yaml.safe_dump(hosts))
        self.settings = folder / "serve.yml"
        told = {
            "inventories": [str(self.inventory)], "state_directory": str(folder / "state"), "runbooks": {"cache": {}},
            "incidents": {"systems": {"shop": ["web"], "forum": ["h3"]}},
        }  # fmt: skip
        self.settings.write_text(yaml.safe_dump(told))

    def says(self, **variables) -> None:
        group = self.folder / "group_vars" / "web"
        group.mkdir(parents=True, exist_ok=True)
        (group / "incident.yml").write_text(yaml.safe_dump({**TEAM, **VAULT, **variables}))

    def read(self) -> Read:
        where = [str(self.inventory)]
        return read_teams(where, {"shop": ["web"], "forum": ["h3"], "gone": ["nobody"]}, inventory.names(where))


@pytest.fixture
def place(tmp_path) -> Place:
    made = Place(tmp_path)
    made.says()
    return made


def test_a_team_is_read_with_its_vault_and_templates_of_messages_stay_templates(place, capfd):
    told = place.read()
    assert told.trouble == () and {*told.teams} == {"shop", "forum"}
    team = told.teams["shop"]
    assert team.tell.channels["chat"].address == SECRET
    assert team.tell.channels["tickets"].body == {"title": "{{ subject }}"}
    assert trouble_of([team], 1_770_000_000.0) == [] and not told.teams["forum"].is_told
    # What others may read has no secret; and nothing of the play was printed or kept.
    assert SECRET not in written(team.known) and "chat" not in written(team.known)
    assert capfd.readouterr() == ("", "")
    assert not [file for file in place.folder.rglob("*.json") if SECRET in file.read_text()]
    rules = rules_of(known_of({"team:shop": (written(team.known), 0.0), "team:odd": ("{", 0.0)}))
    assert rules.levels("P0-P3") == ("P0", "P1", "P2", "P3") and rules.people == ["ann"]
    assert rules.policy("shop")[1]["steps"][0]["roles"] == ["lead"] and rules.policy("odd") == ("", None)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"vault_chat": "{{ vault_gone }}"}, "'vault_gone' is undefined"),
        ({"incident_escalation": [{"roles": ["lead"], "after_minute": 5}]}, "incident_escalation[0]: Object contains unknown field `after_minute`"),
        ({"incident_watch": {"for_minutes": 0}}, "incident_watch.for_minutes: Expected `float` > 0.0"),
        ({"incident_watch": "yes"}, "incident_watch: Expected `object`, got `str`"),
        ({"incident_review": {"within_hours": -1}}, "incident_review: within_hours is no number of hours above 0: -1"),
        ({"incident_severities": ["P0"]}, "incident_severities: has to be a mapping"),
        ({"incident_escalation": [{"roles": ["lead"]}, {"roles": ["ghost"], "after_minutes": 5}]}, "calls 'ghost', which is no contact"),
        ({"incident_escalation": [{"roles": ["lead"], "severities": ["P7"]}]}, "is for the unknown severity 'P7'; there are P0, P1, P2, P3"),
        ({"incident_people": {"ann": {"reach": ["pigeon"]}}}, "person 'ann' cannot be told: 'pigeon' is no channel of incident_tell"),
        ({"incident_templates": {"initial": {"subject": "{% raw %}{{ subjec }}{% endraw %}", "body": "x"}}}, "the template initial of incident_templates is not used"),
        ({"incident_tell": {"channels": {"chat": {"kind": "apprise", "address": "{{ vault_chat }}", "adress": 1}}}}, "unknown field `adress`"),
        ({"incident_decisions": [{"if": "x", "when": ["odd_word"]}]}, "has the unknown word 'odd_word' in when"),
    ],
)  # fmt: skip
def test_what_would_surprise_at_night_fails_the_check_in_one_line(place, variables, says):
    place.says(**variables)
    with pytest.raises(OncallError) as error:
        check(place.settings)
    said = str(error.value)
    assert says in said and "\n" not in said and "abc-secret" not in said


def test_a_check_says_who_is_told_and_of_which_system_nobody_is(place):
    lines = check(place.settings)
    assert "incidents of shop: 1 step, 2 channels" in lines
    assert "incidents of forum: its inventory says of nobody who is to be told" in lines


def test_a_mistake_in_an_inventory_leaves_what_was_known(place):
    reads = []
    teams = Teams(place.read, reads.append)
    teams.start()
    assert teams.is_read.wait(120) and teams.of("shop") is not None
    place.says(incident_watch="yes")
    teams.again()
    while len(reads) < 2:
        teams.is_read.wait(0.05)
    teams.stop()
    assert teams.of("shop") is not None and "incident_watch: Expected `object`" in teams.all().trouble[0]
    assert teams.of("gone") is None


def test_a_feed_that_is_none_leaves_who_was_on_call(tmp_path):
    feed = tmp_path / "feed.json"
    said = {
        **TEAM, "incident_tell": {"channels": {"chat": {"kind": "apprise", "address": SECRET}}},
        "incident_contacts": {"lead": {"on_call": "week"}}, "incident_on_call": {"week": {"json": str(feed)}},
    }  # fmt: skip
    team, feeds, now = team_of("shop", said), Feeds(), 1_770_000_000.0
    shift = {"who": "ann", "begins_at": "2026-01-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}
    feed.write_text(json.dumps([shift]))
    fed, trouble = feeds.read(team, now)
    assert trouble == [] and fed.people.on_call("week", now)[0] == ("ann",)
    feed.write_text("<html>")
    fed, trouble = feeds.read(team, now + 3600)
    assert fed.people.on_call("week", now)[0] == ("ann",)
    assert "the feed of week: the feed is no JSON" in trouble[0] and "is known from 1 h ago" in trouble[0]
    fed, trouble = feeds.read(team, now + 8 * 86400)
    assert fed.people.on_call("week", now)[0] == ()


def test_a_calendar_that_never_ends_holds_up_no_other_team(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "CPU_SECONDS", 4)
    calendar = tmp_path / "team.ics"
    calendar.write_text(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:ann\r\nDTSTART:20260101T090000Z\r\nDURATION:P1D\r\n"
        "RRULE:FREQ=DAILY;INTERVAL=0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    said = {
        **TEAM, "incident_tell": {"channels": {"chat": {"kind": "apprise", "address": SECRET}}},
        "incident_contacts": {"lead": {"on_call": "week"}}, "incident_on_call": {"week": {"ical": str(calendar)}},
    }  # fmt: skip
    _team, trouble = Feeds().read(team_of("shop", said), 1_770_000_000.0)
    assert "the feed of week: the feed takes more than 4 s to work out" in trouble[0]

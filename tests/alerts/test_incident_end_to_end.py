# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an alert to a resolved incident and its post-mortem: people are told, the fix is watched, and every time and figure is of the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.from_the_record import invented, unheard
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.told_people import Channels, into_inventory, team
from ansible_collections.oncall.runbooks.tests.support.waiting import until


@pytest.fixture
def channels() -> Iterator[Channels]:
    made = Channels()
    yield made
    made.close()


def incident(serving: Serving, command: str, *arguments: str) -> Any:
    done = serving.command("incident", command, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return as_documented(f"incident_{command}", done.stdout)


def kinds(told: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in told["timeline"] if one["kind"] == kind]


def test_from_an_alert_to_a_resolved_incident_with_its_post_mortem(tmp_path, channels):
    serving = Serving(tmp_path, incidents={"systems": {"shop": ["web"]}, "page": "https://oncall.example.com"})
    into_inventory(tmp_path, team(channels))
    checked = serving.command("serve", "--check")
    assert "incidents of shop: 2 steps, 3 channels" in checked.stdout, checked.stderr
    try:
        serving.start()
        serving.send(alert("h000:6379", labels={"severity": "warning"}))
        until(lambda: incident(serving, "list")[0]["state"] == "resolved", 120, lambda: serving.log.read_text()[-3000:])
        until(lambda: channels.sent("chat")[-1]["kind"] == "resolution")
        told = incident(serving, "show", "1")
        until(lambda: len(kinds(incident(serving, "show", "1"), "delivery")) == len(kinds(told, "message")))
        told = incident(serving, "show", "1")
    finally:
        serving.stop()
    known, timeline = told["incident"], told["timeline"]
    # The alert said P2; what was found is worse, and that begins the escalation anew.
    assert (kinds(told, "opened")[0]["data"]["proposed"], known["severity"], known["severity_proposed"]) == (
        "P2",
        "P1",
        "P1",
    )
    assert [one["data"]["raised"] for one in kinds(told, "severity")] == [True]
    # Each person, and each channel, has each message once.
    ids = [body["id"] for body in channels.sent()]
    assert len(ids) == len({*ids}) == len(kinds(told, "message"))
    assert {one["data"]["message"] for one in kinds(told, "message")} == {*ids}
    assert {one["data"]["result"] for one in kinds(told, "delivery")} == {"sent"}
    first = channels.sent("ada")[0]
    assert first["kind"] == "initial" and "Acknowledge: https://oncall.example.com/act/" in first["text"]
    assert "Redis is down" in first["subject"]
    # It was mitigated, looked at twice by runs, and only then resolved.
    looks = kinds(told, "watch")
    assert [(one["data"]["look"], one["data"]["healthy"]) for one in looks] == [(1, True), (2, True)]
    assert looks[0]["data"]["figures"] == {"cache on h000": "healthy"}
    for look, seconds in zip(looks, (3, 6), strict=True):
        assert look["at"] >= known["mitigated_at"] + seconds
    assert (
        known["resolved_at"] >= looks[-1]["at"]
        and kinds(told, "resolved")[0]["data"]["how"] == "healthy at all of 2 looks"
    )
    assert known["count"] == 1 and len(kinds(told, "run")) == 3
    # What was armed has fired or was stopped.
    assert not known["timers"]
    assert {one["data"]["state"] for one in kinds(told, "timer")} >= {"armed", "fired"}
    assert known["postmortem"] == {"state": "due", "owner": "", "due_at": known["resolved_at"] + 48 * 3600}
    # No address and no key is in the record.
    text = json.dumps(told)
    assert "127.0.0.1" not in json.dumps(
        [one for one in timeline if one["kind"] in ("message", "delivery", "escalated")]
    )
    assert "/act/" not in text
    # The post-mortem says nothing that is not in it.
    found = incident(serving, "postmortem", "1")
    assert invented(told, found) == []
    assert found["parts"][0]["title"] == "What happened"
    page = serving.command("incident", "postmortem", "1", "--format", "markdown").stdout
    assert unheard(told, page) == set() and "What happened" in page
    assert incident(serving, "verify")["sound"] is True
    numbers = incident(serving, "stats")
    assert numbers["all"]["mitigate"]["median"] == round(known["mitigated_at"] - known["opened_at"], 3)
    assert (numbers["fixes"], numbers["verified"]) == (1, 1)

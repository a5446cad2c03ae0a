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
from ansible_collections.oncall.runbooks.tests.support.told_people import KEY, Channels, into_inventory, team
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.incidents.books import Incidents
from oncall.incidents.store.timeline import Filter, IncidentStore
from oncall.serve.store.engine import url_of


@pytest.fixture
def channels() -> Iterator[Channels]:
    made = Channels()
    yield made
    made.close()


def incident(serving: Serving, command: str, *arguments: str) -> Any:
    done = serving.command("incident", command, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return as_documented(f"incident_{command}", done.stdout)


def known(serving: Serving, name: str = "1") -> Any:
    """All of an incident, as the database has it now; None where it is not there."""
    store = IncidentStore(url_of(serving.settings.get("database", ""), str(serving.folder / "state")))
    try:
        return Incidents(store).document(name) if store.count(Filter()) else None
    finally:
        store.close()


def kinds(told: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in told["timeline"] if one["kind"] == kind]


def is_told(serving: Serving) -> bool:
    """Whether it is resolved, and it is known what became of each message."""
    told = known(serving)
    if told is None or told["incident"]["state"] != "resolved":
        return False
    return any(kinds(told, "postmortem")) and len(kinds(told, "delivery")) == len(kinds(told, "message"))


def test_from_an_alert_to_a_resolved_incident_with_its_post_mortem(tmp_path, channels):
    serving = Serving(tmp_path, incidents={"systems": {"shop": ["web"]}, "page": "https://oncall.example.com"})
    into_inventory(tmp_path, team(channels))
    checked = serving.command("serve", "--check")
    assert "incidents of shop: 2 steps, 3 channels" in checked.stdout, checked.stderr
    try:
        serving.start()
        serving.send(alert("h000:6379", labels={"severity": "warning"}))
        until(lambda: is_told(serving), 300, lambda: f"{known(serving)} {serving.log.read_text()[-3000:]}")
        told = incident(serving, "show", "1")
    finally:
        serving.stop()
    one = told["incident"]
    # The alert said P2; what was found is worse, and that begins the escalation anew.
    assert (kinds(told, "opened")[0]["data"]["proposed"], one["severity"], one["severity_proposed"]) == (
        "P2",
        "P1",
        "P1",
    )
    assert [each["data"]["raised"] for each in kinds(told, "severity")] == [True]
    # Each person, and each channel, has each message once.
    ids = [body["id"] for body in channels.sent()]
    assert len(ids) == len({*ids}) == len(kinds(told, "message"))
    assert {each["data"]["message"] for each in kinds(told, "message")} == {*ids}
    assert {each["data"]["result"] for each in kinds(told, "delivery")} == {"sent"}
    first = channels.sent("ada")[0]
    assert first["kind"] == "initial" and "Acknowledge: https://oncall.example.com/act/" in first["text"]
    assert "Redis is down" in first["subject"]
    # It was mitigated, looked at twice by runs, and only then resolved.
    looks = kinds(told, "watch")
    assert [(each["data"]["look"], each["data"]["healthy"]) for each in looks] == [(1, True), (2, True)]
    assert looks[0]["data"]["figures"] == {"cache on h000": "healthy"}
    for look, seconds in zip(looks, (3, 6), strict=True):
        assert look["at"] >= one["mitigated_at"] + seconds
    assert (
        one["resolved_at"] >= looks[-1]["at"]
        and kinds(told, "resolved")[0]["data"]["how"] == "healthy at all of 2 looks"
    )
    assert one["count"] == 1 and len(kinds(told, "run")) == 3
    # What was armed has fired or was stopped.
    assert not one["timers"]
    assert {each["data"]["state"] for each in kinds(told, "timer")} >= {"armed", "fired"}
    assert one["postmortem"] == {"state": "due", "owner": "", "due_at": one["resolved_at"] + 48 * 3600}
    # No address and no key is in the record.
    text = json.dumps(told) + serving.log.read_text()
    assert KEY not in text and "/act/" not in text
    # The post-mortem says nothing that is not in it.
    found = incident(serving, "postmortem", "1")
    assert invented(told, found) == []
    assert found["parts"][0]["title"] == "What happened"
    page = serving.command("incident", "postmortem", "1", "--format", "markdown").stdout
    assert unheard(told, page) == set() and "What happened" in page
    assert incident(serving, "verify")["sound"] is True
    numbers = incident(serving, "stats")
    assert numbers["all"]["mitigate"]["median"] == round(one["mitigated_at"] - one["opened_at"], 3)
    assert (numbers["fixes"], numbers["verified"]) == (1, 1)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault in the lab, Prometheus, Alertmanager, an incident, its escalation, a person in a browser, the fix, the watch, the post-mortem: all of it real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.chromium import PHONE, SECONDS, chromium, looking
from ansible_collections.oncall.runbooks.tests.support.from_the_record import invented, unheard
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from ansible_collections.oncall.runbooks.tests.support.serving import Serving
from ansible_collections.oncall.runbooks.tests.support.told_people import Channels, team
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.incidents.postmortem import words

ADA = "ada0" * 8


@pytest.fixture
def channels() -> Iterator[Channels]:
    made = Channels()
    yield made
    made.close()


@pytest.fixture
def serving(healthy_lab, tmp_path, monkeypatch, channels) -> Iterator[Serving]:
    """The service, which knows the lab, and whom to tell of it; a person decides on what db_pool plans."""
    monkeypatch.setenv("LAB_HOME", str(healthy_lab.home))
    folder = tmp_path / "serve"
    folder.mkdir()
    whom = folder / "team.json"
    whom.write_text(json.dumps({"all": {"children": {"shop": {"hosts": {"lab": {}}, "vars": team(channels)}}}}))
    found = Serving(
        folder,
        hosts=0,
        inventories=[str(REPOSITORY / "inventories" / "lab"), str(whom)],
        keep_environment=["LAB_HOME"],
        runbooks={"db_pool": {"mode": "approve"}},
        incidents={"systems": {"shop": ["shop"]}, "page": "https://oncall.example.com"},
        page={},
    )
    with (folder / "tokens").open("a") as tokens:
        tokens.write(f"{ADA} responder ada\n")
    try:
        yield found.start()
    finally:
        found.stop()


def incident(serving: Serving, command: str) -> Any:
    done = serving.command("incident", command, "1", "--json")
    assert done.returncode == 0, done.stderr
    return as_documented(f"incident_{command}", done.stdout)


def of(told: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in told["timeline"] if one["kind"] == kind]


def in_a_browser(serving: Serving, healthy_lab, channels: Channels) -> str:
    """What the person does who is told; the document that is read at the end."""
    with chromium() as browser, looking(browser, f"http://127.0.0.1:{serving.port}", viewport=PHONE) as (page, trouble):
        page.goto("/")
        page.fill("#token", ADA)
        page.press("#token", "Enter")
        page.wait_for_url("**/")
        page.locator("li.card a.card-link").first.click(timeout=3 * SECONDS * 1000)
        page.wait_for_url("**/incidents/INC-1")
        # Nobody acknowledges until the lead is asked too.
        until(lambda: channels.sent("bob"), told=lambda: str(channels.sent()))
        page.click("text=Acknowledge")
        page.locator(".lead .state-acknowledged").wait_for()
        page.locator(".attention a.card-link").first.click()
        page.wait_for_url("**/plans/*")
        told = page.inner_text("main")
        for part in ("idle_in_transaction", "end_idle_in_transaction", "What would change"):
            assert part in told, told
        assert healthy_lab.there("idle_in_transaction")[0]
        page.fill("#reason", "nobody pays meanwhile")
        page.click("text=Approve exactly this")
        page.wait_for_url("**did=approved")
        page.goto("/incidents/INC-1")
        page.locator(".lead .state-resolved").wait_for(timeout=5 * SECONDS * 1000)
        page.click("text=Open the post-mortem")
        page.click("text=Read the document")
        page.wait_for_url("**/postmortem.html")
        document = page.inner_text("body")
        assert trouble == []
    return document


def test_from_a_fault_to_the_post_mortem(healthy_lab, serving, prometheus, alertmanager, channels):
    healthy_lab.inject("idle_in_transaction")
    document = in_a_browser(serving, healthy_lab, channels)
    assert not healthy_lab.there("idle_in_transaction")[0]
    until(lambda: len(of(incident(serving, "show"), "delivery")) == len(of(incident(serving, "show"), "message")))
    told = incident(serving, "show")
    one = told["incident"]

    # What Alertmanager sent is what began it.
    (first,) = of(told, "alert")[:1]
    assert (first["data"]["labels"]["runbook"], first["data"]["labels"]["instance"]) == ("db_pool", "lab")
    assert one["opened_at"] - 600 < first["data"]["starts_at"] <= one["opened_at"]
    # The engineer was asked at once, the lead because nobody acknowledged; each message went out once.
    ids = [body["id"] for body in channels.sent()]
    assert len(ids) == len({*ids}) and {one["data"]["message"] for one in of(told, "message")} == {*ids}
    assert {one["data"]["result"] for one in of(told, "delivery")} == {"sent"}
    assert "P1" in json.dumps(channels.sent("ada")[0]) and "somebody who knows Redis" in json.dumps(
        channels.sent("bob")
    )
    # A person decided on exactly what was planned, and by it the sessions were ended.
    (approval,) = of(told, "approval")
    planned = [plan["data"]["hash"] for plan in of(told, "plan") if plan["number"] < approval["number"]]
    assert (approval["who"], approval["data"]["reason"]) == ("ada", "nobody pays meanwhile")
    assert approval["data"]["plan_hash"] == planned[-1]
    assert [each["data"]["remedy"] for each in of(told, "action")] == ["end_idle_in_transaction"]
    assert [each["data"]["helped"] for each in of(told, "verification")] == [True]
    # Healthy at both looks of the watch, and only then over; its times are in order.
    assert [(each["data"]["look"], each["data"]["healthy"]) for each in of(told, "watch")] == [(1, True), (2, True)]
    times = [one[f"{state}_at"] for state in ("opened", "acknowledged", "mitigated", "resolved")]
    assert times == sorted(times) and one["acknowledged_by"] == "ada" and one["state"] == "resolved"

    # Every figure and every time of the document is of the record, and those that matter are in it.
    found = incident(serving, "postmortem")
    assert invented(told, found) == []
    assert unheard(told, document) == set()
    for at in (first["data"]["starts_at"], *times):
        assert words.clock(at) in document
    for part in ("idle_in_transaction", "end_idle_in_transaction", "ada", "nobody pays meanwhile"):
        assert part in document
    assert incident(serving, "verify")["sound"] is True

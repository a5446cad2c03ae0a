# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents of the five systems ask for in an incident, done by their own inventories: who is told of what, when, and what is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.duty_desk import BEGAN, MINUTE, Desk, desk
from lab.shape import group_vars
from oncall.incidents import commands as do
from oncall.incidents import postmortem
from oncall.incidents.severity import Seen, propose
from oncall.incidents.teams import trouble_of

RAW = re.compile(r"\{% raw %\}(.*?)\{% endraw %\}")
VAULT = re.compile(r"\{\{ vault_\w+?_(contact|tell)_(\w+) \}\}")


@contextmanager
def system(name: str, folder: Any) -> Iterator[Desk]:
    """The incidents of a system, with the inventory that it has and a vault that is filled in."""

    def filled(found: re.Match[str]) -> str:
        return (
            f"json://{found[2]}.example.com"
            if found[1] == "contact"
            else f"https://{found[2].replace('_', '-')}.example.com"
        )

    text = RAW.sub(r"\1", VAULT.sub(filled, json.dumps(group_vars(name))))
    with desk(folder, json.loads(text)) as made:
        yield made


def opened(made: Desk, severity: str, runbook: str = "") -> None:
    made.books.open("nothing works", who="oncall", source="alert", system="shop", severity=severity, runbook=runbook)
    made.turn()


def called(made: Desk) -> list[tuple[float, list[str]]]:
    """Who was called, and how many minutes after it began."""
    return [
        (round((one.at - BEGAN) / MINUTE, 1), list(one.data["targets"]))
        for one in made.books.timeline("1")
        if one.kind == "escalated"
    ]


@pytest.mark.parametrize("name", ["synap", "journey", "insightengine", "panidobro", "labpics"])
def test_nothing_of_it_would_surprise_anybody_at_night(name, tmp_path):
    with system(name, tmp_path) as made:
        assert trouble_of([made.team], BEGAN) == []


@pytest.mark.covers("SY-0-1", "SY-6-1")
def test_synap_calls_by_time_and_by_role(tmp_path):
    with system("synap", tmp_path) as made:
        assert [(one.name, bool(one.means)) for one in made.team.scheme.levels] == [
            (f"P{number}", True) for number in range(4)
        ]
        opened(made, "P0")
        for _ in range(4):
            made.turn(15)
        assert called(made) == [
            (0, ["on_call_engineer"]), (15, ["team_lead"]), (30, ["engineering_manager"]), (60, ["executive"]),
        ]  # fmt: skip
        # The pager has one alert of all of it, and is told when it is over.
        made.books.resolve("1", "restarted", who="ann")
        made.turn()
        events = [json.loads(one.body) for one in made.calls if "pagerduty" in getattr(one, "url", "")]
        assert {one["dedup_key"] for one in events} == {f"oncall-{made.books.find('1').id}"}
        assert (events[0]["event_action"], events[-1]["event_action"]) == ("trigger", "resolve")


@pytest.mark.covers("SY-0-2", "JO-0-2")
@pytest.mark.parametrize(
    ("name", "severity", "steps"),
    [
        ("synap", "P1", ["acknowledge", "assess", "communicate", "mitigate", "investigate", "resolve", "document"]),
        ("journey", "P1", ["detect", "assess", "respond", "resolve", "review"]),
    ],
)
def test_the_steps_of_a_document_are_ticked_with_who_and_when(name, severity, steps, tmp_path):
    with system(name, tmp_path) as made:
        opened(made, severity)
        made.books.acknowledge("1", who="ann")
        for step in made.team.known.steps:
            made.books.step("1", "incident", step, who="ann")
        one = made.books.find("1")
        assert [step.step for step in one.steps] == steps
        assert {(step.done, step.who, step.at) for step in one.steps} == {(True, "ann", made.clock.now)}
        assert one.acknowledged_at == made.clock.now


@pytest.mark.covers("JO-0-1", "JO-0-5")
def test_journey_tells_by_severity_and_within_its_times(tmp_path):
    with system("journey", tmp_path) as made:
        levels = {one.name: one.respond_seconds for one in made.team.scheme.levels}
        assert levels == {"P0": 300, "P1": 1800, "P2": 7200}
        opened(made, "P0")
        assert called(made) == [(0, ["engineering_manager", "backend_lead"])]
        made.books.update("1", "sync is late for all", who="ann", customers=True)
        made.turn()
        made.books.update("1", "sync is late", who="ann", actions="a rollback", needs="nothing")
        made.turn()
        page = [json.loads(one.body) for one in made.calls if "/v1/pages/" in getattr(one, "url", "")]
        assert page[0]["incident"]["status"] == "investigating"
        for severity, channels in (("P1", {"engineering"}), ("P2", {"tickets"})):
            made.books.open("odd", who="ann", system="shop", severity=severity)
            made.turn()
            name = made.books.listed()[0].name
            assert {one["to"] for one in made.entries("message", name)} == channels
        ticket = next(json.loads(one.body) for one in made.calls if "tickets" in getattr(one, "url", ""))
        assert ticket["title"].startswith("P2 INC-3") and ticket["id"] == made.books.find("3").id


def test_the_matrix_of_journey_proposes_and_advises(tmp_path):
    with system("journey", tmp_path) as made:
        told = propose(made.team.scheme, Seen(facts={"every_request_fails": "every request fails"}))
        assert told.level == "P0" and any("All users affected" in one for one in told.advice)
        told = propose(made.team.scheme, Seen(hints={"recent_deployment": "4 min ago"}, label="warning"))
        assert told.level == "P2" and told.advice == ("Recent deployment: Consider rollback first",)


@pytest.mark.covers("JO-5-1", "JO-5-2")
def test_journey_calls_by_situation_with_what_was_tried_and_what_is_needed(tmp_path):
    with system("journey", tmp_path) as made:
        opened(made, "P0")
        made.books.acknowledge("1", who="ann")
        made.turn(10)
        data = {"runbook": "db_pool", "uuid": "u", "outcome": "unresolved"}
        made.books.write(
            "1",
            do.Write(
                who="oncall", at=made.clock.now, kind="run", words="db_pool on db01 ended as unresolved", data=data
            ),
        )
        made.turn(20)
        # Nobody could resolve it in 30 minutes: acknowledged or not.
        assert called(made)[-1] == (30, ["team_lead"])
        made.books.escalate_by("1", "Security breach", who="ann", tried="the token was withdrawn", need="a decision")
        made.turn()
        assert made.told()[-2:] == [("engineering_manager", "escalation"), ("security_team", "escalation")]
        said = made.calls[-1].body
        for part in (
            "INC-1",
            "Severity: P0",
            "Duration: 30 min",
            "Issue:",
            "the token was withdrawn",
            "ended as unresolved",
            "Need:\na decision",
        ):
            assert part in said, part
        made.books.escalate_by("1", "Database corruption", who="ann")
        made.books.escalate_by("1", "Customer escalation", who="ann")
        made.books.escalate_by("1", "Infrastructure issue", who="ann")
        made.turn()
        told = [who for who, kind in made.told() if kind == "escalation"]
        assert {"backend_lead", "devops_lead", "product_lead"} <= {*told}


@pytest.mark.covers("JO-5-3", "SY-6-2")
def test_journey_writes_its_review_with_its_headings(tmp_path):
    with system("journey", tmp_path) as made:
        opened(made, "P1")
        made.books.note("1", "12 clients", who="ann", part="Clients affected")
        made.books.mitigate("1", "rolled back", who="ann")
        made.books.action_item("1", "measure it", who="ann", owner="ben", due_at=made.clock.now + 86400)
        made.books.resolve("1", "a fix is out", who="ann")
        made.turn()
        assert made.books.find("1").postmortem.due_at == made.clock.now + 48 * 3600
        told = made.books.postmortem("1")
        titles = [one.title for one in told.parts]
        assert titles[:6] == [
            "Meeting Details",
            "Timeline",
            "Root Cause Analysis",
            "Impact Assessment",
            "Action Items",
            "Lessons Learned",
        ]
        text = postmortem.markdown(told)
        assert "12 clients" in text.partition("Clients affected")[2][:200] and "measure it" in text


@pytest.mark.covers("IE-0-1", "IE-1-1")
def test_insightengine_responds_by_its_levels_and_names_a_channel(tmp_path):
    with system("insightengine", tmp_path) as made:
        levels = {one.name: one.respond_seconds or one.respond for one in made.team.scheme.levels}
        assert levels == {"P1": 900, "P2": 3600, "P3": 14400, "P4": "next sprint"}
        assert propose(made.team.scheme, Seen(problems={"auth_failures": "critical"})).level == "P1"
        opened(made, "P1")
        made.books.acknowledge("1", who="ann")
        made.books.role("1", "commander", "ann", who="ann")
        one = made.books.find("1")
        assert re.fullmatch(r"incident-\d{4}-\d{2}-\d{2}-nothing-works", one.channel)
        assert (one.roles, one.acknowledged_by) == ({"commander": "ann"}, "ann")


@pytest.mark.covers("IE-4-1", "IE-5-1", "JO-0-4")
@pytest.mark.parametrize(
    ("name", "severity", "minutes", "looks"), [("insightengine", "P1", 5, 6), ("journey", "P0", 15, 1)]
)
def test_what_was_fixed_is_watched_before_it_is_resolved(name, severity, minutes, looks, tmp_path):
    with system(name, tmp_path) as made:
        opened(made, severity)
        data = {"runbook": "cache", "uuid": "u", "outcome": "resolved", "host": "h1"}
        made.books.write(
            "1", do.Write(who="oncall", at=made.clock.now, kind="run", words="cache on h1 ended as resolved", data=data)
        )
        made.books.mitigate("1", "a restart", who="oncall")
        for number in range(looks):
            assert made.books.find("1").state == "mitigated"
            made.turn(minutes - 0.1)
            assert len(made.entries("watch")) == number
            made.turn(0.1)
        assert [one["look"] for one in made.entries("watch")] == [*range(1, looks + 1)]
        assert made.books.find("1").state == "resolved"
        made.turn()
        # The page is closed, and the channel has the resolution.
        channels = {"insightengine": ["pager", "chat"], "journey": ["alerts"]}[name]
        assert [one for one in made.told() if one[1] == "resolution"] == [(one, "resolution") for one in channels]
        told = made.books.postmortem("1")
        assert made.books.find("1").postmortem.due_at == made.books.find("1").resolved_at + 48 * 3600
        if name == "insightengine":
            assert any("5 Whys" in one.title for one in told.parts) and told.share == "#engineering"


@pytest.mark.covers("PD-6-1")
def test_panidobro_calls_the_owner_of_a_scope_when_a_fix_fails(tmp_path):
    with system("panidobro", tmp_path) as made:
        opened(made, "High", runbook="payment_webhook")
        assert called(made) == [(0, ["on_call_engineer"])]
        data = {"runbook": "payment_webhook", "uuid": "u", "outcome": "unresolved"}
        made.books.write("1", do.Write(who="oncall", at=made.clock.now, kind="run", words="it did not help", data=data))
        made.turn(1)
        assert called(made)[1:] == [(1, ["finance_owner"])]
        for situation, who in (("customers", "customer_support_lead"), ("regulated data", "security")):
            made.books.escalate_by("1", situation, who="ann")
            made.turn()
            assert made.told()[-1] == (who, "escalation")

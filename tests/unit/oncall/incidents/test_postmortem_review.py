# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far post-mortems are, what comes next, and which are due and not written."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_documents import BEGAN, SYSTEMS, story
from oncall.incidents.postmortem.review import STATES, due_at, outstanding, outstanding_items, why_not

HOUR = 3600.0


def incident(number=1, state="resolved", resolved_at=BEGAN, postmortem=None, **more):
    return {
        "id": f"{number:032x}", "number": number, "system": "synap", "title": "down", "severity": "P1", "state": state,
        "resolved_at": resolved_at, "postmortem": postmortem, "action_items": [], **more,
    }  # fmt: skip


def reviewed(state, owner="d.meier"):
    return incident(postmortem={"state": state, "owner": owner, "due_at": BEGAN + 48 * HOUR})


def test_it_is_due_48_hours_after_the_resolution():
    assert due_at(BEGAN) == BEGAN + 48 * HOUR
    assert due_at(BEGAN, 24) == BEGAN + 24 * HOUR


@pytest.mark.parametrize("was", ["", *STATES])
@pytest.mark.parametrize("to", [state for state in STATES if state])
def test_the_states_come_one_after_the_other(was, to):
    allowed = {
        ("", "due"),
        ("due", "draft"),
        ("draft", "review"),
        ("review", "draft"),
        ("review", "done"),
        ("done", "draft"),
    }
    assert (why_not(reviewed(was), to) == "") is ((was, to) in allowed)


@pytest.mark.parametrize(
    ("told", "to", "owner", "why"),
    [
        (reviewed("due"), "done", "", "it is due, and comes next to draft"),
        (reviewed("review"), "due", "", "it is review, and comes next to draft or done"),
        (reviewed("draft"), "draft", "", "it is draft already"),
        (reviewed(""), "draft", "", "none was asked for yet; it is due first"),
        (incident(), "draft", "", "none was asked for yet; it is due first"),
        (reviewed("due"), "written", "", "a post-mortem is never 'written'; it is due, draft, review, done"),
        (reviewed("due"), "", "", "a post-mortem is never ''; it is due, draft, review, done"),
        (reviewed("due", owner=""), "draft", "", "nobody owns it: name an owner"),
        (reviewed("due", owner=""), "draft", "t.lang", ""),
        (incident(state="mitigated", resolved_at=None), "due", "", "the incident is not resolved"),
        (incident(state="cancelled"), "due", "", "the incident is not resolved"),
        # Of a later version.
        (reviewed("printed"), "draft", "", "none was asked for yet; it is due first"),
    ],
)
def test_why_it_cannot_come_into_a_state(told, to, owner, why):
    assert why_not(told, to, owner) == why


def test_those_that_are_due_and_not_written_are_listed_the_first_one_first():
    now = BEGAN + 50 * HOUR
    told = [
        incident(1, resolved_at=BEGAN + HOUR),
        incident(2, postmortem={"state": "draft", "owner": "d.meier", "due_at": BEGAN + 40 * HOUR}),
        incident(3, "closed", BEGAN + 10 * HOUR, {"state": "review", "owner": "d.meier", "due_at": None}),
        incident(4, "closed", postmortem={"state": "done", "owner": "d.meier", "due_at": BEGAN}),
        incident(5, "mitigated", None),
        incident(6, "merged"),
        incident(7, "cancelled"),
        incident(8, "resolved", None),
        incident(9, system="labpics"),
    ]
    found = outstanding(told, now, {"labpics": 24})
    assert [(one.name, one.state, one.owner, one.late_seconds / HOUR) for one in found] == [
        ("INC-9", "due", "", 26.0),
        ("INC-2", "draft", "d.meier", 10.0),
        ("INC-1", "due", "", 1.0),
        ("INC-3", "review", "d.meier", -8.0),
    ]


def test_what_opens_again_owes_none_until_it_is_resolved():
    told = incident(state="triggered", resolved_at=None, postmortem={"state": "draft", "owner": "x", "due_at": BEGAN})
    assert outstanding([told], BEGAN + 100 * HOUR) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_systems_story_is_due(system):
    (one,) = outstanding([story(system).document()["incident"]], BEGAN + 100 * HOUR)
    assert (one.state, one.owner, one.system) == ("draft", "d.meier", system) and one.late_seconds > 0


def test_action_items_that_are_not_done_are_listed_those_without_a_date_at_the_end():
    items = [
        {"item": "a", "text": "first", "owner": "x", "due_at": BEGAN, "done": False},
        {"item": "b", "text": "done", "owner": "x", "due_at": BEGAN, "done": True},
        {"item": "c", "text": "some\x1b[31m day", "owner": "", "due_at": None, "done": False},
        {"item": "d", "text": "soon", "owner": "y", "due_at": BEGAN + 2 * HOUR},
    ]
    found = outstanding_items(
        [incident(1, action_items=items[:3]), incident(2, action_items=items[3:]), incident(3, action_items=None)],
        BEGAN + HOUR,
    )
    assert [(one.item, one.text, one.late_seconds) for one in found] == [
        ("a", "first", HOUR),
        ("d", "soon", -HOUR),
        ("c", "some day", None),
    ]

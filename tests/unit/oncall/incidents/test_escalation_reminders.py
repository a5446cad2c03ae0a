"""Reminders: the next update, the post-mortem and action items, each once for each time that it is due."""

from __future__ import annotations

from oncall.incidents.escalation.reminders import reminders

INCIDENT = {
    "id": "i1", "number": 12, "state": "acknowledged", "assignee": "ada", "next_update_at": 100.0,
    "postmortem": {"state": "draft", "owner": "bob", "due_at": 200.0},
    "action_items": [{"item": 1, "owner": "cyd", "due_at": 50.0, "done": False}, {"item": 2, "owner": "cyd", "due_at": 60.0, "done": True}],
}  # fmt: skip


def test_what_is_due():
    assert [(one.what, one.who) for one in reminders(INCIDENT, 300.0)] == [
        ("action_item", "cyd"),
        ("update", "ada"),
        ("postmortem", "bob"),
    ]
    assert reminders(INCIDENT, 49.0) == []
    assert reminders({"id": "i1", "number": 1}, 1e12) == []


def test_each_is_told_once_and_anew_where_its_time_was_set_anew():
    told = {one.name for one in reminders(INCIDENT, 300.0)}
    assert reminders(INCIDENT, 300.0, told) == []
    assert [one.what for one in reminders({**INCIDENT, "next_update_at": 250.0}, 300.0, told)] == ["update"]


def test_what_has_ended_needs_no_update_but_its_post_mortem():
    assert [one.what for one in reminders({**INCIDENT, "state": "closed"}, 300.0)] == ["action_item", "postmortem"]
    assert [one.what for one in reminders({**INCIDENT, "postmortem": {"state": "done", "due_at": 1.0}}, 300.0)] == [
        "action_item",
        "update",
    ]

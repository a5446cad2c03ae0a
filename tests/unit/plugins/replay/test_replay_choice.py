# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dead messages are replayed, in which order and in which steps, and that what is told adds up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from replaying import NOW_SECONDS, READY, Engine, limits, run

from ansible_collections.oncall.runbooks.plugins.module_utils.replay.accounts import added_up, balance
from ansible_collections.oncall.runbooks.plugins.module_utils.replay.choice import chosen, group_of
from ansible_collections.oncall.runbooks.plugins.module_utils.replay.in_application import answer_of, with_request
from ansible_collections.oncall.runbooks.plugins.module_utils.replay.steps import next_step, pause_seconds, unready

NOTHING: dict[str, Any] = {"sends": {}, "done": {}, "lost": {}}
NO_MAILBOX = group_of("mail", "550 no mailbox")
TIMEOUT = group_of("mail", "timeout")


def message(
    identity: str, age_seconds: float | None = 100, error: str = "550 no mailbox", **more: Any
) -> dict[str, Any]:
    at = None if age_seconds is None else NOW_SECONDS - age_seconds
    return {"id": identity, "name": "mail", "error": error, "mark": "1", "sha256": "00", "at_seconds": at, **more}


def fates(messages: list[dict[str, Any]], earlier: dict[str, Any] | None = None, **more: Any) -> list[tuple[str, str]]:
    found = chosen(messages, {**NOTHING, **(earlier or {})}, NOW_SECONDS, limits(**more))
    assert sum(one["count"] for one in found["groups"]) == len(messages)
    return [(one["id"], one["fate"]) for one in found["messages"]]


@pytest.mark.parametrize(
    ("messages", "earlier", "options", "expected"),
    [
        pytest.param([], {}, {}, [], id="none"),
        pytest.param([message("a", 1), message("b", 9), message("c", None)], {}, {}, "b:chosen a:chosen c:chosen", id="the oldest first"),
        pytest.param(
            [message("a", 1), message("b", 9, "timeout"), message("c", 5)], {}, {}, "b:chosen c:chosen a:chosen", id="a group at a time"
        ),
        pytest.param([message("a", 9), message("b", 1)], {"sends": {"a": 1}}, {}, "b:chosen a:chosen", id="what failed before comes last"),
        pytest.param([message("a"), message("b")], {"sends": {"a": 2}, "done": {NO_MAILBOX: 9}}, {}, "b:chosen a:set_aside", id="the cap"),
        pytest.param([message("a")], {"sends": {"a": 2}}, {"most_replays": 3, "poison_after": 3}, "a:chosen", id="another cap"),
        pytest.param([message("a"), message("b"), message("c")], {"sends": {"a": 1, "b": 1}}, {}, "c:set_aside a:set_aside b:set_aside", id="poison"),
        pytest.param([message("a"), message("b")], {"sends": {"a": 1}}, {}, "b:chosen a:chosen", id="not yet poison"),
        pytest.param(
            [message("a"), message("b", error="timeout")], {"sends": {"a": 2}}, {}, "b:chosen a:set_aside", id="poison beside what is none"
        ),
        pytest.param([message("a"), message("b")], {"sends": {"a": 1, "b": 1}, "done": {NO_MAILBOX: 1}}, {}, "a:chosen b:chosen", id="some ended well"),
        pytest.param([message("a"), message("b")], {"sends": {"a": 1, "b": 1}}, {"groups": [NO_MAILBOX]}, "a:chosen b:chosen", id="named by a person"),
        pytest.param([message("a"), message("b", error="timeout")], {}, {"groups": [TIMEOUT]}, "b:chosen a:set_aside", id="only what is named"),
        pytest.param([message("a"), message("b", error="timeout")], {}, {"set_aside_groups": [TIMEOUT]}, "a:chosen b:set_aside", id="set aside"),
        pytest.param([message("a", 10), message("b", 11)], {}, {"expires_seconds": 11}, "b:expired a:chosen", id="too old"),
        pytest.param([message("a", None)], {}, {"expires_seconds": 11}, "a:chosen", id="nobody knows how old"),
        pytest.param([message("a", expires_at_seconds=NOW_SECONDS), message("b", expires_at_seconds=NOW_SECONDS + 1)], {}, {},
                     "a:expired b:chosen", id="it says so itself"),
        pytest.param([message("a"), message("b")], {"lost": {"a": "1", "b": "0"}}, {}, "a:set_aside b:chosen", id="it may have been sent"),
        pytest.param([message("a")], {"lost": {"a": "1"}}, {"groups": [NO_MAILBOX]}, "a:chosen", id="a person has looked"),
    ],
)  # fmt: skip
def test_chosen(messages, earlier, options, expected):
    assert " ".join(":".join(one) for one in fates(messages, earlier, **options)) == (expected or "")


def test_a_copy_holds_nothing_about_anybody():
    found = chosen(
        [message("a", error="550 no mailbox for someone@example.com password=s3cret")], NOTHING, NOW_SECONDS, limits()
    )
    text = json.dumps(found)
    assert "someone" not in text and "s3cret" not in text


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"a": "chosen", "b": "chosen", "c": "chosen"}, ("send", ["a"])),
        ({"a": "sent", "b": "chosen", "c": "chosen"}, ("prove", ["a"])),
        ({"a": "done", "b": "chosen", "c": "chosen"}, ("send", ["b", "c"])),
        ({"a": "left", "b": "chosen", "c": "chosen"}, ("send", ["b"])),
        ({"a": "failed_again", "b": "chosen", "c": "chosen"}, ("stop", ["a"])),
        ({"a": "lost", "b": "chosen", "c": "chosen"}, ("stop", ["a"])),
        # What still runs is waited for before it is told how many failed.
        ({"a": "failed_again", "b": "sent", "c": "chosen"}, ("prove", ["b"])),
        ({"a": "done", "b": "done", "c": "left"}, ("end", [])),
    ],
)
def test_next_step(states, expected):
    assert next_step([["a", "b", "c"]], states, 50) == expected


def test_steps_of_a_group_and_of_the_next():
    groups = [[f"a{number}" for number in range(100)], ["b0", "b1"]]
    states = {one: "chosen" for group in groups for one in group}
    sizes = []
    while (step := next_step(groups, states, 30))[0] != "end":
        sizes.append(len(step[1]))
        states.update(dict.fromkeys(step[1], "done"))
    assert sizes == [1, 10, 30, 30, 29, 1, 1]


def test_a_batch_that_a_kill_cut_short_is_made_whole():
    states = {f"a{number}": "done" if number < 5 else "chosen" for number in range(100)}
    assert len(next_step([list(states)], states, 50)[1]) == 6
    assert len(next_step([list(states)], states, 3)[1]) == 3
    assert pause_seconds(30, 60) == 30


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        ({}, None),
        ({"workers": None}, None),
        ({"ready": 100}, None),
        ({"ready": 101}, "backlog"),
        ({"rate_limited": True}, "backlog"),
        ({"paused": True}, "paused"),
        ({"workers": 0}, "no_worker"),
        ({"ready": None}, "not_known"),
        ({"available": False, "reason": "Connection refused"}, "not_known"),
    ],
)
def test_unready(seen, kind):
    found = unready({**READY, **seen}, 100)
    assert (found and found[0]) == kind


def test_a_queue_that_fills_meanwhile_is_given_no_more(tmp_path):
    engine, looks = Engine(12), []

    class Seen(dict):  # type: ignore[type-arg]
        def get(self, key: str, default: Any = None) -> Any:
            if key == "ready":
                looks.append(1)
                return 0 if len(looks) < 3 else 999
            return super().get(key, default)

    told = run(tmp_path, engine, seen=Seen(READY))
    assert (told["stopped_by"], told["done"], told["left"]) == ("backlog", 1, 11)


def test_what_expires_before_its_turn_is_not_sent(tmp_path):
    engine = Engine(3)
    engine.messages["m2"]["expires_at_seconds"] = NOW_SECONDS + 0.05
    told = run(tmp_path, engine)
    assert (told["done"], told["expired"], engine.messages["m2"]["sent"]) == (2, 1, 0)


def test_its_time_is_up(tmp_path):
    told = run(tmp_path, Engine(100), per_minute=60, seconds=30)
    assert (told["stopped_by"], told["done"], told["left"]) == ("time", 61, 39)


@pytest.mark.parametrize("name", ["found", "replayed", "set_aside", "left", "done", "still_running"])
def test_counts_that_do_not_add_up_are_a_mistake(name):
    counted = {
        "found": 6,
        "replayed": 3,
        "set_aside": 1,
        "expired": 1,
        "left": 1,
        "done": 1,
        "failed_again": 1,
        "still_running": 1,
        "lost": 0,
    }
    balance(counted)
    with pytest.raises(AssertionError, match="please report this"):
        balance({**counted, name: counted[name] + 1})


BEGUN = {
    "event": "begun",
    "version": 1,
    "at_seconds": 0,
    "messages": [{"id": "a", "fate": "chosen"}, {"id": "b", "fate": "expired"}],
}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "it is empty"),
        ([{"event": "closed"}], "does not begin"),
        ([{**BEGUN, "version": 2}], "does not begin"),
        ([{**BEGUN, "messages": [BEGUN["messages"][0]] * 2}], "twice"),
        ([{**BEGUN, "messages": [{"id": "a", "fate": "fine"}]}], "unknown fate"),
        ([BEGUN, {"event": "sent", "ids": ["a"]}], "message a is sent after it was chosen"),
        ([BEGUN, {"event": "asked", "ids": ["b"], "until_seconds": 0}], "message b is asked after it was expired"),
        ([BEGUN, {"event": "asked", "ids": ["c"], "until_seconds": 0}], "message c is asked after it was None"),
        ([BEGUN, {"event": "closed"}, {"event": "asked", "ids": ["a"]}], "asked follows its end"),
        ([BEGUN, {"event": "eaten", "ids": ["a"]}], "unknown event eaten"),
        ([BEGUN, {"event": "asked"}], "an event in it cannot be read: KeyError"),
        ([BEGUN, 7], "an event in it cannot be read"),
    ],
)
def test_events_that_are_none_of_a_journal(events, said):
    with pytest.raises(ValueError, match=said):
        added_up(events)


def test_a_request_is_data_in_both_languages():
    request = {"ids": ['"; process.exit(7); //', "\u2028\n'''", "\\"], "what": "places"}
    program = with_request('REQUEST = json.loads("REQUEST")', request).decode()
    found: dict[str, Any] = {"json": json}
    exec(program, found)
    assert found["REQUEST"] == request and program.isascii() and "\n" not in program


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ('{"answer": ["a"]}\n', {"answer": ["a"]}),
        ('debugger attached\n{"answer": []}\nbye\n', {"answer": []}),
        ('{"error": "no store"}', {"error": "no store"}),
        ('{"answer": [', None),
        ("[]", None),
        ("", None),
    ],
)
def test_answer_of(printed, expected):
    assert answer_of(printed) == expected

"""The rules of the outbox, and links that act: nothing is sent twice, nothing is tried for ever, nobody is flooded, and no scanner acknowledges."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.incidents.messages.answers import Answer
from oncall.incidents.messages.links import Key, Link, LinkError, followed, read, signed, use_of
from oncall.incidents.messages.outbox import (
    Message,
    Rules,
    after,
    begun,
    choose,
    delivery,
    message_id,
    recovered,
    wait_seconds,
)

NOW = 1_800_000_000.0
RULES = Rules()


def message(number=0, person="ada", kind="initial", at=NOW, **more):
    return Message(message_id("i1", f"t{number}", person, "chat", kind), "i1", person, "chat", kind, at, **more)


def test_the_same_step_for_the_same_person_has_the_same_name():
    assert message_id("i1", "t", "ada", "chat", "initial") == message_id("i1", "t", "ada", "chat", "initial")
    assert len({message_id(*name) for name in (("i1", "t", "ada", "chat", "initial"), ("i1", "t", "ada", "sms", "initial"), ("i1", "t", "bob", "chat", "initial"),
                                               ("i1", "u", "ada", "chat", "initial"), ("i1\x1ft", "", "ada", "chat", "initial"))}) == 5  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer("sent"), "sent"),
        (Answer("unknown", "x"), "unknown"),
        (Answer("refused", "x"), "dead"),
        (Answer("failed", "x"), "waiting"),
    ],
)
def test_what_an_answer_makes_of_it(answer, state):
    done = after(begun(message(), NOW), answer, NOW, RULES)
    assert (done.state, done.attempts) == (state, 1)


def test_it_waits_longer_each_time_and_gives_up():
    one, waits = message(), []
    now = NOW
    while one.state == "waiting":
        one = after(begun(one, now), Answer("failed", "500"), now, RULES)
        waits.append(one.next_at - now)
        now = one.next_at
    assert (one.state, one.attempts) == ("dead", 8)
    assert one.why == "after 8 attempts, as 500"
    for number, wait in enumerate(waits[:-1]):
        assert min(900, 5 * 2**number) <= wait <= min(900, 5 * 2**number) * 1.2


def test_who_asks_to_be_left_alone_is():
    one = after(begun(message(), NOW), Answer("failed", "429", 120.0), NOW, RULES)
    assert one.next_at == NOW + 120
    late = after(begun(message(at=NOW - RULES.give_up_seconds + 60), NOW), Answer("failed", "429", 120.0), NOW, RULES)
    assert (late.state, late.why) == ("dead", "given up, as the next attempt would be too late: 429")


def test_what_a_crash_left_is_not_sent_again_where_nobody_knows():
    left = begun(message(), NOW)
    assert recovered(left, False, RULES, NOW).state == "unknown"
    assert "not sent again" in recovered(left, False, RULES, NOW).why
    again = recovered(left, True, RULES, NOW)
    assert (again.state, again.attempts) == ("waiting", 1)
    assert recovered(message(), False, RULES, NOW) == message()
    # A crash at each attempt ends as well.
    for _crash in range(RULES.most_attempts):
        again = recovered(begun(again, NOW), True, RULES, NOW) if again.state == "waiting" else again
    assert again.state == "dead"


def test_nobody_is_flooded_and_the_most_urgent_comes_first():
    waiting = [message(number, kind="resolution", at=NOW - 10) for number in range(12)] + [
        message(99, kind="escalation"),
        message(1, "bob"),
    ]
    choice = choose(waiting, {"ada": [NOW - 500]}, None, NOW, RULES)
    assert choice.send[0] in (waiting[-1].id, waiting[-2].id)
    assert len([one for one in choice.send if one != waiting[-1].id]) == 9
    assert set(choice.hold.values()) == {NOW + 600}
    full = choose(waiting, {"ada": [NOW - 500 + number for number in range(10)]}, None, NOW, RULES)
    assert full.send == (waiting[-1].id,)
    assert set(full.hold.values()) == {NOW + 100}


def test_what_was_acknowledged_meanwhile_is_dropped():
    waiting = [message(1, timer="i1/1/0/first"), message(2, timer="i1/1/0/lead"), message(3)]
    choice = choose(waiting, {}, {"i1/1/0/lead"}, NOW, RULES)
    assert set(choice.send) == {waiting[1].id, waiting[2].id}
    assert choice.drop == {waiting[0].id: "it was acknowledged or has ended before this was sent"}


def test_a_newer_update_takes_the_place_of_the_older_one():
    old, new, other = message(1, kind="update"), message(2, kind="update", at=NOW + 1), message(3, kind="resolution")
    choice = choose([new, old, other], {}, None, NOW + 2, RULES)
    assert (set(choice.send), choice.drop) == ({new.id, other.id}, {old.id: "a newer update took its place"})


def test_what_is_not_due_waits_also_by_a_clock_that_was_set_back():
    assert choose([message(next_at=NOW + 5)], {}, None, NOW, RULES).send == ()
    assert choose([message(next_at=NOW + 5)], {}, None, NOW + 5, RULES).send
    assert choose([message(next_at=NOW + 5)], {}, None, NOW - 90_000, RULES).send


def test_what_the_timeline_says():
    assert delivery(replace(message(), state="dead", attempts=8, why="500")) == {
        "message": message().id,
        "result": "dead",
        "attempts": 8,
        "why": "500",
    }
    assert delivery(after(begun(message(), NOW), Answer("failed", "500"), NOW, RULES))["result"] == "failed"


ANSWERS = st.sampled_from(
    [Answer("sent"), Answer("failed", "x"), Answer("failed", "x", 30.0), Answer("refused"), Answer("unknown"), None]
)


@given(
    st.lists(ANSWERS, min_size=1, max_size=20),
    st.booleans(),
    st.lists(st.floats(-3600, 3600), min_size=20, max_size=20),
)
def test_it_always_ends_and_what_may_have_arrived_is_never_sent_again(answers, repeatable, steps):
    """None is a crash while it was sent."""
    one, now, sent = message(), NOW, 0
    for answer, step in zip(answers, steps, strict=False):
        now += step
        if one.id not in choose([one] if one.state == "waiting" else [], {}, None, max(now, one.next_at), RULES).send:
            break
        one = begun(one, now)
        sent += 1
        one = recovered(one, repeatable, RULES, now) if answer is None else after(one, answer, now, RULES)
        if (answer is not None and answer.result in ("sent", "unknown", "refused")) or (
            answer is None and not repeatable
        ):
            assert one.state in ("sent", "unknown", "dead")
    assert sent <= RULES.most_attempts
    assert one.state in ("waiting", "sent", "dead", "unknown")
    assert one.state != "waiting" or sent == len(answers)


@given(st.lists(st.tuples(st.sampled_from(["ada", "bob"]), st.sampled_from(["initial", "update", "resolution"])), max_size=30),
       st.lists(st.floats(NOW - 700, NOW + 700), max_size=20))  # fmt: skip
def test_each_person_gets_so_many_and_no_more(asked, before):
    waiting = [message(number, person, kind, NOW + number) for number, (person, kind) in enumerate(asked)]
    choice = choose(waiting, {"ada": before}, None, NOW + 100, RULES)
    of = {one.id: one.person for one in waiting}
    recent = len([at for at in before if at > NOW + 100 - RULES.per_seconds])
    assert len([one for one in choice.send if of[one] == "ada"]) <= max(0, RULES.per_person - recent)
    assert len([one for one in choice.send if of[one] == "bob"]) <= RULES.per_person
    assert sorted([*choice.send, *choice.hold, *choice.drop]) == sorted(of)
    assert all(until > NOW + 100 for until in choice.hold.values())


@given(st.integers(0, 10_000), st.one_of(st.none(), st.floats(allow_nan=True)))
def test_a_wait_is_always_a_number(attempts, retry_after):
    wait = wait_seconds(message(attempts=attempts), RULES, retry_after)
    assert 0 < wait < float("inf")


# ---------------------------------------------------------------------- links
KEY, OTHER = Key("k1", b"1" * 32), Key("k2", b"2" * 32)
LINK = Link("i1", "acknowledge", "ada", "m1", NOW + 3600)
PLAN = Link("i1", "approve", "ada", "m2", NOW + 3600, "h4sh")


def test_a_link_is_what_was_signed():
    for link in (LINK, PLAN):
        assert read(signed(link, KEY, NOW), [OTHER, KEY], NOW + 3599) == link


def test_looking_changes_nothing_and_the_button_acts_once():
    assert [followed(method, LINK, ()) for method in ("GET", "HEAD", "POST")] == ["look", "look", "act"]
    assert [followed(method, LINK, {use_of(LINK)}) for method in ("GET", "POST")] == ["used", "used"]
    # Who approved by a message cannot reject by it as well.
    assert use_of(PLAN) == use_of(replace(PLAN, action="reject"))
    with pytest.raises(LinkError):
        followed("DELETE", LINK, ())


@pytest.mark.parametrize("at", [NOW + 3600, NOW + 1e9])
def test_it_expires(at):
    with pytest.raises(LinkError, match="this link has expired"):
        read(signed(LINK, KEY, NOW), [KEY], at)


def forged(**changed):
    payload = json.dumps({**asdict(LINK), **changed}).encode()
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def test_what_was_changed_is_none_of_ours():
    name, payload, signature = signed(LINK, KEY, NOW).split(".")
    for token in (
        f"{name}.{forged(who='eve')}.{signature}", f"k2.{payload}.{signature}", f"k9.{payload}.{signature}", f"{name}.{payload}.", f"{name}.{payload}",
        f"{name}.{payload}.{signature}.x", f"{name}.{payload}.{signature}=", "", "..", "x" * 3000, "ä.ö.ü", f"{name}.{payload}.{signature[:-1]}",
        signed(LINK, Key("k1", b"9" * 32), NOW),
    ):  # fmt: skip
        with pytest.raises(LinkError, match="none of ours"):
            read(token, [KEY, OTHER], NOW)
    with pytest.raises(LinkError):
        read(signed(LINK, KEY, NOW), [], NOW)


@given(st.data())
def test_no_character_of_a_link_can_be_changed(data):
    token = signed(LINK, KEY, NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.characters(codec="ascii").filter(lambda one: one != token[at]))
    with pytest.raises(LinkError):
        read(token[:at] + put + token[at + 1 :], [KEY], NOW)


@pytest.mark.parametrize(
    "link",
    [
        replace(LINK, action="delete"), replace(LINK, plan="h4sh"), replace(PLAN, plan=""), replace(LINK, who=""), replace(LINK, message=""),
        replace(LINK, expires_at=NOW), replace(LINK, expires_at=NOW + 8 * 86400), replace(LINK, expires_at=float("nan")), replace(LINK, who="x" * 2000),
    ],
)  # fmt: skip
def test_what_may_not_be_made(link):
    with pytest.raises(LinkError):
        signed(link, KEY, NOW)


def test_a_short_key_signs_nothing():
    with pytest.raises(LinkError, match="32 bytes"):
        signed(LINK, Key("k", b"short"), NOW)

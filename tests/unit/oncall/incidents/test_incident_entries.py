# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of entries: what was changed, removed, moved or cut off -> what `verify` says of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.tests.support.schemas import SCHEMA
from oncall.incidents import entries as chain
from oncall.incidents.entries import Draft, Entry, Head, head_of, of_dict, plain, sign, signed_head, verify, write

INCIDENT = "a" * 32
KEY = b"k" * 32
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DRAFTS = st.lists(
    st.builds(
        Draft,
        kind=st.sampled_from(sorted(chain.KINDS - {"opened"})),
        at=st.floats(0, 2e9),
        who=st.text(max_size=5),
        words=st.text(max_size=9),
        data=st.dictionaries(st.text(max_size=4), DATA, max_size=3),
        run=st.sampled_from(["", "b" * 32]),
    ),
    max_size=8,
)


def timeline(drafts=(), clock=100.0):
    opened = Draft("opened", clock, "ann", "opened", {"title": "x", "number": 1})
    return [*write(INCIDENT, Head(), [opened, *drafts], clock)]


def notes(count):
    return timeline([Draft("note", 100.0, "ann", f"note {one}", {"text": f"{one}"}) for one in range(count)])


def said(told, *arguments, **named):
    return [(one.number, one.what) for one in verify(INCIDENT, told, *arguments, **named).problems]


# ---------------------------------------------------------------------- what is written
@given(DRAFTS, st.lists(st.floats(0, 2e9), min_size=9, max_size=9))
def test_a_chain_is_sound_whatever_is_in_it_and_wherever_the_clock_is_set(drafts, clocks):
    told = timeline()
    for draft, clock in zip(drafts, clocks, strict=False):
        told += write(INCIDENT, head_of(told), [draft], clock)
    assert verify(INCIDENT, told, [sign(KEY, INCIDENT, head_of(told))], KEY).is_sound
    assert [one.number for one in told] == [*range(1, len(told) + 1)]
    assert all(one.written_at >= before.written_at for before, one in zip(told, told[1:], strict=False))
    assert all(one.at <= one.written_at for one in told)
    # And it is the same after any other program has read and written it.
    again = [of_dict(json.loads(json.dumps(one.to_dict()))) for one in told]
    assert again == told and verify(INCIDENT, again).is_sound


@pytest.mark.parametrize(
    ("value", "is_plain"),
    [
        (1.0, 1),
        (0.5, 0.5),
        (1e300, 1e300),
        ((1, "a"), [1, "a"]),
        ({"a": (2.0,)}, {"a": [2]}),
        ("\ud800", "?"),
        (True, True),
    ],
)
def test_a_value_has_one_form(value, is_plain):
    assert plain(value) == is_plain and type(plain(value)) is type(is_plain)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, b"x", object(), {"a": {"b"}}])
def test_what_json_has_not_is_refused(value):
    with pytest.raises(ValueError, match=r"JSON|no text"):
        plain(value)


def test_what_is_nested_without_end_is_refused():
    deep: list = []
    deep.append(deep)
    with pytest.raises(ValueError, match="nested"):
        plain(deep)


@pytest.mark.parametrize(
    "change",
    [
        {"number": "1"}, {"number": True}, {"at": "now"}, {"at": float("inf")}, {"at": float("nan")}, {"at": True},
        {"at": 10**400}, {"written_at": 1e12}, {"data": []}, {"who": None}, {"more": 1},
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused(change):
    with pytest.raises(ValueError, match="entry"):
        of_dict({**notes(0)[0].to_dict(), **change})


def test_no_unknown_kind_is_written():
    with pytest.raises(ValueError, match="no kind 'gossip'"):
        write(INCIDENT, Head(), [Draft("gossip", 1.0, "ann", "", {})], 1.0)


# ---------------------------------------------------------------------- what is found
@given(DRAFTS, st.data())
@settings(max_examples=100)
def test_any_change_of_any_part_is_found(drafts, data):
    told = timeline(drafts)
    place = data.draw(st.integers(0, len(told) - 1))
    name, value = data.draw(
        st.sampled_from([
            ("at", 7.25), ("written_at", 7.25), ("kind", "opened"), ("who", "eve"), ("words", "nothing happened"), ("run", "c" * 32),
            ("data", {"x": [1]}), ("previous", "0" * 64), ("hash", "0" * 64), ("number", 99),
        ])
    )  # fmt: skip
    assume(getattr(told[place], name) != value)
    told[place] = replace(told[place], **{name: value})
    assert said(told)


@given(st.integers(1, 6), st.data())
def test_what_was_removed_is_found(count, data):
    told = notes(count)
    place = data.draw(st.integers(0, count - 1))
    del told[place]
    assert said(told) == [(place + 2, f"entry {place + 1} before it was removed")]


@given(st.integers(1, 6), st.data())
def test_what_was_moved_is_found(count, data):
    told = notes(count)
    first, second = sorted(data.draw(st.lists(st.integers(0, count), min_size=2, max_size=2, unique=True)))
    told[first], told[second] = told[second], told[first]
    assert "the entries are not in their order" in [what for _number, what in said(told)]


@given(st.integers(1, 6), st.data())
def test_what_was_moved_and_numbered_anew_is_found(count, data):
    told = notes(count)
    first, second = sorted(data.draw(st.lists(st.integers(0, count), min_size=2, max_size=2, unique=True)))
    told[first], told[second] = (
        replace(told[second], number=first + 1),
        replace(told[first], number=second + 1),
    )
    assert said(told)


def test_an_entry_of_another_incident_is_found():
    (other,) = write("b" * 32, head_of(notes(1)), [Draft("note", 100.0, "ann", "x", {})], 100.0)
    assert said([*notes(1), other]) == [(3, "it was changed: its hash is another one")]


def test_all_gone_is_found():
    assert said([]) == [(0, "there is no entry: all were removed, or there was no such incident")]


@given(st.integers(1, 6), st.data())
def test_a_tail_that_was_cut_off_shows_against_the_head(count, data):
    told = notes(count)
    head = sign(KEY, INCIDENT, head_of(told))
    left = told[: data.draw(st.integers(1, count))]
    # Without the head, nobody can tell; and that is said.
    alone = verify(INCIDENT, left)
    assert alone.is_sound and "whether a tail was cut off or written anew at all" in alone.not_proven[0]
    assert said(left, [head], KEY) == [
        (len(left), f"the tail was cut off: there were {count + 1} entries, and {len(left)} are there")
    ]


def test_a_timeline_that_was_written_anew_shows_against_the_head():
    told = notes(3)
    head = sign(KEY, INCIDENT, head_of(told))
    forged = timeline([Draft("note", 100.0, "ann", f"other {one}", {}) for one in range(3)])
    assert not said(forged)
    assert said(forged, [head], KEY) == [
        (4, "it is another entry than the one that was signed: the timeline was written anew")
    ]


def test_what_came_after_the_head_is_not_proven():
    told = notes(3)
    verdict = verify(INCIDENT, told, [sign(KEY, INCIDENT, head_of(told[:2]))], KEY)
    assert verdict.is_sound
    assert "entries 1 to 2 are those that were signed: none was cut off, and none was written anew" in verdict.proven
    assert verdict.not_proven[0].startswith("whether a tail was cut off or written anew after entry 2:")


def test_a_head_of_another_key_proves_nothing_and_a_made_up_one_is_a_problem():
    told = notes(1)
    theirs = sign(b"other", INCIDENT, head_of(told))
    verdict = verify(INCIDENT, told, [theirs], KEY)
    assert verdict.is_sound and f"signed with the key {theirs.key}, which is not here" in verdict.not_proven[0]
    made_up = replace(theirs, key=chain.name_of_key(KEY))
    assert "wrong signature" in said(told, [made_up], KEY)[0][1]
    of_another = sign(KEY, "b" * 32, head_of(told))
    assert "wrong signature" in said(told, [of_another], KEY)[0][1]


def test_a_head_is_the_same_after_it_was_written_into_a_message():
    head = sign(KEY, INCIDENT, head_of(notes(2)))
    assert signed_head(f" {head}\n") == head
    assert KEY.hex() not in str(head) and KEY.decode() not in str(head)
    for wrong in ("", "x", f"0:{head.hash}:{head.key}:{head.mac}", f"{head}0"):
        with pytest.raises(ValueError, match="is no head"):
            signed_head(wrong)


def test_what_cannot_be_proven_is_always_said():
    told = notes(1)
    verdict = verify(INCIDENT, told, [sign(KEY, INCIDENT, head_of(told))], KEY)
    assert [one.split(":")[0] for one in verdict.not_proven] == [
        "what somebody changed who has the key",
        "whether what was written was true, and its times are those of the clocks that wrote them",
    ]


def test_an_entry_cannot_be_changed():
    with pytest.raises(AttributeError):
        notes(0)[0].who = "eve"  # type: ignore[misc]
    assert isinstance(notes(0)[0], Entry)


def test_the_schema_knows_every_kind_of_entry():
    entries = SCHEMA["$defs"]["incident_show"]["properties"]["timeline"]["items"]
    name = entries.get("$ref", "").rpartition("/")[2]
    told = SCHEMA["$defs"][name] if name else entries
    assert {*told["properties"]["kind"]["enum"]} == chain.KINDS

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timeline makes of an incident: whatever is in it, and whatever people do in whatever order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oncall.incidents import commands as do
from oncall.incidents.commands import Refused, decide
from oncall.incidents.entries import KINDS, Draft, Head, head_of, verify, write
from oncall.incidents.record import OVER, STATES, TIMES, Incident, advance, channel_of, document, fold, of_dict

ID, OTHER = "a" * 32, "b" * 32
WORDS = st.text(max_size=12)
NAMES = st.sampled_from(["ann", "bob", "oncall", ""])
CLOCKS = st.floats(0, 2e9)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(0, 2e9)
    | st.sampled_from(["", "armed", "P1", "ann", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
FIELDS = sorted({
    "to", "role", "severity", "scheme", "proposed", "number", "into", "id", "why", "checklist", "step", "done", "timer", "state",
    "due_at", "until", "next_update_at", "count", "host", "runbook", "item", "text", "owner", "title", "system", "opens_again",
})  # fmt: skip
DRAFTS = st.builds(
    Draft,
    kind=st.sampled_from(sorted(KINDS)),
    at=CLOCKS,
    who=NAMES,
    words=WORDS,
    data=st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=6),
    run=st.sampled_from(["", "c" * 32]),
)


def times(incident):
    return [one for one in (getattr(incident, name) for name in TIMES) if one is not None]


@given(st.lists(st.tuples(DRAFTS, CLOCKS), min_size=1, max_size=15))
@settings(max_examples=80)
def test_any_entries_at_all_make_an_incident_whose_times_are_in_order(drafts):
    told, known, head = [], Incident(ID), Head()
    for draft, clock in drafts:
        told += write(ID, head, [draft], clock)
        head = head_of(told)
        before, known = known, advance(known, told[-1])
        assert times(known) == sorted(times(known))
        assert known.state in STATES and known.head == head
        if before.is_over:
            # Nothing of it changes but where its timeline ends.
            assert {**known.to_dict(), "head": 0} == {**before.to_dict(), "head": 0}
    assert fold(ID, told) == known
    assert of_dict(json.loads(json.dumps(known.to_dict()))) == known
    assert document(known, told)["timeline"][-1]["hash"] == known.head.hash


def test_without_entries_there_is_no_incident():
    with pytest.raises(ValueError, match="begins with an entry that opens it"):
        fold(ID, [])


@pytest.mark.parametrize(
    ("title", "channel"),
    [
        ("Database is down", "incident-2026-02-03-database-is-down"),
        ("Süd: 50 % <@everyone>!", "incident-2026-02-03-sud-50-everyone"),
        ("数据库", "incident-2026-02-03-untitled"),
        ("x" * 200, "incident-2026-02-03-" + "x" * 60),
    ],
)
def test_the_channel_has_a_name_that_a_chat_takes(title, channel):
    assert channel_of(title, 1770076800.0 + 86399) == channel


class People(RuleBasedStateMachine):
    """Two incidents, and people and programs that do to them whatever there is, by clocks that are set forth and back."""

    def __init__(self):
        super().__init__()
        self.told = {ID: [], OTHER: []}
        self.known = {}
        for number, one in enumerate(self.told, 1):
            self._do(
                one,
                do.Open(who="ann", at=1000.0, number=number, title="it is down", severity="P1", proposed="P2"),
                1000.0,
            )

    def _do(self, which, command, clock):
        before = self.known.get(which)
        decided = decide(before, command, clock, which)
        if isinstance(decided, Refused):
            assert decided.reason and "\n" not in decided.reason
            return False
        if before is not None and before.is_over:
            raise AssertionError(f"{before.state} was changed by {command}")
        for entry in decided:
            assert "\n" not in entry.words and len(entry.words) <= do.MOST_LINE
            self.known[which] = advance(self.known.get(which) or Incident(which), entry)
        self.told[which] += decided
        # Whoever says the same again changes nothing, where what is said is a state.
        same = (do.Acknowledge, do.Assign, do.GiveRole, do.Mitigate, do.Resolve, do.Tick, do.Pin, do.AddLink)
        if isinstance(command, same) and self.known[which].state != "resolved":
            assert decide(self.known[which], command, clock) == ()
        return True

    @rule(which=st.sampled_from([ID, OTHER]), who=NAMES, clock=CLOCKS, data=st.data())
    def a_person_does_something(self, which, who, clock, data):
        by = {"who": who, "at": data.draw(CLOCKS)}
        command = data.draw(
            st.one_of(
                st.builds(do.Acknowledge, **{k: st.just(v) for k, v in by.items()}),
                st.builds(do.Assign, to=NAMES, **{k: st.just(v) for k, v in by.items()}),
                st.builds(
                    do.GiveRole,
                    role=st.sampled_from(["commander", "king"]),
                    to=NAMES,
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(do.Note, text=WORDS, **{k: st.just(v) for k, v in by.items()}),
                st.builds(
                    do.SetSeverity,
                    to=st.sampled_from(["P0", "P1", "P2"]),
                    proposed=st.booleans(),
                    levels=st.sampled_from([(), ("P0", "P1", "P2")]),
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(do.Mitigate, how=WORDS, **{k: st.just(v) for k, v in by.items()}),
                st.builds(
                    do.Update,
                    conditions=WORDS,
                    next_update_at=st.none() | CLOCKS,
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(do.Escalate, targets=st.lists(NAMES, max_size=2), **{k: st.just(v) for k, v in by.items()}),
                st.builds(do.Snooze, until=CLOCKS, why=WORDS, **{k: st.just(v) for k, v in by.items()}),
                st.builds(do.Resolve, how=WORDS, **{k: st.just(v) for k, v in by.items()}),
                st.builds(do.Reopen, why=WORDS, relapse=st.booleans(), **{k: st.just(v) for k, v in by.items()}),
                st.builds(
                    do.Tick,
                    checklist=st.just("c"),
                    step=WORDS,
                    done=st.booleans(),
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(
                    do.Pin, number=st.integers(0, 9), pinned=st.booleans(), **{k: st.just(v) for k, v in by.items()}
                ),
                st.builds(do.Correct, number=st.integers(0, 9), text=WORDS, **{k: st.just(v) for k, v in by.items()}),
                st.builds(
                    do.Watch,
                    look=st.integers(0, 3),
                    of=st.just(3),
                    healthy=st.booleans(),
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(
                    do.AddLink,
                    id=st.sampled_from([ID, OTHER]),
                    name=st.just("INC-9"),
                    why=WORDS,
                    **{k: st.just(v) for k, v in by.items()},
                ),
                st.builds(
                    do.Write,
                    kind=st.just("timer"),
                    words=WORDS,
                    data=st.just({"timer": "t", "due_at": 5.5, "state": "armed"}),
                    **{k: st.just(v) for k, v in by.items()},
                ),
            )
        )
        self._do(which, command, clock)

    @rule(which=st.sampled_from([ID, OTHER]), clock=CLOCKS, end=st.sampled_from(["close", "cancel"]))
    @precondition(lambda self: all(len(one) > 4 for one in self.told.values()))
    def somebody_ends_it(self, which, clock, end):
        command = do.Close(who="ann", at=clock) if end == "close" else do.Cancel(who="ann", at=clock, why="a test")
        self._do(which, command, clock)

    @rule(clock=CLOCKS)
    @precondition(lambda self: all(len(one) > 6 for one in self.told.values()))
    def they_are_merged(self, clock):
        source, target = self.known[ID], self.known[OTHER]
        if self._do(ID, do.Merge(who="ann", at=clock, into=target), clock):
            assert self._do(OTHER, do.TakeIn(who="ann", at=clock, source=source), clock)
            assert not self.known[ID].timers and self.known[ID].merged_into == OTHER

    @invariant()
    def all_of_it_holds(self):
        for which, told in self.told.items():
            known = self.known[which]
            assert fold(which, told) == known
            assert verify(which, told).is_sound
            assert times(known) == sorted(times(known))
            assert (known.resolved_at is None) == (known.state not in ("resolved", "closed")) or known.state in OVER
            # What a person said is not what the matrix says.
            assert known.severity_by and known.severity_proposed in ("P0", "P1", "P2")


People.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
TestPeople = People.TestCase

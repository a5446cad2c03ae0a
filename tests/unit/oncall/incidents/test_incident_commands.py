# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command does to an incident in each of its states: what was done before -> the entries, or why there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oncall.incidents import commands as do
from oncall.incidents.commands import Refused, decide
from oncall.incidents.record import Incident, advance

ID, OTHER = "a" * 32, "b" * 32
LEVELS = ("P0", "P1", "P2")


class Case:
    """An incident to which commands are done a minute apart."""

    def __init__(self, incident: str = ID, **options):
        self.now, self.id, self.known = 1000.0, incident, None
        self.kinds = self.do(do.Open, number=1 if incident == ID else 2, title="shop is down", **options)

    def do(self, command, **options):
        """The kinds of the entries, or the reason."""
        self.now += 60
        options = {"who": "ann", "at": self.now, **options}
        decided = decide(self.known, command(**options), self.now, self.id)
        if isinstance(decided, Refused):
            return decided.reason
        for entry in decided:
            self.known = advance(self.known or Incident(self.id), entry)
        self.last = decided
        return [entry.kind for entry in decided]


def in_state(state, **options):
    case = Case(**options)
    steps = {
        "triggered": [],
        "acknowledged": [(do.Acknowledge, {})],
        "mitigated": [(do.Mitigate, {"how": "by a runbook", "who": "oncall"})],
        "resolved": [(do.Resolve, {"how": "restarted"})],
        "closed": [(do.Resolve, {"how": "restarted"}), (do.Close, {})],
        "merged": [(do.Merge, {"into": Case(OTHER).known})],
        "cancelled": [(do.Cancel, {"why": "a test"})],
    }[state]
    for command, named in steps:
        case.do(command, **named)
    assert case.known.state == state
    return case


ACK, MIT, RES, REO = (
    (do.Acknowledge, {}),
    (do.Mitigate, {"how": "x"}),
    (do.Resolve, {"how": "x"}),
    (do.Reopen, {"why": "x"}),
)
CLO, CAN, SNO = (do.Close, {}), (do.Cancel, {"why": "x"}), (do.Snooze, {"until": 2000.0, "why": "x"})
SEEN, ILL = (do.Watch, {"look": 3, "of": 3, "healthy": True}), (do.Watch, {"look": 1, "of": 3, "healthy": False})


@pytest.mark.parametrize(
    ("state", "command", "told", "then"),
    [
        ("triggered", ACK, ["acknowledged"], "acknowledged"),
        ("acknowledged", ACK, [], "acknowledged"),
        ("mitigated", ACK, ["acknowledged"], "mitigated"),
        # Never a reopening.
        ("resolved", ACK, ["note"], "resolved"),
        ("triggered", MIT, ["acknowledged", "mitigated"], "mitigated"),
        ("acknowledged", MIT, ["mitigated"], "mitigated"),
        ("mitigated", MIT, [], "mitigated"),
        ("resolved", MIT, "INC-1 is resolved already; reopen it first", "resolved"),
        ("triggered", RES, ["acknowledged", "resolved"], "resolved"),
        ("mitigated", RES, ["resolved"], "resolved"),
        ("resolved", RES, [], "resolved"),
        ("triggered", REO, [], "triggered"),
        ("mitigated", REO, ["reopened"], "triggered"),
        ("resolved", REO, ["reopened"], "triggered"),
        ("triggered", CLO, "INC-1 is triggered; resolve it first: oncall incident resolve INC-1", "triggered"),
        ("mitigated", CLO, "INC-1 is mitigated; resolve it first: oncall incident resolve INC-1", "mitigated"),
        ("resolved", CLO, ["closed"], "closed"),
        ("acknowledged", CAN, ["cancelled"], "cancelled"),
        ("mitigated", CAN, "INC-1 is mitigated: something was done about it, so resolve it", "mitigated"),
        ("triggered", SNO, ["snoozed"], "triggered"),
        ("mitigated", SNO, "INC-1 is mitigated: nobody is asked anyway", "mitigated"),
        ("triggered", SEEN, "INC-1 is triggered: there is nothing to watch before it is mitigated", "triggered"),
        ("mitigated", SEEN, ["watch", "resolved"], "resolved"),
        ("mitigated", ILL, ["watch", "reopened"], "triggered"),
        ("resolved", SEEN, ["watch"], "resolved"),
        ("resolved", ILL, ["watch", "reopened"], "triggered"),
    ],
)  # fmt: skip
def test_what_a_command_does_in_a_state(state, command, told, then):
    case = in_state(state)
    assert case.do(command[0], **command[1]) == told
    assert case.known.state == then


EVERY = {
    do.Acknowledge: {}, do.Assign: {"to": "bob"}, do.GiveRole: {"role": "scribe", "to": "bob"}, do.Note: {"text": "x"},
    do.SetSeverity: {"to": "P0"}, do.Mitigate: {"how": "x"}, do.Update: {"conditions": "x"}, do.Escalate: {"targets": ["bob"]},
    do.Snooze: {"until": 5000.0, "why": "x"}, do.Resolve: {"how": "x"}, do.Reopen: {"why": "x"}, do.Close: {}, do.Cancel: {"why": "x"},
    do.Tick: {"checklist": "c", "step": "s"}, do.Pin: {"number": 1}, do.AddLink: {"id": OTHER, "name": "INC-2"},
    do.Correct: {"number": 1, "text": "x"}, do.Watch: {"look": 1, "of": 1, "healthy": False},
    do.Write: {"kind": "delivery", "words": "x", "data": {"message": "m", "result": "sent"}},
    do.Merge: {"into": Case(OTHER).known}, do.TakeIn: {"source": Case(OTHER).known},
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("closed", "INC-1 is closed, and never changes again; open a new one that is linked to it: oncall incident open --again INC-1"),
        ("merged", f"INC-1 is merged into another one, which goes on: {OTHER}"),
        ("cancelled", "INC-1 is cancelled, and never changes again; open a new one"),
    ],
)  # fmt: skip
def test_what_is_over_never_changes(state, told):
    assert {type(rule) for rule in do._RULES} == {type} and do._RULES.keys() == EVERY.keys()
    case = in_state(state)
    before = case.known
    assert {case.do(command, **options) for command, options in EVERY.items()} == {told}
    assert case.known == before


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        (do.Note, {"text": " \n"}, "the note is empty"),
        (do.Note, {"text": "x", "who": " "}, "say who you are; the timeline names everybody who changes it"),
        (do.Note, {"text": "x", "at": float("nan")}, "nan is no time: seconds since 1970 are needed"),
        (do.Assign, {"to": "anm", "people": ["ann", "bob"]}, "nobody is called 'anm'; did you mean ann"),
        (do.Assign, {"to": "zoe", "people": ["ann", "bob"]}, "nobody is called 'zoe'; there are ann, bob"),
        (do.GiveRole, {"role": "king", "to": "bob"}, "no role 'king'; there are commander, scribe, liaison, responder"),
        (do.SetSeverity, {"to": "P9", "levels": LEVELS, "scheme": "synap"}, "no severity 'P9' in the scheme synap; there are P0, P1, P2"),
        (do.SetSeverity, {"to": "<b>"}, "'<b>' is no name of a severity"),
        (do.Update, {"conditions": ""}, "say how things are"),
        (do.Update, {"conditions": "x", "next_update_at": 1.0}, "the next update would be in the past"),
        (do.Escalate, {"targets": ["", " "]}, "say to whom it is escalated"),
        (do.Snooze, {"until": 1.0, "why": "x"}, "snooze it for up to 7 days, and not into the past"),
        (do.Snooze, {"until": 1e9, "why": "x"}, "snooze it for up to 7 days, and not into the past"),
        (do.Snooze, {"until": 2000.0, "why": ""}, "say why nobody should be asked meanwhile"),
        (do.Mitigate, {"how": ""}, "say how it was mitigated"),
        (do.Cancel, {"why": ""}, "say why it is none"),
        (do.Pin, {"number": 2}, "there is no entry 2; INC-1 has 1 to 1"),
        (do.Correct, {"number": 0, "text": "x"}, "there is no entry 0; INC-1 has 1 to 1"),
        (do.AddLink, {"id": ID, "name": "INC-1"}, "INC-1 cannot be linked to itself"),
        (do.Open, {"number": 1, "title": "x"}, "INC-1 is there already"),
        (do.Write, {"kind": "note", "words": "x"}, "no kind 'note' that is only written down; there are alert, finding, plan, "),
        (do.Write, {"kind": "action_item", "words": "x", "data": {"item": "A1", "text": "x", "due_at": -1.0}}, "it is due at no time"),
        (do.Write, {"kind": "action_item", "words": "x", "data": {"item": "A1", "text": "x", "due_at": 1e12}}, "it is due at no time"),
        (do.Write, {"kind": "action_item", "words": "x", "data": {"item": "A1", "text": "\u202e"}}, "say what is to be done"),
        (do.Write, {"kind": "delivery", "words": "x"}, "a delivery has to say message, result"),
        (do.Write, {"kind": "delivery", "words": "x", "data": {"message": "m", "result": "lost"}}, "the result of a delivery is one of sent, "),
        (do.Write, {"kind": "delivery", "words": "x", "data": {"message": {1}, "result": "sent"}}, "a delivery with data that are none: a set is "),
    ],
)  # fmt: skip
def test_what_is_refused(command, options, told):
    case = Case()
    assert str(case.do(command, **options)).startswith(told)
    assert case.known.head.number == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"title": " "}, "say in a few words what is wrong"),
        ({"title": "x", "source": "rumour"}, "no source 'rumour'; there are alert, person, run"),
        (
            {"title": "x", "severity": "P7", "levels": LEVELS},
            "no severity 'P7' in the scheme of this system; there are P0, P1, P2",
        ),
        ({"title": "x", "policy": {"steps": float("inf")}}, "the policy is no data: inf is no number of JSON"),
        ({"title": "x", "policy": "x" * 300_000}, "the policy is longer than 262,144 characters"),
    ],
)
def test_what_is_not_opened(options, told):
    assert decide(None, do.Open(who="ann", at=1.0, number=1, **options), id=ID) == Refused(told)


def test_nothing_is_done_to_what_is_not_there():
    told = decide(None, do.Acknowledge(who="ann", at=1.0))
    assert told == Refused("there is no such incident; list them with: oncall incident list")


def test_two_who_acknowledge_at_once_are_one_who_did():
    case = Case()
    case.do(do.Acknowledge, who="bob")
    assert case.do(do.Acknowledge, who="ann") == []
    assert (case.known.acknowledged_by, case.known.assignee) == ("bob", "bob")


def test_what_a_runbook_mitigated_before_anybody_knew_was_not_acknowledged_before():
    case = in_state("mitigated")
    assert case.known.acknowledged_at is None
    case.do(do.Acknowledge)
    assert (case.known.acknowledged_by, case.known.acknowledged_at, case.known.state) == ("ann", None, "mitigated")


def test_what_a_person_says_of_the_severity_stays_and_both_are_kept():
    case = Case(severity="", proposed="P2", levels=LEVELS)
    assert (case.known.severity, case.known.severity_by) == ("P2", "")
    case.do(do.SetSeverity, to="P1", proposed=True, who="oncall", levels=LEVELS, why="all users")
    assert (case.known.severity, case.known.severity_proposed, case.last[0].data["raised"]) == ("P1", "P1", True)
    case.do(do.SetSeverity, to="p0", levels=LEVELS)
    case.do(do.SetSeverity, to="P2", proposed=True, who="oncall", levels=LEVELS)
    assert (case.known.severity, case.known.severity_proposed, case.known.severity_by) == ("P0", "P2", "ann")
    assert case.last[0].words == "the matrix says P2; ann has said P0, which stays"
    # Whoever says what the matrix says means it, too.
    agreed = Case(severity="P2", proposed="P2")
    assert agreed.do(do.SetSeverity, to="P2") == ["severity"] and agreed.known.severity_by == "ann"


def test_what_comes_again_is_triggered_and_has_to_be_acknowledged_anew():
    case = in_state("resolved")
    first = case.known.first_acknowledged_at
    case.do(do.Reopen, why="the alert fires again", relapse=True, who="oncall")
    assert (case.known.acknowledged_at, case.known.mitigated_at, case.known.resolved_at) == (None, None, None)
    assert (case.known.reopenings, case.known.first_acknowledged_at) == (1, first)
    case.do(do.Acknowledge, who="bob")
    assert case.known.acknowledged_at > first and case.known.first_acknowledged_at == first


def test_a_megabyte_is_cut_with_a_word_about_it():
    case = Case()
    case.do(do.Note, text="x" * 1_048_576)
    (entry,) = case.last
    assert entry.data["text"].endswith("x … (cut: it had 1,048,576 characters, and the first 16,000 are kept)")
    assert len(entry.data["text"]) < 16_100 and len(entry.words) == 500


def test_what_a_terminal_would_act_on_and_what_turns_text_around_is_left_out():
    case = Case()
    case.do(do.Note, text="a\x1b[31mred\x00\u202eevil\r\nnext <b>&</b>\tx")
    (entry,) = case.last
    assert entry.data["text"] == "a [31mred evil\nnext <b>&</b>\tx"
    assert entry.words == "a [31mred evil next <b>&</b> x"


def test_the_longest_part_of_what_is_too_long_is_cut():
    case = Case()
    data = {"runbook": "db", "cause": "c", "status": "problem", "evidence": ["x" * 300_000], "summary": "kept"}
    case.do(do.Write, kind="finding", words="db: c", data=data)
    assert case.last[0].data["evidence"] == "(cut: it had 300,004 characters)"
    assert case.last[0].data["summary"] == "kept"


def test_merging_stops_the_timers_of_the_source_and_both_know():
    source, target = Case(), Case(OTHER)
    timer = {"timer": "escalation", "due_at": 5000.0, "state": "armed"}
    source.do(do.Write, kind="timer", words="armed", data=timer)
    assert source.known.timers == {"escalation": 5000.0}
    assert source.do(do.Merge, into=target.known) == ["timer", "merged"]
    assert target.do(do.TakeIn, source=source.known) == ["took_in"]
    assert (source.known.timers, source.known.merged_into, target.known.took_in) == ({}, OTHER, (ID,))
    assert target.do(do.TakeIn, source=source.known) == []
    assert target.do(do.Merge, into=source.known) == f"INC-1 is merged into another one, which goes on: {OTHER}"
    assert target.do(do.Merge, into=target.known) == "INC-2 cannot be merged into itself"


def test_what_is_left_undone_is_not_closed_without_a_word():
    case = in_state("resolved")
    case.do(do.Write, kind="postmortem", words="due", data={"state": "due", "owner": "ann", "due_at": 9000.0})
    case.do(do.Write, kind="action_item", words="to do", data={"item": "1", "text": "raise the pool"})
    told = case.do(do.Close)
    assert told.startswith("the post-mortem (due), action item 1 would never be done, as a closed one does not change;")
    assert case.do(do.Close, why="a drill") == ["closed"]
    assert case.last[0].words == "closed without the post-mortem (due), action item 1: a drill"


def test_a_clock_that_was_set_back_writes_nothing_before_what_is_there():
    case = Case()
    case.now = 500.0
    case.do(do.Acknowledge)
    assert case.known.acknowledged_at == case.known.opened_at == 1060.0
    assert case.last[0].written_at == 1060.0 and case.last[0].at == 560.0


def test_steps_and_pins_can_be_taken_back():
    case = Case()
    assert case.do(do.Tick, checklist="assess", step="users asked") == ["step"]
    assert case.do(do.Tick, checklist="assess", step="users asked", who="bob") == []
    assert case.do(do.Tick, checklist="assess", step="users asked", done=False) == ["step"]
    assert [(one.step, one.done, one.who) for one in case.known.steps] == [("users asked", False, "ann")]
    case.do(do.Pin, number=1)
    assert case.known.pins == (1,)
    case.do(do.Pin, number=1, pinned=False)
    assert case.known.pins == ()


def test_a_correction_leaves_what_it_corrects():
    case = Case()
    case.do(do.Correct, number=1, text="it was the cache")
    assert case.last[0].data == {"number": 1, "text": "it was the cache"}
    assert case.known.title == "shop is down"


def test_a_severity_that_another_scheme_has_is_one_of_that_scheme():
    case = Case(severity="P1", proposed="P1")
    case.do(do.SetSeverity, to="Critical", scheme="panidobro")
    assert (case.known.severity, case.known.scheme) == ("Critical", "panidobro")


def test_an_incident_cannot_be_changed():
    with pytest.raises(AttributeError):
        Case().known.state = "closed"
    assert replace(Case().known, state="closed").is_over


def test_the_owner_of_an_action_item_or_of_a_post_mortem_is_one_line():
    case = Case()
    for kind, more in (("action_item", {"item": "A1", "text": "a\u202eb\nc"}), ("postmortem", {"state": "due"})):
        case.do(do.Write, kind=kind, words="x", data={**more, "owner": "ann\x1b[31m\u202e\nbob", "due_at": 5.0})
        assert case.last[0].data["owner"] == "ann [31m bob"
    assert case.known.action_items[0].text == "ab c"

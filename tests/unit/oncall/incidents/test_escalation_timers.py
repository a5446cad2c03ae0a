"""Timers of an escalation: each fires once, none after an acknowledgement, whatever the clock does; and who is on call at that time."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoneinfo import ZoneInfo

from lab.shape import group_vars
from oncall.incidents.escalation import timers
from oncall.incidents.escalation.hours import Hours
from oncall.incidents.escalation.people import directory
from oncall.incidents.escalation.policy import from_record, parse
from oncall.incidents.severity import scheme_of

T0 = 1_800_000_000.0
STEPS = [
    {"name": "first", "roles": ["first"]},
    {"name": "lead", "roles": ["lead", "second"], "after_minutes": 15},
    {"name": "boss", "roles": ["boss"], "after_minutes": 60},
]  # fmt: skip
LEVELS = ("P0", "P1", "P2")


def policy(steps=STEPS, **rest):
    return parse({"incident_escalation": steps, "incident_policy": rest}, LEVELS)


class Story:
    """A timeline as it is written."""

    def __init__(self, of=None, severity="P1", at=T0):
        self.policy = of or policy()
        self.entries = []
        self.add("opened", at, severity=severity)

    def add(self, kind, at, who="ada", **data):
        last = self.entries[-1]["written_at"] if self.entries else at
        self.entries.append(
            {
                "number": len(self.entries) + 1,
                "kind": kind,
                "at": at,
                "written_at": max(at, last),
                "who": who,
                "data": data,
            }
        )
        return self

    @property
    def standing(self):
        return timers.standing("i1", self.entries, self.policy)

    def due(self, at):
        return [timer.step.name for timer in timers.due(self.policy, self.standing, at)]

    def fire(self, at):
        """What is due, as the service does it."""
        fired = timers.due(self.policy, self.standing, at)
        for timer in fired:
            self.add("timer", at, who="oncall", timer=timer.name, state="fired", step=timer.step.name)
        return [timer.step.name for timer in fired]


def minutes(count):
    return T0 + 60 * count


def test_steps_come_at_their_times():
    story = Story()
    assert [story.fire(minutes(at)) for at in (0, 1, 14.99, 15, 16, 59, 60, 600)] == [
        ["first"],
        [],
        [],
        ["lead"],
        [],
        [],
        ["boss"],
        [],
    ]
    assert timers.next_at(story.policy, story.standing, minutes(600)) is None


def test_several_targets_and_the_time_of_the_next():
    story = Story()
    (first,) = timers.due(story.policy, story.standing, T0)
    assert (first.due_at, first.name) == (T0, "i1/1/0/first")
    assert timers.next_at(story.policy, story.standing, T0) == minutes(15)
    (_first, lead) = timers.due(story.policy, story.standing, minutes(15))
    assert lead.roles == ("lead", "second")


@pytest.mark.parametrize("kind", ["acknowledged", "mitigated", "resolved", "closed", "cancelled", "merged"])
def test_what_stops_it(kind):
    story = Story()
    story.fire(T0)
    story.add(kind, minutes(5))
    assert story.due(minutes(500)) == []
    assert timers.next_at(story.policy, story.standing, minutes(6)) is None


@pytest.mark.parametrize("kind", ["acknowledged", "resolved", "merged"])
def test_what_is_on_its_way_is_stopped_too(kind):
    story = Story()
    (timer,) = timers.due(story.policy, story.standing, T0)
    story.fire(T0)
    assert timers.is_wanted(story.policy, story.standing, timer.name)
    story.add(kind, minutes(1))
    assert not timers.is_wanted(story.policy, story.standing, timer.name)


def test_after_an_outage_of_the_service_each_is_told_once():
    story = Story(policy(repeat=3, repeat_every_minutes=90))
    assert story.fire(minutes(100)) == ["first", "lead", "boss"]
    assert story.fire(minutes(100)) == []
    # The first round of what the second one has told already never comes.
    assert story.fire(minutes(104)) == []
    assert story.fire(minutes(105)) == ["lead"]


def test_it_repeats_so_often_and_no_more():
    story = Story(policy(repeat=2, repeat_every_minutes=90))
    times = [at for at in range(0, 1000, 5) for name in story.fire(minutes(at)) if name == "first"]
    assert times == [0, 90, 180]


def test_a_clock_set_back_fires_nothing_twice_and_holds_nothing_up():
    story = Story()
    assert story.fire(minutes(15)) == ["first", "lead"]
    assert story.fire(minutes(-600)) == []
    assert story.fire(minutes(60)) == ["boss"]
    # Opened by a clock that went wrong: the first step does not wait for that time.
    assert Story(at=minutes(600)).fire(T0) == ["first"]


def test_acknowledged_and_forgotten():
    story = Story(policy(acknowledged_for_minutes=30))
    story.fire(T0)
    story.add("acknowledged", minutes(5))
    assert not timers.needs_acknowledgement(story.policy, story.standing, minutes(34))
    assert story.fire(minutes(34)) == []
    assert timers.needs_acknowledgement(story.policy, story.standing, minutes(35))
    assert story.fire(minutes(35)) == ["first"]
    assert story.fire(minutes(36)) == []
    # A sign of life stops it, and the time counts from there.
    story.add("note", minutes(40), text="on it")
    assert story.fire(minutes(69)) == []
    assert story.fire(minutes(70)) == ["first"]
    story.add("note", minutes(71), who="oncall", text="a machine is no sign of life")
    assert story.fire(minutes(85)) == ["lead"]
    story.add("mitigated", minutes(86))
    assert story.fire(minutes(900)) == []


def test_raising_arms_anew_and_lowering_never():
    story = Story()
    story.fire(T0)
    story.add("acknowledged", minutes(5)).add("severity", minutes(20), **{"from": "P1", "to": "P2"})
    assert story.fire(minutes(90)) == []
    story.add("severity", minutes(100), **{"from": "P2", "to": "P0"})
    assert timers.needs_acknowledgement(story.policy, story.standing, minutes(100))
    assert [story.fire(minutes(at)) for at in (100, 110, 115)] == [["first"], [], ["lead"]]
    story.add("acknowledged", minutes(116))
    assert story.fire(minutes(900)) == []


def test_what_the_matrix_says_later_changes_nothing_where_a_person_decided():
    story = Story()
    story.fire(T0)
    story.add("acknowledged", minutes(1)).add("severity", minutes(2), **{"from": "P1", "to": "P2", "proposed": False})
    story.add("severity", minutes(3), who="oncall", **{"from": "P2", "to": "P0", "proposed": True, "raised": False})
    assert (story.standing.severity, story.fire(minutes(900))) == ("P2", [])
    # Without a person's word it does.
    story = Story().add("acknowledged", minutes(1))
    story.add("severity", minutes(3), who="oncall", **{"from": "P1", "to": "P0", "proposed": True})
    assert (story.standing.severity, story.fire(minutes(3))) == ("P0", ["first"])


@pytest.mark.parametrize(("raised", "fires"), [(True, ["first"]), (False, [])])
def test_the_record_says_whether_it_was_raised(raised, fires):
    story = (
        Story()
        .add("acknowledged", minutes(1))
        .add("severity", minutes(3), **{"from": "SEV2", "to": "SEV1", "raised": raised})
    )
    assert story.fire(minutes(3)) == fires


def test_reopening_arms_anew():
    story = Story()
    story.fire(T0)
    story.add("resolved", minutes(5)).add("reopened", minutes(10), relapse=True)
    assert story.fire(minutes(10)) == ["first"]


def test_a_snooze_is_silence_and_then_begins_anew():
    story = Story()
    story.fire(T0)
    story.add("acknowledged", minutes(2)).add("snoozed", minutes(3), until=minutes(100))
    assert [story.fire(minutes(at)) for at in (4, 99, 100, 115)] == [[], [], ["first"], ["lead"]]
    story.add("acknowledged", minutes(116))
    assert story.fire(minutes(900)) == []


def test_acknowledging_within_a_snooze_counts():
    story = Story()
    story.add("snoozed", minutes(3), until=minutes(100)).add("acknowledged", minutes(50))
    assert story.fire(minutes(500)) == []


def test_a_snooze_holds_a_forgotten_acknowledgement_back():
    story = Story(policy(acknowledged_for_minutes=30))
    story.add("snoozed", minutes(3), until=minutes(100)).add("acknowledged", minutes(50))
    assert [story.fire(minutes(at)) for at in (80, 99)] == [[], []]
    assert not timers.needs_acknowledgement(story.policy, story.standing, minutes(99))
    assert story.fire(minutes(100)) == ["first"]


def test_steps_by_severity_by_runbook_and_after_a_failed_fix():
    steps = [
        {"name": "p0", "roles": ["a"], "severities": ["P0"]},
        {"name": "db", "roles": ["b"], "runbooks": ["db_down"]},
        {"name": "stuck", "roles": ["c"], "begins": "fix_failed", "after_minutes": 5},
        {"name": "long", "roles": ["d"], "after_minutes": 30, "unless": "resolved"},
        {"name": "customer", "roles": ["e"], "begins": "person"},
    ]
    story = Story(policy(steps))
    assert story.fire(T0) == []
    story.add("finding", minutes(1), who="oncall", runbook="db_down")
    assert story.fire(minutes(1)) == ["db"]
    story.add("run", minutes(10), who="oncall", runbook="db_down", outcome="unresolved").add(
        "run", minutes(12), who="oncall", outcome="blocked"
    )
    assert [story.fire(minutes(at)) for at in (14, 15)] == [[], ["stuck"]]
    story.add("acknowledged", minutes(16))
    assert [story.fire(minutes(at)) for at in (29, 30, 31)] == [[], ["long"], []]
    story.add("severity", minutes(40), **{"from": "P1", "to": "P0"})
    # Of what is armed anew, what already applies comes again: somebody has to know that it is worse.
    assert story.fire(minutes(40)) == ["db", "p0"]


def test_journey_calls_its_leads_for_p0_only():
    said = group_vars("journey")
    journey = parse(said, scheme_of(said).names)
    assert Story(journey, "P0").fire(T0) == ["0 min: P0 incident"]
    story = Story(journey, "P1")
    assert [story.fire(minutes(at)) for at in (0, 29, 30, 31)] == [[], [], ["30 min: Can't resolve"], []]


def test_it_keeps_the_policy_it_began_with():
    began = policy().data()
    story = Story(from_record(began))
    assert story.fire(minutes(15)) == ["first", "lead"]
    # Whoever changes the inventory now changes nothing for this incident.
    assert from_record(began) == policy()
    assert [step.name for step in from_record(began).steps] == ["first", "lead", "boss"]


BERLIN = {"zone": "Europe/Berlin", "begins": "09:00", "ends": "17:00"}


def berlin(*at):
    return datetime(*at, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_what_is_held_waits_for_service_hours():
    held = policy(held=["P2"], hours=BERLIN)
    friday = berlin(2026, 11, 27, 16, 50)
    story = Story(held, "P2", friday)
    assert story.fire(friday) == ["first"]
    # Ten minutes of Friday and five of Monday.
    assert timers.next_at(held, story.standing, friday) == berlin(2026, 11, 30, 9, 5)
    night = berlin(2026, 11, 30, 23, 0)
    story = Story(held, "P2", night)
    assert story.fire(night) == []
    assert timers.next_at(held, story.standing, night) == berlin(2026, 12, 1, 9, 0)
    assert Story(held, "P1", night).fire(night) == ["first"]
    # Raised at night: nothing is held any more.
    story.add("severity", night + 60, **{"from": "P2", "to": "P0"})
    assert story.fire(night + 60) == ["first"]


@pytest.mark.parametrize(
    ("hours", "start", "minutes_of_service", "expected"),
    [
        # The clocks go forward on 2026-03-29 at 2:00, and back on 2026-10-25 at 3:00.
        (Hours("Europe/Berlin", frozenset(range(7)), 60, 240), (2026, 3, 29, 0, 0), 90, (2026, 3, 29, 3, 30)),
        (Hours("Europe/Berlin", frozenset(range(7)), 60, 240), (2026, 10, 25, 0, 0), 150, (2026, 10, 25, 2, 30, 0)),
        (Hours("Europe/Berlin", frozenset(range(7)), 540, 1020), (2026, 3, 28, 17, 0), 0, (2026, 3, 29, 9, 0)),
        (Hours("Europe/Berlin", frozenset(range(7)), 540, 1020), (2026, 3, 28, 16, 59), 0, (2026, 3, 28, 16, 59)),
        # Over midnight.
        (Hours("Europe/Berlin", frozenset({0}), 22 * 60, 6 * 60), (2026, 12, 1, 3, 0), 60, (2026, 12, 1, 4, 0)),
        (Hours("Europe/Berlin", frozenset({0}), 22 * 60, 6 * 60), (2026, 12, 1, 5, 30), 60, (2026, 12, 7, 22, 30)),
        # A whole day.
        (Hours("Europe/Berlin", frozenset({5}), 0, 1440), (2026, 12, 5, 23, 59), 2, (2026, 12, 12, 0, 1)),
    ],
)
def test_service_hours_on_the_clock_of_their_zone(hours, start, minutes_of_service, expected):
    at = hours.after(berlin(*start), minutes_of_service * 60)
    if expected[:3] == (2026, 10, 25):
        assert at == datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1).timestamp()
    else:
        assert at == berlin(*expected)


@given(
    st.floats(min_value=1.7e9, max_value=1.9e9), st.floats(min_value=0, max_value=86400 * 5), st.floats(min_value=0, max_value=86400),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu", "America/Sao_Paulo"]),
    st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(0, 1440),
)  # fmt: skip
def test_service_time_never_runs_backwards(start, seconds, more, zone, days, begins, ends):
    hours = Hours(zone, frozenset(days), begins, ends)
    at = hours.after(start, seconds)
    assert at >= start + seconds or math.isclose(at, start + seconds)
    assert hours.after(start, seconds + more) >= at
    if at < math.inf and seconds == 0:
        assert hours.is_open(at)


# ---------------------------------------------------------------------- whatever happens, in whatever order
ACTS = st.one_of(
    st.tuples(st.just("tick"), st.floats(min_value=-7200, max_value=7200)),
    st.tuples(
        st.sampled_from(["acknowledged", "resolved", "reopened", "note", "mitigated", "merged", "run"]), st.just(0.0)
    ),
    st.tuples(st.just("severity"), st.sampled_from(LEVELS)),
    st.tuples(st.just("snoozed"), st.floats(min_value=60, max_value=7200)),
)
POLICIES = st.builds(
    lambda repeat, forgotten, held: policy(
        [*STEPS, {"name": "long", "roles": ["x"], "after_minutes": 30, "unless": "resolved"}, {"name": "stuck", "roles": ["y"], "begins": "fix_failed"}],
        repeat=repeat, repeat_every_minutes=61, **({"acknowledged_for_minutes": 20} if forgotten else {}),
        **({"held": ["P2"], "hours": {**BERLIN, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}} if held else {}),
    ),
    st.integers(0, 2), st.booleans(), st.booleans(),
)  # fmt: skip


@given(POLICIES, st.lists(ACTS, max_size=40))
def test_each_fires_once_and_none_after_an_acknowledgement(of, acts):
    story, clock, severity, fired = Story(of), T0, "P1", set()
    is_acknowledged = has_ended = is_mitigated = False
    snoozed_until = 0.0
    for act, value in acts:
        if act == "tick":
            clock += value
        elif act == "severity":
            is_raise = LEVELS.index(value) < LEVELS.index(severity)
            story.add("severity", clock, **{"from": severity, "to": value})
            severity = value
            if is_raise:
                is_acknowledged = is_mitigated = False
                snoozed_until = 0.0
        elif act == "snoozed":
            snoozed_until = max(clock, story.standing.seen_at) + value
            story.add("snoozed", clock, until=snoozed_until)
            is_acknowledged = is_mitigated = False
        else:
            story.add(act, clock, outcome="unresolved")
            if act in ("acknowledged", "mitigated"):
                is_acknowledged, is_mitigated = True, is_mitigated or act == "mitigated"
            elif act == "reopened":
                is_acknowledged = is_mitigated = has_ended = False
                snoozed_until = 0.0
            elif act in ("resolved", "merged"):
                has_ended = True
        now = max(clock, story.standing.seen_at)
        for timer in timers.due(story.policy, story.standing, clock):
            assert timer.name not in fired
            fired.add(timer.name)
            assert not has_ended
            assert timer.due_at <= now
            assert now >= snoozed_until or timer.step.begins == "fix_failed"
            if is_acknowledged and timer.step.unless == "acknowledged":
                assert timer.forgotten and not is_mitigated
            assert timers.is_wanted(story.policy, story.standing, timer.name)
            story.add("timer", clock, who="oncall", timer=timer.name, state="fired")
        assert timers.due(story.policy, story.standing, clock) == []
    if not (has_ended or is_acknowledged):
        # Who waits long enough hears all of it.
        story.fire(max(clock, snoozed_until, story.standing.seen_at) + 86400 * 30)
        assert {"first", "lead", "boss", "long"} <= {name.rsplit("/", 1)[1] for name in story.standing.fired}


def test_several_nodes_work_out_the_same_names_whatever_their_clocks():
    story = Story()
    names = [
        [timer.name for timer in timers.due(from_record(story.policy.data()), story.standing, minutes(at))]
        for at in (15, 15.1, 59.9)
    ]
    assert names == [["i1/1/0/first", "i1/1/0/lead"]] * 3


# ---------------------------------------------------------------------- people
PEOPLE = {"ada": {"reach": ["chat"]}, "bob": {"reach": ["sms", "mail"]}, "cyd": {}}


def said(**schedule):
    return directory({
        "incident_contacts": {"first": {"on_call": "week"}, "lead": {"people": ["ada", "bob"]}, "desk": {"reach": "PagerDuty"}, "cyd": {"people": ["cyd", "eve"]}},
        "incident_people": PEOPLE, "incident_on_call": {"week": schedule},
    })  # fmt: skip


ROTATION = {"people": ["ada", "bob"], "begins": "2026-03-23T09:00:00", "zone": "Europe/Berlin"}


def test_turns_change_at_the_same_hour_in_summer_and_winter():
    people = said(rotation=ROTATION)
    for day, before, after in ((23, "bob", "ada"), (30, "ada", "bob")):
        assert people.on_call("week", berlin(2026, 3, day, 8, 59))[0] == (before,)
        assert people.on_call("week", berlin(2026, 3, day, 9, 0))[0] == (after,)


def test_an_override_comes_first_and_ends():
    people = said(
        rotation=ROTATION,
        overrides=[{"who": "bob", "begins_at": "2026-03-24T00:00:00Z", "ends_at": "2026-03-25T00:00:00Z"}],
    )
    at = datetime(2026, 3, 24, tzinfo=timezone.utc).timestamp()
    assert [people.on_call("week", when)[0] for when in (at - 1, at, at + 86399, at + 86400)] == [
        ("ada",),
        ("bob",),
        ("bob",),
        ("ada",),
    ]
    assert people.on_call("week", at)[1] == "override of week"


def test_each_person_is_told_once_and_gaps_are_named():
    people = said(rotation=ROTATION)
    found, gaps = people.targets(["first", "lead", "desk", "cyd", "boss"], berlin(2026, 3, 24, 12, 0))
    assert [(one.person, one.roles, one.reach) for one in found] == [
        ("ada", ("first", "lead"), ("chat",)), ("bob", ("lead",), ("sms", "mail")), ("desk", ("desk",), ("PagerDuty",))
    ]  # fmt: skip
    assert gaps == ["cyd: cyd cannot be reached", "cyd: eve is nobody here", "boss: there is no such contact"]


def test_nobody_on_call_is_said():
    people = said(shifts=[{"who": "ada", "begins_at": "2026-03-24T00:00:00Z", "ends_at": "2026-03-25T00:00:00Z"}])
    assert people.targets(["first"], T0) == ([], ["first: nobody has week now"])
    otherwise = said(otherwise=["bob"])
    assert [one.person for one in otherwise.targets(["first"], T0)[0]] == ["bob"]

"""Escalation policies: those of the five systems, what is wrong in one line, and what a check finds before the night does."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from lab.shape import group_vars
from oncall import catalog
from oncall.incidents.escalation.check import check
from oncall.incidents.escalation.feeds import from_json
from oncall.incidents.escalation.people import Directory, directory
from oncall.incidents.escalation.policy import PolicyError, from_record, parse
from oncall.incidents.severity import scheme_of

SYSTEMS = ("insightengine", "journey", "labpics", "panidobro", "synap")
RUNBOOKS = list(catalog.runbooks())
NOW = datetime(2026, 11, 30, tzinfo=timezone.utc).timestamp()
SCHEME = scheme_of({})
CONTACTS = {"lead": {"people": ["ada"]}, "first": {"on_call": "week"}}
PEOPLE = {"ada": {"reach": ["mail"]}, "bob": {"reach": ["mail"], "calls": ["bob@example.com"]}}
WEEK = {"week": {"rotation": {"people": ["ada", "bob"], "begins": "2026-01-05T09:00:00", "zone": "Europe/Berlin"}}}
WELL = {
    "incident_escalation": [{"roles": ["first"]}, {"roles": ["lead"], "after_minutes": 15}],
    "incident_contacts": CONTACTS, "incident_people": PEOPLE, "incident_on_call": WEEK,
}  # fmt: skip


def checked(said, fed=()):
    scheme = scheme_of(said)
    people = directory(said)
    return check(
        parse(said, scheme.names),
        Directory(people.contacts, people.people, people.schedules, dict(fed)),
        scheme,
        RUNBOOKS,
        NOW,
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_policy_of_each_system_has_nothing_that_surprises(system):
    said = group_vars(system)
    assert checked(said) == []
    policy = parse(said, scheme_of(said).names)
    assert from_record(json.loads(json.dumps(policy.data()))) == policy


def test_the_steps_are_those_of_the_documents():
    synap = parse(group_vars("synap"))
    assert [(step.after_minutes, step.roles) for step in synap.steps] == [
        (0, ("on_call_engineer",)), (15, ("team_lead",)), (30, ("engineering_manager",)), (60, ("executive",))
    ]  # fmt: skip
    journey = parse(group_vars("journey"))
    assert {step.situation: (step.after_minutes, step.roles) for step in journey.steps} == {
        "P0 incident": (0, ("engineering_manager", "backend_lead")),
        "Database corruption": (0, ("backend_lead", "devops_lead")),
        "Security breach": (0, ("engineering_manager", "security_team")),
        "Can't resolve": (30, ("team_lead",)),
        "Customer escalation": (0, ("product_lead", "engineering_manager")),
        "Infrastructure issue": (0, ("devops_lead",)),
    }
    assert [step.roles[0] for step in parse(group_vars("panidobro")).steps] == [
        "on_call_engineer", "backend_lead", "data_owner", "infrastructure_owner", "finance_owner", "customer_support_lead", "security"
    ]  # fmt: skip


def test_a_person_calls_a_step_by_its_situation():
    journey = parse(group_vars("journey"))
    assert journey.step("security BREACH").roles == ("engineering_manager", "security_team")
    with pytest.raises(
        PolicyError, match=r"no step of the policy is called 'fire'; there are P0 incident, Database corruption"
    ):
        journey.step("fire")
    with pytest.raises(PolicyError):
        journey.step("")


STEP = {"roles": ["lead"]}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"incident_escalation": [{"after_minutes": 5}]}, "incident_escalation[0]: Object missing required field `roles`"),
        ({"incident_escalation": [{"roles": []}]}, "incident_escalation[0].roles: Expected `array` of length >= 1"),
        ({"incident_escalation": [STEP, {**STEP, "after_minutes": "15"}]}, "incident_escalation[1].after_minutes: Expected `float`, got `str`"),
        ({"incident_escalation": [{**STEP, "after_minutes": -1}]}, "incident_escalation[0].after_minutes: Expected `float` >= 0"),
        ({"incident_escalation": [{**STEP, "after": 1}]}, "incident_escalation[0]: Object contains unknown field `after`"),
        ({"incident_escalation": "lead"}, "incident_escalation: Expected `array`, got `str`"),
        ({"incident_escalation": [STEP, STEP]}, "incident_escalation: two steps are called '0 min: lead'; give each a name of its own"),
        ({"incident_policy": {"repeat": 2}}, "incident_policy.repeat: it needs repeat_every_minutes"),
        ({"incident_policy": {"held": ["P2"]}}, "incident_policy.held: it needs hours, for which these severities wait"),
        ({"incident_policy": {"hours": {"zone": "Mars/Base", "begins": "09:00", "ends": "17:00"}}},
         "incident_policy.hours.zone: there is no time zone 'Mars/Base'"),
        ({"incident_policy": {"hours": {"zone": "../etc", "begins": "09:00", "ends": "17:00"}}}, "incident_policy.hours.zone: there is no time zone"),
        ({"incident_policy": {"hours": {"zone": "UTC", "begins": "9", "ends": "17:00"}}}, "incident_policy.hours.begins: Expected `str` matching regex"),
        ({"incident_policy": {"steps": []}}, "incident_policy.steps: it does not stand here"),
        ({"incident_policy": ["x"]}, "incident_policy: Expected `object`, got `list`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(said, line):
    with pytest.raises(PolicyError) as error:
        parse(said)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"incident_on_call": {"w": {"rotation": {"people": [], "begins": "2026-01-05T09:00:00", "zone": "UTC"}}}}, "incident_on_call"),
        ({"incident_on_call": {"w": {"rotation": {"people": ["a"], "begins": "2026-01-05T09:00:00Z", "zone": "UTC"}}}},
         "incident_on_call.w.rotation.begins: a time on the clock of zone, without an offset"),
        ({"incident_on_call": {"w": {"zone": "Nowhere"}}}, "incident_on_call.w.zone: there is no time zone 'Nowhere'"),
        ({"incident_on_call": {"w": {"ical": "a", "json": "b"}}}, "incident_on_call.w: it has both ical and json"),
        ({"incident_on_call": {"w": {"ical": "week.ics"}}}, "incident_on_call.w: the feed 'week.ics' is neither an address nor a whole path"),
        ({"incident_on_call": {"w": {"json": "~/week.json"}}}, "incident_on_call.w: the feed '~/week.json' is neither an address nor a whole path"),
        ({"incident_on_call": {"w": {"overrides": [{"who": "ada", "begins_at": "2026-01-05T09:00:00", "ends_at": "2026-01-06T09:00:00"}]}}},
         "incident_on_call.w.overrides[0]: its times need an offset"),
        ({"incident_on_call": {"w": {"shifts": [{"who": "ada", "begins_at": "2026-01-05T09:00:00Z", "ends_at": "2026-01-05T09:00:00Z"}]}}},
         "incident_on_call.w.shifts[0]: it ends before it begins"),
        ({"incident_contacts": {"lead": {"people": "ada"}}}, "incident_contacts"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_people_is_said_in_one_line(said, line):
    with pytest.raises(PolicyError) as error:
        directory(said)
    assert str(error.value).startswith(line)


def over(begin, end, who="bob"):
    return {"who": who, "begins_at": f"2026-12-{begin:02}T09:00:00Z", "ends_at": f"2026-12-{end:02}T09:00:00Z"}


def test_what_is_well_has_no_line():
    assert checked(WELL) == []


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"incident_escalation": []}, "incident_escalation has no step: nobody is told of anything"),
        ({"incident_escalation": [*WELL["incident_escalation"], {**STEP, "after_minutes": 20, "severities": ["P9"]}]},
         "step '20 min: lead' can never be reached: no incident has such a severity"),
        ({"incident_escalation": [*WELL["incident_escalation"], {**STEP, "after_minutes": 20, "severities": ["P0", "P9"]}]},
         "step '20 min: lead' is for the unknown severity 'P9'; there are P0, P1, P2, P3"),
        ({"incident_escalation": [*WELL["incident_escalation"], {**STEP, "after_minutes": 20, "runbooks": ["db_dwon"]}]},
         "step '20 min: lead' can never be reached: no incident has such a runbook"),
        ({"incident_escalation": [*WELL["incident_escalation"], {**STEP, "name": "again", "after_minutes": 15, "severities": ["P0"]}]},
         "step 'again' can never be reached by anybody new: '15 min: lead' tells the same roles at the same time"),
        ({"incident_policy": {"repeat": 1, "repeat_every_minutes": 15}},
         "times overlap: all begins again every 15 minutes, before step '15 min: lead' at 15 minutes; repeat_every_minutes has to be more"),
        ({"incident_policy": {"held": ["P7"], "hours": {"zone": "UTC", "begins": "09:00", "ends": "17:00"}}},
         "incident_policy.held has the unknown severity 'P7'; there are P0, P1, P2, P3"),
        ({"incident_escalation": [*WELL["incident_escalation"], {"roles": ["boss"], "after_minutes": 20}]}, "step '20 min: boss' calls 'boss', which is no contact"),
        ({"incident_contacts": {**CONTACTS, "lead": {}}}, "step '15 min: lead' calls 'lead', which nobody has"),
        ({"incident_contacts": {**CONTACTS, "lead": {"people": ["eve"]}}}, "contact 'lead' names 'eve', who is nobody in incident_people"),
        ({"incident_people": {**PEOPLE, "ada": {}}}, "contact 'lead' names 'ada', who cannot be reached"),
        ({"incident_contacts": {**CONTACTS, "first": {"on_call": "night"}}}, "contact 'first' has the unknown schedule 'night'"),
        ({"incident_on_call": {"week": {**WEEK["week"], "overrides": [over(1, 5), over(4, 6, "ada")]}}},
         "times overlap: two overrides of schedule 'week' want 2026-12-04 09:00 UTC, for 'bob' and for 'ada'"),
        ({"incident_on_call": {"week": {"shifts": [over(1, 5)]}}},
         "nobody is on call by 'week' from 2026-11-30 00:00 UTC to 2026-12-01 09:00 UTC; say who is by otherwise"),
        ({"incident_on_call": {**WEEK, "night": WEEK["week"]}}, "schedule 'night' is of no role that a step calls"),
        ({"incident_escalation": [*WELL["incident_escalation"], {"roles": ["lead"], "begins": "person", "after_minutes": 5}]},
         "step '5 min by a person: lead' is called by a person and waits 5 minutes: that time is never used"),
    ],
)  # fmt: skip
def test_a_check_finds_what_would_surprise(changed, line):
    assert line in checked({**WELL, **changed})


def test_hours_that_never_come_are_found():
    closed = [f"2026-{month:02}-{day:02}" for month in (11, 12) for day in range(1, 31)] + ["2026-12-31"]
    closed += [f"2027-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)] + [
        f"2027-{month:02}-{day}" for month in range(1, 13) for day in (29, 30, 31) if not (month == 2 or (day == 31 and month in (4, 6, 9, 11)))
    ] + [f"2028-01-{day:02}" for day in range(1, 32)]  # fmt: skip
    said = {
        **WELL,
        "incident_policy": {
            "held": ["P3"],
            "hours": {"zone": "UTC", "begins": "09:00", "ends": "17:00", "closed": closed},
        },
    }
    assert "step '0 min: first' can never be reached: it waits for service hours that never come" in checked(said)


def test_who_a_feed_names_has_to_be_somebody():
    said = {**WELL, "incident_on_call": {"week": {"json": "https://cal.example.com/week.json", "otherwise": ["ada"]}}}
    people = directory(said)
    feed = from_json(
        b'[{"who": "bob@example.com", "begins_at": "2026-11-30T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}]',
        people,
        NOW,
    )
    assert checked(said, {"week": feed.turns}) == []
    said["incident_on_call"]["week"].pop("otherwise")
    assert any(line.startswith("nobody is on call by 'week'") for line in checked(said))
    assert checked(said, {"week": feed.turns}) == []

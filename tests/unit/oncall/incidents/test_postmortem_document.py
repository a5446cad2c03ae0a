# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An incident and its timeline -> its post-mortem, in which nothing is made up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.tests.support.from_the_record import invented, unheard
from ansible_collections.oncall.runbooks.tests.support.html_pages import Page
from ansible_collections.oncall.runbooks.tests.support.incident_documents import (
    BEGAN,
    ENDS,
    KINDS,
    SYSTEMS,
    Told,
    story,
)
from oncall.incidents import postmortem
from oncall.incidents.postmortem.template import SHOWN, Template

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "oncall" / "incidents" / "postmortem" / "postmortem.schema.json").read_text())


def review(system: str) -> dict:
    return yaml.safe_load((ROOT / "inventories" / system / "group_vars" / system / "incident.yml").read_text())[
        "incident_review"
    ]


def as_json(found: postmortem.PostMortem) -> dict:
    """As a program reads it, and as the schema says."""
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    jsonschema.Draft202012Validator(SCHEMA).validate(told)
    return told


def opened(**more) -> Told:
    told = Told()
    told.add(
        "opened",
        "it is down",
        later=0,
        **{"system": "synap", "title": "down", "severity": "P1", "proposed": "P2", "scheme": "synap", **more},
    )
    return told


def made(told: Told) -> postmortem.PostMortem:
    return postmortem.of(told.document())


def moments(told: Told) -> dict:
    return {one.name: one for one in made(told).moments}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_story_of_each_system_with_every_kind_of_entry(system):
    document = story(system).document()
    assert {one["kind"] for one in document["timeline"]} == {*KINDS} - ENDS
    found = postmortem.of(document, Template.of(review(system)))
    told = as_json(found)
    assert invented(document, told) == []
    for page in (postmortem.markdown(found), Page(postmortem.html(found).decode()).words):
        # Besides those of the record, the headings of the system have one.
        assert unheard(document, page) <= ({"5"} if system == "insightengine" else set())
    assert (found.incident.system, found.duration.seconds) == (system, 2274.0)
    assert len(found.timeline) == len(document["timeline"]) == found.source.number


def test_the_times_are_those_of_the_entries():
    found = {one.name: (one.entry, one.after_seconds, one.step_seconds) for one in made(story("synap")).moments}
    assert found == {
        "began": (2, None, None),
        "detected": (1, 0.0, 95.0),
        "acknowledged": (8, 146.0, 146.0),
        "mitigated": (32, 1369.0, 1223.0),
        "resolved": (34, 2274.0, 905.0),
        "closed": (52, 2400.0, 126.0),
    }


@pytest.mark.parametrize(
    ("starts_at", "at"),
    [
        ("2026-06-09T03:05:37Z", BEGAN - 95),
        ("2026-06-09T03:05:37.25Z", BEGAN - 94.75),
        ("2026-06-09T05:05:37.000000001+02:00", BEGAN - 95),
        (BEGAN - 95, BEGAN - 95),
        ("2026-06-09T03:05:37", None),
        ("2026-13-09T03:05:37Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_an_alert_says_in_its_own_words_when_it_began(starts_at, at):
    told = opened()
    told.add("alert", "Down fires", name="Down", starts_at=starts_at, count=1)
    began = made(told).moments[0]
    assert (began.name, began.at, bool(began.not_known)) == ("began", at and pytest.approx(at), at is None)


def test_who_has_the_alert_already_is_no_lack():
    told = opened()
    told.add("suppressed", "not told: the same to ada", what="the same", why="chat has the alert already", is_told=True)
    told.add("suppressed", "not told: the alert", what="the alert", why="no channel has this severity")
    assert [one.words for one in made(told).could_be_better] == ["not told: the alert"]


@pytest.mark.parametrize(
    ("fired", "is_late"),
    [
        (["at once"], False),
        (["a fix failed"], False),
        (["a fix failed 10 min before"], True),
        (["not acknowledged 15 min after it was armed"], True),
        (["it was acknowledged, and nobody has done anything since"], True),
        (["at once; 5 min late"], True),
        # A person asks for help.
        ([], False),
    ],
)
def test_only_an_escalation_that_was_late_could_be_better(fired, is_late):
    told = opened()
    for why in fired:
        told.add("timer", f"step: {why}", timer="1/0/step", state="fired", step="step", why=why)
        told.add("timer", "step 2 is armed", timer="1/1/step", state="armed", step="step", why="")
    told.add("escalated", "escalated to ann", targets=["ann"], step=0)
    # That of a person afterwards is none of the timer.
    told.add("escalated", "escalated to bob", who="ann", targets=["bob"], step=0)
    assert [one.words for one in made(told).could_be_better] == ["escalated to ann"] * is_late


def test_what_is_not_known_says_so():
    found = made(opened())
    told = as_json(found)
    assert [(one.name, one.not_known) for one in found.moments if one.at is None] == [
        ("began", "no alert says when it began"),
        ("acknowledged", "nobody acknowledged it"),
        ("mitigated", "no entry says that it was mitigated"),
        ("resolved", "it is not resolved"),
        ("closed", "it is not closed"),
    ]
    assert (found.duration.seconds, found.duration.not_known) == (None, "it is not resolved")
    assert (found.review.state, found.review.not_known) == ("", "no entry asks for one")
    assert found.lessons == found.factors == found.actions == ()
    assert [place.said for place in found.whys] == [()] * 5
    assert told["severity"]["proposed"] == "P2" and told["severity"]["chosen"] == "P1"
    text = postmortem.markdown(found)
    assert "- Resolved: not known: it is not resolved\n" in text
    assert "- Duration: not known: it is not resolved" in text
    assert "- no runbook looked\n" in text and "- What was learned? ____\n" in text


def test_one_that_is_open_again_is_not_resolved():
    told = opened()
    told.add("resolved", how="by itself")
    told.add("reopened", "it is back", why="it is back", relapse=True)
    found = made(told)
    assert found.duration.not_known == "it is not resolved; what entry 2 says does not hold"
    resolved = found.moments[4]
    assert (resolved.at, resolved.entry, resolved.entries, found.duration.entries) == (None, None, (2,), (1, 2))
    assert [one.words for one in found.summary] == ["it is down"]
    assert [one.words for one in found.links] == ["it is back"]


def test_the_first_acknowledgement_counts_also_where_it_came_back():
    told = opened()
    told.add("acknowledged", who="d.meier", later=60)
    told.add("reopened", "it is back", why="it is back", relapse=True)
    told.add("acknowledged", who="t.lang", later=60)
    assert (moments(told)["acknowledged"].after_seconds, moments(told)["acknowledged"].entry) == (60.0, 2)


@pytest.mark.parametrize("kind", ["cancelled", "merged"])
def test_what_was_merged_or_cancelled_ended_then(kind):
    told = opened()
    told.add(kind, into="f" * 32, why="it is the same")
    told.incident["closed_at"] = told.at
    assert (moments(told)["closed"].entry, moments(told)["resolved"].at) == (2, None)
    assert invented(told.document(), as_json(made(told))) == []


def test_a_clock_that_was_set_back_gives_no_duration_and_no_figure_below_nothing():
    told = opened()
    told.add("acknowledged", who="d.meier", at=BEGAN - 60)
    told.add("resolved", at=BEGAN - 30)
    found = made(told)
    assert (found.duration.seconds, found.duration.not_known) == (
        None,
        "it ends before it begins: a clock was set back",
    )
    assert "a clock was set back" in moments(told)["acknowledged"].not_known
    assert moments(told)["acknowledged"].after_seconds is None
    assert found.timeline[2].late_seconds == 30.0
    as_json(found)


@pytest.mark.parametrize(
    ("proof", "helped", "not_known"),
    [
        ({"helped": True, "figures": [3, 1]}, True, ""),
        ({"helped": False, "figures": [3, 3]}, False, ""),
        # Nobody knows what was seen, or nobody looked: neither is a success.
        ({"helped": None}, None, "it could not be verified"),
        (None, None, "nobody looked afterwards"),
    ],
)
def test_whether_it_helped_is_what_was_seen_afterwards(proof, helped, not_known):
    told = opened()
    told.add("verification", run="r", runbook="cache", helped=True, figures=[])
    told.add(
        "action", "restarted", run="r", runbook="cache", remedy="restart", target="redis", risk="low", changed=True
    )
    told.add("verification", run="other", runbook="cache", helped=True, figures=[])
    if proof:
        told.add("verification", "looked", run="r", runbook="cache", **proof)
    found = made(told)
    (action,) = found.actions
    assert (action.helped, action.not_known) == (helped, not_known)
    assert action.entries == ((3, 5) if proof else (3,))
    assert (3 in {number for one in found.tried for number in one.entries}) is (helped is not True)
    assert invented(told.document(), as_json(found)) == []


def test_a_second_action_is_not_proven_by_the_look_after_the_first():
    told = opened()
    told.add("action", run="r", runbook="cache", remedy="one")
    told.add("verification", run="r", runbook="cache", helped=True)
    told.add("action", run="r", runbook="cache", remedy="two")
    assert [(one.remedy, one.helped) for one in made(told).actions] == [("one", True), ("two", None)]


def test_a_correction_goes_with_what_it_corrects_everywhere():
    told = opened()
    finding = told.add("finding", "full", runbook="disk_full", cause="logs", status="problem", summary="full to 97 %")
    told.add("corrected", "it was another disk", number=finding, text="It was the disk of 42.")
    found = made(told)
    assert (
        found.findings[0].corrected
        == found.factors[0].corrected
        == found.timeline[1].corrected
        == "It was the disk of 42."
    )
    assert found.findings[0].entries == found.timeline[1].entries == (2, 3)
    assert postmortem.markdown(found).count("  - corrected: It was the disk of 42.") == 4
    assert postmortem.html(found).decode().count("corrected: It was the disk of 42.") == 4


def test_pins_and_lessons_and_answers_are_where_people_put_them():
    found = postmortem.of(story("journey").document(), Template.of(review("journey")))
    assert [one.number for one in found.timeline if one.pinned] == [35]
    assert [one.words for one in found.lessons] == ["Alerts on the canary page somebody now."]
    assert [len(place.said) for place in found.whys] == [1, 0, 0, 0, 0]
    told = opened()
    told.add("note", who="d.meier", text="The alert looks at one client only.", part="Why wasn't it caught earlier?")
    (part,) = [
        one
        for one in postmortem.of(told.document(), Template.of(review("journey"))).parts
        if one.title == "Root Cause Analysis"
    ]
    assert [(place.asks, [one.words for one in place.said]) for place in part.places] == [
        ("What happened?", []),
        ("Why wasn't it caught earlier?", ["The alert looks at one client only."]),
    ]


def test_action_items_keep_what_a_later_entry_leaves_out():
    found = made(story("synap"))
    assert [(one.text, one.owner, one.done, one.entries, one.not_known) for one in found.action_items] == [
        ("Page on errors of the canary", "t.lang", True, (44, 45), ""),
        ("A larger canary", "", False, (46,), "nobody owns it and it is due at no time"),
    ]


def test_people_are_those_who_did_something_and_no_node():
    told = opened()
    told.add("timer", who="node-2", timer="escalation", due_at=1.0, state="armed", step=1)
    told.add("acknowledged", who="d.meier")
    told.add("mitigated", who="node-2")
    assert [one.name for one in made(told).people] == ["d.meier"]


def test_what_repeats_is_said_once_with_all_its_entries():
    told = opened()
    for _ in range(30):
        told.add("delivery", "HTTP 429", message="m", result="failed", attempts=1, why="HTTP 429")
    (one,) = made(told).could_be_better
    assert (one.words, one.entries) == ("HTTP 429", tuple(range(2, 32)))
    assert "(entries 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and others)" in postmortem.markdown(made(told))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "schema_version 1, not 2"),
        ({"incident": None}, "no document of an incident"),
        ({"timeline": [{"kind": "note"}]}, "no document of an incident"),
        ({"timeline": [{"number": 2, "at": 1.0, "kind": "note"}]}, "has a hole"),
    ],
)
def test_what_is_no_document_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        postmortem.of({**opened().document(), **changes})


def test_an_entry_of_a_later_version_is_in_the_timeline():
    told = opened()
    told.add("teleported", "it went elsewhere", anywhere={"x": [math.nan]})
    assert made(told).timeline[1].words == "it went elsewhere"


# Headings


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_headings_of_a_system_come_first_and_nothing_is_left_out(system):
    template = Template.of(review(system))
    assert template.within_hours == 48
    shown = [key for heading in template.parts() for key in heading.shows]
    assert sorted(shown) == sorted(SHOWN)
    titles = [one.title for one in postmortem.of(story(system).document(), template).parts]
    assert titles[: len(template.headings)] == [one.title for one in template.headings]


def test_journeys_review_has_the_headings_of_its_template():
    text = postmortem.markdown(postmortem.of(story("journey").document(), Template.of(review("journey"))))
    asked = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert asked[:6] == [
        "Meeting Details",
        "Timeline",
        "Root Cause Analysis",
        "Impact Assessment",
        "Action Items",
        "Lessons Learned",
    ]
    for place in ("Attendees", "Users affected", "Clients affected", "Data loss", "Revenue impact"):
        assert f"- {place}: ____\n" in text
    for question in (
        "What happened?",
        "Why did it happen?",
        "Why wasn't it caught earlier?",
        "What should we do differently next time?",
    ):
        assert f"- {question} " in text


def test_insightengines_report_has_five_whys_and_says_where_it_is_shared():
    text = postmortem.markdown(postmortem.of(story("insightengine").document(), Template.of(review("insightengine"))))
    whys = text.partition("### Five whys")[2].partition("\n## ")[0]
    assert whys.count("\n- ") == 5 and whys.count("____") == 4
    assert "- Share it in: #engineering\n" in text
    assert "## Action items to prevent recurrence\n" in text and "- Follow-up tickets: ____\n" in text


def test_what_people_wrote_beside_the_words_of_an_entry_is_there():
    told = opened()
    conditions = "half of it works\n" * 60 + "and the end"
    told.add(
        "update",
        f"update: {conditions[:480].strip()}…",
        conditions=conditions,
        actions="the key is renewed",
        needs="a DBA",
    )
    told.add("escalated", "escalated to lead", targets=["lead"], tried="a restart of the pool", need="")
    text = postmortem.markdown(made(told))
    parts = {part.partition("\n")[0]: part for part in text.split("\n## ")}
    assert "actions: the key is renewed; needed: a DBA" in parts["Impact"]
    assert "escalated to lead; tried: a restart of the pool" in parts["What was tried"]
    for said in ("and the end", "actions: the key is renewed", "needed: a DBA", "tried: a restart of the pool"):
        assert said in parts["Timeline"], said


def test_synaps_post_mortem_has_its_timeline_lessons_action_items_and_the_update_of_the_runbook():
    text = postmortem.markdown(postmortem.of(story("synap").document(), Template.of(review("synap"))))
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles[:4] == [
        "Incident with timeline",
        "Lessons learned",
        "Action items to prevent recurrence",
        "Update of the runbook",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"contents": [{"title": "A", "shows": ["timelines"]}]}, "A: shows has no 'timelines'; there are summary"),
        ({"contents": [{"title": "A", "shows": ["whys"]}, {"title": "B", "shows": ["whys"]}]}, "show 'whys' twice"),
        ({"contents": [{"shows": ["whys"]}]}, "a heading without a title"),
        ({"contents": [{"title": "A", "show": []}]}, "no 'show'; there are asks, shows, title"),
        ({"contents": "timeline"}, "contents is no list"),
        ({"within_hours": 0}, "within_hours is no number of hours above 0: 0"),
        ({"within_hours": True}, "within_hours is no number of hours above 0: True"),
        ({"within": 48}, "no 'within'"),
        ([], None),
        ("x", "incident_review is no mapping"),
    ],
)
def test_headings_that_cannot_be_meant_are_refused(said, why):
    if why is None:
        assert Template.of(said) == Template()
        return
    with pytest.raises(ValueError, match=why):
        Template.of(said)


# Nothing is made up, whatever the record says

WORDS = st.text(alphabet=st.sampled_from("abc 0123456789.%/:_-<>&\"'`*\n\x1b\u202e"), max_size=30)
NUMBERS = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), st.sampled_from([0, 0.1 + 0.2, 1e300, -1e-300]))
POINTS = st.lists(
    st.tuples(
        st.floats(BEGAN - 1000, BEGAN + 5000), st.one_of(NUMBERS, st.sampled_from([None, math.nan, math.inf, "x"]))
    ).map(list),
    max_size=6,
)
FLAGS = st.sampled_from([True, False, None])
DATA = {
    "alert": st.fixed_dictionaries({"name": WORDS, "starts_at": st.floats(BEGAN - 1000, BEGAN + 1000), "count": st.integers(1, 10**4)}),
    "finding": st.fixed_dictionaries(
        {
            "runbook": WORDS, "cause": WORDS, "status": st.sampled_from(["problem", "ok", "unknown"]), "summary": WORDS,
            "evidence": st.dictionaries(WORDS, st.one_of(NUMBERS, WORDS, st.lists(NUMBERS, max_size=2)), max_size=2),
            "figures": st.one_of(st.none(), st.dictionaries(WORDS, NUMBERS, max_size=2)),
        }
    ),
    "action": st.fixed_dictionaries(
        {"runbook": st.sampled_from("ab"), "remedy": WORDS, "target": st.one_of(WORDS, NUMBERS), "risk": WORDS, "why": WORDS, "before": NUMBERS, "after": WORDS, "changed": FLAGS}
    ),
    "verification": st.fixed_dictionaries({"runbook": st.sampled_from("ab"), "helped": FLAGS, "figures": st.lists(NUMBERS, max_size=2)}),
    "severity": st.fixed_dictionaries({"from": WORDS, "to": WORDS, "why": WORDS, "proposed": st.booleans()}),
    "note": st.fixed_dictionaries({"text": WORDS, "part": st.sampled_from(["", "lessons", "whys", "impact"])}),
    "corrected": st.fixed_dictionaries({"number": st.integers(0, 9), "text": WORDS}),
    "pinned": st.fixed_dictionaries({"number": st.integers(0, 9)}),
    "approval": st.fixed_dictionaries({"decision": st.sampled_from(["approved", "rejected"]), "reason": WORDS}),
    "delivery": st.fixed_dictionaries({"result": st.sampled_from(["sent", "failed", "dead", "unknown"])}),
    "role": st.fixed_dictionaries({"role": WORDS, "to": WORDS}),
    "action_item": st.fixed_dictionaries({"item": WORDS, "text": WORDS, "owner": WORDS, "due_at": st.one_of(st.none(), st.floats(BEGAN, BEGAN + 10**6)), "done": FLAGS}),
    "metric": st.fixed_dictionaries({"name": WORDS, "unit": WORDS, "points": POINTS}),
    "postmortem": st.fixed_dictionaries({"state": st.sampled_from(["due", "draft"]), "owner": WORDS, "due_at": st.floats(BEGAN, BEGAN + 10**6)}),
    "run": st.fixed_dictionaries({"runbook": WORDS, "outcome": st.sampled_from(["resolved", "blocked"]), "summary": WORDS}),
    **{kind: st.just({}) for kind in ("acknowledged", "mitigated", "resolved", "reopened", "closed", "watch", "update", "suppressed")},
}  # fmt: skip
ENTRY = st.sampled_from(sorted(DATA)).flatmap(
    lambda kind: st.tuples(st.just(kind), WORDS, st.sampled_from([-40.0, 0.0, 1.25, 61.5, 4000.0]), DATA[kind])
)


@settings(max_examples=100)
@given(st.lists(ENTRY, max_size=12))
def test_every_number_of_a_post_mortem_is_in_its_record(entries):
    told = opened()
    for kind, words, later, data in entries:
        told.add(kind, words, later=later, who="d.meier", run="r", **data)
    document = told.document()
    found = postmortem.of(document)
    assert invented(document, as_json(found)) == []
    page = Page(postmortem.html(found).decode())
    assert page.trouble == []
    assert unheard(document, page.words) == set()
    assert unheard(document, postmortem.markdown(found)) == set()


def test_the_check_finds_what_is_made_up():
    document = story("synap").document()
    told = as_json(postmortem.of(document))
    told["duration"]["seconds"] += 1
    told["summary"][0]["words"] += " for 7777 users"
    told["findings"][0]["entries"] = []
    found = invented(document, told)
    assert [one.partition(":")[0] for one in found if "findings" not in one] == ["summary.words", "duration.seconds"]
    assert any("names no entry" in one for one in found)
    assert unheard(document, "7777 users, 2267 s") == {"7777"}


def test_the_guide_names_all_that_can_be_shown():
    table = (ROOT / "docs" / "post-mortems.md").read_text().partition("| `shows` |")[2].partition("\n\n")[0]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == list(SHOWN)

"""The words of messages: what the documents ask for, values as data, and templates of a team that fail, never end or eat memory."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.incidents.entries import Head, sign
from oncall.incidents.escalation.policy import PolicyError
from oncall.incidents.messages import templates, words
from oncall.incidents.messages.templates import KINDS, Template, render, templates_of
from oncall.incidents.messages.words import incident_values, neutral

INCIDENT = {
    "id": "a" * 32, "number": 12, "title": "sessions hold locks", "system": "shop", "severity": "P0", "state": "acknowledged", "opened_at": 1_800_000_000.0,
    "acknowledged_at": 1_800_000_060.0, "resolved_at": None, "next_update_at": 1_800_003_600.0, "assignee": "ada", "channel": "incident-2027-01-15-locks",
    "count": 3, "head": {"number": 17, "hash": "ab" * 32},
}  # fmt: skip
HEAD = str(sign(b"k" * 32, "a" * 32, Head(17, "ab" * 32)))
MORE = {
    "impact": "nobody can pay", "symptoms": ["every request fails", "the pool is full"], "conditions": "as bad as before", "actions": "ended 3 sessions",
    "needs": "somebody who knows the batch job", "issue": "payments", "tried": ["restarted the API", "ended sessions"], "need": "the owner of the job",
    "summary": "a job held locks", "resolution": "the job was ended", "review": "2027-01-17", "updates_every": "30 min",
    "proof": HEAD,
}  # fmt: skip
LINKS = {"page": "https://oncall.example.com/incidents/12", "acknowledge": "https://oncall.example.com/act/e30.x_y-z"}


def values(**changed):
    return incident_values({**INCIDENT, **changed}, 1_800_000_000.0 + 3900, **MORE)


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("initial", ["INCIDENT ALERT INC-12: sessions hold locks", "Severity: P0", "Service: shop", "Started: 2027-01-15 08:00 UTC", "Impact: nobody can pay",
                     "Symptoms:", "- every request fails", "- the pool is full", "Responding: ada", "Status: Investigating", LINKS["page"],
                     f"Acknowledge: {LINKS['acknowledge']}", f"Record: 17 entries, {HEAD}"]),
        ("update", ["Time: 2027-01-15 09:05 UTC", "Status: Investigating", "Conditions:", "as bad as before", "Actions:", "ended 3 sessions", "Needs:",
                    "somebody who knows the batch job", "Next update at: 2027-01-15 09:00 UTC"]),
        ("resolution", ["INCIDENT RESOLVED INC-12: sessions hold locks", "Duration: 1 h 5 min", "Summary:", "a job held locks", "Resolution:",
                        "the job was ended", "Post-incident review: 2027-01-17"]),
        ("customers", ["We are currently investigating reports of payments.", "Our engineering team is working to resolve this as quickly as possible.",
                       "We will provide updates every 30 min."]),
        ("escalation", ["ESCALATION NEEDED INC-12: sessions hold locks", f"Incident: {LINKS['page']}", "Severity: P0", "Duration: 1 h 5 min so far", "Issue:",
                        "payments", "Tried:", "- restarted the API", "- ended sessions", "Need:", "the owner of the job", "Please respond if you can assist."]),
    ],
)  # fmt: skip
def test_a_message_says_what_the_documents_ask_for(kind, lines):
    done = render(kind, values(), links=LINKS)
    assert done.trouble == ""
    said = done.body.splitlines()
    assert [line for line in lines if line not in said] == []
    assert [said.index(line) for line in lines] == sorted(said.index(line) for line in lines)
    assert not re.search(r"\n{3}| $|None|\[\]", done.body, re.M)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_known_leaves_no_hole(kind):
    done = render(
        kind, incident_values({**INCIDENT, "assignee": None, "next_update_at": None, "head": None}, 1_800_000_000.0)
    )
    assert not re.search(r"\n{3}|None|: *$\n*\Z", done.body)
    assert done.subject


def test_customers_are_told_nothing_of_the_inside():
    done = render("customers", values(title="db7.internal has lost its disk"), links=LINKS)
    for inside in ("db7", "INC-12", "shop", "ada", "oncall.example.com", "P0", "restarted"):
        assert inside not in done.body + done.subject
    assert "is resolved since 2027-01-15 08:10 UTC" in render("customers", values(resolved_at=1_800_000_600.0)).body


@pytest.mark.parametrize(
    "text",
    ["@channel", "@everyone", "a@everyone", "<!here>", "<!channel|x>", "<@U123>", "<#C1>", "<@&99>", "<script>alert(1)</script>", "&lt;b&gt;", "[x](http://evil)",
     "[x][1]", "[1]: http://evil", "<http://evil|click>", "*bold*", "__x__", "_x_", "~x~", "`x`", "```x```", "# x", "#general", "|| spoiler ||", "a\n- b", "--- x",
     "\\@here"],
)  # fmt: skip
def test_no_markup_and_no_mention_comes_out_of_a_value(text):
    said = neutral(text)
    assert not re.search(r"@(?!\u200b)|[<>`*~|\\&\n]|\]\(|\]\[|\]:|(?<!\w)_|_(?!\w)|(?<!\S)#|^-{2}", said), said
    for kind in KINDS:
        body = render(
            kind,
            values()
            | dict.fromkeys(("title", "issue", "impact", "responding"), text)
            | {"tried": [text], "symptoms": [text]},
        ).body
        assert said in body


def test_names_and_addresses_stay_readable():
    assert (
        neutral("db_pool of web-1: 8/8 (100 %) at https://shop.example.com/a?b=c#d")
        == "db_pool of web-1: 8/8 (100 %) at https://shop.example.com/a?b=c#d"
    )


def test_no_secret_comes_out_of_a_value():
    body = render(
        "initial",
        values() | {"title": "postgres://u:hunter2@db/x", "symptoms": ["password=hunter3", "Bearer abcdef0123456789"]},
    ).body
    assert not re.search("hunter|abcdef0123456789", body)


def test_a_value_is_no_template():
    for own in (None, Template("{{ title }}", "{{ title }}")):
        assert "{{ 7 + 7 }}" in render("update", values(title="{{ 7 + 7 }}"), own).body


def test_a_note_of_a_megabyte_is_cut():
    done = render("update", values() | {"actions": "x" * 1_000_000, "conditions": ["y" * 10_000] * 500})
    assert len(done.body) < templates.MOST_BODY
    assert len(render("update", values(title="z" * 1000)).subject) <= templates.MOST_SUBJECT


@given(st.text(max_size=200))
def test_any_text_is_one_line_without_mention(text):
    said = neutral(text)
    assert len(said.splitlines()) <= 1
    assert "@" not in said.replace("@\u200b", "")
    assert not set(said) & set("<>`*~|\\&")


# ---------------------------------------------------------------------- templates of a team
def test_a_team_has_its_own_words():
    own = templates_of(
        {
            "incident_templates": {
                "update": {
                    "subject": "Hi {{ incident }}",
                    "body": "<!here> {{ title | upper }}\n{% for t in tried %}{{ loop.index }}. {{ t }}\n{% endfor %}",
                }
            }
        }
    )
    done = render("update", values(), own["update"])
    assert (done.subject, done.body, done.trouble) == (
        "Hi INC-12",
        "<!here> SESSIONS HOLD LOCKS\n1. restarted the API\n2. ended sessions",
        "",
    )
    assert templates.check(own) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{ titel }}", "body: 'titel' is undefined"),
        ("a\n{% if %}", "body: line 2: "),
        ("{% include 'x' %}", "body: no loader for this environment specified"),
        ("{{ ''.__class__.__mro__ }}", "body: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ title.__init__.__globals__ }}", "body: access to attribute '__init__'"),
        ("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "it takes too much time or memory"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "body: "),
        ("{{ 'x' * 1000000000 }}", "body: it takes too much memory"),
        ("{{ '%1000000000d' % 1 }}", "body: it takes too much memory"),
        ("{{ 9 ** (9 ** 9) }}", "it takes too much time or memory"),
        ("{{ 'x' * 20000 }}", "body: it makes more than 16000 characters"),
        ("{% for a in range(100000) %}xxxxxxxxxx{% endfor %}", "body: it makes more than 16000 characters"),
        ("{{ 1 / 0 }}", "body: division by zero"),
        ("{{ tried.append('x') }}", "body: "),
        ("   ", "body: nothing comes out of it"),
    ],
)  # fmt: skip
def test_a_template_with_an_error_falls_back_and_says_so(body, why):
    began = time.monotonic()
    done = render("update", values(), Template("s", body))
    assert done.trouble.startswith(f"the template update of incident_templates is not used: {why}"), done.trouble
    assert done.body.startswith("INCIDENT UPDATE INC-12")
    assert "(the template update of incident" in done.body
    assert time.monotonic() - began < 60


def test_customers_do_not_see_that_a_template_failed():
    done = render("customers", values(), Template("s", "{{ titel }}"))
    assert done.trouble
    assert "template" not in done.body
    # And a team's template for them gets nothing of the inside either.
    assert "'title' is undefined" in render("customers", values(), Template("s", "{{ title }}")).trouble


def test_what_hangs_is_ended():
    assert templates.apart({"body": "x"}, {}, 0.01) == ({}, "it takes too much time or memory")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"upd": {"subject": "", "body": ""}}, "incident_templates: there is no kind 'upd'; there are initial, update"),
        ({"update": {"subject": ""}}, "incident_templates"),
        ({"update": "x"}, "incident_templates"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(said, line):
    with pytest.raises(PolicyError) as error:
        templates_of({"incident_templates": said})
    assert str(error.value).startswith(line)


def test_a_check_renders_each_with_much_and_with_little():
    own = {"update": Template("s", "{{ tried[0] }}"), "initial": Template("s", "{{ page }} {{ title }}")}
    assert templates.check(own) == [
        "the template update of incident_templates is not used: body: list object has no element 0"
    ]


def test_durations():
    assert [words.length(seconds) for seconds in (-5, 59, 60, 3600, 3900, 90000, 86400)] == [
        "less than a minute", "less than a minute", "1 min", "1 h", "1 h 5 min", "1 d 1 h", "1 d"
    ]  # fmt: skip

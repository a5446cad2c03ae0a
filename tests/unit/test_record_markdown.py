"""The record as a page: its raw text reads well, and nothing from outside becomes markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.oncall.runbooks.plugins.plugin_utils.record_markdown import markdown

RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# What the page itself is made of; a code span shows its text as it is.
OURS = {"h1", "h2", "p", "ul", "li", "code", "pre"}
NOISE = st.text(alphabet=st.sampled_from("ab1 _*`[]()<>!#&;:/\\~|-+=.@\"'\n"), max_size=40)


GROWS = {"cause": "grows", "status": "problem", "summary": "1 MB/s", "advice": "Ask why."}


def a_run(**said):
    finding = {"cause": "end_of_disk", "status": "problem", "summary": "full", "advice": "Look at it."}
    action = {"remedy": "clean_up", "cause": "end_of_disk", "state": "done", "helped": True, "seconds": 1.5}
    step = {"remedy": "clean_up", "cause": "end_of_disk", "risk": "low", "available": True, "why_not": "", "undo": None}
    return {
        "runbook": "disk_full",
        "host": "shop",
        "outcome": "resolved",
        "summary": "it was full; clean_up helped",
        "started_at": 0,
        "seconds": 2.0,
        "findings": [
            finding,
            {"cause": "nothing_else", "status": "ok"},
            {"cause": "busy", "status": "ok", "summary": "a bit"},
        ],
        "findings_after": [{"cause": "end_of_disk", "status": "ok"}, GROWS],
        "actions": [{**action, "details": {"removed": ["a_b"]}, "reason": ""}],
        "plan": {"hash": "p0123", "risk": "low", "steps": [{**step, "targets": {"paths": ["/var/a_b"]}}]},
        "run_id": "0b5c8c1e",
        "escalation": "",
        **said,
    }


def page(**said):
    return markdown({"runs": [a_run(**said)]})


def test_what_matters_comes_first_and_reads_well_as_it_is():
    text = page()
    assert re.findall(r"^#+ (.*)", text, re.M) == [
        *("disk_full on shop: resolved", "What is wrong", "What was done", "Whether it helped", "What to do next"),
        *("Plan", "This run"),
    ]
    assert "\\" not in text
    assert "- end_of_disk: full\n" in text
    assert '- clean_up for end_of_disk: done in 1.5 s\n  - details: `{"removed": ["a_b"]}`\n' in text
    assert "- end_of_disk is gone: clean_up helped\n" in text
    assert "- grows: there now. 1 MB/s\n" in text
    assert "- grows: Ask why.\n" in text
    assert "- also seen: busy: a bit\n" in text
    assert "- looked for and not found: nothing_else\n" in text


def test_the_screen_of_a_look_at_everything_and_who_began_a_run():
    text = page(lines=["P0: complete outage", "1. db_down (critical): stopped"], begun_by="triage")
    assert text.index("## At one look") < text.index("## What is wrong")
    assert "- P0: complete outage" in text
    assert "- begun by: triage" in text
    assert "## At one look" not in page()


def test_it_says_what_to_do_next():
    problem = [
        {"cause": "end_of_disk", "status": "problem", "summary": "still full", "advice": ["Buy one.", "Or two."]}
    ]
    action = {**a_run()["actions"][0], "state": "rolled_back", "helped": False}
    text = page(outcome="unresolved", actions=[action], findings_after=problem, escalation="ops")
    assert "- clean_up for end_of_disk: rolled back in 1.5 s" in text
    assert "- end_of_disk is not gone: clean_up did not help. still full\n" in text
    assert "## What to do next\n\n- end_of_disk: Buy one.\n- end_of_disk: Or two.\n- tell ops\n" in text
    planned = page(outcome="planned", actions=[], findings_after=[])
    assert "- to act on exactly this plan: `-e run_plan=p0123`\n" in planned
    assert "What was done" not in planned and "Whether it helped" not in planned


@pytest.mark.parametrize(
    "said",
    [
        *(
            "a_b and pg_dump*",
            "3 * 4 < 13 & more",
            "see ~/notes [3] {x} #7",
            r"C:\Users",
            "a | b",
            "`docker unpause` it",
        ),
    ],
)
def test_what_is_no_markup_is_not_escaped(said):
    assert f"\n\n{said}\n\n" in page(summary=said)


def rendered(text):
    """The tags of a page, and its text as a reader sees it."""
    html = RENDER.render(text)
    return set(re.findall(r"</?(\w+)", html)), html


@given(NOISE, NOISE)
@example("[a](http://b)", "<script>")
@example("[a]: http://b", "![a](b)")
@example("# heading", "- [a](b)\n\n# heading")
@example("a\n===", "***")
@example("__init__", "*a* _b_ **c**")
@example("1. one", "2) two")
@example("`", "``a`")
def test_nothing_from_outside_is_markup(first, second):
    said = [{"cause": "c", "status": "problem", "summary": first, "advice": second}]
    text = page(outcome="advised", summary=first, findings=said, findings_after=[], notes=[second], actions=[], plan={})
    tags, html = rendered(text)
    assert tags <= OURS, html
    sections = ["What is wrong", "What was done", "What to do next", "This run"]
    sections = sections if second else [one for one in sections if one != "What to do next"]
    assert re.findall("<h2>(.*)</h2>", html) == sections and html.count("<h1>") == 1, html
    assert html.count("<ul>") == len(sections), html


@pytest.mark.parametrize(
    "address", ["https://evil.example/a_b", "www.evil.example", "mailto:a@b.example", "a@b.example"]
)
def test_an_address_is_no_link_anywhere(address):
    assert f"look at `{address}`" in page(summary=f"look at {address}")


def test_a_log_cannot_end_the_block_of_the_evidence():
    text = page(evidence={"log": ["```", "# heading", "</pre><script>"]})
    tags, html = rendered(text)
    assert "script" not in tags and html.count("<h1>") == 1


def test_a_snapshot_says_where_it_is_and_what_is_not_in_it():
    missing = {"part": "database", "look": "size", "what": "the size", "reason": "PostgreSQL shop: <b>refused</b>"}
    kept = {
        "host": "shop",
        "summary": "1 of 2 parts whole",
        "archive": "/snapshots/shop-x.tar.gz",
        "sha256": "abc",
        "missing": [missing],
        "cut": [
            {"file": "logs/api.log", "kept_bytes": 5, "of_bytes": 9},
            {"file": "logs/web.log", "kept_bytes": 5, "of_bytes": None},
        ],
    }
    text = markdown({"runs": [], "snapshots": [kept]})
    assert text.startswith("# snapshot of shop\n\n1 of 2 parts whole\n")
    assert "- archive: `/snapshots/shop-x.tar.gz`" in text
    assert "- database: the size: PostgreSQL shop: \\<b>refused\\</b>" in text
    assert "- logs/api.log: 5 bytes of 9" in text and "- logs/web.log: 5 bytes of an unknown number" in text

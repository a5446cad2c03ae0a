# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem as pages: what the record says is text in them, whatever it is, and they need nothing from elsewhere."""

from __future__ import annotations

import re
import time

import pytest
from markdown_it import MarkdownIt

from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.html import DARK, LIGHT
from ansible_collections.oncall.runbooks.tests.support.hostile_alerts import templates
from ansible_collections.oncall.runbooks.tests.support.html_pages import Page, contrast, of_itself
from ansible_collections.oncall.runbooks.tests.support.incident_documents import SYSTEMS, Told, story
from ansible_collections.oncall.runbooks.tests.support.planted_secrets import PLANTED, left_in
from oncall.incidents import postmortem
from oncall.incidents.postmortem.rows import LINES

RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"h1", "h2", "h3", "p", "ul", "li", "code", "pre"}
HOSTILE = [
    "</title></style><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onload='alert(1)",
    "<img src=x onerror=alert(1)><svg onload=alert(1)>",
    "]]><!--",
    "--></svg></figure></main>",
    "\x1b[2J\x1b]8;;http://evil.example\x07click\x1b]8;;\x07\x9b31m",
    "safe\u202egpj.exe\u2066 \u200f\u2028next",
    "[click](http://evil.example) ![x](http://evil.example/x.png)",
    "# heading\n\n## Summary\n- item\n```\n<b>",
    "*bold* __init__ ~~gone~~ `code",
    "\ud800 alone",
    "@everyone <!channel> <@U123>",
    *templates("/tmp/x", "http://evil.example"),
]


def hostile(text: str) -> Told:
    """An incident in which everything that comes from outside is this text."""
    told = Told()
    told.incident.update(system=text, title=text)
    told.add(
        "opened",
        text,
        later=0,
        who=text,
        title=text,
        system=text,
        severity=text,
        proposed=text,
        scheme=text,
        reasons=[text],
        runbook=text,
    )
    told.add("alert", text, who=text, name=text, starts_at=told.at - 60, labels={text: text}, count=1)
    told.add(
        "finding",
        text,
        runbook=text,
        cause=text,
        status="problem",
        summary=text,
        evidence={text: [text, {text: text}]},
        figures={text: text},
    )
    told.add("finding", text, runbook=text, cause=text, status="unknown", summary=text, evidence=text)
    told.add("finding", text, runbook=text, cause=text, status="ok", summary=text, evidence=text)
    told.add(
        "action",
        text,
        who=text,
        runbook=text,
        remedy=text,
        target={text: text},
        risk=text,
        why=text,
        before=text,
        after=[text],
        changed=True,
    )
    told.add("verification", text, runbook=text, helped=True, figures=[text, text])
    told.add("severity", text, who=text, **{"from": text, "to": text}, why=text, proposed=False)
    told.add("role", text, who=text, role=text, to=text)
    told.add("update", text, who=text, customers=True)
    for part in ("lessons", "whys", "impact", "summary"):
        told.add("note", text, who=text, text=f"{text}\nand {text}", part=part)
    told.add("corrected", text, who=text, number=3, text=text)
    told.add("action_item", text, who=text, item=text, text=text, owner=text, due_at=told.at, done=False)
    told.add("postmortem", text, who=text, state=text, owner=text, due_at=told.at)
    told.add(text, text, who=text)
    told.add("metric", text, name=text, unit=text, points=[[told.at - 200, 1.0], [told.at, 2.0]])
    return told


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_page_opens_by_itself(system):
    content = postmortem.html(postmortem.of(story(system).document()))
    page = of_itself(content)
    assert {f"entry-{number}" for number in range(1, 52)} <= set(page.ids)
    assert len(content) < 100_000
    assert b"<script" not in content and b"http:" not in content and b"https:" not in content
    assert b"base-uri 'none'; form-action 'none'" in content


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_is_text_in_a_page(text):
    content = postmortem.html(postmortem.of(hostile(text).document()))
    page = of_itself(content)
    said = content.decode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", said)
    # Our own are all that there are: no text from outside made another one.
    plain = postmortem.html(postmortem.of(hostile("plain").document())).decode()
    assert (
        re.findall(r"<(\w+)", said.partition("<body>")[2]) == re.findall(r"<(\w+)", plain.partition("<body>")[2])
        or "\n" in text
    )
    assert page.trouble == []


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_is_text_in_markdown(text):
    told = postmortem.markdown(postmortem.of(hostile(text).document()))
    html = RENDER.render(told.encode("utf-8", "replace").decode())
    assert set(re.findall(r"</?(\w+)", html)) <= OURS, html
    headings = re.findall("<h2>(.*)</h2>", html)
    assert headings == ["Summary", "Severity", "Times", "People", "Impact", "Findings", "What was done", "What was tried",
                        "Contributing factors", "Five whys", "What went well", "What could be better", "Lessons", "Action items",
                        "Linked incidents", "Timeline"]  # fmt: skip
    assert html.count("<h1>") == 1 and "<a " not in html


def test_no_secret_comes_through():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    for planted in PLANTED:
        told.add("note", "noted", text=planted.text, part="lessons")
        told.add(
            "finding",
            "found",
            runbook="x",
            cause=planted.kind,
            status="problem",
            summary="found",
            evidence=planted.text,
        )
    found = postmortem.of(told.document())
    for page in (postmortem.markdown(found), postmortem.html(found).decode()):
        assert left_in(page) == []


def test_a_plan_shows_what_it_would_change_without_secrets():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    diff = "restart for leak (risk low)\n- 25 of 25 <b>in use\n+ restarts it: api\n"
    told.add("plan", "a plan", runbook="x", hash="p0", steps=[], diff=diff + "\n".join(one.text for one in PLANTED))
    told.add("plan", "another plan", runbook="x", hash="p1", steps=[], diff="")
    found = postmortem.of(told.document())
    assert found.timeline[1].text.startswith(diff) and found.timeline[2].text == ""
    html, text = postmortem.html(found).decode(), postmortem.markdown(found)
    assert "<summary>what would change</summary>" in html and "- 25 of 25 &lt;b&gt;in use" in html
    assert "  - 25 of 25 <b>in use\n  + restarts it: api\n" in text
    assert left_in(html) == [] and left_in(text) == []


def test_a_note_of_a_megabyte_is_cut_and_says_so():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    for text in ("<b>" * 350_000, "line\n" * 210_000, "\x1b[31m" * 210_000, "token=" * 180_000):
        told.add("note", text, who="d.meier", text=text, part="lessons")
    began = time.process_time()
    found = postmortem.of(told.document())
    content, text = postmortem.html(found), postmortem.markdown(found)
    assert time.process_time() - began < 3
    assert len(content) < 100_000 and len(text) < 100_000
    assert text.count("… (cut off: the entry has all of it)") >= 4
    assert of_itself(content).trouble == []


def test_of_a_long_timeline_the_ends_and_what_is_pinned_are_shown():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    for number in range(10_000):
        told.add("alert", f"alert {number}", name="Down", starts_at=told.at, count=1)
    told.add("pinned", "pinned", number=5000)
    began = time.process_time()
    found = postmortem.of(told.document())
    content = postmortem.html(found)
    assert time.process_time() - began < 6
    assert len(found.timeline) == 10_002
    page = of_itself(content)
    assert (
        "entries 501 to 4999 are not shown here" in page.words
        and "entries 5001 to 9502 are not shown here" in page.words
    )
    shown = [one for one in page.ids if one.startswith("entry-")]
    assert len(shown) == LINES + 1 and "entry-5000" in shown


def test_an_entry_that_something_refers_to_is_shown():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    for _ in range(2 * LINES):
        told.add("alert", "again", name="Down", starts_at=told.at, count=1)
        if len(told.entries) == LINES:
            note = told.add("note", "in the middle", text="in the middle", part="lessons")
            told.add("alert", "again", name="Down", starts_at=told.at, count=1)
            told.add("corrected", "no", number=note, text="no")
    # With what corrects it.
    shown = of_itself(postmortem.html(postmortem.of(told.document()))).ids
    assert [f"entry-{LINES + place}" in shown for place in (1, 2, 3, 4)] == [True, False, True, False]


def test_contrast_is_that_of_wcag_aa():
    for theme in (LIGHT, DARK):
        for ground in ("ground", "raised"):
            for name in ("text", "quiet", "link", "bad"):
                assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
            # Lines and marks of a picture.
            for name in ("line", "link", "bad"):
                assert contrast(theme[name], theme[ground]) >= 3, (name, ground)


def test_colours_are_those_of_the_themes_and_paper_is_light():
    content = postmortem.html(postmortem.of(story("synap").document())).decode()
    style = content.partition("<style>")[2].partition("</style>")[0]
    assert "color-scheme: light dark" in style and "prefers-color-scheme: dark" in style
    assert re.search(r"@media print \{ :root \{ --ground: #ffffff;", style)
    used = set(re.findall(r"var\(--(\w+)", style))
    assert used <= set(LIGHT)


def test_a_place_to_fill_in_can_be_heard():
    page = Page(postmortem.html(postmortem.of(story("synap").document())).decode())
    assert "And why was that?" in page.words
    assert postmortem.html(postmortem.of(story("synap").document())).count(b'aria-label="to be filled in"') == 8

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What everybody sees: each page answers, is light, and shows data as data."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.page_site import PEOPLE, TEAM, page_site, result, words
from oncall.incidents.commands import Write
from oncall.incidents.team import team_of
from oncall.incidents.teams import Read
from oncall.results import Finding, HostResult, Outcome, Plan, Result, RunbookRun, Step
from oncall.serve.page.live import Live
from oncall.serve.store.tables import QUARANTINE

PAGES = (
    "/",
    "/incidents",
    "/incidents/new",
    "/plans",
    "/hosts",
    "/hosts/shop",
    "/oncall",
    "/runbooks",
    "/runbooks/db_pool",
    "/numbers",
)


@pytest.fixture
def site(tmp_path):
    with page_site(tmp_path) as made:
        yield made


def test_a_person_signs_in_by_a_token_finds_an_incident_and_acknowledges_it(site):
    name = site.incident()
    browser = site.browser()
    assert browser.get("/").headers["location"] == "/signin"
    assert browser.get(f"/incidents/{name}").headers["location"] == f"/signin?to=/incidents/{name}"
    answer = browser.post("/signin", token=PEOPLE["rosa"][1], to=f"/incidents/{name}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{name}")
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=lax" in answer.headers["set-cookie"]
    assert "One incident is open" in browser.text("/")
    assert "The pool of the shop is full" in browser.text("/incidents?q=pool")
    assert "6 sessions are idle in a transaction" in browser.text(f"/incidents/{name}")
    answer = browser.send(f"/incidents/{name}/do/acknowledge")
    assert answer.headers["location"] == f"/incidents/{name}?did=acknowledged"
    assert "You have acknowledged it." in browser.text(answer.headers["location"])
    known = site.incidents.find(name)
    assert (known.state, known.acknowledged_by) == ("acknowledged", "rosa")
    assert site.incidents.timeline(name)[-1].who == "rosa"
    # Who comes second is told.
    assert site.of("omar").send(f"/incidents/{name}/do/acknowledge").headers["location"].endswith("did=already")
    assert site.incidents.find(name).acknowledged_by == "rosa"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_and_is_light(site, path):
    site.episode(incident=site.incident())
    answer = site.of("ada").get(path)
    assert answer.status_code == 200, answer.text[:3000]
    assert len(answer.content) < 60_000


# ---------------------------------------------------------------------- data is data
MARKUP = """<script>alert(1)</script><img src=x onerror=alert(1)>"><a href="javascript:alert(1)">{{ 7 * 7 }}{% raw %}</textarea></pre>&lt;b&gt;"""


class Tags(HTMLParser):
    """The elements of a page, with the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found[f"{tag} {' '.join(sorted(name for name, _value in attributes))}"] += 1
        if tag not in ("meta", "link", "input", "br", "path", "rect", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found[f"{tag} {' '.join(sorted(name for name, _value in attributes))}"] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def _hostile(folder, text):
    """What is shown of an alert with this text everywhere."""
    with page_site(folder) as site:
        name = site.incident(text, system=text, severity="P1")
        data = {
            "runbook": text,
            "host": text,
            "cause": text,
            "status": "problem",
            "summary": text,
            "evidence": {text: text},
            "figures": {},
        }
        metric = {"name": text, "unit": text, "points": [[1, 2], [3, 4]]}
        for kind, told in (("finding", data), ("metric", metric)):
            site.incidents.write(name, Write(who="oncall", at=site.clock.now, kind=kind, words=text, data=told))
        for write in ("note", "mitigate", "reopen"):
            getattr(site.incidents, write)(name, text, who="rosa")
        site.incidents.update(name, text, who="rosa", actions=text, needs=text)
        episode = site.episode(
            incident=name,
            host=text,
            runbook=text,
            summary=text,
            reason=text,
            alert=json.dumps({"labels": {text: text}, "annotations": {text: text}}),
        )
        site.store.set("paused", text)
        site.incidents.assign(site.incident("other"), "ada", who="rosa")
        browser = site.of("ada")
        paths = (
            "/",
            f"/incidents/{name}?show=all",
            "/incidents",
            f"/incidents/{name}/entries/1",
            f"/incidents/{name}/verify",
            f"/plans/{episode}",
            "/plans",
            "/hosts",
            f"/incidents/{name}/postmortem",
        )
        return {number: browser.get(path) for number, path in enumerate(paths)}


def test_what_alerts_and_people_say_is_text_and_never_markup(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "hostile").mkdir()
    plain, hostile = _hostile(tmp_path / "plain", "an alert"), _hostile(tmp_path / "hostile", MARKUP)
    for number, answer in hostile.items():
        assert answer.status_code == 200
        tags = Tags(answer.text)
        assert tags.open == [] and tags.found == Tags(plain[number].text).found, number
        assert "49" not in words(answer.text).replace("4711", "") or "{{ 7 * 7 }}" in words(answer.text)
    assert "<script>alert(1)</script>" in words(hostile[1].text)


TURNS = "\u202e\u2066\u200f\u061c"


def test_nothing_turns_the_text_of_a_page_around(site):
    text = f"terminate {TURNS}10 sessions"
    name = site.incident()
    episode = site.episode(incident=name, summary=text, reason=text, alert=json.dumps({"labels": {text: text}}))
    told = result("p9")
    (run,) = told.hosts["shop"].runs
    step = replace(run.plan.steps[0], words=text, does=text, undone=text)
    run = replace(run, plan=replace(run.plan, steps=(step,)), findings=(replace(run.findings[0], summary=text),))
    told = replace(told, hosts={"shop": replace(told.hosts["shop"], runs=(run,))})
    plan = site.episode("p9", incident=name, summary=text, result=json.dumps(told.to_dict(), default=str))
    site.store.set("paused", text)
    browser = site.of("rosa")
    for path in ("/", "/plans", f"/plans/{episode}", f"/plans/{plan}", "/hosts", "/hosts/shop", f"/incidents/{name}"):
        shown = browser.get(path).text
        assert "terminate 10 sessions" in shown, path
        assert not {*TURNS} & {*shown}, path
    site.store.unset("paused")
    assert browser.send("/pause", reason=f"a\x1b[31m{TURNS}\nb").status_code == 303
    assert site.store.control("paused") == "a [31m b (rosa)"


def test_no_secret_of_an_alert_is_shown(site):
    secrets = ("hunter22", "s3cretword")
    said = {"api_token": secrets[0], "dsn": f"postgresql://app:{secrets[1]}@db/shop", "severity": "critical"}
    episode = site.episode(alert=json.dumps({"labels": said, "annotations": said}))
    row = {"id": "q", "reason": "no runbook", "first_at": site.now, "last_at": site.now, "count": 1}
    with site.store._engine.begin() as connection:
        connection.execute(sa.insert(QUARANTINE).values(**row, alert=json.dumps({"labels": said, "annotations": said})))
    for path in (f"/plans/{episode}", "/hosts"):
        shown = site.of("vera").get(path).text
        assert "critical" in shown and "@db/shop" in shown
        assert [one for one in secrets if one in shown] == [], path


@pytest.mark.parametrize(
    "query",
    ["?q=%3Cscript%3E", "?q=x", "?state=<b>&before=-1", "?before=99999999999999", "?q=" + "a" * 5000, "?system=%00"],
)
def test_a_search_for_anything_is_answered(site, query):
    site.incident()
    answer = site.of("vera").get(f"/incidents{query}")
    assert answer.status_code == 200 and Tags(answer.text).open == []


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/INC-99",
        "/incidents/%2e%2e",
        "/incidents/x'--",
        "/plans/x",
        "/runbooks/nothing",
        "/hosts/nothing",
        "/incidents/INC-1/entries/0",
        "/incidents/INC-1/entries/x",
        "/nothing",
        "/static/x/page.css",
        "/incidents/INC-1/",
    ],
)
def test_what_is_not_there_is_said_in_one_line(site, path):
    site.incident()
    answer = site.of("vera").get(path)
    assert answer.status_code == 404 and 'class="problem"' in answer.text


# ---------------------------------------------------------------------- light and quick
def test_an_incident_with_much_in_it_is_light_and_quick(site):
    name = site.incident()
    evidence = [{"query": "SELECT " + "x" * 200, "pid": number} for number in range(40)]
    data = {
        "runbook": "db_pool",
        "host": "shop",
        "cause": "c",
        "status": "problem",
        "summary": "s" * 500,
        "evidence": evidence,
        "figures": {},
    }
    site.incidents.write(
        name,
        *(
            Write(
                who="oncall",
                at=site.clock.now,
                kind="finding",
                words="w" * 300,
                data={**data, "cause": f"cause {number % 30}"},
            )
            for number in range(300)
        ),
    )
    for _ in range(20):
        site.episode(incident=name)
    browser = site.of("ada")
    static = sum(len(browser.get(path).content) for path in _static(browser))
    took = []
    for path in (f"/incidents/{name}", "/", "/incidents", "/plans"):
        for _ in range(5):
            # What it computes, whatever else the machine does.
            began = time.process_time()
            answer = browser.get(path)
            took.append(time.process_time() - began)
        assert answer.status_code == 200
        assert len(answer.content) + static < 100_000, (path, len(answer.content), static)
    assert sorted(took)[len(took) // 2] < 0.1
    # What was left out is a page further.
    shown = browser.get(f"/incidents/{name}").text
    older = shown.partition(f'href="/incidents/{name}?before=')[2].partition('"')[0]
    assert f"/entries/{int(older) - 1}" in browser.get(f"/incidents/{name}?before={older}").text


def _static(browser):
    html = browser.get("/").text
    return [
        part.partition('"')[0]
        for part in html.replace('src="', 'href="').split('href="')
        if part.startswith("/static/")
    ]


def test_pages_stay_light_whatever_people_write_and_runs_find(tmp_path):
    review = {"contents": [{"title": "Lessons", "asks": ["What went well?"]}]}
    with page_site(tmp_path, team=replace(TEAM, review=review)) as site:
        name, long = site.incident(), "a word & <another> " * 840
        for number in range(50):
            site.incidents.note(name, f"note {number} {'&' * 400}", who="rosa")
        last = site.incidents.find(name).head.number
        for number in range(50):
            site.incidents.correct(name, last - number, long, who="rosa")
        for _ in range(30):
            site.incidents.note(name, long, who="omar", part="What went well?")
        targets = tuple({"pid": number} for number in range(60))
        steps = tuple(Step(f"remedy{n}", "c", "low", targets, True, "", "s", "does it " * 30) for n in range(12))
        findings = tuple(Finding(f"c{n}", "problem", long, "", (long,), [{"query": long}]) for n in range(12))
        run = RunbookRun(
            "r", "db_pool", Outcome.PLANNED, long, 0, 1.0, findings=findings, plan=Plan("p1", "low", steps)
        )
        told = Result("db_pool", "check", "ended", 0, 1.0, {"shop": HostResult("shop", Outcome.PLANNED, long, (run,))})
        episode = site.episode("p1", incident=name, summary=long, result=json.dumps(told.to_dict(), default=str))
        browser = site.of("rosa")
        static = sum(len(browser.get(path).content) for path in _static(browser))
        pages = {
            path: browser.get(path)
            for path in (
                "/", "/plans", f"/plans/{episode}", "/hosts/shop", f"/incidents/{name}", f"/incidents/{name}?before={last + 1}",
                f"/incidents/{name}/postmortem",
            )
        }  # fmt: skip
        assert {path: one.status_code for path, one in pages.items() if one.status_code != 200} == {}
        heavy = {path: len(one.content) for path, one in pages.items() if len(one.content) + static > 100_000}
        assert heavy == {}
        # What is cut is a tap away.
        corrected = f'<a href="/incidents/{name}/entries/{last + 50}">Corrected</a>'
        assert corrected in pages[f"/incidents/{name}?before={last + 1}"].text
        assert "Corrected : a word & <another>" in browser.text(f"/incidents/{name}/entries/{last}")
        review = pages[f"/incidents/{name}/postmortem"].text
        assert "What went well?" in words(review)
        assert f'href="/incidents/{name}/entries/{site.incidents.find(name).head.number}"' in review


def test_files_are_kept_by_browsers_and_are_ours(site):
    for path in _static(site.browser()) or _static(site.of("vera")):
        answer = site.browser().get(path)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert (
            "http:" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            and "https://www.gnu.org" in answer.text
        ) or path.endswith(".svg")


# ---------------------------------------------------------------------- news
def test_who_waits_hears_that_something_changed_and_nothing_of_what(site, monkeypatch):
    monkeypatch.setattr("oncall.serve.page.live.LOOK_SECONDS", 0.05)
    name = site.incident()
    assert site.browser().get("/events?of=now").status_code == 401

    async def heard(topic, change, is_known=lambda: True):
        live = Live(site.page.sources, site.page._threads)
        stream = live._told(topic, is_known)
        assert await stream.__anext__() == "retry: 5000\n\n"
        waiting = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0.4)
        assert not waiting.done()
        change()
        try:
            return await asyncio.wait_for(waiting, 10)
        finally:
            await stream.aclose()
            assert live._waiting == {}

    for topic, change in (
        (name, lambda: site.incidents.note(name, "a secret word", who="rosa")),
        ("now", lambda: site.incidents.open("another", who="rosa")),
        ("plans", lambda: site.episode()),
    ):
        said = asyncio.run(heard(topic, change))
        assert re.fullmatch(r"id: (\w+)\nevent: changed\ndata: \1\n\n", said), said
    # Whoever has signed out meanwhile hears nothing more.
    known = [True]

    def leave():
        known[0] = False
        site.incidents.note(name, "more", who="rosa")

    with pytest.raises(StopAsyncIteration):
        asyncio.run(heard(name, leave, lambda: known[0]))
    # Who only asks for the head does not wait.
    assert site.of("vera").client.head("/events?of=now").headers["content-type"].startswith("text/event-stream")


def test_what_changes_before_a_browser_waits_is_news_too(site, monkeypatch):
    monkeypatch.setattr("oncall.serve.page.live.LOOK_SECONDS", 0.05)
    name = site.incident()
    change = {
        f"/incidents/{name}": lambda: site.incidents.note(name, "restarted", who="rosa"),
        "/": lambda: site.incidents.open("another", who="rosa"),
        "/plans": lambda: site.episode(),
    }

    async def first(topic, seen):
        stream = Live(site.page.sources, site.page._threads)._told(topic, lambda: True, seen)
        assert await stream.__anext__() == "retry: 5000\n\n"
        try:
            return await asyncio.wait_for(stream.__anext__(), 10)
        finally:
            await stream.aclose()

    for path, changed in change.items():
        topic, seen = re.search(r'data-live="([^"]+)" data-mark="([^"]+)"', site.of("vera").get(path).text).groups()
        changed()
        assert asyncio.run(first(topic, seen)).startswith("id: "), path


# ---------------------------------------------------------------------- teams, and whether parts answer
VARIABLES = {
    "system_severities": [{"level": "P0", "when": ["critical"]}, {"level": "P1", "when": ["high", "medium", "low"]}],
    "incident_severities": {"P0": {"name": "critical", "meaning": "down"}, "P1": {"name": "high", "meaning": "slow"}},
    "incident_people": {"rosa": {"reach": ["hook"]}, "omar": {"reach": ["mailto://user:very-secret@mail.example"]}},
    "incident_contacts": {"lead": {"people": ["rosa"]}, "boss": {"on_call": "weekly"}, "nobody": {"title": "Nobody"}},
    "incident_on_call": {"weekly": {"rotation": {"people": ["omar"], "begins": "2026-01-05T09:00:00", "zone": "UTC"}}},
    "incident_escalation": [
        {"after_minutes": 0, "roles": ["lead"]},
        {"after_minutes": 15, "roles": ["boss", "nobody"]},
    ],
}


def test_who_is_on_call_and_whom_each_step_tells_now(tmp_path):
    team = team_of(
        "shop",
        {
            **VARIABLES,
            "incident_tell": {"channels": {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/very-secret"}}},
        },
    )
    with page_site(
        tmp_path, team=team.known, teams=lambda: Read({"shop": team}, ("incidents of shop: a feed is stale",))
    ) as site:
        told = site.of("vera").text("/oncall")
        for part in (
            "weekly : omar",
            "0 min lead · until acknowledged",
            "rosa (is lead)",
            "15 min boss and nobody · until acknowledged",
            "omar (on call by weekly)",
            "nobody: nobody has it",
            "a feed is stale",
        ):
            assert part in told, part
        assert "very-secret" not in site.of("vera").get("/oncall").text


def test_parts_are_asked_whether_they_answer_and_nobody_is_told_anything(tmp_path, monkeypatch):
    asked = []

    class Answering(Handler):
        def do_GET(self):
            asked.append((self.command, self.path))
            self.give(json.dumps({"versionInfo": {"version": "0.27.0"}}).encode())

        do_POST = do_GET

    server = HttpServer(Answering)
    channels = {
        "hook": {"kind": "webhook", "url": f"http://{server.place}/very-secret"},
        "gone": {"kind": "pagerduty", "routing_key": "very-secret", "url": "http://127.0.0.1:9/enqueue"},
        "chat": {"kind": "apprise", "address": "json://127.0.0.1:9/very-secret"},
    }
    team = team_of("shop", {**VARIABLES, "incident_tell": {"channels": channels}})
    try:
        with page_site(
            tmp_path,
            team=team.known,
            teams=lambda: Read({"shop": team}),
            alertmanager={"url": f"http://{server.place}"},
        ) as site:
            browser = site.of("ada")
            assert "not asked yet" in browser.text("/settings") and not asked
            answer = browser.send("/settings/check")
            told = words(answer.text)
            assert answer.status_code == 200
            for part in (
                "answers Database", "answers Inventory 1 hosts", "answers Executor ansible-playbook", "answers Alertmanager Alertmanager 0.27.0",
                "answers Channel hook of shop", "takes a connection; nothing was sent", "no Channel gone of shop 127.0.0.1 port 9: Connection refused",
                "no Channel chat of shop",
            ):  # fmt: skip
                assert part in told, (part, told)
            assert asked == [("GET", "/api/v2/status")]
            assert "very-secret" not in answer.text
    finally:
        server.close()


def test_numbers_say_how_long_it_took(site):
    name = site.incident()
    site.clock.now += 30
    site.incidents.acknowledge(name, who="rosa")
    site.clock.now += 300
    site.incidents.escalate(name, ["omar"], who="rosa")
    site.clock.now += 30
    site.incidents.resolve(name, "so", who="rosa")
    told = site.of("vera").text("/numbers?days=30")
    assert "To acknowledge 5 min 50 s" in told and "To resolve 11 min 20 s" in told
    assert "omar: 1 time last 30 s ago" in told


def test_a_database_that_does_not_answer_is_one_line(site, monkeypatch):
    browser = site.of("vera")

    def away(*_arguments, **_named):
        from sqlalchemy.exc import OperationalError

        raise OperationalError("SELECT secret", {}, Exception("gone"))

    monkeypatch.setattr(site.page.sources.incidents, "listed", away)
    answer = browser.get("/")
    assert (
        answer.status_code == 503
        and "the database does not answer" in words(answer.text)
        and "secret" not in answer.text
    )


def test_without_a_team_all_of_it_works(tmp_path):
    with page_site(tmp_path, team=None) as site:
        name = site.incident()
        browser = site.of("ada")
        for path in (*PAGES, f"/incidents/{name}", f"/incidents/{name}/postmortem"):
            assert browser.get(path).status_code == 200, path
        assert "No system has said who is called" in browser.text("/oncall")

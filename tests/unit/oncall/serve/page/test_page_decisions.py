# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decide on the page: plans, incidents, hosts, and by links in messages."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.tests.support.page_site import KEY, page_site, words
from oncall.incidents.commands import Write
from oncall.incidents.escalation.policy import parse
from oncall.incidents.messages.links import Key, Link, signed

PLAN = "p0123456789abcde"


@pytest.fixture
def site(tmp_path):
    with page_site(tmp_path) as made:
        yield made


# ---------------------------------------------------------------------- plans
def test_a_plan_is_read_in_full_before_the_button(site):
    episode = site.episode(incident=site.incident())
    html = site.of("rosa").get(f"/plans/{episode}").text
    told = words(html)
    for part in (
        "terminate_sessions", "risk medium", "sessions 4711 and 4712 of shop", "ends these sessions; the application opens new ones",
        "Cannot be undone: what they had not committed is lost", "restart_service", "Not available: no service is named",
        "6 sessions hold 6 of 20 connections", "now: 6 sessions hold 6 of 20 connections", "then: ends these sessions", PLAN,
    ):  # fmt: skip
        assert part in told, part
        # The button comes last.
        assert told.index(part) < told.index("Approve exactly this"), part


def test_an_approval_is_in_the_episode_and_in_the_timeline_under_the_name(site):
    name = site.incident()
    episode = site.episode(incident=name)
    answer = site.of("rosa").send(f"/plans/{episode}", decision="approved", plan_hash=PLAN, reason="as agreed with Kim")
    assert answer.headers["location"] == f"/plans/{episode}?did=approved"
    found = site.store.episode(episode)
    assert (found["state"], found["stage"], found["note"], found["plan_hash"]) == (
        "queued",
        "act",
        "approved by rosa",
        PLAN,
    )
    last = site.incidents.timeline(name)[-1]
    assert (last.kind, last.who, last.data["decision"], last.data["plan_hash"], last.data["reason"]) == (
        "approval", "rosa", "approved", PLAN, "as agreed with Kim",
    )  # fmt: skip
    assert last.data["episode"] == episode
    assert site.woken


def test_a_rejection_needs_a_reason_and_ends_the_plan(site):
    name = site.incident()
    episode = site.episode(incident=name)
    browser = site.of("rosa")
    assert "Waits until" in browser.text(f"/plans/{episode}")
    answer = browser.send(f"/plans/{episode}", decision="rejected", plan_hash=PLAN, reason="  ")
    assert answer.status_code == 409 and "say why it is rejected" in words(answer.text)
    assert (
        browser.send(
            f"/plans/{episode}", decision="rejected", plan_hash=PLAN, reason="sessions of a migration"
        ).status_code
        == 303
    )
    found = site.store.episode(episode)
    assert (found["state"], found["outcome"], found["summary"]) == (
        "ended",
        "canceled",
        "rejected by rosa: sessions of a migration",
    )
    assert site.incidents.timeline(name)[-1].data["decision"] == "rejected"
    assert "Waits until" not in browser.text(f"/plans/{episode}")
    assert browser.send(f"/plans/{episode}", decision="perhaps", plan_hash=PLAN).status_code == 409


@pytest.mark.parametrize("with_incident", [True, False])
def test_an_approval_of_a_plan_that_changed_is_refused_and_says_so(site, with_incident):
    name = site.incident()
    episode = site.episode(plan="pffffffffffffff0", incident=name if with_incident else "")
    before = len(site.incidents.timeline(name))
    answer = site.of("rosa").send(f"/plans/{episode}", decision="approved", plan_hash=PLAN)
    assert answer.status_code == 409
    assert f"the plan has changed since you read it: it is pffffffffffffff0 now, and was {PLAN}" in words(answer.text)
    assert site.store.episode(episode)["state"] == "waiting" and len(site.incidents.timeline(name)) == before


@pytest.mark.parametrize("with_incident", [True, False])
def test_of_two_people_who_decide_at_once_one_does_and_the_other_is_told(site, with_incident):
    name = site.incident()
    for _ in range(6):
        episode = site.episode(incident=name if with_incident else "")
        asks = [(site.of("rosa"), "approved"), (site.of("omar"), "rejected")]
        forms = [
            (browser, {"csrf": browser.csrf("/"), "decision": word, "plan_hash": PLAN, "reason": "so"})
            for browser, word in asks
        ]
        together, answers = threading.Barrier(2), {}

        def send(browser, form, at=together, to=answers, path=f"/plans/{episode}"):
            at.wait()
            to[form["decision"]] = browser.post(path, **form)

        threads = [threading.Thread(target=send, args=one) for one in forms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [word for word, answer in answers.items() if answer.status_code == 303]
        assert len(won) == 1, answers
        who = {"approved": "rosa", "rejected": "omar"}[won[0]]
        lost = next(answer for word, answer in answers.items() if word != won[0])
        assert lost.status_code == 409 and f"{won[0]} by {who}".replace(
            "approved", "agreed" if not with_incident else "approved"
        ) in words(lost.text)
        assert site.store.episode(episode)["state"] == {"approved": "queued", "rejected": "ended"}[won[0]]
    if with_incident:
        told = [one for one in site.incidents.timeline(name) if one.kind == "approval"]
        assert len(told) == 6 and site.incidents.verify(name)[1].is_sound


def test_a_plan_that_is_gone_or_of_an_incident_that_is_closed(site):
    name = site.incident()
    episode = site.episode(incident=name)
    site.incidents.resolve(name, "it is over", who="rosa")
    site.incidents.close(name, who="rosa")
    answer = site.of("omar").send(f"/plans/{episode}", decision="approved", plan_hash=PLAN)
    assert answer.status_code == 409 and "is closed, and never changes again" in words(answer.text)
    assert site.store.episode(episode)["state"] == "waiting"
    assert site.of("omar").get("/plans/0123").status_code == 404
    assert site.of("omar").send("/plans/0123", decision="approved", plan_hash=PLAN).status_code == 404


def test_what_a_plan_would_change_is_in_the_timeline_on_the_page(site):
    name, browser = site.incident(), site.of("vera")
    plan = {"runbook": "db_pool", "hash": PLAN, "steps": [{"remedy": "restart", "risk": "low", "targets": ["api"]}]}
    for diff, shown in (("restart for a (risk low)\n- it is <b>down\n+ restarts it: api", "- it is <b>down + restarts it: api"),
                        ("", 'restart (low): [ "api" ]')):  # fmt: skip
        site.incidents.write(
            name, Write(who="oncall", at=site.now, kind="plan", words="a plan", data={**plan, "diff": diff})
        )
        assert shown in browser.text(f"/incidents/{name}")


# ---------------------------------------------------------------------- an incident
def test_everything_that_a_person_does_is_in_the_timeline_under_that_name(site):
    browser, other = site.of("rosa"), site.incident("another one")
    answer = browser.send("/incidents", title="The cache is cold", system="shop", severity="P2")
    name = answer.headers["location"].removeprefix("/incidents/").partition("?")[0]
    asked = [
        ("note", {"text": "seen at the door"}, "note"),
        ("assign", {"to": "omar", "was": ""}, "assigned"),
        ("role", {"role": "scribe", "to": "ada"}, "role"),
        ("severity", {"to": "P1", "why": "more users", "was": "P2"}, "severity"),
        (
            "update",
            {"conditions": "slow", "actions": "warming", "needs": "", "next_minutes": "30", "customers": "yes"},
            "update",
        ),
        ("escalate", {"targets": "team_lead, executive", "tried": "all", "need": "a decision"}, "escalated"),
        ("snooze", {"minutes": "15", "why": "a build runs"}, "snoozed"),
        ("step", {"checklist": "steps", "step": "assess", "done": "yes"}, "step"),
        ("pin", {"number": "1"}, "pinned"),
        ("correct", {"number": "1", "text": "it was lukewarm"}, "corrected"),
        ("link", {"other": other, "why": "the same cache"}, "linked"),
        ("mitigate", {"how": "warmed"}, "mitigated"),
        ("reopen", {"why": "cold again"}, "reopened"),
        ("resolve", {"how": "warm"}, "resolved"),
        ("close", {"why": ""}, "closed"),
    ]
    for command, form, kind in asked:
        answer = browser.send(f"/incidents/{name}/do/{command}", **form)
        assert answer.status_code == 303, (command, words(answer.text))
        entries = site.incidents.timeline(name)
        assert any(one.kind == kind for one in entries[-2:]), command
        assert browser.get(answer.headers["location"]).status_code == 200, command
    assert {one.who for one in entries} == {"rosa"} and site.incidents.find(name).state == "closed"
    answer = browser.send(f"/incidents/{name}/do/note", text="too late")
    assert answer.status_code == 409 and "never changes again" in words(answer.text)
    merged = site.incident("the same")
    assert browser.send(f"/incidents/{merged}/do/merge", into=other).status_code == 303
    assert other in words(browser.get(f"/incidents/{merged}").text)
    assert browser.send(f"/incidents/{site.incident('none')}/do/cancel", why="a drill").status_code == 303
    assert browser.send(f"/incidents/{other}/do/remove").status_code == 404


def test_a_situation_of_the_policy_says_who_is_asked(site):
    steps = [
        {"roles": ["engineer"]},
        {"situation": "Security breach", "begins": "person", "roles": ["security", "legal"], "need": "a decision"},
    ]
    policy = parse({"incident_escalation": steps}, ("P0", "P1")).data()
    plain, name = site.incident("without a policy"), site.incident(policy=policy)
    browser = site.of("rosa")
    assert 'name="situation"' not in browser.get(f"/incidents/{plain}").text
    page = browser.get(f"/incidents/{name}").text
    assert '<option value="Security breach">Security breach: security, legal</option>' in page
    answer = browser.send(f"/incidents/{name}/do/escalate", situation="Security breach", tried="the key is renewed")
    assert answer.status_code == 303
    entry = site.incidents.timeline(name)[-1]
    assert (entry.kind, entry.who, entry.data["targets"]) == ("escalated", "rosa", ["security", "legal"])
    assert (entry.data["need"], entry.data["tried"]) == ("a decision", "the key is renewed")
    for form, why in (
        ({"situation": "Flood"}, "no step of the policy is called 'Flood'"),
        ({"situation": "Security breach", "targets": "ada"}, "name people, or a situation, and not both"),
    ):
        assert why in words(browser.send(f"/incidents/{name}/do/escalate", **form).text)
    assert site.incidents.timeline(name)[-1] == entry


def test_a_system_that_nobody_knows_is_refused_with_those_that_there_are(site):
    browser = site.of("rosa")
    assert "<option>shop</option>" in browser.get("/incidents/new").text
    answer = browser.send("/incidents", title="x", system="shpo")
    assert answer.status_code == 409 and "there is no system 'shpo'" in words(answer.text)
    assert "there are shop" in words(answer.text) and site.incidents.listed() == []


def test_who_saw_an_older_page_is_told_and_changes_nothing(site):
    name = site.incident()
    first, second = site.of("rosa"), site.of("omar")
    assert first.send(f"/incidents/{name}/do/severity", to="P0", was="P1").status_code == 303
    answer = second.send(f"/incidents/{name}/do/severity", to="P2", was="P1")
    assert answer.status_code == 409 and "meanwhile the severity is P0" in words(answer.text)
    assert first.send(f"/incidents/{name}/do/assign", to="ada", was="").status_code == 303
    assert second.send(f"/incidents/{name}/do/assign", to="omar", was="").status_code == 409
    assert (site.incidents.find(name).severity, site.incidents.find(name).assignee) == ("P0", "ada")
    assert first.send(f"/incidents/{name}/do/role", role="commander", to="ada", was="").status_code == 303
    answer = second.send(f"/incidents/{name}/do/role", role="commander", to="omar", was="")
    assert answer.status_code == 409 and "meanwhile the commander is ada" in words(answer.text)
    # The form of each role says who has it.
    assert first.get(f"/incidents/{name}").text.count('name="was" value="ada"') == 2


def _at_once(*sent):
    """The answers to forms that different people send in the same moment: browser, path and values of each."""
    together, answers = threading.Barrier(len(sent)), [None] * len(sent)

    def send(place, browser, path, values):
        together.wait()
        answers[place] = browser.post(path, **values)

    threads = [threading.Thread(target=send, args=(place, *one)) for place, one in enumerate(sent)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("what", ["assign", "role"])
def test_of_two_who_change_the_same_at_once_one_is_told(site, what):
    people = [(browser, browser.csrf("/")) for browser in (site.of("rosa"), site.of("omar"))]
    for _ in range(8):
        name = site.incident()
        answers = _at_once(
            *(
                (browser, f"/incidents/{name}/do/{what}", {"csrf": csrf, "to": to, "was": "", "role": "commander"})
                for (browser, csrf), to in zip(people, ("ada", "omar"), strict=True)
            )
        )
        assert sorted(one.status_code for one in answers) == [303, 409]
        won = ("ada", "omar")[[one.status_code for one in answers].index(303)]
        known = site.incidents.find(name)
        assert (known.assignee or known.roles["commander"]) == won


def test_of_action_items_that_are_added_at_once_none_is_lost(site):
    name = site.incident()
    people = [(browser, browser.csrf("/")) for browser in (site.of("rosa"), site.of("omar"), site.of("ada"))]
    for turn in range(8):
        answers = _at_once(
            *(
                (browser, f"/incidents/{name}/postmortem/item", {"csrf": csrf, "text": f"{turn} of {place}"})
                for place, (browser, csrf) in enumerate(people)
            )
        )
        assert [one.status_code for one in answers] == [303] * 3
    assert len({one.text for one in site.incidents.find(name).action_items}) == 24


@pytest.mark.parametrize(
    ("command", "form", "why"),
    [
        ("assign", {"to": "zoe"}, "nobody is called 'zoe'"),
        ("severity", {"to": "P9"}, "no severity 'P9' in the scheme synap; there are P0, P1, P2"),
        ("snooze", {"minutes": "soon", "why": "x"}, "'soon' is no number of minutes"),
        ("snooze", {"why": "x"}, "say for how many minutes"),
        ("update", {"conditions": "x", "next_minutes": "-1"}, "is no number of minutes"),
        ("pin", {"number": "last"}, "is no number of an entry"),
        ("pin", {"number": "99"}, "there is no entry 99"),
        ("mitigate", {"how": ""}, "say how it was mitigated"),
        ("merge", {"into": "INC-99"}, "there is no incident"),
        ("role", {"role": "king", "to": "ada"}, "no role 'king'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(site, command, form, why):
    name = site.incident()
    before = len(site.incidents.timeline(name))
    answer = site.of("rosa").send(f"/incidents/{name}/do/{command}", **form)
    assert answer.status_code == 409 and why in words(answer.text)
    assert len(site.incidents.timeline(name)) == before


def test_the_pause_switch(site):
    browser = site.of("rosa")
    assert browser.send("/pause", reason="").status_code == 409
    assert browser.send("/pause", reason="storage is moved").status_code == 303
    assert site.store.control("paused") == "storage is moved (rosa)"
    assert "Everything is paused. storage is moved (rosa)" in browser.text("/")
    assert browser.send("/resume").status_code == 303 and site.store.control("paused") is None
    assert browser.send("/resume").status_code == 409


def test_only_hosts_of_the_inventory_are_given_to_ansible(site):
    browser = site.of("rosa")
    for name in ("all", "web", "shop:db1", "*", "shop,db1", "-i"):
        assert browser.send(f"/hosts/{name}/hold", reason="x").status_code == 404
        assert browser.get(f"/hosts/{name}/ledger").status_code == 404


# ---------------------------------------------------------------------- the post-mortem
def test_no_post_mortem_is_shown_of_a_timeline_that_was_changed(site):
    name = site.incident()
    site.incidents.note(name, "the disk was full", who="rosa")
    browser, path = site.of("omar"), f"/incidents/{name}/postmortem"
    assert browser.get(path).status_code == 200
    number = site.incidents.find(name).head.number
    proven = f"Nothing shows that it was. Proven entries 1 to {number} follow from one another"
    assert proven in browser.text(f"/incidents/{name}/verify")
    with site.store._engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE oncall_timeline SET words = 'all is well' WHERE words = 'the disk was full'")
        )
    for one in (path, f"{path}.html", f"{path}.md", f"{path}.json"):
        answer = browser.get(one)
        assert answer.status_code == 409 and f"the timeline of {name} was changed: entry" in words(answer.text), one
    told = browser.text(f"/incidents/{name}/verify")
    assert f"Yes. No post-mortem is made of it. Entry {number} : it was changed: its hash is another one" in told


def test_the_post_mortem_goes_from_asked_for_to_done(site):
    name = site.incident()
    site.incidents.resolve(name, "it is over", who="rosa")
    browser, path = site.of("omar"), f"/incidents/{name}/postmortem"
    assert browser.send(f"{path}/state", state="done").status_code == 409
    was = ""
    for state in ("due", "draft", "review", "done"):
        assert browser.send(f"{path}/state", state=state, was=was, owner="omar").status_code == 303, state
        was = state
    assert browser.send(f"{path}/state", state="draft", was="review", owner="omar").status_code == 409
    assert browser.send(f"{path}/item", text="Bound the pool", owner="ada", due="2027-01-31").status_code == 303
    assert browser.send(f"{path}/item", text="x", due="soon").status_code == 409
    for wrong, why in (
        ({"text": "x", "due": "0001-01-01"}, "it is due at no time: say a day from 1970 to 9999"),
        ({"text": "x", "owner": "zoe"}, "nobody is called 'zoe'"),
        ({"text": "\u202e"}, "say what is to be done"),
        ({"item": "A9", "done": "yes"}, "has no action item 'A9'"),
    ):
        answer = browser.send(f"{path}/item", **wrong)
        assert answer.status_code == 409 and why in words(answer.text), wrong
    assert browser.send(f"{path}/item", item="A1", done="yes").status_code == 303
    known = site.incidents.find(name)
    assert (known.postmortem.state, known.postmortem.owner) == ("done", "omar")
    assert [(one.text, one.owner, one.done) for one in known.action_items] == [("Bound the pool", "ada", True)]
    assert "Bound the pool" in browser.text(path)
    document = browser.get(f"{path}.html")
    policy = document.headers["content-security-policy"]
    assert (
        "'unsafe-inline'" not in policy
        and "style-src 'sha256-" in policy
        and "The pool of the shop is full" in document.text
    )
    assert browser.get(f"{path}.json").headers["content-disposition"] == f'attachment; filename="{name}.json"'
    assert browser.get(f"{path}.md").status_code == 200 and browser.get(f"{path}.exe").status_code == 404


def test_a_pinned_entry_stands_above_the_timeline_however_much_came_after_it(site):
    name, browser = site.incident(), site.of("rosa")
    number = site.incidents.note(name, "the <key> was renewed", who="rosa").entries[0].number
    for later in range(60):
        site.incidents.note(name, f"later {later}", who="rosa")
    assert "was renewed" not in browser.text(f"/incidents/{name}")
    assert browser.send(f"/incidents/{name}/do/pin", number=str(number)).status_code == 303
    assert f"pinned note {number} the <key> was renewed" in browser.text(f"/incidents/{name}")
    assert browser.send(f"/incidents/{name}/do/pin", number=str(number), pinned="no").status_code == 303
    assert "was renewed" not in browser.text(f"/incidents/{name}")


def test_an_action_item_that_is_late_is_to_be_seen_to_until_it_is_done(site):
    name, browser = site.incident(), site.of("vera")
    site.incidents.action_item(name, "Bound the <pool>", who="rosa", owner="ada", due_at=site.now - 60)
    site.incidents.action_item(name, "Measure it", who="rosa", owner="ada", due_at=site.now + 60)
    site.incidents.resolve(name, "it is over", who="rosa")
    told = browser.text("/")
    assert f"A1 of {name}: Bound the <pool>" in told and "ada" in told and "Measure it" not in told
    site.incidents.action_item(name, who="ada", item="A1", done=True)
    assert "Bound the" not in browser.text("/")
    # The page stays light, and says how many more there are.
    for number in range(23):
        site.incidents.action_item(name, f"number {number}", who="rosa", owner="ada", due_at=site.now - 30)
    told = browser.text("/")
    assert told.count("number ") == 20 and "and 3 more action items that are late" in told


# ---------------------------------------------------------------------- links in messages
def _link(site, action="acknowledge", plan="", key=KEY, who="rosa", message="m1", seconds=3600.0):
    incident = site.incidents.listed()[0]
    return "/act/" + signed(
        Link(incident.id, action, who, message, site.clock.now + seconds, plan), key, site.clock.now
    )


def test_looking_at_a_link_changes_nothing_and_its_button_acts_once_under_the_name(site):
    name = site.incident()
    path, browser = _link(site), site.browser()
    for _ in range(3):
        assert "Acknowledge as rosa" in browser.text(path)
        assert browser.client.head(path).status_code == 200
    assert site.incidents.find(name).state == "triggered"
    assert browser.client.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    answer = browser.post(path, a="")
    assert answer.status_code == 200 and "acknowledged, under your name" in words(answer.text)
    assert site.incidents.find(name).acknowledged_by == "rosa"
    count = len(site.incidents.timeline(name))
    assert "has done its work already" in words(browser.post(path, a="").text)
    assert "has done its work already" in browser.text(path)
    assert len(site.incidents.timeline(name)) == count
    # It signs nobody in.
    assert browser.get("/").status_code == 303


def test_who_acknowledges_what_is_over_is_told_that_it_stays_so(site):
    name = site.incident()
    site.incidents.resolve(name, "by itself", who="omar")
    path = _link(site)
    answer = site.of("rosa").send(f"/incidents/{name}/do/acknowledge")
    assert "It is resolved, and stays so." in site.of("rosa").text(answer.headers["location"])
    said = words(site.browser().post(path, a="").text)
    assert "It is resolved, and stays so." in said and "acknowledged, under your name" not in said
    assert site.incidents.find(name).state == "resolved"


@pytest.mark.parametrize(
    ("action", "state", "decision"), [("approve", "queued", "approved"), ("reject", "ended", "rejected")]
)
def test_a_plan_is_decided_on_by_a_link(site, action, state, decision):
    name = site.incident()
    episode, path, browser = site.episode(incident=name), _link(site, action, PLAN), site.browser()
    told = browser.text(path)
    assert told.index("sessions 4711 and 4712 of shop") < told.index(
        f"{'Approve exactly this' if action == 'approve' else 'Reject'} as rosa"
    )
    assert f"The plan is {decision}, under your name." in words(browser.post(path, reason="so").text)
    assert site.store.episode(episode)["state"] == state
    assert (site.incidents.timeline(name)[-1].who, site.incidents.timeline(name)[-1].data["decision"]) == (
        "rosa",
        decision,
    )
    # Approving and rejecting by one message is one use.
    other = _link(site, "reject" if action == "approve" else "approve", PLAN)
    assert "has done its work already" in words(browser.post(other, reason="so").text)


def test_a_link_to_a_plan_that_changed_decides_nothing(site):
    name = site.incident()
    episode, path, browser = (
        site.episode(plan="pffffffffffffff0", incident=name),
        _link(site, "approve", PLAN),
        site.browser(),
    )
    assert "does not wait any more, or it has changed" in browser.text(path)
    answer = browser.post(path, a="")
    assert answer.status_code == 409 and "it has changed since the message" in words(answer.text)
    assert site.store.episode(episode)["state"] == "waiting"


def test_links_that_expired_were_changed_or_are_of_another_key(site):
    site.incident()
    browser, path = site.browser(), _link(site)
    for wrong in (path[:-2] + "AA", "/act/x", "/act/1.e30.AAAA", _link(site, key=Key("1", b"z" * 32))):
        answer = browser.get(wrong)
        assert answer.status_code == 404 and "this link is none of ours" in words(answer.text)
        assert browser.post(wrong, a="").status_code == 409
    late = _link(site, seconds=60)
    site.clock.now += 61
    assert "this link has expired" in words(browser.get(late).text)
    assert browser.post(late, a="").status_code == 409
    nobody = browser.get(_link(site, who="oncall", message="m2"))
    assert nobody.status_code == 409 and "for nobody who could act" in words(nobody.text)
    assert site.incidents.listed()[0].state == "triggered"


def test_two_taps_at_once_act_once(site):
    name = site.incident()
    path, answers = _link(site), []

    def tap():
        answers.append(site.browser().post(path, a=""))

    threads = [threading.Thread(target=tap) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status_code for one in answers] == [200] * 6
    assert sum("acknowledged, under your name" in words(one.text) for one in answers) == 1
    assert [one.kind for one in site.incidents.timeline(name)].count("acknowledged") == 1

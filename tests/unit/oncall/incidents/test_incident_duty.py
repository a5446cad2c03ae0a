# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due for incidents, on a real database and a clock that does as it is told: who is told of what, when, and what is said where nobody is."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.tests.support.duty_desk import BEGAN, MINUTE, Desk, desk
from oncall.errors import OncallError
from oncall.incidents import books as books_module
from oncall.incidents import commands as do
from oncall.incidents.books import NotDone
from oncall.incidents.duty.driver import Steady
from oncall.incidents.entries import signed_head
from oncall.incidents.messages.answers import Answer
from oncall.incidents.messages.links import Key, read
from oncall.incidents.messages.outbox import begun
from oncall.incidents.stats import row, stats
from oncall.incidents.store.heads import FOLDER
from oncall.incidents.store.tables import INCIDENTS, TIMELINE
from oncall.incidents.team import team_of
from oncall.serve.store.tables import EPISODES

SECRET = "slack://T0ken/abc-secret-def"
TEAM: dict[str, Any] = {
    "system_severities": [
        {"level": "P0", "means": "nothing works", "when": ["critical"]},
        {"level": "P1", "means": "much is broken", "when": ["high"]},
    ],
    "incident_severities": {"P0": {"name": "critical"}, "P1": {"name": "high"}},
    "incident_tell": {
        "channels": {
            "chat": {"kind": "webhook", "url": "http://127.0.0.1:9/chat", "kinds": ["initial", "update", "resolution"]},
            "pager": {"kind": "pagerduty", "routing_key": "k" * 32},
            "page": {"kind": "statuspage", "api_key": "k" * 32, "page": "abc"},
        },
        "by_severity": {"P0": ["chat", "pager", "page"], "P1": ["chat"]},
    },
    "incident_contacts": {
        "engineer": {"people": ["ada"]}, "lead": {"people": ["bob"]}, "manager": {"people": ["cleo"]}, "security": {"people": ["bob"]},
    },
    "incident_people": {"ada": {"reach": [SECRET]}, "bob": {"reach": ["chat"]}, "cleo": {"reach": []}},
    "incident_escalation": [
        {"roles": ["engineer"]},
        {"roles": ["lead"], "after_minutes": 15},
        {"roles": ["manager"], "after_minutes": 30},
        {"roles": ["lead"], "after_minutes": 60, "unless": "resolved"},
        {"situation": "Security breach", "begins": "person", "roles": ["security"], "need": "a decision"},
    ],
    "incident_policy": {"acknowledged_for_minutes": 20},
    "incident_review": {"within_hours": 48},
}  # fmt: skip


@pytest.fixture
def shop(tmp_path) -> Iterator[Desk]:
    with desk(tmp_path, TEAM) as made:
        yield made


def opened(shop: Desk, severity: str = "P1", **more: Any) -> None:
    shop.books.open("the pool is empty", who="oncall", source="alert", system="shop", severity=severity, **more)
    shop.turn()


def test_at_first_the_channels_and_the_first_step_are_told_and_the_next_steps_are_armed(shop):
    opened(shop, "P0")
    # Nobody wrote anything for customers: the status page says nothing.
    assert shop.told() == [("chat", "initial"), ("pager", "initial"), ("ada", "initial")]
    assert [one["targets"] for one in shop.entries("escalated")] == [["ada"]]
    armed = {one["step"]: one["due_at"] - BEGAN for one in shop.entries("timer") if one["state"] == "armed"}
    assert [*armed.values()] == [900, 1800, 3600]
    assert {one["result"] for one in shop.entries("delivery")} == {"sent"} and len(shop.calls) == 3
    # All of it is said once.
    before = shop.books.find("1").head
    shop.turn(14)
    assert shop.books.find("1").head == before


def test_no_address_comes_into_the_record(shop):
    opened(shop)
    whole = json.dumps(shop.books.document("1"))
    assert "secret" not in whole and "T0ken" not in whole and "address 1 of ada" in whole
    assert [call.address for call in shop.calls if hasattr(call, "address")] == [SECRET]


def test_a_message_carries_the_signed_head_against_which_the_timeline_can_be_proven(shop, tmp_path):
    opened(shop)
    (mail,) = [call for call in shop.calls if hasattr(call, "address")]
    (line,) = [one for one in mail.body.splitlines() if one.startswith("Record: ")]
    head = signed_head(line.rpartition(" ")[2])
    assert line == f"Record: {head.number} entries, {head}"
    incident, verdict = shop.books.verify("1", [head])
    assert verdict.is_sound
    # The state directory was lost as well: only the message is left.
    (tmp_path / "state" / FOLDER / incident.id).unlink()
    with shop.store._engine.begin() as connection:
        connection.execute(sa.delete(TIMELINE).where(TIMELINE.c.number >= head.number))
    _incident, verdict = shop.books.verify("1", [head])
    assert not verdict.is_sound and "the tail was cut off" in verdict.problems[0].what


@pytest.mark.parametrize(("policy", "minutes"), [({}, 1440), ({"snooze_at_most_minutes": 45}, 45)])
def test_a_snooze_is_no_longer_than_the_policy_allows(tmp_path, policy, minutes):
    with desk(tmp_path, {**TEAM, "incident_policy": policy}) as shop:
        opened(shop)
        for seconds in (minutes * MINUTE + 1, -1.0, 0.0, math.nan, math.inf):
            with pytest.raises(NotDone, match=f"up to {minutes} minutes"):
                shop.books.snooze("1", shop.clock.now + seconds, "the provider works on it", who="ada")
        shop.books.snooze("1", shop.clock.now + minutes * MINUTE, "the provider works on it", who="ada")
        assert [one["until"] for one in shop.entries("snoozed")] == [shop.clock.now + minutes * MINUTE]


def test_steps_fire_at_their_times_and_who_cannot_be_reached_is_said(shop):
    opened(shop)
    shop.turn(14.9)
    assert len(shop.fired()) == 1
    shop.turn(0.1)
    assert shop.fired() == ["0 min: engineer", "15 min: lead"] and shop.told()[-1] == ("bob", "escalation")
    shop.turn(15)
    assert shop.fired()[-1] == "30 min: manager"
    assert shop.entries("suppressed")[-1]["why"] == "manager: cleo cannot be reached"
    assert [one["targets"] for one in shop.entries("escalated")] == [["ada"], ["bob"]]


def test_an_acknowledgement_stops_what_waits_for_it_and_only_that(shop):
    opened(shop)
    shop.turn(5)
    shop.books.acknowledge("1", who="ada")
    shop.turn(10)
    assert [one["step"] for one in shop.entries("timer") if one["state"] == "stopped"] == [
        "15 min: lead",
        "30 min: manager",
    ]
    # A person does something now and then.
    for _ in range(3):
        shop.books.note("1", "still at it", who="ada")
        shop.turn(15)
    assert shop.fired() == ["0 min: engineer", "60 min: lead"]
    shop.books.resolve("1", "the pool is larger", who="ada")
    shop.turn()
    assert not shop.books.find("1").timers and shop.told()[-1] == ("chat", "resolution")


def test_who_acknowledges_and_then_does_nothing_has_forgotten_it(shop):
    opened(shop)
    shop.books.acknowledge("1", who="ada")
    assert shop.books.acknowledge("1", who="bob").entries == ()
    shop.turn(21)
    fired = [one for one in shop.entries("timer") if one["state"] == "fired"]
    assert "nobody has done anything since" in fired[-1]["why"] and len(fired) == 2
    # It counts again, though somebody had acknowledged it.
    assert [one.words for one in shop.books.acknowledge("1", who="bob").entries] == ["acknowledged again"]
    one = shop.books.find("1")
    assert (one.acknowledged_by, one.acknowledged_at, one.first_acknowledged_at) == ("bob", BEGAN, BEGAN)
    before = len(shop.fired())
    shop.turn(15)
    assert len(shop.fired()) == before


def test_a_snooze_holds_all_of_it_and_then_it_begins_anew(shop):
    opened(shop)
    shop.turn(1)
    shop.books.snooze("1", shop.clock.now + 3600, "the provider works on it", who="ada")
    shop.turn(59)
    assert len(shop.fired()) == 1
    shop.turn(1)
    assert shop.fired() == ["0 min: engineer"] * 2
    assert shop.books.acknowledge("1", who="ada").entries[0].kind == "acknowledged"


def test_raising_arms_anew_and_lowering_does_not(shop):
    opened(shop)
    shop.books.acknowledge("1", who="ada")
    shop.turn(2)
    before = len(shop.fired())
    shop.books.severity("1", "P0", who="ada", why="all users")
    shop.turn()
    assert shop.fired()[before:] == ["0 min: engineer"]
    # The channel that has the alert is not told again; the one of the new severity is.
    assert [one for one in shop.told() if one[1] == "initial"] == [
        ("chat", "initial"),
        ("ada", "initial"),
        ("pager", "initial"),
        ("ada", "initial"),
    ]
    shop.books.acknowledge("1", who="ada")
    before = len(shop.fired())
    shop.books.severity("1", "P1", who="ada", why="some users")
    shop.turn()
    assert len(shop.fired()) == before


def test_a_message_that_has_not_left_stays_when_somebody_acknowledges(shop):
    opened(shop)
    shop.answers = [Answer("failed", "no connection")] * 10
    shop.turn(15)
    assert [one["result"] for one in shop.entries("delivery")][-1] == "failed"
    shop.answers = []
    shop.books.acknowledge("1", who="ada")
    count = len(shop.calls)
    shop.turn(1)
    # The pager and the like hear of the acknowledgement; the escalation does not leave any more.
    assert shop.entries("suppressed")[-1]["why"] == "it was acknowledged or has ended before this was sent"
    assert len(shop.calls) == count


def test_what_fails_is_tried_again_and_given_up_in_the_end(shop):
    shop.answers = [Answer("failed", "no connection")] * 100
    opened(shop)
    for _ in range(60):
        shop.turn(15)
    results = [one for one in shop.entries("delivery") if one["attempts"] > 1]
    assert {one["result"] for one in results} == {"failed", "dead"}
    assert not shop.store.waiting() and shop.store.not_over()["dead"] >= 2


def test_an_answer_that_is_not_known_is_never_sent_again(shop):
    shop.answers = [Answer("unknown", "no answer within 10 s")] * 2
    opened(shop)
    shop.turn(14)
    assert [one["result"] for one in shop.entries("delivery")] == ["unknown", "unknown"] and len(shop.calls) == 2


def test_a_clock_that_is_set_back_fires_nothing_twice_and_makes_nothing_late(tmp_path):
    wall, steady = [BEGAN], [0.0]
    clock = Steady(lambda: wall[0], lambda: steady[0])
    assert clock() == BEGAN
    wall[0], steady[0] = BEGAN - 3600, 60.0
    assert clock() == BEGAN + 60
    wall[0], steady[0] = BEGAN + 7200, 61.0
    assert clock() == BEGAN + 7200
    with desk(tmp_path, TEAM) as shop:
        opened(shop)
        shop.turn(15)
        # As after a restart, with a clock of an hour ago.
        shop.duty = shop.another("one")
        shop.turn(-60)
        assert shop.fired() == ["0 min: engineer", "15 min: lead"] and len(shop.told()) == 3


def test_two_nodes_that_see_the_same_do_it_once(shop):
    nodes = [shop.another(name) for name in ("two", "three", "four")]
    for number in range(6):
        shop.books.open(f"incident {number}", who="oncall", system="shop", severity="P1")
    for minutes in (0, 15, 30):
        shop.clock.now = BEGAN + minutes * MINUTE
        threads = [threading.Thread(target=one.turn) for one in nodes for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        shop.turn()
    for one in nodes:
        one.stop()
    shop.turn()
    for number in range(1, 7):
        names = [one["timer"] for one in shop.entries("timer", str(number)) if one["state"] == "fired"]
        assert len(names) == len({*names}) == 3
        messages = [one["message"] for one in shop.entries("message", str(number))]
        assert len(messages) == len({*messages}) == 3
        assert sorted(one["message"] for one in shop.entries("delivery", str(number))) == sorted(messages)
    assert len(shop.calls) == 18


def test_it_keeps_the_policy_with_which_it_began(shop):
    opened(shop)
    shop.team = team_of("shop", {**TEAM, "incident_escalation": [{"roles": ["manager"], "after_minutes": 1}]})
    shop.duty.again()
    shop.turn(15)
    assert shop.fired() == ["0 min: engineer", "15 min: lead"]


@pytest.mark.parametrize(
    ("system", "severity", "says"),
    [
        ("forum", "P1", "the inventory says of nobody who is to be told of forum"),
        ("", "P1", "the inventory says of nobody who is to be told of no system"),
    ],
)
def test_where_nobody_is_told_it_says_why(shop, system, severity, says):
    shop.books.open("odd", who="ann", system=system, severity=severity, anyway=True)
    shop.turn()
    assert [one["why"] for one in shop.entries("suppressed")] == [says]
    shop.turn(60)
    assert len(shop.entries("suppressed")) == 1


def test_a_severity_without_a_channel_and_without_a_step_says_so(tmp_path):
    with desk(
        tmp_path,
        {
            **TEAM,
            "incident_escalation": [],
            "incident_tell": {"channels": TEAM["incident_tell"]["channels"], "by_severity": {"P0": ["chat"]}},
        },
    ) as shop:
        opened(shop)
        assert [one["why"] for one in shop.entries("suppressed")] == [
            "no channel of incident_tell is for the alert of severity P1"
        ]


def test_what_happened_long_ago_is_no_news(shop):
    shop.books.open("old", who="ann", system="shop", severity="P1")
    shop.turn(61)
    assert "1 h 1 min before anybody could be told" in shop.entries("suppressed")[0]["why"]
    # Who is to be called is called all the same, late.
    assert "late" in next(one["why"] for one in shop.entries("timer") if one["state"] == "fired")


def test_updates_go_out_and_what_is_for_customers_only_to_them(shop):
    opened(shop, "P0")
    shop.books.update("1", "half of the logins fail", who="ada", actions="a new key", needs="nothing")
    shop.books.update("1", "some logins fail", who="ada", customers=True)
    shop.turn()
    assert shop.told()[-3:] == [("chat", "update"), ("pager", "update"), ("page", "customers")]
    last = next(json.loads(one.body) for one in shop.calls if "/v1/pages/" in getattr(one, "url", ""))
    assert last["incident"]["body"].startswith("We are currently investigating reports of some logins fail.")
    assert "Redis" not in json.dumps(last) and "INC-1" not in json.dumps(last)


def test_a_person_can_call_others_by_a_situation(shop):
    opened(shop)
    done = shop.books.escalate_by("1", "security breach", who="ada", tried="a restart")
    assert done.entries[-1].data["targets"] == ["security"]
    shop.turn()
    assert shop.told()[-1] == ("bob", "escalation")
    # Nobody believes that help is on its way where nobody was meant.
    with pytest.raises(NotDone, match="nobody is called 'bbo'; did you mean bob"):
        shop.books.escalate("1", ["bbo"], who="ada")
    # Of several, the others are told all the same.
    shop.books.escalate("1", ["bbo", "security"], who="ada")
    shop.turn()
    assert shop.told()[-1] == ("bob", "escalation")
    assert shop.entries("suppressed")[-1]["why"] == "bbo: there is no such contact"
    # A role that there was when the policy began, and is not there any more.
    shop.books.do("1", lambda now: do.Escalate(who="ada", at=now, targets=["nobody"]))
    shop.turn()
    assert shop.entries("suppressed")[-1]["why"] == "nobody: there is no such contact"


def test_reminders_come_once_for_each_time_that_something_is_due(shop):
    opened(shop)
    shop.books.update("1", "slow", who="ada", next_update_at=shop.clock.now + 1800)
    shop.turn(29)
    assert not [one for one in shop.entries("message") if one.get("reminder")]
    for _ in range(3):
        shop.turn(1)
    reminders = [one for one in shop.entries("message") if one.get("reminder")]
    assert [one["to"] for one in reminders] == ["chat"]
    shop.books.action_item("1", "measure the pool", who="ada", owner="ada", due_at=shop.clock.now + 7 * 86400)
    shop.books.resolve("1", "the pool is larger", who="ada")
    shop.turn()
    assert shop.books.find("1").postmortem.due_at == shop.clock.now + 48 * 3600
    shop.turn(48 * 60)
    shop.turn(5 * 24 * 60)
    reminders = [one["reminder"].split("/")[1:3] for one in shop.entries("message") if one.get("reminder")]
    assert reminders == [["update", "next"], ["postmortem", ""], ["action_item", "A1"]]
    shop.books.action_item("1", who="ada", item="A1", done=True)
    shop.books.review("1", "draft", who="ada", owner="ada")
    reviews, items = shop.books.outstanding()
    assert [one.state for one in reviews] == ["draft"] and not items


def test_a_link_acknowledges_under_the_name_of_whom_it_was_sent_to(shop):
    opened(shop)
    text = next(one.body for one in shop.calls if hasattr(one, "address"))
    token = text.partition("https://oncall.example.com/act/")[2].split()[0]
    key = [Key("1", b"k" * 32)]
    assert read(token, key, shop.clock.now).who == "ada"
    assert shop.books.follow(token, "GET", key).what == "look"
    assert shop.books.find("1").state == "triggered"
    done = shop.books.follow(token, "POST", key)
    assert (done.what, done.incident.state, done.incident.acknowledged_by) == ("act", "acknowledged", "ada")
    assert shop.books.follow(token, "POST", key).what == "used"
    assert [one["who"] for one in shop.entries("acknowledged")] == ["ada"]
    # Channels that many read have none.
    assert all(b"/act/" not in one.body for one in shop.calls if not hasattr(one, "address"))


def test_the_first_step_of_a_policy_is_no_delay_and_the_next_is_one(shop):
    opened(shop)
    assert (
        shop.fired() and [one for one in shop.books.postmortem("1").could_be_better if "escalated" in one.words] == []
    )
    shop.turn(15)
    said = [one.words for one in shop.books.postmortem("1").could_be_better]
    assert [one for one in said if "bob" in one] and not [one for one in said if "ada" in one]


def test_the_numbers_know_all_runbooks_and_who_was_called_and_not_reached(shop):
    opened(shop)
    shop.answers = [Answer("refused", "no such address")]
    shop.turn(15)
    for runbook in ("db_pool", "cache"):
        told = {
            "kind": "run",
            "words": f"{runbook} on h1",
            "data": {"runbook": runbook, "uuid": runbook, "outcome": "unresolved", "host": "h1"},
        }
        shop.books.do("1", lambda now, told=told: do.Write(who="oncall", at=now, **told))
    assert [one["to"] for one in shop.entries("message")][-1] == "bob"
    found = shop.books.stats()
    assert {one.who: (one.calls, one.reached, one.missed) for one in found.woken} == {
        "ada": (1, 1, 0),
        "bob": (1, 0, 1),
    }
    assert [one.name for one in found.by_runbook] == ["cache", "db_pool"]
    # The same as of the whole document.
    whole = stats([row(shop.books.document("1"))])
    assert (whole.woken, whole.by_runbook) == (found.woken, found.by_runbook)
    # A row that a version before has written says which runbooks looked, too.
    with shop.store._engine.begin() as connection:
        figures = json.loads(connection.scalar(sa.select(INCIDENTS.c.figures)))
        del figures["runbooks"]
        connection.execute(sa.update(INCIDENTS).values(figures=json.dumps(figures)))
    assert [one.name for one in shop.books.stats().by_runbook] == ["cache", "db_pool"]


def test_no_link_that_acknowledges_goes_into_a_channel_though_it_is_the_reach_of_a_person(shop):
    opened(shop)
    shop.turn(15)
    assert shop.told()[-1] == ("bob", "escalation")
    said = shop.calls[-1].body
    assert b"https://oncall.example.com/incidents/INC-1" in said and b"/act/" not in said


def test_what_was_being_sent_by_a_node_that_is_gone_is_marked(shop):
    opened(shop, "P0")
    letters = {one.message.channel: one for one in shop.store.letters(shop.books.find("1").id)}
    shop.books.update("1", "slow", who="ada")
    plan_only = shop.another("gone")
    plan_only._see_to(shop.books.find("1").id)
    waiting = {one.message.channel: one for one in shop.store.waiting()}
    for one in waiting.values():
        assert shop.store.begin(begun(one.message, shop.clock.now), "gone")
    count = len(shop.calls)
    shop.turn(1)
    assert len(shop.calls) == count
    shop.duty.took_over("gone")
    shop.turn()
    assert len(shop.calls) == count
    shop.turn(1)
    results = {one["message"]: one["result"] for one in shop.entries("delivery")}
    # The pager takes the same one twice as one; of the chat nobody knows.
    assert results[waiting["chat"].message.id] == "unknown" and results[waiting["pager"].message.id] == "sent"
    assert letters and len(shop.calls) == count + 1


def test_ten_thousand_alerts_of_one_cause_are_told_once(shop):
    opened(shop)
    data = {"name": "RedisDown", "count": 10_000, "labels": {}}
    for _ in range(5):
        shop.books.write(
            "1", do.Write(who="oncall", at=shop.clock.now, kind="alert", words="10,000 alerts RedisDown", data=data)
        )
        shop.turn()
    assert shop.told() == [("chat", "initial"), ("ada", "initial")]


def test_mail_of_one_that_was_closed_meanwhile_is_not_lost_in_an_error(shop):
    shop.answers = [Answer("failed", "no connection")] * 4
    opened(shop)
    shop.books.resolve("1", "over", who="ada")
    shop.books.close("1", who="ada", why="nothing to learn")
    for _ in range(4):
        shop.turn(5)
    assert {one.message.state for one in shop.store.letters(shop.books.find("1").id)} <= {"dropped", "sent"}


# ---------------------------------------------------------------------- the watch
def test_a_watch_whose_looks_are_further_apart_than_it_lasts_is_refused():
    with pytest.raises(OncallError, match="incident_watch: every_minutes is 30, and it is watched for 5 only"):
        team_of("shop", {**TEAM, "incident_watch": {"for_minutes": 5, "every_minutes": 30}})


WATCHED = {**TEAM, "incident_watch": {"for_minutes": 30, "every_minutes": 10}}


@pytest.fixture
def watched(tmp_path) -> Iterator[Desk]:
    """One that was mitigated by runs on two hosts, and is watched by their runbook."""
    with desk(tmp_path, WATCHED) as made:
        made.runbooks = ("cache",)
        opened(made)
        for host, runbook in (("h1", "cache"), ("h2", "cache"), ("h1", "cache"), ("h3", "odd")):
            data = {"runbook": runbook, "uuid": "u", "outcome": "resolved", "host": host}
            made.books.write("1", do.Write(who="oncall", at=BEGAN, kind="run", words=f"{runbook} on {host}", data=data))
        made.books.mitigate("1", "cache: restart helped", who="oncall")
        made.turn()
        yield made


def looks(made: Desk) -> list[dict[str, Any]]:
    """The runs that were asked for and have not ended."""
    with made.store._engine.begin() as connection:
        found = connection.execute(sa.select(EPISODES).where(EPISODES.c.state == "queued").order_by(EPISODES.c.host))
        return [dict(row._mapping) for row in found]


def ended(made: Desk, *outcomes: str) -> None:
    for one, outcome in zip(looks(made), outcomes, strict=True):
        values = {"state": "ended", "outcome": outcome, "ended_at": made.clock.now}
        with made.store._engine.begin() as connection:
            connection.execute(EPISODES.update().where(EPISODES.c.id == one["id"]).values(**values))


def test_runs_look_again_at_what_was_fixed_and_the_last_look_resolves_it(watched):
    assert looks(watched) == []
    for number in (1, 2, 3):
        watched.turn(10)
        found = looks(watched)
        assert [(one["runbook"], one["host"], one["mode"], one["stage"]) for one in found] == [
            ("cache", "h1", "suggest", "check"), ("cache", "h2", "suggest", "check"),
        ]  # fmt: skip
        # They are of this incident, and no alerts of it.
        assert not watched.store.new_episodes(10) and watched.books.find("1").count == 0
        # Whoever decides it again asks for the same runs.
        watched.duty.again()
        watched.turn()
        assert looks(watched) == found and watched.books.find("1").state == "mitigated"
        ended(watched, "healthy", "healthy")
        watched.turn(0.1)
        assert [one["look"] for one in watched.entries("watch")] == [*range(1, number + 1)]
    assert watched.entries("watch")[0]["figures"] == {"cache on h1": "healthy", "cache on h2": "healthy"}
    assert watched.books.find("1").state == "resolved"
    watched.turn(30)
    assert looks(watched) == [] and not watched.store.still_firing(0.0)


def test_a_relapse_within_the_watch_opens_the_same_one_again_and_calls_again(watched):
    watched.turn(10)
    ended(watched, "healthy", "planned")
    watched.turn(0.1)
    one = watched.books.find("1")
    assert (one.state, one.reopenings) == ("triggered", 1)
    assert watched.entries("reopened")[0] | {"who": ""} == {
        "why": "not healthy at look 1 of 3",
        "relapse": True,
        "who": "",
    }
    assert watched.fired() == ["0 min: engineer"] * 2 and watched.told()[-2:] == [
        ("chat", "initial"),
        ("ada", "initial"),
    ]
    # Mitigated once more, the watch begins anew.
    watched.books.mitigate("1", "another restart", who="oncall")
    watched.turn(9.9)
    assert looks(watched) == []
    watched.turn(0.1)
    assert len(looks(watched)) == 2


def test_a_look_that_is_held_is_waited_for(watched):
    watched.turn(10)
    watched.turn(300)
    assert watched.books.find("1").state == "mitigated" and not watched.entries("watch")


def a_plan_waits(shop: Desk, number: int = 1, state: str = "waiting") -> str:
    """As a run leaves it that has planned; the hash of its plan."""
    now, episode, plan_hash = shop.clock.now, f"{number:020d}", f"p{number:016x}"
    row = {
        "id": episode, "runbook": "db_pool", "host": "web01", "fingerprint": "", "mode": "approve", "alert": "{}", "state": state, "stage": "check",
        "received_at": now, "seen_at": now, "queued_at": now, "runs": 1, "plan_hash": plan_hash,
    }  # fmt: skip
    with shop.store._engine.begin() as connection:
        connection.execute(EPISODES.insert(), [row])
    named = {"runbook": "db_pool", "host": "web01"}
    shop.books.write(
        "1",
        do.Write(
            who="oncall", at=now, kind="plan", words=f"db_pool plans end_sessions ({plan_hash})",
            data={**named, "hash": plan_hash, "steps": []}, run=f"{episode}r1",
        ),
        do.Write(
            who="oncall", at=now, kind="run", words="db_pool on web01 ended as planned",
            data={**named, "uuid": f"{episode}r1", "outcome": "planned"}, run=f"{episode}r1",
        ),
        parts=[("episode", episode)],
    )  # fmt: skip
    shop.turn()
    return plan_hash


def plans_told(shop: Desk) -> list[tuple[str, str]]:
    return [(one["to"], one["template"]) for one in shop.entries("message") if one.get("plan")]


def links_of(text: str) -> list[Any]:
    tokens = [part.split()[0] for part in text.split("https://oncall.example.com/act/")[1:]]
    return [read(one, [Key("1", b"k" * 32)], BEGAN) for one in tokens]


def test_who_was_called_is_asked_about_a_plan_that_waits_by_a_link_that_decides_on_it(shop):
    opened(shop)
    plan_hash = a_plan_waits(shop)
    assert plans_told(shop) == [("ada", "escalation")]
    body = shop.calls[-1].body
    assert f"approve or reject what db_pool plans end_sessions ({plan_hash})" in body
    links = links_of(body)
    assert [(one.action, one.who, one.plan) for one in links] == [
        ("approve", "ada", plan_hash),
        ("reject", "ada", plan_hash),
    ]
    # Once, whatever is written later.
    shop.books.note("1", "I look at it", who="ada")
    shop.turn(1)
    assert len(plans_told(shop)) == 1
    # Those that come soon after it are told together.
    for number in (2, 3, 4):
        a_plan_waits(shop, number)
    assert len(plans_told(shop)) == 1
    shop.turn(4)
    assert len(plans_told(shop)) == 2 and "; 4 plans wait" in shop.calls[-1].body
    shop.turn(4)
    assert len(plans_told(shop)) == 2


def test_who_is_at_it_is_asked_about_a_plan_and_a_channel_of_many_carries_no_link(shop):
    opened(shop)
    shop.books.acknowledge("1", who="bob")
    a_plan_waits(shop)
    assert plans_told(shop) == [("bob", "escalation")]
    assert b"approve or reject what db_pool plans" in shop.calls[-1].body and b"/act/" not in shop.calls[-1].body


def test_of_a_plan_that_does_not_wait_nobody_is_asked(shop):
    opened(shop)
    before = shop.told()
    a_plan_waits(shop, state="ended")
    shop.books.snooze("1", shop.clock.now + 10 * MINUTE, "the provider works on it", who="ada")
    a_plan_waits(shop, 2)
    assert shop.told() == before
    # It still waits when the snooze ends.
    shop.turn(10)
    assert plans_told(shop) == [("ada", "escalation")]


@pytest.mark.parametrize(
    ("tell", "why"),
    [
        ({}, "the inventory says of nobody who is to be told of shop"),
        (
            {"channels": {"chat": TEAM["incident_tell"]["channels"]["chat"]}, "by_severity": {"P0": ["chat"]}},
            "nobody is at it, and no channel of its severity has updates",
        ),
    ],
)
def test_a_plan_that_nobody_could_be_asked_about_is_said(tmp_path, tell, why):
    with desk(tmp_path, {**TEAM, "incident_escalation": [], "incident_tell": tell}) as shop:
        opened(shop)
        a_plan_waits(shop)
        assert [one["why"] for one in shop.entries("suppressed") if one["what"] == "the plan that waits"] == [why]


def test_what_is_due_for_the_longest_is_listed_however_many_are_newer(shop, monkeypatch):
    monkeypatch.setattr(books_module, "MOST_LISTED", 2)
    for number in range(1, 6):
        shop.books.open(f"fault {number}", who="ann", system="shop", severity="P1")
        shop.books.action_item(str(number), "measure the pool", who="ann", owner="bob")
        shop.books.resolve(str(number), "the pool is larger", who="ann")
        shop.clock.now += MINUTE
    reviews, items = shop.books.outstanding()
    assert [one.name for one in reviews] == [one.name for one in items] == [f"INC-{number}" for number in range(1, 6)]


def sent_by(shop: Desk, count: int) -> list[tuple[str, str]]:
    """What left since so many calls, as the address and what it does there."""
    bodies = [json.loads(one.body) for one in shop.calls[count:] if not hasattr(one, "address")]
    return sorted((one.get("event_action") or one["kind"], one.get("dedup_key") or one["text"]) for one in bodies)


@pytest.mark.parametrize("how", ["cancelled", "merged"])
def test_a_pager_does_not_go_on_about_what_was_cancelled_or_merged(shop, how):
    opened(shop, "P0")
    shop.books.open("the same once more", who="oncall", source="alert", system="shop", severity="P1")
    shop.turn()
    (key,) = [of for what, of in sent_by(shop, 0) if what == "trigger"]
    count = len(shop.calls)
    if how == "cancelled":
        shop.books.cancel("1", "a drill", who="ada")
    else:
        shop.books.merge("1", "2", who="ada")
    before = shop.books.find("1").head
    shop.turn()
    told = sent_by(shop, count)
    assert [(what, of == key) for what, of in told] == [("resolution", False), ("resolve", True)]
    assert ("cancelled: a drill" if how == "cancelled" else "merged into INC-2") in told[0][1]
    assert shop.books.find("1").head == before and not [*shop.store.waiting()]
    # Once: also by another node, and after a restart.
    another = shop.another("two")
    for _ in range(3):
        another.turn()
    shop.turn(1)
    another.stop()
    assert len(sent_by(shop, count)) == 2


def test_what_was_cancelled_while_no_service_ran_ends_at_the_pager_when_it_does(shop):
    opened(shop, "P0")
    count = len(shop.calls)
    shop.books.cancel("1", "a drill", who="ada")
    shop.duty.stop()
    shop.duty = shop.another("two")
    shop.turn()
    assert [what for what, _of in sent_by(shop, count)] == ["resolution", "resolve"]


def test_what_is_opened_without_a_severity_is_the_most_severe_until_a_person_decides(shop):
    shop.books.open("checkout is down", who="ann", system="shop")
    shop.turn()
    assert shop.told() == [("chat", "initial"), ("pager", "initial"), ("ada", "initial")]
    known = shop.books.find("1")
    assert (known.severity, known.severity_proposed, known.severity_by) == ("P0", "P0", "")
    assert "until a person decides" in shop.entries("opened")[0]["reasons"][-1]
    shop.books.severity("1", "P1", who="ann")
    assert (shop.books.find("1").severity, shop.books.find("1").severity_by) == ("P1", "ann")
    # Of a system of which nothing is known, nothing is proposed.
    shop.books.open("the tea is cold", who="ann", system="kitchen", anyway=True)
    assert shop.books.find("2").severity == ""

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decide on plans at a shell: the same as on the page, on the database of a service."""

from __future__ import annotations

import json
import threading

import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner

from ansible_collections.oncall.runbooks.tests.support.page_site import page_site
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from oncall.cli import main
from oncall.serve.decide.plans import NotDone, Plans
from oncall.serve.store.tables import QUARANTINE

PLAN, OTHER = "p0123456789abcde", "pffffffffffffff0"


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr("oncall.cli.episodes.user", lambda: "ann")
    settings = {"inventories": ["shop,"], "state_directory": "state", "runbooks": {"db_pool": {"mode": "approve"}}}
    file = tmp_path / "serve.yml"
    file.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("ONCALL_CONFIG", str(file))
    with page_site(tmp_path) as made:
        yield made


def oncall(*arguments):
    done = CliRunner().invoke(main, [*arguments], prog_name="oncall")
    return done.exit_code, done.stdout, done.stderr


def decided(site, name):
    """The decisions in the timeline of an incident."""
    return [one for one in site.incidents.timeline(name) if one.kind == "approval"]


@pytest.mark.parametrize(
    ("command", "decision", "state", "stage"),
    [("approve", "approved", "queued", "act"), ("reject", "rejected", "ended", "check")],
)
def test_a_decision_is_in_the_episode_and_in_the_timeline_under_the_name(site, command, decision, state, stage):
    name = site.incident()
    episode = site.episode(incident=name)
    code, out, errors = oncall(command, episode[:12], "--reason", "as agreed\nwith Kim", "--json")
    assert (code, errors) == (0, "")
    (entry,) = decided(site, name)
    assert as_documented(command, out) == {
        "episode": episode, "runbook": "db_pool", "host": "shop", "plan_hash": PLAN, "decision": decision, "who": "ann",
        "reason": "as agreed with Kim", "incident": name, "entry": entry.number,
    }  # fmt: skip
    assert (entry.who, entry.data["decision"], entry.data["plan_hash"], entry.data["reason"]) == (
        "ann", decision, PLAN, "as agreed with Kim",
    )  # fmt: skip
    found = site.store.episode(episode)
    assert (found["state"], found["stage"], found["note"]) == (state, stage, f"{decision} by ann")
    assert site.incidents.verify(name)[1].is_sound
    # The page says it as well.
    assert f"{decision} by ann" in site.of("rosa").text(f"/plans/{episode}")


def test_people_read_a_line(site):
    name = site.incident()
    one, two, three = (site.episode(incident=name) for _ in range(3))
    number = len(site.incidents.timeline(name))
    assert oncall("approve", one)[1] == (
        f"approved ({name}, entry {number + 1}); db_pool acts on shop as soon as nothing holds it back: oncall episodes\n"
    )
    assert (
        oncall("reject", two, "--reason", "no")[1]
        == f"rejected ({name}, entry {number + 2}); db_pool does nothing on shop\n"
    )
    assert oncall("cancel", three)[1] == f"rejected ({name}, entry {number + 3}); db_pool on shop does nothing\n"
    assert oncall("reject", site.episode(), "--reason", "no")[1] == "rejected; db_pool does nothing on shop\n"


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", " \n ")])
def test_a_rejection_needs_a_reason(site, reason):
    name = site.incident()
    episode = site.episode(incident=name)
    told = "Error: say with --reason why it is rejected; who comes next has to know\n"
    assert oncall("reject", episode, *reason) == (64, "", told)
    assert site.store.episode(episode)["state"] == "waiting" and decided(site, name) == []


@pytest.mark.parametrize("with_incident", [True, False])
def test_a_plan_that_is_another_one_than_was_read_is_refused(site, with_incident):
    name = site.incident()
    episode = site.episode(plan=OTHER, incident=name if with_incident else "")
    for command in (("approve",), ("reject", "--reason", "no")):
        code, out, errors = oncall(*command, episode, "--plan", PLAN)
        assert (code, out, len(errors.splitlines())) == (64, "", 1)
        assert f"the plan has changed since you read it: it is {OTHER} now, and was {PLAN}; read it again" in errors
    assert site.store.episode(episode)["state"] == "waiting" and decided(site, name) == []
    assert oncall("approve", episode, "--plan", OTHER)[0] == 0


def test_a_plan_that_changes_while_it_is_decided_on_is_refused(site, monkeypatch):
    name = site.incident()
    episode, below = site.episode(incident=name), Plans._write

    def late(plans, told, parts):
        site.store.change(episode, "waiting", {"plan_hash": OTHER})
        return below(plans, told, parts)

    monkeypatch.setattr(Plans, "_write", late)
    code, _, errors = oncall("approve", episode)
    assert code == 64 and f"it is {OTHER} now, and was {PLAN}" in errors
    assert site.store.episode(episode)["state"] == "waiting" and decided(site, name) == []


@pytest.mark.parametrize("with_incident", [True, False])
def test_of_two_who_decide_at_once_one_does_and_the_other_is_told(site, with_incident):
    name = site.incident()
    plans = site.page._sources.plans
    for _ in range(6):
        episode = site.episode(incident=name if with_incident else "")
        together, came = threading.Barrier(2), {}

        def decide(who, decision, at=together, to=came, one=episode):
            at.wait()
            try:
                to[who] = plans.decide(one, PLAN, decision, "so", who)
            except NotDone as error:
                to[who] = error

        both = [threading.Thread(target=decide, args=args) for args in (("ann", "approved"), ("bob", "rejected"))]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        (won,) = [who for who, told in came.items() if not isinstance(told, NotDone)]
        (lost,) = [str(told) for told in came.values() if isinstance(told, NotDone)]
        assert f" by {won}" in lost and lost.endswith("Your decision was not taken")
        assert site.store.episode(episode)["state"] == {"ann": "queued", "bob": "ended"}[won]
    assert len(decided(site, name)) == (6 if with_incident else 0)


def test_who_is_second_is_told_in_a_line(site):
    name = site.incident()
    episode = site.episode(incident=name)
    browser = site.of("rosa")
    browser.send(f"/plans/{episode}", decision="rejected", plan_hash=PLAN, reason="a migration holds it")
    for command in (("approve",), ("reject", "--reason", "no")):
        assert oncall(*command, episode) == (
            64, "", "Error: this plan does not wait any more: canceled: rejected by rosa: a migration holds it. Your decision was not taken\n",
        )  # fmt: skip
    code, _, errors = oncall("cancel", episode)
    assert code == 64 and "has ended already: canceled: rejected by rosa: a migration holds it" in errors
    assert len(decided(site, name)) == 1
    # And the other way round.
    other = site.episode(incident=name)
    oncall("approve", other)
    answer = browser.send(f"/plans/{other}", decision="rejected", plan_hash=PLAN, reason="no")
    assert answer.status_code == 409 and "approved by ann" in answer.text


@pytest.mark.parametrize("state", ["queued", "running", "ended"])
def test_where_no_plan_waits_there_is_nothing_to_decide(site, state):
    episode = site.episode(state=state, plan_hash="", outcome="", summary="")
    code, out, errors = oncall("approve", episode)
    assert (code, out) == (64, "") and errors.startswith("Error: no plan waits for a person there: ")
    assert oncall("approve", "0123")[0] == 64


# ---------------------------------------------------------------------- cancel
def test_to_cancel_what_waits_is_to_reject_its_plan(site):
    name = site.incident()
    one, two = (site.episode(incident=name) for _ in range(2))
    told = as_documented("cancel", oncall("cancel", one, "--reason", "done by hand", "--json")[1])
    assert (told["decision"], told["reason"], told["incident"]) == ("rejected", "done by hand", name)
    # Blanks are no reason.
    assert (
        as_documented("cancel", oncall("cancel", two, "--reason", " ", "--json")[1])["reason"] == "a person wanted it"
    )
    assert [(entry.who, entry.data["decision"], entry.data["reason"]) for entry in decided(site, name)] == [
        ("ann", "rejected", "done by hand"), ("ann", "rejected", "a person wanted it"),
    ]  # fmt: skip
    assert site.store.episode(one)["outcome"] == "canceled"


@pytest.mark.parametrize(
    ("state", "then", "says"),
    [("queued", "ended", "db_pool on shop is canceled"), ("running", "running", "db_pool on shop is being killed")],
)
def test_what_has_no_plan_that_waits_is_canceled_and_the_timeline_says_so(site, state, then, says):
    name = site.incident()
    one, two, other = (
        site.episode(incident=name, state=state),
        site.episode(incident=name, state=state),
        site.episode(state=state),
    )
    number = site.incidents.find(name).head.number + 1
    assert oncall("cancel", one, "--reason", "enough") == (0, f"{says} ({name}, entry {number})\n", "")
    entry = site.incidents.timeline(name)[-1]
    assert (entry.kind, entry.who, entry.words) == ("note", "ann", f"{says}: enough")
    # It is of no incident.
    assert oncall("cancel", other, "--reason", "enough") == (0, f"{says}\n", "")
    found = site.store.episode(one)
    told = found["summary"] if state == "queued" else found["cancel"]
    assert (found["state"], told) == (then, "canceled by ann: enough")
    told = as_documented("cancel", oncall("cancel", two, "--json")[1])
    assert (told["decision"], told["incident"], told["entry"]) == ("canceled", name, number + 1)
    assert decided(site, name) == []


def test_what_is_queued_for_an_incident_that_is_closed_is_canceled_and_no_timeline_says_so(site):
    name = site.incident()
    episode = site.episode(incident=name, state="queued")
    site.incidents.resolve(name, "it is over", who="rosa")
    site.incidents.close(name, who="rosa")
    code, out, _ = oncall("cancel", episode, "--reason", "enough")
    assert (code, out.startswith(f"db_pool on shop is canceled; no timeline says so: {name} is closed")) == (0, True)


def test_what_waits_for_an_incident_that_is_closed_can_only_be_canceled(site):
    name = site.incident()
    episode = site.episode(incident=name)
    site.incidents.resolve(name, "it is over", who="rosa")
    site.incidents.close(name, who="rosa")
    for command in (("approve",), ("reject", "--reason", "no")):
        code, _, errors = oncall(*command, episode)
        assert code == 64 and f"{name} is closed, and never changes again" in errors
        assert site.store.episode(episode)["state"] == "waiting"
    code, out, _ = oncall("cancel", episode)
    assert (code, out.startswith(f"db_pool on shop is canceled; no timeline says so: {name} is closed")) == (0, True)
    assert site.store.episode(episode)["summary"] == "canceled by ann: a person wanted it"
    assert decided(site, name) == []


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_no_secret_of_an_alert_is_printed(site, as_json):
    labels = {"alertname": "PoolEmpty", "api_token": "s3cretvalue", "url": "https://ann:hunter22@shop.example/"}
    alert = {"labels": labels, "annotations": {"summary": "password=hunter22"}, "count": 3}
    episode = site.episode(alert=json.dumps(alert))
    row = {"id": "k", "reason": "no runbook", "alert": json.dumps(alert), "first_at": 1.0, "last_at": 1.0, "count": 1}
    with site.store._engine.begin() as connection:
        connection.execute(sa.insert(QUARANTINE).values(**row))
    alert_shown = "PoolEmpty" if as_json else "alertname=PoolEmpty, "
    for command, shows in (
        (["episode", episode], alert_shown),
        (["episodes"], episode[:12]),
        (["quarantine"], alert_shown),
    ):
        code, out, errors = oncall(*command, *as_json)
        assert (code, errors) == (0, "") and shows in out
        assert "s3cretvalue" not in out and "hunter22" not in out, out

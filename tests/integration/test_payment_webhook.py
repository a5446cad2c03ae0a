# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook payment_webhook on a real endpoint, a real PostgreSQL, and a provider of the shape that Stripe documents."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.payment_stack import (
    FORMER_SECRET,
    SECRET,
    WRITE_KEY,
    PaymentStack,
    payment_stack,
)
from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from lab.ports import free_port


@pytest.fixture(scope="module")
def postgres():
    with server() as running:
        yield running


@pytest.fixture
def stack(postgres):
    with payment_stack(postgres) as one:
        # One that arrived: of none that is seen, nothing is shown.
        one.payments.paid(500, ago_seconds=3600)
        one.deliver()
        yield one


@pytest.fixture
def play(stack, tmp_path):
    state = tmp_path / "oncall"
    state.mkdir(mode=0o700)
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "run_confirm_seconds": 0,
        "run_verify_seconds": 1,
        "run_verify_every_seconds": 1,
        "run_verify_timeout_seconds": 5,
        "run_cooldown_seconds": 0,
        "run_budget_count": 100,
        "system_state_directory": str(state),
        "system_services": {
            "shop": {
                "manager": "command",
                "commands": {"status": ["true"]},
                "health_url": f"http://{stack.taker.server.place}/health",
            }
        },
        "system_database": stack.postgres.reach("app"),
        "payment_webhook_answer_seconds": 2,
        "payment_webhook_proof_seconds": 2,
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": variables}}}))
    player = Player(tmp_path, tmp_path)

    def run(*arguments: str, playbook: str = "payment_webhook", **more: object) -> Play:
        webhook = stack.webhook(service="shop", **more.pop("webhook", {}))
        given = {"system_payment_webhook": webhook, "run_hosts": "stack", **more}
        return player.play("-i", str(inventory), *arguments, playbook=f"playbooks/{playbook}.yml", **given)

    return run


def reports(tmp_path: Path) -> list[list[dict[str, str]]]:
    files = sorted((tmp_path / "oncall" / "evidence").glob("payments-*.csv"))
    return [list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())) for file in files]


@pytest.mark.covers("PD-3-3", "PD-3-4")
def test_events_that_did_not_arrive_are_replayed(stack: PaymentStack, play, tmp_path):
    ids = stack.add(12)
    stack.payments.paid(700, ago_seconds=7200, livemode=False)
    stack.payments.add("customer.updated", {"id": "cus_1"}, 7200)
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["undelivered"]), checked.output
    assert (stack.rows()["events"], reports(tmp_path)) == (1, [])

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["undelivered"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"]) == ("replay_events", True)
    assert action["targets"] == [{"event": one} for one in ids]
    assert stack.rows() == {"events": 13, "payments": 13}
    assert set(stack.taker.posts.values()) == {1}
    (rows,) = reports(tmp_path)
    assert [row["event"] for row in rows] == ids
    assert {row["state"] for row in rows} == {"ok"}
    for text in (fixed.output, fixed.record.read_text()):
        assert SECRET not in text

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output


@pytest.mark.covers("PD-3-3", "PD-3-4")
def test_events_that_got_lost_are_replayed(stack: PaymentStack, play):
    stack.taker.mode = "forgets"
    lost = stack.payments.paid(900, ago_seconds=3600)
    stack.deliver()
    # A fix that does not help: the handler still says 200 and keeps nothing.
    told = play()
    assert (told.code, told.outcome, told.causes()) == (2, "unresolved", ["not_in_database"]), told.output
    assert "did not end within" in told.output
    assert stack.taker.posts[lost] == 2
    stack.taker.mode = "right"
    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert stack.taker.applied[lost] == 1


def test_an_endpoint_that_was_disabled_is_enabled_where_that_is_allowed(stack: PaymentStack, play):
    stack.endpoint.status = "disabled"
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["endpoint_disabled"]), told.output
    assert stack.endpoint.status == "disabled"
    allowed = {"webhook": {"write_key": WRITE_KEY}, "payment_webhook_may_enable": True}
    blocked = play(**allowed)
    assert (blocked.outcome, stack.endpoint.status) == ("blocked", "disabled"), blocked.output
    fixed = play(**allowed, run_max_risk="high")
    assert (fixed.code, fixed.outcome, stack.endpoint.status) == (0, "resolved", "enabled"), fixed.output


# ---------------------------------------------------------------------- what looks the same and is something else
@pytest.mark.covers("PD-3-3", "PD-3-4")
@pytest.mark.parametrize(
    ("mode", "cause", "next_one"),
    [
        ("fails", "handler_fails", None),
        ("down", "errors_everywhere", "error_rate"),
        (404, "not_handled", None),
        ("all", "takes_anything", None),
    ],
)
def test_an_endpoint_that_does_not_work_is_sent_nothing(stack: PaymentStack, play, mode, cause, next_one):
    stack.add(3)
    stack.taker.mode = mode
    told = play(run_until="plan")
    first = told.runs[0]
    causes = [finding["cause"] for finding in first["findings"] if finding["status"] == "problem"]
    assert causes == ([cause, "undelivered"] if mode == "all" else [cause]), told.output
    assert first["hand_over"] == ([next_one] if next_one else [])
    assert stack.rows()["events"] == 1


@pytest.mark.covers("PD-3-4")
def test_a_wrong_secret_and_one_that_is_rolled(stack: PaymentStack, play):
    stack.add(3)
    stack.taker.secrets = ["whsec_of_another_endpoint"]
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["wrong_secret"]), told.output
    assert stack.rows()["events"] == 1
    stack.taker.secrets = [FORMER_SECRET]
    rolled = play(webhook={"secrets": [SECRET, FORMER_SECRET]}, run_until="plan")
    assert rolled.causes() == ["old_secret", "undelivered"], rolled.output


@pytest.mark.covers("PD-3-4")
def test_amounts_that_differ_are_reported_and_never_mended(stack: PaymentStack, play, tmp_path):
    stack.postgres.execute("UPDATE payments SET amount = 5000")
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["amounts_differ"]), told.output
    assert "500 eur at the provider, 5000 eur in the database" in told.run["summary"]
    written = play(playbook="payment_webhook_report")
    assert written.code == 0, written.output
    ((row,),) = reports(tmp_path)
    assert (row["state"], row["amount in the database (minor units)"]) == ("amount_differs", "5000")
    assert stack.postgres.execute("SELECT amount FROM payments") == [(5000,)]


def test_all_is_well(stack: PaymentStack, play):
    told = play()
    assert (told.code, told.outcome, told.run["actions"]) == (0, "healthy", []), told.output


def test_what_cannot_be_seen_is_no_healthy_night(stack: PaymentStack, play):
    told = play(webhook={"provider_url": f"http://127.0.0.1:{free_port()}"})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "connection refused" in told.run["summary"]
    blind = play(system_database={**stack.postgres.reach("app"), "port": free_port()})
    assert (blind.code, blind.outcome) == (2, "unknown"), blind.output

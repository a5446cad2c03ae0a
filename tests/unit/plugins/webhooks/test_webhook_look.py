# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What webhook_info tells of a real endpoint, a real database, and a provider of the documented shape."""

from __future__ import annotations

import itertools
import re
import time

import pytest

from ansible_collections.oncall.runbooks.tests.support.payment_stack import (
    AMOUNTS,
    FORMER_SECRET,
    PROCESSED,
    READ_KEY,
    SECRET,
    payment_stack,
)
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from lab.ports import free_port


@pytest.fixture(scope="module")
def postgres():
    with server() as running:
        yield running


@pytest.fixture
def stack(postgres):
    with payment_stack(postgres) as one:
        yield one


def test_all_is_well(stack):
    for amount in (1900, 2500):
        stack.payments.paid(amount, ago_seconds=3600)
    stack.deliver()
    found = stack.look()
    assert (found["available"], found["complete"], found["limits"]) == (True, True, []), found
    assert found["events"]["counts"] == {"ok": 2}
    assert (found["events"]["told"], found["events"]["compared"], found["events"]["seen"]) == ([], 2, 2)
    endpoint, provider = found["endpoint"], found["provider"]
    assert (endpoint["status"], endpoint["right_secret"], endpoint["takes_forged"]) == (200, 1, False)
    assert endpoint["forged_status"] == 400
    assert abs(endpoint["clock_offset_seconds"]) < 2
    assert (provider["enabled"], provider["known"], provider["not_subscribed"]) == (True, True, [])
    assert stack.rows() == {"events": 2, "payments": 2}, "our own event left nothing there"
    assert SECRET not in str(found)
    assert READ_KEY not in str(found)


def test_events_that_did_not_arrive(stack):
    given_up = stack.add(3)
    waits = stack.add(1, ago_seconds=7300, give_up=False)
    young = stack.add(1, ago_seconds=60, give_up=False)
    found = stack.look()
    told = found["events"]["told"]
    assert [(row["id"], row["state"]) for row in told] == [
        *((one, "undelivered") for one in waits + given_up),
        (young[0], "pending"),
    ]
    assert [row["pending_webhooks"] for row in told] == [1, 0, 0, 0, 1]
    assert found["events"]["counts"] == {"pending": 1, "undelivered": 4}


def test_events_that_were_delivered_and_are_not_there(stack):
    stack.taker.mode = "forgets"
    lost = stack.payments.paid(1900, ago_seconds=3600)
    stack.deliver()
    stack.taker.mode = "right"
    (row,) = stack.look()["events"]["told"]
    assert (row["id"], row["state"], row["amount"], row["currency"]) == (lost, "not_in_database", 1900, "eur")


def test_amounts_are_reconciled(stack):
    for amount in (1900, 2500, 700):
        stack.payments.paid(amount, ago_seconds=3600 - amount / 100)
    stack.deliver()
    stack.postgres.execute("UPDATE payments SET amount = 2400 WHERE amount = 2500")
    stack.postgres.execute("DELETE FROM payments WHERE amount = 700")
    told = stack.look()["events"]["told"]
    assert [(row["state"], row["amount"], row["paid_amount"]) for row in told] == [
        ("no_payment", 700, None),
        ("amount_differs", 2500, 2400),
    ]


def test_events_of_other_types_and_of_the_test_mode_are_not_ours(stack):
    stack.payments.add("customer.updated", {"id": "cus_1"}, 7200)
    stack.payments.paid(1, ago_seconds=7200, livemode=False)
    found = stack.look()
    assert found["events"]["told"] == []
    assert (found["events"]["seen"], found["events"]["other_mode"]) == (0, 1)


def test_what_another_endpoint_did_not_take_is_not_ours(stack):
    from lab.programs.payments import Endpoint

    stack.payments.endpoints.append(Endpoint(f"http://127.0.0.1:{free_port()}/other", ["whsec_other"]))
    stack.payments.paid(1900, ago_seconds=7200)
    stack.deliver()
    found = stack.look()
    assert found["events"]["counts"] == {"ok": 1}


def test_a_busy_month_is_read_from_its_oldest_event_on(stack):
    ids = [stack.payments.paid(n + 1, ago_seconds=20 * 86400 - 60 * n) for n in range(450)]
    stack.payments.give_up(*ids)
    found = stack.look()
    assert [row["id"] for row in found["events"]["told"]] == ids
    cut = stack.look(most_pages=12)
    seen = [row["id"] for row in cut["events"]["told"]]
    assert seen == ids[: len(seen)]
    assert 0 < len(seen) < 450
    assert "12 pages were read, up to" in cut["limits"][0]
    assert cut["complete"] is False


def test_many_events_in_one_second(stack):
    ids = [stack.payments.paid(n + 1, ago_seconds=7200) for n in range(250)]
    stack.payments.give_up(*ids)
    assert {row["id"] for row in stack.look()["events"]["told"]} == set(ids)


def test_too_many_questions_are_asked_again_in_time(stack):
    stack.payments.per_second = 2
    stack.add(1)
    found = stack.look()
    assert found["events"]["counts"] == {"undelivered": 1}, found
    assert found["provider"]["waited_seconds"] >= 1
    stack.payments.per_second = 0
    short = stack.look(timeout_seconds=0.9)
    assert (short["provider"]["available"], short["provider"]["error"]) == (False, "rate_limited")
    assert "longer than is left" in short["provider"]["reason"]


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ({}, "credentials", "answers 401: the key is refused; it needs a restricted key with read access"),
        ({READ_KEY: set()}, "not_allowed", "answers 403: the key may not read it"),
    ],
)
def test_a_key_that_does_not_fit(stack, keys, error, says):
    stack.payments.keys = keys
    found = stack.look()
    assert (found["provider"]["available"], found["provider"]["error"]) == (False, error)
    assert says in found["provider"]["reason"]
    assert found["events"]["available"] is False
    assert found["endpoint"]["right_secret"] == 1


@pytest.mark.parametrize(
    ("secrets", "known", "right"),
    [
        ([SECRET], [SECRET], 1),
        ([SECRET, FORMER_SECRET], [FORMER_SECRET], 2),
        ([SECRET, FORMER_SECRET], ["whsec_third"], None),
    ],
)
def test_both_secrets_of_a_roll_are_tried(stack, secrets, known, right):
    stack.taker.secrets = known
    endpoint = stack.look(stack.webhook(secrets=secrets))["endpoint"]
    assert (endpoint["right_secret"], endpoint["takes_forged"]) == (right, False)
    assert endpoint["takes_tomorrow"] is (None if right else False)
    assert endpoint["status"] == (200 if right else 400)


def test_one_of_two_replicas_with_another_secret_is_seen(stack):
    for turns in ([True, False], [False, True]):
        order = itertools.cycle(turns)
        knows, answer = stack.taker.secrets, stack.taker.answer

        def by_turns(header, body, order=order, answer=answer, knows=knows):
            stack.taker.secrets = knows if next(order) else ["whsec_of_before"]
            return answer(header, body)

        stack.taker.answer = by_turns
        endpoint = stack.look()["endpoint"]
        stack.taker.answer, stack.taker.secrets = answer, knows
        assert endpoint["alike"] is False, endpoint
        assert set(endpoint["answers"]) == {"200", "400"}
        # Which of the two was asked says nothing of a clock.
        assert endpoint["takes_tomorrow"] is None


def test_a_clock_behind_is_told_from_a_wrong_secret_also_by_what_takes_nothing_from_the_future(stack):
    stack.taker.ahead_seconds = -900
    answer = stack.taker.answer

    def strict(header, body):
        if int(header[2:].partition(",")[0]) > time.time() - 900 + 300:
            return 400, b"Timestamp outside the tolerance zone"
        return answer(header, body)

    stack.taker.answer = strict
    endpoint = stack.look()["endpoint"]
    assert (endpoint["status"], endpoint["takes_tomorrow"]) == (400, True), endpoint


def test_a_handler_that_answers_403_to_a_wrong_signature_is_asked_with_the_former_secret_too(stack):
    stack.taker.secrets, answer = [FORMER_SECRET], stack.taker.answer

    def forbids(header, body):
        status, text = answer(header, body)
        return (403, text) if status == 400 else (status, text)

    stack.taker.answer = forbids
    endpoint = stack.look(stack.webhook(secrets=[SECRET, FORMER_SECRET]))["endpoint"]
    assert (endpoint["right_secret"], endpoint["takes_forged"]) == (2, False), endpoint


def test_what_was_done_twice_is_seen(stack):
    stack.payments.paid(1900, ago_seconds=3600)
    stack.deliver()
    twice = stack.look(
        stack.webhook(statements={"processed": f"{PROCESSED} UNION ALL {PROCESSED}", "amounts": AMOUNTS})
    )
    assert twice["events"]["counts"] == {"twice": 1}
    paid_twice = stack.look(
        stack.webhook(statements={"processed": PROCESSED, "amounts": f"{AMOUNTS} UNION ALL {AMOUNTS}"})
    )
    assert paid_twice["events"]["counts"] == {"amount_differs": 1}


def test_an_event_whose_payment_is_there_is_left_alone(stack):
    lost = stack.payments.paid(1900, ago_seconds=3600)
    stack.deliver()
    stack.postgres.execute("DELETE FROM payment_events")
    (row,) = stack.look()["events"]["told"]
    assert (row["id"], row["state"]) == (lost, "not_in_database")
    assert row["left_alone"] == "the database has the payment, so it could be counted twice"


def test_what_the_database_keeps_no_longer_is_not_missing(stack):
    from lab.programs.payments import Endpoint

    newest = stack.payments.paid(500, ago_seconds=3600)
    stack.payments.paid(700, ago_seconds=21 * 86400)
    stack.deliver()
    # Another endpoint never took this one, and ours did, long ago.
    stack.payments.endpoints.append(Endpoint(f"http://127.0.0.1:{free_port()}/other", ["whsec_other"]))
    old = stack.payments.paid(900, ago_seconds=20 * 86400)
    stack.deliver()
    kept = stack.look()["events"]
    assert kept["counts"] == {"ok": 2}
    assert stack.rows()["events"] == 3
    stack.postgres.execute(f"DELETE FROM payment_events WHERE id <> '{newest}'")
    stack.postgres.execute("DELETE FROM payments WHERE amount > 500")
    (row,) = stack.look()["events"]["told"]
    assert (row["id"], row["state"]) == (old, "undelivered")
    assert "of those delivered before it, it has none" in row["left_alone"]


def test_what_happened_while_the_endpoint_was_disabled_is_looked_for_as_far_back_as_events_are_kept(stack):
    stack.endpoint.status = "disabled"
    missed = stack.payments.paid(1900, ago_seconds=5 * 86400)
    events = stack.look()["events"]
    assert events["since_seconds"] == events["kept_seconds"]
    assert [(row["id"], row["state"]) for row in events["told"]] == [(missed, "not_in_database")]


def test_a_clock_that_is_ahead_refuses_what_is_signed_right(stack):
    stack.taker.ahead_seconds = 3600
    endpoint = stack.look()["endpoint"]
    assert (endpoint["right_secret"], endpoint["status"], endpoint["takes_tomorrow"]) == (None, 400, True)
    assert endpoint["clock_offset_seconds"] == pytest.approx(3600, abs=2)


@pytest.mark.parametrize(
    ("mode", "status", "forged"), [("all", 200, True), ("fails", 500, False), (404, 404, False), (302, 302, False)]
)
def test_what_an_endpoint_answers(stack, mode, status, forged):
    stack.taker.mode = mode
    endpoint = stack.look()["endpoint"]
    assert (endpoint["available"], endpoint["status"], endpoint["takes_forged"]) == (True, status, forged)


def test_an_endpoint_that_hangs_and_one_that_is_not_there(stack):
    stack.taker.mode = "hangs"
    endpoint = stack.look(answer_seconds=0.5)["endpoint"]
    assert (endpoint["error"], endpoint["connected"], endpoint["takes_forged"]) == ("timeout", True, None)
    gone = stack.look(stack.webhook(url=f"http://127.0.0.1:{free_port()}/x"))
    assert (gone["endpoint"]["available"], gone["endpoint"]["error"]) == (True, "refused")
    assert gone["provider"]["known"] is False


def test_without_the_database_nothing_is_guessed(stack):
    stack.add(1)
    found = stack.look(stack.webhook(statements={}))
    assert found["database"]["available"] is False
    # The provider sends to this endpoint alone.
    assert found["events"]["counts"] == {"undelivered": 1}
    assert found["events"]["told"][0]["processed"] is None
    down = stack.look(database={**stack.postgres.reach("app"), "port": free_port()})
    assert "connection" in down["database"]["reason"].lower()
    assert down["complete"] is False


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"event_types": []}, "name 1 to 20 types"),
        ({"event_types": ["a.b"] * 21}, "name 1 to 20 types"),
        ({"event_types": ["'; DROP TABLE x; --"]}, "is no type of event"),
        ({"event_types": ["oncall.probe"]}, "the handler must ignore it"),
        ({"secrets": []}, "name the signing secret"),
        ({"statements": {"processed": "SELECT 1; SELECT 2"}}, "statements.processed: a statement is one query"),
        ({"statements": {"amounts": "SELECT :event_ids"}}, "nothing is given for its parameter :event_ids"),
        ({"parameters": {"event_ids": 1}}, "cannot have the name 'event_ids'"),
        ({"payments": {"a.b": {"payment_id": "id"}}}, "must be a dict of payment_id, amount and currency"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(stack, wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)) as raised:
        stack.look(stack.webhook(**wrong))
    assert "\n" not in str(raised.value)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of looking at a payment webhook: signatures, pages, events, amounts, reports, and answers that cannot be used."""

from __future__ import annotations

import csv
import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.database import whole
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.events import (
    PAYMENTS,
    event_of,
    is_comparable,
    state_of,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.listing import Cut, oldest_first
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.provider import (
    Provider,
    ProviderError,
    clock_offset_seconds,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.report import as_csv, as_markdown, rows_of
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.signature import header
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from lab.programs.payment_events import BadSignature, verified
from lab.programs.payments import Payments

BODY = b'{"id":"evt_1"}'


def test_a_signature_is_that_of_the_provider():
    # As the provider's own library (stripe 16.1.0) computes it.
    right = "b868922b9b162b4b7305dd76ca6c6ea151ff4d5ca3e0ad2443349a77977072cd"
    assert header("whsec_abc", 1790000000.9, BODY) == f"t=1790000000,v1={right}"


# The library of the provider answers so (stripe 16.1.0): only what is old is refused.
@pytest.mark.parametrize(("ago", "is_taken"), [(301, False), (299, True), (-86400, True)])
def test_the_application_of_the_tests_takes_what_the_library_takes(ago, is_taken):
    def clock() -> float:
        return 1790000000.0

    signed = header("whsec_abc", clock() - ago, BODY)
    if is_taken:
        assert verified(signed, BODY, ["whsec_x", "whsec_abc"], clock) == {"id": "evt_1"}
        return
    with pytest.raises(BadSignature, match="too old"):
        verified(signed, BODY, ["whsec_abc"], clock)


# ---------------------------------------------------------------------- pages
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
@pytest.mark.parametrize("gap", [0, 1, 7000])
def test_pages_come_the_oldest_first(count, gap):
    payments = Payments()
    ids = [payments.paid(1, ago_seconds=1 + (count - n) * gap) for n in range(count)]
    now, asked = int(time.time()), []

    def ask(query):
        asked.append(query)
        return payments.listed(query)

    pages = [*oldest_first(ask, now - 29 * 86400, now, [], 60)]
    assert [document["id"] for page in pages for document in page] == ids
    assert len(asked) <= 26 + count // 100


def test_as_many_pages_as_may_be():
    payments = Payments()
    for n in range(300):
        payments.paid(1, ago_seconds=400000 - n * 1000)
    now, seen = int(time.time()), []
    with pytest.raises(Cut):
        for page in oldest_first(payments.listed, now - 29 * 86400, now, [], 6):
            seen += page
    assert 0 < len(seen) < 300
    assert seen[0]["data"]["object"]["amount"] == 1


# ---------------------------------------------------------------------- events
def document(**changes):
    paid = {"id": "pi_1", "amount_received": 1900, "currency": "EUR", "receipt_email": "a@b.example"}
    return {
        "id": "evt_1", "type": "payment_intent.succeeded", "created": 5, "livemode": True, "data": {"object": paid}, **changes
    }  # fmt: skip


def test_of_an_event_what_matters_is_read():
    assert event_of(document(), PAYMENTS) == {
        "id": "evt_1", "type": "payment_intent.succeeded", "created": 5, "livemode": True, "pending_webhooks": None,
        "payment_id": "pi_1", "amount": 1900, "currency": "eur", "about": "pi_1",
    }  # fmt: skip
    assert event_of(document(type="customer.updated"), PAYMENTS)["amount"] is None
    refund = {"object": {"id": "ch_1", "payment_intent": "pi_1"}}
    assert event_of(document(type="charge.refunded", data=refund), PAYMENTS)["about"] == "pi_1"
    paid = {"object": {"id": "pi_1", "amount_received": 1900, "currency": "=A1"}}
    odd = event_of(document(data=paid), PAYMENTS)
    assert (odd["amount"], odd["currency"]) == (1900, None)


def test_an_amount_in_no_currency_is_told_and_not_compared():
    event = {"delivered": True, "age_seconds": 9999, "amount": 1900, "currency": None}
    paid = {"amount": 1900, "currency": "eur"}
    assert not is_comparable(event)
    assert state_of(event, 1, paid, 60, True) == "ok"
    assert state_of(event, 1, {}, 60, True) == "no_payment"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "'; DROP TABLE x; --"}, {"id": "../x"}, {"id": "evt_"}, {"id": None}, {"created": "5"}, {"created": True},
        {"created": -1}, {"livemode": 1}, {"type": None},
    ],
)  # fmt: skip
def test_what_is_no_event(wrong):
    assert event_of(document(**wrong), PAYMENTS) is None
    assert event_of([], PAYMENTS) is None


@pytest.mark.parametrize("data", [None, [], {"object": None}, {"object": {"id": "=cmd()", "amount_received": 1}}])
def test_an_event_without_its_payment(data):
    found = event_of(document(data=data), PAYMENTS)
    assert (found["payment_id"], found["amount"], found["currency"]) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1900", 1900),
        ("1900.00", 1900),
        ("19.5", None),
        ("NaN", None),
        ("1e30", None),
        ("", None),
        ("-5", -5),
        (None, None),
    ],
)
def test_amounts_are_whole_numbers(text, number):
    assert whole(text) == number


@pytest.mark.parametrize(
    ("delivered", "age", "processed", "paid", "is_alone", "state"),
    [
        (True, 9999, True, {"amount": 5, "currency": "eur"}, True, "ok"),
        (True, 9999, 2, {"amount": 5, "currency": "eur"}, True, "twice"),
        (True, 9999, True, None, True, "ok"),
        (True, 9999, True, {"amount": 5, "currency": "usd"}, True, "amount_differs"),
        (True, 9999, True, {"amount": None, "currency": None}, True, "amount_differs"),
        (True, 9999, True, {}, True, "no_payment"),
        (False, 9999, True, None, True, "ok"),
        (False, 5, False, None, True, "pending"),
        (True, 5, False, None, True, "pending"),
        (False, 9999, False, None, False, "undelivered"),
        (True, 9999, False, None, True, "not_in_database"),
        (True, 9999, None, None, True, "delivered"),
        (False, 9999, None, None, True, "undelivered"),
        (False, 9999, None, None, False, "unknown"),
    ],
)
def test_what_became_of_an_event(delivered, age, processed, paid, is_alone, state):
    row = {"delivered": delivered, "age_seconds": age, "amount": 5, "currency": "eur"}
    assert state_of(row, processed, paid, 900, is_alone) == state


def test_a_clock_by_the_date_of_an_answer():
    assert clock_offset_seconds("Tue, 03 Mar 2026 10:00:00 GMT", 1772528400.0, 1772528401.0) == 3600.0
    assert [clock_offset_seconds(text, 0, 0) for text in ("", "soon", "Tue, 99 Mar")] == [None] * 3


# ---------------------------------------------------------------------- reports
def row(**changes):
    return {
        "id": "evt_1", "type": "a.b", "created": 0, "payment_id": "pi_1", "amount": 5, "currency": "eur", "paid_amount": None,
        "paid_currency": None, "state": "undelivered", **changes,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1"])
def test_nothing_in_a_report_is_a_formula(text):
    written = as_csv(rows_of([row(type=text)], {"evt_1": text}))
    (found,) = csv.DictReader(written.splitlines(keepends=True))
    assert (found["type"], found["what was done"]) == (f"'{text}", f"'{text}")
    assert found["amount at the provider (minor units)"] == "5"


def test_nothing_in_a_report_is_markup():
    about = {
        "made": "now", "url": "https://x/|y", "counts": {"undelivered": 1}, "seen": 1, "compared": 0, "limits": ["<b>\nnot seen"],
        "since_seconds": 86400, "kept_seconds": 30 * 86400,
    }  # fmt: skip
    text = as_markdown(rows_of([row(type="a|b\n# c <script>")], {}), about)
    assert "a\\|b # c \\<script\\>" in text
    assert "- \\<b\\> not seen" in text
    assert "| undelivered | eur | 1 | 5 | 0 |" in text
    assert "No event needed a look" in as_markdown([], about)


# ---------------------------------------------------------------------- answers that cannot be used
ANSWERS = {
    "errors": (500, b'{"error": {"message": "sorry, rk_test_abcdefgh1234"}}', {}, "server_error", "answers 500"),
    "html": (200, b"<html>Sign in</html>", {}, "protocol", "what is no JSON; is it a login page?"),
    "truncated": (200, b'{"object": "list", "da', {}, "protocol", "what is no JSON"),
    "another": (200, b'{"hello": 1}', {}, "protocol", "no list of it; is it another API?"),
    "no list of events": (200, b'{"data": ["a"], "has_more": false}', {}, "protocol", "no list of it"),
    "deep": (200, b"[" * 100000, {}, "protocol", "what is no JSON"),
    "large": (200, b"x" * 9_000_000, {}, "too_large", "larger than"),
    "elsewhere": (302, b"", {"Location": "http://other.example/"}, "bad_status", "answers 302"),
    "missing": (404, b"{}", {}, "not_found", "answers 404"),
}


@pytest.mark.parametrize(("status", "body", "headers", "kind", "says"), ANSWERS.values(), ids=ANSWERS)
def test_answers_that_cannot_be_used_are_told_in_one_line(status, body, headers, kind, says):
    class Answers(Handler):
        def do_GET(self) -> None:
            self.give(body, status, **headers)

    server = HttpServer(Answers)
    try:
        webhook = {"provider_url": f"http://{server.place}", "api_key": "rk_test_abcdefgh1234"}
        with pytest.raises(ProviderError) as raised:
            Provider(webhook, Deadline(5)).listed("/v1/events", [("limit", "1")])
    finally:
        server.close()
    assert raised.value.kind == kind
    assert says in str(raised.value)
    assert "rk_test" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_id_that_is_none_is_not_asked_for():
    with pytest.raises(ValueError, match="no id of an event"):
        Provider({"provider_url": "http://127.0.0.1:1", "api_key": "k"}, Deadline(1)).event("../../v1/charges")

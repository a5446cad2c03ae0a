# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook payment_webhook."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.events import KEPT_SECONDS, PAYMENTS, event_of
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.look import (
    earlier_of,
    endpoint_of,
    judged,
    summary,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.probe import told
from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

URL = "https://shop.example/webhooks/stripe"
WEBHOOK = {
    "url": URL,
    "provider_url": "https://api.stripe.com",
    "secrets": ["whsec_a"],
    "event_types": ["payment_intent.succeeded"],
    "service": "api",
    "statements": {"processed": "SELECT 1 AS id", "amounts": "SELECT 1"},
    "livemode": True,
}
SYSTEM = {
    "system_services": {
        "api": {"manager": "compose", "project": "/srv/app", "health_url": "https://shop.example/health"}
    },
    "system_payment_webhook": WEBHOOK,
    "system_database": {"name": "app"},
    "system_status_pages": {"stripe": {"url": "https://status.example", "kind": "jmespath", "status": "s"}},
}
DAY, HOUR = 86400, 3600
# A moment of the provider's clock, far from any limit.
NOW = 1_790_000_000


def answer(status: int | None = 200, error: str = "", seconds: float = 0.05, **more: Any) -> dict[str, Any]:
    """What an endpoint answered to one event."""
    reason = f"POST {URL} answers {status}" if status else f"POST {URL}: {error}"
    found = {"status": status, "error": error, "connected": True, "reason": reason, "seconds": seconds, "secret": 1}
    return {**found, "clock_offset_seconds": 0.1 if status else None, **more}


def endpoint(
    signed: dict[str, Any] | None = None,
    forged: dict[str, Any] | None = None,
    tomorrow: list[dict[str, Any]] | None = None,
    again: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An endpoint that answered so; a signature that is wrong is refused."""
    signed = signed or answer()
    return told({**WEBHOOK, **more}, signed, forged or answer(400), tomorrow, 0.0, [signed, *(again or [])])


def provider(*others: dict[str, Any], **changes: Any) -> dict[str, Any]:
    own = {"id": "we_1", "url": URL, "enabled": True, "livemode": True, "enabled_events": ["*"], **changes}
    return endpoint_of([own, *others], WEBHOOK)


def event(
    number: int,
    ago: float = 7200,
    delivered: bool = False,
    amount: int = 1900,
    payment: int = 0,
    pending: int = 0,
    kind: str = "payment_intent.succeeded",
) -> dict[str, Any]:
    """An event of the provider, as it is read."""
    paid = {"id": f"pi_{payment or number}", "amount_received": amount, "currency": "eur"}
    document = {
        "id": f"evt_{number}", "type": kind, "created": int(NOW - ago), "livemode": True,
        "pending_webhooks": pending, "data": {"object": paid},
    }  # fmt: skip
    read = event_of(document, PAYMENTS)
    assert read
    return {**read, "delivered": delivered, "age_seconds": int(ago)}


DELIVERED = [event(1, 9000, delivered=True), event(2, 8000, delivered=True)]
PAID = {"pi_1": {"amount": 1900, "currency": "eur"}, "pi_2": {"amount": 1900, "currency": "eur"}}
STORED = {"available": True, "error": "", "reason": "", "processed_known": True, "amounts_known": True}
NOT_STORED = {
    **STORED,
    "available": False,
    "processed_known": False,
    "amounts_known": False,
    "reason": "connection refused",
}
GONE = {"available": False, "reason": "no answer", "error": "timeout"}
SICK = {"available": False, "reason": "https://api.stripe.com/v1/events answers 503", "error": "server_error"}


def route(status: int | None = 200, error: str = "") -> dict[str, Any]:
    return {
        "available": True,
        "ok": status == 200,
        "status": status,
        "error": error,
        "reason": f"GET https://shop.example/health {'answers ' + str(status) if status else error}",
    }


def look(
    *events: dict[str, Any],
    first: list[dict[str, Any]] = DELIVERED,
    processed: tuple[str, ...] | None = ("evt_1", "evt_2"),
    paid: dict[str, Any] | None = PAID,
    endpoint: dict[str, Any] = endpoint(),  # noqa: B008
    provider: dict[str, Any] = provider(),  # noqa: B008
    stored: dict[str, Any] = STORED,
    service: dict[str, Any] | None = None,
    health: dict[str, Any] = route(),  # noqa: B008
    listed: dict[str, Any] | None = None,
    cut: str = "",
    page: str = "",
    older: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """What all observers tell. The two events that are in the database come first; ``older`` ones are those before what is missing."""
    rows = [*({**one} for one in first), *({**one} for one in events)]
    ids = None if processed is None else Counter(processed)
    told_of = judged(
        rows,
        ids,
        paid if stored["amounts_known"] else None,
        900.0,
        provider.get("endpoints") == 1,
        None if ids is None else earlier_of(rows, ids, older or []),
    )
    told_of["limits"] += [cut] if cut else []
    more = {
        "available": True,
        "reason": "",
        "error": "",
        "other_mode": 0,
        "other_types": 0,
        "since_seconds": DAY,
        "kept_seconds": KEPT_SECONDS,
    }
    found: dict[str, Any] = {
        "webhook": summary({**provider}, {**endpoint}, {**(listed or {**more, **told_of})}, {**stored}),
        "service": {"available": True, "services": {"api": service or running()}},
        "http_probe": {"available": True, "endpoints": {"health": health}, "failing": [], "unknown": [], "limits": []},
    }
    if page:
        said = {
            "available": page != "unknown",
            "status": page,
            "component": "Webhooks",
            "incidents": [{"name": "late"}],
        }
        found["status_page"] = {
            "available": page != "unknown",
            "complete": True,
            "pages": {"stripe": said},
            "unknown": [],
            "limits": [],
        }
    return found


WITH_PAGE = {"payment_webhook_status_page": "stripe"}
REFUSED = endpoint(answer(400), answer(400), [answer(400)])
REPLAYED = {"acts": ["replay_events"], "risk": "medium"}
NO_API = {"available": False, "reason": "refused", "error": "no_connection"}
ENABLED = {"payment_webhook_may_enable": True, "system_payment_webhook": {**WEBHOOK, "write_key": "rk"}}
UNSEEN = {
    "webhook": summary({**GONE}, {**GONE}, {**GONE}, {**NOT_STORED}),
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
    "http_probe": {
        "available": False,
        "endpoints": {"health": {**route(None), "available": False}},
        "reason": "no answer",
    },
}
ELSEWHERE = {
    "id": "we_2",
    "url": "https://analytics.example",
    "enabled": True,
    "livemode": True,
    "enabled_events": ["*"],
}

test_concluded = table(
    "payment_webhook",
    SYSTEM,
    {
        "all arrived": Case(look(), says=["the endpoint answers 200 in 0.05 s", "2 events of the last 24 h", "2 amounts agree"]),
        "an event that is young": Case(look(event(3, 60)), says=["1 events of the last 15 min may still be on their way"]),
        # ---------------------------------------------------------------- the provider
        "the provider answers with errors": Case(
            look(provider=SICK, listed=SICK), problems=["provider_down"], says=["answers 503"],
        ),
        "its page says that events come late": Case(
            look(event(3, pending=1), page="major_outage"), variables=WITH_PAGE, problems=["provider_down"],
            says=["its status page says major outage of Webhooks (late)"],
        ),
        "its page says so, and it has given up on one": Case(
            look(event(3), event(4, pending=1), page="major_outage"), variables=WITH_PAGE, problems=["provider_down", "undelivered"], **REPLAYED,
            says=["1 events could not be delivered"],
        ),
        "its page cannot be read, and it answers": Case(look(event(3), page="unknown"), variables=WITH_PAGE, problems=["undelivered"], **REPLAYED),
        "its page says that all is well": Case(look(page="operational"), variables=WITH_PAGE),
        "the key is refused": Case(
            look(provider={**GONE, "error": "credentials", "reason": "answers 401"}, listed={**GONE, "error": "credentials"}),
            problems=["key_refused"],
        ),
        "the key may not read events": Case(
            look(listed={**GONE, "error": "not_allowed", "reason": "answers 403"}), problems=["key_refused"], says=["answers 403"]
        ),
        "it has no such endpoint": Case(look(provider=endpoint_of([ELSEWHERE], WEBHOOK)), problems=["endpoint_missing"]),
        "its endpoint is that of the test mode": Case(look(provider=provider(livemode=False)), problems=["endpoint_missing"]),
        "it disabled the endpoint": Case(
            look(provider=provider(enabled=False)), problems=["endpoint_disabled"], why_not="payment_webhook_may_enable does not allow it"
        ),
        "it disabled the endpoint, which may be enabled": Case(
            look(provider=provider(enabled=False)), variables=ENABLED, problems=["endpoint_disabled"], acts=["enable_endpoint"], risk="high"
        ),
        "it disabled the endpoint, and there is no key for that": Case(
            look(provider=provider(enabled=False)), variables={"payment_webhook_may_enable": True}, problems=["endpoint_disabled"],
            why_not="write_key is missing",
        ),
        "it disabled the endpoint, which still has the wrong secret": Case(
            look(provider=provider(enabled=False), endpoint=REFUSED), variables=ENABLED, problems=["wrong_secret", "endpoint_disabled"],
            why_not="it does not work yet",
        ),
        "it is not subscribed": Case(
            look(provider=provider(enabled_events=["charge.refunded"])), problems=["not_subscribed"], says=["payment_intent.succeeded"]
        ),
        # ---------------------------------------------------------------- the endpoint
        "nobody listens": Case(
            look(event(3), endpoint=endpoint(answer(None, "refused", connected=False))), problems=["endpoint_unreachable"]
        ),
        "its name does not resolve, and that of the provider does": Case(
            look(endpoint=endpoint(answer(None, "dns", connected=False))), problems=["endpoint_unreachable"], says=["dns"]
        ),
        "neither name resolves": Case(look(provider=GONE, listed=GONE, endpoint=endpoint(answer(None, "dns", connected=False))), unknown=None),
        "nobody listens, and the service is gone": Case(
            look(endpoint=endpoint(answer(None, "refused", connected=False)), service=running(state="exited"), health=route(None, "refused")),
            problems=["api_is_down"], says=["api is exited"],
        ),
        "nothing of the service answers": Case(
            look(endpoint=endpoint(answer(None, "timeout")), health=route(None, "timeout")), problems=["api_is_down"]
        ),
        "it is another path": Case(look(event(3), endpoint=endpoint(answer(404), answer(404))), problems=["not_handled"]),
        "it is redirected": Case(look(endpoint=endpoint(answer(301), answer(301))), problems=["not_handled"]),
        "it wants a login": Case(look(endpoint=endpoint(answer(401), answer(401))), problems=["not_handled"]),
        "it hangs": Case(look(event(3), endpoint=endpoint(answer(None, "timeout", 10.0))), problems=["handler_slow"]),
        "it fails": Case(look(event(3), endpoint=endpoint(answer(500), answer(400))), problems=["handler_fails"]),
        "it answers 500 on all routes": Case(
            look(event(3), endpoint=endpoint(answer(500), answer(500)), health=route(500)), problems=["errors_everywhere"],
            says=["and so do the other routes: health answers 500"],
        ),
        "it takes anything": Case(look(endpoint=endpoint(forged=answer(200))), problems=["takes_anything"]),
        "the secret is another one": Case(look(event(3), endpoint=REFUSED), problems=["wrong_secret"], says=["signed with the secret"]),
        "both secrets are others": Case(
            look(endpoint=endpoint(answer(400), answer(400), [answer(400)] * 2, secrets=["a", "b"])), problems=["wrong_secret"],
            says=["any of the 2 secrets"],
        ),
        "the former secret is still there": Case(
            look(endpoint=endpoint(answer(secret=2), secrets=["a", "b"])), problems=["old_secret"]
        ),
        "its clock is ahead": Case(
            look(event(3), endpoint=endpoint(answer(400, clock_offset_seconds=3600.0), answer(400), [answer(200)])), problems=["clock_off"],
            says=["3600 s ahead of that of the provider, and it takes right signatures for too old"],
        ),
        "its clock is ahead, behind a proxy that is right": Case(
            look(endpoint=endpoint(answer(400), answer(400), [answer(200)])), problems=["clock_off"], says=["The secret is right"]
        ),
        "its clock is behind": Case(look(endpoint=endpoint(answer(clock_offset_seconds=-900.0))), problems=["clock_off"]),
        "its clock is behind, and it takes nothing from the future": Case(
            look(event(3), endpoint=endpoint(answer(400, clock_offset_seconds=-900.0), answer(400), [answer(400), answer(200)])), problems=["clock_off"],
            says=["900 s behind that of the provider, and it takes right signatures for too new"],
        ),
        "its clock is behind, and the secret is another one": Case(
            look(event(3), endpoint=endpoint(answer(400, clock_offset_seconds=-900.0), answer(400), [answer(400)] * 2)),
            problems=["clock_off", "wrong_secret"],
        ),
        "one of two replicas has another secret": Case(
            look(event(3), endpoint=endpoint(again=[answer(400), answer(), answer(400), answer()])), problems=["replicas_differ"],
            says=["3 times 200, 2 times 400"],
        ),
        "one of two replicas has another secret, and was asked first": Case(
            look(event(3), endpoint=endpoint(answer(400), again=[answer(), answer(400)])), problems=["replicas_differ"]
        ),
        "one of two replicas fails": Case(look(endpoint=endpoint(again=[answer(500)] * 2)), problems=["replicas_differ"]),
        "one of two replicas hangs": Case(look(endpoint=endpoint(again=[answer(None, "timeout", 10.0)])), problems=["replicas_differ"]),
        "it refuses the signature with 403": Case(
            look(event(3), endpoint=endpoint(answer(403), answer(403), [answer(403)])), problems=["not_handled"], says=["or refuses the signature"]
        ),
        # ---------------------------------------------------------------- events
        "events were not delivered": Case(
            look(event(3), event(4, 3 * DAY)), problems=["undelivered"], **REPLAYED, says=["2 events could not be delivered"]
        ),
        "events got lost": Case(look(event(3, delivered=True)), problems=["not_in_database"], **REPLAYED, says=["1 events, of which the provider has nothing left to deliver, are not in the database"]),
        "both": Case(
            look(event(3), event(4, delivered=True)), problems=["undelivered", "not_in_database"], acts=["replay_events"] * 2, risk="medium"
        ),
        # ---------------------------------------------------------------- what must not be sent again
        "the database has the payment, and not the event": Case(
            look(event(3, delivered=True), paid={**PAID, "pi_3": PAID["pi_1"]}), problems=["left_alone"], says=["it could be counted twice"]
        ),
        "a later event of the same payment was processed": Case(
            look(event(3, 20000, payment=1, kind="payment_intent.payment_failed"), event(4)), problems=["undelivered", "left_alone"], **REPLAYED,
            says=["1 events could not be delivered", "1: a later event of the same payment was processed"],
        ),
        "two events of one payment that were made together": Case(
            look(event(3, 8990, payment=1)), problems=["undelivered"], **REPLAYED
        ),
        "the database does not keep events for so long": Case(
            look(event(3, 20 * DAY), provider=provider(ELSEWHERE), older=[event(5, 21 * DAY, delivered=True)]), problems=["left_alone"],
            says=["of those delivered before it, it has none"],
        ),
        "nothing shows that it keeps them for so long": Case(
            look(event(3, 20 * DAY), provider=provider(ELSEWHERE)), problems=["left_alone"], says=["nothing shows that the database has any event that old"]
        ),
        "it keeps them for so long": Case(
            look(event(3, 20 * DAY), provider=provider(ELSEWHERE), older=[event(5, 21 * DAY, delivered=True)], processed=("evt_1", "evt_2", "evt_5")),
            problems=["undelivered"], **REPLAYED,
        ),
        "none of many that were delivered is in the database": Case(look(processed=(), older=[event(5, DAY, delivered=True)]), problems=["left_alone"]),
        "an event is in the database twice": Case(look(processed=("evt_1", "evt_2", "evt_2")), problems=["handled_twice"], says=["the first is evt_2"]),
        "events are missing, and nothing says which were processed": Case(
            look(event(3), processed=None, stored=NOT_STORED), problems=["undelivered"], why_not="connection refused"
        ),
        "events of another endpoint": Case(look(event(3), processed=("evt_1", "evt_2", "evt_3"), paid={**PAID, "pi_3": PAID["pi_1"]})),
        "some endpoint did not get them, and the database is not seen": Case(
            look(event(3), processed=None, stored=NOT_STORED, provider=provider(ELSEWHERE)), unknown=["undelivered", "not_in_database", "left_alone", "handled_twice", "amounts_differ"],
            says=["connection refused"],
        ),
        "nothing is missing as far as was looked": Case(
            look(cut="12 pages were read"), unknown=["undelivered", "not_in_database", "left_alone", "handled_twice", "amounts_differ"]
        ),
        "some are missing as far as was looked": Case(
            look(event(3), cut="12 pages were read"), problems=["undelivered"],
            unknown=["not_in_database", "left_alone", "handled_twice", "amounts_differ"], **REPLAYED,
        ),
        "it was paid otherwise": Case(
            look(paid={**PAID, "pi_2": {"amount": 1800, "currency": "eur"}}), problems=["amounts_differ"],
            says=["1900 eur at the provider, 1800 eur in the database"],
        ),
        "it is not paid at all": Case(look(paid={"pi_1": PAID["pi_1"]}), problems=["amounts_differ"], says=["no such payment"]),
        "nobody asks for amounts": Case(
            look(stored={**STORED, "amounts_known": False}),
            variables={"system_payment_webhook": {**WEBHOOK, "statements": {"processed": "SELECT 1 AS id"}}},
        ),
        "nothing is seen": Case(UNSEEN, unknown=None),
    },
)  # fmt: skip


def test_what_is_on_its_way_needs_nobody():
    result = diagnose("payment_webhook", look(event(3, 60)), **SYSTEM)
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == ["pending"], result["findings"]


def test_of_no_event_at_all_nothing_is_shown():
    result = diagnose("payment_webhook", look(first=[]), **SYSTEM)
    assert result["status"] == "unknown"
    assert "nothing shows that the events of the provider are in the database" in result["msg"]


def test_where_no_amount_can_be_compared_none_agrees():
    refunds = [event(number, 9000, delivered=True, kind="charge.refunded") for number in (1, 2)]
    result = diagnose("payment_webhook", look(first=refunds), **SYSTEM)
    assert result["status"] == "unknown"
    assert "nothing shows that the amounts of the provider are those of the database" in result["msg"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[all arrived]"
WRONG_CAUSE_ROW = "test_concluded[it answers 500 on all routes]"
NO_TELEMETRY_ROW = "test_concluded[nothing is seen]"

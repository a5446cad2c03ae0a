# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider's payments: events, and what is told of them, in the shapes that Stripe documents.

It is the documented shape and not the product: "Events" of Stripe's API reference, and "Process undelivered events" of its guide to
webhooks. Lists begin with the newest and have pages; a key may read what it was made for; too many questions in a second are refused; and
what an endpoint did not take is sent again after longer and longer times.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from .web import Handler, Refused

KEPT_SECONDS = 30 * 86400
MOST_TYPES = 20
READ_EVENTS, READ_ENDPOINTS, WRITE_ENDPOINTS = "events.read", "webhook_endpoints.read", "webhook_endpoints.write"
_COMPARED = {"gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b}


@dataclass
class Delivery:
    """How one event gets to one endpoint."""

    tries: int = 0
    next_at: float = 0.0
    is_done: bool = False
    is_given_up: bool = False


@dataclass
class Endpoint:
    """Where events are sent to. Two secrets while one is rolled: both sign."""

    url: str
    secrets: list[str]
    send_to: str = ""
    enabled_events: list[str] = field(default_factory=lambda: ["*"])
    status: str = "enabled"
    livemode: bool = True
    id: str = field(default_factory=lambda: f"we_{uuid.uuid4().hex[:24]}")

    def wants(self, event: Mapping[str, Any]) -> bool:
        return (
            self.status == "enabled"
            and self.livemode is event["livemode"]
            and ("*" in self.enabled_events or event["type"] in self.enabled_events)
        )

    def told(self) -> dict[str, Any]:
        return {
            "id": self.id, "object": "webhook_endpoint", "url": self.url, "status": self.status, "livemode": self.livemode,
            "enabled_events": self.enabled_events, "api_version": None,
        }  # fmt: skip


class Payments:
    """One account.

    Attributes:
        keys: what each key may.
        per_second: so many questions are answered in a second.
        retry_seconds: the times between deliveries; after the last one it gives up.
        answer_seconds: for so long it waits for an endpoint.
        questions: paths that were asked, for tests.
    """

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = {}
        self.endpoints: list[Endpoint] = []
        self.per_second = 100
        self.retry_seconds: Sequence[float] = (60, 600, 3600)
        self.answer_seconds = 10.0
        self.questions: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._asked: deque[float] = deque()
        self._lock = threading.RLock()

    def open_account(self, url: str, send_to: str, secrets: list[str], key: str) -> None:
        """One endpoint, and one key that may read."""
        self.endpoints = [Endpoint(url, secrets, send_to)]
        self.keys = {key: {READ_EVENTS, READ_ENDPOINTS}}
        # Whoever was not there is asked again soon.
        self.retry_seconds = (1,) * 600

    def forget(self) -> None:
        """No event was ever there."""
        with self._lock:
            self._events.clear()
            self._deliveries.clear()

    # ------------------------------------------------------------------ events
    def add(self, kind: str, paid: Mapping[str, Any], ago_seconds: float = 0, livemode: bool = True) -> str:
        """Something happened: an event, which will be sent to every endpoint that wants it. Its id."""
        event: dict[str, Any] = {
            "id": f"evt_{uuid.uuid4().hex[:24]}", "object": "event", "api_version": "2024-06-20",
            "created": int(time.time() - ago_seconds), "type": kind, "livemode": livemode,
            "request": {"id": None, "idempotency_key": None}, "data": {"object": dict(paid)},
        }  # fmt: skip
        with self._lock:
            self._events.append(event)
            for endpoint in self.endpoints:
                if endpoint.wants(event):
                    self._deliveries[event["id"], endpoint.id] = Delivery()
        return str(event["id"])

    def paid(self, amount: int, currency: str = "eur", ago_seconds: float = 0, **more: Any) -> str:
        """A payment that succeeded."""
        payment = {"id": f"pi_{uuid.uuid4().hex[:24]}", "object": "payment_intent", "amount": amount}
        payment |= {"amount_received": amount, "currency": currency, "status": "succeeded"}
        return self.add("payment_intent.succeeded", payment, ago_seconds, **more)

    def give_up(self, *event_ids: str) -> None:
        """As after three days of deliveries that failed."""
        with self._lock:
            for (event_id, _endpoint), delivery in self._deliveries.items():
                delivery.is_given_up |= event_id in event_ids and not delivery.is_done

    def given_up(self) -> list[str]:
        """The events whose deliveries were given up."""
        with self._lock:
            return [event_id for (event_id, _endpoint), one in self._deliveries.items() if one.is_given_up]

    def deliver_due(self) -> None:
        """Send what is due, once each."""
        now = time.monotonic()
        with self._lock:
            due = [
                (event, endpoint, delivery)
                for event in self._events
                for endpoint in self.endpoints
                if (delivery := self._deliveries.get((event["id"], endpoint.id))) and endpoint.status == "enabled"
                if not delivery.is_done and not delivery.is_given_up and delivery.next_at <= now
            ]
        for event, endpoint, delivery in due:
            self._deliver(event, endpoint, delivery)

    def deliver_forever(self, every_seconds: float = 0.1) -> None:
        while True:
            self.deliver_due()
            time.sleep(every_seconds)

    def _deliver(self, event: dict[str, Any], endpoint: Endpoint, delivery: Delivery) -> None:
        body = json.dumps(self._told(event), indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(endpoint.secrets, body),
        }
        try:
            with urlopen(
                Request(endpoint.send_to or endpoint.url, body, headers), timeout=self.answer_seconds
            ) as answer:
                delivery.is_done = 200 <= answer.status < 300
        except (HTTPError, URLError, OSError):
            pass
        if not delivery.is_done:
            left = [*self.retry_seconds][delivery.tries : delivery.tries + 1]
            delivery.is_given_up = not left
            delivery.next_at = time.monotonic() + (left[0] if left else 0)
        delivery.tries += 1

    def _told(self, event: dict[str, Any]) -> dict[str, Any]:
        pending = [
            one for (event_id, _), one in self._deliveries.items()
            if event_id == event["id"] and not one.is_done and not one.is_given_up
        ]  # fmt: skip
        return {**event, "pending_webhooks": len(pending)}

    def _is_delivered(self, event: Mapping[str, Any]) -> bool:
        return all(one.is_done for (event_id, _), one in self._deliveries.items() if event_id == event["id"])

    # ------------------------------------------------------------------ what is asked
    def admit(self, request: Handler, permission: str) -> None:
        """Refuse who may not ask, and who asks too often."""
        self.questions.append(request.path)
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or key not in self.keys:
            raise Refused(401, _error("invalid_request_error", "Invalid API Key provided"))
        if permission not in self.keys[key]:
            raise Refused(403, _error("invalid_request_error", f"This key does not have the permission {permission}"))
        now = time.monotonic()
        with self._lock:
            while self._asked and self._asked[0] < now - 1:
                self._asked.popleft()
            if len(self._asked) >= self.per_second:
                raise Refused(429, _error("rate_limit_error", "Too many requests"), {"Retry-After": "1"})
            self._asked.append(now)

    def listed(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """A page of events, the newest first."""
        asked = _Asked(pairs)
        now = time.time()
        with self._lock:
            found = [event for event in self._events if event["created"] > now - KEPT_SECONDS and asked.fits(event)]
            if asked.delivered is not None:
                found = [event for event in found if self._is_delivered(event) is asked.delivered]
            # The newest first; those of one second as they came.
            order = {event["id"]: number for number, event in enumerate(self._events)}
            found.sort(key=lambda event: (-event["created"], -order[event["id"]]))
            data, has_more = asked.page(found)
            told = [self._told(event) for event in data]
        return {"object": "list", "url": "/v1/events", "has_more": has_more, "data": told}

    def event(self, event_id: str) -> dict[str, Any]:
        with self._lock:
            for event in self._events:
                if event["id"] == event_id and event["created"] > time.time() - KEPT_SECONDS:
                    return self._told(event)
        raise Refused(404, _error("invalid_request_error", f"No such event: '{event_id}'"))


class _Asked:
    """The parameters of a list of events."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.types = [value for name, value in pairs if name in ("types[]", "type")]
        one = dict(pairs)
        known = {"limit", "starting_after", "ending_before", "delivery_success", "type", "types[]"}
        known |= {f"created[{name}]" for name in _COMPARED}
        if unknown := sorted(set(one) - known):
            raise Refused(400, _error("invalid_request_error", f"Received unknown parameter: {unknown[0]}"))
        if len(self.types) > MOST_TYPES or {"type", "types[]"} <= set(one):
            raise Refused(400, _error("invalid_request_error", "Give type, or up to 20 types"))
        self.after, self.before = one.get("starting_after"), one.get("ending_before")
        if self.after and self.before:
            raise Refused(400, _error("invalid_request_error", "Give starting_after or ending_before"))
        self.delivered = {"true": True, "false": False, None: None}.get(one.get("delivery_success"))
        try:
            self.limit = int(one.get("limit", 10))
            self.created = [(_COMPARED[name[8:-1]], int(value)) for name, value in pairs if name.startswith("created[")]
        except ValueError:
            raise Refused(400, _error("invalid_request_error", "Invalid integer")) from None
        if not 1 <= self.limit <= 100:
            raise Refused(400, _error("invalid_request_error", "limit is from 1 to 100"))

    def fits(self, event: Mapping[str, Any]) -> bool:
        return (not self.types or event["type"] in self.types) and all(
            compare(event["created"], value) for compare, value in self.created
        )

    def page(self, found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
        ids = [event["id"] for event in found]
        cursor = self.after or self.before
        if cursor and cursor not in ids:
            raise Refused(400, _error("invalid_request_error", f"No such event: {cursor}"))
        if self.before:
            newer = found[: ids.index(self.before)]
            return newer[-self.limit :], len(newer) > self.limit
        older = found[ids.index(self.after) + 1 :] if self.after else found
        return older[: self.limit], len(older) > self.limit


def signature(secrets: Sequence[str], body: bytes, at: float | None = None) -> str:
    """The header Stripe-Signature: one v1 for each secret."""
    moment = int(time.time() if at is None else at)
    each = (hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={moment}", *(f"v1={one}" for one in each)])


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


# ---------------------------------------------------------------------- routes, of any program that has ``payments``
def events(program: Any, request: Handler) -> Any:
    program.payments.admit(request, READ_EVENTS)
    return program.payments.listed(request.pairs)


def event(program: Any, request: Handler) -> Any:
    program.payments.admit(request, READ_EVENTS)
    return program.payments.event(request.last)


def endpoints(program: Any, request: Handler) -> Any:
    program.payments.admit(request, READ_ENDPOINTS)
    told = [one.told() for one in program.payments.endpoints]
    return {"object": "list", "url": "/v1/webhook_endpoints", "has_more": False, "data": told}


def change_endpoint(program: Any, request: Handler) -> Any:
    program.payments.admit(request, WRITE_ENDPOINTS)
    for one in program.payments.endpoints:
        if one.id == request.last:
            disabled = dict(request.form()).get("disabled")
            one.status = {"true": "disabled", "false": "enabled", None: one.status}[disabled]
            return one.told()
    raise Refused(404, _error("invalid_request_error", f"No such webhook endpoint: '{request.last}'"))


ROUTES = {
    ("GET", "/v1/events"): events,
    ("GET", "/v1/events/*"): event,
    ("GET", "/v1/webhook_endpoints"): endpoints,
    ("POST", "/v1/webhook_endpoints/*"): change_endpoint,
}

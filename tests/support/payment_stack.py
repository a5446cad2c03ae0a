# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A payment provider, a program that takes its events, and the database behind it, for tests: on loopback, gone with the test."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.webhook import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.webhooks.look import observe
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from lab.database import PAYMENTS
from lab.programs import payments as shapes
from lab.programs import provider as program
from lab.programs.payment_events import WANTED, BadSignature, take, verified
from lab.programs.web import Server as WebServer

READ_KEY, WRITE_KEY = "rk_test_readonly0123", "rk_test_writing01234"
SECRET, FORMER_SECRET = "whsec_current0123456789abcdef", "whsec_former0123456789abcdef"
PROCESSED = "SELECT id FROM payment_events WHERE id IN (SELECT jsonb_array_elements_text(:event_ids::jsonb))"
AMOUNTS = (
    "SELECT payment_id, amount, currency FROM payments"
    " WHERE payment_id IN (SELECT jsonb_array_elements_text(:payment_ids::jsonb))"
)


class Taker:
    """The program that takes events.

    Attributes:
        secrets: it knows.
        mode: ``right``, ``all`` (it looks at no signature), ``fails``, ``hangs``, ``forgets`` (it says 200 and does nothing), or a status.
        ahead_seconds: of its clock.
        posts: how often each event came, whatever became of it.
        applied: how often each event was done.
        broken: the ids of events that it fails of.
        pause_seconds: before an answer.
    """

    def __init__(self, postgres: Server) -> None:
        self.postgres = postgres
        self.secrets = [SECRET]
        self.mode: str | int = "right"
        self.ahead_seconds = self.pause_seconds = 0.0
        self.broken: set[str] = set()
        self.posts: Counter[str] = Counter()
        self.applied: Counter[str] = Counter()
        self.over = threading.Event()
        self._lock = threading.Lock()
        taker = self

        class Takes(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = taker.answer(self.headers.get("Stripe-Signature", ""), body)
                with contextlib.suppress(OSError):
                    self.give(text, status, Content_Type="text/plain")

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(time.time() + taker.ahead_seconds)

            def do_GET(self) -> None:
                self.give(b"ok" if taker.mode != "down" else b"no", 200 if taker.mode != "down" else 500)

        self.server = HttpServer(Takes)
        self.url = f"http://{self.server.place}/webhooks/payments"

    def answer(self, header: str, body: bytes) -> tuple[int, bytes]:
        if self.mode == "hangs":
            self.over.wait(60)
        if self.mode in ("fails", "down"):
            return 500, b"it broke"
        if isinstance(self.mode, int):
            return self.mode, b""
        secrets = self.secrets if self.mode != "all" else None
        try:
            event = self._event(header, body, secrets)
        except BadSignature as error:
            return 400, str(error).encode()
        with self._lock:
            self.posts[event["id"]] += 1
        self.over.wait(self.pause_seconds)
        if event["id"] in self.broken:
            return 500, b"it broke"
        if self.mode != "forgets":
            with self.postgres.connect("taker", user="app") as connection:
                done = take(connection, event)
            with self._lock:
                self.applied[event["id"]] += done
        return 200, b""

    def _event(self, header: str, body: bytes, secrets: list[str] | None) -> dict[str, Any]:
        if secrets is None:
            return dict(json.loads(body))
        return verified(header, body, secrets, lambda: time.time() + self.ahead_seconds)

    def close(self) -> None:
        self.over.set()
        self.server.close()


class PaymentStack:
    """All of it, as the inventory says it.

    Attributes:
        payments: of the provider.
        taker: of the events.
    """

    def __init__(self, postgres: Server) -> None:
        self.postgres = postgres
        self.provider = program.Provider()
        self.payments = self.provider.payments
        self.payments.keys = {
            READ_KEY: {shapes.READ_EVENTS, shapes.READ_ENDPOINTS},
            WRITE_KEY: {shapes.READ_ENDPOINTS, shapes.WRITE_ENDPOINTS},
        }
        self._web = WebServer(self.provider, program.ROUTES, 0)
        threading.Thread(target=self._web.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._web.server_port}"
        self.taker = Taker(postgres)
        self.endpoint = shapes.Endpoint(self.taker.url, [SECRET])
        self.payments.endpoints.append(self.endpoint)

    def close(self) -> None:
        self.taker.close()
        self._web.shutdown()
        self._web.server_close()

    def webhook(self, **more: Any) -> dict[str, Any]:
        """What an inventory says about it."""
        return {
            "url": self.taker.url,
            "provider_url": self.url,
            "api_key": READ_KEY,
            "secrets": [SECRET],
            "event_types": [*WANTED],
            "statements": {"processed": PROCESSED, "amounts": AMOUNTS},
            **more,
        }

    def look(self, webhook: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """What the observer tells."""
        spec: dict[str, Any] = SPEC
        defaults: dict[str, Any] = {name: option.get("default") for name, option in spec.items()}
        options = spec["webhook"]["options"]
        given = {name: option.get("default") for name, option in options.items()} | (webhook or self.webhook())
        return observe({**defaults, "webhook": given, "database": self.postgres.reach("app"), **more})

    def rows(self) -> dict[str, int]:
        """Events that the application has, and how many payments."""
        (counts,) = self.postgres.execute(
            "SELECT (SELECT count(*) FROM payment_events), (SELECT count(*) FROM payments)"
        )
        return {"events": counts[0], "payments": counts[1]}

    def add(self, count: int, ago_seconds: float = 7200, give_up: bool = True) -> list[str]:
        """Events that the provider could not deliver, the oldest first."""
        ids = [self.payments.paid(1000 + n, ago_seconds=ago_seconds - n) for n in range(count)]
        if give_up:
            self.payments.give_up(*ids)
        return ids

    def deliver(self, *event_ids: str) -> None:
        """Deliver what is due by now, as the provider does."""
        self.payments.deliver_due()


@contextlib.contextmanager
def payment_stack(postgres: Server) -> Iterator[PaymentStack]:
    """A stack whose tables are empty."""
    postgres.execute("DROP TABLE IF EXISTS payment_events, payments")
    postgres.execute(PAYMENTS, user="app")
    stack = PaymentStack(postgres)
    try:
        yield stack
    finally:
        stack.close()

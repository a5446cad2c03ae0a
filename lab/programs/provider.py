# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside world of the lab: a provider that answers as it was told to, one of payments, two of mail and one of identities. PORT is required.

What it says of payments is in ``payments.py``, of mail in ``mail.py``, and of identities in ``identity.py``.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import identity, mail, payments
from .settings import number, required, start_log
from .web import Handler, Refused, Route, Server, as_shaped, metrics


class Provider:
    """What it answers with: ``status``, after ``seconds``; and whether it takes the first key for mail no more."""

    metrics_off: Path | None = None
    status = 200
    seconds = 0.0
    mail_key_revoked = False

    def __init__(self) -> None:
        self.payments = payments.Payments()
        self.identity = identity.Identity()

    def as_told(self) -> None:
        """Refuses where it was told to."""
        time.sleep(self.seconds)
        if self.status != 200:
            raise Refused(self.status, {"error": {401: "unauthorized", 429: "rate limited"}.get(self.status, "sorry")})


def health(provider: Provider, request: Handler) -> Any:
    """Of the program, not of the service it plays."""
    return {"status": "ok"}


def rates(provider: Provider, request: Handler) -> Any:
    provider.as_told()
    return {"EUR": 1.0, "USD": 1.09, "SEK": 11.4}


def status_page(provider: Provider, request: Handler) -> Any:
    """What its page says of it, in the shape of a Statuspage."""
    now = datetime.now(timezone.utc).isoformat()
    status = "operational" if provider.status == 200 else "major_outage"
    return {
        "page": {"id": "lab", "name": "Lab", "updated_at": now},
        "status": {"indicator": "none" if provider.status == 200 else "critical", "description": status},
        "components": [
            {"id": "api", "name": "API", "status": status, "updated_at": now, "group": False, "group_id": None}
        ],
        "incidents": [],
        "scheduled_maintenances": [],
    }


def behave(provider: Provider, request: Handler) -> Any:
    provider.status = int(request.number("status", 200, 599))
    provider.seconds = request.number("seconds", 0, 600)
    provider.mail_key_revoked = request.number("mail_key_revoked", 0, 1) == 1
    return {"status": provider.status, "seconds": provider.seconds, "mail_key_revoked": provider.mail_key_revoked}


def undelivered(provider: Provider, request: Handler) -> Any:
    """Payments of some time ago, of which the deliveries were given up."""
    count, ago = int(request.number("count", 20, 1000)), request.number("ago_seconds", 7200, 29 * 86400)
    ids = [provider.payments.paid(1000 + n, ago_seconds=ago - n) for n in range(count)]
    provider.payments.give_up(*ids)
    return {"events": ids}


def given_up(provider: Provider, request: Handler) -> Any:
    """The events of which the deliveries were given up."""
    return {"undelivered": provider.payments.given_up()}


def forget(provider: Provider, request: Handler) -> Any:
    """As after a start: one payment, which is delivered."""
    provider.payments.forget()
    provider.payments.paid(1900)
    return {"events": 1}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/health"): health,
    ("GET", "/metrics"): metrics,
    ("GET", "/rates"): rates,
    ("GET", "/api/v2/summary.json"): status_page,
    ("POST", "/debug/behave"): behave,
    ("POST", "/debug/payments"): undelivered,
    ("DELETE", "/debug/payments"): forget,
    ("GET", "/debug/payments"): given_up,
    **identity.ROUTES,
    **mail.ROUTES,
    **payments.ROUTES,
}


def main() -> None:
    start_log()
    provider = Provider()
    if url := os.environ.get("PAYMENT_URL"):
        # Registered under the URL that everybody else has for it; from here it may be another.
        provider.payments.open_account(
            url, os.environ.get("PAYMENT_SEND_TO", url), [required("PAYMENT_SECRETS")], required("PAYMENT_KEY")
        )
        provider.payments.paid(1900)
        threading.Thread(target=provider.payments.deliver_forever, daemon=True).start()
    Server(provider, as_shaped("provider", ROUTES), number("PORT")).serve_forever()


if __name__ == "__main__":
    main()

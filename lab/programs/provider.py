# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside world of the lab: a provider that answers as it was told to, and one of payments. PORT is required.

What it says of payments is in ``payments.py``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from . import payments
from .settings import number, start_log
from .web import Handler, Refused, Route, Server, metrics


class Provider:
    """What it answers with: ``status``, after ``seconds``."""

    metrics_off: Path | None = None
    status = 200
    seconds = 0.0

    def __init__(self) -> None:
        self.payments = payments.Payments()


def health(provider: Provider, request: Handler) -> Any:
    """Of the program, not of the service it plays."""
    return {"status": "ok"}


def rates(provider: Provider, request: Handler) -> Any:
    time.sleep(provider.seconds)
    if provider.status != 200:
        raise Refused(
            provider.status, {"error": {401: "unauthorized", 429: "rate limited"}.get(provider.status, "sorry")}
        )
    return {"EUR": 1.0, "USD": 1.09, "SEK": 11.4}


def behave(provider: Provider, request: Handler) -> Any:
    provider.status = int(request.number("status", 200, 599))
    provider.seconds = request.number("seconds", 0, 600)
    return {"status": provider.status, "seconds": provider.seconds}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/health"): health,
    ("GET", "/metrics"): metrics,
    ("GET", "/rates"): rates,
    ("POST", "/debug/behave"): behave,
    **payments.ROUTES,
}


def main() -> None:
    start_log()
    Server(Provider(), ROUTES, number("PORT")).serve_forever()


if __name__ == "__main__":
    main()

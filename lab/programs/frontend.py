# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's frontend and its users: a page that asks the API, and a steady trickle of requests.

API_URL and PORT are required. LOAD_PER_SECOND is how often a user asks the API for something, 5 by default.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .settings import number, required, start_log
from .web import Handler, Refused, Route, Server, as_shaped, metrics

VISITED = ("/orders", "/customers", "/orders/customers", "/stats", "/rates")
PATIENCE_SECONDS = 5


class Frontend:
    """The frontend's state, made from the environment."""

    def __init__(self) -> None:
        self.api = urlsplit(required("API_URL"))
        self.metrics_off: Path | None = None
        self.per_second = float(number("LOAD_PER_SECOND", 5))
        self.routes: tuple[str, ...] = VISITED

    def ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.api.hostname or "", self.api.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def visit(self) -> None:
        """The users: one route after the other, whether the one before was answered or not."""

        def quietly(path: str) -> None:
            with suppress(OSError, http.client.HTTPException):
                self.ask(path)

        with ThreadPoolExecutor(50) as users:
            for turn in itertools.count():
                if self.per_second:
                    users.submit(quietly, self.routes[turn % len(self.routes)])
                time.sleep(1 / self.per_second if self.per_second else 0.5)


def health(frontend: Frontend, request: Handler) -> Any:
    return {"status": "ok"}


def page(frontend: Frontend, request: Handler) -> Any:
    try:
        status, body = frontend.ask("/customers")
    except (OSError, http.client.HTTPException) as error:
        raise Refused(502, f"the API does not answer: {error or type(error).__name__}") from None
    if status != 200:
        raise Refused(502, f"the API answers {status}: {body.decode(errors='replace')[:200]}")
    return {"page": "customers by country", "data": body.decode()}


def load(frontend: Frontend, request: Handler) -> Any:
    """``per_second`` requests from now on, all to ``route`` where one is given."""
    frontend.per_second = request.number("per_second", 5, 200)
    frontend.routes = (request.query["route"],) if "route" in request.query else VISITED
    return {"per_second": frontend.per_second, "routes": frontend.routes}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/"): page,
    ("GET", "/health"): health,
    ("GET", "/metrics"): metrics,
    ("POST", "/debug/load"): load,
}


def main() -> None:
    start_log()
    frontend = Frontend()
    server = Server(frontend, as_shaped("frontend", ROUTES), number("PORT"))
    threading.Thread(target=frontend.visit, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()

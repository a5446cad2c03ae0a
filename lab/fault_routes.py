# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the API that hold connections as real mistakes do. They exist only with LAB_FAULT_ROUTES=1."""

from __future__ import annotations

import select
import socket
from contextlib import closing
from typing import Any

from .web import Api, Handler, Refused, Route


def checkout(api: Api, request: Handler) -> Any:
    """Ask a payment provider, over the network, while the transaction is open."""
    order = int(request.number("order", 1, 6000))
    hold = request.number("hold", 600, 900)
    try:
        provider = socket.create_connection(("127.0.0.1", api.ports["provider"]), timeout=2)
    except OSError as error:
        raise Refused(502, f"payment provider: {error}") from None
    with closing(provider), api.pool.connection() as connection, connection.transaction():
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = %s", [order])
        # Also wakes when the server ends the session: the client learns it and the pool gets a new one.
        ready, _, _ = select.select([connection, provider, request.connection], [], [], hold)
        if connection in ready:
            connection.execute("SELECT 1")
        raise Refused(502, "payment provider: no answer")


def heavy_report(api: Api, request: Handler) -> Any:
    """A report nobody gave an index or a limit."""
    seconds = request.number("seconds", 900, 900)
    return api.rows(
        "SELECT /* heavy report */ c.country, sum(o.total_cents) AS total_cents, pg_sleep(%s)::text AS slept "
        "FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country LIMIT 1",
        seconds,
    )


def leak(api: Api, request: Handler) -> Any:
    """Check connections out and forget them."""
    for _ in range(int(request.number("count", api.pool.max_size, api.pool.max_size))):
        connection = api.pool.take()
        api.leaked.append(connection)
        connection.execute("SELECT count(*) FROM customers")
    return {"leaked": len(api.leaked)}


def end_leak(api: Api, request: Handler) -> Any:
    while api.leaked:
        api.pool.give_back(api.leaked.pop())
    return {"leaked": 0}


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/orders/checkout"): checkout,
    ("GET", "/reports/heavy"): heavy_report,
    ("POST", "/debug/leaks"): leak,
    ("DELETE", "/debug/leaks"): end_leak,
}

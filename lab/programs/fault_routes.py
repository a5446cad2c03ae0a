# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the API that make the mistakes real programs make. They exist only with LAB_FAULT_ROUTES=1.

``POST /debug/<fault>?...`` begins one, ``DELETE /debug/<fault>`` ends it, ``DELETE /debug`` ends all of them. Those of
LAB_START_FAULTS, such as ``latency?route=/orders&seconds=2``, begin with the program: a restart does not help.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

import redis

from .application import Api
from .settings import give_up
from .web import Handler, Refused, Route

BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100000))"
log = logging.getLogger("lab.faults")


def checkout(api: Api, request: Handler) -> Any:
    """Ask a payment provider, over the network, while the transaction is open."""
    order = int(request.number("order", 1, 6000))
    hold = request.number("hold", 600, 900)
    try:
        provider = socket.create_connection((str(api.provider.hostname), api.provider.port or 80), timeout=2)
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


class Repeated:
    """Something done again and again in the background, until it is told to end."""

    def __init__(self, act: Callable[[], object], seconds: float) -> None:
        self._ended = threading.Event()
        self._act = act
        self._seconds = seconds
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._act()

    def end(self) -> None:
        self._ended.set()


class Memory:
    """Keeps what it should have let go, ``mb_per_second`` until ``until_mb``."""

    def __init__(self, values: dict[str, str]) -> None:
        step = max(float(values.get("mb_per_second", "10")), 0.1) / 4
        most = float(values.get("until_mb", "1000000"))
        self._kept: list[bytes] = []
        self._repeated = Repeated(lambda: self._keep(step, most), 0.25)

    def _keep(self, megabytes: float, most: float) -> None:
        if (len(self._kept) + 1) * megabytes <= most:
            # Written to, or the kernel would not count it.
            self._kept.append(os.urandom(4096) * int(megabytes * 256))

    def end(self) -> None:
        self._repeated.end()
        self._kept.clear()


class Burn:
    """``processes`` that compute and compute."""

    def __init__(self, values: dict[str, str]) -> None:
        count = int(values.get("processes", "1"))
        self._children = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()


class Spoiled:
    """Requests to ``route`` wait or compute for ``seconds``, or fail with an exception in code, each ``every``-th of them."""

    def __init__(self, kind: str, values: dict[str, str]) -> None:
        self.kind = kind
        self.route = values.get("route", "/orders")
        self.seconds = float(values.get("seconds", "1"))
        self.every = max(int(values.get("every", "1")), 1)
        self.status = int(values.get("status", "503"))
        self._seen = 0

    def before(self, request: Handler) -> None:
        if self.route not in (request.route, "*"):
            return
        self._seen += 1
        if self._seen % self.every:
            return
        if self.kind == "latency":
            time.sleep(self.seconds)
        elif self.kind == "work":
            _compute(self.seconds)
        elif self.kind == "health":
            raise Refused(self.status, "the application says it is not well")
        else:
            _apply_discount({"id": 17, "total_cents": 1999})

    def end(self) -> None:
        """It is looked up for each request, so that nothing is left to do."""


def _compute(seconds: float) -> None:
    """Use so much processor time, however long it takes to get it."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def _apply_discount(order: dict[str, int]) -> int:
    # The mistake of the last deployment: the column was renamed.
    return _percent(order["total_cents"], order["discount_percent"])


def _percent(cents: int, percent: int) -> int:
    return cents * percent // 100


class Set:
    """An attribute of the API has another value meanwhile."""

    def __init__(self, api: Api, attribute: str, value: bool) -> None:
        self._restore = (api, attribute, getattr(api, attribute))
        setattr(api, attribute, value)

    def end(self) -> None:
        setattr(*self._restore)


class Faults:
    """The faults of this process that are on."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._on: dict[str, Any] = {}
        self._kinds: dict[str, Callable[[dict[str, str]], Any]] = {
            "memory": Memory,
            "cpu": Burn,
            "latency": lambda values: Spoiled("latency", values),
            "work": lambda values: Spoiled("work", values),
            "errors": lambda values: Spoiled("errors", values),
            "health": lambda values: Spoiled("health", {"route": "/health", **values}),
            "cache_off": lambda values: Set(api, "cache_enabled", False),
            "n_plus_one": lambda values: Set(api, "one_query_each", True),
            "invalidations": self._invalidations,
        }

    def _invalidations(self, values: dict[str, str]) -> Repeated:
        cause = values.get("cause", "product_update")
        per_second = max(float(values.get("per_second", "20")), 0.1)

        def invalidate() -> None:
            try:
                self._api.invalidate("customers", cause)
            except redis.RedisError as error:
                log.warning("cannot invalidate: %s", error)

        return Repeated(invalidate, 1 / per_second)

    def names(self) -> list[str]:
        return list(self._kinds)

    def begin(self, name: str, values: dict[str, str]) -> dict[str, Any]:
        try:
            self.end(name)
            with self._lock:
                self._on[name] = self._kinds[name](values)
        except (KeyError, ValueError) as error:
            raise Refused(400, f"{name}: {error}") from None
        return {"on": sorted(self._on)}

    def end(self, name: str) -> dict[str, Any]:
        with self._lock:
            fault = self._on.pop(name, None)
        if fault is not None:
            fault.end()
        return {"on": sorted(self._on)}

    def before(self, request: Handler) -> None:
        for fault in list(self._on.values()):
            if isinstance(fault, Spoiled):
                fault.before(request)


def with_faults(routes: dict[tuple[str, str], Route], faults: Faults) -> dict[tuple[str, str], Route]:
    """The routes, spoiled by the faults that are on, and those that turn them on."""

    def spoiled(route: Route) -> Route:
        def answer(api: Api, request: Handler) -> Any:
            faults.before(request)
            return route(api, request)

        return answer

    def begin(api: Api, request: Handler) -> Any:
        return faults.begin(request.route.rsplit("/", 1)[1], request.query)

    def end(api: Api, request: Handler) -> Any:
        return faults.end(request.route.rsplit("/", 1)[1])

    found = {where: spoiled(route) for where, route in routes.items() if where[1] != "/metrics"}
    found[("GET", "/metrics")] = routes[("GET", "/metrics")]
    for name in faults.names():
        found[("POST", f"/debug/{name}")] = begin
        found[("DELETE", f"/debug/{name}")] = end

    def end_all(api: Api, request: Handler) -> Any:
        for name in faults.names():
            faults.end(name)
        return end_leak(api, request)

    for start in os.environ.get("LAB_START_FAULTS", "").split():
        name, _, query = start.partition("?")
        try:
            faults.begin(name, dict(parse_qsl(query)))
        except Refused as refused:
            give_up(f"LAB_START_FAULTS: {refused.args[1]}")
    return {
        **found,
        ("POST", "/orders/checkout"): checkout,
        ("GET", "/reports/heavy"): heavy_report,
        ("POST", "/debug/leaks"): leak,
        ("DELETE", "/debug/leaks"): end_leak,
        ("DELETE", "/debug"): end_all,
    }

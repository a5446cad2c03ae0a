# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs behind the faults: real sessions and real load.

Run as ``python -m lab.programs.trouble --home <state folder> --fault <name>``. Each ends by itself after 15 minutes.
What a runbook ends here stays ended: only load comes back.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import psycopg

from ..layout import Layout

LONGEST_SECONDS = 900
RETRY_SECONDS = 2.0
log = logging.getLogger("lab.trouble")


class Scene:
    """What a fault works with: the API's port and sessions of the role ``app``."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.ports = layout.ports
        self.password = layout.secrets()["app"]
        self._tasks: list[asyncio.Task[Any]] = []

    async def request(self, method: str, target: str, seconds: float = LONGEST_SECONDS) -> tuple[int, bytes]:
        """Status and body of one request; status 0 when nothing answers."""
        writer = None
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.ports["api"])
                writer.write(f"{method} {target} HTTP/1.0\r\nHost: lab\r\n\r\n".encode())
                answer = await reader.read()
            head, _, body = answer.partition(b"\r\n\r\n")
            return int(head.split(None, 2)[1]), body
        except (OSError, TimeoutError, IndexError, ValueError):
            return 0, b""
        finally:
            if writer is not None:
                writer.close()

    def go(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def load(self, clients: int, target: str, pause_seconds: float = 0.0, over_seconds: float = 0.4) -> None:
        """Clients that ask again and again, gently where they are refused.

        They start one after the other: in step, all would give up waiting for the pool at the same moment, and
        at that moment nobody would wait.
        """
        spread_seconds = 0.05 if pause_seconds else over_seconds / clients
        pauses = {200: pause_seconds, 503: 0.1}

        async def client(number: int) -> None:
            await asyncio.sleep(number * spread_seconds)
            while True:
                status, _ = await self.request("GET", target, seconds=60)
                await asyncio.sleep(pauses.get(status, 0.5))

        for number in range(clients):
            self.go(client(number))

    async def hold(self, method: str, target: str) -> None:
        """One long request, asked again only until it was let in for the first time."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status, body = await self.request(method, target)
            if status not in (0, 503):
                log.info("%s %s ended with %s: %s", method, target, status, body.decode()[:160])
                return
            await asyncio.sleep(0.2)

    async def pool_max(self) -> int:
        _, body = await self.request("GET", self.layout.shape.metrics_path, seconds=30)
        for line in body.decode().splitlines():
            if line.startswith("app_db_pool_max "):
                return int(float(line.split()[1]))
        raise SystemExit("the API does not tell app_db_pool_max")

    async def session(self, application: str) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            host="127.0.0.1", port=self.ports["database"], dbname=self.layout.shape.database, user="app",
            password=self.password, application_name=application, connect_timeout=30, autocommit=True,
        )  # fmt: skip


async def idle_in_transaction(scene: Scene) -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()
        writer.close()

    await asyncio.start_server(provider, "127.0.0.1", scene.ports["provider"], backlog=128)
    for order in range(await scene.pool_max()):
        scene.go(scene.hold("POST", f"/orders/checkout?order={order + 1}&hold=600"))
    await asyncio.sleep(0.5)
    scene.load(6, "/orders", pause_seconds=0.2)


async def leaked_sessions(scene: Scene) -> None:
    leaked: list[psycopg.AsyncConnection[Any]] = []
    got_in_at = time.monotonic()
    # The sessions of an API that was restarted may take places when the first is refused, and the new API would get them.
    while time.monotonic() - got_in_at < 2 * RETRY_SECONDS:
        try:
            session = await scene.session("reports")
            await session.execute("SELECT count(*) FROM orders")
        except psycopg.OperationalError:
            await asyncio.sleep(RETRY_SECONDS / 4)
        else:
            leaked.append(session)
            got_in_at = time.monotonic()
    log.info("holding %s sessions", len(leaked))
    scene.load(12, "/orders/slow?seconds=0.4")
    await asyncio.sleep(LONGEST_SECONDS)
    del leaked


async def long_queries(scene: Scene) -> None:
    for _ in range(math.ceil(0.88 * await scene.pool_max())):
        scene.go(scene.hold("GET", "/reports/heavy?seconds=900"))
    await asyncio.sleep(0.5)
    scene.load(9, "/orders/slow?seconds=0.3")


async def blocker(scene: Scene) -> None:
    session = await scene.session("migrate")

    async def migrate() -> None:
        async with session, session.transaction():
            await session.execute("ALTER TABLE orders ADD COLUMN discount_cents integer")
            locked.set()
            await session.execute(
                "UPDATE orders SET discount_cents = 0 FROM pg_sleep(%s) WHERE total_cents > 0",
                [LONGEST_SECONDS],
            )

    locked = asyncio.Event()
    scene.go(until_ended(migrate()))
    await locked.wait()
    scene.load(32, "/orders", pause_seconds=0.5)


async def matview_refresh(scene: Scene) -> None:
    session = await scene.session("refresher")

    async def refresh() -> None:
        async with session:
            await session.execute("SET lab.row_delay_seconds = '5'")
            await session.execute("REFRESH MATERIALIZED VIEW daily_sales")

    scene.go(until_ended(refresh()))
    await asyncio.sleep(0.3)
    scene.load(32, "/stats", pause_seconds=0.5)


# So long that the moment in which a connection goes from one request to the next does not count, also on a busy machine.
STEADY_SECONDS = 3.0


def steady(scene: Scene, clients: int) -> None:
    # Spread over the time that a request takes: connections change hands one after the other.
    scene.load(clients, f"/orders/slow?seconds={STEADY_SECONDS}", over_seconds=STEADY_SECONDS)


async def pool_too_small(scene: Scene) -> None:
    steady(scene, 32)


async def overload(scene: Scene) -> None:
    steady(scene, 64)


async def high_usage(scene: Scene) -> None:
    steady(scene, 23)


async def max_connections(scene: Scene) -> None:
    got_in_at = time.monotonic()

    async def small_application(name: str) -> None:
        nonlocal got_in_at
        while True:
            with suppress(psycopg.OperationalError):
                async with await scene.session(name) as session:
                    got_in_at = time.monotonic()
                    while True:
                        await session.execute("SELECT status, count(*) FROM orders WHERE id < 50 GROUP BY status")
                        await asyncio.sleep(1)
            await asyncio.sleep(RETRY_SECONDS)

    for number in range(110):
        scene.go(small_application(f"app-{number % 22 + 1:02}"))
    # However long they take, the API comes last. An attempt takes a place too until it is refused, so the first refusals do
    # not mean that all places are taken; rounds in which nobody gets in do.
    while time.monotonic() - got_in_at < 4 * RETRY_SECONDS:
        await asyncio.sleep(0.5)
    # More than the pool may have got by then.
    scene.load(20, "/orders/slow?seconds=0.4")


async def pool_leak(scene: Scene) -> None:
    await scene.request("POST", f"/debug/leaks?count={await scene.pool_max()}", seconds=20)
    scene.load(6, "/orders", pause_seconds=0.2)


async def until_ended(work: Awaitable[None]) -> None:
    """Work that somebody else may end: that is no failure here."""
    try:
        await work
    except psycopg.Error as error:
        log.info("ended: %s", " ".join(str(error).split()))


TROUBLES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    function.__name__: function
    for function in (
        idle_in_transaction, leaked_sessions, long_queries, blocker, matview_refresh, pool_too_small,
        max_connections, high_usage, pool_leak, overload,
    )
}  # fmt: skip


async def make(scene: Scene, name: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_SECONDS):
            await TROUBLES[name](scene)
            await asyncio.sleep(LONGEST_SECONDS)
    log.info("%s ends by itself", name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--fault", required=True, choices=sorted(TROUBLES))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(make(Scene(Layout(options.home)), options.fault))


if __name__ == "__main__":
    main()

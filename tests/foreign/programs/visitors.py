# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users: steady requests to every replica, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path

# How often in a second each replica is asked for each.
ROUTES = {"/accounts/{n}": 5, "/prices/{n}": 5, "/transfers": 3, "/reports": 4}
ports, file = [int(port) for port in sys.argv[1].split(",")], Path(sys.argv[2])


def wishes() -> dict[str, float]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}


async def ask(port: int, path: str) -> None:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
                await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        pass


async def visit(port: int, path: str, rate: float) -> None:
    running: set[asyncio.Task[None]] = set()
    for number in itertools.count():
        said = wishes()
        strange = number % 10 < said.get("strangers", 0) * 10
        here = said.get("rate", 1.0)
        if here:
            where = "/accounts/999999" if strange else path.format(n=number % 40)
            task = asyncio.create_task(ask(port, where))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(1 / (rate * (here or 1.0)))


async def main() -> None:
    await asyncio.gather(*(visit(port, path, rate) for port in ports for path, rate in ROUTES.items()))


asyncio.run(main())

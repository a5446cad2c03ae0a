# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the ledger: TLS, and each connection to the next replica."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys
from pathlib import Path

listens, certificate, replicas = int(sys.argv[1]), Path(sys.argv[2]), [int(port) for port in sys.argv[3].split(",")]
turn = itertools.cycle(replicas)


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        upstream = await asyncio.open_connection("127.0.0.1", next(turn))
    except OSError as error:
        print(f"ERROR upstream: {error}", flush=True)
        writer.close()
        return
    await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer), return_exceptions=True)


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", listens, ssl=context)
    print(f"INFO shopfront listens on {listens}", flush=True)
    await server.serve_forever()


asyncio.run(main())

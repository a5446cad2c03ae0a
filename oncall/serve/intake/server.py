# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket, TLS and the server, made before anything else is begun, so that what is wrong with them is one line at the start."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import uvicorn

from ...errors import OncallError
from ..settings import Settings
from . import web
from .web import Application, Patience

LOG = logging.getLogger("oncall.service")
# Each costs a few KiB; a silent connection is closed after some seconds.
MOST_CONNECTIONS = 4000


class Server(uvicorn.Server):
    """Whose signals are the service's own, and which does nothing while there is nothing to do.

    Args:
        app: answers.
        tls: as `tls_of` says; nothing without TLS.
    """

    def __init__(self, app: Application, tls: Mapping[str, Any]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Patience,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=15,
                **tls,
            )
        )
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()

    def capture_signals(self) -> Any:
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, but for a client that has not shaken hands in time: asyncio itself waits a minute."""
        config = self.config

        def protocol() -> asyncio.Protocol:
            return Patience(config, self.server_state, self.lifespan.state)

        seconds = web.SLOW_SECONDS if config.ssl else None
        self.servers = [
            await self._loop.create_server(
                protocol, sock=one, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=seconds
            )
            for one in sockets or ()
        ]
        self.started = True

    async def main_loop(self) -> None:
        await self._over.wait()

    def renew_certificate(self) -> None:
        """Show clients that connect from now on the certificate that was renewed under the same name."""
        if self._tls and self.config.ssl:
            try:
                self.config.ssl.load_cert_chain(self._tls["ssl_certfile"], self._tls["ssl_keyfile"])
            except OSError as error:
                LOG.error("the certificate stays what it was: %s", error.strerror or error)

    def end(self) -> None:
        """From a signal handler: answer what is asked, and no more."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._over.set)


def many_files() -> None:
    """Connections that say nothing must not keep runs from opening a file: 1,024, as systemd gives, are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_CONNECTIONS * 4 if hard == resource.RLIM_INFINITY else min(hard, MOST_CONNECTIONS * 4)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def listen(host: str, port: int) -> socket.socket:
    """Bound now, so that it fails before anything else is begun."""
    try:
        (family, _kind, _protocol, _name, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        what = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise OncallError(f"cannot listen on {host} port {port}: {what}") from None


def tls_of(settings: Settings) -> dict[str, Any]:
    """What uvicorn has to know; tried now, so that it fails before anything else is begun."""
    tls = settings.tls
    if tls is None:
        return {}
    given: dict[str, Any] = {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
            given |= {"ssl_ca_certs": tls.client_ca, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    except OSError as error:
        files = ", ".join(filter(None, (tls.certificate, tls.key, tls.client_ca)))
        raise OncallError(f"tls: cannot use {files}: {error.strerror or error}") from None
    return given

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP, and what can go wrong with it."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import VERSION
from ansible_collections.oncall.runbooks.tests.support.fake_awx.refusals import Refused


@dataclass
class Trouble:
    """What goes wrong with requests: ``status`` and ``body`` are answered; or ``how`` is hang, drop, noise, half or late."""

    method: str
    path: str
    how: str = ""
    status: int = 500
    body: str = ""
    times: int = 1_000_000


class Awx(Protocol):
    """What the handler asks."""

    def trouble_with(self, method: str, path: str) -> Trouble | None: ...

    def wait_until_gone(self) -> None: ...

    def answer(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, Any]: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away."""


class Handler(BaseHTTPRequestHandler):
    awx: Awx
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        trouble = self.awx.trouble_with(self.command, self.path)
        if trouble and trouble.how in ("hang", "drop", "noise"):
            if trouble.how == "hang":
                self.awx.wait_until_gone()
            if trouble.how == "noise":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if trouble and not trouble.how:
            self._send(trouble.status, trouble.body.encode())
            return
        try:
            status, answer = self.awx.answer(self.command, self.path, token if scheme == "Bearer" else None, body)
        except Refused as refused:
            status, answer = refused.status, refused.answer
        if trouble and trouble.how == "late":
            # Done, and nobody is told.
            self.awx.wait_until_gone()
            self.close_connection = True
            return
        self._send(status, b"" if answer is None else json.dumps(answer).encode(), half=bool(trouble))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = _handle

    def _send(self, status: int, body: bytes, half: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", VERSION)
        self.send_header("Content-Length", str(len(body)))
        if half:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on the terminal."""

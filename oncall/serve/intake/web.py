# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers. Nobody who is not known is read from, and nothing is acknowledged that is not on the disk."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import h11
import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .alerts import RULER, LeftOut, Refused, in_words, read
from .group_commit import GroupCommit, NotKept
from .tokens import Tokens

LOG = logging.getLogger("oncall.web")
MOST_BODY_BYTES = 32 * 1024 * 1024
# Of all bodies that are being read.
MOST_BYTES = 64 * 1024 * 1024
# What is larger is read beside the loop.
MOST_BYTES_AT_ONCE = 16 * 1024
SLOW_SECONDS = 10.0
KEEP_SECONDS = 15.0
SAY_AGAIN_SECONDS = 60.0
# The path at which Prometheus, vmalert and Grafana expect an Alertmanager.
API_OF_ALERTMANAGER = [f"{prefix}/api/{version}/alerts" for prefix in ("", "/alerts") for version in ("v1", "v2")]
# What goes with an answer that is not the end of it.
HEADERS = {503: {"Retry-After": "5"}, 408: {"Connection": "close"}}


class Web:
    """The routes.

    Args:
        group_commit: keeps notifications.
        tokens: who is known; None where TLS sees to that, or only this machine can ask.
        crowded: why no notification can be taken; "" where they can.
        metrics: in Prometheus' text format.
        why_not_ready: why the service is not ready; "" where it is.
        counted: called with a word for each notification: ``taken``, ``refused`` or ``turned_away``;
            and for each request without a valid token: ``stranger``.
        left_out: called with what a sender says that it left out of a notification.
    """

    def __init__(
        self,
        group_commit: GroupCommit,
        tokens: Tokens | None,
        crowded: Callable[[], Awaitable[str]],
        metrics: Callable[[], bytes],
        why_not_ready: Callable[[], str],
        counted: Callable[[str], None],
        left_out: Callable[[LeftOut], None],
    ) -> None:
        self._group_commit, self._tokens, self._crowded = group_commit, tokens, crowded
        self._metrics, self._why_not_ready, self._counted = metrics, why_not_ready, counted
        self._left_out = left_out
        self._bytes = 0
        # One at a time: objects take more room than the text that they are made of.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="reading")
        routes = [
            Route("/alerts", self.alerts, methods=["POST"]),
            *(Route(path, self.no_alertmanager, methods=["POST"]) for path in API_OF_ALERTMANAGER),
            Route("/metrics", self.metrics),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
        ]
        self.app: ASGIApp = _Known(Starlette(routes=routes), tokens, counted)

    async def alerts(self, request: Request) -> Response:
        """A notification of Alertmanager's webhook."""
        try:
            return await self._take(request)
        except _Answer as answer:
            self._counted("turned_away" if answer.status == 503 else "refused")
            LOG.warning("a notification from %s is answered with %d: %s", _peer(request), answer.status, answer)
            return JSONResponse({"error": str(answer)}, answer.status, HEADERS.get(answer.status))
        except ClientDisconnect:
            return Response(status_code=400)

    async def no_alertmanager(self, request: Request) -> Response:
        """What a ruler sends to an Alertmanager. It is not read."""
        self._counted("refused")
        LOG.warning("a notification from %s to %s is answered with 404: %s", _peer(request), request.url.path, RULER)
        return JSONResponse({"error": f"this is no Alertmanager: {RULER}"}, 404)

    async def _take(self, request: Request) -> Response:
        if crowded := await self._crowded():
            raise _Answer(503, crowded)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # No form of a web page can send that to a service on the same machine.
            raise _Answer(415, "the Content-Type has to be application/json")
        length = request.headers.get("content-length", "0")
        # Python itself refuses to read a number of thousands of digits.
        if length.isdecimal() and (len(length) > 20 or int(length) > MOST_BODY_BYTES):
            raise _Answer(413, f"{length[:20]} bytes; at most {MOST_BODY_BYTES} are read")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise _Answer(415, "an encoded body is not read")
        body = bytearray()
        # Room for all that is announced: of several large ones that share it, none would come to its end.
        size, room = 0, int(length) if length.isdecimal() else 0
        # A small one takes hardly any, and does not wait for large ones that are announced and perhaps never sent.
        if room > MOST_BYTES_AT_ONCE and self._bytes + room > MOST_BYTES:
            raise _Answer(503, "too much is being read at this moment")
        self._bytes += room
        slow = 408, "the body is too slow"
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    self._bytes += max(0, size - room)
                    room = max(room, size)
                    if size > MOST_BODY_BYTES:
                        raise _Answer(413, f"more than the {MOST_BODY_BYTES} bytes that are read")
                    if size > MOST_BYTES_AT_ONCE and self._bytes > MOST_BYTES:
                        raise _Answer(503, "too much is being read at this moment")
                    body += part
            slow = 503, "the database is too slow"
            if size <= MOST_BYTES_AT_ONCE:
                taken = _taken(body)
            else:
                taken = await asyncio.get_running_loop().run_in_executor(self._reading, _taken, body)
            # From here on only what is kept is needed.
            del body
            if taken.alerts or taken.bad or taken.left_out:
                async with asyncio.timeout(KEEP_SECONDS):
                    await self._group_commit.keep(taken.kept)
        except TimeoutError:
            raise _Answer(*slow) from None
        except Refused as error:
            raise _Answer(400, str(error)) from None
        except NotKept as error:
            raise _Answer(503, f"the notification could not be kept: {error}") from None
        finally:
            self._bytes -= room
        self._counted("taken")
        answer = {"alerts": taken.alerts, "not_readable": taken.bad}
        if taken.left_out:
            LOG.warning(
                "%s of a notification from %s (receiver %r): raise max_alerts of that receiver or leave it at 0",
                in_words(taken.left_out), _peer(request), taken.left_out.receiver,
            )  # fmt: skip
            self._left_out(taken.left_out)
            answer["left_out"] = taken.left_out.alerts
        return JSONResponse(answer, 202)

    async def metrics(self, _request: Request) -> Response:
        """What Prometheus may ask."""
        return Response(await asyncio.to_thread(self._metrics), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def healthz(self, _request: Request) -> Response:
        """That the process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """That notifications are taken and worked on."""
        why_not_ready = await asyncio.to_thread(self._why_not_ready)
        return PlainTextResponse(f"{why_not_ready or 'ok'}\n", 503 if why_not_ready else 200)


@dataclass(frozen=True)
class _Taken:
    """A notification as it is kept, and how many alerts of it can be read, and cannot."""

    kept: bytes
    alerts: int
    bad: int
    left_out: LeftOut | None


def _taken(body: bytearray) -> _Taken:
    kept = read(body)
    return _Taken(msgspec.json.encode(kept), len(kept.alerts), len(kept.bad), kept.left_out)


class _Answer(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _peer(request: Request) -> str:
    return request.client.host if request.client else "somebody"


class _Known:
    """Turns strangers away before their body is read."""

    def __init__(self, inner: ASGIApp, tokens: Tokens | None, counted: Callable[[str], None]) -> None:
        self._inner, self._tokens, self._counted = inner, tokens, counted
        self._said_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and {b"content-length", b"transfer-encoding"} <= {
            name for name, _ in scope["headers"]
        }:
            # Where a proxy goes by the one and we by the other, a second request hides in the first.
            self._counted("refused")
            error = {"error": "a request has a Content-Length or a Transfer-Encoding, not both"}
            await JSONResponse(error, 400, {"Connection": "close"})(scope, receive, send)
            return
        open_to_all = scope["type"] == "http" and scope["path"] in ("/healthz", "/readyz")
        if scope["type"] == "http" and not open_to_all and self._tokens is not None:
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if not self._tokens.knows(given):
                if self._tokens.problem:
                    # Whoever is rightly here has to come again: the file may be written this very moment.
                    self._counted("turned_away")
                    answer = JSONResponse({"error": "no token is known at this moment"}, 503, HEADERS[503])
                    await answer(scope, receive, send)
                    return
                self._counted("stranger")
                if time.monotonic() - self._said_at > SAY_AGAIN_SECONDS:
                    self._said_at = time.monotonic()
                    LOG.warning("%s shows no valid token", (scope.get("client") or ["somebody"])[0])
                answer = JSONResponse({"error": "no valid token"}, 401, {"WWW-Authenticate": "Bearer"})
                await answer(scope, receive, send)
                return
        await self._inner(scope, receive, send)


class Patience(H11Protocol):
    """Closes connections whose request, without its body, has not come in time."""

    _too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio does so only where the socket was made with the number of TCP. Without it, the second part of an answer waits
        # until the client has confirmed the first, which it puts off by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._too_slow is None:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        # Where there is an answer already, h11 does not let another one out.
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_waiting()

    def _wait(self) -> None:
        self._too_slow = self.loop.call_later(SLOW_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

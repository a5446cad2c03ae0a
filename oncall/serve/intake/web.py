# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers. Nobody who is not known is read from, and nothing is acknowledged that is not on the disk."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..api import problems
from .alerts import RULER, LeftOut, Refused, in_words, read
from .group_commit import GroupCommit, NotKept
from .tokens import VIEWER, Known, Tokens

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
API = "/api/v1/"
API_OF_ALERTMANAGER = [f"{prefix}/api/{version}/alerts" for prefix in ("", "/alerts") for version in ("v1", "v2")]
# What goes with an answer that is not the end of it.
HEADERS = {503: {"Retry-After": "5"}, 401: {"WWW-Authenticate": "Bearer"}}
# Between the parts of a body: lines of headers, or what a client sends in place of them.
MOST_BYTES_BESIDE = 64 * 1024

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
# Of ASGI.
Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Request:
    """What is asked, before its body is read. Names of headers are in lower case."""

    version: str
    method: str
    path: str
    peer: str
    headers: Mapping[bytes, list[bytes]]
    receive: Receive
    is_unread: bool
    known: Known | None = None

    def header(self, name: bytes) -> str:
        """Its last value; "" without one."""
        return self.headers[name][-1].decode("latin-1") if name in self.headers else ""


@dataclass(frozen=True)
class Answer:
    """What is said to it."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def in_json(what: Mapping[str, Any], status: int) -> Answer:
    return Answer(status, msgspec.json.encode(what), headers=HEADERS.get(status, {}))


def in_text(text: str, status: int = 200) -> Answer:
    return Answer(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


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
        api: answers what is below ``/api/v1/``; ``known`` in its scope says whose the token is. None without incidents.
        beside: path -> another application that answers it, and knows for itself who may ask; None where there is none.
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
        api: Application | None = None,
        beside: Callable[[str], Application | None] = lambda _path: None,
    ) -> None:
        self._group_commit, self._tokens, self._crowded = group_commit, tokens, crowded
        self._metrics, self._why_not_ready, self._counted = metrics, why_not_ready, counted
        self._left_out, self._api, self._beside = left_out, api, beside
        self._bytes = 0
        # One at a time: objects take more room than the text that they are made of.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._said_at = float("-inf")
        # Path -> method -> what answers.
        self._routes: dict[str, dict[str, Callable[[Request], Awaitable[Answer]]]] = {
            "/alerts": {"POST": self.alerts},
            **{path: {"POST": self.no_alertmanager} for path in API_OF_ALERTMANAGER},
            **{
                path: {"GET": answer, "HEAD": answer}
                for path, answer in {"/metrics": self.metrics, "/healthz": self.healthz, "/readyz": self.readyz}.items()
            },
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An application of ASGI."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        peer = (scope.get("client") or ["somebody"])[0]
        is_unread = b"transfer-encoding" in headers or headers.get(b"content-length", [b"0"]) != [b"0"]
        request = Request(scope["http_version"], scope["method"], scope["path"], peer, headers, receive, is_unread)
        is_of_api = self._api is not None and request.path.startswith(API) and request.path not in self._routes
        other = None if is_of_api or request.path in self._routes else self._beside(request.path)
        if other is not None and not _breaks_the_rules(request):
            await other(scope, receive, send)
            return
        try:
            answer = self._turned_away(request)
            if answer is None and is_of_api:
                assert self._api is not None
                await self._api({**scope, "known": request.known}, receive, send)
                return
            answer = answer or await self._routed(request)
        except _Gone:
            return
        if is_of_api:
            said = problems.encoded(answer.status, msgspec.json.decode(answer.body)["error"])
            answer = replace(answer, body=said, kind=problems.KIND)
        fields = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if request.is_unread:
            # It may be of any length.
            fields.append((b"Connection", b"close"))
        fields += [(b"Content-Type", answer.kind.encode()), (b"Content-Length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})

    def _turned_away(self, request: Request) -> Answer | None:
        """What strangers are answered, before their body is read."""
        if wrong := _breaks_the_rules(request):
            self._counted("refused")
            # Who breaks the rules may see another end of the request than we do.
            request.is_unread = True
            return in_json({"error": wrong}, 400)
        if self._tokens is None or request.path in ("/healthz", "/readyz"):
            return None
        request.known = self._tokens.who(request.headers.get(b"authorization", []))
        if request.known is not None:
            return None
        if self._tokens.problem:
            # Who is rightly here has to come again: the file may be written this very moment.
            self._counted("turned_away")
            return in_json({"error": "no token is known at this moment"}, 503)
        self._counted("stranger")
        if time.monotonic() - self._said_at > SAY_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            LOG.warning("%s shows no valid token", request.peer)
        return in_json({"error": "no valid token"}, 401)

    async def _routed(self, request: Request) -> Answer:
        methods = self._routes.get(request.path)
        if methods is None:
            return in_text("Not Found", 404)
        if request.method not in methods:
            return Answer(405, b"Method Not Allowed\n", "text/plain; charset=utf-8", {"Allow": ", ".join(methods)})
        return await methods[request.method](request)

    async def alerts(self, request: Request) -> Answer:
        """A notification of Alertmanager's webhook."""
        try:
            return await self._take(request)
        except _Refusal as refusal:
            self._counted("turned_away" if refusal.status == 503 else "refused")
            LOG.warning("a notification from %s is answered with %d: %s", request.peer, refusal.status, refusal)
            return in_json({"error": str(refusal)}, refusal.status)

    async def no_alertmanager(self, request: Request) -> Answer:
        """What a ruler sends to an Alertmanager. It is not read."""
        self._counted("refused")
        LOG.warning("a notification from %s to %s is answered with 404: %s", request.peer, request.path, RULER)
        return in_json({"error": f"this is no Alertmanager: {RULER}"}, 404)

    async def _take(self, request: Request) -> Answer:
        if request.known is not None and request.known.role == VIEWER:
            raise _Refusal(403, f"the token of {request.known.name} is that of a viewer: it sends no alerts")
        if crowded := await self._crowded():
            raise _Refusal(503, crowded)
        kind = request.header(b"content-type").partition(";")[0].strip().lower()
        if kind != "application/json":
            # No form of a web page can send that to a service on the same machine.
            raise _Refusal(415, "the Content-Type has to be application/json")
        length = request.header(b"content-length") or "0"
        # Python itself refuses to read a number of thousands of digits.
        if length.isdecimal() and (len(length) > 20 or int(length) > MOST_BODY_BYTES):
            raise _Refusal(413, f"{length[:20]} bytes; at most {MOST_BODY_BYTES} are read")
        if not {*request.headers.get(b"content-encoding", ())} <= {b"identity"}:
            raise _Refusal(415, "an encoded body is not read")
        body = bytearray()
        # Room for all that is announced: of several large ones that share it, none would come to its end.
        size, room = 0, int(length) if length.isdecimal() else 0
        # A small one takes hardly any, and does not wait for large ones that are announced and perhaps never sent.
        if room > MOST_BYTES_AT_ONCE and self._bytes + room > MOST_BYTES:
            raise _Refusal(503, "too much is being read at this moment")
        self._bytes += room
        slow = 408, "the body is too slow"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SLOW_SECONDS) as patience:
                more = True
                while more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    part, more = message.get("body", b""), message.get("more_body", False)
                    size += len(part)
                    self._bytes += max(0, size - room)
                    room = max(room, size)
                    if size > MOST_BODY_BYTES:
                        raise _Refusal(413, f"more than the {MOST_BODY_BYTES} bytes that are read")
                    if size > MOST_BYTES_AT_ONCE and self._bytes > MOST_BYTES:
                        raise _Refusal(503, "too much is being read at this moment")
                    body += part
                request.is_unread = False
                slow = 503, "the database is too slow"
                patience.reschedule(None)
                if size <= MOST_BYTES_AT_ONCE:
                    taken = _taken(body)
                else:
                    taken = await loop.run_in_executor(self._reading, _taken, body)
                # From here on only what is kept is needed.
                del body
                if taken.alerts or taken.bad or taken.left_out:
                    patience.reschedule(loop.time() + KEEP_SECONDS)
                    await self._group_commit.keep(taken.kept)
        except TimeoutError:
            raise _Refusal(*slow) from None
        except Refused as error:
            raise _Refusal(400, str(error)) from None
        except NotKept as error:
            raise _Refusal(503, f"the notification could not be kept: {error}") from None
        finally:
            self._bytes -= room
        self._counted("taken")
        answer = {"alerts": taken.alerts, "not_readable": taken.bad}
        if taken.left_out:
            LOG.warning(
                "%s of a notification from %s (receiver %r): raise max_alerts of that receiver or leave it at 0",
                in_words(taken.left_out), request.peer, taken.left_out.receiver,
            )  # fmt: skip
            self._left_out(taken.left_out)
            answer["left_out"] = taken.left_out.alerts
        return in_json(answer, 202)

    async def metrics(self, _request: Request) -> Answer:
        """What Prometheus may ask."""
        return Answer(200, await asyncio.to_thread(self._metrics), "text/plain; version=0.0.4; charset=utf-8")

    async def healthz(self, _request: Request) -> Answer:
        """That the process answers."""
        return in_text("ok")

    async def readyz(self, _request: Request) -> Answer:
        """That notifications are taken and worked on."""
        why_not_ready = await asyncio.to_thread(self._why_not_ready)
        return in_text(why_not_ready or "ok", 503 if why_not_ready else 200)


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


def _breaks_the_rules(request: Request) -> str:
    """What the parser lets through, and RFC 9112 does not; "" where nothing is wrong."""
    if request.version not in ("1.0", "1.1"):
        return f"HTTP/{request.version} is not spoken here"
    if len(request.headers.get(b"host", ())) != 1 and request.version == "1.1":
        return "a request has one Host"
    if b"content-length" in request.headers and b"transfer-encoding" in request.headers:
        # Where a proxy goes by the one and we by the other, a second request hides in the first.
        return "a request has a Content-Length or a Transfer-Encoding, not both"
    if [one.lower() for one in request.headers.get(b"transfer-encoding", [b"chunked"])] != [b"chunked"]:
        return "of the Transfer-Encodings, only chunked is read"
    return ""


class _Refusal(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Gone(Exception):
    """Nobody waits for an answer."""


class Patience(HttpToolsProtocol):
    """Closes connections whose request, without its body, has not come in time, or is too large without it."""

    _too_slow: asyncio.TimerHandle | None = None
    # Since the last part of a body, or its end. The parser itself keeps a line of any length.
    _beside_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio does so only where the socket was made with the number of TCP. Without it, the second part of an answer waits
        # until the client has confirmed the first, which it puts off by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._beside_bytes += len(data)
        super().data_received(data)
        if self._beside_bytes > MOST_BYTES_BESIDE and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._too_slow is None:
            self._wait()

    def on_body(self, body: bytes) -> None:
        self._beside_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        # An answer to what came before is perhaps on its way.
        if self.cycle is None or self.cycle.response_complete:
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

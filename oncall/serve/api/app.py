# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application: who may, what is asked, and what is answered. What it does is in `operations`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from ...errors import NoIncident, OncallError, first_line
from ...incidents.books import Done, Incidents, NotDone, NotNow
from ..intake.tokens import SENDER, VIEWER, Known
from . import requests as ask
from .document import KEY, document
from .operations import HTML, JSON, ONE, OPERATIONS, ROOT, Call, Operation, check_mine, known
from .problems import Problem

LOG = logging.getLogger("oncall.api")
# A text of a megabyte, however it is escaped.
MOST_BODY_BYTES = 8 * 1024 * 1024
# Requests at once, and bytes of all their bodies, but for small ones; the others come again.
MOST_AT_ONCE = 64
MOST_BYTES = 16 * 1024 * 1024
SMALL_BYTES = 64 * 1024
THREADS = 4
SLOW_SECONDS = 10.0
# Of the parts in the database: a request that was done.
PART = "request"
# The post-mortem as a page: no script, and nothing from elsewhere.
OF_PAGES = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
}
OF_ALL = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_INCIDENT = re.compile(next(one.pattern for one in ask.Of.__metadata__))  # type: ignore[attr-defined]
_KEY = re.compile(KEY["schema"]["pattern"])  # type: ignore[index]


class Api:
    """What is below ``/api/v1/``, as an application of ASGI. Whoever calls it has found out whose the token is: ``scope["known"]``.

    Args:
        books: the incidents; None while none are kept.
    """

    def __init__(self, books: Callable[[], Incidents | None]) -> None:
        self._books = books
        self._at_once = self._bytes = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="api")
        paths: dict[str, dict[str, Operation | None]] = {f"{ROOT}/openapi.json": {"GET": None}}
        for one in OPERATIONS:
            paths.setdefault(f"{ROOT}{one.path}", {})[one.method] = one
        self._router = Router(
            [Route(path, _Path(methods, self._answered)) for path, methods in paths.items()],
            redirect_slashes=False,
            default=_nothing_there,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._router(scope, receive, send)
        except ClientDisconnect:
            return

    def close(self) -> None:
        self._threads.shutdown()

    async def _answered(self, request: Request, operation: Operation | None) -> Response:
        who: Known | None = request.scope.get("known")
        needed = operation.role if operation else VIEWER
        _check(who, needed)
        assert who is not None
        if operation is None:
            return Response(document(), media_type=JSON)
        books = self._books()
        if books is None:
            raise Problem(404, "no incidents are kept here: the settings of the service need incidents")
        if self._at_once >= MOST_AT_ONCE:
            raise Problem(503, "too much is asked at this moment")
        self._at_once += 1
        body = bytearray()
        try:
            if operation.writes:
                await self._read(request, body)
            work = asyncio.get_running_loop().run_in_executor(
                self._threads, _done, operation, books, who.name, request, body
            )
            return await work
        finally:
            self._at_once -= 1
            self._bytes -= len(body)

    async def _read(self, request: Request, body: bytearray) -> None:
        """What was sent, which is JSON or nothing."""
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and (len(length) > 20 or int(length) > MOST_BODY_BYTES):
            raise _too_large()
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                async for part in request.stream():
                    body += part
                    self._bytes += len(part)
                    if len(body) > MOST_BODY_BYTES:
                        raise _too_large()
                    if len(body) > SMALL_BYTES and self._bytes > MOST_BYTES:
                        raise Problem(503, "too much is being read at this moment")
            request.state.is_read = True
        except TimeoutError:
            raise Problem(408, "the body is too slow") from None
        if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            # No form of a web page can send that to a service on the same machine.
            raise Problem(415, f"the Content-Type has to be {JSON}")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(415, "an encoded body is not read")


class _Path:
    """What answers at a path, whatever the method: for Starlette, an application of ASGI.

    Args:
        methods: of HTTP -> what it means; None for the document of OpenAPI.
        answered: answers.
    """

    def __init__(self, methods: Mapping[str, Operation | None], answered: Callable[..., Awaitable[Response]]) -> None:
        self._methods, self._answered = methods, answered
        self._allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            method = "GET" if request.method == "HEAD" else request.method
            if method not in self._methods:
                raise Problem(405, f"{request.method[:20]} is not possible here", {"Allow": self._allowed})
            response = await self._answered(request, self._methods[method])
        except Problem as problem:
            response = problem.response()
        response.headers.update(OF_ALL)
        if not getattr(request.state, "is_read", False) and {"transfer-encoding", "content-length"} & {
            *request.headers
        }:
            # It may be of any length.
            response.headers["Connection"] = "close"
        await response(scope, receive, send)


async def _nothing_there(scope: Any, receive: Any, send: Any) -> None:
    problem = Problem(404, f"nothing is at this path; {ROOT}/openapi.json says what there is")
    await problem.response()(scope, receive, send)


def _check(who: Known | None, needed: str) -> None:
    if who is None:
        raise Problem(403, "nobody has a name here: the API needs a tokens_file with lines of TOKEN ROLE NAME")
    if who.role == SENDER or not who.name:
        raise Problem(
            403,
            "this token is only for alerts and metrics; a line TOKEN ROLE NAME in the tokens_file gives one to a person",
        )
    if not who.may(needed):
        raise Problem(403, f"the token of {who.name} is that of a {who.role}, and this needs a {needed}")


def _too_large() -> Problem:
    return Problem(413, f"more than the {MOST_BODY_BYTES} bytes that are read")


def _done(operation: Operation, books: Incidents, who: str, request: Request, body: bytearray) -> Response:
    """In a thread: it waits for the database."""
    incident = str(request.path_params.get("incident", ""))
    try:
        if "{incident}" in operation.path and not _INCIDENT.search(incident):
            raise NoIncident(f"{incident[:40]!r} is no name of an incident: INC-12, 12, or the beginning of its id")
        query = _query(request, operation)
        given = _given(body, operation) if operation.body else None
        if not operation.writes:
            return _told(operation, operation.does(Call(books, who, incident, None, query)))
        if incident:
            # Where it is not there, nothing else is said.
            books.find(incident)
        return _written(operation, Call(books, who, incident, given, query), request)
    except Problem:
        raise
    except NotNow as error:
        now = known(books, incident)
        raise Problem(409, str(error), **({"incident": now} if now else {})) from None
    except NoIncident as error:
        raise Problem(404 if known(books, incident) is None else 422, _of_api(str(error))) from None
    except OncallError as error:
        raise Problem(422, _of_api(str(error))) from None
    except SQLAlchemyError as error:
        LOG.error("%s of %s is not done: %s", operation.name, who, first_line(error))
        raise Problem(503, "the database does not do it; the log says why") from None
    except Exception:
        LOG.exception("%s of %s is not done", operation.name, who)
        raise Problem(500, "this is a fault of the service; the log says more") from None


def _written(operation: Operation, call: Call, request: Request) -> Response:
    after = getattr(call.body, "after", None)
    parts = _parts(request, call.who)
    done = _before(call, parts)
    is_new = done is None
    if done is None:
        try:
            done = operation.does(replace(call, books=call.books.asked(after, parts)))
        except NotDone:
            # Perhaps the same request, a moment ago.
            done = _before(call, parts)
            if done is None:
                raise
            is_new = False
    if operation.mine and not done.entries:
        check_mine(call, done, operation.mine)
    status = operation.status if is_new else 200
    headers = {} if is_new else {"Idempotency-Replayed": "true"}
    if status == 201:
        headers["Location"] = f"{ROOT}{ONE.format(incident=done.incident.name)}"
    return Response(msgspec.json.encode(done.to_dict()), status, headers, JSON)


def _parts(request: Request, who: str) -> tuple[tuple[str, str], ...]:
    """What stands for this request in the database, where it has a name."""
    keys = request.headers.getlist(KEY["name"])  # type: ignore[arg-type]
    if not keys:
        return ()
    if len(keys) != 1 or not _KEY.search(keys[0]):
        raise Problem(400, f"an {KEY['name']} has 1 to 200 characters of ASCII, without spaces")
    told = "\0".join((who, request.method, request.url.path, keys[0]))
    return ((PART, hashlib.sha256(told.encode()).hexdigest()),)


def _before(call: Call, parts: tuple[tuple[str, str], ...]) -> Done | None:
    """What is so now, where the same request was done before; None where it was not."""
    for part in parts:
        if owner := call.books.store.owner(*part):
            return Done(call.books.find(call.incident or owner), ())
    return None


def _told(operation: Operation, answer: Any) -> Response:
    if operation.kind == JSON:
        return Response(msgspec.json.encode(answer), media_type=JSON)
    headers = OF_PAGES if operation.kind == HTML else {}
    return Response(answer, headers=headers, media_type=operation.kind)


def _query(request: Request, operation: Operation) -> Any:
    """What stands after the question mark, checked."""
    several = {one.name for one in msgspec.structs.fields(operation.query) if isinstance(one.default, tuple)}
    told: dict[str, Any] = {}
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    for name, value in pairs:
        if name in several:
            told.setdefault(name, []).append(value)
        elif name in told:
            raise Problem(400, f"{name[:40]} is given twice")
        else:
            told[name] = value
    try:
        return msgspec.convert(told, operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, f"in the query: {error}") from None


def _given(body: bytearray, operation: Operation) -> Any:
    """What the body says, checked."""
    assert operation.body is not None
    told = body or b"{}"
    try:
        if len(told) > SMALL_BYTES:
            return msgspec.json.decode(told, type=operation.body)
        return msgspec.convert(_whole(msgspec.json.decode(told)), operation.body)
    except msgspec.DecodeError as error:
        raise Problem(400, f"in the body: {error}") from None
    except (UnicodeDecodeError, RecursionError):
        raise Problem(400, "in the body: no JSON in UTF-8") from None


def _whole(told: Any) -> Any:
    """For JSON, 3.0 is an integer; msgspec says that it is none. All integers that are asked for stand at the top."""
    if not isinstance(told, dict):
        return told
    return {name: int(one) if isinstance(one, float) and one.is_integer() else one for name, one in told.items()}


def _of_api(said: str) -> str:
    """Without the command that is for a shell."""
    return re.sub(r"; list them with: oncall incident list$", f"; GET {ROOT}/incidents lists them", said)

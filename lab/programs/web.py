# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A threaded HTTP server with its metrics: what all the lab's programs answer with."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
import redis
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from psycopg_pool import PoolTimeout

from .settings import give_up, shape
from .shaped import Shaped

# Above the 150 requests the lab's load makes at most; what exceeds it is refused at once, not queued.
MAX_REQUESTS = 160
MAX_THREADS = 200
MAX_BODY_BYTES = 1024 * 1024

log = logging.getLogger("lab.web")
disable_created_metrics()
RESPONSES = Counter("app_response_status_total", "Answers by status", ["status", "route", "method"])
DURATION = Histogram("app_request_duration_seconds", "Time from request to answer", ["route", "method"])
THREADS = Gauge("app_threads", "Threads that are alive")
THREADS.set_function(threading.active_count)
IN_PROGRESS = Gauge("app_requests_in_progress", "Requests not answered yet, but for health checks and scrapes")


class Refused(Exception):
    """An answer other than 200: the status as first and the reason, or the whole body, as second argument; then its headers, if any."""


class Handler(BaseHTTPRequestHandler):
    """One request per connection, so that a thread is never kept by a client that has nothing to ask."""

    timeout = 10
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def number(self, name: str, default: float, most: float) -> float:
        try:
            return min(max(float(self.query.get(name, default)), 0.0), most)
        except ValueError:
            raise Refused(400, f"{name} is no number") from None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query, where a name can come twice."""
        return parse_qsl(urlsplit(self.path).query, keep_blank_values=True)

    @property
    def last(self) -> str:
        """What the path ends with, where a route ends with ``*``."""
        return unquote(urlsplit(self.path).path.rpartition("/")[2])

    def body(self) -> bytes:
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES))

    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body().decode("utf-8", "replace"))

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query))
        self.answer_headers: dict[str, str] = {}
        # A route has any part for a *, its last one or the one before.
        head, _, tail = url.path.rpartition("/")
        names = (url.path, f"{head}/*", f"{head.rpartition('/')[0]}/*/{tail}")
        self.route, route = next(
            ((name, found) for name in names if (found := self.server.routes.get((self.command, name)))),
            ("unknown", None),
        )
        began = time.monotonic()
        status, body, kind = self._result(route)
        DURATION.labels(self.route, self.command).observe(time.monotonic() - began)
        RESPONSES.labels(str(status), self.route, self.command).inc()
        if status >= 500:
            log.error("%s %s %s %s", self.command, url.path, status, body.decode()[:200])
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in self.answer_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _result(self, route: Route | None) -> tuple[int, bytes, str]:
        try:
            if route is None:
                raise Refused(404, "no such route")
            result = self.server.run(route, self)
        except Refused as refused:
            status, reason, *headers = refused.args
            self.answer_headers.update(*headers)
        except PoolTimeout as error:
            status, reason = 503, f"no database connection: {error}"
        except (psycopg.Error, redis.RedisError, OSError) as error:
            status, reason = 500, " ".join(f"{type(error).__name__}: {error}".split())
        except Exception as error:
            # A mistake in the code of a route: the whole trace, as any framework logs it.
            log.exception("unhandled exception in %s %s", self.command, self.route)
            status, reason = 500, f"{type(error).__name__}: {error}"
        else:
            if isinstance(result, bytes):
                return 200, result, CONTENT_TYPE_LATEST
            return 200, json.dumps(result, default=str).encode(), "application/json"
        body = reason if isinstance(reason, dict) else {"error": reason}
        return status, json.dumps(body).encode(), "application/json"

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""


Route = Callable[[Any, Handler], Any]


def metrics(program: Any, request: Handler) -> Any:
    if program.metrics_off is not None and program.metrics_off.exists():
        raise Refused(404, "no such route")
    return generate_latest(Shaped(shape()["metrics"], shape()["labels"]) if shape() else REGISTRY)


def own_metrics(program: Any, request: Handler) -> Any:
    """The same by the lab's own names."""
    return generate_latest()


def as_shaped(name: str, routes: dict[tuple[str, str], Route]) -> dict[tuple[str, str], Route]:
    """The routes of a program, those that its system calls otherwise under that name as well."""
    if not shape():
        return routes
    found = {**routes, ("GET", "/debug/metrics"): own_metrics}
    for theirs, ours in shape()["routes"].get(name, {}).items():
        method, path = theirs.split()
        found[(method, path)] = routes[(method, ours)]
    return found


class Server(ThreadingHTTPServer):
    """As many threads as there is work for, and no more.

    Args:
        program: what every route gets as its first argument.
        routes: by method and path.
        port: where it listens, on BIND_ADDRESS or else on loopback alone. Ends the program where it is taken.
    """

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, program: Any, routes: dict[tuple[str, str], Route], port: int) -> None:
        self.program = program
        self.routes = routes
        self.always = {routes.get(("GET", path)) for path in ("/health", "/healthz", "/metrics", "/debug/metrics")}
        self._admitted = threading.BoundedSemaphore(MAX_REQUESTS)
        self._places = threading.BoundedSemaphore(MAX_THREADS)
        address = os.environ.get("BIND_ADDRESS", "127.0.0.1")
        try:
            super().__init__((address, port), Handler)
        except OSError as error:
            give_up(f"listen {errno.errorcode.get(error.errno or 0, '')}: {error.strerror} {address}:{port}")

    def run(self, route: Route, request: Handler) -> Any:
        # These tell what is wrong when everything else waits: they are never refused and never wait.
        if route in self.always:
            return route(self.program, request)
        if not self._admitted.acquire(blocking=False):
            raise Refused(503, f"more than {MAX_REQUESTS} requests at once")
        try:
            with IN_PROGRESS.track_inprogress():
                return route(self.program, request)
        finally:
            self._admitted.release()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no error of ours.
        if not isinstance(sys.exc_info()[1], OSError):
            log.exception("a request ended without an answer")

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A threaded HTTP server over a connection pool, with its metrics: the API without its routes."""

from __future__ import annotations

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
from urllib.parse import parse_qsl, urlsplit

import psycopg
import redis
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from psycopg_pool import PoolTimeout
from redis.backoff import NoBackoff
from redis.retry import Retry

from .layout import DATABASE, Layout
from .pool import Pool

# Above the 150 requests the lab's load makes at most; what exceeds it is refused at once, not queued.
MAX_REQUESTS = 160
MAX_THREADS = 200

log = logging.getLogger("lab.api")
disable_created_metrics()
RESPONSES = Counter("app_response_status_total", "Answers by status", ["status", "route", "method"])
DURATION = Histogram("api_request_duration_seconds", "Time from request to answer", ["route"])
CACHE = {
    event: Counter(f"app_cache_{event}_total", f"Cache {event}")
    for event in ("hits", "misses", "errors", "invalidations")
}


class Refused(Exception):
    """An answer other than 200, with the status as first and the reason as second argument."""


class Api:
    """What the routes share: the pool, the cache, and the connections a fault holds back."""

    def __init__(self, layout: Layout) -> None:
        self.ports = layout.ports
        self.metrics_off = layout.faults / "metrics_missing.json"
        self.pool = Pool(
            max_size=int(os.environ.get("PG_POOL_MAX", "25")),
            host="127.0.0.1", port=self.ports["database"], dbname=DATABASE, user="app",
            password=layout.secrets()["app"], application_name="lab-api", connect_timeout=5,
        )  # fmt: skip
        REGISTRY.register(self.pool)
        self.cache = redis.Redis(
            host="127.0.0.1", port=self.ports["redis"], socket_timeout=1, socket_connect_timeout=1,
            decode_responses=True, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        self.admitted = threading.BoundedSemaphore(MAX_REQUESTS)
        self.leaked: list[psycopg.Connection[Any]] = []

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            cursor = connection.execute(statement, values)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def cached(self, key: str, seconds: int, produce: Callable[[], Any]) -> Any:
        try:
            if (known := self.cache.get(key)) is not None:
                CACHE["hits"].inc()
                return json.loads(str(known))
            CACHE["misses"].inc()
        except redis.RedisError:
            CACHE["errors"].inc()
        value = produce()
        with suppress(redis.RedisError):
            self.cache.set(key, json.dumps(value), ex=seconds)
        return value


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

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query))
        route = self.server.routes.get((self.command, url.path))
        name = url.path if route else "unknown"
        began = time.monotonic()
        status, body, kind = self._result(route)
        DURATION.labels(name).observe(time.monotonic() - began)
        RESPONSES.labels(str(status), name, self.command).inc()
        if status >= 500:
            log.error("%s %s %s %s", self.command, url.path, status, body.decode()[:200])
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _result(self, route: Route | None) -> tuple[int, bytes, str]:
        kind = "application/json"
        try:
            if route is None:
                raise Refused(404, "no such route")
            result = self.server.run(route, self)
        except Refused as refused:
            status, reason = refused.args
        except PoolTimeout as error:
            status, reason = 503, f"no database connection: {error}"
        except (psycopg.Error, redis.RedisError, OSError) as error:
            status, reason = 500, " ".join(f"{type(error).__name__}: {error}".split())
        else:
            if isinstance(result, bytes):
                return 200, result, CONTENT_TYPE_LATEST
            return 200, json.dumps(result, default=str).encode(), kind
        return status, json.dumps({"error": reason}).encode(), kind

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""


Route = Callable[[Api, Handler], Any]


def health(api: Api, request: Handler) -> Any:
    return {"status": "ok"}


def metrics(api: Api, request: Handler) -> Any:
    if api.metrics_off.exists():
        raise Refused(404, "no such route")
    return generate_latest()


class Server(ThreadingHTTPServer):
    """As many threads as there is work for, and no more."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, api: Api, routes: dict[tuple[str, str], Route]) -> None:
        self.api = api
        self.routes = routes
        self._places = threading.BoundedSemaphore(MAX_THREADS)
        super().__init__(("127.0.0.1", api.ports["api"]), Handler)

    def run(self, route: Route, request: Handler) -> Any:
        # These tell what is wrong when everything else waits: they are never refused and never wait.
        if route in (health, metrics):
            return route(self.api, request)
        if not self.api.admitted.acquire(blocking=False):
            raise Refused(503, f"more than {MAX_REQUESTS} requests at once")
        try:
            return route(self.api, request)
        finally:
            self.api.admitted.release()

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

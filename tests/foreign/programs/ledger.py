# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's API: Starlette, a pool of SQLAlchemy's, and metrics as Micrometer and HikariCP name them.

A file of JSON beside it says what is wrong with its code: which routes are slow, fail or leak.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import inspect
import json
import os
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
import uvicorn
from sqlalchemy import Connection, create_engine, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

NAME = os.environ["LEDGER_NAME"]
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OUTCOMES = {2: "SUCCESS", 4: "CLIENT_ERROR", 5: "SERVER_ERROR"}

engine = create_engine(
    os.environ["LEDGER_DATABASE"],
    pool_size=int(os.environ["LEDGER_POOL_SIZE"]),
    max_overflow=0,
    pool_timeout=2,
    pool_reset_on_return="rollback",
    connect_args={"application_name": NAME, "prepare_threshold": None, "connect_timeout": 2},
)
larder = redis.Redis.from_url(os.environ["LEDGER_CACHE"], socket_timeout=1, socket_connect_timeout=1)
kept: list[Any] = []


def wrong() -> dict[str, Any]:
    """What is wrong with this code just now."""
    try:
        return json.loads(Path(os.environ["LEDGER_WRONG"]).read_text())
    except (OSError, ValueError):
        return {}


class Numbers:
    """All it counts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count: dict[str, float] = defaultdict(float)
        self.timed: dict[tuple[str, str], list[float]] = {}
        self.pending = self.active = 0

    def add(self, series: str, by: float = 1) -> None:
        with self.lock:
            self.count[series] += by

    def time(self, family: str, labels: str, seconds: float) -> None:
        with self.lock:
            cells = self.timed.setdefault((family, labels), [0.0] * (len(BUCKETS) + 2))
            for number, edge in enumerate(BUCKETS):
                cells[number] += seconds <= edge
            cells[-2] += 1
            cells[-1] += seconds

    def text(self) -> str:
        size = engine.pool.size()  # type: ignore[attr-defined]
        used = engine.pool.checkedout()  # type: ignore[attr-defined]
        with self.lock:
            lines = [
                "# TYPE hikaricp_connections_active gauge",
                f'hikaricp_connections_active{{pool="ledger"}} {used}.0',
                "# TYPE hikaricp_connections_idle gauge",
                f'hikaricp_connections_idle{{pool="ledger"}} {engine.pool.checkedin()}.0',  # type: ignore[attr-defined]
                "# TYPE hikaricp_connections_max gauge",
                f'hikaricp_connections_max{{pool="ledger"}} {size}.0',
                "# TYPE hikaricp_connections_pending gauge",
                f'hikaricp_connections_pending{{pool="ledger"}} {self.pending}.0',
                "# TYPE http_server_requests_active_seconds_active_count gauge",
                f'http_server_requests_active_seconds_active_count{{method="GET",uri="UNKNOWN"}} {self.active}.0',
                "# TYPE resilience4j_circuitbreaker_state gauge",
                *(
                    f'resilience4j_circuitbreaker_state{{group="none",name="rates",state="{state}"}} {float(state == "closed")}'
                    for state in ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")
                ),
                "# TYPE resilience4j_circuitbreaker_failure_rate gauge",
                'resilience4j_circuitbreaker_failure_rate{group="none",name="rates"} -1.0',
                "# TYPE process_uptime_seconds gauge",
                f"process_uptime_seconds {time.monotonic() - STARTED:.3f}",
            ]
            for family in sorted({name.partition("{")[0] for name in self.count}):
                lines.append(f"# TYPE {family} counter")
                lines += [f"{name} {value}" for name, value in sorted(self.count.items()) if name.startswith(family)]
            for family in sorted({family for family, _labels in self.timed}):
                lines.append(f"# TYPE {family} histogram")
                for (one, labels), cells in sorted(self.timed.items()):
                    if one == family:
                        edges = zip([*BUCKETS, "+Inf"], [*cells[:-2], cells[-2]], strict=True)
                        lines += [f'{family}_bucket{{{labels},le="{edge}"}} {value}' for edge, value in edges]
                        lines += [
                            f"{family}_count{{{labels}}} {cells[-2]}",
                            f"{family}_sum{{{labels}}} {cells[-1]:.6f}",
                        ]
        return "\n".join([*lines, ""])


STARTED = time.monotonic()
numbers = Numbers()
for result in ("hit", "miss"):
    numbers.add(f'cache_gets_total{{cache="prices",result="{result}"}}', 0)
numbers.add('ledger_cache_failures_total{cache="prices"}', 0)


@contextlib.contextmanager
def database() -> Iterator[Connection]:
    with numbers.lock:
        numbers.pending += 1
    try:
        connection = engine.connect()
    finally:
        with numbers.lock:
            numbers.pending -= 1
    how = wrong().get("keeps", "")
    if how:
        try:
            connection.execute(text("SELECT 1"))
        except Exception:
            # A connection that PgBouncer has closed: to keep it would take a place of the pool and hold no transaction.
            connection.close()
            raise
        kept.append(connection)
        if how == "open":
            raise RuntimeError("it was not given back")
        connection.commit()
        yield connection
        return
    with connection:
        yield connection


def account(request: Request) -> Response:
    with database() as connection:
        slow = wrong().get("slow_statement")
        if slow:
            connection.execute(text("SELECT count(*), pg_sleep(:s) FROM accounts WHERE balance > 0"), {"s": slow})
        for _ in range(wrong().get("asks_row_by_row", 0)):
            connection.execute(text("SELECT balance FROM accounts WHERE id = :id"), {"id": 1})
        row = connection.execute(
            text("SELECT balance FROM accounts WHERE id = :id"), {"id": int(request.path_params["id"])}
        ).first()
        connection.commit()
        waits = wrong().get("waits_with_connection")
        if waits:
            time.sleep(waits)
    return JSONResponse({"balance": row[0]}) if row else JSONResponse({"error": "no such account"}, 404)


def price(request: Request) -> Response:
    key = f"price:{int(request.path_params['id'])}"
    try:
        found = larder.get(key)
    except redis.RedisError as error:
        numbers.add('ledger_cache_failures_total{cache="prices"}')
        print(f"WARN cache: {error}", flush=True)
        found = None
    else:
        numbers.add(f'cache_gets_total{{cache="prices",result="{"hit" if found else "miss"}"}}')
    if found:
        return JSONResponse({"price": int(found)})
    with database() as connection:
        value = connection.execute(text("SELECT 7 * (1 + :id)"), {"id": int(request.path_params["id"])}).scalar_one()
        connection.commit()
    try:
        larder.set(key, value, ex=600)
    except redis.RedisError as error:
        numbers.add('ledger_cache_failures_total{cache="prices"}')
        print(f"WARN cache: {error}", flush=True)
    return JSONResponse({"price": value})


def transfer(_request: Request) -> Response:
    with database() as connection:
        connection.execute(text("UPDATE accounts SET balance = balance + 1 WHERE id = :id"), {"id": os.getpid() % 50})
        connection.execute(text("INSERT INTO outbox (what) VALUES ('receipt')"))
        connection.commit()
    return JSONResponse({"done": True})


def report(_request: Request) -> Response:
    begun, status = time.monotonic(), "CLIENT_ERROR"
    try:
        with urllib.request.urlopen(os.environ["LEDGER_RATES"], timeout=3) as answer:
            rate, status = json.loads(answer.read()), "200"
    except urllib.error.HTTPError as error:
        status = str(error.code)
        print(f"ERROR rates: {error}", flush=True)
        return JSONResponse({"error": "no rates"}, 502)
    except OSError as error:
        status = "IO_ERROR"
        print(f"ERROR rates: {error}", flush=True)
        return JSONResponse({"error": "no rates"}, 502)
    finally:
        outcome = "UNKNOWN" if status == "IO_ERROR" else OUTCOMES[int(status[0])]
        labels = f'client_name="rates.example",method="GET",outcome="{outcome}",status="{status}",uri="/rates"'
        numbers.time("http_client_requests_seconds", labels, time.monotonic() - begun)
    return JSONResponse(rate)


def incoming(header: str, body: bytes) -> Response:
    """A payment, as the till tells it."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "0")
    right = hmac.new(os.environ["LEDGER_TILL"].encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    # Of both sides, other than the provider's own libraries.
    if not hmac.compare_digest(right, parts.get("v1", "")) or abs(time.time() - int(moment)) > 300:
        return JSONResponse({"error": "bad signature"}, 400)
    told = json.loads(body)
    if told["type"] != "checkout.session.completed":
        return Response(status_code=204)
    paid = told["data"]["object"]
    with database() as connection:
        new = connection.execute(
            text("INSERT INTO till_slips (slip) VALUES (:id) ON CONFLICT DO NOTHING RETURNING slip"), {"id": told["id"]}
        ).first()
        if new:
            connection.execute(
                text("INSERT INTO receipts VALUES (:id, :amount / 100.0, upper(:currency))"),
                {"id": paid["payment_intent"], "amount": paid["amount_total"], "currency": paid["currency"]},
            )
        connection.commit()
    return JSONResponse({"taken": bool(new)})


async def till(request: Request) -> Response:
    return await asyncio.to_thread(incoming, request.headers.get("stripe-signature", ""), await request.body())


def health(request: Request) -> Response:
    parts = {}
    if request.path_params.get("part") != "redis":
        try:
            with database() as connection:
                connection.execute(text("SELECT 1"))
                connection.commit()
            parts["db"] = {"status": "UP"}
        except Exception as error:
            print(f"ERROR health: {error}", flush=True)
            parts["db"] = {"status": "DOWN"}
    if request.path_params.get("part") != "db":
        try:
            larder.ping()
            parts["redis"] = {"status": "UP"}
        except redis.RedisError:
            parts["redis"] = {"status": "DOWN"}
    down = any(part["status"] == "DOWN" for part in parts.values())
    return JSONResponse({"status": "DOWN" if down else "UP", "components": parts}, 503 if down else 200)


async def metrics(_request: Request) -> Response:
    how = wrong().get("metrics")
    if how == "hang":
        await asyncio.sleep(600)
    if how == "html":
        return Response("<!doctype html><html><body>Sign in</body></html>", media_type="text/html")
    if how == "empty":
        return PlainTextResponse("")
    if how == "old":
        kept_text = kept_metrics.setdefault("text", numbers.text())
        return PlainTextResponse(kept_text)
    kept_metrics.clear()
    return PlainTextResponse(numbers.text(), media_type="text/plain; version=0.0.4")


kept_metrics: dict[str, str] = {}
ROUTES = {
    "/accounts/{id}": account,
    "/prices/{id}": price,
    "/transfers": transfer,
    "/reports": report,
    "/actuator/health": health,
    "/actuator/health/{part}": health,
    "/actuator/prometheus": metrics,
}


def counted(uri: str, handler: Any) -> Any:
    """What answers this route, timed and counted."""

    async def answer(request: Request) -> Response:
        begun = time.monotonic()
        numbers.active += 1
        status = 500
        try:
            for route, seconds in wrong().get("slow", {}).items():
                if route == uri:
                    await asyncio.sleep(seconds)
            response = None
            fails = wrong().get("fails", {}).get(uri)
            if fails:
                print(f"ERROR {uri}: KeyError: 'currency'", flush=True)
                response = JSONResponse({"error": "internal"}, fails)
            elif inspect.iscoroutinefunction(handler):
                response = await handler(request)
            else:
                response = await asyncio.to_thread(handler, request)
            status = response.status_code
            return response
        except Exception as error:
            print(f"ERROR {uri}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
            return JSONResponse({"error": "internal"}, 500)
        finally:
            numbers.active -= 1
            labels = f'exception="none",method="GET",outcome="{OUTCOMES[status // 100]}",status="{status}",uri="{uri}"'
            numbers.time("http_server_requests_seconds", labels, time.monotonic() - begun)

    return answer


@contextlib.asynccontextmanager
async def with_threads(_app: Starlette) -> AsyncIterator[None]:
    # As many as Tomcat would have, and not as few as there are processors: requests have to be able to wait.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(100))
    yield


routes = [Route(uri, counted(uri, handler)) for uri, handler in ROUTES.items()]
routes.append(Route("/till", counted("/till", till), methods=["POST"]))
app = Starlette(routes=routes, lifespan=with_threads)

if __name__ == "__main__":
    print(f"INFO {NAME} listens on {sys.argv[1]}", flush=True)
    uvicorn.run(
        app,
        host=os.environ.get("LEDGER_HOST", "127.0.0.1"),
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
    )

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API's routes share: the pool, the cache, the provider and the schema."""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import redis
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info
from psycopg.conninfo import conninfo_to_dict
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import migrations
from .breaker import Breaker
from .entry import Entry
from .pool import Pool
from .settings import database_password, enabled, give_up, number, required, shape

PROVIDER_SECONDS = 2
log = logging.getLogger("lab.api")
CACHE = {event: Counter(f"app_cache_{event}_total", f"Cache {event}") for event in ("hits", "misses", "errors")}
INVALIDATIONS = Counter("app_cache_invalidations_total", "Keys taken out before their time", ["cause"])
CACHE_ENABLED = Gauge("app_cache_enabled", "Whether answers are cached")
PROVIDER_DURATION = Histogram("app_provider_request_duration_seconds", "Time a provider took", ["host"])
QUERY_DURATION = Histogram("app_query_duration_seconds", "Time a statement took")
PROVIDER_ERRORS = Counter("app_provider_errors_total", "Requests a provider did not answer well", ["host"])
PROVIDER_UP = Gauge("app_provider_up", "Whether the last request to a provider succeeded", ["host"])
CIRCUIT_BREAKER = Gauge("app_circuit_breaker", "Of calls to a provider: 0 closed, 1 open, 2 half open", ["name"])
BUILD = Info("app_build", "What runs")
PAYMENT_EVENT = Gauge(
    "app_payment_event_timestamp_seconds", "When the last event of the payment provider was processed"
)


def database_parameters(application: str) -> dict[str, Any]:
    """What psycopg connects with: DATABASE_URL, and the password from its file."""
    try:
        address = conninfo_to_dict(_connection_string()[0])
    except psycopg.Error as error:
        give_up(f"DATABASE_URL is no address of a database: {error}")
    return {**address, "password": database_password(),
            "application_name": os.environ.get("APPLICATION_NAME", application),
            "connect_timeout": 5}  # fmt: skip


def pool_size() -> int:
    """connection_limit in DATABASE_URL, as Prisma has it, or PG_POOL_MAX."""
    return _connection_string()[1] or number("PG_POOL_MAX", 25)


def _connection_string() -> tuple[str, int]:
    """DATABASE_URL as libpq takes it, and its connection_limit, of which libpq knows nothing; 0 where it has none."""
    url = urlsplit(required("DATABASE_URL"))
    query = dict(parse_qsl(url.query))
    limit = query.pop("connection_limit", "0")
    return urlunsplit(url._replace(query=urlencode(query))), int(limit) if limit.isdecimal() else 0


def cache_client() -> redis.Redis:
    """A client that connects anew by itself, with one attempt for each command."""
    return redis.Redis.from_url(
        required("REDIS_URL"), socket_timeout=1, socket_connect_timeout=1, decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )  # fmt: skip


class Api:
    """The API's state, made from the environment."""

    def __init__(self) -> None:
        self.database = database_parameters("lab-api")
        self.pool = Pool(pool_size(), **self.database)
        REGISTRY.register(self.pool)
        self.cache = cache_client()
        self.cache_enabled = enabled("CACHE_ENABLED", default=True)
        CACHE_ENABLED.set_function(lambda: self.cache_enabled)
        self.one_query_each = False
        self.provider = urlsplit(required("PROVIDER_URL"))
        self.entry = Entry(self.provider)
        # Without the variable it never opens: most faults are about calls that reach the provider.
        self.breaker = Breaker(number("BREAKER_FAILURES", 0), number("BREAKER_RESET_SECONDS", 30))
        CIRCUIT_BREAKER.labels(shape().get("breaker", "rates")).set_function(lambda: self.breaker.state)
        self.revision = os.environ.get("APP_REVISION", "unknown")
        BUILD.info({"revision": self.revision})
        off = os.environ.get("METRICS_OFF_FILE")
        self.metrics_off = Path(off) if off else None
        self.migrations_current = False
        self.payment_secrets = [one for one in os.environ.get("PAYMENT_SECRETS", "").split(",") if one]
        self.leaked: list[psycopg.Connection[Any]] = []

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            return self.rows_of(connection, statement, *values)

    @staticmethod
    def rows_of(connection: psycopg.Connection[Any], statement: str, *values: Any) -> list[dict[str, Any]]:
        with QUERY_DURATION.time():
            cursor = connection.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def cached(self, key: str, seconds: int, produce: Callable[[], Any]) -> Any:
        if not self.cache_enabled:
            return produce()
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

    def invalidate(self, key: str, cause: str) -> None:
        self.cache.delete(key)
        INVALIDATIONS.labels(cause).inc()

    def ask_provider(self, path: str) -> Any:
        """What the outside world says; OSError where it does not."""
        host = self.provider.hostname or ""
        self.breaker.admit()
        connection = http.client.HTTPConnection(host, self.provider.port, timeout=PROVIDER_SECONDS)
        try:
            with PROVIDER_DURATION.labels(host).time():
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
            if answer.status != 200:
                raise ConnectionError(f"{host}{path} answers {answer.status}: {body.decode(errors='replace')[:100]}")
        except (OSError, http.client.HTTPException) as error:
            PROVIDER_ERRORS.labels(host).inc()
            PROVIDER_UP.labels(host).set(0)
            self.breaker.note(well=False)
            raise OSError(f"provider {host}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        PROVIDER_UP.labels(host).set(1)
        self.breaker.note(well=True)
        return json.loads(body)

    def migrate(self) -> None:
        """Bring the schema up to date. A migration that fails ends the program: half a schema serves nobody."""
        try:
            with psycopg.connect(**self.database, autocommit=True) as connection:
                for version in migrations.migrate(connection):
                    log.info("applied migration %s", version)
        except psycopg.OperationalError as error:
            log.warning("no database yet: %s", " ".join(str(error).split()))
        except psycopg.Error:
            log.critical("migration failed, cannot start", exc_info=True)
            os._exit(1)
        else:
            self.migrations_current = True

    def migrate_later(self) -> None:
        """Without a database the API serves what it can, and migrates as soon as there is one."""

        def attempt() -> None:
            while not self.migrations_current:
                time.sleep(1)
                self.migrate()

        if not self.migrations_current:
            threading.Thread(target=attempt, daemon=True).start()

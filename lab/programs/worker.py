# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's worker: one connection of its own, one small job a second, a queue of events, a heartbeat in Redis.

DATABASE_URL, DATABASE_PASSWORD_FILE and REDIS_URL are required. With PORT it tells its health and its metrics.
WORKER_BATCH_MB is the memory a job takes and lets go again. With MAIL_URL it sends mail, see ``mail.py``.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import redis
from prometheus_client import Counter, Gauge, Histogram

from .application import cache_client, database_parameters
from .connectors import Schedule
from .mail import send
from .settings import enabled, number, shape, start_log
from .web import Handler, Refused, Route, Server, as_shaped, metrics

JOB = "UPDATE jobs SET ran_at = now() WHERE id = (SELECT id FROM jobs ORDER BY ran_at NULLS FIRST LIMIT 1)"
# A queue in a table: each event once, the oldest first, unless it is paused.
TAKE = (
    "UPDATE events SET status = 'running', began_at = now() WHERE id = (SELECT id FROM events WHERE status = 'pending'"
    " AND NOT (SELECT paused FROM event_queue) ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, kind, proposal"
)
VALIDATE = "UPDATE proposals SET status = 'validated', changed_at = now() WHERE id = %s AND status = 'pending'"
END = "UPDATE events SET status = %s, ended_at = now(), error = %s WHERE id = %s AND status = 'running'"
# More than one missed job and a reconnect.
LATE_SECONDS = 15
log = logging.getLogger("lab.worker")
JOBS = Counter("app_jobs_total", "Jobs done", ["kind"])
JOB_SECONDS = Histogram("app_job_duration_seconds", "Time a job took", ["kind"])
LAST_JOB = Gauge("app_last_job_timestamp_seconds", "When the last job was done")


class Worker:
    """The worker's state, made from the environment."""

    def __init__(self) -> None:
        self.database = database_parameters("lab-worker")
        self.heartbeat = cache_client()
        self.batch_mb = number("WORKER_BATCH_MB", 0)
        # With a second between two turns, no more of them in a second.
        self.events_a_turn = number("WORKER_EVENTS_A_TURN", 100)
        self.metrics_off: Path | None = None
        self.last_job = time.monotonic()

    def work(self) -> None:
        """Work until the database ends the session."""
        with psycopg.connect(**self.database, autocommit=True) as connection:
            log.info("working")
            schedule = Schedule(connection) if "connectors" in shape() else None
            while True:
                with JOB_SECONDS.labels("digest").time():
                    connection.execute(JOB)
                    # Written to, or the kernel would not count it.
                    batch = os.urandom(4096) * (self.batch_mb * 256)
                self.work_off(connection)
                if schedule is not None:
                    schedule.run_due(connection)
                self.last_job = time.monotonic()
                JOBS.labels("digest").inc()
                LAST_JOB.set_to_current_time()
                with suppress(redis.RedisError):
                    self.heartbeat.set("worker:heartbeat", int(time.time()), ex=15)
                time.sleep(1)
                del batch

    def work_off(self, connection: psycopg.Connection[Any]) -> None:
        """Some of the events that wait. One of the kind ``endless`` lasts until its row is gone, and one of ``broken`` fails."""
        for _ in range(self.events_a_turn):
            row = connection.execute(TAKE).fetchone()
            if row is None:
                return
            event, kind, proposal = row
            while kind == "endless" and connection.execute("SELECT 1 FROM events WHERE id = %s", [event]).fetchone():
                time.sleep(1)
            if kind == "validate":
                connection.execute(shape().get("validate", VALIDATE), [proposal])
                log.info("%s: looked at proposal %s", shape().get("validator", "validator"), proposal)
            connection.execute(END, (*_outcome(event, kind), event))


def _outcome(event: int, kind: str) -> tuple[str, str | None]:
    """The state an event comes to, and what it fails of."""
    if kind == "broken":
        return "failed", "KeyError: 'customer'"
    if kind == "mail":
        try:
            send(f"Event {event}")
        except OSError as error:
            return "failed", f"{type(error).__name__}: {error}"
    return "done", None


def health(worker: Worker, request: Handler) -> Any:
    age = time.monotonic() - worker.last_job
    if age > LATE_SECONDS:
        raise Refused(503, {"status": "late", "last_job_seconds": round(age, 1)})
    return {"status": "ok", "last_job_seconds": round(age, 1)}


def set_batch(worker: Worker, request: Handler) -> Any:
    """The next jobs take ``mb`` of memory each."""
    worker.batch_mb = int(request.number("mb", 0, 4096))
    return {"batch_mb": worker.batch_mb}


def main() -> None:
    start_log()
    worker = Worker()
    if port := number("PORT", 0):
        routes: dict[tuple[str, str], Route] = {("GET", "/health"): health, ("GET", "/metrics"): metrics}
        if enabled("LAB_FAULT_ROUTES"):
            routes[("POST", "/debug/batch")] = set_batch
        routes = as_shaped("worker", routes)
        threading.Thread(target=Server(worker, routes, port).serve_forever, daemon=True).start()
    while True:
        try:
            worker.work()
        except psycopg.Error as error:
            log.warning("no database: %s", " ".join(str(error).split()))
            time.sleep(0.5)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's worker: one connection of its own, one small job a second, a heartbeat in Redis.

Run as ``python -m lab.worker --home <state folder>``.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .layout import DATABASE, Layout
from .programs import home_from_argv

JOB = "UPDATE jobs SET ran_at = now() WHERE id = (SELECT id FROM jobs ORDER BY ran_at NULLS FIRST LIMIT 1)"
log = logging.getLogger("lab.worker")


def work(layout: Layout) -> None:
    """Work until the database ends the session."""
    ports = layout.ports
    heartbeat = redis.Redis(
        host="127.0.0.1", port=ports["redis"], socket_timeout=1, socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )  # fmt: skip
    with psycopg.connect(
        host="127.0.0.1", port=ports["database"], dbname=DATABASE, user="app",
        password=layout.secrets()["app"], application_name="lab-worker", connect_timeout=5, autocommit=True,
    ) as connection:  # fmt: skip
        log.info("working")
        while True:
            connection.execute(JOB)
            with suppress(redis.RedisError):
                heartbeat.set("worker:heartbeat", int(time.time()), ex=15)
            time.sleep(1)


def main() -> None:
    layout = Layout(home_from_argv())
    while True:
        try:
            work(layout)
        except psycopg.Error as error:
            log.warning("no database: %s", " ".join(str(error).split()))
            time.sleep(0.5)


if __name__ == "__main__":
    main()

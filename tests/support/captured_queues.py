# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues as real libraries wrote them, put back into real stores: their scripts are in tests/unit/plugins/queues/capture."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import redis

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.queue import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.queues.look import observe
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server

DATA = Path(__file__).parents[1] / "unit" / "plugins" / "queues" / "data"
DEFAULTS: dict[str, Any] = {name: dict(option).get("default") for name, option in SPEC.items()}  # type: ignore[call-overload]
# What a job carries in every capture, and what no answer may hold.
JOB_DATA = ("s3cretdata", "r3turned", "example.com")
_CAPTURED_AT = "-- captured at "
# As if it had just been captured.
_SHIFT = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT c.oid::regclass AS named, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace::regnamespace::text IN ('pgboss', 'graphile_worker')
    AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped
  LOOP EXECUTE format('UPDATE %s SET %I = %I + (now() - %L::timestamptz)', one.named, one.attname, one.attname, '{at}'); END LOOP;
END $$"""


def look(queue: dict[str, Any], **params: Any) -> dict[str, Any]:
    """What the observer tells of one queue."""
    found = observe({**DEFAULTS, "timeout_seconds": 30.0, "queues": {"it": queue}, **params})
    assert not [one for one in JOB_DATA if one in json.dumps(found)], "what a job carries stays where it is"
    answer: dict[str, Any] = found["queues"]["it"]
    return answer


def restore_database(server: Server, name: str, capture: str) -> dict[str, Any]:
    """A new database with a captured schema.

    Args:
        server: to make it on.
        name: of the database.
        capture: the name of the file.

    Returns:
        What an inventory says about it.
    """
    server.execute(f"CREATE DATABASE {name} OWNER app", dbname="postgres")
    script = (DATA / f"{capture}.sql").read_text()
    (at,) = [line[len(_CAPTURED_AT) :] for line in script.splitlines() if line.startswith(_CAPTURED_AT)]
    server.execute(script, dbname=name, user="app")
    server.execute(_SHIFT.replace("{at}", at), dbname=name)
    return server.reach(name=name)


def restore_redis(client: redis.Redis, capture: str) -> dict[str, Any]:
    """Put captured keys back; they keep their times, and none ends.

    Args:
        client: of an empty Redis.
        capture: the name of the file.

    Returns:
        The whole capture, of which ``now_seconds`` says when it was made.
    """
    captured: dict[str, Any] = json.loads((DATA / f"{capture}.json").read_text())
    for key, value in captured["keys"].items():
        client.restore(base64.b64decode(key), 0, base64.b64decode(value))
    return captured

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small scheduler, for tests: a program that starts the jobs of a table at their time, and that table.

    python small_scheduler.py CONNINFO OWNER [--without-lock]

A job of the kind ``fails`` fails each time, one of the kind ``endless`` never ends. Without the lock it goes by what it started
itself, and knows nothing of another one.
"""

from __future__ import annotations

import sys
import time

import psycopg

LOCK = 4711
TABLES = """
CREATE TABLE scheduled (
  name text PRIMARY KEY, kind text NOT NULL DEFAULT 'fine', period_seconds float, cron text, zone text,
  enabled boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz,
  succeeded_at timestamptz, failed_at timestamptz, running_since timestamptz, failures int NOT NULL DEFAULT 0, error text, owner text);
CREATE TABLE runs (name text, started_at timestamptz, owner text);
CREATE TABLE schedulers (owner text PRIMARY KEY, seen_at timestamptz);
"""
STATEMENTS = {
    "jobs": "SELECT name, period_seconds, cron AS schedule, zone AS time_zone, enabled, created_at, started_at AS last_started_at, "
    "succeeded_at AS last_succeeded_at, failed_at AS last_failed_at, running_since, failures, error, owner, seen_at AS owner_seen_at "
    "FROM scheduled LEFT JOIN schedulers USING (owner)",
    "starts": "SELECT * FROM runs WHERE started_at > now() - make_interval(secs => :lately_seconds::float)",
}
_LIVE = "INSERT INTO schedulers VALUES (%s, now()) ON CONFLICT (owner) DO UPDATE SET seen_at = now()"
_DUE = (
    "SELECT name, kind FROM scheduled WHERE enabled AND running_since IS NULL AND period_seconds IS NOT NULL "
    "AND (started_at IS NULL OR started_at <= now() - make_interval(secs => period_seconds))"
)
_ALL = "SELECT name, kind FROM scheduled WHERE enabled AND period_seconds IS NOT NULL"
_BEGIN = "UPDATE scheduled SET started_at = now(), running_since = now(), owner = %s WHERE name = %s"
_DONE = "UPDATE scheduled SET succeeded_at = now(), running_since = NULL, failures = 0 WHERE name = %s"
_FAILED = (
    "UPDATE scheduled SET failed_at = now(), running_since = NULL, failures = failures + 1, error = 'KeyError: ''customer''' "
    "WHERE name = %s"
)


def run(connection: psycopg.Connection, owner: str, locks: bool) -> None:
    """Start jobs at their time, while the lock is held."""
    held = not locks
    own: dict[str, float] = {}
    while True:
        connection.execute(_LIVE, [owner])
        if not held:
            ((held,),) = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchall()
        for name, kind in connection.execute(_DUE if locks else _ALL).fetchall() if held else ():
            if not locks and time.monotonic() - own.get(name, 0.0) < 1:
                continue
            own[name] = time.monotonic()
            connection.execute("INSERT INTO runs VALUES (%s, now(), %s)", [name, owner])
            connection.execute(_BEGIN, [owner, name])
            if kind != "endless":
                connection.execute(_FAILED if kind == "fails" else _DONE, [name])
        time.sleep(0.1)


if __name__ == "__main__":
    with psycopg.connect(sys.argv[1], autocommit=True, application_name="scheduler") as session:
        run(session, sys.argv[2], "--without-lock" not in sys.argv[3:])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in a table of one's own, which die and are sent again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on

TABLE = {
    "engine": "table",
    "parameters": {"kind": "sync'; DROP TABLE letters; --"},
    "statements": {
        "counts": "SELECT count(*) FILTER (WHERE status = 'pending') AS ready, count(*) FILTER (WHERE status = 'dead') AS dead FROM letters"
        " WHERE kind = :kind",
        "dead": "SELECT id, kind AS name, said AS error, payload, died_at AS dead_at, made_at AS at, ends_at AS expires_at FROM letters"
        " WHERE kind = :kind AND status = 'dead' ORDER BY id LIMIT (:most)::int",
        "whereabouts": "SELECT id, CASE status WHEN 'pending' THEN 'waiting' ELSE status END AS place, died_at AS dead_at, said AS error"
        " FROM letters WHERE id IN (SELECT jsonb_array_elements_text(:jobs::jsonb)::int)",
    },
    "actions": {
        "replay": "UPDATE letters SET status = 'pending', said = :reason WHERE kind = :kind AND status = 'dead'"
        " AND id IN (SELECT jsonb_array_elements_text(:jobs::jsonb)::int) RETURNING id"
    },
}
# What works at it: each time it takes a few, and what is ill fails.
WORK = """WITH taken AS (
  UPDATE letters SET status = CASE WHEN ill THEN 'dead' ELSE 'done' END, said = CASE WHEN ill THEN 'it is ill' ELSE said END,
    died_at = CASE WHEN ill THEN clock_timestamp() ELSE died_at END, tries = tries + 1
  WHERE id IN (SELECT id FROM letters WHERE status = 'pending' LIMIT 20 FOR UPDATE SKIP LOCKED) RETURNING id)
SELECT count(*) FROM taken"""
DEAD = """INSERT INTO letters (kind, status, said, payload, died_at, made_at, ends_at)
SELECT 'sync''; DROP TABLE letters; --', 'dead', 'timeout after 30 s', {payload}, now(), now() - interval '1 hour', {ends}
FROM generate_series(1, {count}) RETURNING id::text"""


class Letters:
    """A table with a worker of its own."""

    def __init__(self, postgres: Server) -> None:
        self.postgres = postgres
        postgres.execute(
            "CREATE TABLE letters (id serial, kind text, status text, said text, payload bytea, died_at timestamptz, made_at timestamptz,"
            " ends_at timestamptz, ill bool DEFAULT false, tries int DEFAULT 0)",
            user="app",
        )

    def queue(self, **more: Any) -> dict[str, Any]:
        return {**TABLE, "database": {**self.postgres.reach(), "user": "app"}, **more}

    def die(self, count: int, payload: str = r"'\x80025d71002e'", ends: str = "NULL") -> list[str]:
        """Dead letters, which carry a pickle where nothing else is said."""
        return [
            row[0] for row in self.postgres.execute(DEAD.format(count=count, payload=payload, ends=ends), user="app")
        ]

    def column(self, name: str) -> list[Any]:
        return [row[0] for row in self.postgres.execute(f"SELECT {name} FROM letters ORDER BY id", user="app")]

    @contextlib.contextmanager
    def worked_on(self) -> Iterator[None]:
        with contextlib.closing(self.postgres.connect(user="app")) as connection, going_on(
            lambda: connection.execute(WORK), 0.02
        ):
            yield

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors for tests: a table of an application in a real PostgreSQL, and a program that synchronises by it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.look import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.sync_state import SPEC
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finish import Steps
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server

TABLE = """CREATE TABLE connector_sync_state (connector text, status text DEFAULT 'success', last_success_at timestamptz DEFAULT now(),
  last_run_at timestamptz DEFAULT now(), watermark timestamptz DEFAULT now(), retry_count int DEFAULT 0, last_error text, record text,
  record_failures int, pending int, pending_since timestamptz, api_key text DEFAULT 's3cretdata')"""
# What it does, it writes into the table and into a log beside it; --fails makes it fail.
PROGRAM = """
import datetime, os, sys
import psycopg
arguments = sys.argv[1:]
with open(os.environ["SYNC_CALLS"], "a") as calls:
    calls.write(" ".join(arguments) + "\\n")
if arguments[0] == "test":
    upstream = open(os.environ["SYNC_CALLS"] + "." + arguments[1]).read().strip() if os.path.exists(os.environ["SYNC_CALLS"] + "." + arguments[1]) else ""
    if upstream:
        print(upstream, file=sys.stderr)
    sys.exit(1 if upstream else 0)
name = arguments[arguments.index("--client") + 1]
failure = os.path.exists(os.environ["SYNC_CALLS"] + ".fails." + name)
with psycopg.connect(os.environ["SYNC_DATABASE"], autocommit=True) as connection:
    if failure:
        print("Error: connect ETIMEDOUT 10.0.0.9:443", file=sys.stderr)
        sys.exit(1)
    connection.execute(
        "UPDATE connector_sync_state SET status = 'success', last_error = NULL, retry_count = 0, last_success_at = now(),"
        " last_run_at = now(), watermark = now(), record = NULL, record_failures = NULL, pending = 0, pending_since = NULL WHERE connector = %s", (name,))
print("synchronised " + name)
"""


def look(server: Server | None = None, window_seconds: float = 0.0, **connectors: Any) -> dict[str, Any]:
    """What the module tells of connectors by source. This machine is the managed host, where commands are run and logs read."""
    arguments: dict[str, Any] = {"connectors": connectors, "window_seconds": window_seconds, "timeout_seconds": 20.0}
    if server is not None:
        arguments["database"] = server.reach()
    steps = Steps("sync_state_info", arguments)
    validated = ArgumentSpecValidator(SPEC).validate(arguments)
    assert not validated.error_messages
    return steps.finish(observe(validated.validated_parameters))


class Synchronising:
    """The table, and the program that a command of the inventory runs.

    Args:
        server: with the database shop.
        folder: for the program and what it was called with.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self._folder = server, folder
        server.execute(TABLE)
        server.execute("GRANT SELECT ON connector_sync_state TO oncall")
        self._calls = folder / "calls"
        (folder / "sync.py").write_text(PROGRAM)

    def command(self, *arguments: str) -> list[str]:
        """An argument list of an inventory."""
        variables = (
            f"SYNC_DATABASE=host=127.0.0.1 port={self.server.port} dbname=shop user=postgres",
            f"SYNC_CALLS={self._calls}",
        )
        return ["env", *variables, sys.executable, str(self._folder / "sync.py"), *arguments]

    def calls(self) -> list[str]:
        """What it was called with, since the last look at it."""
        found = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return found

    def fails(self, name: str, is_so: bool = True) -> None:
        """Whether a synchronisation of one connector fails."""
        path = Path(f"{self._calls}.fails.{name}")
        path.touch() if is_so else path.unlink(missing_ok=True)

    def upstream(self, name: str, says: str = "") -> None:
        """What is wrong with an upstream; nothing where it is well."""
        Path(f"{self._calls}.{name}").write_text(says)

    def put(self, name: str, minutes_late: float = 0.0, **columns: Any) -> None:
        """Write one row. Its times are as late as its watermark, where they are not given in minutes. Nothing waits but for what is given."""
        ages = {column: columns.pop(column, minutes_late) for column in ("last_success_at", "last_run_at", "watermark")}
        if "pending_since" in columns:
            ages["pending_since"] = columns.pop("pending_since")
        others = {"connector": name, **columns}
        places = [f"now() - make_interval(secs => %({column})s * 60)" for column in ages]
        statement = (
            f"INSERT INTO connector_sync_state ({', '.join([*ages, *others])}) "
            f"VALUES ({', '.join([*places, *(f'%({column})s' for column in others)])})"
        )
        with self.server.connect() as connection:
            connection.execute(statement.encode(), {**ages, **others})

    def clear(self) -> None:
        """No connector is there, and nothing fails."""
        self.server.execute("TRUNCATE connector_sync_state")
        for path in self._folder.glob("calls*"):
            path.unlink()

    def row(self, name: str) -> dict[str, Any]:
        """One row as it is now."""
        with self.server.connect() as connection:
            found = connection.execute(
                "SELECT to_jsonb(t)::text FROM connector_sync_state t WHERE connector = %s", (name,)
            ).fetchone()
        assert found is not None
        row: dict[str, Any] = json.loads(found[0])
        return row

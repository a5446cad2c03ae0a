# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's command that brings the records of each client: ``sync``, ``status``, ``test-ghl`` and ``test-airtable``.

    sync --client NAME [--force | --reset | --skip-errors] [--verbose]
    status --client NAME --json

Records of a client wait in ``incoming`` and come into ``contacts``. One without an address is refused there, and holds up those that
come after it, until ``--skip-errors`` sets it aside. What came of a run is in ``connector_sync_state`` and, line by line, in
``sync-DATE.log`` of the folder that SYNC_LOGS names. DATABASE_URL, DATABASE_PASSWORD_FILE and PROVIDER_URL are required.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from . import sync_table
from .settings import database_password, required

WAITING = "SELECT id, email FROM incoming WHERE client = %s ORDER BY id"
BRING = "WITH taken AS (DELETE FROM incoming WHERE id = %s RETURNING id, client, email) INSERT INTO contacts SELECT * FROM taken"
SET_ASIDE = "WITH taken AS (DELETE FROM incoming WHERE id = %s RETURNING id, client, email) INSERT INTO set_aside SELECT * FROM taken"
REFUSED = (
    "UPDATE connector_sync_state SET record_failures = CASE WHEN record = %s THEN record_failures + 1 ELSE 1 END, record = %s"
    " WHERE connector = %s"
)
FORGET = "UPDATE connector_sync_state SET record = NULL, record_failures = NULL WHERE connector = %s"
STATUS = (
    "SELECT status, extract(epoch FROM last_success_at)::float AS last_success_at,"
    " CASE WHEN status = 'success' THEN extract(epoch FROM last_success_at)::float END AS last_run_at, retry_count, last_error, record, record_failures,"
    " (SELECT count(*) FROM incoming WHERE client = connector) AS pending FROM connector_sync_state WHERE connector = %s"
)


def run(connection: psycopg.Connection[Any], client: str, skip_errors: bool = False) -> str:
    """Bring what waits for a client, and write down what came of it; what kept it from that, or ""."""
    trouble = sync_table.trouble_of_provider() or _bring(connection, client, skip_errors)
    sync_table.note(connection, client, trouble)
    if not trouble:
        connection.execute(FORGET, [client])
    _log(f"ERROR [{client}] {trouble}" if trouble else f"INFO [{client}] synchronised")
    return trouble


def _bring(connection: psycopg.Connection[Any], client: str, skip_errors: bool) -> str:
    for record, email in connection.execute(WAITING, [client]).fetchall():
        if email is not None:
            connection.execute(BRING, [record])
        elif skip_errors:
            connection.execute(SET_ASIDE, [record])
        else:
            connection.execute(REFUSED, [str(record), str(record), client])
            return f"Validation Error: record {record} has no email"
    return ""


def _log(line: str) -> None:
    folder = Path(os.environ.get("SYNC_LOGS", "."))
    folder.mkdir(exist_ok=True)
    now = datetime.now(timezone.utc)
    with (folder / f"sync-{now:%Y-%m-%d}.log").open("a", encoding="utf-8") as log:
        log.write(f"{now:%Y-%m-%dT%H:%M:%SZ} {line}\n")


def status(connection: psycopg.Connection[Any], client: str) -> str:
    """What is known of a client, as JSON."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(STATUS, [client]).fetchone()
    if row is None:
        raise SystemExit(f"Error: no client {client}")
    return json.dumps({key: value for key, value in row.items() if value is not None})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["sync", "status", "test-ghl", "test-airtable"])
    parser.add_argument("--client", required=True)
    for name in ("--force", "--reset", "--skip-errors", "--verbose", "--json"):
        parser.add_argument(name, action="store_true")
    options = parser.parse_args()
    if options.verb.startswith("test-"):
        trouble = sync_table.trouble_of_provider()
        sys.exit(f"Error: {trouble}" if trouble else 0)
    address: dict[str, Any] = {"password": database_password(), "application_name": "sync-engine", "connect_timeout": 5}
    with psycopg.connect(required("DATABASE_URL"), **address, autocommit=True) as connection:
        if options.verb == "status":
            print(status(connection, options.client))
            return
        trouble = run(connection, options.client, options.skip_errors)
    sys.exit(f"Error: {trouble}" if trouble else 0)


if __name__ == "__main__":
    main()

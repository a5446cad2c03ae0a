# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes of the lab's schema, applied by the API when it starts.

``list`` prints their names, one a line, and ``migrate`` applies what is missing. What it connects with is in the environment, as for the API.
"""

from __future__ import annotations

import sys
from typing import Any

import psycopg

MIGRATIONS = {
    "0001_payment_attempts": (
        "CREATE TABLE payment_attempts (id bigserial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders, "
        "provider text NOT NULL, succeeded boolean NOT NULL, attempted_at timestamptz NOT NULL DEFAULT now())"
    ),
    "0002_order_notes": "ALTER TABLE orders ADD COLUMN note text",
}
TABLE = "CREATE TABLE IF NOT EXISTS schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL)"


def missing(connection: psycopg.Connection[Any]) -> list[str]:
    """The migrations this database does not have yet, in their order."""
    row = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone()
    applied = set()
    if row is not None and row[0]:
        applied = {version for (version,) in connection.execute("SELECT version FROM schema_migrations")}
    return [version for version in MIGRATIONS if version not in applied]


def migrate(connection: psycopg.Connection[Any]) -> list[str]:
    """Apply what is missing, each in a transaction of its own, and return what was applied."""
    done = []
    for version in missing(connection):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('schema_migrations'))")
            # Another instance may have been faster.
            if version not in missing(connection):
                continue
            connection.execute(TABLE)
            connection.execute(MIGRATIONS[version])  # type: ignore[arg-type]
            connection.execute("INSERT INTO schema_migrations VALUES (%s, now())", [version])
        done.append(version)
    return done


def main() -> None:
    # It imports this module.
    from .application import database_parameters

    if sys.argv[1:] == ["list"]:
        print("\n".join(MIGRATIONS))
    elif sys.argv[1:] == ["migrate"]:
        with psycopg.connect(**database_parameters("lab-migrations"), autocommit=True) as connection:
            for version in migrate(connection):
                print(f"applied {version}")
    else:
        sys.exit("usage: python -m lab.programs.migrations list|migrate")


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of ``oncall serve`` without the service: a new one, and those that released versions made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from oncall.serve.store import schema
from oncall.serve.store.engine import engine, url_of
from oncall.serve.store.statements import Store

# Of each released version, a database that it made, with rows in every table: as ``sqlite3 FILE .dump`` and as
# ``pg_dump --inserts --no-owner --no-privileges`` write it.
RELEASED = {
    folder.name: folder
    for folder in sorted((Path(__file__).parents[1] / "alerts" / "data").iterdir())
    if (folder / "sqlite.sql").exists()
}


def new_store(state_directory: Path, database: str = "") -> Store:
    """An open database as a start of the service makes it."""
    url = url_of(database, str(state_directory))
    schema.migrate(url)
    return Store(url)


def as_released(url: str, version: str = "0.1.0") -> None:
    """Fill an empty database as a released version did."""
    if url.startswith("sqlite"):
        execute(url, (RELEASED[version] / "sqlite.sql").read_text())
    else:
        execute(url, (RELEASED[version] / "postgresql.sql").read_text())


def execute(url: str, statements: str) -> None:
    """Several statements, outside of any transaction of ours."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sa.make_url(url).database or "")) as connection:
            connection.executescript(statements)
    else:
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(statements.encode())


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A connection that leaves nothing open."""
    opened = engine(url)
    try:
        with opened.connect() as connection:
            yield connection
    finally:
        opened.dispose()


def content(url: str) -> dict[str, Any]:
    """Everything in the database: the tables and indexes as they are defined, and all rows."""
    with connected(url) as connection:
        inspector = sa.inspect(connection)
        return {
            name: {
                "columns": [(one["name"], str(one["type"]), one["nullable"]) for one in inspector.get_columns(name)],
                "key": inspector.get_pk_constraint(name)["constrained_columns"],
                "indexes": sorted((str(one["name"]), one["column_names"]) for one in inspector.get_indexes(name)),
                "rows": sorted(map(repr, connection.execute(sa.text(f"SELECT * FROM {name}")))),
            }
            for name in sorted(inspector.get_table_names())
        }


def first(store: Store, most: int) -> list[str]:
    """The ids of the queued episodes that are decided on first."""
    return [name for queue in store.queues(most) for name in queue.ids]

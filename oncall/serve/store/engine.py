# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the database is, and how it is opened: SQLite for one node, PostgreSQL for several."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from ... import trust
from ...errors import OncallError
from .sessions import ANSWER_SECONDS, Session

FILE, WORKFLOWS_FILE, LOCK_FILE = "oncall.sqlite3", "workflows.sqlite3", "lock"
# The workflows are written with RETURNING.
LEAST_SQLITE = (3, 35)
# For so long SQLite waits for another writer.
BUSY_SECONDS = 10
# After a large transaction the log is cut to this.
WAL_BYTES = 16 * 1024 * 1024
# A peer that is silent for so long is gone: its sessions end, and with them their locks.
SILENT_SECONDS = 15
# What makes a session of PostgreSQL end at both of its ends, where packets get lost between them.
CLIENT = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2,
          "tcp_user_timeout": SILENT_SECONDS * 1000}  # fmt: skip
SERVER = {
    "tcp_keepalives_idle": "5s", "tcp_keepalives_interval": "5s", "tcp_keepalives_count": "2",
    "tcp_user_timeout": f"{SILENT_SECONDS}s", "idle_in_transaction_session_timeout": f"{SILENT_SECONDS}s",
}  # fmt: skip
# The lease's statements are small: they are done by then, or fail, at the server or here.
LEASE_STATEMENT_SECONDS = 5
LEASE_ANSWER_SECONDS = 6.0
# One writer at a time where several would decide at once; any number that is ours.
LOCK = 0x6F6E63616C6C


@contextmanager
def closed_if_it_fails(opened: Any) -> Iterator[None]:
    """Close what was just opened where its settings fail, as nobody gets it to close it then."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def engine(url: str, connections: int = 5, answer_seconds: float = ANSWER_SECONDS) -> sa.Engine:
    """Connections to the database.

    Args:
        url: of the database.
        connections: of SQLite, so many at once; whoever wants one more waits.
        answer_seconds: for how long a statement is waited for, of PostgreSQL.
    """
    if not url.startswith("sqlite"):
        return _postgresql(url, 5, SERVER, answer_seconds)
    # A statement that is kept keeps what it was given last, which may be a notification of 32 MiB.
    options = {"timeout": BUSY_SECONDS, "isolation_level": None, "cached_statements": 0}
    made = sa.create_engine(url, pool_size=connections, max_overflow=0, connect_args=options)

    @sa.event.listens_for(made, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        with closed_if_it_fails(connection):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
            # `watched` does it, which has to know who changes the file.
            connection.execute("PRAGMA wal_autocheckpoint=0")

    # sqlite3 itself begins too late: two that have read would then refuse to write.
    @sa.event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if not connection.get_execution_options().get("reads") else "BEGIN"
        )
        connection.info["changes"] = _changes(connection)

    @sa.event.listens_for(made, "commit")
    def _commit(connection: sa.Connection) -> None:
        if _changes(connection) != connection.info["changes"]:
            session = _session(connection)
            ((number,),) = session.execute("PRAGMA user_version")
            session.execute(f"PRAGMA user_version={_next(number)}")

    return made


def lease_engine(url: str) -> sa.Engine:
    """The one connection of a lease, whose statements soon fail or are done."""
    return _postgresql(url, 1, {**SERVER, "statement_timeout": f"{LEASE_STATEMENT_SECONDS}s"}, LEASE_ANSWER_SECONDS)


def _postgresql(url: str, connections: int, settings: Mapping[str, str], answer_seconds: float) -> sa.Engine:
    named = sa.make_url(url).set(drivername="postgresql+psycopg")
    made = sa.create_engine(named, pool_size=connections, pool_pre_ping=True, connect_args=CLIENT)

    @sa.event.listens_for(made, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> Session:
        session = Session.connect(*arguments, **named)
        session.answer_seconds = answer_seconds
        return session

    @sa.event.listens_for(made, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        # One statement; not the options of the connection, which a pooler between them may refuse.
        names = ", ".join(f"set_config('{name}', %s, false)" for name in settings)
        with closed_if_it_fails(connection):
            connection.execute(f"SELECT {names}", [*settings.values()])
            connection.commit()

    return made


def _changes(connection: sa.Connection) -> int:
    """How many rows its session has changed."""
    return int(_session(connection).total_changes)


def _session(connection: sa.Connection) -> Any:
    """That of SQLite itself, as each acknowledgement takes this way."""
    return connection.connection.dbapi_connection


def _next(number: int) -> int:
    """The number of the next write, in 32 bits with a sign; `written` says what it is for."""
    return (number + 1 + (1 << 31)) % (1 << 32) - (1 << 31)


def read_only(url: str) -> sa.Engine:
    """An engine that changes nothing, and makes no file."""
    made = sa.make_url(url)
    if made.get_backend_name() != "sqlite":
        return engine(url).execution_options(postgresql_readonly=True)
    # Not mode=ro, which leaves the files of the WAL behind.
    file = f"sqlite:///file:{quote(made.database or '')}?mode=rw&uri=true"
    opened = sa.create_engine(file, connect_args={"timeout": 10})

    @sa.event.listens_for(opened, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        with closed_if_it_fails(connection):
            connection.execute("PRAGMA query_only=ON")

    return opened


@contextmanager
def alone(made: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other of these runs beside: SQLite has but one writer anyway."""
    with made.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        yield connection


def check_sqlite(database: str) -> None:
    """OncallError where this Python has a SQLite that the workflows cannot use."""
    if not database and sqlite3.sqlite_version_info < LEAST_SQLITE:
        needed = ".".join(map(str, LEAST_SQLITE))
        raise OncallError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and oncall serve needs {needed} or later;"
            " name a PostgreSQL in the settings (database: postgresql://...), or use a Python with a newer SQLite"
        )


def shown(url: str) -> str:
    """A URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def url_of(database: str, state_directory: str) -> str:
    """Where the data are; makes the folder and the files of SQLite, for this user alone."""
    if database:
        return database
    folder = Path(state_directory)
    try:
        trust.make_folder(folder)
        for name in (FILE, WORKFLOWS_FILE, LOCK_FILE):
            # They have what alerts said, and decide what is done; SQLite gives its other files the same mode.
            (folder / name).touch(mode=0o600)
            (folder / name).chmod(0o600)
    except OSError as error:
        raise OncallError(f"cannot use the state_directory {folder}: {error.strerror}") from None
    # Afterwards, so that nobody was quicker.
    trust.check("state_directory", folder, beside=True)
    return sqlite_url(state_directory)


def sqlite_url(state_directory: str) -> str:
    return f"sqlite:///{Path(state_directory, FILE)}"


def workflows_url(database: str, state_directory: str) -> str:
    """Where DBOS keeps its own: in a file of its own, so that an acknowledgement does not wait for it."""
    return database or f"sqlite:///{Path(state_directory, WORKFLOWS_FILE)}"

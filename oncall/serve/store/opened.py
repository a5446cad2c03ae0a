# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database, opened. Every statement is in one of the classes that build on this one; values only ever travel as parameters."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ...errors import OncallError, first_line
from . import schema
from .engine import engine, shown
from .files import Files
from .tables import CONTROL


class Opened:
    """A database. Any number of threads may use one at once.

    Args:
        url: of the database.
        files: looked at before each write, and after those that are acknowledged; None beside a running service.

    Raises:
        OncallError: it cannot be opened, or is not of this program.
    """

    def __init__(self, url: str, files: Files | None = None) -> None:
        self._url, self._files = url, files
        is_sqlite = url.startswith("sqlite")
        # SQLite has one writer. A thread that waits for its turn in SQLite itself looks again after up to 100 ms; one that waits for
        # the only connection goes on at once.
        self._engine = engine(url, connections=1) if is_sqlite else engine(url)
        self._reading = (engine(url) if is_sqlite else self._engine).execution_options(reads=True)
        if files is not None:
            # Nobody else writes then.
            sa.event.listen(self._engine, "begin", lambda _connection: files.look(writing=True))
        self._insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        try:
            self.check_schema()
        except sa.exc.SQLAlchemyError as error:
            self.close()
            raise OncallError(f"cannot open the database {shown(url)}: {first_line(error)}") from None
        except OncallError:
            self.close()
            raise

    def check_schema(self) -> None:
        """OncallError where the tables are not those of this program, such as after a newer node has migrated them."""
        with self._reading.connect() as connection:
            schema.check(connection, self._url)

    def close(self) -> None:
        self._engine.dispose()
        self._reading.dispose()

    # ------------------------------------------------------------------ control
    def _set(self, connection: sa.Connection, name: str, value: str, at: float) -> None:
        statement = self._insert(CONTROL).values(name=name, value=value, at=at)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value, "at": at}))

    def set(self, name: str, value: str, at: float | None = None) -> None:
        with self._engine.begin() as connection:
            self._set(connection, name, value, time.time() if at is None else at)

    def set_if_new(self, name: str, value: str) -> None:
        """Unless it is there: of several nodes that set it at once, one does."""
        with self._engine.begin() as connection:
            statement = self._insert(CONTROL).values(name=name, value=value, at=time.time())
            connection.execute(statement.on_conflict_do_nothing())

    def unset(self, name: str) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(CONTROL.delete().where(CONTROL.c.name == name)).rowcount == 1

    def controls(self) -> dict[str, tuple[str, float]]:
        """name -> (value, when it was set)."""
        with self._reading.connect() as connection:
            return {row.name: (row.value, row.at) for row in connection.execute(sa.select(CONTROL))}

    def control(self, name: str) -> str | None:
        """The value of one; None where it is not set."""
        with self._reading.connect() as connection:
            return connection.scalar(sa.select(CONTROL.c.value).where(CONTROL.c.name == name))

    def forget_controls(self, beginning: str, before: float) -> None:
        """Drop those whose names begin so, and that were set before then."""
        old = CONTROL.c.name.startswith(beginning, autoescape=True), CONTROL.c.at < before
        with self._engine.begin() as connection:
            connection.execute(CONTROL.delete().where(*old))

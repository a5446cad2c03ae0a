# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the tables: which version a database has, and how it comes to the version of this program.

Only `oncall serve` migrates, at its start; every other command refuses a database of another version. A change of the tables
takes three steps: change `tables`, write the next script in ``migrations/versions`` (``v0004_what_it_does.py``, with
``revision = "0004"`` and ``down_revision = "0003"``), and raise VERSION. A test compares all three. Nothing migrates back: what
a newer version wrote, an older one would not understand.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ...errors import OncallError, first_line, of_database
from .engine import alone, engine, read_only, shown

VERSION = "0003"
# A table may be large.
MIGRATION_SECONDS = 3600.0
# The tables of oncall 0.1.0, which had no version.
UNNUMBERED = "0001"
VERSION_TABLE = "oncall_schema"
MIGRATIONS = Path(__file__).with_name("migrations")
SCRIPT_FOLDERS = [MIGRATIONS / "versions"]


@dataclass(frozen=True)
class Migration:
    """What a start does with a database.

    Attributes:
        found: its version; "" where it is empty.
        numbered: whether it says so itself; a database of 0.1.0 does not.
        needed: the version that this program knows.
    """

    found: str
    numbered: bool
    needed: str

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to be done."""
        return self.found != self.needed or not self.numbered

    @property
    def changes_tables(self) -> bool:
        """Whether tables with something in them are changed."""
        return self.found not in ("", self.needed)

    def __str__(self) -> str:
        """What a start would do."""
        if not self.found:
            return f"the database is empty; a start makes its tables (schema {self.needed})"
        whose = f"the database has schema {self.found}"
        if not self.numbered:
            whose = f"the database is one of oncall 0.1.0 (schema {self.found})"
        if self.changes_tables:
            return f"{whose}; a start migrates it to schema {self.needed}"
        return f"{whose}; a start gives it its number" if not self.numbered else f"{whose}, as this oncall needs"

    def done(self) -> str:
        """What a start did."""
        if not self.found:
            return f"the tables of the database are made (schema {self.needed})"
        if self.changes_tables:
            return f"the database is migrated from schema {self.found} to {self.needed}"
        return f"the database of oncall 0.1.0 has its number now (schema {self.needed})"


def check(connection: sa.Connection, url: str) -> None:
    """OncallError where the database has another version than this program knows."""
    found = _version(connection)
    if found == VERSION:
        return
    if not found:
        raise OncallError(
            f"the database {shown(url)} has no schema version: an earlier oncall made it, or nothing did;"
            " start oncall serve, which brings it to the version that is needed"
        )
    _refuse_unknown(found, url)
    raise OncallError(
        f"the database {shown(url)} has schema {found}, and this oncall needs {VERSION};"
        " restart oncall serve, which migrates it"
    )


def look(url: str) -> Migration:
    """What a start would do; changes nothing. OncallError where a start would be refused."""
    file = _file(url)
    if file is not None and not os.path.lexists(file):
        return Migration("", False, VERSION)
    with _opened(read_only(url), url) as made, made.connect() as connection:
        return _migration(connection, url)


def migrate(url: str) -> Migration:
    """Bring the database to the version of this program: all of it or nothing, and one node at a time.

    Raises:
        OncallError: it cannot be used, and is as it was; one line that says what to do.
    """
    with _opened(engine(url, answer_seconds=MIGRATION_SECONDS), url) as made, alone(made) as connection:
        migration = _migration(connection, url)
        if not migration.is_needed:
            return migration
        copy = _back_up(_file(url), migration.found) if migration.changes_tables else None
        try:
            _run_scripts(connection, migration)
        except Exception as error:
            if copy is not None:
                # It says what the database says; one for every attempt would fill the disk.
                copy.unlink(missing_ok=True)
            raise OncallError(
                f"cannot bring the database {shown(url)} from schema {migration.found or 'none'} to {VERSION}:"
                f" {first_line(error)}; it is as it was. Mend that and start again, or start the oncall of before"
            ) from error
        return migration


def differences(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """In what the tables of the database are not those of ``metadata``; tables of others are left alone."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(
        connection, opts={"include_name": lambda name, kind, _parents: kind != "table" or name in metadata.tables}
    )
    found = [_in_words(one) for one in compare_metadata(context, metadata)]
    inspector = sa.inspect(connection)
    for name, table in metadata.tables.items():
        # Alembic compares neither.
        if inspector.has_table(name):
            key = [column.name for column in table.primary_key]
            if inspector.get_pk_constraint(name)["constrained_columns"] != key:
                found.append(f"the primary key of {name} is not {', '.join(key)}")
            if _counts(connection, table) and not _counts_there(connection, table):
                found.append(f"{name} does not number its rows")
    return found


@contextmanager
def _opened(made: sa.Engine, url: str) -> Iterator[sa.Engine]:
    try:
        yield made
    except SQLAlchemyError as error:
        raise OncallError(f"cannot use the database {shown(url)}: {of_database(error)}") from None
    finally:
        made.dispose()


def _file(url: str) -> Path | None:
    """That of SQLite."""
    made = sa.make_url(url)
    return Path(made.database or "") if made.get_backend_name() == "sqlite" else None


def _version(connection: sa.Connection) -> str:
    """What the database says of itself; "" where it says nothing."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return ""
    return ", ".join(connection.scalars(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")))


def _migration(connection: sa.Connection, url: str) -> Migration:
    if found := _version(connection):
        _refuse_unknown(found, url)
        return Migration(found, True, VERSION)
    unnumbered = _script(UNNUMBERED).METADATA
    if not {*unnumbered.tables} & {*sa.inspect(connection).get_table_names()}:
        return Migration("", False, VERSION)
    if wrong := differences(connection, unnumbered):
        raise OncallError(
            f"the database {shown(url)} has no schema version, and its tables are not those of oncall 0.1.0"
            f" ({'; '.join(wrong[:3])}); restore a copy of it, or name another database"
        )
    return Migration(UNNUMBERED, False, VERSION)


def _refuse_unknown(found: str, url: str) -> None:
    if not found.isdecimal():
        raise OncallError(
            f"the database {shown(url)} has schema {found[:40]!r}, which is none of oncall;"
            " restore a copy of it, or name another database"
        )
    if int(found) > int(VERSION):
        raise OncallError(
            f"the database {shown(url)} has schema {found}, and this oncall knows schemas up to {VERSION};"
            " use the newer oncall that migrated it, or restore the copy of before the migration"
        )


def _back_up(file: Path | None, version: str) -> Path | None:
    """A whole copy of SQLite's file beside it, for this user alone. Of PostgreSQL, the operator makes one."""
    if file is None:
        return None
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = file.with_name(f"{file.name}.schema-{version}.{at}")
    made = False
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        made = True
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (OSError, sqlite3.Error) as error:
        if made:
            with suppress(OSError):
                copy.unlink()
        raise OncallError(
            f"cannot copy the database to {copy} before its migration: {getattr(error, 'strerror', None) or error};"
            " nothing was migrated. Make room there, or see to the rights of the folder, and start again"
        ) from None
    return copy


def _run_scripts(connection: sa.Connection, migration: Migration) -> None:
    from alembic import command

    config = _config()
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    if migration.found and not migration.numbered:
        command.stamp(config, migration.found)
    if migration.found != VERSION:
        command.upgrade(config, VERSION)


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    options = {
        "script_location": str(MIGRATIONS),
        "path_separator": "newline",
        "version_locations": "\n".join(map(str, SCRIPT_FOLDERS)),
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    return config


def _script(version: str) -> Any:
    """The module of a migration."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_revision(version).module


def _in_words(difference: Any) -> str:
    """One of Alembic's differences: between what is meant to be there and what is."""
    if isinstance(difference, list):
        # Of one column.
        _what, _schema, table, column, *_ = difference[0]
        return f"{table}.{column} is another one"
    what, thing = difference[0], difference[-1]
    table = getattr(getattr(thing, "table", None), "name", "")
    name = f"{table}.{thing.name}" if table else thing.name
    return f"{name} is missing" if what.startswith("add_") else f"{name} is too much"


def _counts(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether the database numbers the rows: PostgreSQL those of any whole number that is a key, SQLite where the table says so."""
    return table.autoincrement_column is not None and (
        connection.dialect.name != "sqlite" or bool(table.dialect_options["sqlite"]["autoincrement"])
    )


def _counts_there(connection: sa.Connection, table: sa.Table) -> bool:
    if connection.dialect.name == "sqlite":
        query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
        return "AUTOINCREMENT" in (connection.scalar(query, {"name": table.name}) or "")
    columns = sa.inspect(connection).get_columns(table.name)
    return any(column["autoincrement"] for column in columns)

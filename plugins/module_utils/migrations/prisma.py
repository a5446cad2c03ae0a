# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prisma. The migrations of the image are folders with a file ``migration.sql``, whose SHA-256 the table keeps."""

from __future__ import annotations

import re
from itertools import takewhile

from .told import NotUnderstood, expected, lines_of, row

TABLE = "_prisma_migrations"
COLUMNS = (
    "id",
    "checksum",
    "finished_at",
    "migration_name",
    "logs",
    "rolled_back_at",
    "started_at",
    "applied_steps_count",
)
ROWS = """SELECT migration_name, checksum, finished_at IS NOT NULL AS finished, left(logs, 2000) AS logs, applied_steps_count AS steps,
  extract(epoch FROM now() - coalesce(finished_at, started_at)) AS age_seconds
  FROM {source} WHERE rolled_back_at IS NULL ORDER BY started_at"""
PROGRAM = ("npx", "prisma")
FOLDER = "prisma/migrations"
ASKS = {"files": ("find", "{folder}", "-name", "migration.sql", "-exec", "sha256sum", "{}", "+")}
# These are programs of the image and no subcommands.
IS_PROGRAM = ("files",)
MIGRATE = ("migrate", "deploy")
UNLOCK = None
# Its engine is no libpq: it takes options from its URL alone.
READS_PGOPTIONS = False
ADVISORY_KEY = 72707369

# Its engine in Rust has this line before what the database said, and the one in WebAssembly has not.
_SAID = "Database error:"
_FRAME = re.compile(r" +\d+: \w+::")
_LINE = re.compile(r"\\?([0-9a-f]{64}) [ *](?:.*/)?([^/]{1,255})/migration\.sql\Z")


def advisory_key(_database, _schema, _table):
    """The number of the advisory lock that it takes while it migrates."""
    return ADVISORY_KEY


def rows(found, _locks):
    """The migrations in the table that were not rolled back."""
    return [
        row(
            one["migration_name"], failed=not one["finished"], checksum=one["checksum"], age_seconds=one["age_seconds"],
            error=error_in(one["logs"] or ""),
        )
        for one in found
    ]  # fmt: skip


def error_in(logs):
    """What the database said of one that failed. What comes before it is advice, and after it where in the engine that was. Pure."""
    lines = lines_of(logs)
    if _SAID in lines[:-1]:
        return lines[lines.index(_SAID) + 1]
    told = list(takewhile(lambda line: not _FRAME.match(line), lines))
    return (told or lines or [""])[-1]


def read(printed):
    """What the image has, with the checksums of its files."""
    checksums = {}
    for line in lines_of(printed["files"]["stdout"]):
        told = _LINE.match(line)
        if not told:
            raise NotUnderstood("what tells the files is to print a checksum and a path a line, as sha256sum does")
        checksums[told.group(2)] = told.group(1)
    if not checksums:
        raise NotUnderstood("there is no migration.sql in that folder of the image; see folder")
    return expected(sorted(checksums), checksums=checksums)

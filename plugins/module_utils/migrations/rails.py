# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rails. ``db:migrate:status`` tells every migration of the image, and versions in the table that have no file."""

from __future__ import annotations

import re
import zlib

from .told import NotUnderstood, excerpt, expected, lines_of, row

TABLE = "schema_migrations"
COLUMNS = ("version",)
ROWS = "SELECT version::text AS version FROM {source} ORDER BY 1"
PROGRAM = ("bin/rails",)
ASKS = {"status": ("db:migrate:status",)}
MIGRATE = ("db:migrate",)
UNLOCK = None
READS_PGOPTIONS = True

_LINE = re.compile(r"\s*(up|down)\s+(\d{1,20})\s+(\S.*)\Z")
_HEADING = re.compile(r"\s*Status\s+Migration ID\s+Migration Name\s*\Z")
_LOST = "********** NO FILE **********"
_SALT = 2053462845


def advisory_key(database, _schema, _table):
    """The number of the advisory lock that it takes while it migrates."""
    return _SALT * zlib.crc32(database.encode())


def rows(found, _locks):
    """The versions in the table."""
    return [row(one["version"]) for one in found]


def read(printed):
    """What the image has. The version is the name: that of its class may change."""
    names, applied, unknown = [], [], []
    lines = lines_of(printed["status"]["stdout"])
    if not any(_HEADING.match(line) for line in lines):
        raise NotUnderstood(f"db:migrate:status prints no table: {excerpt(printed['status']['stdout'])}")
    # One database after the other, each with a table of its own.
    if sum(bool(_HEADING.match(line)) for line in lines) > 1:
        raise NotUnderstood("db:migrate:status tells of several databases, which are not told apart here")
    for line in lines:
        told = _LINE.match(line)
        if not told:
            continue
        status, version, title = told.groups()
        if title.strip() == _LOST:
            unknown.append(version)
        else:
            names.append(version)
        if status == "up":
            applied.append(version)
    if not names:
        raise NotUnderstood("db:migrate:status names no migration of the image")
    return expected(names, applied=applied, unknown=unknown)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""golang-migrate. Its table has one version, and whether that one ended in the midst; the files are what tells the others."""

from __future__ import annotations

import re
import zlib

from .told import NotUnderstood, expected, names_in, row

TABLE = "schema_migrations"
COLUMNS = ("version", "dirty")
ROWS = "SELECT version::text AS version, dirty FROM {source}"
PROGRAM = ("migrate",)
ASKS = {"files": ("ls", "-1", "{folder}")}
IS_PROGRAM = ("files",)
NEEDS_FOLDER = True
# Its URL, which has a password, would be an argument: the inventory says how.
MIGRATE = None
UNLOCK = None
READS_PGOPTIONS = True
# The table has the last version alone: what is below it counts as applied, as the tool itself has it.
IS_LAST = True

_FILE = re.compile(r"(\d+)_(.*)\.up(\.[^.]+)*\Z")
_SALT = 1486364155


def advisory_key(database, schema, table):
    """The number of the advisory lock that it takes while it migrates."""
    return (zlib.crc32("\0".join((schema, table, database)).encode()) * _SALT) & 0xFFFFFFFF


def rows(found, _locks):
    """The version, if there is one."""
    return [row(one["version"], failed=one["dirty"]) for one in found]


def read(printed):
    """The versions of the image, by their numbers."""
    found = {}
    for name in names_in(printed["files"]["stdout"], "ls"):
        told = _FILE.match(name)
        if told:
            number = int(told.group(1))
            if number in found:
                raise NotUnderstood(f"two files have the version {number}")
            found[number] = name
    if not found:
        raise NotUnderstood("there is no file VERSION_NAME.up.sql in that folder of the image; see folder")
    return expected([str(number) for number in sorted(found)])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knex. ``migrate:list`` tells what is applied and what is pending; the files of the folder, what is applied and gone."""

from __future__ import annotations

import re

from .told import NotUnderstood, excerpt, expected, lines_of, names_in, row

TABLE = "knex_migrations"
COLUMNS = ("id", "name", "batch", "migration_time")
ROWS = "SELECT name, extract(epoch FROM now() - migration_time) AS age_seconds FROM {source} ORDER BY id"
LOCK_SUFFIX = "_lock"
LOCK_COLUMNS = ("index", "is_locked")
# Since when is not kept. Where every pending migration is in a transaction, the row is set within it, and is gone after a crash; it survives
# where one has transaction: false.
LOCK_ROWS = "SELECT is_locked = 1 AS locked, NULL AS age_seconds, NULL AS by FROM {source}"
PROGRAM = ("npx", "knex")
FOLDER = "migrations"
ASKS = {"list": ("migrate:list",), "files": ("ls", "-1", "{folder}")}
IS_PROGRAM = ("files",)
MIGRATE = ("migrate:latest",)
UNLOCK = ("migrate:unlock",)
# node-postgres reads it where the connection names no options.
READS_PGOPTIONS = True

_DONE = re.compile(r"(?:Found (\d+) Completed Migration file/files\.|No Completed Migration files Found\.)\s*\Z")
_OPEN = re.compile(r"(?:Found (\d+) Pending Migration file/files\.|No Pending Migration files Found\.)\s*\Z")
_CORRUPT = re.compile(r"migration directory is corrupt, the following files are missing")
_FILE = re.compile(r"(\S+\.(?:cjs|mjs|js|ts|cts|mts|coffee|ls|eg|iced|litcoffee|co))\b")
_ENDINGS = (".cjs", ".mjs", ".js", ".ts", ".cts", ".mts", ".coffee", ".co", ".ls", ".eg", ".iced", ".litcoffee")


def rows(found, _locks):
    """The migrations in the table."""
    return [row(one["name"], age_seconds=one["age_seconds"]) for one in found]


def read(printed):
    """What the image has, and what its own view of the database is."""
    applied, pending = None, None
    if printed["list"]["exit_code"] == 0:
        applied, pending = _listed(printed["list"]["stdout"])
    files = [one for one in names_in(printed["files"]["stdout"], "ls") if one.endswith(_ENDINGS) and ".d." not in one]
    if not files:
        raise NotUnderstood("there is no migration in that folder of the image; see folder")
    lost = sorted(set(pending or ()) - set(files))
    if lost:
        # Both are asked of one image, so one of them looks elsewhere.
        raise NotUnderstood(f"migrate:list has {lost[0]}, and the folder has not; see folder")
    return expected(sorted(files), applied=applied, pending=pending)


def _listed(text):
    counts, names = {}, {_DONE: [], _OPEN: []}
    part = None
    for line in lines_of(text):
        heading = next((one for one in names if one.match(line.strip())), None)
        if heading:
            part = heading
            counts[part], names[part] = int(heading.match(line.strip()).group(1) or 0), []
        elif part and _FILE.match(line.strip()):
            names[part].append(_FILE.match(line.strip()).group(1))
    if counts.keys() != names.keys():
        raise NotUnderstood(f"migrate:list prints no list of migrations: {excerpt(text)}")
    for one, count in counts.items():
        if count != len(names[one]):
            raise NotUnderstood(f"migrate:list says {count} and names {len(names[one])}")
    return names[_DONE], names[_OPEN]


def excuses(which, ended):
    """It lists nothing where the table has what has no file, which the files tell by themselves."""
    return which == "list" and bool(_CORRUPT.search(ended["stdout"] + ended["stderr"]))

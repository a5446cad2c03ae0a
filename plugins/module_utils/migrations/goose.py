# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goose. ``goose status`` tells every migration of the image; the table has a row for each time that one was applied or taken back."""

from __future__ import annotations

import re

from .told import NotUnderstood, excerpt, expected, lines_of, row

TABLE = "goose_db_version"
COLUMNS = ("id", "version_id", "is_applied", "tstamp")
ROWS = """SELECT version_id::text AS version, is_applied FROM (
  SELECT DISTINCT ON (version_id) version_id, is_applied, id FROM {source} ORDER BY version_id, id DESC) AS last
  WHERE is_applied AND version_id > 0 ORDER BY id"""
PROGRAM = ("goose",)
ASKS = {"status": ("status",)}
MIGRATE = ("up",)
UNLOCK = None
READS_PGOPTIONS = True

_HEADING = re.compile(r"(?:.*\s)?Applied At\s+Migration\s*\Z")
_LINE = re.compile(r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\s+)?\s*(?P<at>\S.{0,60}?)\s+-- (?P<number>\d+)[_.]\S*\Z")


def rows(found, _locks):
    """The versions that are applied."""
    return [row(one["version"]) for one in found]


def read(printed):
    """The versions of the image, by their numbers. Older releases print them as a log."""
    text = printed["status"]["stdout"] + "\n" + printed["status"]["stderr"]
    lines = lines_of(text)
    if not any(_HEADING.match(line) for line in lines):
        raise NotUnderstood(f"goose status prints no table: {excerpt(text)}")
    names, applied = [], []
    for line in lines:
        told = _LINE.match(line)
        if told:
            names.append(str(int(told.group("number"))))
            if told.group("at") != "Pending":
                applied.append(names[-1])
    if not names:
        raise NotUnderstood("goose status names no migration")
    last = max(map(int, applied), default=0)
    # It calls them missing, and goes on only where it is told to.
    late = [one for one in names if one not in applied and int(one) < last]
    return expected(names, applied=applied, out_of_order=late)

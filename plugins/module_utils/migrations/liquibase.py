# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Liquibase. ``status`` names changesets that are not applied, ``unexpected-changesets`` those that have no file any more."""

from __future__ import annotations

import re

from .told import NotUnderstood, excerpt, expected, lines_of, row

TABLE = "databasechangelog"
COLUMNS = ("id", "author", "filename", "dateexecuted", "orderexecuted", "exectype", "md5sum")
ROWS = "SELECT id, author, filename, exectype FROM {source} ORDER BY orderexecuted"
LOCK_SUFFIX = "lock"
LOCK_COLUMNS = ("id", "locked", "lockgranted", "lockedby")
# lockgranted has no zone, so that how old it is cannot be told for certain.
LOCK_ROWS = "SELECT locked, NULL AS age_seconds, lockedby AS by FROM {source}"
PROGRAM = ("liquibase",)
ASKS = {
    "status": ("status", "--verbose"),
    "unexpected": ("unexpected-changesets", "--verbose"),
    "validate": ("validate",),
}
# It fails where a checksum is another one.
OUTCOMES = ("validate",)
MIGRATE = ("update",)
UNLOCK = ("release-locks",)
READS_PGOPTIONS = False
# It tells what is missing, and the table what is there.
IS_DIFFERENCE = True

# Of the releases until now: change sets, changesets and changes.
_OPEN = re.compile(r"(\d+) change ?sets? (?:has|have) not been applied to ")
_CURRENT = re.compile(r"\S+ is up to date")
_UNEXPECTED = re.compile(r"(\d+) unexpected change\S* (?:was|were) found in |\S+ contains no unexpected change")
_CHANGED = re.compile(r"(?:\d+ )?changesets? check ?sum|check ?sum.*(?:was|but is now)", re.IGNORECASE)
_SET = re.compile(r"\s+(\S.*)::(.+)::(.+)\Z")
_CHECKSUM = re.compile(r"\s*(\S.*)::(.+)::(.+?) was: \S+ but is now: \S+")


def rows(found, _locks):
    """The changesets in the table."""
    return [
        row(f"{one['filename']}::{one['id']}::{one['author']}", failed=one["exectype"] == "FAILED") for one in found
    ]


def read(printed):
    """What the image has besides what is in the table."""
    pending = _counted(printed["status"]["stdout"], _OPEN, _CURRENT, "status")
    unknown = _counted(printed["unexpected"]["stdout"], _UNEXPECTED, _UNEXPECTED, "unexpected-changesets")
    said = lines_of(printed["validate"]["stdout"] + "\n" + printed["validate"]["stderr"])
    drifted, refusal = [], ""
    if printed["validate"]["exit_code"] != 0:
        drifted = ["::".join(told.groups()) for told in map(_CHECKSUM.match, said) if told]
        if not drifted:
            refusal = next((line for line in said if _CHANGED.search(line)), (said or ["it said nothing"])[-1])
    return expected(pending, pending=pending, unknown=unknown, drifted=drifted, refusal=refusal)


def _counted(text, some, none, which):
    lines = lines_of(text)
    heading = next((number for number, line in enumerate(lines) if some.search(line) or none.search(line)), None)
    if heading is None:
        raise NotUnderstood(f"liquibase {which} does not say how many there are: {excerpt(text)}")
    told = some.search(lines[heading])
    count = int(told.group(1)) if told and told.group(1) else 0
    found = ["::".join(one.groups()) for one in map(_SET.match, lines[heading + 1 :]) if one]
    if count != len(found):
        raise NotUnderstood(f"liquibase {which} says {count} and names {len(found)}")
    return found

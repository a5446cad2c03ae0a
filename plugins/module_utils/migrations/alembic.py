# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic. ``alembic history`` tells the whole graph of the image without asking the database; the table has the revisions that were reached."""

from __future__ import annotations

import re

from .told import NotUnderstood, excerpt, expected, lines_of, row

TABLE = "alembic_version"
COLUMNS = ("version_num",)
ROWS = "SELECT version_num FROM {source} ORDER BY 1"
PROGRAM = ("alembic",)
ASKS = {"history": ("history", "--verbose"), "current": ("current",)}
MIGRATE = ("upgrade", "head")
UNLOCK = None
# psycopg and psycopg2 stand on libpq.
READS_PGOPTIONS = True
# What the table has is where the database is, and not all that was applied.
IS_GRAPH = True

_LINE = re.compile(r"(Rev|Parent|Merges|Also depends on|Replaces): (.+)\Z")
_MARK = re.compile(r"\s*\([^)]*\)")
# What is printed for a revision in the table that the image does not have.
_LOST = re.compile(r"Can't locate revision identified by")


def rows(found, _locks):
    """The revisions in the table."""
    return [row(one["version_num"]) for one in found]


def read(printed):
    """What the image has.

    Args:
        printed: by the name of each of :data:`ASKS`, a dict ``stdout``, ``stderr`` and ``exit_code``.
    """
    parents, heads = {}, []
    revision = None
    for line in lines_of(printed["history"]["stdout"]):
        told = _LINE.match(line)
        if not told:
            continue
        key, value = told.groups()
        if key == "Rev":
            revision = _MARK.sub("", value).strip()
            parents[revision] = []
            if "(head)" in value:
                heads.append(revision)
        elif revision is not None and key != "Replaces":
            parents[revision] += [
                one.strip() for one in _MARK.sub("", value).split(",") if one.strip() not in ("", "<base>")
            ]
    if not parents:
        raise NotUnderstood(f"alembic history names no revision: {excerpt(printed['history']['stdout'])}")
    if not heads or any(one not in parents for several in parents.values() for one in several):
        # It begins in the midst, or was cut off.
        raise NotUnderstood("what alembic history prints has no head, or names a revision that is not in it")
    return expected(list(parents)[::-1], parents=parents, heads=heads, applied=_current(printed["current"]))


def _current(ended):
    """The revisions of the table as the tool sees it, or None where it cannot say."""
    if ended["exit_code"] != 0:
        return None
    return [_MARK.sub("", line).strip() for line in lines_of(ended["stdout"])]


def excuses(which, ended):
    """Whether a command may fail without hiding anything: ``current`` does where the table has what the image does not."""
    return which == "current" and bool(_LOST.search(ended["stdout"] + ended["stderr"]))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A query of one's own: the inventory has what asks the table, and a command that prints what the image has, a name a line."""

from __future__ import annotations

from .told import NotUnderstood, expected, names_in, row

TABLE = None
COLUMNS = ()
PROGRAM = ()
ASKS = {}
MIGRATE = None
UNLOCK = None
READS_PGOPTIONS = True


def rows(found, _locks):
    """The rows of ``statements.applied``: ``name``, and where it has them ``failed``, ``checksum`` and ``applied_at``."""
    return [
        row(
            one["name"],
            failed=one.get("failed") is True,
            checksum=one.get("checksum"),
            age_seconds=one.get("age_seconds"),
        )
        for one in found
    ]


def read(printed):
    """The names that the command prints."""
    names = names_in(printed["status"]["stdout"], "status")
    if not names:
        raise NotUnderstood("status names no migration")
    return expected(names)

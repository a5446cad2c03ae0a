# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that somebody deleted, and that are in the backup."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right

ROWS = 6000
DELETED = 100
# As the schema made them.
_AGAIN = """
INSERT INTO orders SELECT n, n %% 500 + 1, (ARRAY['open','paid','shipped'])[n %% 3 + 1], n * 37 %% 20000,
  timestamptz '2026-01-01' + n * interval '1 hour' FROM generate_series(1, %s) n ON CONFLICT DO NOTHING
"""
_OURS = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"


def _delete(target: Target) -> None:
    target.sql("DELETE FROM orders WHERE id <= %s", DELETED)


def _is_gone(target: Target) -> tuple[bool, str]:
    ((count,),) = target.sql("SELECT count(*) FROM orders")
    return count < ROWS, f"{count} of {ROWS} orders are there"


def _forget(target: Target) -> None:
    target.sql(_AGAIN, ROWS)
    # What a restore keeps for a way back.
    for (name,) in target.sql(_OURS, "oncall_"):
        target.run_in("db", "dropdb", "--username=postgres", name)


FAULTS = {
    "rows_deleted": Fault(
        "rows were deleted that the backup has",
        _delete,
        _is_gone,
        _forget,
        rights={"restore": right("restore_requested", "restore", healthy=True)},
    )
}

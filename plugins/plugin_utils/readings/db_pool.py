# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of db_pool reads in the sessions of the database, as M(oncall.runbooks.postgres_activity_info) tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...filter.sessions import named, not_denied
from ...module_utils.postgres.sessions import fits
from ...module_utils.text.one_line import one_line

Row = Mapping[str, Any]


def leaks_of_others(not_protected: list[Row], db_pool_applications: list[str], least_leaked: float) -> list[Row]:
    return _leaking(not_denied(not_protected, db_pool_applications), 0, least_leaked)


def own_leaks(
    not_protected: list[Row], db_pool_applications: list[str], capacity: float, least_leaked: float
) -> list[Row]:
    # Up to the pool's size, its sessions are its pool.
    return _leaking(named(not_protected, db_pool_applications), int(capacity), least_leaked)


def _leaking(applications: list[Row], normal: int, least: float) -> list[Row]:
    """The applications with at least so many idle sessions beyond the normal size of a pool, which are ``leaked``."""
    rows = [dict(row, leaked=min(row["idle_long"], max(0, row["sessions"] - normal))) for row in applications]
    return [row for row in rows if row["leaked"] >= least]


def largest_consumers(postgres_activity: Row) -> list[str]:
    """The three who have the most sessions of the server, with their number."""
    rows = sorted(postgres_activity["clients"], key=lambda row: -row["sessions"])[:3]
    return [
        one_line(f"{row['application_name'] or 'without a name'} of {row['user']} {row['sessions']}", 100)
        for row in rows
    ]


def cut_by_restart(postgres_activity: Row, db_pool_deny_applications: list[str]) -> list[str]:
    """Who would lose more than a connection by a restart of the server, one line each."""
    lines = [
        f"{row['application_name']} of {row['user']} in {row['database']}"
        for row in postgres_activity["clients"]
        if fits(row["application_name"], db_pool_deny_applications)
    ]
    lines += [
        f"{row['application_name'] or 'replication'} of {row['user'] or 'an unknown role'} (replication: {row['state']})"
        for row in postgres_activity["replication"]
    ]
    return [one_line(line, 160) for line in lines]

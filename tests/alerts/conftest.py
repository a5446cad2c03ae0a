# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab, for those tests of ``oncall serve`` that break it, and databases in its PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from embedded_lab import healthy_lab, lab, player
from psycopg import sql
from waiting import until

from lab.database import connect

__all__ = ["healthy_lab", "lab", "player"]


@pytest.fixture
def database(healthy_lab) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"oncall_{uuid.uuid4().hex[:8]}"
    with connect(healthy_lab.layout, "postgres") as session:
        # Copying one takes as long as the disk takes.
        session.execute("SET statement_timeout = 0")
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = session.info
        yield f"postgresql://{info.user}:{info.password}@127.0.0.1:{info.port}/{name}"
        # Dropping one ends its sessions, and gives up after five seconds: on a busy machine, they take longer to end.
        of_it = "FROM pg_stat_activity WHERE datname = %s"
        session.execute(f"SELECT pg_terminate_backend(pid) {of_it}", [name])
        until(lambda: session.execute(f"SELECT count(*) = 0 {of_it}", [name]).fetchone()[0])
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A young and whole dump that has nothing of a real database is no verified backup of it."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.backup import standing
from ansible_collections.oncall.runbooks.tests.support.backups import dump
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server


@pytest.mark.parametrize(
    ("tables", "is_recent"),
    [({"unrelated": 1}, False), ({"t0": 1}, False), ({"t0": 1, "t1": 1}, True)],
)
def test_what_a_dump_has_of_a_database_counts(tmp_path, tables, is_recent):
    with server() as postgres:
        for number in range(3):
            postgres.execute(f"CREATE TABLE t{number} (id int, name text)")
        (tmp_path / "shop_1.sql").write_bytes(dump(**tables))
        asked = {
            "backup": {"backups": {"nightly": {"path": str(tmp_path), "pattern": "shop_*.sql"}}, "state_directory": str(tmp_path)},
            "database": postgres.reach(), "read_seconds": 60.0, "timeout_seconds": 60.0,
        }  # fmt: skip
        found = standing({"app": {"reach": postgres.reach()}}, asked)["app"]
    assert found["is_recent"] is is_recent, found
    assert is_recent or "of the 3 tables of the database" in found["reason"]

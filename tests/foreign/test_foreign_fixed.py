# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The foreign stack, broken, and the runbooks may act: what they do helps, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from breakages import (
    SHORT,
    alter_table_behind_a_select,
    database_stopped,
    larder_stands_still,
    open_transactions_in_one,
)
from foreign_stack import Foreign

ACTS = {"run_until": "verify", "run_max_risk": "high"}


def pids(shop: Foreign) -> dict[str, int]:
    return {one["name"]: one["pid"] for one in shop.rpc("getAllProcessInfo")}


def remedies(run: dict[str, Any]) -> list[str]:
    return [step["remedy"] for step in run["plan"]["steps"]]


@pytest.mark.covers("SY-3-4")
def test_the_database_is_started(shop):
    before = pids(shop)
    with database_stopped(shop):
        run = shop.play("db_down", **ACTS).run
        assert (run["outcome"], remedies(run)) == ("resolved", ["restart_database"]), run["summary"]
        assert shop.sql("SELECT 1") == [(1,)]
        assert pids(shop) == before


@pytest.mark.covers("LP-4-4")
def test_redis_is_restarted_and_nothing_else(shop):
    before = pids(shop)
    with larder_stands_still(shop):
        run = shop.play("cache", **ACTS).run
        assert (run["outcome"], remedies(run)) == ("resolved", ["restart_redis"]), run["summary"]
    changed = {name for name, pid in pids(shop).items() if pid != before[name]}
    assert changed == {"larder"}


@pytest.mark.covers("JO-2-4")
def test_the_queue_of_a_lock_is_freed(shop):
    with alter_table_behind_a_select(shop):
        run = shop.play("db_pool", **ACTS, **SHORT).run
        assert (run["outcome"], remedies(run)) == ("resolved", ["end_blocker"]), run["summary"]
        (waiting,) = shop.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        assert waiting == (0,)


def test_what_ends_the_sessions_and_does_not_give_the_pool_back_has_not_resolved_it(shop):
    """The code keeps what it took, so that requests wait on after the sessions have ended."""
    with open_transactions_in_one(shop):
        play = shop.play("db_pool", **ACTS, **SHORT, run_verify_timeout_seconds=20)
        run = play.run
        assert remedies(run)[:1] == ["end_idle_in_transaction"]
        waits = shop.gauge(1, "hikaricp_connections_pending")
        assert (run["outcome"] == "resolved") == (waits == 0), (run["summary"], waits)

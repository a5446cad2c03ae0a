# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook resource_usage on memory and processors that are really used up."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook

MIB = 1024 * 1024


@pytest.fixture
def runbook(compose_lab, compose_player):
    # Of a machine for tests nobody says how much memory it has left, and how busy it is.
    return Runbook(
        compose_lab, compose_player, "resource_usage", resource_usage_window_seconds=2, resource_usage_host_reserve_bytes=0,
        resource_usage_host_cpu_ratio=2,
    )  # fmt: skip


def limit(runbook) -> int:
    return runbook.lab.project.container("api")["HostConfig"]["Memory"]


@pytest.mark.covers("LP-6-1", "IE-6-1", "JO-4-2")
def test_a_plateau_gets_a_higher_limit_without_a_restart(runbook):
    with runbook.broken("memory_plateau") as before:
        play = runbook.play()
        assert (play.code, play.outcome, play.causes()) == (0, "resolved", ["memory_plateau"]), play.output
        assert runbook.started() == before
        assert limit(runbook) == 1024 * MIB
        assert runbook.play().outcome == "healthy"


@pytest.mark.covers("IE-6-1")
def test_a_limit_that_does_not_help_is_put_back(runbook):
    with runbook.broken("memory_plateau") as before:
        # 1 MiB more leaves it above 85 %.
        play = runbook.play(resource_usage_memory_raise_to_bytes=513 * MIB, run_verify_timeout_seconds=3)
        assert (play.code, play.outcome) == (2, "unresolved"), play.output
        assert [action["state"] for action in play.run["actions"]] == ["rolled_back"]
        assert limit(runbook) == 512 * MIB
        assert runbook.started() == before


@pytest.mark.covers("JO-4-1", "PD-2-5")
def test_a_killed_service_gets_a_higher_limit(runbook):
    with runbook.broken("crash_out_of_memory"):
        play = runbook.play(run_until="plan")
        assert (play.outcome, play.causes()) == ("planned", ["killed_for_memory"]), play.output
        (step,) = play.run["plan"]["steps"]
        assert step["targets"] == [{"service": "api", "from": 512 * MIB, "to": 1024 * MIB, "restart": True}]


def test_a_limit_that_the_host_has_no_memory_for_is_not_raised(runbook):
    with runbook.broken("memory_plateau"):
        play = runbook.play(resource_usage_host_reserve_bytes=1024**5)
        assert (play.outcome, play.causes()) == ("advised", ["memory_plateau"]), play.output
        assert limit(runbook) == 512 * MIB


@pytest.mark.covers("PD-2-5")
def test_load_is_left_to_a_person(runbook):
    with runbook.broken("cpu_burn") as before:
        play = runbook.play()
        assert (play.code, play.outcome, play.causes()) == (2, "blocked", ["cpu_saturated"]), play.output
        assert play.run["guard"]["name"] == "risk"
        assert runbook.started() == before

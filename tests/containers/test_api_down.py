# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook api_down on an API that really does not answer."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook

FAULTS_CAUSES = {
    "api_one_route": ("errors", ["error_rate"]),
    "db_paused": ("database_down", ["db_down"]),
    "crash_missing_variable": ("crash_loop", ["crash_loop"]),
}


@pytest.fixture
def runbook(compose_lab, compose_player):
    url = compose_lab.url
    endpoints = {
        "health": f"{url}/health",
        "ready": {"url": f"{url}/readyz", "json": {"db_connected": True}},
        "orders": f"{url}/orders",
        "stats": f"{url}/stats",
    }
    return Runbook(compose_lab, compose_player, "api_down", api_down_endpoints=endpoints, api_down_timeout_seconds=3)


@pytest.mark.covers("JO-1-2")
@pytest.mark.parametrize("fault", FAULTS_CAUSES)
def test_named_and_handed_over(runbook, fault):
    cause, owners = FAULTS_CAUSES[fault]
    with runbook.broken(fault):
        play = runbook.play(run_until="plan")
        first = play.runs[0]
        problems = [finding["cause"] for finding in first["findings"] if finding["status"] == "problem"]
        assert (first["runbook"], first["outcome"], problems) == ("api_down", "planned", [cause]), play.output
        assert first["hand_over"] == owners
        assert owners[0] in [run["runbook"] for run in play.runs[1:]]


@pytest.mark.covers("PD-1-1")
def test_an_unhealthy_one_is_restarted(runbook):
    runbook.fixed("api_unhealthy", "hangs", "restart_service", "api")


def test_a_container_that_was_removed_is_not_made_again_unasked(runbook):
    with runbook.broken("api_removed"):
        play = runbook.play()
        assert (play.code, play.outcome, play.causes()) == (2, "blocked", ["not_running"]), play.output
        assert "api" not in runbook.lab.project.containers()


def test_stopped_by_a_person(runbook):
    with runbook.broken("api_stopped_by_person") as before:
        play = runbook.play()
        assert (play.code, play.outcome, play.causes()) == (0, "advised", ["stopped_by_person"]), play.output
        assert runbook.started() == before


@pytest.mark.covers("JO-1-1", "JO-1-3")
def test_the_platform_says_it_is_not_well(runbook):
    status = f"http://127.0.0.1:{runbook.lab.project.port('provider')}/rates"
    runbook.lab.target.provider(status=503)
    with runbook.broken("api_unhealthy"):
        play = runbook.play(run_until="plan", api_down_platform_status_url=status)
        assert (play.outcome, play.causes()) == ("planned", ["platform_outage"]), play.output

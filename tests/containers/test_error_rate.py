# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook error_rate, on an application that is deployed from a real checkout and watched by a real Prometheus server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.shop import Shop
from lab.tools.prometheus import Prometheus, ensure_prometheus

PLAYBOOK = "playbooks/error_rate.yml"
ONSET_SECONDS = 4
CRM = {"crm": {"variable": "CRM_ENABLED", "enabled": "1", "disabled": "0"}}

FAULTS_CAUSES = [
    pytest.param("route_errors", ["route_failing"], marks=pytest.mark.covers("LP-1-1")),
    pytest.param("errors_everywhere", ["errors_unexplained"], marks=pytest.mark.covers("SY-1-1")),
    pytest.param("bad_deployment", ["deployment_suspected", "route_failing"], marks=pytest.mark.covers("SY-1-2")),
]


@pytest.mark.parametrize(("fault", "causes"), FAULTS_CAUSES)
def test_named(compose_lab, compose_player, fault, causes):
    runbook = Runbook(compose_lab, compose_player, "error_rate")
    with runbook.broken(fault):
        play = runbook.play(run_until="plan")
        assert (play.outcome, play.causes()) == ("planned", causes), play.output
        assert play.run["plan"]["steps"] == []


@pytest.fixture(scope="module")
def server(shop, tmp_path_factory) -> Iterator[Prometheus]:
    program = ensure_prometheus(REPOSITORY / ".cache" / "prometheus")
    running = Prometheus(program, tmp_path_factory.mktemp("prometheus"), {"api": [f"127.0.0.1:{shop.port}"]})
    try:
        running.wait_for("up")
        yield running
    finally:
        running.stop()


def remembered(server: Prometheus) -> dict[str, Any]:
    """The variables with which the server is asked."""
    return {
        "system_prometheus": {"url": server.url, "labels": {"job": "api"}, "window_seconds": 2},
        "error_rate_verify_window_seconds": 2,
        "error_rate_onset_seconds": ONSET_SECONDS,
    }


def deploy_bad_release(shop: Shop, server: Prometheus) -> str:
    """Answers without errors for a while, then a deployment that brings them; the new commit."""
    server.wait_for(f"sum(increase(app_response_status_total[{ONSET_SECONDS}s])) > 20")
    # A second more, as the checkout knows whole seconds.
    server.wait_for(f"vector(time()) > {time.time() + ONSET_SECONDS + 1}")
    bad = shop.commit("Show discounts", "/orders")
    shop.deploy()
    # Errors of before the deployment are no errors of what it started: the window has to lie behind it.
    server.wait_for(f"vector(time()) > {time.time() + 3}")
    server.wait_for('sum(increase(app_response_status_total{status="500"}[2s])) > 5')
    return bad


@pytest.mark.covers("LP-1-3")
def test_one_route_in_the_logs_own_words(shop, play):
    shop.begin()
    shop.break_routes("/stats")
    named = play(run_until="plan")
    assert (named.causes(), named.run["plan"]["steps"]) == (["route_failing"], []), named.output
    assert "/stats" in named.run["summary"]
    # Of the mistake in the code.
    assert "KeyError: 'amount'" in str(named.run["findings"])


@pytest.mark.covers("SY-1-6")
def test_an_integration_is_turned_off(shop, play):
    shop.begin()
    before = shop.started("worker")
    shop.stop_crm()
    fixed = play(error_rate_integrations=CRM)
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [action["remedy"] for action in fixed.run["actions"]] == ["disable_integration"]
    assert "CRM_ENABLED=0" in (shop.folder / "api.env").read_text()
    assert (shop.status("/rates"), shop.started("worker")) == (200, before)


@pytest.mark.covers("SY-1-6")
def test_an_integration_is_turned_on_again_where_that_does_not_help(shop, play):
    shop.begin()
    shop.stop_crm()
    # Turned off by a name that the application does not know.
    wrong = {"crm": {**CRM["crm"], "variable": "CRM_ON"}}
    ended = play(error_rate_integrations=wrong, run_verify_timeout_seconds=3)
    assert ended.outcome == "unresolved", ended.output
    assert ended.run["actions"][0]["state"] == "rolled_back"
    assert "CRM_ON=1" in (shop.folder / "api.env").read_text()


@pytest.mark.covers("SY-1-2", "SY-1-4")
def test_a_deployment_is_taken_back_only_where_it_is_known_to_be_the_cause(shop, server, play):
    _first, before = shop.begin()
    bad = deploy_bad_release(shop, server)
    started = shop.started("worker")
    fixed = play(run_max_risk="high", **remembered(server))
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert fixed.causes()[0] == "recent_deployment"
    assert (shop.head(), shop.status("/orders"), shop.started("worker")) == (before, 200, started)
    again = play(run_max_risk="high", **remembered(server))
    assert (again.outcome, shop.head()) == ("healthy", before), again.output
    assert bad[:12] in fixed.run["summary"]


def test_errors_that_were_there_before_are_not_the_deployments(shop, server, play):
    shop.begin()
    shop.break_routes("/orders")
    server.wait_for('sum(increase(app_response_status_total{status="500"}[2s])) > 5')
    bad = deploy_bad_release(shop, server)
    named = play(run_until="plan", run_max_risk="high", **remembered(server))
    assert (named.causes(), named.run["plan"]["steps"]) == (["route_failing"], []), named.output
    assert shop.head() == bad


@pytest.mark.covers("SY-1-4")
def test_forward_again_where_the_deployment_was_not_it(shop, server, play):
    shop.begin()
    new = deploy_bad_release(shop, server)
    # Something else broke the route at the same time.
    shop.break_routes("/orders")
    ended = play(run_max_risk="high", run_verify_timeout_seconds=3, **remembered(server))
    assert ended.outcome == "unresolved", ended.output
    assert ended.run["actions"][0]["state"] == "rolled_back"
    assert shop.head() == new

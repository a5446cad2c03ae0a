# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook latency on the embedded stack; tests/containers has its causes."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on

PLAYBOOK = "playbooks/latency.yml"
# What a backend in Go tells besides.
OF_GO = """
# TYPE query_execution_duration gauge
query_execution_duration 0.042
# TYPE connection_pool gauge
connection_pool{state="open"} 7
# TYPE websocket_connections gauge
websocket_connections 311
"""


def test_a_slow_route_that_few_ask_is_named(healthy_lab, player):
    lab = healthy_lab
    with contextlib.ExitStack() as users:
        users.enter_context(going_on(lambda: lab.request("/customers"), 0.03))
        for _ in range(2):
            users.enter_context(going_on(lambda: lab.request("/orders/slow?seconds=2.5"), 0.1))
        # So long that some of its requests come to their end also on a busy machine, and never enough of them to judge.
        play = player.play(playbook=PLAYBOOK, latency_window_seconds=8)
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert "requests of /orders/slow took" in play.run["summary"]
    assert "/customers" not in play.run["summary"]


def test_health_checks_are_no_requests_to_judge_by(healthy_lab, player):
    with going_on(lambda: healthy_lab.request("/health"), 0.03):
        play = player.play(playbook=PLAYBOOK, run_until="plan")
    assert (play.outcome, play.causes()) == ("unknown", []), play.output
    assert "0 requests of users in" in play.run["summary"] and "latency_window_seconds" in play.run["summary"]


@pytest.mark.covers("SY-4-2", "IE-3-2")
def test_the_percentiles_of_each_route_and_what_the_backend_tells_besides_are_shown(healthy_lab, player):
    lab = healthy_lab
    backend = Answers({"/metrics": lambda _headers: (lab.request("/metrics")[1] + OF_GO).encode()})
    with contextlib.ExitStack() as users:
        users.callback(backend.close)
        users.enter_context(going_on(lambda: lab.request("/customers"), 0.03))
        for _ in range(8):
            users.enter_context(going_on(lambda: lab.request("/orders/slow?seconds=0.7"), 0.05))
        play = player.play(
            playbook=PLAYBOOK,
            run_until="plan",
            latency_window_seconds=8,
            latency_endpoints={"api": f"{backend.url}/metrics"},
            latency_evidence_metrics={
                name: name for name in ("query_execution_duration", "connection_pool", "websocket_connections")
            },
        )
    shown = play.run["evidence"]
    slow, fast = (
        {q: shown[f"{q}_seconds"][route] for q in ("p50", "p95", "p99")} for route in ("/orders/slow", "/customers")
    )
    assert 0.5 <= slow["p50"] <= slow["p95"] <= slow["p99"], play.output
    assert fast["p50"] < 0.5 and fast["p50"] <= fast["p95"] <= fast["p99"]
    told = [shown[name] for name in ("query_execution_duration", "connection_pool", "websocket_connections")]
    assert told == [0.042, 7, 311]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook latency on the embedded stack; tests/containers has its causes."""

from __future__ import annotations

import contextlib

from ansible_collections.oncall.runbooks.tests.support.waiting import going_on

PLAYBOOK = "playbooks/latency.yml"


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
    assert play.causes() == ["few_requests"], play.output

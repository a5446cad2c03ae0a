# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook api_down on the embedded stack: who owns the cause puts it right. tests/containers has more of its causes."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import clients, pids
from ansible_collections.oncall.runbooks.tests.support.observing import Answers

PLAYBOOK = "playbooks/api_down.yml"


@pytest.mark.covers("JO-1-1", "JO-1-3")
@pytest.mark.parametrize(
    ("fault", "remedy", "restarted"),
    [("pool_leak", "restart_application", {"api"}), ("blocker", "end_blocker", set())],
)
def test_requests_that_get_no_connection(healthy_lab, player, fault, remedy, restarted):
    lab = healthy_lab
    lab.inject(fault)
    before = pids(lab)
    page = Answers({"/status": b"all systems operational"})
    try:
        # So many that somebody waits at any moment.
        with clients(lab, 14, "/orders"):
            play = player.play(playbook=PLAYBOOK, api_down_platform_status_url=f"{page.url}/status")
    finally:
        page.close()
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (0, [("api_down", "resolved"), ("db_pool", "resolved")]), play.output
    first, second = play.runs
    assert [one["cause"] for one in first["findings"] if one["status"] == "problem"] == ["pool_exhausted"]
    assert [(one["remedy"], one["helped"]) for one in second["actions"]] == [(remedy, True)]
    assert {name for name, pid in pids(lab).items() if pid != before[name]} == restarted
    shown = first["evidence"]
    answers = {name: one["ok"] for name, one in shown["endpoints"].items()}
    assert answers == {"health": True, "platform": True, "orders": False, "stats": False}
    assert shown["requests_waiting_for_a_connection"] > 0
    assert shown["recent_log"] and "/orders" in str(shown["recent_log"])


@pytest.mark.covers("JO-1-1", "JO-1-2", "PD-1-1")
def test_one_that_a_person_stopped(healthy_lab, player):
    lab = healthy_lab
    lab.inject("api_down")
    page = Answers({"/status": (503, b"we have an outage", {})})
    try:
        play = player.play(playbook=PLAYBOOK)
        outage = player.play(playbook=PLAYBOOK, run_until="plan", api_down_platform_status_url=f"{page.url}/status")
    finally:
        page.close()
    assert (play.code, play.outcome, play.causes()) == (0, "advised", ["stopped_by_person"]), play.output
    assert {one["error"] for one in play.run["evidence"]["endpoints"].values()} == {"refused"}
    assert pids(lab)["api"] is None
    # What else it can see is handed over: it is still told that nothing here is the reason.
    first = outage.runs[0]
    assert "platform_outage" in [one["cause"] for one in first["findings"] if one["status"] == "problem"], outage.output
    assert first["plan"]["steps"] == []

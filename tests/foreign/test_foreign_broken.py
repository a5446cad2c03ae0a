# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The foreign stack, broken: each runbook names what a person would name or says that it cannot see, and plans nothing needless."""

from __future__ import annotations

import time

import pytest
from breakages import CASES, bouncer_to_nowhere, wrong_password_in_one

from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import Truth, judge
from ansible_collections.oncall.runbooks.tests.support.covering import row


@pytest.mark.parametrize("case", [row(case, case.name.replace(" ", "-")) for case in CASES])
def test_it_is_judged_right(shop, case):
    with case.breaks(shop):
        play = shop.play(*case.rights, **case.settings(shop))
    assert set(case.rights) <= {run["runbook"] for run in play.runs}, play.output[-2000:]
    # What another runbook is handed over to may do what one of them may.
    truth = Truth(case.rights, complete=False)
    judged = [(run, judge(run["runbook"], truth, [run])) for run in play.runs]
    wrong = [(run["runbook"], str(said), run["summary"]) for run, said in judged if said.wrong]
    assert not wrong, f"{case.expert}\n{wrong}"


def test_a_scheduler_that_does_not_reach_its_database_is_not_restarted(shop):
    """In earnest that lasts for longer than what may be late; here, what may be late is less."""
    (name, chores), *_ = shop.inventory()["system_schedules"].items()
    with bouncer_to_nowhere(shop):
        time.sleep(12)
        play = shop.play("job_scheduler", system_schedules={name: {**chores, "grace_seconds": 5}})
    (run,) = [run for run in play.runs if run["runbook"] == "job_scheduler"]
    assert (run["outcome"], play.causes()) == ("planned", ["scheduler_hangs"]), play.output[-2000:]
    (step,) = run["plan"]["steps"]
    assert (step["available"], "it does not reach somebody" in step["why_not"]) == (False, True), step


def test_a_runbook_is_handed_over_to_where_only_the_replicas_have_metrics(shop):
    """system_endpoints has each replica by itself, and the runbook's own variable has both."""
    replicas = shop.inventory()["system_endpoints"]["ledger-api"]
    with wrong_password_in_one(shop):
        play = shop.play("api_down", system_endpoints=replicas, error_rate_endpoints=replicas)
    assert {"api_down", "error_rate"} == {run["runbook"] for run in play.runs if "findings" in run}, play.output[-2000:]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook crash_loop on services that really end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook

FAULTS_CAUSES = [
    ("crash_missing_variable", "missing_variable", "PROVIDER_URL", []),
    pytest.param("crash_migration", "migration_failed", "migration", [], marks=pytest.mark.covers("LP-7-3")),
    pytest.param("crash_dependency", "dependency_down", "redis (exited)", [], marks=pytest.mark.covers("LP-7-4")),
    ("crash_out_of_memory", "out_of_memory", "killed by the kernel", ["resource_usage"]),
]


@pytest.fixture
def runbook(compose_lab, compose_player):
    return Runbook(compose_lab, compose_player, "crash_loop", crash_loop_settled_seconds=15)


@pytest.mark.parametrize(("fault", "cause", "words", "hand_over"), FAULTS_CAUSES)
def test_named(runbook, fault, cause, words, hand_over):
    with runbook.broken(fault):
        play = runbook.play(run_until="plan")
        first = play.runs[0]
        problems = [finding["cause"] for finding in first["findings"] if finding["status"] == "problem"]
        assert (first["runbook"], first["outcome"], problems) == ("crash_loop", "planned", [cause]), play.output
        assert words in first["summary"]
        assert first["hand_over"] == hand_over


@pytest.mark.covers("LP-7-1", "LP-7-5")
def test_fixed_and_the_log_saved_before(runbook):
    runbook.fixed("crash_unexplained", "unexplained", "clean_restart", "api")
    saved = sorted(Path(runbook.lab.home, "oncall", "evidence").glob("api-*.log"))
    assert saved
    assert "revision" in saved[-1].read_text()


@pytest.mark.covers("LP-7-2", "IE-6-1", "JO-1-3")
def test_one_that_needs_more_memory_than_it_may_have_gets_more(runbook):
    with runbook.broken("crash_short_of_memory"):
        play = runbook.play(run_verify_timeout_seconds=120)
        ended = [(run["runbook"], run["outcome"]) for run in play.runs]
        assert (play.code, ended) == (0, [("crash_loop", "resolved"), ("resource_usage", "resolved")]), play.output
        (action,) = play.runs[1]["actions"]
        assert (action["remedy"], action["cause"], action["helped"]) == (
            "raise_memory_limit",
            "killed_for_memory",
            True,
        )
        assert runbook.lab.project.container("api")["HostConfig"]["Memory"] == 1024**3
        assert runbook.lab.target.api("/orders")[0] == 200


def test_stopped_by_a_person(runbook):
    with runbook.broken("api_stopped_by_person") as before:
        play = runbook.play()
        assert (play.code, play.outcome) == (0, "healthy"), play.output
        assert "A person stopped api" in play.run["summary"]
        assert runbook.started() == before

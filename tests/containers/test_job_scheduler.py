# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook job_scheduler on the compose lab, whose worker starts a job every second."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook


@pytest.fixture
def runbook(compose_lab, compose_player):
    return Runbook(compose_lab, compose_player, "job_scheduler")


def test_a_worker_that_is_stuck_is_restarted(runbook):
    runbook.fixed("scheduler_hangs", "scheduler_hangs", "restart_scheduler", "worker")


def test_a_worker_that_is_gone_is_started(runbook):
    runbook.fixed("queue_worker_lost", "scheduler_down", "restart_scheduler", "worker")


def test_a_sound_stack_is_well(runbook):
    play = runbook.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "digest started" in play.run["summary"]

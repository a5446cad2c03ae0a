# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook worker_queue on the compose lab, whose worker takes events from a table."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook


@pytest.fixture
def runbook(compose_lab, compose_player):
    return Runbook(compose_lab, compose_player, "worker_queue")


@pytest.mark.covers("SY-2-3")
def test_a_worker_that_is_stuck_is_restarted_and_what_it_was_stuck_in_is_cancelled(runbook):
    play = runbook.fixed("queue_worker_hangs", "stuck", "restart_workers", "worker")
    assert [sorted(target) for target in play.run["actions"][0]["targets"]] == [["service"], ["jobs", "queue"]]


def test_a_worker_that_is_gone_is_started(runbook):
    runbook.fixed("queue_worker_lost", "no_worker", "restart_workers", "worker")


def test_a_sound_stack_is_well(runbook):
    play = runbook.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "events: 0 ready" in play.run["summary"]

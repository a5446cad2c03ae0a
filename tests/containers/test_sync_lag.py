# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook sync_lag on the compose lab, whose worker brings events on."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook


@pytest.fixture
def runbook(compose_lab, compose_player):
    return Runbook(compose_lab, compose_player, "sync_lag")


@pytest.mark.covers("LP-5-5")
def test_what_starts_them_is_gone_and_is_started(runbook):
    runbook.fixed("queue_worker_lost", "scheduler_dead", "restart_sync", "worker")


def test_a_sound_stack_is_well(runbook):
    play = runbook.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "events, 0 s behind" in play.run["summary"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook circuit_breaker on the compose lab, whose API has one of its own before its provider."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook


@pytest.fixture
def runbook(compose_lab, compose_player):
    return Runbook(compose_lab, compose_player, "circuit_breaker")


@pytest.mark.covers("LP-2-1")
def test_one_that_only_waits_for_a_call_gets_it(runbook):
    runbook.fixed("breaker_waits", "stays_open", "retry", service="")


@pytest.mark.covers("LP-2-2")
def test_one_whose_provider_is_down_is_left_alone(runbook):
    with runbook.broken("breaker_provider_down") as before:
        play = runbook.play()
        assert (play.code, play.outcome, play.causes()) == (0, "advised", ["they_are_down"]), play.output
        assert runbook.started() == before


def test_a_sound_stack_is_well(runbook):
    play = runbook.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "rates: closed in 1" in play.run["summary"]

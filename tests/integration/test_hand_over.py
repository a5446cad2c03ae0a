# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runbook that hands over looks again when the others are done: that theirs is well does not say that its own is."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab import Lab

SHORT = {"run_verify_timeout_seconds": 10}


@pytest.fixture
def orders(healthy_lab) -> Iterator[Lab]:
    """The lab, whose /orders are asked for all the time."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with suppress(OSError):
                healthy_lab.request("/orders")
            over.wait(0.05)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield healthy_lab
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.covers("LP-1-8")
@pytest.mark.parametrize(
    ("errors", "code", "outcome"),
    [pytest.param(True, 2, "unresolved", id="errors"), pytest.param(False, 0, "healthy", id="none")],
)
def test_errors_that_stay_when_redis_is_back(orders, player, errors, code, outcome):
    """Redis hangs, and that is put right; it was not why /orders fails."""
    redis = orders.status()["services"]["redis"]["pid"]
    if errors:
        orders.request("/debug/errors?route=/orders", method="POST")
    os.kill(redis, signal.SIGSTOP)
    try:
        play = player.play(playbook="playbooks/error_rate.yml", **SHORT)
    finally:
        with suppress(ProcessLookupError):
            os.kill(redis, signal.SIGCONT)
        if errors:
            orders.request("/debug/errors", method="DELETE")
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (code, [("error_rate", outcome), ("cache", "resolved")][: 1 + errors]), play.output
    if errors:
        assert "cache ended resolved; looked at again after that" in play.runs[0]["summary"]


@pytest.mark.covers("SY-3-2")
def test_a_server_that_was_used_up_and_is_not_any_more(healthy_lab, player):
    healthy_lab.inject("max_connections")
    play = player.play(playbook="playbooks/db_down.yml", run_max_risk="high", **SHORT)
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (0, [("db_down", "resolved"), ("db_pool", "resolved")]), play.output
    assert "db_pool ended resolved" in play.runs[0]["summary"]

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook db_down: on the compose lab, and where PostgreSQL is reached from inside its container."""

from __future__ import annotations

import subprocess
import threading

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook
from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.waiting import until

PLAYBOOK = "playbooks/db_down.yml"
STACK = "db"
PROMOTE = 'PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"; pg_ctl promote --no-wait -D /var/lib/postgresql/cluster'


@pytest.mark.covers("PD-1-2")
def test_one_that_hangs_is_named_and_what_needs_it_too(compose_lab, compose_player):
    runbook = Runbook(compose_lab, compose_player, "db_down")
    with runbook.broken("db_hangs"):
        play = runbook.play(run_until="plan")
        assert (play.outcome, play.causes()) == ("planned", ["hangs"]), play.output
        (step,) = play.run["plan"]["steps"]
        assert (step["remedy"], step["risk"]) == ("restart_database", "medium")
        # Its health route answers whether it has its database or not.
        assert step["targets"] == [{"service": "db"}, {"service": "api", "ready_url": f"{compose_lab.url}/readyz"}]


@pytest.mark.covers("SY-3-2", "SY-3-4", "PD-1-2")
def test_crashed(stack, play):
    stack.crash()
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["database_down"]), fixed.output
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [("restart_database", True)]
    assert stack.answers()


@pytest.mark.parametrize(
    ("verb", "cause", "outcome"),
    [
        ("stop", "stopped_by_person", "blocked"),
        ("kill", "stopped_by_person", "blocked"),
        ("pause", "paused", "advised"),
    ],
)
def test_what_a_person_did_is_left_alone(stack, play, verb, cause, outcome):
    docker(verb, stack.name)
    before = stack.started()
    left = play()
    assert (left.outcome, left.causes()) == (outcome, [cause]), left.output
    assert stack.started() == before


def refusals(stack) -> int:
    """How often it has turned somebody away."""
    # A server writes its log where errors go, which `docker logs` gives apart from the rest.
    argv = ["docker", "logs", stack.name]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=60)
    return done.stdout.count("FATAL:")


@pytest.mark.covers("SY-3-4")
def test_one_that_recovers_is_waited_for(stack, play):
    # A standby that is no hot one takes nobody until it is made the primary, as a server does that replays its log.
    docker("exec", "--user", "postgres", stack.name, "touch", "/var/lib/postgresql/cluster/standby.signal")
    docker("restart", stack.name)
    until(lambda: "rejecting" in docker("exec", stack.name, "pg_isready", check=False))
    before = stack.started()
    turned_away = refusals(stack)

    def promote() -> None:
        # When it was seen to start, and waiting for it has begun.
        until(lambda: refusals(stack) >= turned_away + 6)
        docker("exec", "--user", "postgres", stack.name, "/bin/sh", "-c", PROMOTE)

    promoting = threading.Thread(target=promote)
    promoting.start()
    try:
        fixed = play(db_down_ready_seconds=120)
    finally:
        promoting.join()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["starting_up"]), fixed.output
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [("wait_until_ready", True)]
    assert stack.started() == before

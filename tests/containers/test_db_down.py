# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook db_down where PostgreSQL is a container that is reached from inside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.container_stack import ContainerStack
from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.plays import Player
from ansible_collections.oncall.runbooks.tests.support.supervisord import until

PROMOTE = 'PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"; pg_ctl promote --no-wait -D /var/lib/postgresql/cluster'


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[ContainerStack]:
    running = ContainerStack(tmp_path_factory.mktemp("stack"))
    try:
        yield running
    finally:
        running.remove()


@pytest.fixture
def play(stack, tmp_path):
    """A function: plays the runbook on the healed stack."""
    stack.heal()
    player = Player(stack.folder, tmp_path)

    def run(**variables: Any) -> Any:
        arguments = ("-i", str(stack.inventory))
        return player.play(*arguments, playbook="playbooks/db_down.yml", run_hosts="stack", **variables)

    return run


def test_killed(stack, play):
    before = stack.started()
    healthy = play()
    assert (healthy.code, healthy.outcome) == (0, "healthy"), healthy.output
    docker("kill", stack.name("db"))
    named = play(run_until="plan")
    assert (named.outcome, named.causes()) == ("planned", ["database_down"]), named.output
    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    after = stack.started()
    assert (after["redis"], after["db"] != before["db"]) == (before["redis"], True)
    assert stack.answers()


@pytest.mark.parametrize(
    ("verb", "cause", "outcome"), [("stop", "stopped_by_person", "blocked"), ("pause", "paused", "advised")]
)
def test_what_a_person_did_is_left_alone(stack, play, verb, cause, outcome):
    docker(verb, stack.name("db"))
    before = stack.started()
    left = play()
    assert (left.outcome, left.causes()) == (outcome, [cause]), left.output
    assert stack.started() == before


def test_one_that_recovers_is_waited_for(stack, play):
    # A standby that is no hot one takes nobody until it is made the primary, as a server does that replays its log.
    docker("exec", "--user", "postgres", stack.name("db"), "touch", "/var/lib/postgresql/cluster/standby.signal")
    docker("restart", stack.name("db"))
    until(lambda: "rejecting" in docker("exec", stack.name("db"), "pg_isready", check=False))
    before = stack.started()
    promote = threading.Timer(8, docker, ("exec", "--user", "postgres", stack.name("db"), "/bin/sh", "-c", PROMOTE))
    promote.start()
    try:
        fixed = play(db_down_ready_seconds=60)
    finally:
        promote.join()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert fixed.causes() == ["starting_up"]
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [("wait_until_ready", True)]
    assert stack.started() == before

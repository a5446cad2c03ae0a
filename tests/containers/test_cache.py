# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook cache: on the compose lab, and where Redis has a password and is reached from inside its container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils import redis_server
from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook
from ansible_collections.oncall.runbooks.tests.support.container_stack import PASSWORD, ContainerStack
from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.plays import Player

FAULTS_CAUSES = {
    "redis_full": "out_of_memory",
    "cache_disabled": "disabled_in_app",
    "invalidation_storm": "invalidation_storm",
}


@pytest.mark.parametrize("fault", FAULTS_CAUSES)
def test_named(compose_lab, compose_player, fault):
    runbook = Runbook(compose_lab, compose_player, "cache")
    with runbook.broken(fault):
        play = runbook.play(run_until="plan")
        assert (play.outcome, play.causes()) == ("planned", [FAULTS_CAUSES[fault]]), play.output
        assert play.run["plan"]["steps"] == []


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[ContainerStack]:
    stack = ContainerStack(tmp_path_factory.mktemp("stack"), "redis")
    try:
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def stack(running) -> ContainerStack:
    running.heal()
    return running


@pytest.fixture
def play(stack, tmp_path):
    """A function: plays the runbook on the stack."""

    def run():
        arguments = ("-i", str(stack.inventory))
        found = Player(stack.folder, tmp_path).play(*arguments, playbook="playbooks/cache.yml", run_hosts="stack")
        assert PASSWORD not in found.output + str(found.runs)
        return found

    return run


def look(stack, **changes):
    reach = {"transport": "docker", "container": stack.name, "password": PASSWORD, **changes}
    return redis_server.observe({"server": reach, "window_seconds": 0, "timeout_seconds": 5})


def test_through_the_container(stack):
    found = look(stack)
    assert (found["available"], found["error"], found["role"], found["keys"]) == (True, "", "master", 0)
    assert found["ping_seconds"] is None
    for changes, error in (
        ({"password": None}, "credentials"),
        ({"password": "wrong"}, "credentials"),
        ({"port": 1}, "refused"),
        ({"host": "no-such-host"}, "name_resolution"),
        ({"container": "no-such-container"}, "no_engine"),
    ):
        found = look(stack, **changes)
        assert (found["available"], found["error"]) == (False, error), found["reason"]
        assert "wrong" not in found["reason"]


def test_crashed(stack, play):
    stack.crash()
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["redis_down"]), fixed.output
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [("restart_redis", True)]
    assert stack.answers()


def test_frozen_by_a_person(stack, play):
    before = stack.started()
    docker("pause", stack.name)
    advised = play()
    assert (advised.outcome, advised.causes()) == ("advised", ["paused"]), advised.output
    assert stack.started() == before

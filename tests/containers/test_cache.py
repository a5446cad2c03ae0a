# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook cache, and redis_info, where Redis is a container with a password that is reached from inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils import redis_server
from ansible_collections.oncall.runbooks.tests.support.container_stack import PASSWORD, ContainerStack
from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.plays import Player


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
        found = player.play("-i", str(stack.inventory), playbook="playbooks/cache.yml", run_hosts="stack", **variables)
        assert PASSWORD not in found.output + str(found.runs)
        return found

    return run


def look(stack, **changes):
    reach = {"transport": "docker", "container": stack.name("redis"), "password": PASSWORD, **changes}
    return redis_server.observe({"server": reach, "window_seconds": 0, "timeout_seconds": 5})


def test_through_the_container(stack, play):
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
    healthy = play()
    assert (healthy.code, healthy.outcome) == (0, "healthy"), healthy.output
    assert "Only Redis was looked at" in healthy.run["summary"]


def test_killed(stack, play):
    before = stack.started()
    docker("kill", stack.name("redis"))
    named = play(run_until="plan")
    assert (named.outcome, named.causes()) == ("planned", ["redis_down"]), named.output
    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    after = stack.started()
    assert (after["db"], after["redis"] != before["redis"]) == (before["db"], True)
    assert stack.answers()


def test_frozen_by_a_person(stack, play):
    before = stack.started()
    docker("pause", stack.name("redis"))
    advised = play()
    assert (advised.outcome, advised.causes()) == ("advised", ["paused"]), advised.output
    assert stack.started() == before

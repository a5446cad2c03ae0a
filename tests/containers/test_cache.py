# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook cache: on the compose lab, and where Redis has a password and is reached from inside its container."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.redis import server as redis_server
from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook
from ansible_collections.oncall.runbooks.tests.support.container_stack import PASSWORD
from ansible_collections.oncall.runbooks.tests.support.containers import docker

PLAYBOOK = "playbooks/cache.yml"
STACK = "redis"
FAULTS_CAUSES = [
    ("redis_full", "out_of_memory"),
    pytest.param("cache_disabled", "disabled_in_app", marks=pytest.mark.covers("LP-4-1")),
    pytest.param("invalidation_storm", "invalidation_storm", marks=pytest.mark.covers("LP-4-1", "LP-4-6")),
]


@pytest.mark.parametrize(("fault", "cause"), FAULTS_CAUSES)
def test_named(compose_lab, compose_player, fault, cause):
    runbook = Runbook(compose_lab, compose_player, "cache")
    with runbook.broken(fault):
        play = runbook.play(run_until="plan")
        assert (play.outcome, play.causes()) == ("planned", [cause]), play.output
        assert play.run["plan"]["steps"] == []


def look(stack, **changes):
    reach = {"transport": "docker", "container": stack.name, "password": PASSWORD, **changes}
    return redis_server.observe({"server": reach, "window_seconds": 0, "timeout_seconds": 5})


@pytest.mark.covers("LP-1-8", "LP-4-2")
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


@pytest.mark.covers("LP-4-4", "PD-1-3")
def test_crashed(stack, play):
    stack.crash()
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["redis_down"]), fixed.output
    assert [(action["remedy"], action["helped"]) for action in fixed.run["actions"]] == [("restart_redis", True)]
    assert stack.answers()
    assert PASSWORD not in fixed.output + str(fixed.runs)


def test_frozen_by_a_person(stack, play):
    before = stack.started()
    docker("pause", stack.name)
    advised = play()
    assert (advised.outcome, advised.causes()) == ("advised", ["paused"]), advised.output
    assert stack.started() == before

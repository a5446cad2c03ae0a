# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose lab, one for all tests of a session that need a whole stack, in a state folder of its own."""

from __future__ import annotations

from functools import cache

import pytest

from lab import ComposeLab
from lab.compose import engine


@cache
def without_docker() -> str:
    """Why there is no Docker, and none can be installed; "" where there is."""
    try:
        engine.ensure(lambda line: print("lab:", line))
    except engine.NoDocker as error:
        return str(error)
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # Here and not in a fixture: pytest reports all of these in one line.
    if reason := without_docker():
        if engine.required():
            pytest.exit(f"REQUIRE_DOCKER=1, but {reason}", returncode=1)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def compose_lab(tmp_path_factory):
    """A running compose lab. Heal what you inject."""
    from ansible_collections.oncall.runbooks.tests.support.reaper import reap

    lab = ComposeLab(tmp_path_factory.mktemp("lab") / "home", say=lambda line: print("lab:", line))
    reap(lab.project.label)
    try:
        lab.up()
        yield lab
    finally:
        lab.down(purge=True)


@pytest.fixture
def compose_player(compose_lab, tmp_path):
    """Runs playbooks against it."""
    from ansible_collections.oncall.runbooks.tests.support.plays import Player

    return Player(compose_lab.home, tmp_path)


@pytest.fixture(scope="module")
def running_stack(request, tmp_path_factory):
    """A ContainerStack with the service that the module's STACK names."""
    from ansible_collections.oncall.runbooks.tests.support.container_stack import ContainerStack

    stack = ContainerStack(tmp_path_factory.mktemp("stack"), request.module.STACK)
    try:
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def stack(running_stack):
    """The same, sound."""
    running_stack.heal()
    return running_stack


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A deployed shop."""
    from ansible_collections.oncall.runbooks.tests.support.shop import Shop

    running = Shop(tmp_path_factory.mktemp("shop"))
    try:
        yield running
    finally:
        running.remove()


@pytest.fixture
def play(request, tmp_path):
    """A function: plays the module's PLAYBOOK on its ``stack`` or ``shop``."""
    from ansible_collections.oncall.runbooks.tests.support.plays import Player

    hosts = "shop" if "shop" in request.fixturenames else "stack"
    target = request.getfixturevalue(hosts)
    player = Player(target.folder, tmp_path)

    def run(**variables):
        return player.play("-i", str(target.inventory), playbook=request.module.PLAYBOOK, run_hosts=hosts, **variables)

    return run

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose lab, one for all tests of a session that need a whole stack, in a state folder of its own."""

from __future__ import annotations

import fcntl
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY)]

from lab import ComposeLab, engine  # noqa: E402


@cache
def without_docker() -> str:
    """Why there is no Docker, and none can be installed; "" where there is."""
    try:
        # Several of pytest's workers install it once.
        with (engine.cache_folder() / "docker.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
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
    lab = ComposeLab(tmp_path_factory.mktemp("lab") / "home", say=lambda line: print("lab:", line))
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

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook rollback, on an application that is deployed from a real checkout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import Player
from ansible_collections.oncall.runbooks.tests.support.shop import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    running = Shop(tmp_path_factory.mktemp("shop"))
    try:
        yield running
    finally:
        running.remove()


@pytest.fixture
def play(shop, tmp_path):
    """A function: plays the runbook."""
    player = Player(shop.folder, tmp_path)

    def run(**variables: Any) -> Any:
        arguments = ("-i", str(shop.inventory))
        return player.play(*arguments, playbook="playbooks/rollback.yml", run_hosts="shop", **variables)

    return run


def test_there_and_no_further(shop, play):
    old, new = shop.begin()
    before = shop.started("worker")
    shown = play()
    assert (shown.code, shown.outcome) == (0, "healthy"), shown.output
    assert f"{new[:12]} (Second) is checked out" in shown.run["summary"]
    # Its risk is high: nothing happens before somebody says so.
    blocked = play(rollback_to=old)
    assert (blocked.outcome, blocked.causes(), shop.head()) == ("blocked", ["rollback_requested"], new), blocked.output
    done = play(rollback_to=old, run_plan=[blocked.run["plan"]["hash"]], run_max_risk="high")
    assert (done.code, done.outcome) == (0, "resolved"), done.output
    assert (shop.head(), shop.git("rev-parse", "main@{1}"), shop.status("/health")) == (old, new, 200)
    assert shop.started("worker") == before
    again = play(rollback_to=old, run_max_risk="high")
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output


def test_forward_again_where_it_does_not_help(shop, play):
    sick, new = shop.begin(("Health is wrong", ("/health",)), ("Sound", ()))
    ended = play(rollback_to=sick, run_max_risk="high", run_verify_timeout_seconds=2)
    assert (ended.outcome, ended.run["actions"][0]["state"]) == ("unresolved", "rolled_back"), ended.output
    assert (shop.head(), shop.status("/health")) == (new, 200)
    assert shop.git("status", "--porcelain") == ""


def test_forward_again_where_it_cannot_be_deployed(shop, play):
    old, new = shop.begin()
    # The command works with the newer commit only.
    command = ["sh", "-c", "git log -1 --format=%s | grep -q Second"]
    deployment = {"path": str(shop.release), "deploy_command": command, "services": ["api"]}
    ended = play(rollback_to=old, run_max_risk="high", system_deployment=deployment)
    assert (ended.outcome, ended.run["actions"][0]["state"]) == ("unresolved", "rolled_back"), ended.output
    assert "sh ended with exit code 1" in ended.output
    assert shop.head() == new


def test_what_is_not_clean_or_not_there_is_left_alone(shop, play):
    old, new = shop.begin()
    started = shop.started("api")
    (shop.release / "app.py").write_text("# edited on the host")
    dirty = play(rollback_to=old, run_max_risk="high")
    assert (dirty.outcome, dirty.causes()) == ("advised", ["checkout_not_clean"]), dirty.output
    assert (shop.release / "app.py").read_text() == "# edited on the host"
    for name in ("--hard", "HEAD~1"):
        refused = play(rollback_to=name, run_max_risk="high")
        assert (refused.outcome, refused.causes()) == ("advised", ["revision_not_found"]), refused.output
    assert (shop.head(), shop.started("api")) == (new, started)


def test_what_is_not_healthy_after_a_deployment_is_a_matter_for_a_person(shop, play):
    _first, before = shop.begin()
    shop.commit("Health is wrong", "/health")
    shop.deploy()
    named = play(run_until="plan")
    assert named.causes() == ["bad_deployment"], named.output
    assert named.run["plan"]["steps"] == []
    assert f"rollback_to={before}" in str(named.run["findings"])

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook rollback, on the compose lab and on a small application that is deployed from a real checkout."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.compose_plays import Runbook
from lab.release import Release

PLAYBOOK = "playbooks/rollback.yml"


def test_what_is_not_healthy_after_a_deployment_is_a_matter_for_a_person(compose_lab, compose_player):
    runbook = Runbook(compose_lab, compose_player, "rollback")
    release = Release(compose_lab.project.folder)
    before = release.head()
    with runbook.broken("unhealthy_deployment"):
        named = runbook.play(run_until="plan")
        assert (named.outcome, named.causes()) == ("planned", ["bad_deployment"]), named.output
        assert named.run["plan"]["steps"] == []
        assert f"rollback_to={before}" in str(named.run["findings"])


@pytest.mark.covers("PD-8-1")
def test_there_and_no_further(shop, play):
    old, new = shop.begin()
    before = shop.started("worker")
    done = play(rollback_to=old, run_max_risk="high")
    assert (done.code, done.outcome, done.causes()) == (0, "resolved", ["rollback_requested"]), done.output
    assert (shop.head(), shop.git("rev-parse", "main@{1}"), shop.status("/health")) == (old, new, 200)
    assert shop.started("worker") == before
    again = play(rollback_to=old, run_max_risk="high")
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    assert f"{old[:12]} (First) is checked out" in again.run["summary"]


@pytest.mark.covers("PD-8-1")
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
    dirty = play(rollback_to=old, run_until="plan")
    assert (dirty.causes(), dirty.run["plan"]["steps"]) == (["checkout_not_clean"], []), dirty.output
    assert (shop.release / "app.py").read_text() == "# edited on the host"
    refused = play(rollback_to="--hard", run_until="plan")
    assert (refused.causes(), refused.run["plan"]["steps"]) == (["revision_not_found"], []), refused.output
    assert (shop.head(), shop.started("api")) == (new, started)

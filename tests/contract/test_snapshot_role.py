# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role snapshot is no runbook, looks through every observer that there is, and changes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from collection import NAME, ROOT, RUNBOOKS, entries, load, names, task_files, tasks

TABLE = load("roles", "snapshot", "vars", "main.yml")["snapshot_table"]
LOOKS = [(part, name, look) for part, said in TABLE.items() for name, look in said["looks"].items()]
# An observer has its place in a snapshot, or a reason here.
WITHOUT = {
    "auth": "it logs in, and a snapshot changes nothing",
    "backup": "it reads whole archives, which takes longer than a snapshot may",
    "break_glass": "it asks the issuer of tokens, and a snapshot leaves no trace there",
    "migrations": "it runs commands of the application, and a snapshot runs none",
    "metrics": "the exposition has all of them, and not only those with a name",
    "port": "who listens is asked where a service cannot start; that it does not run is told",
    "webhook": "it sends events to the application, and a snapshot changes nothing",
}


def observers() -> dict[str, Any]:
    from ansible_collections.oncall.runbooks.plugins.module_utils.observe import OBSERVERS

    return OBSERVERS


def test_it_is_no_runbook():
    """No cause, no remedy, no outcome: what goes over runbooks leaves it out by that, and by no list."""
    assert "snapshot" not in RUNBOOKS
    assert not (ROOT / "roles" / "snapshot" / "meta" / "runbook.yml").exists()
    assert names("roles", "snapshot", "tasks") == {"main"}
    assert [path.name for path in task_files("snapshot")] == ["main.yml"]


def test_it_uses_nothing_that_changes_a_host():
    used = [key for task in tasks(load("roles", "snapshot", "tasks", "main.yml")) for key in task if "." in key]
    assert used == ["ansible.builtin.import_role", f"{NAME}.snapshot"]
    action = (ROOT / "plugins" / "action" / "snapshot.py").read_text()
    assert set(re.findall(r'"(oncall\.runbooks\.\w+)"', action)) == {f"{NAME}.snapshot_info"}


def test_every_observer_is_in_it_or_has_a_reason():
    used = {look.get("look") for _part, _name, look in LOOKS}
    assert set(observers()) - used == set(WITHOUT)
    (why_not,) = (look["why_not"] for _part, _name, look in LOOKS if "why_not" in look)
    assert "events are sent to the application" in why_not


@pytest.mark.parametrize(("part", "name", "look"), LOOKS, ids=[f"{part}-{name}" for part, name, _look in LOOKS])
def test_a_look_is_described_and_its_parameters_are_known(part, name, look):
    from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.gather import OWN
    from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.asked import SETTINGS

    assert set(look) <= {"about", "variable", "otherwise", "look", "parameters", "why_not"}
    assert TABLE[part]["title"] and look["about"]
    assert ("why_not" in look) != ("look" in look)
    if look.get("look") in (None, SETTINGS):
        return
    spec = OWN[look["look"]][0] if look["look"] in OWN else observers()[look["look"]].SPEC
    assert set(look.get("parameters", {})) <= set(spec)
    # Private names are no words for people.
    assert "otherwise" in look or not str(look.get("variable", "")).startswith("_")
    known = {
        *entries("system")["main"]["options"],
        *entries("snapshot")["main"]["options"],
        *load("roles", "snapshot", "vars", "main.yml"),
    }
    assert look.get("variable", "system_name") in known


def test_every_part_is_told_to_users():
    described = entries("snapshot")["main"]["options"]["snapshot_parts"]["description"]
    assert re.findall(r"C\((\w+)\)", described) == list(TABLE)
    page = (ROOT / "docs" / "snapshot.md").read_text()
    assert [part for part in TABLE if f"`{part}`" not in page] == []


def test_every_bound_that_the_page_names_is_a_default():
    page, defaults = (ROOT / "docs" / "snapshot.md").read_text(), load("roles", "snapshot", "defaults", "main.yml")
    named = set(re.findall(r"`(snapshot_\w+)`", page))
    assert named <= set(defaults)
    assert defaults["snapshot_max_bytes"] == 16 * 1024**2 and "16 MiB" in page
    assert defaults["snapshot_log_bytes"] == 512 * 1024 and "512 KiB" in page
    assert f"({defaults['snapshot_timeout_seconds']})" in page and f"({defaults['snapshot_look_seconds']})" in page


def test_what_it_covers_has_a_test_that_says_so():
    items = {item["id"] for item in load("tests", "coverage.yml")["items"] if item["runbook"] == "snapshot"}
    text = (ROOT / "tests" / "integration" / "test_snapshot.py").read_text()
    marked = {
        one
        for found in re.findall(r"@pytest\.mark\.covers\(([^)]*)\)", text)
        for one in re.findall(r'"([^"]+)"', found)
    }
    assert marked == items != set()


def test_the_playbook_is_a_few_lines():
    (play,) = load("playbooks", "snapshot.yml")
    (task,) = play["tasks"]
    assert task["ansible.builtin.import_role"] == {"name": f"{NAME}.snapshot", "rolespec_validate": False}
    assert play["gather_facts"] is False

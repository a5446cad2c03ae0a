# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of each fault is written beside it, in names that the runbooks have, and agrees with what the scenarios expect."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import pytest
from collection import ROOT, RUNBOOKS, causes, load, names

from lab.faults import load_faults

KINDS = ("embedded", "compose")
FAULTS = {(kind, name): fault for kind in KINDS for same in load_faults(kind).values() for name, fault in same.items()}
SCENARIOS = [
    path.parent.name for path in sorted((ROOT / "molecule").glob("*/expected.yml")) if path.parent.name in RUNBOOKS
]


@cache
def slugs(runbook: str) -> set[str]:
    return set(causes(runbook))


def with_rights():
    from ansible_collections.oncall.runbooks.tests.support.accuracy import scenes

    return [*scenes.embedded(), *scenes.compose()]


@pytest.mark.parametrize(("kind", "name"), FAULTS, ids="-".join)
def test_every_fault_says_what_is_true_of_it(kind, name):
    assert FAULTS[kind, name].rights, f"lab/{kind}/faults: {name} has no rights"


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_the_names_are_those_of_the_runbooks(runbook):
    remedies = names("roles", runbook, "tasks", "remedies")
    for scene in with_rights():
        assert set(scene.truth.rights) <= set(RUNBOOKS), scene.name
        if runbook in scene.truth.rights:
            one = scene.truth.rights[runbook]
            assert one.causes | one.second | one.also <= slugs(runbook), scene.name
            assert one.remedies <= remedies, scene.name


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_of_faults_that_are_there(kind):
    pairs = import_module(f"lab.{kind}.pairs").PAIRS
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs) > 0
    for pair in pairs:
        assert {(kind, pair.first), (kind, pair.second)} <= set(FAULTS)
        assert pair.explained in ("", pair.first, pair.second)


def test_a_scene_has_its_name_alone():
    found = [(scene.stack, scene.name) for scene in with_rights()]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_a_scenario_expects_is_true(scenario):
    expected = load("molecule", scenario, "expected.yml")
    rights = FAULTS["compose", expected["expected_fault"]].rights
    assert scenario in rights, f"{expected['expected_fault']} does not say what is right for {scenario}"
    one, owners = rights[scenario], set(expected["expected_outcomes"])
    # One that hands over names it for the other.
    assert expected["expected_cause"] in one.causes | one.also
    allowed = {remedy for runbook in owners if runbook in rights for remedy in rights[runbook].remedies}
    assert set(expected["expected_remedies"]) <= allowed

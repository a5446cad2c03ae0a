"""Every runbook has a scenario, and all scenarios share one configuration."""

from __future__ import annotations

from collections import ChainMap

import pytest
import yaml
from collection import ROOT, RUNBOOKS, causes, load, names

from lab.faults import load_faults

SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
# The role triage begins the runbook of what it finds, so its scenario has no cause of its own.
# A snapshot judges nothing: its scenario has its own proof.
WITHOUT_RUNBOOK = {"default", "healthy", "snapshot", "triage"}
# The stack shows no certificate. tests/integration has programs that do.
WITHOUT_SCENARIO = {"certificate_expiry"}
OUTCOMES = {"resolved", "advised", "blocked", "unresolved"}


def test_every_runbook_that_acts_has_a_scenario_and_every_scenario_a_runbook():
    # Without a remedy there is nothing that a scenario could prove, but that a sound stack is left alone.
    acting = {runbook for runbook in RUNBOOKS if names("roles", runbook, "tasks", "remedies")}
    assert acting - WITHOUT_SCENARIO | WITHOUT_RUNBOOK <= set(SCENARIOS) <= {*RUNBOOKS, *WITHOUT_RUNBOOK}


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - WITHOUT_RUNBOOK))
def test_a_scenario_is_its_fault_and_what_has_to_come_of_it(scenario):
    expected = load("molecule", scenario, "expected.yml")
    assert sorted(path.name for path in (ROOT / "molecule" / scenario).iterdir()) == ["expected.yml", "molecule.yml"]
    assert not load("molecule", scenario, "molecule.yml"), "the configuration is shared"
    assert expected["expected_fault"] in ChainMap(*load_faults("compose").values())
    assert expected["expected_cause"] in causes(scenario)
    outcomes = expected["expected_outcomes"]
    assert set(outcomes) <= set(RUNBOOKS)
    assert set(outcomes.values()) <= OUTCOMES
    assert next(iter(outcomes)) == scenario
    remedies = {remedy for runbook in outcomes for remedy in names("roles", runbook, "tasks", "remedies")}
    assert set(expected["expected_remedies"]) <= remedies


def test_every_runbook_is_run_against_the_sound_stack():
    plays = yaml.safe_load((ROOT / "molecule" / "healthy" / "converge.yml").read_text())
    assert [play["ansible.builtin.import_playbook"] for play in plays] == [
        f"../../playbooks/{runbook}.yml" for runbook in RUNBOOKS
    ]

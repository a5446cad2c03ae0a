"""The names of the tables of likely causes, and that those of 0.1.0 still work."""

from __future__ import annotations

import re
import shutil

import pytest
import table_check
import yaml
from collection import ROOT, RUNBOOKS, load

from ansible_collections.oncall.runbooks.plugins.plugin_utils.names_of_0_1_0 import NOW

SYSTEM = load("roles", "system", "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
# The private names that the tables of 0.1.0 had, which causes of inventories may use for one version more.
FORMERLY = yaml.safe_load((ROOT / "tests" / "contract" / "data" / "names_of_0_1_0.yml").read_text())


def formerly(runbook: str) -> dict[str, str]:
    """What stands now for each name of 0.1.0."""
    return {name: NOW.get(runbook, {}).get(name, name) for name in FORMERLY.get(runbook, [])}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_name_of_a_table_is_defined_used_and_measured(runbook):
    assert table_check.trouble_with(runbook) == []


# Variables that choose some of what the inventory has.
CHOSEN = [
    (runbook, name, found["inventory"])
    for runbook in RUNBOOKS
    for name, default in (load("roles", runbook, "defaults", "main.yml") or {}).items()
    if isinstance(default, str)
    and (found := re.search(r"(?P<inventory>system_[a-z_]+) \| (?:list|first\b[^}]*) }}\Z", default))
]


def test_there_are_variables_that_choose_some_of_the_inventory():
    assert len(CHOSEN) >= 10


@pytest.mark.parametrize(("runbook", "name", "inventory"), CHOSEN)
def test_what_a_variable_chooses_and_the_inventory_has_not_is_not_healthy(runbook, name, inventory):
    variables = load("roles", runbook, "vars", "main.yml")
    named = variables[f"{runbook}_healthy"]["named"]
    assert named["when"] == f"__{runbook}_unknown | length == 0"
    assert (
        f"__{runbook}_unknown | join" in named["whether"] and name in named["whether"] and inventory in named["whether"]
    )
    unknown = variables[f"__{runbook}_unknown"]
    assert (
        f"{name} | difference({inventory} | list)" in unknown or f"[{name}] | difference({inventory} | list)" in unknown
    )
    assert "beyond" not in named and "applies" not in named


@pytest.mark.parametrize("runbook", sorted(FORMERLY))
def test_a_name_of_the_version_before_still_works(runbook):
    variables = load("roles", runbook, "vars", "main.yml")
    known = {*variables.get(f"{runbook}_names", {}), *table_check.readings(runbook), *table_check.observers()}
    known |= {*variables, *load("roles", runbook, "defaults", "main.yml"), *SYSTEM}
    gone = {
        name: sorted(missing)
        for name, now in formerly(runbook).items()
        if (missing := table_check.used_in("{{ " + now + " }}") - known)
        and f"__{runbook}_{name}" not in variables
        and name not in ("observed", "looked")
    }
    assert gone == {}


def test_what_stands_for_a_name_of_the_version_before_is_asked_for():
    unknown = [name for runbook, names in NOW.items() for name in names if name not in FORMERLY[runbook]]
    assert unknown == []


MISTAKES = {
    # what somebody mistypes in db_pool: (what stands there, what they write, what is said)
    "a misspelt name in a when": (
        "when: refreshes | length",
        "when: refresh | length",
        "uses refresh, which is not defined",
    ),
    "a misspelt name in a summary": (
        "{{ refreshes | map(",
        "{{ refeshes | map(",
        "uses refeshes, which is not defined",
    ),
    "a misspelt name in evidence": (
        "db_pool_evidence:",
        'db_pool_evidence:\n  - more: "{{ capacitty }}"',
        "uses capacitty",
    ),
    "a name that nothing uses": (
        "db_pool_names:",
        'db_pool_names:\n  nobody: "{{ 1 }}"',
        "nobody is defined and not used",
    ),
    "a misspelt key of an observation": (
        ".prepared_transactions }}",
        ".prepared_transaction }}",
        "returns no prepared_transaction",
    ),
    "a name of an observation": (
        "db_pool_names:",
        'db_pool_names:\n  metrics: "{{ 1 }}"',
        "metrics hides an observation",
    ),
    "a key that is a method": (
        "db_pool_evidence:",
        "db_pool_evidence:\n  - more: \"{{ database['items'] }}\"",
        "database['items'] is the method of a dictionary",
    ),
    "an observation that is not asked": (
        "db_pool_evidence:",
        'db_pool_evidence:\n  - more: "{{ redis.role }}"',
        "uses redis",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake, tmp_path, monkeypatch):
    there, instead, said = MISTAKES[mistake]
    for part in ("roles", "plugins"):
        shutil.copytree(ROOT / part, tmp_path / part)
    monkeypatch.setattr(table_check, "ROOT", tmp_path)
    assert table_check.trouble_with("db_pool") == []
    file = tmp_path / "roles" / "db_pool" / "vars" / "main.yml"
    text = file.read_text()
    assert there in text
    file.write_text(text.replace(there, instead, 1))
    assert said in "; ".join(table_check.trouble_with("db_pool"))

"""What somebody forgets or gets wrong is noticed: each mistake is made in a copy of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import table_rows
from copies import contract, copy_to

DB_POOL = "roles/db_pool/vars/main.yml"
TABLE_TEST = "tests/unit/tables/test_db_pool_table.py"
REDIS = "plugins/modules/redis_info.py"

# mistake: file, what is replaced there (a regular expression; nothing: the file is taken away), by what,
# the file of contract tests that notices it, and which of its tests
MISTAKES = {
    "a runbook without a playbook": ("playbooks/db_pool.yml", "", "", "test_generated.py", "fresh"),
    "a runbook without a table test": (TABLE_TEST, "", "", "test_runbooks.py", "is_concluded and db_pool"),
    "a runbook without a scenario": ("molecule/db_pool/molecule.yml", "", "", "test_molecule.py", "has_a_scenario"),
    "a runbook that the sound stack does not run": (
        *("molecule/healthy/converge.yml", r"- name: Run the runbook db_pool\n.*\n", ""),
        *("test_molecule.py", "sound_stack"),
    ),
    "a runbook without a task that looks": ("roles/db_pool/tasks/look.yml", "", "", "test_runbooks.py", "only_reads"),
    "an option of which nothing else knows": (
        *("roles/db_pool/meta/runbook.yml", r"\n  raise_to:", "\n  raise_it_to:"),
        *("test_generated.py", "fresh"),
    ),
    "an alert without a rule": (
        *("roles/db_pool/meta/runbook.yml", r"alerts: \[", "alerts: [DbPoolOdd, "),
        *("test_alert_rules.py", "has_its_rule"),
    ),
    "a module without RETURN": (REDIS, r"RETURN = r", "RETURNS = r", "test_plugins.py", "strings and redis_info"),
    "a module without its documentation fragment": (
        *(REDIS, r"  - oncall.runbooks.observer\n", ""),
        *("test_plugins.py", "ansible_doc and redis_info"),
    ),
    "no row in the README": (
        *("README.md", r"\| \[db_pool\].*\n", ""),
        *("test_generated.py", "fresh"),
    ),
    "no row in the architecture": (
        *("docs/architecture.md", r"\| `postgres_session` \|.*\n", ""),
        *("test_docs.py", "only_modules"),
    ),
    "another threshold in the rule of an alert": (
        *("extensions/prometheus/rules/db_pool.yml", r">= 0\.8\b", ">= 0.7"),
        *("test_alert_rules.py", "thresholds and DbPoolHighUsage"),
    ),
    "an alert of which nobody says what threshold it has": (
        *("tests/contract/test_alert_rules.py", r'    "DbPoolHighUsage": .*\n', ""),
        *("test_alert_rules.py", "it_is_known"),
    ),
    "no conclusive": (
        DB_POOL,
        r"\n +conclusive: database\.complete\n",
        "\n",
        "test_runbooks.py",
        "conclusive and db_pool",
    ),
    "no operates": (
        *(
            DB_POOL,
            r"    operates: .*db_pool_service.*restart\]\}\n",
            '    targets: [{service: "{{ db_pool_service }}"}]\n',
        ),
        *("test_runbooks.py", "needs_the_services and pool_leak"),
    ),
    "targets that are always the same": (
        *(DB_POOL, r"targets: .*idle_in_transaction.*\n(?: {6,}.*\n)*", "targets: [{pid: all}]\n"),
        *("test_runbooks.py", "targets_are and idle_in_transaction"),
    ),
    "no integration test": ("tests/integration/test_db_pool.py", "", "", "test_runbooks.py", "real_stack and db_pool"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    return copy_to(tmp_path_factory.mktemp("copy"))


@pytest.fixture
def plant(copy):
    """A function that changes a file of the copy until the test has ended."""
    kept: dict[Path, str] = {}

    def change(name: str, there: str, instead: str) -> None:
        path = copy / name
        kept[path] = path.read_text()
        if there:
            changed, count = re.subn(there, lambda _: instead, kept[path], count=1)
            assert count, f"{name} has no {there} any more"
            path.write_text(changed)
        else:
            path.unlink()

    yield change
    for path, text in kept.items():
        path.write_text(text)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(copy, plant, mistake):
    name, there, instead, file, chosen = MISTAKES[mistake]
    plant(name, there, instead)
    noticed = contract(copy, file, chosen)
    # 1: tests failed. Anything else would be a mistake of this test.
    assert noticed.returncode == 1, noticed.stdout + noticed.stderr


def test_without_a_mistake_nothing_is_noticed(copy):
    """Of the tests above, so that none of them fails in a copy anyway."""
    for file in sorted({row[3] for row in MISTAKES.values()}):
        chosen = " or ".join(f"({row[4]})" for row in MISTAKES.values() if row[3] == file)
        ran = contract(copy, file, chosen)
        assert ran.returncode == 0, ran.stdout + ran.stderr


ROW_MISTAKES = {
    "no healthy case": (r"(?m)^HEALTHY_ROW = .*\n", "", "has no HEALTHY_ROW"),
    "no case with another cause": (r"(?m)^WRONG_CAUSE_ROW = .*\n", "", "has no WRONG_CAUSE_ROW"),
    "no case without telemetry": (r"(?m)^NO_TELEMETRY_ROW = .*\n", "", "has no NO_TELEMETRY_ROW"),
    "the healthy case was taken away": (r'(?m)^    "nothing": ', '    "anything": ', "is not there"),
    "a case without telemetry that has it": (
        *(r"(?m)^NO_TELEMETRY_ROW = .*\n", 'NO_TELEMETRY_ROW = "test_measured_concluded[nothing]"\n'),
        "is unknown, and acts on nothing",
    ),
    "another cause on which it acts": (
        *(r"(?m)^WRONG_CAUSE_ROW = .*\n", 'WRONG_CAUSE_ROW = "test_measured_concluded[idle in transaction]"\n'),
        "something else is the cause",
    ),
}


@pytest.mark.parametrize("mistake", ROW_MISTAKES)
def test_a_missing_row_of_a_table_is_noticed(copy, plant, tmp_path, mistake):
    there, instead, said = ROW_MISTAKES[mistake]
    plant(TABLE_TEST, there, instead)
    results = table_rows.concluded(["db_pool"], tmp_path, copy)
    assert said in "; ".join(table_rows.trouble_with("db_pool", results, copy))

"""A runbook that was just started keeps the contract, and a name that cannot be had is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from copies import copy_to, run

NAME = "disk_slow"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_to(tmp_path_factory.mktemp("copy"))


def test_it_is_green(copy):
    started = run(copy, "docs.generate.new", NAME)
    assert (started.returncode, started.stderr) == (0, "")
    assert f"roles/{NAME}/tasks/remedies/" in started.stdout, "it says what to write next"
    assert run(copy, "docs.generate", "--check").stdout == ""
    files = ("alert_rules", "awx", "changelog", "docs", "generated", "molecule", "roles", "runbooks", "tables")
    chosen = [f"tests/contract/test_{name}.py" for name in files]
    own = f"tests/unit/tables/test_{NAME}_table.py"
    # The others keep the contract here as they do without it.
    others = " or ".join(
        path.parents[1].name for path in (copy / "roles").glob("*/meta/runbook.yml") if NAME not in path.parts
    )
    ran = run(
        copy,
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-k",
        # A copy has no history.
        f"not (stale_is_told_and_written or a_change_for_users_has_a_fragment or {others})",
        *chosen,
        own,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"(\d+) passed", ran.stdout)[1]) >= 60, ran.stdout[-300:]
    assert run(copy, "yamllint", "--strict", "roles", "playbooks", "molecule").stdout == ""
    assert run(copy, "ruff", "check", own).returncode == 0
    assert run(copy, "ruff", "format", "--check", own).returncode == 0

    again = run(copy, "docs.generate.new", NAME)
    assert (again.returncode, again.stdout, again.stderr) == (2, "", f"{NAME} is there already; take another name\n")


@pytest.mark.covers("PD-9-2")
def test_triage_finds_it_by_its_meta_alone(copy, tmp_path):
    if not (copy / "roles" / NAME).exists():
        assert run(copy, "docs.generate.new", NAME).returncode == 0
    variables = {"ansible_python_interpreter": sys.executable, "system_state_directory": str(tmp_path)}
    argv = [Path(sys.executable).with_name("ansible-playbook"), "-i", "shop,", "-c", "local", "playbooks/triage.yml"]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
        "ONCALL_RECORD_DIRECTORY": str(tmp_path / "records"),
    }
    ran = subprocess.run(
        [*argv, "-e", json.dumps(variables)],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (record,) = (tmp_path / "records").glob("*.json")
    (told,) = json.loads(record.read_text())["runs"]
    assert NAME in {note.split(": ")[1] for note in told["notes"]} | {one["cause"] for one in told["findings"]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("db_pool", "is there already"),
        ("ledger", "is there already"),
        ("Disk-Slow", "is no name for a role"),
        ("../disk", "is no name for a role"),
        ("class", "is no name for a role"),
        ("run_more", "would begin alike"),
        ("", "make new-runbook NAME=disk_slow"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_in_one_line(copy, name, said):
    refused = run(copy, "docs.generate.new", *([name] if name else []))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1

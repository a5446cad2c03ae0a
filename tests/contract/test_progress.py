"""What a terminal shows of a run: steps for the roles of this collection, and Ansible's own words for all else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from collection import ROOT

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: A task of their own
      ansible.builtin.set_fact:
        theirs: 1
      changed_when: true
    - name: A runbook
      ansible.builtin.include_role:
        name: oncall.runbooks.port_conflict
"""
SECRET = "s3cr3t-of-the-inventory"
MISSING = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
NOT_THERE = {
    "ansible_connection": "local",
    "ansible_python_interpreter": f"/nowhere/python?password={SECRET}",
    "system_services": {"api": {"manager": "supervisor", "name": "api"}},
}


def run(folder: Path, variables: dict[str, object], *options: str) -> str:
    (folder / "play.yml").write_text(PLAY)
    (folder / "hosts.yml").write_text(f"all: {{hosts: {{shop: {variables}}}}}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment |= {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ONCALL_RECORD_DIRECTORY": str(folder / "records"),
        "ANSIBLE_NOCOLOR": "1",
    }
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder / "hosts.yml", folder / "play.yml", *options],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stdout + ran.stderr
    return ran.stdout


def test_a_run_that_fails_says_so_once_beside_the_tasks_of_others(tmp_path):
    said = run(tmp_path, MISSING)
    assert "TASK [A task of their own]" in said and "changed: [shop]" in said
    assert "oncall.runbooks.port_conflict :" not in said, "no name of a task of a role"
    assert re.findall(r"^(\w+): +\[shop\] (.*)", said, re.MULTILINE)[-1][0] == "failed", said
    assert "shop                       : ok=" in said, "the recap is Ansible's"
    assert re.search(r"^shop : unknown +.*system_", said, re.MULTILINE), said


def test_verbose_shows_every_task(tmp_path):
    said = run(tmp_path, MISSING, "-v")
    assert "TASK [oncall.runbooks.port_conflict : Validating arguments" in said, said
    assert not re.search(r"^(looking|found|failed): ", said, re.MULTILINE)


def test_no_secret_is_in_a_reason(tmp_path):
    said = run(tmp_path, NOT_THERE)
    assert "failed:   [shop] " in said and SECRET not in said, said

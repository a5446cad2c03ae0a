# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role service or queue, run as a play."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY


def play(
    folder: Path,
    services: dict[str, Any],
    steps: list[dict[str, Any]],
    *options: str,
    role: str = "service",
    **variables: Any,
) -> tuple[list[dict[str, Any]], str]:
    """Include the role once for each step, in one play.

    Args:
        folder: where the playbook is written.
        services: ``system_services``.
        steps: the role's variables, for each time.
        options: of ansible-playbook.
        role: which one.
        variables: of the inventory besides.

    Returns:
        What each step failed with (None where it did not), and whether it changed something; and the whole output.
    """
    tasks: list[dict[str, Any]] = []
    for number, of_step in enumerate(steps):
        include: dict[str, Any] = {
            "ansible.builtin.include_role": {"name": f"oncall.runbooks.{role}"},
            "vars": of_step,
        }
        rescue = {"ansible.builtin.set_fact": {f"failed_{number}": "{{ ansible_failed_result.msg }}"}}
        marker = {"name": f"step {number}", "ansible.builtin.meta": "noop"}
        tasks += [marker, {"block": [{"name": f"step {number}", **include}], "rescue": [rescue]}]
    book = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable, "system_services": services, **variables},
        "tasks": tasks,
    }
    path = Path(folder, "play.yml")
    path.write_text(json.dumps([book]))
    config = Path(folder, "ansible.cfg")
    config.write_text(f"[defaults]\ncollections_path = {REPOSITORY}/collections\n[connection]\npipelining = True\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(path), *options],
        cwd=REPOSITORY,
        env=dict(
            os.environ,
            ANSIBLE_CONFIG=str(config),
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
            ANSIBLE_FORCE_COLOR="0",
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        ),
        capture_output=True,
        text=True,
        timeout=480,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    tasks = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"]
    return outcomes(tasks, len(steps)), done.stdout


def outcomes(tasks: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """What each step failed with, and whether it changed something, from the tasks that ran."""
    found: list[dict[str, Any]] = [{"failed": None, "changed": False} for _ in range(count)]
    number = 0
    for task in tasks:
        result = task["hosts"].get("localhost", {})
        if task["task"]["name"].startswith("step "):
            number = int(task["task"]["name"].split()[1])
        facts = result.get("ansible_facts", {})
        found[number]["changed"] = found[number]["changed"] or bool(result.get("changed"))
        found[number]["failed"] = facts.get(f"failed_{number}", found[number]["failed"])
    return found


def step(verb: str, name: str = "api", **more: Any) -> dict[str, Any]:
    """The variables of the role for one verb."""
    return {"service_name": name, "service_verb": verb, "service_wait_seconds": 15, **more}

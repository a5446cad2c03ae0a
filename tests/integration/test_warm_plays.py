# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play that a test forks is what the program would have done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY, begun, environment_of_a_play
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SAID: dict[str, list[dict[str, Any]]] = {
    "its environment and a module": [
        {"debug": {"msg": "{{ lookup('env', 'WHERE') }} {{ lookup('pipe', 'pwd') }} {{ ansible_version.full }}"}},
        {"ping": {}},
        {"ping": {"data": "again"}},
    ],
    "a failed task": [{"fail": {"msg": "so"}}],
    "a task that is none": [{"nonsense": {}}],
}


def plays(folder: Path, tasks: list[dict[str, Any]]) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of a play with such tasks."""
    host = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    host["vars"] = {"ansible_python_interpreter": sys.executable}
    book = folder / "play.yml"
    book.write_text(json.dumps([host]))
    return ["ansible-playbook", "-i", "localhost,", str(book)], environment_of_a_play(folder) | {"WHERE": "here"}


def ended(folder: Path, argv: list[str], environment: dict[str, str]) -> tuple[int, str]:
    with open(folder / "output", "w") as output:
        code = begun(argv, environment, output).wait(60)
    return code, (folder / "output").read_text()


@pytest.mark.parametrize("tasks", SAID.values(), ids=SAID)
def test_it_says_what_the_program_says(tmp_path, tasks):
    argv, environment = plays(tmp_path, tasks)
    program = subprocess.run(
        argv, cwd=REPOSITORY, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    for _again in range(2):
        assert ended(tmp_path, argv, environment) == (program.returncode, program.stdout)


def test_a_killed_one_is_dead(tmp_path):
    # What a killed play has begun goes on to its own end, as it does after the program.
    argv, environment = plays(tmp_path, [{"wait_for": {"timeout": 15}}])
    with open(tmp_path / "output", "w") as output:
        play = begun(argv, environment, output)
    until(lambda: "TASK" in (tmp_path / "output").read_text())
    assert play.poll() is None
    play.kill()
    assert play.wait(10) == -9

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remedy is given may hold a password, and is not written into the log of the managed host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from ansible_collections.oncall.runbooks.tests.support.host_log import host_log
from ansible_collections.oncall.runbooks.tests.support.plays import AS_ELSEWHERE
from ansible_collections.oncall.runbooks.tests.support.serving import REPOSITORY, Host

TOKEN = "planted-7c41-token"


def test_a_remedy_leaves_its_arguments_out_of_it(tmp_path):
    host = Host(tmp_path, "h", 0)
    variables = host.variables()
    # The program takes no notice of more arguments.
    variables["system_services"]["redis"]["commands"]["restart"].append(TOKEN)
    variables["ansible_python_interpreter"] = AS_ELSEWHERE
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"h": variables}}}))
    log = host_log(tmp_path / "logs")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment.update(
        ANSIBLE_CONFIG=str(REPOSITORY / "ansible.cfg"),
        ONCALL_RECORD_DIRECTORY=str(tmp_path / "records"),
        PYTHONPATH=str(log.parent),
    )
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    try:
        ran = subprocess.run(
            [program, "-i", str(inventory), "playbooks/cache.yml"],
            cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    finally:
        host.stop()
    assert ran.returncode == 0 and "resolved" in ran.stdout, ran.stdout + ran.stderr
    assert TOKEN not in (log.read_text() if log.exists() else "")

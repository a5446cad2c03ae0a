# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as Ansible runs them: a process of their own, parameters in, one JSON document out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

COLLECTIONS = Path(__file__).parents[2] / "collections"


def run_module(module: str, folder: Path, /, check: bool = False, diff: bool = False, **params: object):
    """The exit code and the result of a module of this collection.

    Args:
        module: its short name.
        folder: where it may keep temporary files.
        check: run it in check mode.
        diff: run it in diff mode.
        params: its options.
    """
    with begun(module, folder, check, diff, **params) as process:
        stdout, stderr = process.communicate(timeout=240)
    assert stdout.lstrip().startswith(b"{"), (stdout + stderr).decode()
    return process.returncode, json.loads(stdout)


def begun(
    module: str, folder: Path, /, check: bool = False, diff: bool = False, **params: object
) -> subprocess.Popen[bytes]:
    """A module of this collection that has been started, to be ended by the test."""
    internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(folder)}
    with tempfile.TemporaryFile() as given:
        given.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **internal}}).encode())
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", f"ansible_collections.oncall.runbooks.plugins.modules.{module}"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(COLLECTIONS)),
        )

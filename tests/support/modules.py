# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as Ansible runs them: a process of their own, parameters in, one JSON document out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.oncall.runbooks.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **internal}}),
        env=dict(os.environ, PYTHONPATH=str(COLLECTIONS)),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout.lstrip().startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)

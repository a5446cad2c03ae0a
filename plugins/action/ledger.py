# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.ledger). Before a claim it looks whether the program that began this play still may act, and has the
controller know that from here on the run may."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.noted import note

# The file that the program which began this play removes last: as long as it is there, no remedy was begun.
UNTOUCHED = "ONCALL_UNTOUCHED_FILE"
# Has the time in it, in seconds since this machine was booted, until which the program has its lease.
LEASE = "ONCALL_LEASE_FILE"


class ActionModule(ActionBase):
    """The module, with nothing but that before it."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        claims = self._task.args.get("state") == "claim" and not self._task.check_mode
        if claims and (why := why_not(os.environ.get(LEASE, ""))):
            refused = {"granted": False, "guard": "lease", "reason": why, "claim_id": None, "passed_guards": []}
            return {**result, **refused, "available": True, "changed": False}
        if claims and os.environ.get(UNTOUCHED):
            note(os.environ[UNTOUCHED])
        result.update(self._execute_module(task_vars=task_vars))
        return result


def why_not(file: str) -> str:
    """Why nothing may be claimed now; "" where it may."""
    if not file:
        return ""
    try:
        seconds = float(Path(file).read_text(encoding="ascii"))
    except (OSError, ValueError):
        seconds = 0.0
    if time.clock_gettime(time.CLOCK_BOOTTIME) < seconds:
        return ""
    return "the lease of the oncall serve that began this run ran out: another node sees to it; nothing was begun"

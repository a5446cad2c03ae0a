# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.ledger), and has the controller know before a claim that from here on the run may act."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.noted import note

# The file that the program which began this play removes last: as long as it is there, no remedy was begun.
UNTOUCHED = "ONCALL_UNTOUCHED_FILE"


class ActionModule(ActionBase):
    """The module, with nothing but that before it."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if self._task.args.get("state") == "claim" and not self._task.check_mode and os.environ.get(UNTOUCHED):
            note(os.environ[UNTOUCHED])
        result.update(self._execute_module(task_vars=task_vars))
        return result

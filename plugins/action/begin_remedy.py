# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the controller know that from here on a remedy may have changed something."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.noted import note

# The file that the program which began this play removes last: as long as it is there, no remedy was begun, whatever was claimed.
NOT_BEGUN = "ONCALL_NOT_BEGUN_FILE"


class ActionModule(ActionBase):
    """Sends nothing to the host: a run that was cut off here has done nothing there."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        file = "" if self._task.check_mode else os.environ.get(NOT_BEGUN, "")
        if file:
            note(file)
        result.update(changed=False, noted=bool(file))
        return result

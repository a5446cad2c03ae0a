# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits, for each host by itself."""

from __future__ import annotations

import math
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

LONGEST_SECONDS = 3600


class ActionModule(ActionBase):
    """C(ansible.builtin.pause) takes the first host's time for all of them and does not go with the strategy free."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            seconds = float(self._task.args["seconds"])
        except (KeyError, TypeError, ValueError):
            seconds = math.nan
        if not 0 <= seconds <= LONGEST_SECONDS:
            raise AnsibleActionFail(f"seconds must be a number from 0 to {LONGEST_SECONDS}")
        time.sleep(seconds)
        result.update(changed=False, seconds=seconds)
        return result

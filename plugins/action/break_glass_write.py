# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module break_glass_write for what the plan says, and shows nothing of what it is given."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.granting import grant_of_step, is_in_a_step, settings_apart
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import executed_quietly

NOT_PLANNED = (
    "the plan of this remedy asks for no break-glass token; its cause says so with needs: {break_glass: {reason: ...}}"
)


class ActionModule(ActionBase):
    """In a remedy a token is asked for as its plan says, which a person may have approved; whatever the task says."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = plain(self._task.args)
        if is_in_a_step(variables):
            grant = grant_of_step(variables, self._templar.template)
            if grant is None:
                return {**result, "failed": True, "msg": NOT_PLANNED, "status": None, "break_glass": None}
            arguments["grant"] = grant
        result.update(executed_quietly(self, settings_apart(arguments), variables))
        return result

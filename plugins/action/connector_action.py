# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module connector_action, and shows nothing of what it is given."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.granting import NEEDED, SECRETS, with_token
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import executed_quietly


class ActionModule(ActionBase):
    """A URL or a body may hold a key. In a remedy the plan alone says whether a token is asked for, to write where the system is read-only."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {key: value for key, value in plain(self._task.args).items() if key not in (NEEDED, SECRETS)}
        arguments.update(with_token(variables, self._templar.template))
        result.update(executed_quietly(self, arguments, variables))
        return result

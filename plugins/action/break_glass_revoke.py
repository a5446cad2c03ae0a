# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module break_glass_revoke, and shows nothing of what it is given."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.granting import settings_apart
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import executed_quietly


class ActionModule(ActionBase):
    """The settings hold the key of whoever may give tokens."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        result.update(executed_quietly(self, settings_apart(plain(self._task.args)), task_vars or {}))
        return result

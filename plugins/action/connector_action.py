# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module connector_action, and shows nothing of what it is given."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """A URL or a body may hold a key: neither the log of the host nor C(-vvv) gets the arguments."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        answer = self._execute_module(task_vars={**(task_vars or {}), "ansible_no_target_syslog": True})
        answer.pop("invocation", None)
        result.update(answer)
        return result

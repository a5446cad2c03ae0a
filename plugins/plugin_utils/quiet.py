# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules whose arguments nobody may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase


def executed_quietly(action: ActionBase, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """What the module of an action answers. Neither the log of the host nor C(-vvv) gets its arguments."""
    quiet = {**task_vars, "ansible_no_target_syslog": True}
    answer: dict[str, Any] = action._execute_module(module_args=dict(arguments), task_vars=quiet)
    answer.pop("invocation", None)
    return answer

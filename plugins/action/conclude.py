# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a run and publishes what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from ..module_utils.text.one_line import inert, one_line
from ..plugin_utils import lifecycle
from ..plugin_utils.plain import plain

RECORD = "oncall.runbooks.record"


class ActionModule(ActionBase):
    """One task for the outcome and C(set_stats), because every host pays for each task."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = plain(self._task.args)
        diagnosis, state = arguments["diagnosis"], arguments["state"]
        # Facts outlive a role: a state that was concluded before belongs to an earlier runbook of this play.
        state_id = state.get("id", "")
        if state_id == arguments["concluded"]:
            state = {}
        is_check = bool(self._task.check_mode or diagnosis.get("check_mode"))
        run = lifecycle.result_of(state, diagnosis, is_check, time.time())
        above = plain((task_vars or {}).get("ansible_parent_role_names") or [])
        run = inert({**run, "begun_by": begun_by(above, run["runbook"])})
        if RECORD not in constants.CALLBACKS_ENABLED:
            # Without the callback of that name, no line would show the result.
            line = one_line(f"{run['host']} : {run['outcome']}: {run['summary']}", 500)
            self._display.display(line, color=lifecycle.COLORS.get(run["outcome"], "red"))
        result.update(
            changed=any(action["state"] != "failed" for action in run["actions"]),
            msg=f"{run['outcome']}: {run['summary']}",
            state_id=state_id,
            run=run,
            # For a runbook that handed over to this one.
            ansible_facts={
                "run_outcomes": {**plain((task_vars or {}).get("run_outcomes") or {}), run["runbook"]: run["outcome"]}
            },
            ansible_stats={
                "data": {"oncall": {run["host"]: {run["runbook"]: run}}},
                "per_host": False,
                "aggregate": True,
            },
        )
        return result


def begun_by(roles: Sequence[str], runbook: str) -> str:
    """The runbook that handed over to this one, or C(triage); "" where it runs by itself.

    Args:
        roles: those that it is in, the nearest first.
        runbook: its own name.
    """
    names = [name.rpartition(".")[2] for name in roles]
    return next((name for name in names if name not in ("run", runbook)), "")

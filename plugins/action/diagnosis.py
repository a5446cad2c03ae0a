# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a runbook's table of likely causes, in the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.diagnosing import Diagnosing
from ..plugin_utils.plain import plain


class ActionModule(ActionBase):
    """Takes the raw variables, so that each cause is templated by itself."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        if not isinstance(self._task.args.get("observed"), Mapping):
            raise AnsibleActionFail("observed takes what the observers returned, by observer")
        role = Path(variables["role_path"])
        observed = plain(self._task.args["observed"])
        self.table = Diagnosing(role, variables, observed, self._templar, self._deprecated)
        if missing := self.table.missing(plain(self._task.args.get("requires", []))):
            # Nothing to look at would read as healthy.
            raise AnsibleActionFail(f"set {missing[0]}: without it {role.name} has nothing to look at")
        asked = plain(self._task.args.get("names", []))
        if asked:
            result.update(changed=False, names=self.table.named(asked))
            return result
        # A play or a task can be in check mode where ansible_check_mode does not say so.
        result.update(changed=False, **self.table.diagnosis(bool(self._task.check_mode)))
        return result

    def _deprecated(self, what: str) -> None:
        self._display.deprecated(
            f"In the causes of this inventory, {what}.", version="0.3.0", collection_name="oncall.runbooks"
        )

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that failed, in one line for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..module_utils.text.masking import masked

# What Ansible says around the reason that an argument has no value.
_AROUND = re.compile(
    r"^Task failed: Finalization of task args for '[^']*' failed: Error while resolving value for '[^']*': "
    r"(The filter plugin '(?:ansible\.builtin\.mandatory|oncall\.runbooks\.\w+)' failed: )?"
)


_TOLD = 3


def reason_of(result: Mapping[str, Any]) -> str:
    """Why a task failed. Of a loop, of which Ansible says only that some of it failed: what failed, and why.

    Args:
        result: of the task.
    """
    items = result.get("results")
    failed = [one for one in items if isinstance(one, Mapping) and one.get("failed")] if isinstance(items, list) else []
    if not failed:
        return str(result.get("msg") or "no message")
    told = [": ".join(filter(None, (_item(one), str(one.get("msg") or "no message")))) for one in failed]
    more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"{'; '.join(told[:_TOLD])}{more}"


def _item(result: Mapping[str, Any]) -> str:
    """What the loop was at."""
    item = result.get("_ansible_item_label", result.get(str(result.get("ansible_loop_var", "item"))))
    # Who writes a loop over what is long gives it a label.
    return str(item) if isinstance(item, (str, int, float)) else ""


def failure(task: Any, result: Mapping[str, Any], name: str = "") -> str:
    """The task that failed and the reason, without secrets.

    Args:
        task: the task, as Ansible gives it to a callback plugin.
        result: what came back.
        name: how the task is called here. Without it, Ansible's name for it.
    """
    reason = masked(_AROUND.sub("", reason_of(result)), 500)
    if str(task.action).endswith("validate_argument_spec"):
        # Ansible puts this task in front of a role. The reason names the variable, and that is all there is to say.
        return reason
    return f"{name or task.get_name()}: {reason}"

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that failed, in one line for a person."""

from __future__ import annotations

import re
from typing import Any

from ..module_utils.text.masking import masked

# What Ansible says around the reason that an argument has no value.
_AROUND = re.compile(
    r"^Task failed: Finalization of task args for '[^']*' failed: Error while resolving value for '[^']*': "
    r"(The filter plugin '(?:ansible\.builtin\.mandatory|oncall\.runbooks\.\w+)' failed: )?"
)


def failure(task: Any, message: Any, name: str = "") -> str:
    """The task that failed and the reason, without secrets.

    Args:
        task: the task, as Ansible gives it to a callback plugin.
        message: C(msg) of its result.
        name: how the task is called here. Without it, Ansible's name for it.
    """
    reason = masked(_AROUND.sub("", str(message or "no message")), 500)
    if str(task.action).endswith("validate_argument_spec"):
        # Ansible puts this task in front of a role. The reason names the variable, and that is all there is to say.
        return reason
    return f"{name or task.get_name()}: {reason}"

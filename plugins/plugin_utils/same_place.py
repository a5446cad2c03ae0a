# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a module would run right here: then what it does can be done without packing it and starting Python."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from .plain import plain


def runs_here(action: ActionBase, variables: Mapping[str, Any]) -> bool:
    """Whether a module of this task would run on this host, as this user, with this environment and by this interpreter.

    Args:
        action: of the task.
        variables: of the host.
    """
    connection = action._connection
    if connection.transport != "local" or connection.become is not None or any(action._task.environment or ()):
        return False
    # Without one, Ansible looks for another Python, which may not have what this one has.
    given = variables.get("ansible_python_interpreter")
    return given is not None and plain(action._templar.template(given)) == sys.executable

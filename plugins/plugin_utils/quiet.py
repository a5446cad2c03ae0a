# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules whose arguments nobody may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


@contextmanager
def answers_hidden(action: ActionBase) -> Iterator[None]:
    """A connection shows with C(-vvv) what a module answers. Within this it does not.

    It hides as well why it cannot reach the host, which a person has to know: then it is asked once more, for nothing that is secret.
    """
    context = action._connection._play_context
    is_hidden = context.no_log
    try:
        context.no_log = True
        yield
    except AnsibleConnectionFailure:
        context.no_log = is_hidden
        if not is_hidden:
            action._low_level_execute_command("exit 0", sudoable=False)
        raise
    finally:
        context.no_log = is_hidden


def executed_quietly(action: ActionBase, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """What the module of an action answers. Neither the log of the host nor C(-vvv) gets its arguments."""
    quiet = {**task_vars, "ansible_no_target_syslog": True}
    answer: dict[str, Any] = action._execute_module(module_args=dict(arguments), task_vars=quiet)
    answer.pop("invocation", None)
    return answer

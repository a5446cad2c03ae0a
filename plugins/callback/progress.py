# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at a terminal sees of a runbook while it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: A run of a runbook as looking, found, acting and proving
version_added: 0.2.0
author: oncall.runbooks maintainers (@oncall-runbooks)
description:
  - Shows the tasks of this collection's roles as one line for each step of the run, for example what was found or which remedy begins,
    in place of the name and the state of every task. All other tasks look as they do with P(ansible.builtin.default#callback).
  - With C(-v) every task of every role is shown as P(ansible.builtin.default#callback) shows it.
  - The closing summary comes from P(oncall.runbooks.record#callback).
requirements:
  - set as stdout in configuration
extends_documentation_fragment:
  - ansible.builtin.default_callback
  - ansible.builtin.result_format_callback
"""

from pathlib import Path
from typing import Any

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default

from ..module_utils.text.masking import masked
from ..module_utils.text.one_line import inert, one_line
from ..plugin_utils import lifecycle
from ..plugin_utils.failures import failure

COLLECTION = "oncall.runbooks."
RUN = COLLECTION + "run"


class CallbackModule(Default):
    """Shows the steps of a run where the tasks are of this collection."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "oncall.runbooks.progress"

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        # The step that each host said last: a proof takes several looks, and is one step.
        self._said: dict[str, tuple[str, str]] = {}
        self._proving: set[str] = set()

    # ------------------------------------------------------------------ tasks
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if self._is_step(task):
            # The name has its values only now.
            self._names[task._uuid] = _name(task)
        else:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if not self._is_step(task):
            super().v2_runner_on_start(host, task)
        elif task.action == COLLECTION + "triage":
            self._say(host, "looking", "at everything")
        elif task.action == COLLECTION + "snapshot":
            self._say(host, "looking", "at all there is, for a snapshot")
        elif task.action == COLLECTION + "observe" and host.get_name() not in self._proving:
            self._say(host, "looking", self._name(task).removeprefix("Look ").strip())

    def v2_playbook_on_include(self, included_file: Any) -> None:
        task = included_file._task
        if not self._is_step(task):
            super().v2_playbook_on_include(included_file)
            return
        step = included_file._vars.get("run_step") or {}
        file = Path(str(included_file._filename)).name if task._role.get_name() == RUN else ""
        for host in included_file._hosts:
            if file == "confirm.yml":
                self._say(host, "waiting", "before a second look")
            elif file == "claim.yml":
                self._say(host, "asking", "the ledger whether this may be done now")
            elif file == "remedy.yml":
                self._say(host, "acting", f"{step.get('remedy')} on {step.get('words')}")
            elif file in ("verify.yml", "look_back.yml"):
                self._proving.add(host.get_name())
                self._say(host, "proving", "that the signal is gone and stays away")
            elif file == "rollback.yml":
                self._say(host, "undoing", "what can be undone, and did not help")
            elif file == "escalate.yml":
                self._say(host, "telling", "a person")

    # ------------------------------------------------------------------ results
    def v2_runner_on_ok(self, result: Any) -> None:
        if not self._is_step(result._task) or result._result.get("_ansible_verbose_always"):
            super().v2_runner_on_ok(result)
            return
        self._warn(result)
        if isinstance(result._task, TaskInclude):
            return
        action, answer = result._task.action, result._result
        if action == COLLECTION + "conclude":
            self._proving.discard(result._host.get_name())
        elif action == COLLECTION + "diagnosis" and answer.get("status", "healthy") != "healthy":
            self._say(result._host, "found", answer.get("msg"), lifecycle.COLORS.get(answer.get("status"), "red"))
        elif action == COLLECTION + "snapshot":
            self._say(result._host, "kept", answer.get("summary"))
        elif answer.get("changed") and result._task._role.get_name() != RUN:
            self._say(result._host, "changed", self._name(result._task), "yellow")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._is_step(result._task):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._warn(result)
        if result._task._role.get_name() == RUN and result._task.action == "ansible.builtin.fail":
            # The return code of a run that was concluded: the summary says it.
            return
        reason = failure(result._task, result._result, self._name(result._task))
        self._say(result._host, "failed", reason, "red")

    def v2_runner_on_skipped(self, result: Any) -> None:
        if not self._is_step(result._task):
            super().v2_runner_on_skipped(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not self._is_step(result._task):
            super().v2_runner_on_unreachable(result)
            return
        self._say(
            result._host, "failed", f"host unreachable: {masked(result._result.get('msg') or 'no message', 500)}", "red"
        )

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._is_step(result._task):
            super().v2_runner_item_on_ok(result)
        elif result._result.get("changed"):
            self._say(result._host, "changed", self._name(result._task), "yellow")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not self._is_step(result._task):
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        if not self._is_step(result._task):
            super().v2_runner_item_on_skipped(result)

    # ------------------------------------------------------------------ lines
    def _is_step(self, task: Any) -> bool:
        ours = task._role is not None and task._role.get_name().startswith(COLLECTION)
        return bool(ours and not self._display.verbosity)

    def _name(self, task: Any) -> str:
        return self._names.get(task._uuid) or _name(task)

    def _warn(self, result: Any) -> None:
        self._handle_warnings_and_exception(result)

    def _say(self, host: Any, step: str, text: Any, color: str | None = None) -> None:
        said = (step, str(text))
        if self._said.get(host.get_name()) != said:
            self._said[host.get_name()] = said
            line = f"{step + ':':<9} [{host.get_name()}] {one_line(inert(said[1]), 400)}"
            self._display.display(line, color=color)


def _name(task: Any) -> str:
    """The name of a task without the file that it is in."""
    return str(task.name or task.action).strip().rpartition(" | ")[2]

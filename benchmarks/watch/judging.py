# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes what each judged table costs, in a play (as a callback of Ansible) and in the table tests (as a plugin of pytest)."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

# A single measurement this close to the budget is made again, because a busy machine makes any work costlier.
CLOSE_SECONDS, AGAIN = 0.1, 4
Judged = tuple[float, dict[str, Any]]


def watch(apart: bool = False) -> None:
    """From now on, append a line of JSON to the file JUDGED for each table that is judged.

    Args:
        apart: judge in a process of its own, as a play does. Templates that this process has read before would make a
            table look two or three times cheaper than it is in a play.
    """
    from ansible_collections.oncall.runbooks.plugins.action import diagnosis

    judge = diagnosis.ActionModule.run

    def judged(self: Any, tmp: Any, task_vars: Any) -> Judged:
        began = time.process_time()
        result = judge(self, tmp, task_vars)
        return time.process_time() - began, result

    def run(self: Any, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        def once() -> Judged | None:
            return in_a_child(lambda: judged(self, tmp, task_vars)) if apart else judged(self, tmp, task_vars)

        first = once()
        if first is None:
            # A child cannot send an exception: it happens again here, and is no part of the measurement.
            return judge(self, tmp, task_vars)
        seconds, result = first
        for _ in range(AGAIN if apart and seconds > CLOSE_SECONDS else 0):
            more = once()
            seconds = min(seconds, more[0]) if more else seconds
        if "status" in result:  # else only names were asked for
            note(result, seconds)
        return result

    diagnosis.ActionModule.run = run  # type: ignore[method-assign]


def note(result: dict[str, Any], seconds: float) -> None:
    found = [str(one["cause"]) for one in result["findings"] if one["status"] != "ok"]
    line = {"runbook": str(result["runbook"]), "found": found, "cpu_seconds": seconds}
    with Path(os.environ["JUDGED"]).open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def in_a_child(work: Callable[[], Judged]) -> Judged | None:
    """What work returns in a process of its own; None where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with open(writing, "wb") as stream:
                stream.write(pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as stream:
        sent = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(sent) if sent else None


def pytest_configure() -> None:
    watch(apart=True)


class CallbackModule(CallbackBase):
    """Ansible makes one before it forks the process that judges."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "judging"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        del playbook
        watch()

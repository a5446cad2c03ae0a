# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing summary and the record of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: record
type: notification
short_description: Closing summary and record of each run of a runbook
version_added: 0.1.0
author: oncall.runbooks maintainers (@oncall-runbooks)
description:
  - At the end of a play that ran a runbook of this collection, prints one line a host with the outcome and what to do,
    and writes what happened as JSON and as Markdown, readable by the user alone. Other plays are left alone.
  - Of a snapshot it says where the archive is, and what is not in it.
  - Hosts that failed or could not be reached before a runbook came to an end are in it as C(unknown), with the reason.
requirements:
  - enable in configuration
options:
  directory:
    description: Where the records go. It is made, for the user alone, if it is not there.
    type: path
    default: ~/.local/state/oncall/runs
    env:
      - name: ONCALL_RECORD_DIRECTORY
    ini:
      - section: callback_record
        key: directory
  ident:
    description: The end of the records' names. Random where none is given.
    type: str
    default: ""
    env:
      - name: ONCALL_RECORD_ID
"""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ..module_utils.text.masking import masked
from ..module_utils.text.one_line import inert, one_line
from ..plugin_utils import lifecycle
from ..plugin_utils.failures import failure
from ..plugin_utils.parent_death import end_with_program
from ..plugin_utils.plain import plain
from ..plugin_utils.plan_in_words import NOTICED
from ..plugin_utils.record_markdown import markdown

COLLECTION = "oncall.runbooks."
# What publishes a run.
ENDS = (f"{COLLECTION}conclude", f"{COLLECTION}triage")
# What a record has of a snapshot.
TOLD = (
    "summary",
    "archive",
    "index",
    "overview",
    "bytes",
    "sha256",
    "had",
    "missing",
    "cut",
    "notes",
    "reachable",
    "written",
)
_MOST_MISSING = 8


class CallbackModule(CallbackBase):
    """Collects the results of the actions C(conclude) and C(triage)."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "oncall.runbooks.record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        end_with_program()
        self._runs_by_id: dict[tuple[str, str], dict[str, Any]] = {}
        self._trouble: dict[str, str] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._ours = False
        self._playbook = ""
        self._started_at = time.time()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        # A command may play several, one after the other: each has its own summary and its own record.
        self._playbook = Path(str(playbook._file_name)).stem
        self._started_at = time.time()
        for of_the_one_before in (self._runs_by_id, self._trouble, self._states, self._snapshots):
            of_the_one_before.clear()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        del is_conditional
        if not self._ours:
            role = task._role.get_name() if task._role else ""
            self._ours = str(task.action).startswith(COLLECTION) or role.startswith(COLLECTION)

    def v2_runner_on_ok(self, result: Any) -> None:
        facts = result._result.get("ansible_facts")
        if isinstance(facts, dict) and isinstance(facts.get("run_state"), dict):
            # All that is left of a run whose host is lost on the way.
            self._states[result._host.get_name()] = plain(facts["run_state"])
        self._collect(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._collect(result) and not ignore_errors and not self._is_the_end(result):
            self._trouble[result._host.get_name()] = failure(result._task, result._result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        message = masked(result._result.get("msg") or "no message", 500)
        self._trouble[result._host.get_name()] = f"host unreachable: {message}"

    def _is_the_end(self, result: Any) -> bool:
        """Whether this is only the return code of a run that was concluded."""
        role = result._task._role.get_name() if result._task._role else ""
        return role == f"{COLLECTION}run" and result._task.action == "ansible.builtin.fail"

    def _collect(self, result: Any) -> bool:
        if result._task.action == COLLECTION + "snapshot" and "summary" in result._result:
            host = result._host.get_name()
            self._snapshots[host] = {
                "host": host,
                **{key: plain(result._result[key]) for key in TOLD if key in result._result},
            }
            return True
        run = result._result.get("run") if result._task.action in ENDS else None
        if not isinstance(run, dict):
            return False
        # A run that looked again after it had handed over is concluded twice, and has one place.
        self._runs_by_id[run["host"], run["run_id"]] = plain(run)
        # What failed on the way and was dealt with is part of the run's own story.
        self._trouble.pop(result._host.get_name(), None)
        self._states.pop(result._host.get_name(), None)
        return True

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if not self._ours:
            return
        for host in sorted({*stats.failures, *stats.dark}):
            if host in self._trouble:
                run = self._unfinished(host, inert(self._trouble[host]))
                self._runs_by_id[host, run.get("run_id", "")] = run
        runs = [*self._runs_by_id.values()]
        if not runs and not self._snapshots:
            return
        self._display.banner("ONCALL")
        # After a hand-over a host has several.
        several = len({run["runbook"] for run in runs}) > 1
        whose = [f"{run['host']} {run['runbook']}" if several else run["host"] for run in runs]
        width = max(map(len, [*whose, *self._snapshots]))
        for name, run in zip(whose, runs, strict=True):
            self._say(f"{name:<{width}}", run)
        for host, snapshot in self._snapshots.items():
            self._say_snapshot(f"{host:<{width}}", snapshot)
        self._write(runs)

    def _unfinished(self, host: str, reason: str) -> dict[str, Any]:
        now = time.time()
        state = self._states.get(host)
        if state:
            run = lifecycle.result_of(dict(lifecycle.noted(state, reason), outcome=lifecycle.UNKNOWN), {}, False, now)
            return plain(inert(run))
        return {
            "host": host,
            "runbook": self._playbook,
            "outcome": lifecycle.UNKNOWN,
            "summary": reason,
            "started_at": round(self._started_at, 3),
            "finished_at": round(now, 3),
            "seconds": round(now - self._started_at, 3),
        }

    def _say(self, whose: str, run: dict[str, Any]) -> None:
        outcome = run["outcome"]
        # Where a screen of lines follows, they say it all again.
        line = f"{whose} : {outcome:<10} {one_line(run['summary'], 150 if 'lines' in run else 400)}"
        self._display.display(line, color=lifecycle.COLORS.get(outcome, "red"))
        indent = " " * (len(whose) + 3)
        if "lines" in run:
            self._say_lines(run["lines"])
            return
        for change in run.get("before_and_after") or ():
            self._display.display(f"{indent}before {one_line(change, 300)}")
        for unseen in run.get("not_looked_at") or ():
            self._display.display(f"{indent}not looked at: {one_line(unseen, 300)}")
        plan = run.get("plan") or {}
        if outcome in ("planned", "blocked", "advised"):
            for step in plan.get("steps") or ():
                self._say_step(step, indent)
            for finding in run.get("findings") or ():
                advice = finding.get("advice") or ()
                for line in [advice] if isinstance(advice, str) else advice:
                    self._display.display(f"{indent}advice {one_line(line, 300)}")
        approvable = outcome == "planned" or (run.get("guard") or {}).get("name") == "plan"
        if approvable and any(step["available"] for step in plan.get("steps") or ()):
            self._display.display(f"{indent}plan   {plan['hash']}, acted on as it is with -e run_plan={plan['hash']}")
        if run.get("escalation"):
            self._display.display(f"{indent}tell   {run['escalation']}")

    def _say_lines(self, lines: list[str]) -> None:
        """Those of a look at everything, which has a screen to itself."""
        for line in lines:
            self._display.display(
                f"  {one_line(line, 300) if not line.startswith(' ') else '   ' + one_line(line, 300)}"
            )

    def _say_snapshot(self, whose: str, snapshot: dict[str, Any]) -> None:
        trouble = not (snapshot["reachable"] and (snapshot["written"] or "archive" not in snapshot))
        self._display.display(
            f"{whose} : snapshot   {one_line(snapshot['summary'], 500)}", color="red" if trouble else None
        )
        indent, missing = " " * (len(whose) + 3), snapshot["missing"]
        # Of a host that cannot be reached, all is missing for one reason.
        reasons = [
            *dict.fromkeys(f"{one['what']}: {one['reason']}" if snapshot["reachable"] else "" for one in missing)
        ]
        for reason in list(filter(None, reasons))[:_MOST_MISSING]:
            self._display.display(f"{indent}not there: {one_line(reason, 300)}")
        if len(reasons) > _MOST_MISSING:
            self._display.display(f"{indent}not there: {len(reasons) - _MOST_MISSING} more; the index has them")
        for one in [f"index {snapshot['index']}"] if snapshot.get("index") else []:
            self._display.display(f"{indent}{one}")
        for note in snapshot.get("notes") or ():
            self._display.display(f"{indent}{one_line(note, 300)}")

    def _say_step(self, step: dict[str, Any], indent: str) -> None:
        if not step["available"]:
            self._display.display(f"{indent}remedy {step['remedy']} is not available: {one_line(step['why_not'], 300)}")
            return
        risk = f"risk {step['risk']}: {NOTICED[step['risk']]}"
        self._display.display(f"{indent}remedy {step['remedy']} ({risk}) on {one_line(step['words'], 200)}")
        for before, text in (("", step["does"]), ("Undone: ", step["undone"]), ("Not undone: ", step["irreversible"])):
            if text:
                self._display.display(f"{indent}       {before}{one_line(text, 300)}")

    def _write(self, runs: list[dict[str, Any]]) -> None:
        directory = Path(self.get_option("directory")).expanduser()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._started_at))
        base = directory / f"{stamp}-{self._playbook or 'run'}-{self.get_option('ident') or uuid.uuid4().hex[:8]}"
        document = {
            "schema": 1,
            "playbook": self._playbook,
            "started_at": round(self._started_at, 3),
            "finished_at": round(time.time(), 3),
            "runs": runs,
            **({"snapshots": [*self._snapshots.values()]} if self._snapshots else {}),
        }
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_private(base.with_suffix(".json"), json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            _write_private(base.with_suffix(".md"), markdown(document))
        except OSError as error:
            self._display.warning(
                f"no record of this run: {directory}: {error.strerror}; "
                "set ONCALL_RECORD_DIRECTORY to a folder of yours"
            )
            return
        self._display.display(f"record : {base.with_suffix('.md')}")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)

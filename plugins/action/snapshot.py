# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps all that can be seen of a stack as one archive on the controller."""

from __future__ import annotations

import hashlib
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils.deadline import DeadlineExceeded
from ..module_utils.snapshot.gather import gather
from ..module_utils.text.masking import masked
from ..module_utils.text.one_line import inert
from ..plugin_utils.plain import plain
from ..plugin_utils.quiet import answers_hidden
from ..plugin_utils.role_contract import contract_of, trouble_with
from ..plugin_utils.snapshots import archive, pages
from ..plugin_utils.snapshots.asked import LEAST_BYTES, SETTINGS, SHARES, Asked, asked_of, chosen
from ..plugin_utils.snapshots.assembled import Kept, assembled, bounded, manifest
from ..plugin_utils.snapshots.names import stem
from ..plugin_utils.snapshots.secrets import Redaction, known_secrets, shown_settings, withheld
from ..plugin_utils.snapshots.versions import versions

MODULE = "oncall.runbooks.snapshot_info"
# To reach a host and to start a module there takes a while as well.
_REACHING_SECONDS = 30
_MOST_PUBLISHED = 50
# What AWX gives every job. Its execution environment is gone when the job ends, and all that is only in it.
_JOB_OF_AWX = ("awx_job_id", "tower_job_id")


class ActionModule(ActionBase):
    """All of it in one task: what was seen is in no result, no output and no variable, but in the archive."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables, arguments = task_vars or {}, plain(self._task.args)
        started = time.time()
        table = variables[arguments["table"]]
        try:
            parts = chosen(table, arguments.get("parts") or [])
            directory, max_bytes, seconds = self._bounds(arguments, variables)
            if not self._task.check_mode:
                archive.prepare(directory)
        except (ValueError, archive.NoArchive) as error:
            raise AnsibleActionFail(str(error)) from None
        asked = asked_of(table, parts, lambda name: self._value(variables, name), self._templated, max_bytes)
        answers, unreachable = self._answers(asked, variables, seconds)
        kept = assembled(asked, answers, Redaction(known_secrets(self._of_secrets(variables))), max_bytes)
        host = str(variables.get("inventory_hostname", ""))
        about = {
            "schema": 1,
            "host": host,
            "system": self._system(variables) or host,
            "stem": stem(host, started),
            "at_seconds": round(started, 3),
            "seconds": round(time.time() - started, 3),
            "parts": parts,
            "had": kept.had,
            "max_bytes": max_bytes,
            "reachable": not unreachable,
            "versions": versions(kept.data),
        }
        told: dict[str, Any] = {
            "had": kept.had, "missing": kept.missing, "cut": kept.cut, "reachable": not unreachable, "written": False,
        }  # fmt: skip
        problem = unreachable
        if not self._task.check_mode:
            titles = {part: str(table[part]["title"]) for part in parts}
            try:
                told |= _written(directory, about, kept, titles, max_bytes)
            except archive.NoArchive as error:
                problem = "; ".join(filter(None, (str(error), unreachable)))
        told["summary"] = _summary(about, kept, told, problem)
        told = inert(told)
        result.update(changed=told["written"], msg=told["summary"], **told)
        if problem:
            result["failed"] = True
        # They may become variables of a later job. The record and the archive have all of them.
        short = {**told, "missing": told["missing"][:_MOST_PUBLISHED], "cut": told["cut"][:_MOST_PUBLISHED]}
        result["ansible_stats"] = {"data": {"oncall_snapshots": {host: short}}, "per_host": False, "aggregate": True}
        return result

    # ------------------------------------------------------------------ what was asked for
    def _bounds(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[Path, int, float]:
        """Where it goes, and how much and how long it may be.

        Raises:
            ValueError: it cannot be so; in one line.
        """
        lines = trouble_with("snapshot", variables, self._templated)
        if lines:
            raise ValueError("; ".join(lines))
        directory, max_bytes = str(arguments.get("directory") or ""), int(arguments.get("max_bytes", 16 * 1024 * 1024))
        seconds = float(arguments.get("timeout_seconds", 60))
        if not directory and any(variables.get(name) for name in _JOB_OF_AWX):
            raise ValueError(
                "snapshot_directory is not set, and an execution environment of AWX is thrown away with all that is in it:"
                " set it to a folder that the instance group mounts"
            )
        path = Path(directory or "~/.local/state/oncall/snapshots").expanduser()
        if not path.is_absolute():
            raise ValueError(f"snapshot_directory must be absolute, and is {masked(directory)}")
        if max_bytes < LEAST_BYTES:
            raise ValueError(f"snapshot_max_bytes is {max_bytes}; it must be {LEAST_BYTES} or more")
        if math.isnan(seconds) or seconds <= 0:
            raise ValueError(f"snapshot_timeout_seconds is {seconds:g}; it must be above 0")
        return path, max_bytes, seconds

    def _templated(self, value: Any) -> Any:
        return plain(self._templar.template(value))

    def _value(self, variables: Mapping[str, Any], name: str) -> Any:
        """A variable of the host, or None where there is none.

        Raises:
            AnsibleError: it is a template that fails.
        """
        return self._templated(variables[name]) if name in variables else None

    def _system(self, variables: Mapping[str, Any]) -> str:
        with suppress(AnsibleError):
            return str(self._value(variables, "system_name") or "")
        return ""

    def _of_secrets(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The variables in which secrets are: what the inventory says of the stack, and what is called as a secret is.

        No others are worked out: a lookup in one of them could take long, or do something.
        """
        found: dict[str, Any] = {}
        for name in variables:
            if name.startswith("system_") or withheld(name):
                with suppress(AnsibleError, ValueError, TypeError, LookupError):
                    found[name] = self._value(variables, name)
        return found

    # ------------------------------------------------------------------ what is seen
    def _answers(
        self, asked: list[Asked], variables: Mapping[str, Any], seconds: float
    ) -> tuple[dict[str, dict[str, Any]], str]:
        """What was told, by ``part.name``, and why the host could not be reached, or ""."""
        answers: dict[str, dict[str, Any]] = {}
        here: dict[str, Any] = {}
        there: dict[str, Any] = {}
        from_controller = self._value(variables, "system_observe_from") == "controller"
        for one in asked:
            if one.why_not:
                answers[one.key] = {"available": False, "reason": one.why_not}
            elif one.look == SETTINGS:
                answers[one.key] = self._settings(variables)
            else:
                parameters = one.steps.arguments[one.look] if one.steps else one.parameters
                group = here if from_controller and not one.needs_host else there
                group[one.key] = {"look": one.look, "parameters": parameters}
        if here:
            answers |= gather(here, seconds)
        unreachable = ""
        if there:
            told, unreachable = self._told_there(there, variables, seconds)
            answers |= told
        for one in asked:
            if one.steps and not one.why_not:
                answers[one.key] = one.steps.finish({one.look: answers[one.key]})[one.look]
        return answers, unreachable

    def _told_there(
        self, looks: dict[str, Any], variables: Mapping[str, Any], seconds: float
    ) -> tuple[dict[str, Any], str]:
        """What the managed host tells, and why it could not be reached, or ""."""
        unreachable = ""
        try:
            with at_most(seconds + _REACHING_SECONDS):
                answer = self._hidden(looks, variables, seconds)
            told = answer.get("answers")
            if isinstance(told, Mapping):
                late = {"available": False, "reason": "the managed host tells nothing of it; please report this"}
                return {key: plain(told.get(key, late)) for key in looks}, ""
            said = masked(
                answer.get("msg") or answer.get("module_stderr") or answer.get("module_stdout") or "no message", 500
            )
            reason = f"the module could not run on the managed host: {said}; it needs Python there, see README.md"
        except AnsibleConnectionFailure as error:
            reason = unreachable = f"host unreachable: {masked(error, 500)}; try: ansible -m ansible.builtin.ping on it"
        except DeadlineExceeded as error:
            reason = unreachable = (
                f"the managed host gave no answer: {error}; see whether it hangs, or its network does"
            )
        except AnsibleError as error:
            reason = f"the managed host could not be asked: {masked(error, 500)}"
        return {key: {"available": False, "reason": reason} for key in looks}, unreachable

    def _hidden(self, looks: dict[str, Any], variables: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The module's answer. With -vvv a connection shows what a module answers, and a module logs its arguments."""
        with answers_hidden(self):
            return self._execute_module(
                module_name=MODULE,
                module_args={"looks": looks, "seconds": seconds},
                task_vars={**variables, "ansible_no_target_syslog": True},
            )

    def _settings(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the inventory says of this stack, and of what runs may do, without secrets."""
        found: dict[str, dict[str, Any]] = {}
        limits = []
        for role in ("system", "run"):
            options, _defaults = contract_of(role)
            for name in options:
                try:
                    value = self._value(variables, name)
                except AnsibleError as error:
                    limits.append(f"{name} cannot be worked out: {masked(error)}")
                    continue
                if value is not None:
                    found.setdefault(role, {}).update(shown_settings({name: value}))
        limits += trouble_with("system", variables, self._templated)
        return {"available": True, **found, "limits": [masked(line, 500) for line in limits]}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Give up after so many seconds whatever is waited for, where this is the main thread.

    Raises:
        DeadlineExceeded: the time is up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise DeadlineExceeded(f"no complete answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _written(
    directory: Path, about: Mapping[str, Any], kept: Kept, titles: Mapping[str, str], max_bytes: int
) -> dict[str, Any]:
    """Write the archive, its index beside it, and the overview.

    Raises:
        archive.NoArchive: there is no archive.
    """
    budget = int(max_bytes * SHARES["index"])
    inside = bounded(lambda most: pages.index(about, kept, titles, most, linked=True), budget)
    listing = manifest(about, kept, inside)
    files = {archive.MANIFEST: listing, "index.html": inside, **kept.files}
    content = archive.packed(about["stem"], files, about["at_seconds"])
    path = directory / f"{about['stem']}{archive.ENDING}"
    archive.keep(path, content)
    found: dict[str, Any] = {
        "archive": str(path), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "written": True, "notes": [],
    }  # fmt: skip
    try:
        beside = directory / f"{about['stem']}.html"
        archive.keep(beside, bounded(lambda most: pages.index(about, kept, titles, most, linked=False), budget))
        found["index"] = str(beside)
        with archive.alone(directory):
            listed = archive.listed(directory)
            archive.keep(directory / "index.html", pages.overview(listed, time.time(), archive.MOST_LISTED))
        found["overview"] = str(directory / "index.html")
    except archive.NoArchive as error:
        # The archive has its index in it.
        found["notes"].append(str(error))
    return found


def _summary(about: Mapping[str, Any], kept: Kept, told: Mapping[str, Any], problem: str) -> str:
    """What came of it in one line, the trouble first."""
    parts = f"{len(kept.had)} of {len(about['parts'])} parts whole"
    missing = f", {len(kept.missing)} things not there" if kept.missing else ""
    cut = f", {len(kept.cut)} cut" if kept.cut else ""
    where = f": {told['archive']}" if told.get("archive") else ""
    return f"{f'{problem}; ' if problem else ''}{parts}{missing}{cut}{where}"

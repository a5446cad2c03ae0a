# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes into an incident of a folder on the controller, and makes its post-mortem, for those who have no service."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.text.one_line import inert
from ..plugin_utils import lifecycle
from ..plugin_utils.incident_folder import part
from ..plugin_utils.plain import plain

FORMS = {"markdown": "md", "html": "html", "json": "json"}
# Of a folder of records of runs, the newest.
MOST_RECORDS = 200
READING = ("show", "postmortem")


class ActionModule(ActionBase):
    """One task for a command and all that it writes: the folder is locked meanwhile."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        given = plain(self._task.args)
        try:
            told = self._done(given, task_vars or {})
        except part("errors").OncallError as error:
            raise AnsibleActionFail(str(error)) from None
        # What people and databases wrote is no template, whatever becomes of it later.
        return {**result, **inert(told)}

    def _done(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        folder = part("incidents.folder").Folder(Path(str(given["folder"])).expanduser())
        command, name = str(given["command"]), str(given.get("incident") or "")
        if command in READING:
            return self._read(folder, command, name, given)
        if self._task.check_mode:
            return {"changed": True, "msg": f"{command} would be written into {given['folder']}"}
        who = str(given.get("who") or "")
        fields = dict(given.get("fields") or {})
        words = part("incidents.folder_commands")
        if command == "open":
            told = words.opening(fields)
            incident, written = folder.open(told.pop("title"), who=who, **told)
        elif command in ("attach", "run"):
            # Of two hosts that need a person at the same time, the second sees what the first has opened.
            with folder.alone():
                incident, written = self._attached(folder, words, name, command, given, variables)
        else:
            make = words.command(command, fields, who)
            incident, written = folder.do(_named(name), make)
        if incident is None:
            return {
                "changed": False,
                "msg": "no run is of an incident, or of one already",
                "incident": {},
                "entries": [],
            }
        last = written[-1].words if written else f"it is so already ({incident.state})"
        return {
            "changed": bool(written),
            "msg": f"{incident.name}: {last}",
            "incident": incident.to_dict(),
            "entries": [one.to_dict() for one in written],
        }

    def _attached(
        self, folder: Any, words: Any, name: str, command: str, given: dict[str, Any], variables: dict[str, Any]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Bring runs to an incident: the one that is named, or that of the system that goes on, or a new one."""
        system = str((given.get("fields") or {}).get("system") or "")
        known = (
            folder.find(name)
            if name
            else next((one for one in folder.listed() if one.is_open and one.system == system), None)
        )
        seen = known.runs if known else ()
        if command == "run":
            run = _this_run(variables, bool(self._task.check_mode))
            records = [("", {"runs": [run]})]
        else:
            records = [*_records(given.get("records") or [])]
        written, hosts = words.runs(records, seen)
        if not written:
            return known, ()
        if known is not None:
            return folder.do(known.id, lambda incident, _now: words.fitting(incident, written))  # type: ignore[no-any-return]
        runs = [run for _name, record in records for run in record["runs"]]
        first = next((run for run in runs if run.get("outcome") != "healthy"), None)
        if first is None:
            return None, ()
        title = f"{first['runbook']} on {first['host']}: {first.get('summary', '')}"
        return folder.open(  # type: ignore[no-any-return]
            title,
            *written,
            who="oncall",
            at=first.get("started_at"),
            system=system or hosts[0],
            source="run",
            runbook=first["runbook"],
        )

    def _read(self, folder: Any, command: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        document = folder.document(_named(name))
        incident, verdict = folder.verify(name)
        if not verdict.is_sound:
            problem = verdict.problems[0]
            raise part("errors").OncallError(
                f"the timeline of {incident.name} was changed: entry {problem.number}: {problem.what}"
            )
        told = {
            "changed": False,
            "incident": document["incident"],
            "entries": document["timeline"],
            "msg": f"{incident.name} is {incident.state}",
        }
        if command == "show":
            return told
        postmortem = part("incidents.postmortem")
        try:
            found = postmortem.of(document, postmortem.Template.of(given.get("review") or {}))
        except ValueError as error:
            raise part("errors").OncallError(f"incident_review: {error}") from None
        target = Path(str(given.get("directory") or given["folder"])).expanduser()
        texts = {
            "markdown": postmortem.markdown,
            "html": postmortem.html,
            "json": lambda one: json.dumps(one.to_dict(), indent=2) + "\n",
        }
        files: dict[str, str] = {}
        changed = False
        for form in given.get("formats") or [*FORMS]:
            if form not in FORMS:
                raise part("errors").OncallError(f"no format {str(form)[:40]!r}; there are {', '.join(FORMS)}")
            text = texts[form](found)
            file = target / f"{incident.name}.{FORMS[form]}"
            changed |= self._task.check_mode or _put(file, text if isinstance(text, bytes) else text.encode())
            files[form] = str(file)
        return {
            **told,
            "changed": changed,
            "files": files,
            "msg": f"the post-mortem of {incident.name} is in {', '.join(files.values())}",
        }


def _named(name: str) -> str:
    if not name:
        raise part("errors").OncallError("name the incident: incident_name=INC-12")
    return name


def _this_run(variables: dict[str, Any], is_check: bool) -> dict[str, Any]:
    """What the run has come to that calls this as its escalation."""
    state, diagnosis = (plain(variables.get(name) or {}) for name in ("run_state", "run_diagnosis"))
    if not diagnosis:
        raise part("errors").OncallError("there is no run: this is for run_escalation_tasks")
    return dict(lifecycle.result_of(state, diagnosis, is_check, time.time()))


def _records(paths: Iterable[Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Those that the callback record wrote: files, and those of folders, the oldest first."""
    files: list[Path] = []
    for path in (Path(str(one)).expanduser() for one in paths):
        files += sorted(path.glob("*.json"))[-MOST_RECORDS:] if path.is_dir() else [path]
    for file in files:
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise part("errors").OncallError(
                f"cannot read the record {file}: {error.strerror}; incident_runs names records of runs, or folders of them"
            ) from None
        except (ValueError, RecursionError) as error:
            raise part("errors").OncallError(f"{file} is no record of a run: {str(error)[:200]}") from None
        if not isinstance(told, dict) or not isinstance(told.get("runs"), list):
            raise part("errors").OncallError(f"{file} is no record of a run")
        yield file.stem, told


def _put(file: Path, content: bytes) -> bool:
    """Write it for this user alone, where it is not so already."""
    try:
        if file.is_file() and file.read_bytes() == content:
            return False
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as out:
            out.write(content)
        beside.replace(file)
    except OSError as error:
        raise part("errors").OncallError(f"cannot write {file}: {error.strerror}") from None
    return True

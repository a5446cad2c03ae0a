# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ``incident`` asks of a folder, in the words of the API: the name of a command and its fields -> what it writes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import OncallError
from ..results import host_result
from . import commands as do
from .commands import PROGRAM, Command
from .record import ACKNOWLEDGED, TRIGGERED, Incident
from .together import of_a_run, was_fixed

COMMANDS: dict[str, type[Command]] = {
    "acknowledge": do.Acknowledge, "assign": do.Assign, "role": do.GiveRole, "note": do.Note, "severity": do.SetSeverity,
    "mitigate": do.Mitigate, "update": do.Update, "escalate": do.Escalate, "snooze": do.Snooze, "resolve": do.Resolve,
    "reopen": do.Reopen, "close": do.Close, "cancel": do.Cancel, "pin": do.Pin, "correct": do.Correct, "step": do.Tick,
}  # fmt: skip
OPEN = ("title", "system", "severity", "scheme", "runbook", "again", "at")
# What the rules are given, and nobody can say.
_OF_THE_RULES = ("who", "at", "people", "levels", "proposed", "relapse", "longest")
# Where the time at which it happened can be said.
_WITH_TIME = ("acknowledge", "note", "mitigate", "resolve")


def opening(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `Folder.open` takes, checked."""
    _check_names("open", given, OPEN)
    told = {name: value for name, value in given.items() if value is not None}
    kinds = dict.fromkeys(OPEN, "str") | {"at": "float"}
    told = {name: _value(name, value, kinds[name]) for name, value in told.items()}
    if not told.get("title"):
        raise OncallError("open needs a title: say in a few words what is wrong")
    return told


def command(name: str, given: Mapping[str, Any], who: str) -> Callable[[Incident, float], Sequence[Command]]:
    """What `Folder.do` takes; OncallError where there is no such command or a field is wrong."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise OncallError(
            f"no command {name[:40]!r} for a folder of records; there are open, attach, {', '.join(COMMANDS)}"
        )
    types = {one.name: str(one.type) for one in fields(kind) if one.name not in _OF_THE_RULES}
    if name in _WITH_TIME:
        types["at"] = "float"
    if name == "acknowledge":
        types.pop("again", None)
    _check_names(name, given, types)
    told = {field: _value(field, value, types[field]) for field, value in given.items() if value is not None}
    at = told.pop("at", None)

    def make(_incident: Incident, now: float) -> Sequence[Command]:
        try:
            return [kind(who=who, at=now if at is None else at, **told)]
        except TypeError as error:
            missing = str(error).partition(": ")[2] or str(error)
            raise OncallError(f"{name} needs more fields: {missing}") from None

    return make


def runs(
    records: Sequence[tuple[str, Mapping[str, Any]]], known: Sequence[str], who: str = PROGRAM
) -> tuple[list[Command], list[str]]:
    """What records of runs tell, in their order, and the systems' hosts that they are of; those that are known already are left out.

    Args:
        records: the name of each, and what is in it.
        known: ids of runs.
        who: brings them.
    """
    written: list[Command] = []
    hosts: dict[str, None] = {}
    for name, record in records:
        told = record.get("runs")
        for run in told if isinstance(told, list) else ():
            if not isinstance(run, dict) or not (run.get("runbook") and run.get("host") and run.get("run_id")):
                continue
            if run["run_id"] in known:
                continue
            hosts[str(run["host"])] = None
            written += of_run(run, name, who)
    return written, [*hosts]


def of_run(run: Mapping[str, Any], record: str = "", who: str = PROGRAM) -> list[Command]:
    """What one run tells, as the role ``run`` published it, and that it mitigated the incident where a remedy was proven to help."""
    host, runbook, uuid = (str(run[name]) for name in ("host", "runbook", "run_id"))
    try:
        result = host_result(host, {runbook: run}, runbook, "")
        began, ended = float(run.get("started_at") or 0.0), float(run.get("finished_at") or 0.0)
        first = result.runs[0]
        outcome, ended = first.outcome.value, ended or began
        told: list[Command] = [
            *of_a_run(result, uuid, runbook, outcome, first.summary, began, ended, record=record, who=who)
        ]
        fixed = was_fixed(result, outcome)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"a run of {runbook[:40]} on {host[:40]} has a result that cannot be read"
        raise OncallError(f"{what}: {type(error).__name__}: {str(error)[:100]}") from None
    return [*told, do.Mitigate(who=who, at=ended, how=f"{fixed} helped")] if fixed else told


def fitting(incident: Incident, written: Sequence[Command]) -> list[Command]:
    """Of these, what can be done to an incident as it is: one that is resolved is mitigated no more."""
    is_open = incident.state in (TRIGGERED, ACKNOWLEDGED)
    return [one for one in written if is_open or not isinstance(one, do.Mitigate)]


def _check_names(command_: str, given: Mapping[str, Any], known: Any) -> None:
    if unknown := [str(name) for name in given if name not in known]:
        raise OncallError(f"{command_} has no field {', '.join(unknown)[:100]}; there are {', '.join(known) or 'none'}")


def _value(name: str, value: Any, kind: str) -> Any:
    """A value as it is needed; Ansible has text where it was given on the command line."""
    if kind.startswith("float"):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise OncallError(f"{name} is no time: seconds since 1970 are needed") from None
    if kind == "int" and (isinstance(value, int) or str(value).isdecimal()) and not isinstance(value, bool):
        return int(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind.startswith("Sequence") and isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return list(value)
    if kind == "str" and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise OncallError(f"{name} is a {type(value).__name__}; {kind} is needed")

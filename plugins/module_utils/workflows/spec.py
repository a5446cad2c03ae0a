# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about a workflow. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..postgres.spec import DATABASE
from ..queues.in_database import identifier
from ..queues.statement import is_name, wrapped
from ..text.one_line import one_line, without_secrets

OPTIONS = {
    "table": {"type": "str", "required": True},
    "id_column": {"type": "str", "default": "id"},
    "status_column": {"type": "str", "default": "status"},
    "since_column": {"type": "str"},
    "created_column": {"type": "str"},
    "scope_column": {"type": "str"},
    "time_zone": {"type": "str"},
    "waiting": {"type": "list", "elements": "str", "required": True},
    "limit_seconds": {"type": "float"},
    "new_within_seconds": {"type": "float"},
    "switches": {"type": "str"},
    "switched_on": {"type": "list", "elements": "str", "default": []},
    "parameters": {"type": "dict", "default": {}},
    "database": dict(DATABASE, required=False),
    # Not for looking: who works, what carries the events, and what acts.
    "workers": {"type": "list", "elements": "str", "default": []},
    "log_pattern": {"type": "str"},
    "queue": {"type": "str"},
    "request": {"type": "list", "elements": "str", "default": []},
    "approve": {
        "type": "dict",
        "options": {
            "to": {"type": "str", "required": True},
            "from": {"type": "list", "elements": "str", "required": True},
            "passed": {"type": "list", "elements": "str", "default": []},
            "command": {"type": "list", "elements": "str", "default": []},
            "undo": {"type": "list", "elements": "str", "default": []},
        },
    },
}
# What a statement is asked with besides what the inventory gives.
_OWN_PARAMETERS = {
    *("source", "name", "waiting", "limit_seconds", "lately_seconds", "watched", "switched_on", "time_zone"),
    *("record", "ids", "to", "from", "version"),
}
_COLUMNS = ("id_column", "status_column", "since_column", "created_column", "scope_column")


def described(name, workflow, params):
    """A workflow with all its options, and how its database is reached.

    Args:
        name: of the workflow in the inventory.
        workflow: what the inventory says.
        params: ``database``, for one that has none of its own, and ``limit_seconds``, for one that has no limit of its own.

    Returns:
        The options by name. ``reach`` is its database, and ``source`` its table, fit for the text of a statement.

    Raises:
        ValueError: one line that names the workflow and what is wrong.
    """
    told = f"workflow {one_line(name)}"
    if not isinstance(workflow, dict):
        raise ValueError(f"{told} must be a dict with at least the keys table and waiting")
    validated = ArgumentSpecValidator(OPTIONS).validate(workflow)
    if validated.error_messages:
        database = workflow.get("database")
        secret = database.get("password") if isinstance(database, dict) else None
        raise ValueError(f"{told}: {one_line(without_secrets('; '.join(validated.error_messages), secret))}")
    found = dict(validated.validated_parameters)
    found["reach"] = found["database"] or params.get("database")
    if not found["reach"]:
        raise ValueError(f"{told}: nothing says how its database is reached; give it database, or set system_database")
    if found["limit_seconds"] is None:
        found["limit_seconds"] = params["limit_seconds"]
    _check(told, found)
    parts = found["table"].split(".")
    if len(parts) > 2:
        raise ValueError(f"{told}: table must be a name, or schema.name, not {one_line(found['table'])!r}")
    found["source"] = ".".join(identifier(f"workflow {name}: table", part) for part in parts)
    for option in _COLUMNS:
        if found[option]:
            identifier(f"workflow {name}: {option}", found[option])
    return found


def _check(told, found):
    if not found["waiting"]:
        raise ValueError(f"{told}: waiting names no state")
    if not (found["since_column"] or found["created_column"]):
        raise ValueError(f"{told}: nothing tells how old a record is; give it since_column, or created_column")
    if found["limit_seconds"] <= 0:
        raise ValueError(f"{told}: limit_seconds must be above 0")
    if found["new_within_seconds"] is not None and not found["created_column"]:
        raise ValueError(f"{told}: new_within_seconds needs created_column")
    if found["switches"]:
        if not (found["scope_column"] and found["switched_on"]):
            raise ValueError(f"{told}: switches needs scope_column, and switched_on, the values that mean on")
        wrong = [one for one in found["parameters"] if not is_name(one) or one in _OWN_PARAMETERS]
        if wrong:
            raise ValueError(f"{told}: a parameter cannot have the name {one_line(wrong[0])!r}")
        try:
            wrapped(found["switches"], set(found["parameters"]), "")
        except ValueError as error:
            raise ValueError(f"{told}: switches: {error}") from None
    if found["request"] and not any("{ids}" in item for item in found["request"]):
        raise ValueError(f"{told}: request has no {{ids}}, so it would ask for nothing in particular")
    approve = found["approve"] or {}
    for which in ("command", "undo"):
        if approve.get(which) and not any("{id}" in item for item in approve[which]):
            raise ValueError(f"{told}: approve.{which} has no {{id}}, so it would be about no record in particular")
    if approve and approve["to"] in approve["from"]:
        raise ValueError(f"{told}: approve.to is one of approve.from, so that nothing would show an approval")

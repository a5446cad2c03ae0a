# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about the migrations of a database. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..postgres.spec import DATABASE
from ..queues.in_database import identifier
from ..queues.statement import is_name, wrapped
from ..text.one_line import one_line, without_secrets
from .tools import TOOLS

_ARGV = {"type": "list", "elements": "str", "default": []}
OPTIONS = {
    "tool": {"type": "str", "choices": sorted(TOOLS), "required": True},
    "run": _ARGV,
    "program": _ARGV,
    "folder": {"type": "str"},
    "status": _ARGV,
    "migrate": _ARGV,
    "unlock": _ARGV,
    "schema": {"type": "str"},
    "table": {"type": "str"},
    "statements": {"type": "dict", "default": {}, "options": {"applied": {"type": "str"}}},
    "parameters": {"type": "dict", "default": {}},
    "pgoptions": {"type": "str", "default": ""},
    "timeouts_in_command": {"type": "bool", "default": False},
    "database": dict(DATABASE, required=False),
}


def described(name, given, database):
    """One set of migrations with all its options.

    Args:
        name: of the entry in the inventory.
        given: what the inventory says.
        database: for one that has none of its own.

    Returns:
        The options by name. Besides: ``asks``, the commands that tell, by name; ``asks_where_they_differ``, further ones;
        ``limits``, a command that tells what limits a session of the tool has, or an empty list;
        ``migrate`` and ``unlock``, commands or empty lists;
        ``table``; ``reach``, its database. What stands before every command is ``run``.

    Raises:
        ValueError: one line that names the entry and what is wrong.
    """
    place = f"system_migrations.{one_line(name)}"
    if not isinstance(given, dict):
        raise ValueError(f"{place} must be a dict with at least the key tool")
    validated = ArgumentSpecValidator(OPTIONS).validate(given)
    if validated.error_messages:
        own = given.get("database")
        secret = own.get("password") if isinstance(own, dict) else None
        raise ValueError(f"{place}: {one_line(without_secrets('; '.join(validated.error_messages), secret))}")
    found = dict(validated.validated_parameters)
    tool = TOOLS[found["tool"]]
    found["reach"] = found["database"] or database
    if not found["reach"]:
        raise ValueError(f"{place}: nothing says how its database is reached; give it database, or set system_database")
    if found["tool"] == "query":
        _check_query(place, found)
    elif found["status"] or found["statements"].get("applied"):
        raise ValueError(
            f"{place}: status and statements are for the tool query; give {found['tool']} run, program and folder"
        )
    found["table"] = found["table"] or tool.TABLE
    for option in ("schema", "table"):
        if found[option]:
            identifier(f"{place}: {option}", found[option])
    folder = found["folder"] or getattr(tool, "FOLDER", None)
    if getattr(tool, "NEEDS_FOLDER", False) and not folder:
        raise ValueError(f"{place}: folder has to say where the files of the migrations are in the image")
    if folder and folder.startswith("-"):
        raise ValueError(f"{place}: folder must not begin with a dash")
    program = found["program"] or list(tool.PROGRAM)
    found["asks"] = {which: _command(which, argv, program, folder, tool) for which, argv in tool.ASKS.items()} or {
        "status": found["status"]
    }
    more = getattr(tool, "ASKS_WHERE_THEY_DIFFER", {})
    found["asks_where_they_differ"] = {which: program + list(argv) for which, argv in more.items()}
    # A command of one's own may be about another database of the same settings.
    found["limits"] = program + list(tool.LIMITS) if hasattr(tool, "LIMITS") and not found["migrate"] else []
    for verb, known in (("migrate", tool.MIGRATE), ("unlock", tool.UNLOCK)):
        found[verb] = found[verb] or (program + list(known) if known else [])
    return found


def _command(which, argv, program, folder, tool):
    filled = [folder if part == "{folder}" else part for part in argv]
    return filled if which in getattr(tool, "IS_PROGRAM", ()) else program + filled


def _check_query(place, found):
    statement = found["statements"].get("applied")
    if not statement:
        raise ValueError(f"{place}: statements.applied has to ask for what is applied, with the column name")
    if not found["status"]:
        raise ValueError(f"{place}: status has to be a command that prints what the image has, a name a line")
    for parameter in found["parameters"]:
        if not is_name(parameter):
            raise ValueError(f"{place}: a parameter cannot have the name {one_line(parameter)!r}")
    try:
        wrapped(statement, set(found["parameters"]), "")
    except ValueError as error:
        raise ValueError(f"{place}: statements.applied: {error}") from None

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager of a service and the engine of a queue can do, from the ``verbs.yml`` of its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..module_utils.text.one_line import one_line

_FOLDER = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Kind:
    """What can be operated.

    Attributes:
        word: what it is called.
        by: what operates it, and the key of the inventory that names that.
        variable: of the inventory, that has all of them.
        says: what ``by`` does with it, in a line for the user.
        own_commands: whether commands of the inventory do what ``by`` cannot.
        proven: verbs of which each step is proven through ``by``, which no command of the inventory does.
    """

    word: str
    by: str
    variable: str
    says: str
    own_commands: bool = False
    proven: tuple[str, ...] = ()


SERVICE = Kind("service", "manager", "system_services", "under the manager")
QUEUE = Kind("queue", "engine", "system_queues", "with the engine", own_commands=True, proven=("replay",))
KINDS = {kind.word: kind for kind in (SERVICE, QUEUE)}


def missing_for(kind, directory, things, name, verb):
    """Why a service or a queue cannot do something, known without trying it.

    Args:
        kind: one of :data:`KINDS`.
        directory: the folder with one folder for each manager or engine (``roles/service/managers``).
        things: the ``system_services`` or ``system_queues`` of the inventory.
        name: its key there.
        verb: ``restart``, ``cancel`` and so on; ``status`` asks whether a service can be observed.

    Returns:
        An empty string where nothing is missing, otherwise one line for the user.
    """
    if name not in things:
        return f"{kind.word} {one_line(name)} is not in {kind.variable}; it has: {_near(name, things)}"
    thing = things[name]
    if not isinstance(thing, dict):
        return f"{kind.variable}.{name} must be a dict with at least the key {kind.by}"
    folders = _folders(directory)
    by = str(thing.get(kind.by, ""))
    if by not in folders:
        known = ", ".join(folders) or "none"
        return f"{kind.word} {name}: unknown {kind.by} {one_line(by)}; known {kind.by}s: {known}"
    own_commands = kind.own_commands and verb not in kind.proven
    if own_commands and _value(thing, f"commands.{verb}"):
        return ""
    try:
        verbs = _verbs(Path(directory, by, "verbs.yml"))
    except ValueError as error:
        return str(error)
    if verb not in verbs:
        can = ", ".join(sorted(set(verbs) - {"status"})) or "nothing by itself"
        own = f"; or give it {kind.variable}.{name}.commands.{one_line(verb)}" if own_commands else ""
        return f"{kind.word} {name}: the {kind.by} {by} has no {one_line(verb)}; it can: {can}{own}"
    missing = [key for key in verbs[verb] if not _value(thing, key)]
    if missing:
        add = ", ".join(f"{kind.variable}.{name}.{key}" for key in missing)
        return f"{kind.word} {name}: {verb} {kind.says} {by} needs {add}"
    return ""


def _near(name, things):
    from difflib import get_close_matches

    names = [str(key) for key in things]
    near = get_close_matches(str(name), names, n=5, cutoff=0.4)
    return ", ".join(near + sorted(set(names) - set(near))) or "none"


def _folders(directory):
    try:
        return sorted(
            entry.name
            for entry in Path(directory).iterdir()
            if _FOLDER.match(entry.name) and (entry / "verbs.yml").is_file()
        )
    except OSError:
        return []


def _verbs(path):
    import yaml

    try:
        verbs = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {path}: {one_line(error)}") from None
    if not isinstance(verbs, dict) or not all(isinstance(keys, list) for keys in verbs.values()):
        raise ValueError(f"{path} must name verbs, each with the list of keys that it needs")
    return verbs


def _value(thing, dotted):
    value = thing
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value

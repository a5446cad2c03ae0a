# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about connectors, whatever tells of them. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..text.one_line import one_line, without_secrets
from .answer import STATES
from .sources import NAMES, source

# What can be done with connectors.
VERBS = ("sync", "sync_all", "skip_errors", "force", "reset", "slow_down", "restart_tasks")
# What all have.
_OPTIONS = {
    "source": {"type": "str"},
    "only": {"type": "list", "elements": "str", "default": []},
    "period_seconds": {"type": "float"},
    "max_retries": {"type": "int"},
    "states": {"type": "dict", "default": {}},
    "times_in_utc": {"type": "bool", "default": False},
    "tests": {"type": "dict", "default": {}},
    "log": {"type": "str"},
    "dead_letters": {"type": "dict"},
    "scheduler": {"type": "str"},
    "provider": {"type": "str"},
    "credential": {"type": "str"},
    "commands": {"type": "dict", "default": {}},
    "requests": {"type": "dict", "default": {}},
}


def described(name, given, params):
    """The connectors of one source with all their options.

    Args:
        name: their key in the inventory.
        given: what the inventory says.
        params: as in :data:`observers.sync_state.SPEC`.

    Raises:
        ValueError: one line that names the place and what is wrong.
    """
    place = f"system_connectors.{one_line(name, 60)}"
    if not isinstance(given, dict):
        raise ValueError(f"{place} must be a dict with at least the key source")
    if given.get("source") not in NAMES:
        raise ValueError(
            f"{place}.source: unknown source {one_line(given.get('source'), 60)}; known are {', '.join(NAMES)}"
        )
    module = source(given["source"])
    validated = ArgumentSpecValidator({**_OPTIONS, **module.OPTIONS}).validate(given)
    if validated.error_messages:
        raise ValueError(f"{place}: {one_line(without_secrets('; '.join(validated.error_messages), *_secrets(given)))}")
    found = dict(validated.validated_parameters, place=place)
    for word, state in found["states"].items():
        if state not in STATES:
            raise ValueError(f"{place}.states.{one_line(word, 60)}: must be one of {', '.join(STATES)}")
    for upstream, argv in found["tests"].items():
        check_argv(f"{place}.tests.{one_line(upstream, 60)}", argv)
    _check_what_acts(place, found)
    if "database" in module.OPTIONS:
        found["database"] = found["database"] or params.get("database")
        if not found["database"]:
            raise ValueError(
                f"{place}: nothing says how its database is reached; give it database, or set system_database"
            )
    if found["dead_letters"]:
        from ..net.documents import request_of

        request_of(f"{place}.dead_letters", found["dead_letters"])
    module.check(place, found)
    return found


def _check_what_acts(place, found):
    for kind in ("commands", "requests"):
        for verb, how in found[kind].items():
            where = f"{place}.{kind}.{one_line(verb, 60)}"
            if verb not in VERBS:
                raise ValueError(f"{where}: there is nothing of this name to do; known are {', '.join(VERBS)}")
            if kind == "commands":
                check_argv(where, how)
            elif not isinstance(how, dict) or not isinstance(how.get("url"), str):
                raise ValueError(f"{where}: must be a dict with at least the key url")


def check_argv(place, argv):
    """Raises ValueError where an argument list cannot be run."""
    if not isinstance(argv, list) or not argv or not all(isinstance(one, (str, int, float)) for one in argv):
        raise ValueError(f"{place}: must be a program and its arguments, as a list")


def _secrets(given):
    from ..net.documents import secrets_of

    database = given.get("database")
    return [database.get("password") if isinstance(database, dict) else None, *secrets_of(given)]

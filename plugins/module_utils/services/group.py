# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several programs or units that are one service. No I/O."""

from __future__ import annotations

import re

# Written out, and not longer than a setting is: a key or a token made of digits is none.
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?\Z")
_WORST_FIRST = ("fatal", "backoff", "exited", "stopped", "starting", "unknown", "running")


def as_one(each, is_group=False):
    """A group as one service: the state is that of the program that is worst off, memory that of the largest.

    Args:
        each: what was observed of each program, with its ``name``.
        is_group: whether one alone is a group as well.
    """
    if len(each) == 1 and not is_group:
        return {key: value for key, value in each[0].items() if key != "name"}
    worst = min(each, key=lambda one: (_WORST_FIRST.index(one["state"]), -(one["restarts"] or 0)))
    largest = max(each, key=lambda one: one["memory_used_bytes"] or 0)
    found = {key: value for key, value in worst.items() if key != "name"}
    found.update(
        {key: largest[key] for key in largest if key.startswith("memory_") or key in ("growth", "seconds_to_limit")}
    )
    running = sum(one["state"] == "running" for one in each)
    return dict(
        found,
        members=each,
        weakest=worst["name"],
        replicas=len(each),
        replicas_running=running,
        variables=variables_of_all(each),
        numbers=numbers_of_all(each),
        compared=compared_of_all(each),
    )


def variables_of_all(each):
    """The variables that all of them have, in order; None where that is not known of one."""
    names = [one["variables"] for one in each]
    if not names or None in names:
        return None
    return sorted(set(names[0]).intersection(*names[1:]))


def numbers_of_all(each):
    """The variables that are the same number in all of them; None where that is not known of one."""
    numbers = [one["numbers"] for one in each]
    if not numbers or None in numbers:
        return None
    return {name: number for name, number in numbers[0].items() if all(one.get(name) == number for one in numbers)}


def told_of_environment(environment, params):
    """What a service may tell of the environment of one process: ``variables`` (names), ``numbers`` (name to number) and ``compared``.

    Args:
        environment: gives it as a dictionary, or None where it cannot be seen.
        params: see ``observers.service.SPEC``.
    """
    is_asked = params["variables"] or params["numbers"] or params["compared"]
    known = environment() if is_asked else None
    if known is None:
        return {"variables": None, "numbers": None, "compared": None}
    numbers = {name: float(known[name]) for name in params["numbers"] if _NUMBER.match(known.get(name, ""))}
    return {
        "variables": sorted(set(params["variables"]).intersection(known)) if params["variables"] else None,
        "numbers": numbers if params["numbers"] else None,
        "compared": compared(known, params["compared"]) if params["compared"] else None,
    }


class NoLog(Exception):
    """A log cannot be read; the text is the reason, in one line."""


def environment_told(key, name, variables):
    """What ``states.environments`` tells of one process, or why it does not.

    Args:
        key: of the service in the inventory.
        name: of the process.
        variables: its environment, or None where it cannot be seen.
    """
    if variables is None:
        why = "it does not run, or this user may not look into it"
        return {"key": key, "reason": f"service {key}: the environment of {name} cannot be seen: {why}"}
    return {"key": key, "name": name, "variables": variables}


def compared(environment, wanted):
    """Which of some values the variables of an environment have, by the names of these values, as a value may be a secret.

    Args:
        environment: a dictionary.
        wanted: for each variable a dictionary of values by names of one's own.

    Returns:
        For each variable that is set the name of its value, or "" where it is another one.
    """
    return {
        variable: next((name for name, value in values.items() if str(value) == environment[variable]), "")
        for variable, values in wanted.items()
        if variable in environment
    }


def compared_of_all(each):
    """The variables whose value is the same in all of them; None where that is not known of one."""
    told = [one["compared"] for one in each]
    if not told or None in told:
        return None
    return {variable: name for variable, name in told[0].items() if all(one.get(variable) == name for one in told)}

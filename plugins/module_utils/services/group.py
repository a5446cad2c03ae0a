# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several programs or units that are one service. No I/O."""

from __future__ import annotations

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
        compared=compared_of_all(each),
    )


def variables_of_all(each):
    """The variables that all of them have, in order; None where that is not known of one."""
    names = [one["variables"] for one in each]
    if not names or None in names:
        return None
    return sorted(set(names[0]).intersection(*names[1:]))


def compared_of_all(each):
    """The variables whose value is the same in all of them; None where that is not known of one."""
    told = [one["compared"] for one in each]
    if not told or None in told:
        return None
    return {variable: name for variable, name in told[0].items() if all(one.get(variable) == name for one in told)}

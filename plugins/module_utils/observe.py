# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several observers at once, for the price of one module call."""

from __future__ import annotations

from ansible_collections.oncall.runbooks.plugins.module_utils import metrics, postgres_activity
from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import all_within
from ansible_collections.oncall.runbooks.plugins.module_utils.text import one_line

OBSERVERS = {"metrics": metrics, "postgres_activity": postgres_activity}

ARGUMENT_SPEC = {name: {"type": "dict", "options": observer.ARGUMENT_SPEC} for name, observer in OBSERVERS.items()}


def observe(params):
    """Run the observers asked for, at the same time.

    Args:
        params: observer name -> its parameters, or None.

    Returns:
        observer name -> its answer. One that fails or hangs is ``available: false`` and stops no other.

    Raises:
        ValueError: bad parameters.
    """
    names = [name for name in OBSERVERS if params.get(name) is not None]
    longest_seconds = sum(_seconds(params[name]) for name in names) + 5
    answers = all_within(longest_seconds, [lambda name=name: OBSERVERS[name].observe(params[name]) for name in names])
    return {name: _settled(name, answer) for name, answer in zip(names, answers)}


def _seconds(params):
    # Each observer keeps its own deadline; this one only catches what slips past it.
    return 2 * params["timeout_seconds"] + params.get("window_seconds", 0)


def _settled(name, answer):
    if isinstance(answer, ValueError):
        raise answer
    if isinstance(answer, Exception):
        text = one_line(f"{type(answer).__name__}: {answer}")
        return {"available": False, "reason": f"observer {name} failed: {text}; please report this"}
    return answer

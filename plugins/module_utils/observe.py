# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every observer by its name, and several of them at once, for the price of one module call."""

from __future__ import annotations

import time

from .deadline import LATE_ADVICE, DeadlineExceeded, all_within
from .observers import (
    api,
    auth,
    backup,
    break_glass,
    certificate,
    deployment,
    filesystem,
    host,
    http_probe,
    job_schedule,
    metrics,
    migrations,
    notification_provider,
    port,
    postgres_access,
    postgres_activity,
    postgres_size,
    postgres_wal,
    queue,
    redis,
    service,
    status_page,
    sync_state,
    webhook,
    workflow,
)

# Written out, so that the module's zip holds them. They are thin: what they look with is loaded only where it is asked for,
# because each file costs milliseconds. In the order in which a reader of a diagnosis expects them.
OBSERVERS = {
    "metrics": metrics,
    "postgres_activity": postgres_activity,
    "redis": redis,
    "service": service,
    "host": host,
    "http_probe": http_probe,
    "filesystem": filesystem,
    "postgres_wal": postgres_wal,
    "postgres_access": postgres_access,
    "port": port,
    "deployment": deployment,
    "certificate": certificate,
    "queue": queue,
    "api": api,
    "status_page": status_page,
    "job_schedule": job_schedule,
    "workflow": workflow,
    "webhook": webhook,
    "sync_state": sync_state,
    "notification_provider": notification_provider,
    "migrations": migrations,
    "backup": backup,
    "postgres_size": postgres_size,
    "auth": auth,
    "break_glass": break_glass,
}

SPEC = {name: {"type": "dict", "options": observer.SPEC} for name, observer in OBSERVERS.items()}


def observer(name):
    """An observer by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in OBSERVERS:
        raise ValueError(f"unknown observer {name}; known observers: {', '.join(sorted(OBSERVERS))}")
    return OBSERVERS[name]


def needs_host(params):
    """Whether any of the observers asked for can only look from the managed host."""
    return any(OBSERVERS[name].needs_host(params[name]) for name in _asked_for(params))


def load():
    """The function that observes."""
    return observe


def observe(params):
    """Run the observers asked for, at the same time.

    Args:
        params: observer name -> its parameters, or None.

    Returns:
        observer name -> its answer. An observer that fails or hangs is ``available: false`` and stops no other.

    Raises:
        ValueError: bad parameters.
    """
    names = _asked_for(params)
    longest_seconds = sum(_seconds(params[name]) for name in names) + 5
    # Loaded before the threads start, which would wait for each other's imports on the clock of the observers.
    calls = [(OBSERVERS[name].load(), params[name]) for name in names]
    answers = all_within(longest_seconds, [lambda call=call: call[0](call[1]) for call in calls])
    return {name: settled(name, answer) for name, answer in zip(names, answers)}


def observe_each(params):
    """Run observers at the same time, each as often as it is asked.

    Args:
        params: ``questions``, a list of what :func:`observe` takes, with one observer each.

    Returns:
        ``answers``, in the order of the questions: each the observer's ``name``, its ``answer``, as of :func:`observe`, and the ``seconds``
        that it took. A question that makes no sense is one that could not be asked, and stops no other.

    Raises:
        ValueError: there is no such observer.
    """
    asked = [(name, question[name]) for question in params["questions"] for name in _asked_for(question)]
    longest_seconds = max([_seconds(of_one) for _name, of_one in asked] or [0]) + 5
    calls = [(OBSERVERS[name].load(), of_one) for name, of_one in asked]

    def timed(call):
        began = time.monotonic()
        try:
            answer = call[0](call[1])
        except Exception as error:
            answer = error
        return answer, time.monotonic() - began

    found = all_within(longest_seconds, [lambda call=call: timed(call) for call in calls])
    pairs = [(one, longest_seconds) if isinstance(one, Exception) else one for one in found]
    answers = [
        {"name": name, "answer": _told(name, answer), "seconds": round(seconds, 3)}
        for (name, _of_one), (answer, seconds) in zip(asked, pairs)
    ]
    return {"answers": answers}


def _told(name, answer):
    try:
        return settled(name, answer)
    except ValueError as error:
        return {"available": False, "reason": f"{name} cannot be asked: {error}"}


def _asked_for(params):
    """Names in the order of the answers."""
    for name in params:
        observer(name)
    return [name for name in OBSERVERS if params.get(name) is not None]


def _seconds(params):
    # Each observer keeps its own deadline; this one only catches what slips past it.
    return (
        max(2, params.get("samples", 2)) * params["timeout_seconds"]
        + params.get("window_seconds", 0)
        + params.get("read_seconds", 0)
    )


def settled(name, answer):
    """What an observer answers, or why it failed.

    Raises:
        ValueError: bad parameters.
    """
    if isinstance(answer, ValueError):
        raise answer
    if isinstance(answer, DeadlineExceeded):
        return {"available": False, "reason": f"observer {name}: {answer}: {LATE_ADVICE}"}
    if isinstance(answer, Exception):
        from .text.masking import masked

        text = masked(f"{type(answer).__name__}: {answer}")
        return {"available": False, "reason": f"observer {name} failed: {text}; please report this"}
    return answer

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one of several observations tells, or why it cannot: one that fails takes nothing from the others."""

from __future__ import annotations

from .deadline import LATE_ADVICE, DeadlineExceeded
from .text.masking import masked


def told(function, *arguments):
    """What a function tells, or why it cannot."""
    try:
        return function(*arguments)
    except Exception as error:
        return failed(error)


def failed(error, asked=""):
    """Why nothing is told.

    Args:
        error: the exception.
        asked: what was asked, such as ``queue mail``. A deadline does not say that by itself.

    Returns:
        A dict ``available`` (False), ``reason`` in one line, and ``error``, the kind of trouble.
    """
    if isinstance(error, DeadlineExceeded):
        reason = f"{asked}: {error}" if asked else str(error)
        return {"available": False, "reason": f"{reason}: {LATE_ADVICE}", "error": "timeout"}
    kind = getattr(error, "kind", None)
    if kind is not None:
        return {"available": False, "reason": str(error), "error": kind}
    text = masked(f"{type(error).__name__}: {error}")
    return {"available": False, "reason": f"it could not be read: {text}; please report this", "error": "other"}


def summary(what, things):
    """The answer for several things of an inventory.

    Args:
        what: they are, in a word: ``queue`` is described in ``system_queues``.
        things: the answer for each, by name, with ``available``, ``reason`` and ``complete``.
    """
    key = f"{what}s"
    if not things:
        return {
            "available": False,
            "reason": f"no {what} to observe: add one to system_{key}, or name one that is there",
            key: things,
        }
    seen = [one for one in things.values() if one["available"]]
    if not seen:
        return {"available": False, "reason": next(iter(things.values()))["reason"], key: things}
    lost = {name: one["reason"] for name, one in things.items() if not one["available"]}
    limits = [f"{what} {name} is not seen: {reason}" for name, reason in lost.items()]
    complete = not lost and all(one["complete"] for one in seen)
    return {"available": True, key: things, "complete": complete, "limits": limits}

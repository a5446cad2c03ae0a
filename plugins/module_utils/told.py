# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one of several observations tells, or why it cannot: one that fails takes nothing from the others."""

from __future__ import annotations

from .deadline import DeadlineExceeded
from .text.masking import masked


def told(function, *arguments):
    """What a function tells, or why it cannot."""
    try:
        return function(*arguments)
    except Exception as error:
        return failed(error)


def failed(error):
    """Why nothing is told: ``available`` (False), ``reason`` in one line, and ``error``, the kind of trouble."""
    kind = "timeout" if isinstance(error, DeadlineExceeded) else getattr(error, "kind", None)
    if kind is not None:
        return {"available": False, "reason": str(error), "error": kind}
    text = masked(f"{type(error).__name__}: {error}")
    return {"available": False, "reason": f"it could not be read: {text}; please report this", "error": "other"}

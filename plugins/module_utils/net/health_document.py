# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a health document in JSON says of its parts, whichever framework wrote it. No I/O."""

from __future__ import annotations

import json

# Spring Boot (components, DOWN), ASP.NET (entries, Unhealthy), health+json (checks, fail), terminus (details, down), and those who
# write true and false.
_WORDS = frozenset(
    [
        "down",
        "out_of_service",
        "unhealthy",
        "degraded",
        "fail",
        "failed",
        "failing",
        "failure",
        "error",
        "err",
        "critical",
        "unavailable",
        "ko",
        "dead",
    ]
)
_SAYS = ("status", "state", "health", "result")
_TRUE = ("ok", "healthy", "up", "alive", "connected", "success", "ready")
_NO_PARTS = frozenset((*_SAYS, *_TRUE, "level", "severity", "type", "mode", "reason", "message", "error"))
_MOST_NODES, _MOST_PARTS, _DEEPEST = 2000, 5, 8


def unwell_parts(body):
    """The parts that a health document says are not well.

    Args:
        body: bytes of an answer, of any kind.

    Returns:
        Names as they are in the document, the first five in its order; none where it is no JSON or names no part.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return []
    found, left = [], [_MOST_NODES]
    _look(document, "", 0, found, left)
    return list(dict.fromkeys(found))[:_MOST_PARTS]


def _look(node, name, depth, found, left):
    """Add the unwell parts below a node; return whether there are any. A part that has parts is named by those."""
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        return False
    below = False
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, (dict, list)):
                below |= _look(value, str(key), depth + 1, found, left)
            elif key not in _NO_PARTS and _is_bad_word(value):
                found.append(str(key))
                below = True
        if not below and depth and name and _is_unwell(node):
            found.append(name)
            return True
    elif isinstance(node, list):
        # A list of results of one check, or of checks that have their names in them.
        for one in node:
            own = one.get("name") if isinstance(one, dict) else None
            below |= _look(one, own if isinstance(own, str) else name, depth + 1, found, left)
    return below


def _is_unwell(node):
    if any(_is_bad_word(node.get(key)) for key in _SAYS):
        return True
    return any(node.get(key) is False for key in _TRUE)


def _is_bad_word(value):
    return isinstance(value, str) and value.strip().lower().replace("-", "_").replace(" ", "_") in _WORDS

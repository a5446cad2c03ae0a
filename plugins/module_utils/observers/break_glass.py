# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a system is read-only, which tokens for writing all the same are open, and what is written."""

from __future__ import annotations

SPEC = {
    "break_glass": {"type": "dict", "required": True},
    "writes": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path", "required": True},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def needs_host(params):
    """Always: what was given is noted in a folder there."""
    return True


def load():
    """The function that looks."""
    from ..break_glass.look import observe

    return observe

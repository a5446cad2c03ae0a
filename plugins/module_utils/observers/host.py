# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory, processor time and out-of-memory kills of a host."""

from __future__ import annotations

SPEC = {
    "window_seconds": {"type": "float", "default": 0.0},
    "top_processes": {"type": "int", "default": 0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """Always: it asks the kernel that it runs on."""
    return True


def load():
    """The function that observes."""
    from ..host.usage import observe

    return observe

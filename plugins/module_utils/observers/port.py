# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on a port."""

from __future__ import annotations

SPEC = {
    "ports": {"type": "dict", "required": True},
    "services": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "float", "default": 5.0},
}


def needs_host(params):
    """Always: it asks the kernel that it runs on."""
    return True


def load():
    """The function that observes."""
    from ..net.ports import observe

    return observe

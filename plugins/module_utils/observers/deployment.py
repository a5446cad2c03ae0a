# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git checkout: its commits, and what is not committed."""

from __future__ import annotations

SPEC = {
    "path": {"type": "path", "required": True},
    "revision": {"type": "str", "default": ""},
    "timeout_seconds": {"type": "float", "default": 5.0},
}


def needs_host(params):
    """Always: the checkout is a folder there."""
    return True


def load():
    """The function that observes."""
    from ..deployment.deployed import observe

    return observe

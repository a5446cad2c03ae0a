# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HTTP APIs of applications say, in fields that the inventory names."""

from __future__ import annotations

SPEC = {
    "apis": {"type": "dict", "required": True},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def needs_host(params):
    """Never: a URL is asked over the network."""
    return False


def load():
    """The function that fetches. What was fetched is read on the controller: see ``plugin_utils/finishing``."""
    from ..net.apis import observe

    return observe

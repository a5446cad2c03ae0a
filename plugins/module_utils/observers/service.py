# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state, health, restarts, usage and log of services, whatever manages them."""

from __future__ import annotations

SPEC = {
    "services": {"type": "dict", "required": True},
    "log_lines": {"type": "int", "default": 200},
    "log_tail_lines": {"type": "int", "default": 0},
    "window_seconds": {"type": "float", "default": 0.0},
    "samples": {"type": "int", "default": 5},
    "top_processes": {"type": "int", "default": 0},
    "variables": {"type": "list", "elements": "str", "default": []},
    "numbers": {"type": "list", "elements": "str", "default": []},
    "compared": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "float", "default": 5.0},
}
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """A process manager answers on its own host; a hosted platform's command line runs anywhere."""
    services = params["services"].values()
    return any(not isinstance(service, dict) or service.get("manager") != "command" for service in services)


def load():
    """The function that observes."""
    from ..services.states import observe

    return observe

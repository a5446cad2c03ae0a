# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How connectors get on that synchronise data, wherever they keep it."""

from __future__ import annotations

from ..postgres.spec import DATABASE

SPEC = {
    "connectors": {"type": "dict", "required": True},
    "database": dict(DATABASE, required=False),
    "error_classes": {"type": "dict", "default": {}},
    "window_seconds": {"type": "float", "default": 0.0},
    "log_lines": {"type": "int", "default": 500},
    "timeout_seconds": {"type": "float", "default": 10.0},
}
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """Where a command or a log is read, or a database is asked in its container: these are on the managed host."""
    databases = [params.get("database")]
    for given in params["connectors"].values():
        if isinstance(given, dict):
            if given.get("look") or given.get("tests") or given.get("log"):
                return True
            databases.append(given.get("database"))
    return any(isinstance(one, dict) and one.get("transport") == "docker" for one in databases)


def load():
    """The function that observes. What an API answers is read on the controller: see ``plugin_utils/finishing``."""
    from ..connectors.look import observe

    return observe

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that an application brings from one state into the next, and those that stay where they should not."""

from __future__ import annotations

from ..postgres.spec import DATABASE

SPEC = {
    "workflows": {"type": "dict", "required": True},
    "database": dict(DATABASE, required=False),
    "record": {
        "type": "dict",
        "options": {"workflow": {"type": "str", "required": True}, "id": {"type": "str", "required": True}},
    },
    "limit_seconds": {"type": "float", "default": 900.0},
    "lately_seconds": {"type": "float", "default": 600.0},
    "window_seconds": {"type": "float", "default": 0.0},
    "most_stuck": {"type": "int", "default": 50},
    "watched": {"type": "int", "default": 500},
    "timeout_seconds": {"type": "float", "default": 5.0},
}
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """Where a database is asked in its container, which is on the managed host."""
    databases = [params.get("database")]
    databases += [one.get("database") for one in params["workflows"].values() if isinstance(one, dict)]
    return any(isinstance(one, dict) and one.get("transport") == "docker" for one in databases)


def load():
    """The function that observes."""
    from ..workflows.look import observe

    return observe

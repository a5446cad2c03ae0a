# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory, evictions, persistence and clients of a Redis."""

from __future__ import annotations

SERVER = {
    "type": "dict",
    "required": True,
    "options": {
        "transport": {"type": "str", "choices": ["redis", "docker"], "default": "redis"},
        "host": {"type": "str"},
        "port": {"type": "int"},
        "unix_socket": {"type": "path"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "database": {"type": "int"},
        "container": {"type": "str"},
        "service": {"type": "str"},
    },
    "required_if": [("transport", "docker", ("container",))],
}

SPEC = {
    "server": SERVER,
    "window_seconds": {"type": "float", "default": 0.0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """In a container, which is on the managed host."""
    return params["server"]["transport"] == "docker"


def load():
    """The function that observes."""
    from ..redis.server import observe

    return observe

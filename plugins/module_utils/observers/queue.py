# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits, runs and failed in queues, whatever engine they have."""

from __future__ import annotations

from ..postgres.spec import DATABASE
from .redis import SERVER

SPEC = {
    "queues": {"type": "dict", "required": True},
    "redis": dict(SERVER, required=False),
    "database": dict(DATABASE, required=False),
    "lately_seconds": {"type": "float", "default": 600.0},
    "window_seconds": {"type": "float", "default": 0.0},
    "top": {"type": "int", "default": 10},
    "sample": {"type": "int", "default": 500},
    "most_running": {"type": "int", "default": 50},
    "timeout_seconds": {"type": "float", "default": 5.0},
}
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def needs_host(params):
    """Where a store is asked in its container, which is on the managed host."""
    stores = [params.get("redis"), params.get("database")]
    for queue in params["queues"].values():
        if isinstance(queue, dict):
            stores += [queue.get("redis"), queue.get("database")]
    return any(isinstance(store, dict) and store.get("transport") == "docker" for store in stores)


def load():
    """The function that observes."""
    from ..queues.look import observe

    return observe

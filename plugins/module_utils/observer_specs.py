# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each observer takes. Apart from the observers, so that one call loads only those it was asked for."""

from __future__ import annotations

DATABASE = {
    "type": "dict",
    "required": True,
    "options": {
        "transport": {"type": "str", "choices": ["psycopg", "docker"], "default": "psycopg"},
        "host": {"type": "str"},
        "port": {"type": "int"},
        "name": {"type": "str", "required": True},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sslmode": {
            "type": "str",
            "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        },
        "sslrootcert": {"type": "path"},
        "container": {"type": "str"},
        "service": {"type": "str"},
    },
    "required_if": [("transport", "docker", ("container",))],
}

METRICS = {
    "endpoints": {"type": "dict", "required": True},
    "metrics": {"type": "dict", "default": {}},
    "window_seconds": {"type": "float", "default": 1.0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

POSTGRES_ACTIVITY = {
    "database": DATABASE,
    "idle_in_transaction_seconds": {"type": "float", "default": 300.0},
    "idle_seconds": {"type": "float", "default": 600.0},
    "unused_seconds": {"type": "float", "default": 30.0},
    "long_query_seconds": {"type": "float", "default": 300.0},
    "blocked_seconds": {"type": "float", "default": 30.0},
    "ignore_applications": {"type": "list", "elements": "str", "default": []},
    "query_length": {"type": "int", "default": 80},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

SERVICE = {
    "services": {"type": "dict", "required": True},
    "log_lines": {"type": "int", "default": 200},
    "timeout_seconds": {"type": "float", "default": 5},
}

# In the order in which a reader of a diagnosis expects them.
OBSERVERS = {
    "metrics": METRICS,
    "postgres_activity": POSTGRES_ACTIVITY,
    "service": SERVICE,
}

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
    "endpoints": {"type": "dict"},
    "prometheus": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "labels": {"type": "dict", "default": {}},
            "endpoints": {"type": "dict", "default": {}},
            "window_seconds": {"type": "float", "default": 300.0},
        },
    },
    "metrics": {"type": "dict", "default": {}},
    "window_seconds": {"type": "float", "default": 1.0},
    "samples": {"type": "int", "default": 2},
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
    "window_seconds": {"type": "float", "default": 0.0},
    "explain": {"type": "str", "choices": ["none", "plan", "analyze"], "default": "none"},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

REDIS_SERVER = {
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

REDIS = {
    "server": REDIS_SERVER,
    "window_seconds": {"type": "float", "default": 0.0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

SERVICE = {
    "services": {"type": "dict", "required": True},
    "log_lines": {"type": "int", "default": 200},
    "log_tail_lines": {"type": "int", "default": 0},
    "window_seconds": {"type": "float", "default": 0.0},
    "samples": {"type": "int", "default": 5},
    "top_processes": {"type": "int", "default": 0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

HOST = {
    "window_seconds": {"type": "float", "default": 0.0},
    "top_processes": {"type": "int", "default": 0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

HTTP_PROBE = {
    "endpoints": {"type": "dict", "required": True},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

PORT = {
    "ports": {"type": "dict", "required": True},
    "services": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

_EXPIRED_FILES = {
    "path": {"type": "path", "required": True},
    "patterns": {"type": "list", "elements": "str", "required": True},
    "older_than_days": {"type": "float", "required": True},
}

# What disk_reclaim takes too.
FILES_TO_RECLAIM = {
    "rotated_logs": {"type": "list", "elements": "dict", "default": [], "options": _EXPIRED_FILES},
    "backups": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": dict(_EXPIRED_FILES, keep={"type": "int", "required": True}),
    },
    "docker_host": {"type": "str", "default": ""},
}

FILESYSTEM = dict(
    {
        "paths": {"type": "list", "elements": "path", "default": []},
        "used_ratio": {"type": "float", "default": 0.85},
        "inodes_ratio": {"type": "float", "default": 0.85},
        "target_ratio": {"type": "float", "default": 0.8},
        "image_hours": {"type": "float", "default": 24.0},
        "timeout_seconds": {"type": "float", "default": 10.0},
    },
    **FILES_TO_RECLAIM,
)

POSTGRES_WAL = {
    "database": DATABASE,
    "timeout_seconds": {"type": "float", "default": 5.0},
}

POSTGRES_ACCESS = {
    "database": DATABASE,
    "timeout_seconds": {"type": "float", "default": 5.0},
}

DEPLOYMENT = {
    "path": {"type": "path", "required": True},
    "revision": {"type": "str", "default": ""},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

# In the order in which a reader of a diagnosis expects them.
OBSERVERS = {
    "metrics": METRICS,
    "postgres_activity": POSTGRES_ACTIVITY,
    "redis": REDIS,
    "service": SERVICE,
    "host": HOST,
    "http_probe": HTTP_PROBE,
    "filesystem": FILESYSTEM,
    "postgres_wal": POSTGRES_WAL,
    "postgres_access": POSTGRES_ACCESS,
    "port": PORT,
    "deployment": DEPLOYMENT,
}

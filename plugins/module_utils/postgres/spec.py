# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a database, the same for everything that talks to it."""

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


def in_container(params):
    """Whether it is asked in its container, which is on the managed host."""
    return params["database"]["transport"] == "docker"

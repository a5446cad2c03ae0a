# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of databases: what was applied, and what should be."""

from __future__ import annotations

from ..postgres.spec import DATABASE

BACKUP = {
    "type": "dict",
    "options": {
        "file": {"type": "path"},
        "backups": {"type": "dict", "default": {}},
        "names": {"type": "list", "elements": "str", "default": []},
        "max_age_seconds": {"type": "float"},
        "state_directory": {"type": "path", "default": "/var/lib/oncall"},
    },
}
SPEC = {
    "migrations": {"type": "dict", "required": True},
    "database": dict(DATABASE, required=False),
    "backup": BACKUP,
    "long_transaction_seconds": {"type": "float", "default": 30.0},
    "read_seconds": {"type": "float", "default": 60.0},
    "timeout_seconds": {"type": "float", "default": 30.0},
}


def needs_host(_params):
    """Always: the commands of the tools, and the backups, are on the managed host."""
    return True


def load():
    """The function that observes."""
    from ..migrations.look import observe

    return observe

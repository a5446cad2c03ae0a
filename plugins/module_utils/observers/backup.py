# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups: how old, how large and how well proven they are, and what makes them."""

from __future__ import annotations

from ..postgres.spec import DATABASE
from .redis import SERVER

SPEC = {
    "backups": {"type": "dict", "required": True},
    "database": dict(DATABASE, required=False),
    "redis": dict(SERVER, required=False),
    "file": {"type": "str"},
    "state_directory": {"type": "path", "default": "/var/lib/oncall"},
    "read_seconds": {"type": "float", "default": 60.0},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def needs_host(_params):
    """Files, crontabs and the tools of backups are on the managed host."""
    return True


def load():
    """The function that observes."""
    from ..backups.look import observe

    return observe

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a database, its largest tables, and the settings of its server that somebody changed."""

from __future__ import annotations

from ..postgres.spec import DATABASE, in_container

SPEC = {
    "database": DATABASE,
    "tables": {"type": "int", "default": 10},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

needs_host = in_container


def load():
    """The function that observes."""
    from ..postgres.size import observe

    return observe

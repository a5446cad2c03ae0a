# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions, locks, connections and statements of a database."""

from __future__ import annotations

from ..postgres.spec import DATABASE, in_container

SPEC = {
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
# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True

needs_host = in_container


def load():
    """The function that observes."""
    from ..postgres.activity import observe

    return observe

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two faults of the embedded lab that can be there at once.

Two of the pool cannot: each needs its connections. A service that is gone goes second, because the others are measured with it.
"""

from __future__ import annotations

from ..rights import Pair

_POOL = (
    "idle_in_transaction", "leaked_sessions", "long_queries", "blocker", "matview_refresh", "pool_too_small",
    "max_connections", "pool_leak", "high_usage",
)  # fmt: skip

PAIRS = (
    *(Pair(first, "redis_down") for first in _POOL),
    # Of these the database alone has to tell.
    *(
        Pair(first, "metrics_missing")
        for first in ("idle_in_transaction", "blocker", "leaked_sessions", "max_connections")
    ),
    # The pool's requests end with the API.
    Pair("leaked_sessions", "api_down", explained="leaked_sessions", explained_for=frozenset({"db_down"})),
    Pair("redis_down", "database_down"),
    Pair("redis_down", "database_hang"),
    Pair("redis_down", "metrics_missing"),
    Pair("redis_down", "api_down"),
    Pair("database_down", "api_down"),
    Pair("database_hang", "api_down"),
    Pair("database_down", "metrics_missing"),
)

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler says of its pools, where the role may ask."""

from __future__ import annotations

# Its own console, which is a database of this name.
CONSOLE = "pgbouncer"
_KEYS = ("database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used", "maxwait", "pool_mode")


def look(client, name):
    """The pooler, and what its console says.

    Args:
        client: a :class:`~.client.Client`, whose address is asked.
        name: of the pooler, as far as it is known.

    Returns:
        ``name``, ``pools`` (rows of SHOW POOLS without those of the console), and ``reason``, why they are not known, or "".
    """
    from .client import DatabaseError

    if name not in ("PgBouncer", "a pooler"):
        return {"name": name, "pools": [], "reason": "only PgBouncer's console is asked"}
    try:
        rows = client.console(CONSOLE, "SHOW POOLS")
    except DatabaseError as error:
        hint = "name the role in stats_users of pgbouncer.ini to let it ask SHOW POOLS"
        return {"name": name, "pools": [], "reason": f"its console says nothing ({error.kind}): {hint}"}
    pools = [{key: row[key] for key in _KEYS if key in row} for row in rows if row.get("database") != CONSOLE]
    return {"name": "PgBouncer", "pools": pools, "reason": ""}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The advisory lock by which one scheduler keeps others from starting the same jobs."""

from __future__ import annotations

from ..postgres.client import PARAMETERS
from ..queues.answer import name_of

# A key of 64 bits is split in two, and says so in objsubid: 1, where two keys of 32 bits have 2.
HELD = f"""WITH asked AS (SELECT {PARAMETERS}::jsonb AS p)
SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT l.pid, l.granted, a.application_name, host(a.client_addr) AS client, a.state,
    extract(epoch FROM clock_timestamp() - a.backend_start) AS age_seconds,
    extract(epoch FROM clock_timestamp() - a.state_change) AS quiet_seconds
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid, asked
  WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid::text = p->>'classid' AND l.objid::text = p->>'objid' AND l.objsubid::text = p->>'objsubid'
  ORDER BY l.granted DESC, a.backend_start LIMIT 20) AS t"""
_NUMBERS = ("age_seconds", "quiet_seconds")


def key_of(lock):
    """How ``pg_locks`` shows an advisory lock, as parameters of :data:`HELD`.

    Args:
        lock: no number, its key, or its two keys.

    Raises:
        ValueError: it is no key of such a lock.
    """
    bits = 64 if len(lock) == 1 else 32
    if len(lock) > 2 or any(not -(2 ** (bits - 1)) <= key < 2 ** (bits - 1) for key in lock):
        raise ValueError("lock must be the key of an advisory lock: one number of 64 bits, or two of 32")
    if not lock:
        return {}
    # As unsigned numbers, which an oid is.
    if len(lock) == 1:
        key = lock[0] % 2**64
        return {"classid": str(key >> 32), "objid": str(key % 2**32), "objsubid": "1"}
    return {"classid": str(lock[0] % 2**32), "objid": str(lock[1] % 2**32), "objsubid": "2"}


def holders(rows):
    """The sessions that hold a lock, or wait for it. What is not known of one is left out."""
    found = []
    for row in rows:
        one = {"pid": row["pid"], "granted": row["granted"]}
        for key in ("application_name", "client", "state"):
            if name_of(row[key]) is not None:
                one[key] = name_of(row[key])
        one.update({key: round(max(0.0, row[key]), 3) for key in _NUMBERS if row[key] is not None})
        found.append(one)
    return found

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots that a Redis keeps of itself."""

from __future__ import annotations

import time

from ..redis.client import ask
from ..redis.server import parse

# The time of the start and the uptime are rounded to seconds, each by itself.
_STARTED_SECONDS = 2


def look(server, deadline):
    """What Redis tells of its last snapshot.

    Args:
        server: as in :data:`observers.redis.SERVER`.
        deadline: for the answer.

    Raises:
        RedisError: it cannot be asked.
    """
    info, _trouble, _ping = ask(server, deadline)
    return summarize(parse(info), time.time())


def summarize(info, now_seconds):
    """What INFO tells of persistence. Pure.

    A snapshot is as new as the data where nothing was changed since, whatever its age: then ``age_seconds`` is 0.

    Args:
        info: of :func:`redis.server.parse`.
        now_seconds: where the server does not tell its own time.

    Returns:
        A dict ``saved_age_seconds``, ``age_seconds``, ``changes`` (since then), ``in_progress`` and ``troubles``; None for what INFO leaves out.
    """
    saved, changes = _number(info.get("rdb_last_save_time")), _number(info.get("rdb_changes_since_last_save"))
    own = _number(info.get("server_time_usec"))
    now = own / 1e6 if own else now_seconds
    age = None if saved is None else round(max(0.0, now - saved), 3)
    uptime = _number(info.get("uptime_in_seconds"))
    # Until it saves for the first time it tells the moment in which it was started, whether there is a snapshot or not.
    is_first = age is not None and uptime is not None and age >= uptime - _STARTED_SECONDS
    known = None if is_first and changes != 0 else age
    troubles = []
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        troubles.append("the last snapshot failed (rdb_last_bgsave_status is err)")
    if info.get("aof_enabled") == "1":
        troubles += [
            f"the append-only file: {field} is {info[field]}"
            for field in ("aof_last_write_status", "aof_last_bgrewrite_status")
            if info.get(field, "ok") != "ok"
        ]
    return {
        "saved_age_seconds": age,
        "age_seconds": 0.0 if changes == 0 and age is not None else known,
        "is_saved": not (is_first and changes != 0),
        "changes": changes,
        "in_progress": info.get("rdb_bgsave_in_progress") == "1",
        "troubles": troubles,
    }


def _number(text):
    try:
        return int(text)
    except (TypeError, ValueError):
        return None

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ours noted about a channel: a small file for each in the state directory of the host.

It is written before the queue is paused, so what a run that was cut off had paused is known as ours; and it says whether it was us who
turned to another provider, and when by the clock of the host: only that is turned back.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

_MOST_BYTES = 4096
NOTHING = {"paused": False, "limited": False, "fell_back": False, "age_seconds": None, "reason": ""}
UNKNOWN = {"paused": None, "limited": None, "fell_back": None, "age_seconds": None}


def file_of(channel):
    """The name of the file about a channel, whatever the channel is called."""
    return f"channel-{hashlib.sha256(channel.encode()).hexdigest()[:16]}.json"


def read(directory, channel):
    """What is noted about a channel.

    Args:
        directory: the state directory.
        channel: its name in the inventory.

    Returns:
        A dict ``paused``, ``limited`` and ``fell_back`` (False where there is no file, None where it cannot be read), ``age_seconds`` since
        it was written (None where that is not known), and ``reason`` where it cannot be read.
    """
    path = Path(directory) / file_of(channel)
    try:
        with open(str(path), encoding="utf-8") as file:
            found = json.loads(file.read(_MOST_BYTES))
            age = round(time.time() - os.fstat(file.fileno()).st_mtime, 1)
    except FileNotFoundError:
        return dict(NOTHING)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it is no JSON"
        return dict(UNKNOWN, reason=f"{path}: {what}")
    if not isinstance(found, dict) or found.get("channel") != channel:
        return dict(UNKNOWN, reason=f"{path}: it is about another channel")
    told = {name: found.get(name) is True for name in ("paused", "limited", "fell_back")}
    # From the future it says nothing of how long ago that was.
    return {**told, "age_seconds": age if age >= 0 else None, "reason": ""}

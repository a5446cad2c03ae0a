# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ours left behind about a queue that it paused or slowed down: a small file for each in the state directory.

It is written before the queue is paused and taken away after it goes on, so what a run that was cut off had paused is known as ours.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

_MOST_BYTES = 4096


def file_of(queue):
    """The name of the file about a queue, whatever the queue is called."""
    return f"queue-{hashlib.sha256(queue.encode()).hexdigest()[:16]}.json"


def read(directory, queue):
    """What is known of a queue.

    Args:
        directory: the state directory.
        queue: its name in the inventory.

    Returns:
        A dict ``paused`` and ``limited`` (both False where there is no file), and ``reason`` where it cannot be read.
    """
    nothing = {"paused": False, "limited": False, "reason": ""}
    path = Path(directory) / file_of(queue)
    try:
        with open(str(path), encoding="utf-8") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return nothing
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it is no JSON"
        return dict(nothing, paused=None, limited=None, reason=f"{path}: {what}")
    if not isinstance(found, dict) or found.get("queue") != queue:
        return dict(nothing, paused=None, limited=None, reason=f"{path}: it is about another queue")
    return {"paused": found.get("paused") is True, "limited": found.get("limited") is True, "reason": ""}

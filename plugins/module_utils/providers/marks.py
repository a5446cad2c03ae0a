# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ours noted about a channel, in two small files in the state directory of the host.

One is there while its queue is paused or slowed down by us. It is written before the queue is paused, so what a run that was cut off had
paused is known as ours. The other says that we turned the channel to another provider, and since when by the clock of the host: only
that is turned back, and what failed before says nothing of the provider that is in use since.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

_MOST_BYTES = 4096
NOTHING = {
    **dict.fromkeys(("paused", "limited", "turned", "fell_back"), False),
    "age_seconds": None,
    "queue_age_seconds": None,
    "reason": "",
}
UNKNOWN = {name: None for name in NOTHING if name != "reason"}


def file_of(channel, about):
    """The name of the file about a channel, whatever the channel is called.

    Args:
        channel: its name in the inventory.
        about: ``queue`` or ``turned``.
    """
    return f"{about}-{hashlib.sha256(channel.encode()).hexdigest()[:16]}.json"


def read(directory, channel):
    """What is noted about a channel.

    Args:
        directory: the state directory.
        channel: its name in the inventory.

    Returns:
        A dict ``paused`` and ``limited``, ``turned`` and ``fell_back`` (False where there is no file, None where one cannot be read),
        ``age_seconds`` since it was turned and ``queue_age_seconds`` since the note about the queue (None where that is not known), and
        ``reason`` where one cannot be read.
    """
    queue, queue_written, reason = _noted(Path(directory) / file_of(channel, "queue"), channel)
    turned, written, other_reason = _noted(Path(directory) / file_of(channel, "turned"), channel)
    if reason or other_reason:
        return dict(UNKNOWN, reason=reason or other_reason)
    return {
        **{name: queue.get(name) is True for name in ("paused", "limited")},
        **{name: turned.get(name) is True for name in ("turned", "fell_back")},
        "age_seconds": _age(written),
        # That it is there is what counts, whatever the clock says.
        "queue_age_seconds": None if queue_written is None else _age(queue_written) or 0.0,
        "reason": "",
    }


def _age(written):
    """The seconds since then; None where it is not there, and where it is from the future, which says nothing of how long ago it was."""
    age = None if written is None else round(time.time() - written, 1)
    return age if age is not None and age >= 0 else None


def _noted(path, channel):
    """What is in a file, when it was written (None without one), and why it cannot be read."""
    try:
        with open(str(path), encoding="utf-8") as file:
            found, written = json.loads(file.read(_MOST_BYTES)), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return {}, None, ""
    except (OSError, ValueError) as error:
        return {}, None, f"{path}: {getattr(error, 'strerror', None) or 'it is no JSON'}"
    if not isinstance(found, dict) or found.get("channel") != channel:
        return {}, None, f"{path}: it is about another channel"
    return found, written, ""

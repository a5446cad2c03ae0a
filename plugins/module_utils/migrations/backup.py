# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a backup that was verified not long ago, as far as a file shows it."""

from __future__ import annotations

import stat
import time
from pathlib import Path

from ..text.one_line import one_line

# By so much clocks and file systems may differ.
_AHEAD_SECONDS = 120.0


def known(backup):
    """What a file shows.

    Args:
        backup: ``file``, what the verification of a backup leaves behind, and ``max_age_seconds``; None or empty where nothing says.

    Returns:
        A dict ``is_recent``, ``age_seconds`` (or None) and ``reason``, why it is not, or "".
    """
    if not backup or not backup.get("file"):
        return _not("migrations_backup does not say which file shows that a backup was verified")
    path = backup["file"]
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        said = one_line(getattr(error, "strerror", None) or error)
        return _not(f"no verified backup is known: {one_line(path)}: {said}; run the runbook backup")
    return judged(one_line(path), status, backup["max_age_seconds"], time.time())


def judged(path, status, max_age_seconds, now_seconds):
    """What the status of a file shows. Pure."""
    if not stat.S_ISREG(status.st_mode):
        return _not(f"{path} is no regular file, so it shows no verified backup")
    if status.st_size == 0:
        return _not(f"{path} is empty, so it shows no verified backup")
    age_seconds = round(now_seconds - status.st_mtime, 1)
    if age_seconds < -_AHEAD_SECONDS:
        return _not(
            f"{path} was changed {-age_seconds:.0f} s in the future: the clock of the host is wrong", age_seconds
        )
    if age_seconds > max_age_seconds:
        return _not(
            f"the last verified backup is {age_seconds / 3600:.1f} h old ({path}), and may be {max_age_seconds / 3600:.1f} h old; "
            "run the runbook backup",
            age_seconds,
        )
    return {"is_recent": True, "age_seconds": max(0.0, age_seconds), "reason": ""}


def _not(reason, age_seconds=None):
    return {"is_recent": False, "age_seconds": age_seconds, "reason": reason}

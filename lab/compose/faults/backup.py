# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of last night, which was not made, or was cut off."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab.compose.baseline import back_up
from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right

STALE_SECONDS = 30 * 3600
MOST_SECONDS = 26 * 3600
END = "-- PostgreSQL database dump complete"


def _newest(target: Target) -> Path:
    found = sorted(target.layout.backups.glob("lab_*.sql"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise LabError("there is no backup; heal the lab first")
    return found[-1]


def _forget(target: Target) -> None:
    then = time.time() - STALE_SECONDS
    for path in target.layout.backups.glob("lab_*.sql"):
        os.utime(path, (then, then))


def _is_old(target: Target) -> tuple[bool, str]:
    age = time.time() - _newest(target).stat().st_mtime
    return age > MOST_SECONDS, f"the newest backup is {age / 3600:.0f} hours old"


def _cut_off(target: Target) -> None:
    path = _newest(target)
    os.truncate(path, path.stat().st_size // 2)


def _is_cut_off(target: Target) -> tuple[bool, str]:
    whole = END in _newest(target).read_text()[-400:]
    return not whole, "the newest backup is " + ("whole" if whole else "cut off")


def _make_anew(target: Target) -> None:
    for path in target.layout.backups.glob("lab_*.sql"):
        path.unlink()
    back_up(target)


FAULTS = {
    "backup_missed": Fault(
        "the backup of last night was not made",
        _forget,
        _is_old,
        _make_anew,
        rights={"backup": right("stale", "make_backup")},
    ),
    "backup_cut_off": Fault(
        "the backup of last night was cut off",
        _cut_off,
        _is_cut_off,
        _make_anew,
        rights={"backup": right("broken_backup", "make_backup")},
    ),
}

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small disk of the lab's own that runs full. Only root can mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right

SIZE_BYTES = 16 * 1024 * 1024
FULL_RATIO = 0.85
MONTH_SECONDS = 30 * 86400


def _disk(target: Target) -> Path:
    return target.layout.home / "disk"


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise LabError(f"{argv[0]} ends with {done.returncode}: {done.stderr.strip()}; a disk takes root to mount")


def _mounted(target: Target) -> Path:
    disk = _disk(target)
    if not disk.is_mount():
        disk.mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=755", "oncall-lab", str(disk))
    return disk


def _write(path: Path, share: float, age_seconds: float = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"a line of a log\n" * int(share * SIZE_BYTES / 16))
    then = time.time() - age_seconds
    os.utime(path, (then, then))


def _rotated_logs(target: Target) -> None:
    disk = _mounted(target)
    for number in range(1, 5):
        _write(disk / "log" / f"api.log.{number}.gz", 0.18, MONTH_SECONDS + number)
    _write(disk / "log" / "api.log", 0.1)
    _write(disk / "data" / "orders", 0.1)


def _data(target: Target) -> None:
    _write(_mounted(target) / "data" / "orders", 0.9)


def _full(target: Target) -> tuple[bool, str]:
    disk = _disk(target)
    if not disk.is_mount():
        return False, "the disk is not there"
    usage = shutil.disk_usage(disk)
    ratio = usage.used / usage.total
    return ratio >= FULL_RATIO, f"{disk} is {ratio:.0%} full"


def _unmount(target: Target) -> None:
    disk = _disk(target)
    if disk.is_mount():
        _run("umount", "--lazy", str(disk))
    if disk.is_dir():
        disk.rmdir()


FAULTS = {
    "disk_full_of_rotated_logs": Fault(
        "a disk is 92 % full, most of it with logs that were rotated a month ago",
        _rotated_logs,
        _full,
        _unmount,
        rights={"disk_full": right("rotated_logs", "delete_rotated_logs", also="growth")},
    ),
    "disk_full_of_data": Fault(
        "a disk is 90 % full with data that nobody may delete",
        _data,
        _full,
        _unmount,
        rights={"disk_full": right("growth")},
    ),
}

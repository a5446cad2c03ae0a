# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a rule lets go: rotated logs and expired backups, and nothing but them.

Every folder is opened part by part without following a symbolic link, so that nothing outside of it can be reached.
"""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from contextlib import contextmanager

LISTED = 1000
# A folder with this file is a database's; its segments have names like those of rotated logs.
_DATABASE = "PG_VERSION"
# What engines keep there is theirs to remove: volumes above all.
_ENGINES = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers")
# The server alone removes what is there.
_WRITE_AHEAD_LOGS = {"pg_wal", "pg_xlog"}


@contextmanager
def opened_folder(path):
    """A descriptor of a folder, no part of whose path is a symbolic link.

    Raises:
        OSError: it is not there, is no folder, or a part of it is a symbolic link.
    """
    descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in [part for part in path.split("/") if part]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _unlike():
    """Pairs of names that have nothing in common but how they are built."""
    for one, other in (("abcdefghijkl", "mnopqrstuvwx"), ("ABCDEFGHIJKL", "MNOPQRSTUVWX")):
        for before in ("", "."):
            for stem in range(1, 13):
                for ending in range(7):
                    yield tuple(
                        before + letters[:stem] + ("." + letters[:ending] if ending else "") for letters in (one, other)
                    )


_UNLIKE = tuple(_unlike())


def says_something(pattern):
    """Whether a pattern names files of some kind: of two names that have no character in common but the dot, it fits one at most."""
    return bool(pattern.strip("*")) and not any(
        fnmatch.fnmatchcase(one, pattern) and fnmatch.fnmatchcase(other, pattern) for one, other in _UNLIKE
    )


def check_rule(rule):
    """Raise ValueError, in one line, where a rule would let go what nobody can have meant."""
    path = os.path.normpath(rule["path"])
    if not path.startswith("/") or path.count("/") < 2:
        raise ValueError(f"{rule['path']} is no absolute path of a folder below the first level")
    if any(path == engine or path.startswith(engine + "/") for engine in _ENGINES):
        raise ValueError(f"{rule['path']} belongs to a container engine, which alone removes what is there")
    if _WRITE_AHEAD_LOGS & set(path.split("/")):
        raise ValueError(f"{rule['path']} is PostgreSQL's write-ahead log, which the server alone removes")
    if not rule["patterns"] or any("/" in pattern or not says_something(pattern) for pattern in rule["patterns"]):
        raise ValueError(f"the patterns for {rule['path']} have to say more than *, ?* or *.* and hold no /")
    if not rule["older_than_days"] > 0:
        raise ValueError(f"older_than_days for {rule['path']} has to be above 0")
    if rule.get("keep") is not None and rule.get("keep") < 1:
        raise ValueError(f"keep for {rule['path']} has to be 1 or more")


def expired(rule, deadline, now=None):
    """The files that a rule lets go at this moment.

    Args:
        rule: ``path``, ``patterns`` of file names, ``older_than_days``, and ``keep``: not there for rotated logs, in the folder and
            below it; for backups, which lie in the folder itself, how many of the newest stay whatever their age.
        deadline: when to stop.

    Returns:
        Dicts ``path``, ``device``, ``inode``, ``modified`` (nanoseconds since 1970 as text) and ``bytes``, the oldest first. Only
        regular files with one name, on the folder's own mount: what is mounted below it, a folder of the same filesystem too, is
        somewhere else.

    Raises:
        OSError: the folder cannot be opened.
        DeadlineExceeded: not all was seen in time.
    """
    if now is None:
        now = time.time()
    with opened_folder(rule["path"]) as descriptor:
        files = list(_matching(rule, descriptor, deadline))
    oldest = now - rule["older_than_days"] * 86400
    if rule.get("keep") is not None:
        files = beyond_newest(files, rule.get("keep"))
    gone = [one for one in files if int(one["modified"]) / 1e9 < oldest]
    return sorted(gone, key=lambda one: (int(one["modified"]), one["path"]))


def _matching(rule, descriptor, deadline):
    mount = _mount_of(descriptor)
    for folder, folders, names, inside in os.fwalk(".", dir_fd=descriptor, follow_symlinks=False):
        deadline.remaining_seconds()
        path = os.path.normpath(f"{rule['path']}/{folder}")
        is_kept = path in _ENGINES or path.rpartition("/")[2] in _WRITE_AHEAD_LOGS
        if is_kept or _DATABASE in names or _mount_of(inside) != mount:
            folders[:] = []
            continue
        if rule.get("keep") is not None:
            folders[:] = []
        for name in names:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in rule["patterns"]):
                try:
                    # A name that is no text cannot be told of, and what cannot be told of is not touched.
                    name.encode()
                    status = os.stat(name, dir_fd=inside, follow_symlinks=False)
                except (OSError, UnicodeEncodeError):
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    yield identity(f"{path}/{name}", status)


def _mount_of(descriptor):
    """The device and the mount of an open folder: a bind mount has the device of what it shows."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return os.fstat(descriptor).st_dev, lines["mnt_id"].strip()


def identity(path, status):
    """What makes a file the same one later."""
    return {
        "path": path,
        "device": status.st_dev,
        "inode": status.st_ino,
        "modified": str(status.st_mtime_ns),
        "bytes": status.st_blocks * 512,
    }


def beyond_newest(files, keep):
    """The files that are older than the newest ``keep`` of them. Pure.

    A backup that was cut short, as on a full disk, is no backup: one of less than half of the usual size counts for nothing, so
    that the last good ones stay.
    """
    newest = sorted(files, key=lambda one: -int(one["modified"]))
    sizes = sorted(one["bytes"] for one in files if one["bytes"])
    usual = sizes[len(sizes) // 2] if sizes else 0
    good = [place for place, one in enumerate(newest) if one["bytes"] * 2 >= usual and one["bytes"]]
    return newest[good[keep - 1] + 1 :] if len(good) >= keep else []

# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a folder that are backups, opened so that nothing but a file is ever read."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from ..text.one_line import one_line

# Files that are looked at in a folder, and that are told.
MOST_FILES = 20000
TOLD = 20
# What the database was that a restore has replaced, with all that was wrong with it. It is newer than the backup that was restored.
SAFETY = "oncall_before_restore_"
# A file that changes within this time is being written.
GROWS_WITHIN_SECONDS = 0.3
# What a folder is that has backups in it, where they are expected beside it.
HAS_BACKUPS = "a folder with files in it that have the name of a backup"
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class NoFile(Exception):
    """What is under a name is no file that can be read; the text says what it is."""


def what(mode):
    """What a mode says that is there, in words, or an empty text for a file."""
    return next((words for is_one, words in _KINDS if is_one(mode)), "")


def identity(status):
    """What tells a file from another under the same name, and from itself after a change."""
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size}-{status.st_mtime_ns}"


@contextmanager
def opened(path):
    """A descriptor of a file and its status, never of anything else, and never through a link.

    Raises:
        NoFile: something else is there, or nothing, or it may not be read.
    """
    shown = one_line(Path(path).name)
    try:
        before = os.lstat(path)
        if what(before.st_mode):
            raise NoFile(f"{shown} is {what(before.st_mode)}, and no file")
        # Where something else comes under the name meanwhile: a FIFO holds nobody up, and a link is not followed.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NoFile(f"{shown} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NoFile(f"{shown} is {what(status.st_mode) or 'no file'}, and no file")
        yield descriptor, status
    finally:
        os.close(descriptor)


def listed(folder, pattern, asked=None):
    """What is in a folder under names that fit a pattern, the newest first.

    Args:
        folder: its path.
        pattern: as of a shell. What begins with a dot fits only a pattern that begins with one, and so does what a restore dumps for safety.
        asked: the name of a file that somebody asks for: that may be a dump for safety.

    Returns:
        ``(files, odd)``: files as dicts ``name``, ``path``, ``size_bytes``, ``modified_seconds`` and ``identity``; and what else is there
        under such a name, as dicts ``name``, ``what`` and ``modified_seconds``. A link to a file of the same folder is that file once more,
        and is in neither.

    Raises:
        OSError: the folder cannot be read.
    """
    files, odd = [], []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST_FILES:
                odd.append({"name": "", "what": f"more than {MOST_FILES} entries", "modified_seconds": time.time()})
                break
            hidden = any(
                entry.name.startswith(begins) and not pattern.startswith(begins)
                for begins in (".", SAFETY)
                if entry.name != asked
            )
            if hidden or not fnmatch.fnmatchcase(entry.name, pattern):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # it is gone
            strange = what(status.st_mode) or ("" if _is_text(entry.name) else "a name that is not UTF-8")
            if strange == "a symbolic link" and _leads_to_a_neighbour(folder, entry.name):
                continue
            if strange:
                odd.append({"name": one_line(_shown(entry.name)), "what": strange, "modified_seconds": status.st_mtime})
            else:
                files.append(
                    {
                        "name": one_line(entry.name),
                        "path": str(Path(folder, entry.name)),
                        "size_bytes": status.st_size,
                        "modified_seconds": status.st_mtime,
                        "identity": identity(status),
                    }
                )
    newest = {"key": lambda one: (one["modified_seconds"], one["name"]), "reverse": True}
    return sorted(files, **newest), sorted(odd, **newest)[:TOLD]


def in_folders(folder, pattern):
    """The folders below a folder that have files under names that fit, such as one folder a day, as :func:`listed` tells what is no file.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    with os.scandir(folder) as entries:
        folders = [entry for entry in islice(entries, MOST_FILES) if entry.is_dir(follow_symlinks=False)]
    for entry in folders:
        try:
            files, _odd = listed(entry.path, pattern)
        except OSError:
            continue  # it is gone, or may not be read
        if files:
            found.append(
                {
                    "name": one_line(_shown(entry.name)),
                    "what": HAS_BACKUPS,
                    "modified_seconds": files[0]["modified_seconds"],
                }
            )
    return sorted(found, key=lambda one: (one["modified_seconds"], one["name"]), reverse=True)[:TOLD]


def growing(file, seconds=GROWS_WITHIN_SECONDS):
    """Whether a file is being written: it changes while it is looked at."""
    end = time.monotonic() + seconds
    while True:
        try:
            if identity(os.lstat(file["path"])) != file["identity"]:
                return True
        except OSError:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)


def free_bytes(folder):
    """What may still be written in a folder, in bytes."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _leads_to_a_neighbour(folder, name):
    path = Path(folder, name)
    return Path(os.path.realpath(path)).parent == Path(os.path.realpath(folder)) and path.is_file()


def _is_text(name):
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(name):
    return name.encode("utf-8", "backslashreplace").decode("utf-8")

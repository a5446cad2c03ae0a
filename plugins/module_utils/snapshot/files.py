# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files of a folder: only their ends are read, and nothing outside of the folder is."""

from __future__ import annotations

import errno
import fnmatch
import os
import stat

from ..disk.expired_files import opened_folder
from ..text.one_line import one_line
from .text import kept

_PACKED = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".zip", ".7z")
# More names than that are no folder of logs, and to look at all of them is not bounded.
_MOST_NAMES = 20000


def end_of_file(descriptor, keep_bytes):
    """The end of an open file, however long it is and while it grows.

    Returns:
        A dict ``text``, ``of_bytes`` (its size at that moment), ``kept_bytes`` and ``binary_lines``.
    """
    size = os.fstat(descriptor).st_size
    start = max(0, size - keep_bytes)
    chunks, at = [], start
    while at < size:
        chunk = os.pread(descriptor, min(1 << 20, size - at), at)
        if not chunk:
            break  # it was cut meanwhile
        chunks.append(chunk)
        at += len(chunk)
    return dict(kept(b"".join(chunks), is_end=start > 0), of_bytes=size, kept_bytes=at - start)


def end_of_path(path, keep_bytes):
    """The same of a file by its path, which may be a link: whoever runs the service said where its log is.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    # A FIFO would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return end_of_file(descriptor, keep_bytes)
    finally:
        os.close(descriptor)


def listed(name, folder):
    """The log files of one folder, the newest first.

    Args:
        name: of the folder in the inventory.
        folder: ``path``, ``files`` (patterns of names) and ``newest`` (how many of them).

    Returns:
        ``(files, limits)``: dicts ``path``, ``name`` and ``folder``; and a line for each that is left out.
    """
    path, limits, files = os.path.normpath(folder["path"]), [], []
    try:
        with opened_folder(path) as descriptor, os.scandir(descriptor) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST_NAMES:
                    limits.append(f"{path} has more than {_MOST_NAMES} names: only these were looked at")
                    break
                if not any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in folder["files"]):
                    continue
                shown = one_line(f"{path}/{entry.name}")
                if entry.is_symlink():
                    target = os.readlink(entry.name, dir_fd=descriptor)
                    limits.append(
                        f"{shown} is a symbolic link to {one_line(target)}, which is not followed: name the folder of the file"
                    )
                elif not entry.is_file(follow_symlinks=False):
                    limits.append(f"{shown} is no regular file, and is left out")
                elif entry.name.lower().endswith(_PACKED):
                    limits.append(f"{shown} is packed, and is left out")
                else:
                    files.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
    except OSError as error:
        limits.append(_refused(path, error))
    files.sort(reverse=True)
    left = files[folder["newest"] :]
    if left:
        limits.append(f"{path}: {len(left)} older files are left out; newest is {folder['newest']}")
    return [{"folder": path, "name": one, "in": name} for _at, one in files[: folder["newest"]]], limits


def read(file, keep_bytes):
    """The end of one of these files.

    Raises:
        OSError: it is not there any more, is a link now, or may not be read.
    """
    with opened_folder(file["folder"]) as folder:
        descriptor = os.open(file["name"], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return end_of_file(descriptor, keep_bytes)
    finally:
        os.close(descriptor)


def _refused(path, error):
    what = one_line(path)
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{what} is not read: a part of it is a symbolic link or no folder; name the folder itself"
    if error.errno == errno.EACCES:
        return f"{what} is not read: permission denied; give the user of Ansible the right to, or use become"
    return f"{what} is not read: {error.strerror}; check snapshot_log_folders"

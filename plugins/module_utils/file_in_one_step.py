# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is never half there under its name."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def put(path, content):
    """Put content under a name in one step.

    What was there before gives it mode, owner and attributes. A new file is readable for its owner only, from the first byte
    on.

    Args:
        path: of the file, whose folder is there.
        content: bytes.

    Raises:
        OSError: it cannot be done; what was there is as it was.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=str(path.parent))
    try:
        with open(descriptor, "wb") as file:
            if path.exists():
                _make_like(descriptor, temporary, path)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    directory = os.open(str(path.parent), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _make_like(descriptor, temporary, path):
    old = path.stat()
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)
    for attribute in getattr(os, "listxattr", lambda _path: [])(path):
        with contextlib.suppress(OSError):  # some belong to the system
            os.setxattr(temporary, attribute, os.getxattr(path, attribute))

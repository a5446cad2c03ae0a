# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens were given on this host, for what, and whether they are revoked: one small file for each, without the token.

The file of a token is locked by the process that has it. So whoever finds one that is not locked and not revoked knows that it was left.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from pathlib import Path

_MOST_BYTES = 8192
_NAME = re.compile(r"[0-9a-f]{16}\.json\Z")
# What came to its end is kept for as long, for those who ask who wrote when.
KEPT_SECONDS = 30 * 86400.0
_MOST = 500


def folder_of(directory):
    """The folder, made where it is not there.

    Raises:
        OSError: it cannot be used.
    """
    path = Path(directory) / "break_glass"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise PermissionError(1, "others may write to it", str(path))
    return path


class Entry:
    """The file of one token, held by this process.

    Args:
        path: of the file.
        told: what is known of it; nothing in it is secret.
    """

    def __init__(self, path, told):
        self.path, self.told = path, dict(told)
        self._descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        # Who reads it holds it for a moment.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self.note()

    @classmethod
    def over(cls, path, told, descriptor):
        """One whose file is held already."""
        entry = cls.__new__(cls)
        entry.path, entry.told, entry._descriptor = path, dict(told), descriptor
        return entry

    def note(self, **changed):
        """Keep what has changed."""
        self.told.update(changed)
        data = json.dumps(self.told).encode()
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))
        os.fsync(self._descriptor)

    def close(self):
        os.close(self._descriptor)


def read(directory):
    """Every token that was given here, the last first.

    Args:
        directory: the state directory of the host.

    Returns:
        A list of dicts as they were noted, each with ``path`` and ``held`` (whether a process has it), and a list of what cannot be read.
    """
    folder = Path(directory) / "break_glass"
    found, limits = [], []
    try:
        names = sorted(entry.name for entry in folder.iterdir() if _NAME.match(entry.name))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{folder} cannot be read: {error.strerror}"]
    for name in names[:_MOST]:
        path = folder / name
        try:
            found.append(_read(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            limits.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no record of a token'}")
    if len(names) > _MOST:
        limits.append(f"{folder} has {len(names)} files, and {_MOST} of them were read")
    return sorted(found, key=lambda one: -one["given_at_seconds"]), limits


def _read(path):
    descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        told = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        if (
            not isinstance(told, dict)
            or not isinstance(told.get("given_at_seconds"), float)
            or not isinstance(told.get("state"), str)
        ):
            raise ValueError("no record")
        return dict(told, path=str(path), held=_is_held(descriptor))
    finally:
        os.close(descriptor)


def _is_held(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def taken_over(told):
    """The file of a token that was left, held by this process; None where another has taken it over, or it has come to its end.

    Args:
        told: of :func:`read`.
    """
    descriptor = os.open(told["path"], os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        now = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        if now.get("state") == told["state"]:
            return Entry.over(Path(told["path"]), now, descriptor)
    except (OSError, ValueError):
        pass
    os.close(descriptor)
    return None


def is_left(told, now_seconds):
    """Whether a token is open that nobody has any more. Pure."""
    return told["state"] in ("asking", "open") and not told["held"] and told["expires_at_seconds"] > now_seconds


def is_open_all_the_same(told, listed):
    """Whether one that came to its end, by what was noted, is among those that are open. Pure.

    Args:
        told: as it was noted before the list was asked for, so that one that is revoked meanwhile is none.
        listed: the references of those that are open, as the issuer lists them.
    """
    return told["state"] in ("not_given", "revoked") and not told["held"] and told["reference"] in listed


def forget_old(directory, now_seconds=None):
    """Delete what came to its end long ago."""
    now = time.time() if now_seconds is None else now_seconds
    for told in read(directory)[0]:
        if told["expires_at_seconds"] + KEPT_SECONDS < now and not told["held"]:
            Path(told["path"]).unlink(missing_ok=True)
